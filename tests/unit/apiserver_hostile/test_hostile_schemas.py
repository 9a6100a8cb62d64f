"""CustomResourceDefinitions that were made to keep the server busy."""

import asyncio

import pytest
from tests.unit.apiserver_hostile.site import GUARD_S
from tests.unit.apiserver_hostile.test_hostile_paths import DEFINITION, definition, served

THINGS = "/apis/example.com/v1/namespaces/default/things"


def things(spec: dict) -> dict:
    made = definition("things", "Namespaced")
    schema = {"type": "object", "properties": {"spec": spec}}
    made["spec"]["versions"][0]["schema"]["openAPIV3Schema"] = schema
    return made


def thing(spec: object) -> dict:
    return {"apiVersion": "example.com/v1", "kind": "Things", "metadata": {"name": "t"}, "spec": spec}


def nested(levels: int) -> dict:
    schema: dict = {"type": "string"}
    for _ in range(levels):
        schema = {"type": "object", "properties": {"a": schema}}
    return schema


async def test_a_schema_that_is_deeper_than_a_body_may_be_is_refused(site):
    await site.refused("POST", DEFINITION, deep_text(), codes=(400,))


def deep_text() -> bytes:
    import json

    head = json.dumps(things({"type": "string", "here": 1}))
    levels = 5_001
    deep = '{"type":"object","properties":{"a":' * levels + '{"type":"string"}' + "}}" * levels
    return head.replace('{"type": "string", "here": 1}', deep).encode()


@pytest.mark.parametrize("levels", [50, 150, 230])
async def test_a_deep_schema_is_answered_and_its_objects_are_too(site, levels):
    async with asyncio.timeout(GUARD_S):
        answer = await site.send("POST", DEFINITION, things(nested(levels)))
        assert answer.code < 500, answer.body
        await site.others_are_served()
        if answer.code == 201:
            await served(site, THINGS)
            value: object = "x"
            for _ in range(levels):
                value = {"a": value}
            assert (await site.send("POST", THINGS, thing(value))).code in (201, 400, 422)
            for path in ("/openapi/v2", "/openapi/v3/apis/example.com/v1"):
                assert (await site.send("GET", path)).code == 200
            await site.others_are_served()


async def test_a_wide_schema_is_answered(site):
    wide = {"type": "object", "properties": {f"field{n}": {"type": "string"} for n in range(5_000)}}
    async with asyncio.timeout(GUARD_S):
        answer, _ = await asyncio.gather(
            site.send("POST", DEFINITION, things(wide)), site.others_are_served()
        )
        assert answer.code == 201
        await served(site, THINGS)
        assert (await site.send("POST", THINGS, thing({"field4999": 5}))).code == 422


@pytest.mark.parametrize(
    "pattern", [r"^(a+)+$", r"^(a|a)*$", r"^(a|aa)+$", r"(.*a){20}$", r"^(([a-z])+.)+[A-Z]([a-z])+$"]
)
async def test_a_catastrophic_expression_takes_no_longer_than_its_text(site, pattern):
    assert (await site.send("POST", DEFINITION, things({"type": "string", "pattern": pattern}))).code == 201
    await served(site, THINGS)
    await site.refused("POST", THINGS, thing("a" * 50_000 + "!"), codes=(422,))


@pytest.mark.parametrize(
    "pattern", ["(", "a{1000000}", "(?=a)", r"(a)\1", "((a{1000}){1000}){1000}", "[", "(?P<n"]
)
async def test_an_expression_that_go_does_not_know_is_refused(site, pattern):
    await site.refused("POST", DEFINITION, things({"type": "string", "pattern": pattern}), codes=(422,))


LIST = {"type": "array", "items": {"type": "string"}}


@pytest.mark.parametrize(
    "rule",
    [
        "self.l.all(a, self.l.all(b, self.l.all(c, self.l.all(d, (a + b + c + d).size() > 0))))",
        "self.l.map(a, self.l.map(b, self.l.map(c, a + b + c))).size() >= 0",
        "self.l.all(a, self.l.all(b, self.l.exists(c, c.matches('(a+)+$'))))",
        "self.l.all(",
        "(" * 5_000 + "true" + ")" * 5_000,
        " + ".join(["1"] * 20_000) + " > 0",
        "nothing.here",
        "[1, 2].size()",
    ],
    ids=lambda rule: rule[:40],
)
async def test_a_rule_that_would_run_forever_is_refused_or_cut_off(site, rule):
    schema = {"type": "object", "properties": {"l": LIST}, "x-kubernetes-validations": [{"rule": rule}]}
    async with asyncio.timeout(GUARD_S):
        answer = await site.send("POST", DEFINITION, things(schema))
        if answer.code == 422:
            return
        assert answer.code == 201
        await served(site, THINGS)
        many = thing({"l": [f"{n}a" for n in range(2_000)]})
        refused, _ = await asyncio.gather(site.send("POST", THINGS, many), site.others_are_served())
    assert refused.code == 422
    assert (await site.send("GET", THINGS)).body["items"] == []
    assert "cost" in refused.body["message"]


async def test_a_rule_that_runs_long_on_one_object_is_cut_off(site):
    """Its estimate fits, because the lists are said to be short; what it meets is judged by its cost."""
    rule = "self.l.all(a, self.l.all(b, self.l.all(c, a != 'x' || b != c)))"
    items = {"type": "string", "maxLength": 3}
    schema = {
        "type": "object",
        "properties": {"l": {"type": "array", "maxItems": 100, "items": items}},
        "x-kubernetes-validations": [{"rule": rule}],
    }
    answer = await site.send("POST", DEFINITION, things(schema))
    assert answer.code in (201, 422)
    if answer.code == 201:
        await served(site, THINGS)
        async with asyncio.timeout(GUARD_S):
            made = await site.send("POST", THINGS, thing({"l": ["x"] * 100}))
        assert made.code in (201, 422)
        await site.others_are_served()
    await site.others_are_served()

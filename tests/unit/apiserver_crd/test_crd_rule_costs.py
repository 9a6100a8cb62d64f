"""What rules may cost at worst is worked out when a definition is written, to upstream's figures and limits."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from tests.unit.apiserver_crd.definitions import (
    DEFINITIONS,
    NAME,
    definition,
    established,
    refusal,
    spec_of,
    version,
)

from mamekube.client.client import Client
from mamekube.kinds.apiextensions import cel_types, rule_checks
from mamekube.kinds.apiextensions.customresourcedefinitions import KIND
from mamekube.kinds.apiextensions.extents import extent_of
from mamekube.objects import cel

SCHEMA = "spec.validation.openAPIV3Schema"
RULE = "x-kubernetes-validations[0]"
HINT = (
    "(try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings "
    "are declared)"
)
Json = dict[str, Any]


def of_type(name: str, **more: Any) -> Json:
    if name == "int-or-string":
        return {"x-kubernetes-int-or-string": True, **more}
    if name in ("date", "date-time", "duration", "byte"):
        return {"type": "string", "format": name, **more}
    return {"type": name, **more}


def array(of: str | Json) -> Json:
    return {"type": "array", "items": of_type(of) if isinstance(of, str) else of}


def mapping(of: str | Json) -> Json:
    return {"type": "object", "additionalProperties": of_type(of) if isinstance(of, str) else of}


PAIR = {
    "type": "object",
    "properties": {"required": of_type("string"), "optional": of_type("string")},
    "required": ["required"],
}
ALL = "self.all(x, true)"


def cost(schema: Json, rule: str) -> int:
    extent, known = extent_of(schema), cel_types.type_of(schema)
    assert extent is not None
    assert known is not None
    return cel.estimate(rule, variables={"self": known, "oldSelf": known}, size_of=extent.size_at)


@pytest.mark.parametrize(
    ("schema", "rule", "unlimited", "limit", "limited"),
    [
        (array("number"), ALL, 4718591, 10, 32),
        (array("string"), ALL, 3145727, 20, 62),
        (array("boolean"), ALL, 1887437, 5, 17),
        (array(array("number")), ALL, 3145727, 100, 302),
        (array(PAIR), ALL, 555128, 50, 152),
        (mapping("number"), ALL, 1348169, 10, 32),
        (mapping("string"), ALL, 1179647, 3, 11),
        (mapping("boolean"), ALL, 943718, 100, 302),
        (of_type("string"), "self.contains('test')", 314574, 10, 5),
        (of_type("string"), "self.startsWith('test')", 2, 15, 2),
        (of_type("string"), 'size(self + "hello") > size("hello")', 314578, 4, 7),
        (array("number"), "self[1] == 0.0", 2, 5000, 2),
        (array("string"), "self[1] == self[1]", 314577, 8, 314577),
        (array("number"), "self.all(x, self.all(y, true))", None, 10, 352),
        (array("number"), "self.all(x, self.all(y, self.all(z, true)))", None, 10, 3552),
        (of_type("string"), 'self.matches("x")', 314574, 50, 22),
        (of_type("string"), '"".matches("(((((((((())))))))))[0-9]")', 7, 10, 7),
        (of_type("string"), 'self.matches("")', 1, 100, 1),
        (mapping("number"), 'self["x"] == 0.0', 2, 0, 2),
        (of_type("string"), 'self == "x"', 2, 0, 1),
        (of_type("byte"), 'self == b"x"', 2, 0, 1),
        (array("number"), "self.all(x, x == 0.0)", 6291454, 3 * 1024 * 2048, 25165826),
        (array(mapping(PAIR)), 'self.all(x, x["y"].required == "z")', 7340027, 10, 72),
        (array("int-or-string"), ALL, 4718591, 10, 32),
        (array("int-or-string"), "self[0] == 5", 3, 10, 3),
        (array(PAIR), "self[0] == null", 2, 422, 2),
        (array(array("number")), "self[0][0] == -1.0", 3, 51, 3),
        (array(mapping("number")), "self.all(x, x.y == 25.2)", 6291452, 12, 74),
        (array(mapping("number")), "self[0].x > 2.0", 4, 3000, 4),
        (array("duration"), ALL, 2359295, 5, 17),
        (array("duration"), "self[0].getHours() == 2", 4, 525, 4),
        (array("date"), ALL, 725936, 15, 47),
        (array("date-time"), ALL, 428963, 25, 77),
        (mapping(PAIR), ALL, 428963, 20, 62),
        (mapping(mapping("number")), ALL, 1179647, 10, 32),
        (mapping("duration"), ALL, 1048577, 5, 17),
        (mapping("date"), ALL, 524288, 10, 32),
        (mapping("date-time"), ALL, 349526, 25, 77),
        (of_type("string"), "self.find('[0-9]+') == ''", 629147, 10, 11),
        (of_type("string"), "self.lowerAscii() == 'lower!'", 314575, 10, 6),
        (mapping("integer"), "oldSelf.size() == self.size()", 5, 10, 5),
        (mapping("date-time"), 'self["a"] == self["b"]', 8, 7, 8),
        (of_type("string", enum=["A", "B", "LongValue"]), "self.contains('A')", 2, 1000, 401),
    ],
)
def test_an_estimate_is_upstreams(
    schema: Json, rule: str, unlimited: int | None, limit: int, limited: int
) -> None:
    if unlimited is None:
        assert cost(schema, rule) > rule_checks.EXPRESSION_COST_MAX
    else:
        assert cost(schema, rule) == unlimited
    key = {"array": "maxItems", "object": "maxProperties"}.get(schema["type"], "maxLength")
    assert cost({**schema, key: limit}, rule) == limited


@pytest.mark.parametrize(
    ("length", "rule", "wanted"),
    [
        (None, "self.join(' ') == 'aa bb'", 329853068905),
        (10, "self.join(' ') == 'aa bb'", 43),
        (None, "self.isSorted() == true", 329854432052),
        (10, "self.isSorted() == true", 52),
    ],
)
def test_what_goes_through_all_texts_of_a_list_costs_by_their_length(
    length: int | None, rule: str, wanted: int
) -> None:
    text = of_type("string") if length is None else of_type("string", maxLength=length)
    schema = array(text) if length is None else {**array(text), "maxItems": length}
    assert cost(schema, rule) == wanted


@pytest.mark.parametrize(("length", "wanted"), [(None, 629154), (4, 12)])
def test_the_size_of_a_replaced_text_follows_from_its_parts(length: int | None, wanted: int) -> None:
    text = of_type("string") if length is None else of_type("string", maxLength=length)
    parts = {"before": of_type("string", maxLength=2), "after": of_type("string", maxLength=4)}
    schema = {"type": "object", "properties": {"str": text, **parts}}
    assert cost(schema, "self.str.replace(self.before, self.after) == 'does not matter'") == wanted


@pytest.mark.parametrize(("length", "wanted"), [(None, 629160), (10, 22)])
def test_the_parts_of_a_split_text_are_as_many_as_its_characters(length: int | None, wanted: int) -> None:
    text = of_type("string") if length is None else of_type("string", maxLength=length)
    schema = {"type": "object", "properties": {"str": text, "separator": text}}
    assert cost(schema, "self.str.split(self.separator) == []") == wanted


# Definitions --------------------------------------------------------------------------------------------


def ruled(schema: Json, rule: str, **more: Any) -> Json:
    return {**schema, "x-kubernetes-validations": [{"rule": rule, **more}]}


def problems(made: Json, old: Json | None = None) -> list[str]:
    KIND.default(made)
    KIND.prepare_create(made)
    found = KIND.validate_create(made) if old is None else KIND.validate_update(made, old)
    return [str(error) for error in found]


TWICE = "self.all(x, self.all(y, x == y || x != 'a'))"


def test_a_rule_that_could_cost_too_much_is_refused_with_a_hint() -> None:
    made = definition(version(schema=spec_of(a=ruled(array("string"), TWICE))))
    assert problems(made) == [
        f"{SCHEMA}.properties[spec].properties[a].{RULE}.rule: Forbidden: estimated rule cost exceeds budget "
        f"by factor of more than 100x {HINT}",
        f"{SCHEMA}.properties[spec].properties[a].{RULE}.rule: Forbidden: contributed to estimated rule cost "
        "total exceeding cost limit for entire OpenAPIv3 schema",
        f"{SCHEMA}: Forbidden: x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema "
        f"exceeds budget by factor of more than 100x {HINT}",
    ]
    limited = {"type": "array", "maxItems": 50, "items": of_type("string", maxLength=20)}
    assert problems(definition(version(schema=spec_of(a=ruled(limited, TWICE))))) == []


def test_a_rule_is_charged_as_often_as_its_values_can_stand() -> None:
    """The limits of the lists around it multiply; where one has none, as many as fit into a request."""
    inner = ruled(of_type("string", maxLength=100), "self.contains('a')")
    within = {"type": "array", "maxItems": 1000, "items": {**array(inner), "maxItems": 500}}
    [error] = problems(definition(version(schema=spec_of(a=within))))
    assert error == (
        f"{SCHEMA}.properties[spec].properties[a].items.items.{RULE}.rule: Forbidden: estimated rule cost "
        f"exceeds budget by factor of 2.0x {HINT}"
    )
    unlimited = {"type": "array", "items": {**array(inner), "maxItems": 500}}
    errors = problems(definition(version(schema=spec_of(a=unlimited))))
    assert "by factor of 4.3x" in errors[0]


def test_a_factor_near_one_is_given_exactly() -> None:
    near = {**array(ruled(of_type("integer"), "self > 0 && self < 5")), "maxItems": 3_000_000}
    [error] = problems(definition(version(schema=spec_of(a=near))))
    assert "by factor of 1.200000x" in error


def test_a_message_expression_has_a_limit_of_its_own() -> None:
    schema = ruled(array("string"), "size(self) < 5", messageExpression="self.join(',')")
    errors = problems(definition(version(schema=spec_of(a=schema))))
    where = f"{SCHEMA}.properties[spec].properties[a].{RULE}.messageExpression"
    assert errors[0] == (
        f"{where}: Forbidden: estimated messageExpression cost exceeds budget by factor of more than 100x {HINT}"
    )


def test_rules_that_are_cheap_one_by_one_can_be_too_dear_together() -> None:
    near = {**array("string"), "maxItems": 3_000_000}
    fields = {f"f{number:02}": ruled(near, ALL) for number in range(12)}
    errors = problems(definition(version(schema=spec_of(**fields))))
    assert len(errors) == 5, "the four dearest, and the whole"
    assert all("contributed to estimated rule cost total" in error for error in errors[:4])
    assert errors[4].startswith(f"{SCHEMA}: Forbidden: x-kubernetes-validations estimated rule cost total")
    assert "by factor of 1.080000x" in errors[4]


def test_what_does_not_compile_costs_nothing_and_its_message_is_not_looked_at() -> None:
    schema = ruled(array("string"), "self.nothing", messageExpression="1")
    [error] = problems(definition(version(schema=spec_of(a=schema))))
    assert "does not support field selection" in error


def test_a_rule_of_any_type_is_no_rule() -> None:
    schema = ruled(of_type("int-or-string"), "self")
    [error] = problems(definition(version(schema=spec_of(a=schema))))
    assert error.endswith("cel expression must evaluate to a bool")


def test_a_schema_that_does_not_change_keeps_its_dear_rules() -> None:
    near = {**array(ruled(of_type("integer"), "self > 0 && self < 5")), "maxItems": 3_000_000}
    old = definition(version(schema=spec_of(a=near)))
    KIND.default(old)
    new = copy.deepcopy(old)
    new["spec"]["names"]["shortNames"] = ["cts"]
    assert problems(new, old) == []
    new["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["description"] = "changed"
    [error] = problems(new, old)
    assert "estimated rule cost exceeds budget by factor of 1.200000x" in error


async def test_a_dear_definition_is_refused_through_the_api(client: Client) -> None:
    made = definition(version(schema=spec_of(a=ruled(array("string"), TWICE))))
    error = await refusal(client.create(DEFINITIONS, made))
    assert error.code == 422
    assert f'CustomResourceDefinition.apiextensions.k8s.io "{NAME}" is invalid: [{SCHEMA}' in error.message
    limited = {"type": "array", "maxItems": 50, "items": of_type("string", maxLength=20)}
    await established(client, definition(version(schema=spec_of(a=ruled(limited, TWICE)))))

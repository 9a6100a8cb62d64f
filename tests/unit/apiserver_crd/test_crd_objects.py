"""What becomes of custom objects: pruning, defaults, validation, rules, subresources, tables, selection."""

from __future__ import annotations

import pytest
from tests.unit.apiserver_crd.definitions import (
    CRONTABS,
    DEFINITIONS,
    DEFINITIONS_PATH,
    NAME,
    PATH,
    crontab,
    definition,
    established,
    refusal,
    spec_of,
    until,
    version,
)
from tests.unit.apiserver_crd.test_crd_serving import eventually

from mamekube.objects.conditions import is_true
from mamekube.objects.resource import Resource

TEXT = {"type": "string"}
NUMBER = {"type": "integer"}


async def serve(client, schema, **more):
    await established(client, definition(version(schema=schema, **more)))


async def serve_web(web, schema, **more):
    await web.send("POST", DEFINITIONS_PATH, definition(version(schema=schema, **more)))
    await eventually(web, f"{DEFINITIONS_PATH}/{NAME}", lambda body: is_true(body, "Established"))


async def said(client, spec):
    """What is wrong with a new object, by upstream's words."""
    error = await refusal(client.create(CRONTABS, crontab(spec=spec)))
    assert (error.code, error.reason) == (422, "Invalid")
    return [f"{cause['field']}: {cause['message']}" for cause in error.details["causes"]]


# Pruning and defaults -----------------------------------------------------------------------------------


async def test_unknown_fields_are_dropped_but_where_they_are_preserved(client):
    preserved = {"type": "object", "x-kubernetes-preserve-unknown-fields": True, "properties": {"a": NUMBER}}
    await serve(client, spec_of(known=TEXT, preserved=preserved))
    spec = {"known": "x", "unknown": 1, "preserved": {"a": 1, "b": {"c": 2}}}
    made = await client.create(CRONTABS, crontab(spec=spec, more=1))
    assert made["spec"] == {"known": "x", "preserved": {"a": 1, "b": {"c": 2}}}
    assert "more" not in made


async def test_true_in_the_place_of_one_is_a_change(client):
    await serve(client, spec_of(open={"type": "object", "x-kubernetes-preserve-unknown-fields": True}))
    await client.create(CRONTABS, crontab(spec={"open": {"a": 1, "b": [{"c": 0}]}}))
    patch = {"spec": {"open": {"a": True, "b": [{"c": False}]}}}
    made = await client.patch(CRONTABS, "one", patch, namespace="default", field_manager="other")
    assert made["spec"]["open"]["a"] is True
    assert made["spec"]["open"]["b"][0]["c"] is False
    assert made["metadata"]["generation"] == 2
    [owned] = [entry for entry in made["metadata"]["managedFields"] if entry["manager"] == "other"]
    assert owned["fieldsV1"] == {"f:spec": {"f:open": {"f:a": {}, "f:b": {}}}}


async def test_unknown_fields_are_told_of_as_the_request_wants(web):
    await serve_web(web, spec_of(known=TEXT))
    body = crontab(spec={"known": "x", "other": 1})
    strict = await web.send("POST", f"{PATH}?fieldValidation=Strict", body)
    assert (strict.code, strict.body["reason"]) == (400, "BadRequest")
    assert 'strict decoding error: unknown field "spec.other"' in strict.body["message"]
    warned = await web.send("POST", f"{PATH}?fieldValidation=Warn&dryRun=All", body)
    assert (warned.code, warned.headers["Warning"]) == (201, '299 - "unknown field \\"spec.other\\""')
    ignored = await web.send("POST", f"{PATH}?fieldValidation=Ignore", body)
    assert (ignored.code, ignored.headers.get("Warning")) == (201, None)


async def test_an_embedded_resource_keeps_its_metadata_and_must_have_a_kind(client):
    embedded = {"type": "object", "x-kubernetes-embedded-resource": True, "properties": {"spec": TEXT}}
    await serve(client, spec_of(template=embedded))
    template = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "x", "nonsense": 1},
        "spec": "s",
        "q": 1,
    }
    made = await client.create(CRONTABS, crontab(spec={"template": template}))
    assert made["spec"]["template"] == {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "x"},
        "spec": "s",
    }
    assert await said(client, {"template": {"spec": "s"}}) == [
        "spec.template.apiVersion: Required value: must not be empty",
        "spec.template.kind: Required value: must not be empty",
    ]


async def test_defaults_are_filled_in_and_nulls_give_way_to_them(client):
    inner = {"type": "object", "default": {}, "properties": {"depth": {**NUMBER, "default": 2}}}
    listed = {"type": "array", "items": {"type": "object", "properties": {"port": {**NUMBER, "default": 80}}}}
    nullable = {**TEXT, "nullable": True, "default": "never"}
    schema = spec_of(size={**NUMBER, "default": 3}, inner=inner, ports=listed, maybe=nullable, plain=TEXT)
    await serve(client, schema)
    spec = {"size": None, "ports": [{}, {"port": 81}], "maybe": None, "plain": None}
    made = await client.create(CRONTABS, crontab(spec=spec))
    assert made["spec"] == {
        "size": 3,
        "inner": {"depth": 2},
        "ports": [{"port": 80}, {"port": 81}],
        "maybe": None,
    }


async def test_what_is_stored_gets_the_defaults_of_now(client):
    await serve(client, spec_of(a=TEXT, b=TEXT))
    await client.create(CRONTABS, crontab(spec={}))
    await change_schema(client, spec_of(a={**TEXT, "default": "A"}, b=TEXT))
    assert (await client.get(CRONTABS, "one", namespace="default"))["spec"] == {"a": "A"}
    await client.create(CRONTABS, crontab("two", spec={}))
    await change_schema(client, spec_of(a=TEXT, b={**TEXT, "default": "B"}))
    assert (await client.get(CRONTABS, "one", namespace="default"))["spec"] == {"b": "B"}
    assert (await client.get(CRONTABS, "two", namespace="default"))["spec"] == {"a": "A", "b": "B"}


async def change_schema(client, schema):
    made = await client.get(DEFINITIONS, NAME)
    await client.update(DEFINITIONS, {**made, "spec": {**made["spec"], "versions": [version(schema=schema)]}})


# Values -------------------------------------------------------------------------------------------------

RANGE = {**NUMBER, "minimum": 2, "maximum": 1000000, "exclusiveMinimum": True}
CHECKS = [
    (
        {**NUMBER, "format": "int32"},
        2**31,
        '<nil>: Invalid value: "": Checked value must be of type integer with format int32 in spec.a',
    ),
    (NUMBER, "x", 'spec.a: Invalid value: "string": spec.a in body must be of type integer: "string"'),
    (TEXT, 1, 'spec.a: Invalid value: "integer": spec.a in body must be of type string: "integer"'),
    ({**TEXT, "enum": ["p", "q"]}, "r", 'spec.a: Unsupported value: "r": supported values: "p", "q"'),
    ({**TEXT, "pattern": "^a+$"}, "ab", "spec.a: Invalid value: \"ab\": spec.a in body should match '^a+$'"),
    (
        {**TEXT, "minLength": 2},
        "a",
        'spec.a: Invalid value: "a": spec.a in body should be at least 2 chars long',
    ),
    ({**TEXT, "maxLength": 2}, "abc", "spec.a: Too long: may not be more than 2 bytes"),
    (RANGE, 2, "spec.a: Invalid value: 2: spec.a in body should be greater than 2"),
    (RANGE, 1000001, "spec.a: Invalid value: 1000001: spec.a in body should be less than or equal to 1e+06"),
    (
        {"type": "number", "multipleOf": 0.01},
        1e308,
        "spec.a: Invalid value: 1e+308: spec.a in body should be a multiple of 0.01",
    ),
    ({**NUMBER, "multipleOf": 5}, 7, "spec.a: Invalid value: 7: spec.a in body should be a multiple of 5"),
    (
        {"type": "array", "maxItems": 1, "items": TEXT},
        ["a", "b"],
        "spec.a: Too many: 2: must have at most 1 item",
    ),
    (
        {"type": "array", "minItems": 1, "items": TEXT},
        [],
        "spec.a: Invalid value: 0: spec.a in body should have at least 1 items",
    ),
    (
        {"type": "array", "items": TEXT},
        ["a", 1],
        'spec.a[1]: Invalid value: "integer": spec.a[1] in body must be of type string: "integer"',
    ),
    (
        {"type": "object", "additionalProperties": NUMBER},
        {"k": "v"},
        'spec.a.k: Invalid value: "string": spec.a.k in body must be of type integer: "string"',
    ),
    ({"type": "object", "required": ["b"], "properties": {"b": TEXT}}, {}, "spec.a.b: Required value"),
    (
        {**TEXT, "format": "date-time"},
        "soon",
        'spec.a: Invalid value: "soon": spec.a in body must be of type date-time: "soon"',
    ),
    (
        {**TEXT, "format": "ipv4"},
        "::1",
        'spec.a: Invalid value: "::1": spec.a in body must be of type ipv4: "::1"',
    ),
    (
        {**NUMBER, "not": {"enum": [3]}},
        3,
        '<nil>: Invalid value: "": "spec.a" must not validate the schema (not)',
    ),
    (
        {"x-kubernetes-int-or-string": True},
        True,
        'spec.a: Invalid value: "boolean": spec.a in body must be of type integer,string: "boolean"',
    ),
    (
        {"type": "array", "x-kubernetes-list-type": "set", "items": TEXT},
        ["a", "b", "a"],
        'spec.a[2]: Duplicate value: "a"',
    ),
]


@pytest.mark.parametrize(("schema", "value", "problem"), CHECKS)
async def test_a_value_that_does_not_fit_is_refused_in_upstreams_words(client, schema, value, problem):
    await serve(client, spec_of(a=schema))
    assert await said(client, {"a": value}) == [problem]


async def test_alternatives_tell_what_the_nearest_one_misses(client):
    one_of = {**NUMBER, "oneOf": [{"minimum": 5}, {"maximum": 3}]}
    any_of = {**NUMBER, "anyOf": [{"minimum": 5}, {"enum": [1]}]}
    await serve(client, spec_of(a=one_of, b=any_of))
    assert await said(client, {"a": 4, "b": 2}) == [
        '<nil>: Invalid value: "": "spec.a" must validate one and only one schema (oneOf). Found none valid',
        "spec.a: Invalid value: 4: spec.a in body should be greater than or equal to 5",
        '<nil>: Invalid value: "": "spec.b" must validate at least one schema (anyOf)',
        "spec.b: Invalid value: 2: spec.b in body should be greater than or equal to 5",
    ]
    await client.create(CRONTABS, crontab(spec={"a": 3, "b": 1}))


@pytest.mark.parametrize("value", [1, "1"])
async def test_an_int_or_string_is_either(client, value):
    await serve(client, spec_of(a={"x-kubernetes-int-or-string": True}))
    assert (await client.create(CRONTABS, crontab(spec={"a": value})))["spec"] == {"a": value}


async def test_a_list_that_is_a_map_has_each_key_once(client):
    item = {"type": "object", "required": ["name"], "properties": {"name": TEXT, "value": TEXT}}
    keyed = {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}
    await serve(client, spec_of(a={**keyed, "items": item}))
    assert await said(client, {"a": [{"name": "x"}, {"name": "x", "value": "v"}]}) == [
        'spec.a[1]: Duplicate value: {"name":"x"}'
    ]


async def test_what_did_not_change_may_stay_wrong(client):
    await serve(client, spec_of(a=TEXT, b=TEXT, c={"type": "array", "items": TEXT}))
    await client.create(CRONTABS, crontab(spec={"a": "long", "b": "x", "c": ["long"]}))
    short = {**TEXT, "maxLength": 2}
    await change_schema(client, spec_of(a=short, b=short, c={"type": "array", "items": short}))
    patch = {"spec": {"b": "y"}}
    assert (await client.patch(CRONTABS, "one", patch, namespace="default"))["spec"]["b"] == "y"
    error = await refusal(client.patch(CRONTABS, "one", {"spec": {"a": "longer"}}, namespace="default"))
    assert "spec.a: Too long: may not be more than 2 bytes" in str(error)
    error = await refusal(client.patch(CRONTABS, "one", {"spec": {"c": ["long", "ok"]}}, namespace="default"))
    assert "spec.c[0]: Too long: may not be more than 2 bytes" in str(error)


async def test_true_is_not_the_one_that_was_there(client):
    await serve(client, spec_of(a=NUMBER, b=TEXT))
    await client.create(CRONTABS, crontab(spec={"a": 1}))
    error = await refusal(client.patch(CRONTABS, "one", {"spec": {"a": True}}, namespace="default"))
    assert "spec.a in body must be of type integer" in str(error)


# Rules --------------------------------------------------------------------------------------------------


def ruled(rules, **properties):
    schema = spec_of(**properties)
    schema["properties"]["spec"]["x-kubernetes-validations"] = rules
    return schema


async def test_a_rule_that_fails_says_its_message(client):
    rules = [
        {"rule": "self.low <= self.high", "message": "low must not be above high"},
        {"rule": "self.low >= 0"},
        {
            "rule": "self.high < 100",
            "messageExpression": "'high is %d'.format([self.high])",
            "reason": "FieldValueForbidden",
            "fieldPath": ".high",
        },
    ]
    await serve(client, ruled(rules, low=NUMBER, high=NUMBER))
    assert await said(client, {"low": 3, "high": 2}) == [
        'spec: Invalid value: "object": low must not be above high'
    ]
    assert await said(client, {"low": -1, "high": 200}) == [
        'spec: Invalid value: "object": failed rule: self.low >= 0',
        "spec.high: Forbidden: high is 200",
    ]


async def test_a_transition_rule_holds_the_new_against_the_old(client):
    fixed = {**TEXT, "x-kubernetes-validations": [{"rule": "self == oldSelf", "message": "is immutable"}]}
    await serve(client, spec_of(a=fixed, b=TEXT))
    await client.create(CRONTABS, crontab(spec={"a": "x"}))
    await client.patch(CRONTABS, "one", {"spec": {"b": "y"}}, namespace="default")
    error = await refusal(client.patch(CRONTABS, "one", {"spec": {"a": "y"}}, namespace="default"))
    assert 'spec.a: Invalid value: "string": is immutable' in str(error)


async def test_a_rule_with_an_optional_old_value_counts_for_new_objects_too(client):
    rule = {"rule": "oldSelf.hasValue() || self == 'first'", "optionalOldSelf": True, "message": "no"}
    await serve(client, spec_of(a={**TEXT, "x-kubernetes-validations": [rule]}))
    assert await said(client, {"a": "second"}) == ['spec.a: Invalid value: "string": no']
    await client.create(CRONTABS, crontab(spec={"a": "first"}))
    await client.patch(CRONTABS, "one", {"spec": {"a": "second"}}, namespace="default")


async def test_rules_see_times_and_numbers_as_what_they_are(client):
    rules = [{"rule": "self.until > timestamp('2020-01-01T00:00:00Z') && self.share / 2.0 < 1.0"}]
    properties = {"until": {**TEXT, "format": "date-time"}, "share": {"type": "number"}}
    await serve(client, ruled(rules, **properties))
    await client.create(CRONTABS, crontab(spec={"until": "2024-01-01T00:00:00Z", "share": 1}))
    assert len(await said(client, {"until": "2019-01-01T00:00:00Z", "share": 1})) == 1


async def test_rules_wait_for_what_is_mistyped(client):
    await serve(client, ruled([{"rule": "self.a > 1"}], a=NUMBER))
    problems = await said(client, {"a": "x"})
    assert problems[1].startswith("<nil>: Invalid value: ")
    assert problems[1].endswith("correct the existing errors to complete validation")


async def test_a_rule_that_costs_too_much_is_stopped(client):
    """The limit of one call is lower than what the estimate lets pass."""
    items = {"type": "array", "items": NUMBER, "maxItems": 90}
    rule = {"rule": "self.a.all(x, self.a.all(y, self.a.all(z, x + y + z >= 0)))"}
    await serve(client, ruled([rule], a=items))
    problems = await said(client, {"a": list(range(90))})
    assert "no further validation rules will be run" in problems[0]


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        ({"rule": "self.b == 1"}, "undefined field 'b'"),
        ({"rule": "self.a"}, "cel expression must evaluate to a bool"),
        ({"rule": "self.a =="}, "compilation failed"),
        ({"rule": "true", "messageExpression": "1"}, "messageExpression must evaluate to a string"),
        ({"rule": "true", "fieldPath": ".zz"}, "fieldPath must be a valid path"),
        ({"rule": "true", "optionalOldSelf": True}, "may not be set if oldSelf is not used in rule"),
    ],
)
async def test_a_rule_that_cannot_work_is_refused_with_the_definition(client, rule, problem):
    error = await refusal(client.create(DEFINITIONS, definition(version(schema=ruled([rule], a=TEXT)))))
    assert "spec.validation.openAPIV3Schema.properties[spec].x-kubernetes-validations[0]" in str(error)
    assert problem in str(error)


# Subresources, patches, tables, selection ---------------------------------------------------------------

SIZES = {
    "type": "object",
    "properties": {
        "spec": {"type": "object", "properties": {"replicas": NUMBER, "tier": TEXT}},
        "status": {"type": "object", "properties": {"replicas": NUMBER, "selector": TEXT}},
    },
}
SUBRESOURCES = {
    "status": {},
    "scale": {
        "specReplicasPath": ".spec.replicas",
        "statusReplicasPath": ".status.replicas",
        "labelSelectorPath": ".status.selector",
    },
}


async def test_status_is_written_apart_and_counts_no_generation(client):
    await serve(client, SIZES, subresources=SUBRESOURCES)
    made = await client.create(CRONTABS, crontab(spec={"replicas": 1}, status={"replicas": 9}))
    assert ("status" in made, made["metadata"]["generation"]) == (False, 1)
    new = {**made, "spec": {"replicas": 7}, "status": {"replicas": 1}}
    made = await client.update(CRONTABS, new, subresource="status")
    assert (made["spec"], made["status"], made["metadata"]["generation"]) == (
        {"replicas": 1},
        {"replicas": 1},
        1,
    )
    made = await client.patch(CRONTABS, "one", {"spec": {"replicas": 2}}, namespace="default")
    assert (made["status"], made["metadata"]["generation"]) == ({"replicas": 1}, 2)


async def test_without_a_status_subresource_status_is_a_field_as_any(client):
    await serve(client, SIZES)
    made = await client.create(CRONTABS, crontab(spec={}, status={"replicas": 9}))
    assert made["status"] == {"replicas": 9}
    made = await client.patch(CRONTABS, "one", {"status": {"replicas": 1}}, namespace="default")
    assert made["metadata"]["generation"] == 2
    assert (await refusal(client.get(CRONTABS, "one", namespace="default", subresource="status"))).code == 404


async def test_scale_shows_and_changes_replicas(client):
    await serve(client, SIZES, subresources=SUBRESOURCES)
    made = await client.create(CRONTABS, crontab(spec={"replicas": 3}))
    made = {**made, "status": {"replicas": 2, "selector": "app=x"}}
    await client.update(CRONTABS, made, subresource="status")
    scale = await client.get(CRONTABS, "one", namespace="default", subresource="scale")
    assert (scale["kind"], scale["spec"], scale["status"]) == (
        "Scale",
        {"replicas": 3},
        {"replicas": 2, "selector": "app=x"},
    )
    await client.create(CRONTABS, crontab("none", spec={}))
    error = await refusal(client.get(CRONTABS, "none", namespace="default", subresource="scale"))
    assert (error.code, 'the spec replicas field ".spec.replicas" does not exist' in error.message) == (
        500,
        True,
    )
    await client.update(CRONTABS, {**scale, "spec": {"replicas": 5}}, subresource="scale")
    assert (await client.get(CRONTABS, "one", namespace="default"))["spec"] == {"replicas": 5}


async def test_patches_but_strategic_ones_are_taken(web):
    await serve_web(web, SIZES)
    await web.send("POST", PATH, crontab(spec={"replicas": 1}))
    strategic = {"Content-Type": "application/strategic-merge-patch+json"}
    refused = await web.send("PATCH", f"{PATH}/one", {"spec": {}}, headers=strategic)
    assert (refused.code, refused.body["reason"]) == (415, "UnsupportedMediaType")
    operations = [{"op": "replace", "path": "/spec/replicas", "value": 4}]
    json_patch = {"Content-Type": "application/json-patch+json"}
    assert (await web.send("PATCH", f"{PATH}/one", operations, headers=json_patch)).body["spec"] == {
        "replicas": 4
    }


async def test_apply_merges_lists_by_their_keys_and_notes_owners(client):
    item = {"type": "object", "required": ["name"], "properties": {"name": TEXT, "value": TEXT}}
    keyed = {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}
    await serve(client, spec_of(a={**keyed, "items": item}))
    for manager, name in (("first", "x"), ("second", "y")):
        applied = crontab(spec={"a": [{"name": name, "value": manager}]})
        made = await client.patch(
            CRONTABS, "one", applied, namespace="default", patch_type="apply", field_manager=manager
        )
    assert [entry["name"] for entry in made["spec"]["a"]] == ["x", "y"]
    owned = {entry["manager"]: entry["fieldsV1"] for entry in made["metadata"]["managedFields"]}
    assert list(owned["second"]["f:spec"]["f:a"]) == ['k:{"name":"y"}']
    stolen = crontab(spec={"a": [{"name": "x", "value": "mine"}]})
    write = client.patch(
        CRONTABS, "one", stolen, namespace="default", patch_type="apply", field_manager="second"
    )
    assert (await refusal(write)).reason == "Conflict"


COLUMNS = [
    {"name": "Replicas", "type": "integer", "jsonPath": ".spec.replicas"},
    {"name": "Tier", "type": "string", "jsonPath": ".spec.tier", "priority": 1, "description": "Its tier."},
    {"name": "Born", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
]
TABLE = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"}


async def test_a_table_has_the_columns_of_the_version(web):
    await serve_web(web, SIZES, additionalPrinterColumns=COLUMNS)
    await web.send("POST", PATH, crontab(spec={"replicas": 1}))
    table = (await web.send("GET", PATH, headers=TABLE)).body
    assert [
        (column["name"], column["type"], column["priority"]) for column in table["columnDefinitions"]
    ] == [
        ("Name", "string", 0),
        ("Replicas", "integer", 0),
        ("Tier", "string", 1),
        ("Born", "date", 0),
    ]
    descriptions = [column["description"] for column in table["columnDefinitions"]]
    assert descriptions[1:3] == [
        "Custom resource definition column (in JSONPath format): .spec.replicas",
        "Its tier.",
    ]
    assert table["rows"][0]["cells"][:3] == ["one", 1, None]
    assert table["rows"][0]["cells"][3].endswith("s")


async def test_a_version_without_columns_shows_the_age(web):
    await serve_web(web, SIZES)
    table = (await web.send("GET", PATH, headers=TABLE)).body
    assert [column["name"] for column in table["columnDefinitions"]] == ["Name", "Age"]


async def test_objects_are_selected_by_the_fields_that_may(client):
    await serve(client, SIZES, selectableFields=[{"jsonPath": ".spec.tier"}, {"jsonPath": ".spec.replicas"}])
    for name, tier in (("one", "a"), ("two", "b")):
        await client.create(CRONTABS, crontab(name, spec={"tier": tier, "replicas": 1}))
    listing = await client.list(CRONTABS, field_selector="spec.tier=b,spec.replicas=1")
    assert [obj["metadata"]["name"] for obj in listing.items] == ["two"]
    async with client.watch(CRONTABS, field_selector="spec.tier=a") as events:
        assert (await anext(events)).object["metadata"]["name"] == "one"
        await client.patch(CRONTABS, "one", {"spec": {"tier": "c"}}, namespace="default")
        assert (await anext(events)).type == "DELETED"
    error = await refusal(client.list(CRONTABS, field_selector="spec.other=1"))
    assert (error.code, error.message) == (400, "field label not supported: spec.other")


async def test_a_cluster_scoped_object_has_no_namespace(client):
    await established(client, definition(scope="Cluster"))
    resource = Resource(
        group=CRONTABS.group, version="v1", plural="crontabs", kind="CronTab", namespaced=False
    )
    made = await client.create(resource, {"metadata": {"name": "one"}})
    assert "namespace" not in made["metadata"]
    assert await until(client, NAME, lambda obj: obj is not None)

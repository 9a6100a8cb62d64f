"""What a schema makes of custom objects: pruning, metadata, embedded resources and rules, by the stories of upstream's
integration tests.
"""

import json

import pytest
import yaml
from tests.conformance.api import APPLY, JSON, MERGE, STRATEGIC, eventually
from tests.conformance.definitions import DEFINITIONS, OPEN, collection, custom, definition, noxu, version

TEXT, NUMBER, INTEGER, OBJECT = ({"type": name} for name in ("string", "number", "integer", "object"))
STATUS = {"subresources": {"status": {}}}
FOO = {"type": "object", "properties": {"alpha": TEXT, "beta": NUMBER}}
KEEPS = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
EMBEDDED = {"type": "object", "x-kubernetes-embedded-resource": True}
KEPT = {**EMBEDDED, **KEEPS}


def foos(group, schema, **more):
    return definition(group, version("v1beta1", schema, **STATUS), scope="Cluster", **more)


def at(obj, *path):
    for key in path:
        obj = obj.get(key, {}) if isinstance(obj, dict) else {}
    return obj


# Pruning ----------------------------------------------------------------------------------------------------------


def test_unspecified_fields_are_pruned_by_every_write(api, group, made):
    crd = foos(group, {**FOO, "properties": {**FOO["properties"], "status": FOO}})
    made(crd)
    path = collection(crd, "v1beta1")
    fields = {"unspecified": "bar", "alpha": "abc", "beta": 42.0}
    foo = custom(crd, "v1beta1", "foo", **fields)
    foo["metadata"] |= {"unspecified": "bar", "labels": {"foo": "bar"}}
    foo = api.create(path, foo)
    left = {"alpha": "abc", "beta": 42}
    assert {key: foo.get(key) for key in fields} == {**left, "unspecified": None}
    assert (foo["metadata"]["labels"], "unspecified" in foo["metadata"]) == ({"foo": "bar"}, False)
    foo["status"], foo["metadata"]["unspecified"] = fields, "bar"
    foo = api.update(f"{path}/foo/status", foo)
    assert (foo["status"], "unspecified" in foo["metadata"]) == (left, False)
    patch = {**fields, "alpha": "def", "metadata": {"unspecified": "bar", "labels": {"foo": "baz"}}}
    foo = api.patch(f"{path}/foo", patch)
    assert (foo["alpha"], "unspecified" in foo, "unspecified" in foo["metadata"]) == ("def", False, False)
    assert foo["metadata"]["labels"] == {"foo": "baz"}


def test_fields_are_kept_where_unknown_ones_are_until_the_next_that_are_known(api, group, made):
    below = {"preserving": KEEPS, "pruning": OBJECT}
    fields = {**FOO["properties"], "preserving": {**KEEPS, "properties": below}}
    fields["pruning"] = {"type": "object", "properties": below}
    crd = foos(group, {**KEEPS, "properties": fields})
    made(crd)
    inner = {"unspecified": "bar"}
    value = {"unspecified": "bar", "unspecifiedObject": inner, "pruning": inner, "preserving": inner}
    foo = custom(
        crd, "v1beta1", "foo", unspecified="bar", alpha="abc", beta=42.0, pruning=value, preserving=value
    )
    foo = api.create(collection(crd, "v1beta1"), foo)
    assert (foo["unspecified"], foo["alpha"], foo["beta"]) == ("bar", "abc", 42)
    assert foo["pruning"] == {"pruning": {}, "preserving": inner}
    assert foo["preserving"] == {**value, "pruning": {}}


def test_embedded_resources_are_pruned_as_their_schema_says(api, group, made):
    pruning = {**EMBEDDED, "properties": {"specified": TEXT}}
    nested = {**KEPT, "properties": {"embeddedPruning": pruning}}
    fields = {"embeddedPruning": pruning, "embeddedPreserving": KEPT, "embeddedNested": nested}
    crd = foos(group, {"type": "object", "properties": fields})
    made(crd)
    identity = {"apiVersion": "foo/v1", "kind": "Foo", "metadata": {"name": "foo"}}
    rough = {**identity, "metadata": {"name": "foo", "unspecified": "bar"}, "unspecified": "bar"}
    sent = {
        "embeddedPruning": {**rough, "specified": "bar"},
        "embeddedPreserving": rough,
        "embeddedNested": {**rough, "embeddedPruning": {**rough, "specified": "bar"}},
    }
    foo = api.create(collection(crd, "v1beta1"), custom(crd, "v1beta1", "foo", **sent))
    pruned, kept = {**identity, "specified": "bar"}, {**identity, "unspecified": "bar"}
    assert {name: foo[name] for name in fields} == {
        "embeddedPruning": pruned,
        "embeddedPreserving": kept,
        "embeddedNested": {**kept, "embeddedPruning": pruned},
    }


# Metadata ---------------------------------------------------------------------------------------------------------


def test_metadata_are_of_their_types(api, group, namespace, made):
    crd = noxu(group)
    made(crd)
    path = collection(crd, "v1beta1", namespace)
    obj = custom(crd, "v1beta1", "foo")
    obj["metadata"] |= {"unknown": 42, "generation": None, "labels": {"foo": 42, "bar": "abc"}}
    refused = api.refusal("POST", path, obj)
    assert (refused.code, refused.reason) == (400, "BadRequest")
    assert "cannot be handled" in refused.message
    obj["metadata"]["labels"] = {"bar": "abc"}
    obj = api.create(path, obj)
    assert ("unknown" in obj["metadata"], obj["metadata"]["generation"]) == (False, 1)


INNER = {"apiVersion": "foo/v1", "kind": "Foo", "metadata": {"name": "foo", "unspecified": "bar"}}
CLEAN = {**INNER, "metadata": {"name": "foo"}}
POD = {"apiVersion": "v1", "kind": "Pod", "labels": {"foo": "bar"}}
BAD = {"apiVersion": "foo/v1", "kind": "%", "metadata": {"name": ".."}}


def test_metadata_of_embedded_resources_are_metadata(api, group, made):
    fields = {"embedded": KEPT, "noEmbeddedObject": KEEPS, "defaults": {**KEPT, "default": POD}}
    fields["embeddedNested"] = {**KEPT, "properties": {"embedded": KEPT}}
    crd = foos(group, {"type": "object", "properties": fields})
    made(crd)
    path = collection(crd, "v1beta1")
    sent = {"embedded": INNER, "noEmbeddedObject": INNER, "embeddedNested": {**INNER, "embedded": INNER}}
    foo = api.create(path, custom(crd, "v1beta1", "foo", **sent))
    assert {name: foo[name] for name in fields} == {
        "embedded": CLEAN,
        "noEmbeddedObject": INNER,
        "embeddedNested": {**CLEAN, "embedded": CLEAN},
        "defaults": POD,
    }
    typed = {**CLEAN, "metadata": {"name": "instance", "namespace": 42}}
    refused = api.refusal("POST", path, custom(crd, "v1beta1", "invalid", embedded=typed))
    assert "embedded.metadata: Invalid value" in refused.message
    wrong = {"embedded": BAD, "embeddedNested": {**BAD, "embedded": BAD}}
    obj = custom(crd, "v1beta1", "invalid", **wrong, invalidDefaults={})
    obj["metadata"]["labels"] = {"foo": "x y"}
    created = api.refusal("POST", path, obj)
    valid = api.create(path, custom(crd, "v1beta1", "valid", **sent))
    valid |= wrong
    valid["metadata"]["labels"] = {"foo": "x y"}
    for refused in (created, api.refusal("PUT", f"{path}/valid", valid)):
        assert refused.message.partition(" is invalid: ")[2].startswith(
            '[metadata.labels: Invalid value: "x y"'
        )
        for place in ("embedded", "embeddedNested", "embeddedNested.embedded"):
            assert f' {place}.kind: Invalid value: "%"' in refused.message
            assert f' {place}.metadata.name: Invalid value: ".."' in refused.message


# Values -----------------------------------------------------------------------------------------------------------

VALUES = {
    **OPEN,
    "required": ["alpha", "beta"],
    "properties": {
        "alpha": {**TEXT, "pattern": "^[a-zA-Z0-9_]*$"},
        "beta": {**NUMBER, "minimum": 10},
        "gamma": {**TEXT, "enum": ["foo", "bar", "baz"]},
        "delta": {**TEXT, "maxLength": 5},
        "number": {**NUMBER, "anyOf": [{"minimum": 20, "exclusiveMinimum": True}, {"maximum": 10}]},
    },
}
RIGHT = {"alpha": "foo_123", "beta": 10, "gamma": "bar", "delta": "hello"}
WRONG = {
    "alpha": ("foo_123!", "alpha: Invalid value: \"foo_123!\": alpha in body should match '^[a-zA-Z0-9_]*$'"),
    "beta": (5, "beta: Invalid value: 5: beta in body should be greater than or equal to 10"),
    "gamma": ("qux", 'gamma: Unsupported value: "qux": supported values: "foo", "bar", "baz"'),
    "delta": ("foobarbaz", "delta: Too long: may not be more than 5 bytes"),
}


def test_values_are_refused_in_upstreams_words(api, group, namespace, made):
    crd = noxu(group, version("v1beta1", VALUES), version("v1", VALUES, storage=False))
    made(crd)
    for name in ("v1beta1", "v1"):
        path = collection(crd, name, namespace)
        for key, (value, message) in WRONG.items():
            refused = api.refusal("POST", path, custom(crd, name, "foo", **{**RIGHT, key: value}))
            assert refused.message == f'WishIHadChosenNoxu.{group} "foo" is invalid: {message}'
        refused = api.refusal("POST", path, custom(crd, name, "foo", gamma="bar", delta="hello"))
        assert refused.message == (
            f'WishIHadChosenNoxu.{group} "foo" is invalid: [alpha: Required value, beta: Required value]'
        )
        foo = api.create(path, custom(crd, name, "foo", **RIGHT))
        del foo["alpha"], foo["beta"]
        assert api.refusal("PUT", f"{path}/foo", foo).code == 422
        api.delete(f"{path}/foo")


def test_another_kind_or_version_is_refused(api, group, namespace, made):
    crd = noxu(group)
    made(crd)
    path = collection(crd, "v1beta1", namespace)
    refused = api.refusal("POST", path, custom(crd, "v2", "foo"))
    assert refused.message == (
        f"the API version in the data ({group}/v2) does not match the expected API version ({group}/v1beta1)"
    )
    refused = api.refusal("POST", path, {**custom(crd, "v1beta1", "foo"), "kind": "SomethingElse"})
    assert refused.message == (
        f'SomethingElse.{group} "foo" is invalid: kind: Invalid value: "SomethingElse": must be WishIHadChosenNoxu'
    )


def test_what_a_looser_schema_takes_is_taken(api, group, namespace, made):
    strict = {**VALUES, "required": ["alpha", "beta", "epsilon"]}
    crd = noxu(group, version("v1beta1", strict))
    path = made(crd)
    place, foo = collection(crd, "v1beta1", namespace), custom(crd, "v1beta1", "foo", **RIGHT)
    assert api.refusal("POST", place, foo).code == 422
    api.patch(path, {"spec": {"versions": [version("v1beta1", VALUES)]}})
    eventually(lambda: api.send("POST", place, foo).code == 201, "the looser schema")


FORBIDDEN = {
    "additionalProperties": (
        {"properties": {"zeta": {**FOO, "additionalProperties": False}}},
        "additionalProperties: Forbidden: additionalProperties and properties are mutual exclusive",
    ),
    "uniqueItems": (
        {"properties": {"zeta": {"type": "array", "items": TEXT, "uniqueItems": True}}},
        "uniqueItems: Forbidden: uniqueItems cannot be set to true since the runtime complexity becomes quadratic",
    ),
    "$ref": ({"$ref": "#/definition/zeta"}, "$ref: Forbidden: $ref is not supported"),
}


@pytest.mark.parametrize("name", FORBIDDEN)
def test_a_schema_has_no_such_fields(api, group, name):
    fields, message = FORBIDDEN[name]
    refused = api.refusal("POST", DEFINITIONS, noxu(group, version("v1beta1", {**OPEN, **fields})))
    assert message in refused.message


# Rules ------------------------------------------------------------------------------------------------------------


def ruled(schema, *rules):
    return {**schema, "x-kubernetes-validations": [{"rule": rule} for rule in rules]}


def pairs(**more):
    fields = {"k": {**TEXT, **more.pop("text", {})}, "v": {**TEXT, **more.pop("text2", {})}}
    items = {"type": "object", "properties": fields, "required": more.pop("required", ["k"])}
    return {
        "type": "array",
        "items": {**items, **more.pop("items", {})},
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["k"],
        **more,
    }


def validated(extra, floats, assoc):
    spec = {
        "x": {**INTEGER, "default": 0},
        "y": {**INTEGER, "default": 0},
        "extra": ruled({**TEXT, **extra}, "self.startsWith('anything')"),
        "floatMap": ruled(
            {"type": "object", "additionalProperties": NUMBER, **floats}, "self.all(k, self[k] >= 0.2)"
        ),
        "assocList": ruled(assoc, "self.exists(e, e.k == 'a' && e.v == '1')"),
        "limit": ruled(
            {"nullable": True, "x-kubernetes-int-or-string": True}, "type(self) == int && self == 123"
        ),
    }
    status = {"type": "object", "properties": {"z": {**INTEGER, "default": 0}}}
    schema = {
        "type": "object",
        "properties": {"spec": {"type": "object", "properties": spec}, "status": status},
    }
    return ruled(schema, "self.spec.x + self.spec.y >= (has(self.status) ? self.status.z : 0)")


SHORT = {"maxLength": 3}
VALIDATED = validated({}, {}, pairs(maxItems=10, items={"maxProperties": 12}, text=SHORT, text2=SHORT))
BLOCKED = validated(
    {"maxLength": 0}, {"maxProperties": 2}, pairs(maxItems=1, items={"maxItems": 1}, required=["k", "v"])
)
SUM = "failed rule: self.spec.x + self.spec.y"
FLOATS = {"key1": 0.2, "key2": 0.3}


def test_rules_are_kept_by_objects_and_by_their_status(api, group, made):
    crd = definition(group, version("v1beta1", VALIDATED, **STATUS), kind="Structural", scope="Cluster")
    made(crd)
    path = collection(crd, "v1beta1")
    api.create(path, custom(crd, "v1beta1", "first", spec={"x": 2, "y": 2, "limit": 123}))
    refused = api.refusal("POST", path, custom(crd, "v1beta1", "second", spec={"x": -1, "y": 0}))
    assert SUM in refused.message
    spec = {"x": 2, "y": 2, "extra": "anything?", "floatMap": FLOATS, "limit": None}
    spec["assocList"] = [{"k": "a", "v": "1"}]
    obj = api.create(path, custom(crd, "v1beta1", "second", spec=spec))
    for wrong in (
        {"x": 3, "y": -4},
        {"extra": "something"},
        {"floatMap": {"key1": 0.1, "key2": 0.2}},
        {"assocList": [{"k": "a", "v": "2"}]},
    ):
        assert "failed rule" in api.refusal("PUT", f"{path}/second", {**obj, "spec": wrong}).message
    refused = api.refusal("PUT", f"{path}/second/status", {**obj, "status": {"z": 5}})
    assert SUM in refused.message
    assert api.update(f"{path}/second/status", {**obj, "status": {"z": 3}})["status"] == {"z": 3}


BLOCKING = {
    "lengths": {"extra": "skipValidation?", "floatMap": FLOATS},
    "numbers of elements": {"floatMap": FLOATS, "assocList": [{"k": "a", "v": "1"}, {"a": "a"}]},
    "numbers of fields": {"floatMap": {**FLOATS, "key3": 0.4}, "assocList": [{"k": "a", "v": "1"}]},
    "missing fields": {"floatMap": FLOATS, "assocList": [{"k": "1"}]},
    "types": {"floatMap": FLOATS, "assocList": [{"k": "a", "v": True}]},
}


def test_rules_are_not_asked_about_what_is_wrong_otherwise(api, group, made):
    crd = definition(group, version("v1beta1", BLOCKED, **STATUS), kind="Structural", scope="Cluster")
    made(crd)
    path = collection(crd, "v1beta1")
    api.create(path, custom(crd, "v1beta1", "first", spec={"x": 2, "y": 2, "limit": 123}))
    refused = api.refusal("POST", path, custom(crd, "v1beta1", "second", spec={"x": -1, "y": 0}))
    assert SUM in refused.message
    for spec in BLOCKING.values():
        obj = custom(crd, "v1beta1", "second", spec={"x": 2, "y": 2, "limit": None, **spec})
        refused = api.refusal("POST", path, obj)
        assert refused.message.endswith(
            "<nil>: Invalid value: null: some validation rules were not checked because the object was invalid; "
            "correct the existing errors to complete validation]"
        )


def with_metadata(rule):
    fields = {"metadata": {"type": "object", "properties": {"name": TEXT}}, "spec": OBJECT, "status": OBJECT}
    return ruled({"type": "object", "properties": fields}, rule)


def test_rules_see_the_name_and_nothing_else_of_metadata(api, group, made):
    crd = foos(group, with_metadata("self.metadata.labels.size() > 0"))
    assert "undefined field 'labels'" in api.refusal("POST", DEFINITIONS, crd).message
    crd = foos(group, with_metadata("self.metadata.name.size() > 3"))
    made(crd)
    path = collection(crd, "v1beta1")
    assert "failed rule" in api.refusal("POST", path, custom(crd, "v1beta1", "foo")).message
    api.create(path, custom(crd, "v1beta1", "fool"))


def of_spec(spec):
    return {"type": "object", "properties": {"spec": spec, "status": OBJECT}}


def test_transitions_are_judged_where_there_is_an_old_value(api, group, made):
    fields = {"someImmutableThing": TEXT, "somethingElse": TEXT}
    rule = "self.someImmutableThing == oldSelf.someImmutableThing"
    crd = foos(group, of_spec(ruled({"type": "object", "properties": fields}, rule)))
    made(crd)
    path = collection(crd, "v1beta1")
    obj = api.create(path, custom(crd, "v1beta1", "foo", spec=dict.fromkeys(fields, "original")))
    obj["spec"]["somethingElse"] = "new value"
    obj = api.update(f"{path}/foo", obj)
    obj["spec"]["someImmutableThing"] = "new value"
    assert f"failed rule: {rule}" in api.refusal("PUT", f"{path}/foo", obj).message


def test_an_old_value_that_cannot_be_found_is_not_spoken_of(api, group):
    items = {"type": "array", "items": ruled(TEXT, "self == oldSelf")}
    crd = foos(group, of_spec({"type": "object", "properties": {"list": items}}))
    refused = api.refusal("POST", DEFINITIONS, crd)
    assert "oldSelf cannot be used on the uncorrelatable portion of the schema" in refused.message


def test_elements_are_found_by_keys_that_are_defaults(api, group, made):
    fields = {"k1": TEXT, "k2": {**TEXT, "default": "DEFAULT"}, "v": {**TEXT, "maxLength": 200}}
    item = ruled({"type": "object", "properties": fields, "required": ["k1"]}, "self.v == oldSelf.v")
    keyed = {"type": "array", "maxItems": 100, "items": item, "x-kubernetes-list-type": "map"}
    keyed["x-kubernetes-list-map-keys"] = ["k1", "k2"]
    crd = foos(group, of_spec({"type": "object", "properties": {"list": keyed}}))
    made(crd)
    path = collection(crd, "v1beta1")
    obj = api.create(path, custom(crd, "v1beta1", "foo", spec={"list": [{"k1": "x", "v": "value"}]}))
    obj["spec"]["list"] = [{"k1": "x", "k2": "DEFAULT", "v": "new value"}]
    assert "failed rule: self.v == oldSelf.v" in api.refusal("PUT", f"{path}/foo", obj).message


# Applying ---------------------------------------------------------------------------------------------------------

PORTS = {
    "type": "array",
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["containerPort", "protocol"],
    "items": {
        "type": "object",
        "required": ["containerPort", "protocol"],
        "properties": {
            "containerPort": {**INTEGER, "format": "int32"},
            "hostIP": TEXT,
            "hostPort": {**INTEGER, "format": "int32"},
            "name": TEXT,
            "protocol": TEXT,
        },
    },
}
CRON = {
    "cronSpec": {**TEXT, "pattern": r"^(\d+|\*)(/\d+)?(\s+(\d+|\*)(/\d+)?){4}$"},
    "knownField1": TEXT,
    "ports": PORTS,
}


def crons(**more):
    return {"type": "object", "properties": {"spec": {"type": "object", "properties": CRON, **more}}}


def test_custom_objects_are_applied_by_several(api, group, made):
    crd = noxu(group, version("v1beta1", crons(**KEEPS)), scope="Cluster")
    made(crd)
    path = f"{collection(crd, 'v1beta1')}/mytest"

    def apply(spec, manager="apply_test", finalizers=(), **query):
        body = custom(crd, "v1beta1", "mytest", spec=spec)
        if finalizers:
            body["metadata"]["finalizers"] = list(finalizers)
        data = yaml.safe_dump(body).encode()
        return api.send("PATCH", path, data, content_type=APPLY, query={"fieldManager": manager, **query})

    def port(name, number):
        return {"name": name, "containerPort": number, "protocol": "TCP"}

    spec = {"cronSpec": "* * * * */5", "replicas": 1, "ports": [port("x", 80)]}
    obj = apply(spec, finalizers=["test-finalizer"]).object
    assert (obj["metadata"]["finalizers"], obj["spec"]) == (["test-finalizer"], spec)
    api.patch(path, {"metadata": {"finalizers": ["test-finalizer", "another-one"]}})
    obj = apply(spec, finalizers=["test-finalizer"]).object
    assert obj["metadata"]["finalizers"] == ["test-finalizer", "another-one"]
    assert api.patch(path, {"spec": {"replicas": 5}})["spec"]["replicas"] == 5
    answer = apply(spec, finalizers=["test-finalizer"])
    assert (answer.code, len(answer.object["details"]["causes"])) == (409, 1)
    assert apply(spec, finalizers=["test-finalizer"], force="true").object["spec"]["replicas"] == 1
    answer = apply({"ports": [port("y", 80)]}, "apply_test_2")
    assert (answer.code, len(answer.object["details"]["causes"])) == (409, 1)
    assert len(apply({"ports": [port("y", 8080)]}, "apply_test_2").object["spec"]["ports"]) == 2
    missing = f"{collection(crd, 'v1beta1')}/should-not-exist"
    obj = custom(crd, "v1beta1", "should-not-exist", spec=spec, protocol="TCP")
    assert api.refusal("PUT", missing, obj, query={"fieldManager": "apply_test"}).code == 404
    api.patch(path, {"metadata": {"finalizers": None}})


def test_an_open_schema_is_applied_field_by_field(api, group, made):
    crd = noxu(group, scope="Cluster")
    made(crd)
    path = f"{collection(crd, 'v1beta1')}/mytest"
    body = json.dumps(
        custom(crd, "v1beta1", "mytest", values={"numVal": 1, "boolVal": True, "stringVal": "1"})
    )

    def apply(**query):
        query = {"fieldManager": "apply_test", **query}
        return api.send("PATCH", path, body.encode(), content_type=APPLY, query=query)

    assert apply().code == 201
    api.patch(path, {"values": {"numVal": 5}})
    answer = apply()
    assert (answer.code, [one["field"] for one in answer.object["details"]["causes"]]) == (
        409,
        [".values.numVal"],
    )
    assert apply(force="true").object["values"]["numVal"] == 1


# Fields that are unknown or stand twice ---------------------------------------------------------------------------

INVALID_JSON = """{
  "apiVersion": "%s", "kind": "%s", "metadata": {"name": "%s", "resourceVersion": "%s"},
  "spec": {
    "unknown1": "val1", "unknownDupe": "valDupe", "unknownDupe": "valDupe2",
    "knownField1": "val1", "knownField1": "val2",
    "ports": [{"name": "portName", "containerPort": 8080, "protocol": "TCP",
               "hostPort": 8081, "hostPort": 8082, "unknownNested": "val"}]
  }
}"""
INVALID_YAML = """
apiVersion: "%s"
kind: "%s"
metadata:
  name: "%s"
  resourceVersion: "%s"
spec:
  unknown1: val1
  unknownDupe: valDupe
  unknownDupe: valDupe2
  knownField1: val1
  knownField1: val2
  ports:
  - name: portName
    containerPort: 8080
    protocol: TCP
    hostPort: 8081
    hostPort: 8082
    unknownNested: val"""
TWICE = [f'duplicate field "spec.{name}"' for name in ("unknownDupe", "knownField1", "ports[0].hostPort")]
UNKNOWN = [f'unknown field "spec.{name}"' for name in ("ports[0].unknownNested", "unknown1", "unknownDupe")]
LINES = [
    'line 10: key "unknownDupe" already set in map',
    'line 12: key "knownField1" already set in map',
    'line 18: key "hostPort" already set in map',
]


@pytest.mark.parametrize("schemaless", [False, True], ids=["by a schema", "without one"])
@pytest.mark.parametrize("kind", [JSON, "application/yaml"])
def test_fields_that_are_unknown_or_stand_twice_are_told_of(api, group, namespace, made, kind, schemaless):
    crd = noxu(group, version("v1", crons(**KEEPS) if schemaless else crons()))
    made(crd)
    path = collection(crd, "v1", namespace)
    api_version, body = f"{group}/v1", INVALID_JSON if kind == JSON else INVALID_YAML
    twice = TWICE if kind == JSON else LINES
    # An element of a list is known whatever is kept beside the list.
    told = twice + ([UNKNOWN[0]] if schemaless else UNKNOWN)

    def send(method, path, name, revision, **query):
        data = (body % (api_version, "WishIHadChosenNoxu", name, revision)).encode()
        return api.send(method, path, data, content_type=kind, query=query)

    for number, (mode, warnings) in enumerate({"Warn": told, "": told, "Ignore": []}.items()):
        answer = send("POST", path, f"foo-{number}", "", **({"fieldValidation": mode} if mode else {}))
        assert (answer.code, answer.warnings) == (201, warnings)
        assert (
            "unknown1" in answer.object["spec"],
            "unknownNested" in answer.object["spec"]["ports"][0],
        ) == (
            schemaless,
            False,
        )
        revision = answer.object["metadata"]["resourceVersion"]
        answer = send(
            "PUT", f"{path}/foo-{number}", f"foo-{number}", revision, fieldValidation=mode or "Warn"
        )
        assert (answer.code, answer.warnings) == (200, warnings)
    answer = send("POST", path, "strict", "", fieldValidation="Strict")
    assert answer.code == 400
    repeated = ", ".join(twice) if kind == JSON else "\n  ".join(["yaml: unmarshal errors:", *twice])
    assert answer.object["message"] == (
        'WishIHadChosenNoxu in version "v1" cannot be handled as a WishIHadChosenNoxu: strict decoding error: '
        + ", ".join([repeated, *told[len(twice) :]])
    )


PATCH = """{"spec": {"unknown1": "val1", "unknownDupe": "valDupe", "unknownDupe": "valDupe2",
  "knownField1": "val1", "knownField1": "val2",
  "ports": [{"name": "portName", "containerPort": 8080, "protocol": "TCP", "hostPort": 8081, "hostPort": 8082,
             "unknownNested": "val"}]}}"""
JSON_PATCH_BODY = """[
  {"op": "add", "path": "/spec/unknown1", "value": "val1", "foo": "bar"},
  {"op": "add", "path": "/spec/unknownDupe", "value": "valDupe"},
  {"op": "add", "path": "/spec/unknownDupe", "value": "valDupe2"},
  {"op": "add", "path": "/spec/knownField1", "value": "val1"},
  {"op": "add", "path": "/spec/knownField1", "value": "val2"},
  {"op": "add", "path": "/spec/ports/0/name", "value": "portName"},
  {"op": "add", "path": "/spec/ports/0/unknownNested", "value": "val"}
]"""


def test_patches_tell_of_them_too(api, group, namespace, made):
    crd = noxu(group, version("v1", crons()))
    made(crd)
    path = collection(crd, "v1", namespace)
    api.create(path, custom(crd, "v1", "foo", spec={"ports": [{"containerPort": 8080, "protocol": "TCP"}]}))
    foo = f"{path}/foo"
    answer = api.send("PATCH", foo, PATCH.encode(), content_type=MERGE, query={"fieldValidation": "Strict"})
    assert answer.code == 422
    for told in TWICE + UNKNOWN:
        assert told in answer.object["message"]
    answer = api.send("PATCH", foo, PATCH.encode(), content_type=MERGE)
    assert (answer.code, answer.warnings) == (200, TWICE + UNKNOWN)
    answer = api.send("PATCH", foo, PATCH.encode(), content_type=MERGE, query={"fieldValidation": "Ignore"})
    assert (answer.code, answer.warnings) == (200, [])
    kind, body = "application/json-patch+json", JSON_PATCH_BODY.encode()
    answer = api.send("PATCH", foo, body, content_type=kind)
    assert answer.code == 200
    assert answer.warnings == ['json patch unknown field "[0].foo"', *UNKNOWN]
    answer = api.send("PATCH", foo, body, content_type=kind, query={"fieldValidation": "Strict"})
    assert answer.code == 422
    assert all(told in answer.object["message"] for told in ('json patch unknown field "[0].foo"', *UNKNOWN))


def test_applies_tell_of_what_stands_twice_and_refuse_what_is_unknown(api, group, namespace, made):
    crd = noxu(group, version("v1", crons()))
    made(crd)
    path = f"{collection(crd, 'v1', namespace)}/foo"
    head = f'"apiVersion": "{group}/v1", "kind": "WishIHadChosenNoxu", "metadata": {{"name": "foo"}}'
    body = f"""
{{
    {head},
    "spec": {{
        "knownField1": "val1",
        "knownField1": "val2",
        "ports": [{{
            "name": "portName",
            "containerPort": 8080,
            "protocol": "TCP",
            "hostPort": 8081,
            "hostPort": 8082
        }}]
    }}
}}"""

    def apply(data, **query):
        query = {"fieldManager": "mgr", **query}
        return api.send("PATCH", path, data.encode(), content_type=APPLY, query=query)

    lines = ['line 6: key "knownField1" already set in map', 'line 12: key "hostPort" already set in map']
    answer = apply(body, fieldValidation="Strict")
    assert (answer.code, answer.object["message"]) == (
        400,
        "error strict decoding YAML: error converting YAML to JSON: yaml: unmarshal errors:\n  "
        + "\n  ".join(lines),
    )
    answer = apply(body)
    assert (answer.code, answer.warnings) == (201, lines)
    answer = apply(body)
    assert (answer.code, answer.warnings) == (200, lines)
    assert apply(body, fieldValidation="Ignore").warnings == []
    answer = apply(f'{{{head}, "spec": {{"unknown": 1}}}}')
    assert answer.code == 500
    assert ".spec.unknown: field not declared in schema" in answer.object["message"]


DEPLOYMENT_JSON = """{
  "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "%s", "labels": {"app": "nginx"}},
  "spec": {
    "unknown1": "val1", "unknownDupe": "valDupe", "unknownDupe": "valDupe2", "paused": true, "paused": false,
    "selector": {"matchLabels": {"app": "nginx"}},
    "template": {
      "metadata": {"labels": {"app": "nginx"}},
      "spec": {"containers": [{"name": "nginx", "image": "nginx:latest", "unknownNested": "val1",
                               "imagePullPolicy": "Always", "imagePullPolicy": "Never"}]}
    }
  }
}"""
DEPLOYMENT_YAML = """apiVersion: apps/v1
kind: Deployment
metadata:
  name: %s
  labels:
    app: nginx
spec:
  unknown1: val1
  unknownDupe: valDupe
  unknownDupe: valDupe2
  paused: true
  paused: false
  selector:
    matchLabels:
      app: nginx
  template:
    metadata:
      labels:
        app: nginx
    spec:
      containers:
      - name: nginx
        image: nginx:latest
        unknownNested: val1
        imagePullPolicy: Always
        imagePullPolicy: Never"""
CONTAINER = "spec.template.spec.containers[0]"
DEPLOYMENT_UNKNOWN = [
    f'unknown field "{CONTAINER}.unknownNested"',
    'unknown field "spec.unknown1"',
    'unknown field "spec.unknownDupe"',
]
DEPLOYMENT_TOLD = {
    JSON: [
        'unknown field "spec.unknown1"',
        'unknown field "spec.unknownDupe"',
        'duplicate field "spec.paused"',
        f'unknown field "{CONTAINER}.unknownNested"',
        f'duplicate field "{CONTAINER}.imagePullPolicy"',
    ],
    "application/yaml": [
        'line 10: key "unknownDupe" already set in map',
        'line 12: key "paused" already set in map',
        'line 26: key "imagePullPolicy" already set in map',
        *DEPLOYMENT_UNKNOWN,
    ],
}


@pytest.mark.parametrize("kind", DEPLOYMENT_TOLD)
def test_built_in_kinds_tell_of_them_in_the_order_of_the_text_or_of_the_names(api, apps, kind):
    body = DEPLOYMENT_JSON if kind == JSON else DEPLOYMENT_YAML
    answer = api.send("POST", f"{apps}/deployments", (body % "told").encode(), content_type=kind)
    assert (answer.code, answer.warnings) == (201, DEPLOYMENT_TOLD[kind])
    answer = api.send("PUT", f"{apps}/deployments/told", (body % "told").encode(), content_type=kind)
    assert (answer.code, answer.warnings) == (200, DEPLOYMENT_TOLD[kind])
    answer = api.send(
        "POST",
        f"{apps}/deployments",
        (body % "x").encode(),
        content_type=kind,
        query={"fieldValidation": "Strict"},
    )
    assert answer.code == 400
    assert all(told in answer.object["message"] for told in DEPLOYMENT_TOLD[kind])


def test_patches_of_built_in_kinds_tell_of_them_in_the_order_of_the_names(api, apps):
    body = (DEPLOYMENT_JSON % "patched").encode()
    api.send("POST", f"{apps}/deployments", body, query={"fieldValidation": "Ignore"})
    twice = [
        f'duplicate field "{name}"'
        for name in ("spec.unknownDupe", "spec.paused", f"{CONTAINER}.imagePullPolicy")
    ]
    for kind in (MERGE, STRATEGIC):
        answer = api.send("PATCH", f"{apps}/deployments/patched", body, content_type=kind)
        assert (answer.code, answer.warnings) == (200, [*twice, *DEPLOYMENT_UNKNOWN]), kind

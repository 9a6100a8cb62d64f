"""What the schema says of fields: types, how lists and maps merge, what upstream holds by value."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from mamekube.objects import schema
from mamekube.objects.schema import builtin_schema, definitions, schema_from_crd

POD = builtin_schema("io.k8s.api.core.v1.Pod")
CONTAINER = "io.k8s.api.core.v1.Container"


def field(of: schema.Schema, *path: str) -> schema.Schema:
    for name in path:
        of = of.element if name == "[]" else of.fields[name]
    return of


def test_every_definition_of_the_version_is_there_and_can_be_built() -> None:
    assert len(definitions()) == 771
    for name in definitions():
        found = builtin_schema(name)
        assert found.type in {*schema.SCALARS, schema.OBJECT, schema.ANY}, name
        for prop in found.fields.values():
            assert prop.go_type


def test_an_unknown_definition_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        builtin_schema("io.k8s.api.core.v1.Nothing")


@pytest.mark.parametrize(
    ("path", "kind", "go_type"),
    [
        (("spec",), schema.OBJECT, "v1.PodSpec"),
        (("spec", "containers"), schema.LIST, "[]v1.Container"),
        (("metadata", "labels"), schema.MAP, "map[string]string"),
        (("metadata", "creationTimestamp"), schema.TIME, "v1.Time"),
        (("metadata", "generation"), schema.INT64, "int64"),
        (("spec", "priority"), schema.INT32, "int32"),
        (("spec", "hostNetwork"), schema.BOOL, "bool"),
        (("spec", "overhead", "[]"), schema.QUANTITY, "resource.Quantity"),
        (
            ("spec", "containers", "[]", "livenessProbe", "httpGet", "port"),
            schema.INT_OR_STRING,
            "intstr.IntOrString",
        ),
        (("metadata", "managedFields", "[]", "fieldsV1"), schema.ANY, "v1.FieldsV1"),
    ],
)
def test_fields_have_the_types_of_go(path: tuple[str, ...], kind: str, go_type: str) -> None:
    found = field(POD, *path)
    assert (found.type, found.go_type) == (kind, go_type)


def test_lists_and_structs_say_how_they_merge() -> None:
    ports = field(POD, "spec", "containers", "[]", "ports")
    assert (ports.list_type, ports.keys) == ("map", ("containerPort", "protocol"))
    assert (ports.strategy, ports.merge_key) == ("merge", "containerPort")
    assert ports.element.fields["protocol"].default == "TCP"
    assert field(POD, "spec", "tolerations").atomic
    assert field(POD, "metadata", "finalizers").list_type == "set"
    volumes = field(POD, "spec", "volumes")
    assert volumes.retain_keys and volumes.strategy == "merge"
    deployment = builtin_schema("io.k8s.api.apps.v1.Deployment")
    assert field(deployment, "spec", "strategy").retain_keys
    assert field(deployment, "spec", "selector").atomic
    assert field(deployment, "spec", "template").by_value
    assert not field(deployment, "spec", "strategy", "rollingUpdate").by_value


def test_the_place_of_a_type_does_not_change_the_type() -> None:
    assert not builtin_schema("io.k8s.api.apps.v1.DeploymentStrategy").retain_keys


def test_a_custom_schema_says_what_its_structural_schema_does() -> None:
    found = schema_from_crd(
        {
            "type": "object",
            "properties": {
                "spec": {
                    "type": "object",
                    "properties": {
                        "ports": {
                            "type": "array",
                            "x-kubernetes-list-type": "map",
                            "x-kubernetes-list-map-keys": ["port"],
                            "items": {
                                "type": "object",
                                "properties": {"port": {"type": "integer", "default": 80}},
                            },
                        },
                        "free": {"x-kubernetes-preserve-unknown-fields": True, "type": "object"},
                        "names": {"type": "object", "additionalProperties": {"type": "string"}},
                        "either": {"x-kubernetes-int-or-string": True},
                    },
                }
            },
        }
    )
    spec = found.fields["spec"]
    assert found.fields["metadata"].name == schema.OBJECT_META
    assert spec.fields["ports"].keys == ("port",)
    assert spec.fields["ports"].element.fields["port"].default == 80
    assert spec.fields["free"].child("anything") is schema.UNTYPED
    assert spec.child("anything") is None
    assert spec.fields["names"].child("anything") is spec.fields["names"].element
    assert spec.fields["either"].type == schema.INT_OR_STRING


def test_a_type_is_whole_for_who_asks_while_another_thread_works_it_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reached, asked, build = threading.Event(), threading.Event(), schema._property_schema

    def slow(rules: dict[str, Any]) -> schema.Schema:
        if threading.current_thread() is not threading.main_thread():
            reached.set()
            assert asked.wait(10)
        return build(rules)

    monkeypatch.setattr(schema, "_property_schema", slow)
    original = builtin_schema.__wrapped__(CONTAINER)
    other = threading.Thread(target=lambda: original.fields)
    other.start()
    assert reached.wait(10)
    seen = set(original.placed().fields)
    asked.set()
    other.join()
    assert seen == set(original.fields) == set(builtin_schema(CONTAINER).fields)


def test_a_type_whose_working_out_was_given_up_is_worked_out_again(monkeypatch: pytest.MonkeyPatch) -> None:
    found = builtin_schema.__wrapped__(CONTAINER)
    with monkeypatch.context() as given_up:
        given_up.setattr(schema, "_property_schema", lambda rules: next(iter(())))
        with pytest.raises(StopIteration):
            assert found.fields
    assert "image" in found.fields

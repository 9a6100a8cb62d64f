"""Strict decoding: what is refused, warned of, dropped and let through, in the words of upstream's decoder."""

from __future__ import annotations

import copy
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mamekube.apiserver.formats import fieldvalidation
from mamekube.apiserver.formats.fieldvalidation import IGNORE, STRICT, WARN, check, check_patched, decode
from mamekube.kinds.kind import Kind
from mamekube.kinds.registry import builtin_registry
from mamekube.objects.status import StatusError

REGISTRY = builtin_registry()


def kind(group: str, version: str, plural: str) -> Kind:
    found = REGISTRY.find(group, version, plural)
    assert found is not None
    return found


POD = kind("", "v1", "pods")
SECRET = kind("", "v1", "secrets")
DEPLOYMENT = kind("apps", "v1", "deployments")
CUSTOM = Kind(
    group="x.io",
    version="v1",
    plural="things",
    singular="thing",
    kind="Thing",
    schema={
        "type": "object",
        "properties": {
            "spec": {
                "type": "object",
                "properties": {
                    "size": {"type": "integer"},
                    "note": {"type": "string", "nullable": True},
                    "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                },
            }
        },
    },
)


def deployment(**spec: Any) -> dict[str, Any]:
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}, "spec": spec}


def pod(**container: Any) -> dict[str, Any]:
    spec = {"containers": [{"name": "c", **container}]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec}


def refusal(value: Any, of: Kind, mode: str = STRICT) -> str:
    body = value if isinstance(value, bytes) else orjson.dumps(value)
    with pytest.raises(StatusError) as caught:
        decode(body, of, mode=mode)
    assert (caught.value.code, caught.value.reason) == (400, "BadRequest")
    return caught.value.message


def test_an_object_in_which_all_is_well_comes_through_as_it_is() -> None:
    whole = pod(
        image="nginx",
        resources={"limits": {"cpu": "500m", "memory": 1024}},
        ports=[{"containerPort": 80}],
        livenessProbe={"httpGet": {"port": "http"}},
    )
    assert decode(orjson.dumps(whole), POD, mode=STRICT) == (whole, [])


def test_unknown_fields_are_refused_warned_of_or_dropped_and_never_kept() -> None:
    body = orjson.dumps(pod(imagee="x") | {"status": {"foo": 1}})
    left = pod() | {"status": {}}
    texts = ['unknown field "spec.containers[0].imagee"', 'unknown field "status.foo"']
    assert refusal(body, POD) == (
        'Pod in version "v1" cannot be handled as a Pod: strict decoding error: ' + ", ".join(texts)
    )
    assert decode(body, POD, mode=WARN) == (left, texts)
    assert decode(body, POD, mode=IGNORE) == (left, [])


def test_repeated_keys_are_named_by_their_path() -> None:
    body = b'{"kind":"Deployment","metadata":{"name":"d"},"spec":{"replicas":1,"paused":true,"replicas":2}}'
    assert refusal(body, DEPLOYMENT).endswith('strict decoding error: duplicate field "spec.replicas"')
    obj, warnings = decode(body, DEPLOYMENT, mode=WARN)
    assert obj["spec"] == {"replicas": 2, "paused": True}
    assert warnings == ['duplicate field "spec.replicas"']
    assert decode(body, DEPLOYMENT, mode=IGNORE)[1] == []


@pytest.mark.parametrize(
    "body",
    [
        b'{"metadata":{"labels":{"a" : "1","a" : "2"}}}',
        b'{"metadata":{"labels":{"a"\n:"1","a"\t:"2"}}}',
        b'{"metadata":{"labels":{"\\u0061":"1","a":"2"}}}',
        b'{"metadata":{"annotations":{"x":"{\\"a\\":1}"},"labels":{"a":"1","a":"2"}}}',
    ],
)
def test_repeated_keys_are_found_however_they_are_written(body: bytes) -> None:
    assert decode(body, POD, mode=WARN)[1] == ['duplicate field "metadata.labels.a"']


def test_colons_and_quotes_in_text_repeat_nothing() -> None:
    text = {"metadata": {"annotations": {"x": '{"a":1,"a":2}', "y": '":":":'}}}
    assert decode(orjson.dumps(text), POD, mode=STRICT)[1] == []


KEYS = st.sampled_from(["a", "b", '":', "\\", "é"])
VALUES = st.recursive(
    st.text(max_size=3) | st.integers(0, 9),
    lambda inner: st.lists(inner, max_size=2) | st.lists(st.tuples(KEYS, inner), max_size=3),
    max_leaves=6,
)


@given(st.lists(st.tuples(KEYS, VALUES), max_size=4), st.booleans())
def test_no_repeated_key_escapes_the_quick_look(pairs: list[Any], loose: bool) -> None:
    """`may_repeat_keys` may err on the safe side only."""
    text, repeats = _render(pairs, " " if loose else "")
    value = orjson.loads(text)
    if repeats:
        assert fieldvalidation.may_repeat_keys(text.encode(), value)


def _render(value: Any, space: str) -> tuple[str, bool]:
    """Pairs as an object, which may repeat keys, and whether any object in it does."""
    if isinstance(value, list) and all(isinstance(item, tuple) for item in value):
        parts = [(orjson.dumps(key).decode(), *_render(item, space)) for key, item in value]
        keys = [key for key, _ in value]
        repeats = len(set(keys)) < len(keys) or any(inner for _, _, inner in parts)
        return "{" + ",".join(f"{key}{space}:{text}" for key, text, _ in parts) + "}", repeats
    if isinstance(value, list):
        items = [_render(item, space) for item in value]
        return "[" + ",".join(text for text, _ in items) + "]", any(inner for _, inner in items)
    return orjson.dumps(value).decode(), False


MISTYPED: list[tuple[Kind, Any, str]] = [
    (
        DEPLOYMENT,
        deployment(replicas="3"),
        "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32",
    ),
    (
        DEPLOYMENT,
        deployment(replicas=1.5),
        "json: cannot unmarshal number 1.5 into Go struct field DeploymentSpec.spec.replicas of type int32",
    ),
    (
        DEPLOYMENT,
        deployment(replicas=2**31),
        "json: cannot unmarshal number 2147483648 into Go struct field DeploymentSpec.spec.replicas of type int32",
    ),
    (
        DEPLOYMENT,
        deployment(paused="yes"),
        "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.paused of type bool",
    ),
    (
        DEPLOYMENT,
        {"spec": []},
        "json: cannot unmarshal array into Go struct field Deployment.spec of type v1.DeploymentSpec",
    ),
    (
        POD,
        {"spec": {"containers": {}}},
        "json: cannot unmarshal object into Go struct field PodSpec.spec.containers of type []v1.Container",
    ),
    (
        POD,
        pod(image=3),
        "json: cannot unmarshal number into Go struct field Container.spec.containers.image of type string",
    ),
    (
        POD,
        {"metadata": {"labels": {"a": 1}}},
        "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type string",
    ),
    (
        POD,
        pod(livenessProbe={"httpGet": {"port": True}}),
        "json: cannot unmarshal bool into Go value of type int32",
    ),
    (POD, pod(resources={"limits": {"cpu": "a lot"}}), fieldvalidation.QUANTITY_PROBLEM),
    (SECRET, {"data": {"a": "!!!"}}, "illegal base64 data at input byte 0"),
    (
        POD,
        {"metadata": {"creationTimestamp": "now"}},
        'parsing time "now" as "2006-01-02T15:04:05Z07:00": cannot parse "now" as "2006"',
    ),
    *(
        (POD, {"metadata": {"creationTimestamp": time}}, f'parsing time "{time}": {part} out of range')
        for time, part in [
            ("2026-13-01T00:00:00Z", "month"),
            ("2026-02-30T00:00:00Z", "day"),
            ("2026-02-03T24:00:00Z", "hour"),
            ("2026-02-03T00:60:00+02:00", "minute"),
            ("2026-02-03T00:00:60Z", "second"),
        ]
    ),
]


@pytest.mark.parametrize(("of", "value", "problem"), MISTYPED)
def test_wrong_types_are_refused_in_every_mode(of: Kind, value: Any, problem: str) -> None:
    for mode in (STRICT, WARN, IGNORE):
        version = of.version
        assert refusal(value, of, mode) == (
            f'{of.kind} in version "{version}" cannot be handled as a {of.kind}: {problem}'
        )


def test_a_wrong_type_outweighs_unknown_fields() -> None:
    assert "unknown field" not in refusal(deployment(foo=1, replicas="3"), DEPLOYMENT)


def test_nulls_are_as_good_as_absent() -> None:
    value = pod(image=None, args=["a", None]) | {"status": None}
    value["metadata"] |= {"creationTimestamp": None, "labels": {"a": None}}
    obj, warnings = decode(orjson.dumps(value), POD, mode=STRICT)
    assert warnings == []
    assert obj == pod(args=["a", ""]) | {"metadata": {"name": "p", "labels": {"a": ""}}}


def test_what_go_omits_while_it_is_empty_is_as_good_as_absent() -> None:
    sent = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p", "labels": {}, "annotations": {"note": ""}},
        "spec": {
            "hostNetwork": False,
            "nodeName": "",
            "tolerations": [],
            "shareProcessNamespace": False,
            "securityContext": {},
            "volumes": [{"name": "v", "emptyDir": {}}, {"name": "w", "projected": {"sources": []}}],
            "containers": [
                {
                    "name": "c",
                    "args": [],
                    "env": [{"name": "E", "value": ""}],
                    "securityContext": {"runAsUser": 0, "privileged": False},
                    "volumeMounts": [{"name": "v", "mountPath": "/v", "readOnly": False}],
                }
            ],
        },
    }
    shown = copy.deepcopy(sent)
    del shown["metadata"]["labels"], shown["spec"]["hostNetwork"], shown["spec"]["nodeName"]
    del shown["spec"]["tolerations"]
    container = shown["spec"]["containers"][0]
    del container["args"], container["env"][0]["value"], container["volumeMounts"][0]["readOnly"]
    assert check(sent, POD, STRICT) == (shown, [])


def test_the_metadata_of_custom_objects_omits_what_is_empty_and_the_rest_of_them_does_not() -> None:
    obj, warnings = check({"metadata": {"name": "t", "labels": {}}, "spec": {"free": {}, "size": 0}}, CUSTOM)
    assert obj == {"metadata": {"name": "t"}, "spec": {"free": {}, "size": 0}}
    assert warnings == []


def test_times_are_kept_in_one_form_whatever_form_they_come_in() -> None:
    for sent in ("2026-02-03T04:05:06Z", "2026-02-03T06:05:06+02:00", "2026-02-03T04:05:06.789+00:00"):
        obj, _ = decode(orjson.dumps({"metadata": {"creationTimestamp": sent}}), POD, mode=STRICT)
        assert obj["metadata"]["creationTimestamp"] == "2026-02-03T04:05:06Z"
    lease = builtin_registry().find("coordination.k8s.io", "v1", "leases")
    assert lease is not None
    for sent in ("2026-02-03T04:05:06.700000Z", "2026-02-03T06:05:06.700000+02:00", "2026-02-03T04:05:06.7Z"):
        obj, _ = decode(orjson.dumps({"spec": {"renewTime": sent}}), lease, mode=STRICT)
        assert obj["spec"]["renewTime"] == "2026-02-03T04:05:06.700000Z"


def test_line_ends_in_base64_are_passed_over() -> None:
    obj, _ = decode(orjson.dumps({"data": {"a": "aGVs\nbG8="}}), SECRET, mode=STRICT)
    assert obj["data"] == {"a": "aGVsbG8="}


def test_what_is_no_object_is_refused() -> None:
    assert refusal(b"[1]", POD).startswith("the object provided is unrecognized (must be of type Pod): ")
    assert "json parse error" in refusal(b'{"a":', POD)


def test_a_body_that_is_too_deep_is_refused_in_time() -> None:
    for depth in (300, 10_001):
        refusal(b'{"spec":' + b"[" * depth + b"]" * depth + b"}", POD)
        refusal(b'{"a":' * depth + b"1" + b"}" * depth, POD)


def test_custom_objects_are_pruned_and_no_more() -> None:
    value = {
        "apiVersion": "x.io/v1",
        "kind": "Thing",
        "metadata": {"name": "t", "foo": 1},
        "spec": {"size": "big", "note": None, "free": {"any": [1]}, "bar": 2},
        "extra": 1,
    }
    obj, warnings = check(copy.deepcopy(value), CUSTOM, WARN)
    assert obj["spec"] == {"size": "big", "note": None, "free": {"any": [1]}}
    assert warnings == [
        'unknown field "metadata.foo"',
        'unknown field "extra"',
        'unknown field "spec.bar"',
    ]


@pytest.mark.parametrize(
    ("spec", "shown", "problem"),
    [
        ({"replicas": "x"}, "map[spec:map[replicas:x]]", "unrecognized type: int32"),
        ({"replicas": 1.5}, "map[spec:map[replicas:1.5]]", "cannot convert float64 to int32"),
        ({"template": "x"}, "map[spec:map[template:x]]", "cannot restore struct from: string"),
        (
            {"template": {"spec": {"containers": "x"}}},
            "map[spec:map[template:map[spec:map[containers:x]]]]",
            "cannot restore slice from string",
        ),
    ],
)
def test_the_result_of_a_strategic_patch_is_refused_as_invalid_and_shows_the_patch(
    spec: dict[str, Any], shown: str, problem: str
) -> None:
    with pytest.raises(StatusError) as caught:
        check_patched(deployment(**spec), DEPLOYMENT, mode=WARN, patch={"spec": spec}, strategic=True)
    assert (caught.value.code, caught.value.reason) == (422, "Invalid")
    assert caught.value.message == f' "" is invalid: patch: Invalid value: "{shown}": {problem}'
    assert caught.value.details["causes"][0]["field"] == "patch"


def test_the_result_of_another_patch_is_refused_as_the_decoder_words_it_and_shows_the_object() -> None:
    with pytest.raises(StatusError) as caught:
        check_patched({"spec": {"replicas": "x"}}, DEPLOYMENT, mode=WARN, patch={"spec": {"replicas": "x"}})
    assert caught.value.message == (
        ' "" is invalid: patch: Invalid value: "{\\"spec\\":{\\"replicas\\":\\"x\\"}}": json: cannot unmarshal string '
        "into Go struct field DeploymentSpec.spec.replicas of type int32"
    )


def test_the_result_of_a_patch_warns_of_unknown_fields_and_drops_them() -> None:
    obj, warnings = check_patched(deployment(foo=1), DEPLOYMENT, mode=WARN, patch={"spec": {"foo": 1}})
    assert obj == deployment()
    assert warnings == ['unknown field "spec.foo"']


def test_a_patch_itself_may_repeat_keys_and_have_unknown_fields() -> None:
    merge = b'{"spec":{"replicas":1,"replicas":2}}'
    assert fieldvalidation.repeated_keys(merge, orjson.loads(merge)) == ['duplicate field "spec.replicas"']
    operations = b'[{"op":"test","op":"add","path":"/a","vlaue":1}]'
    assert fieldvalidation.repeated_keys(operations, orjson.loads(operations)) == [
        'json patch duplicate field "[0].op"',
        'json patch unknown field "[0].vlaue"',
    ]


DEFINITION = kind("apiextensions.k8s.io", "v1", "customresourcedefinitions")


def definition(**schema: Any) -> dict[str, Any]:
    version = {"name": "v1", "schema": {"openAPIV3Schema": {"type": "object", **schema}}}
    return {"kind": "CustomResourceDefinition", "spec": {"versions": [version]}}


WRONG = "into Go struct field JSONSchemaProps"


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        (
            {"items": {"properties": {"x": "y"}}},
            f"json: cannot unmarshal string {WRONG}.properties of type v1.JSONSchemaProps",
        ),
        ({"items": {"type": True}}, f"json: cannot unmarshal bool {WRONG}.type of type string"),
        (
            {"items": [{"required": 5}]},
            f"json: cannot unmarshal number {WRONG}.required of type []string",
        ),
        ({"items": ["x"]}, "json: cannot unmarshal string into Go value of type v1.JSONSchemaProps"),
        ({"additionalProperties": "x"}, "boolean or JSON schema expected"),
        (
            {"additionalProperties": {"items": {"nullable": "x"}}},
            f"json: cannot unmarshal string {WRONG}.nullable of type bool",
        ),
    ],
)
def test_schemas_within_schemas_have_types_too(schema: dict[str, Any], problem: str) -> None:
    with pytest.raises(StatusError) as refused:
        check(definition(**schema), DEFINITION, WARN)
    assert refused.value.code == 400
    assert refused.value.message.endswith(f"cannot be handled as a CustomResourceDefinition: {problem}")


@pytest.mark.parametrize("place", ["items", "additionalProperties"])
def test_unknown_fields_of_schemas_within_schemas_are_dropped_without_a_word(place: str) -> None:
    obj, warnings = check(definition(**{place: {"type": "string", "tpye": "x"}}), DEFINITION, STRICT)
    assert obj == definition(**{place: {"type": "string"}})
    assert warnings == []


@pytest.mark.parametrize(
    "schema", [{"items": {}}, {"items": [{"type": "string"}]}, {"additionalProperties": False}]
)
def test_what_schemas_within_schemas_may_be_stays(schema: dict[str, Any]) -> None:
    assert check(definition(**schema), DEFINITION, STRICT) == (definition(**schema), [])

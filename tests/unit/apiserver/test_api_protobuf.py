"""Protobuf bodies, as kubectl sends them."""

import struct

import orjson
import pytest

from mamekube.apiserver.formats.protobuf import ProtobufError, decode
from mamekube.kinds.registry import builtin_registry

CONFIGMAP = bytes.fromhex(
    "6b3873000a0f0a0276311209436f6e6669674d6170121b0a110a017812001a0022002a00320038004200"
    "12060a01611201621a002200"
)


def field(number: int, value: bytes | int) -> bytes:
    if isinstance(value, int):
        return bytes([number << 3]) + varint(value)
    return bytes([number << 3 | 2]) + varint(len(value)) + value


def varint(value: int) -> bytes:
    parts = []
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*parts, value])


def envelope(api_version: str, kind: str, raw: bytes) -> bytes:
    type_meta = field(1, api_version.encode()) + field(2, kind.encode())
    return b"k8s\x00" + field(1, type_meta) + field(2, raw)


def test_what_kubectl_create_configmap_sends():
    assert decode(CONFIGMAP) == {
        "kind": "ConfigMap",
        "apiVersion": "v1",
        "metadata": {"name": "x"},
        "data": {"a": "b"},
    }


def test_a_pointer_to_zero_is_kept_and_a_plain_zero_is_not():
    spec = field(1, 0) + field(5, 0) + field(7, 0)
    obj = decode(envelope("apps/v1", "Deployment", field(2, spec)))
    assert obj["spec"] == {"replicas": 0}


def test_inline_messages_and_special_types():
    http_get = field(1, b"/") + field(2, field(1, 1) + field(3, b"web"))
    probe = field(1, field(2, http_get)) + field(2, 5)
    limits = field(1, b"cpu") + field(2, field(1, b"500m"))
    container = field(1, b"c") + field(8, field(1, limits)) + field(10, probe)
    volume = field(1, b"v") + field(2, field(2, b""))
    obj = decode(envelope("v1", "Pod", field(2, field(1, volume) + field(2, container))))
    assert obj["spec"] == {
        "volumes": [{"name": "v", "emptyDir": {}}],
        "containers": [
            {
                "name": "c",
                "resources": {"limits": {"cpu": "500m"}},
                "livenessProbe": {"httpGet": {"path": "/", "port": "web"}, "initialDelaySeconds": 5},
            }
        ],
    }


def text(number: int, value: str) -> bytes:
    return field(number, value.encode())


def entry(number: int, key: str, value: bytes) -> bytes:
    return field(number, text(1, key) + field(2, value))


def wide(number: int, value: bytes | int) -> bytes:
    """A field of a number above 15."""
    kind = 0 if isinstance(value, int) else 2
    content = varint(value) if isinstance(value, int) else varint(len(value)) + value
    return varint(number << 3 | kind) + content


def test_a_custom_resource_definition_with_its_schema():
    names = text(1, "foos") + text(2, "") + text(4, "Foo") + text(5, "")
    rule = text(1, "self > 0") + text(3, "'no'")
    number = text(5, "integer") + varint(11 << 3 | 1) + struct.pack("<d", 1.0)
    number += wide(20, field(1, b"1")) + wide(20, field(1, b"2")) + wide(44, rule)
    schema = text(5, "object") + wide(23, b"a")
    for key, value in (
        ("a", number + field(8, field(1, b"2"))),
        ("b", text(5, "array") + wide(24, field(1, text(5, "string"))) + wide(42, b"set")),
        ("c", text(5, "object") + wide(30, field(1, 1))),
        ("d", text(5, "object") + wide(30, field(1, 0) + field(2, wide(38, 1)))),
    ):
        schema += wide(29, text(1, key) + field(2, value))
    version = text(1, "v1") + field(2, 1) + field(3, 0) + field(4, field(1, schema)) + field(5, field(1, b""))
    spec = text(1, "example.com") + field(3, names) + text(4, "Cluster") + field(7, version) + field(10, 0)
    condition = text(1, "") + text(2, "") + field(3, b"") + text(5, "updated")
    raw = field(2, spec) + field(3, field(1, condition) + field(2, names))
    obj = decode(envelope("apiextensions.k8s.io/v1", "CustomResourceDefinition", raw))
    of_a = {"type": "integer", "default": 2, "minimum": 1, "enum": [1, 2]}
    assert obj["spec"] == {
        "group": "example.com",
        "names": {"plural": "foos", "kind": "Foo"},
        "scope": "Cluster",
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": False,
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "required": ["a"],
                        "properties": {
                            "a": {
                                **of_a,
                                "x-kubernetes-validations": [
                                    {"rule": "self > 0", "messageExpression": "'no'"}
                                ],
                            },
                            "b": {
                                "type": "array",
                                "items": {"type": "string"},
                                "x-kubernetes-list-type": "set",
                            },
                            "c": {"type": "object", "additionalProperties": True},
                            "d": {
                                "type": "object",
                                "additionalProperties": {"x-kubernetes-preserve-unknown-fields": True},
                            },
                        },
                    }
                },
                "subresources": {"status": {}},
            }
        ],
    }
    assert orjson.dumps(obj["spec"]).count(b"1.0") == 0
    assert obj["status"]["conditions"] == [{"type": "", "status": "", "message": "updated"}]


def test_kinds_of_other_packages_and_kinds_that_came_late():
    service = text(1, "ns") + text(2, "sample-api") + field(3, 7443)
    spec = field(1, service) + text(2, "example.com") + text(3, "v1") + field(5, b"pem") + field(7, 2000)
    obj = decode(envelope("apiregistration.k8s.io/v1", "APIService", field(2, spec + field(8, 200))))
    assert obj["spec"] == {
        "service": {"namespace": "ns", "name": "sample-api", "port": 7443},
        "group": "example.com",
        "version": "v1",
        "caBundle": "cGVt",
        "groupPriorityMinimum": 2000,
        "versionPriority": 200,
    }
    mutation = text(2, "ApplyConfiguration") + field(3, text(1, "Object{}"))
    spec = field(4, mutation) + text(7, "Never")
    obj = decode(envelope("admissionregistration.k8s.io/v1", "MutatingAdmissionPolicy", field(2, spec)))
    assert obj["spec"] == {
        "mutations": [{"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": "Object{}"}}],
        "reinvocationPolicy": "Never",
    }
    config = text(1, "one") + field(2, field(1, text(1, "dra.example.com") + field(2, field(1, b'{"a":1}'))))
    obj = decode(envelope("resource.k8s.io/v1", "ResourceClaim", field(2, field(1, field(3, config)))))
    assert obj["spec"]["devices"]["config"] == [
        {"requests": ["one"], "opaque": {"driver": "dra.example.com", "parameters": {"a": 1}}}
    ]


def test_a_schema_that_nests_without_end_is_refused():
    schema = b""
    for _ in range(10_001):
        schema = wide(28, schema)
    version = field(4, field(1, schema))
    body = envelope("apiextensions.k8s.io/v1", "CustomResourceDefinition", field(2, field(7, version)))
    with pytest.raises(ProtobufError, match="exceeded max depth"):
        decode(body)


@pytest.mark.parametrize("kind", builtin_registry().all(), ids=lambda kind: f"{kind.plural}.{kind.group}")
def test_every_kind_that_is_served_can_be_sent(kind):
    group_version = f"{kind.group}/{kind.version}" if kind.group else kind.version
    assert decode(envelope(group_version, kind.kind, b""))["kind"] == kind.kind


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        CONFIGMAP[:20],
        CONFIGMAP[:-3],
        envelope("v1", "Nothing", b""),
        envelope("v1", "Pod", b"\xff" * 20),
        envelope("v1", "Pod", field(1, 7)),
        envelope("v1", "ConfigMap", field(2, field(1, b"\xff") + field(2, b"v"))),
        envelope("v1", "ConfigMap", field(1, field(8, b"\x08" + varint(1 << 62)))),
    ],
)
def test_a_body_that_is_none_is_refused(body):
    with pytest.raises(ProtobufError):
        decode(body)


async def test_a_protobuf_body_is_created(web):
    headers = {
        "Content-Type": "application/vnd.kubernetes.protobuf",
        "Accept": "application/vnd.kubernetes.protobuf,application/json",
    }
    answer = await web.send("POST", "/api/v1/namespaces/default/configmaps", CONFIGMAP, headers=headers)
    assert (answer.code, answer.body["data"]) == (201, {"a": "b"})


def test_a_number_of_more_than_64_bits_is_cut_as_go_cuts_it():
    body = envelope("v1", "ReplicationController", field(2, b"\x08" + b"\xff" * 9 + b"\x7f"))
    assert decode(body)["spec"] == {"replicas": -1}


def double(number: float) -> bytes:
    schema = b"\x49" + struct.pack("<d", number)  # maximum
    return envelope("apiextensions.k8s.io/v1", "JSONSchemaProps", schema)


def test_whole_numbers_that_are_no_integers_can_be_written_as_json():
    assert orjson.loads(orjson.dumps(decode(double(1e300))))["maximum"] == 1e300
    assert decode(double(5.0))["maximum"] == 5
    assert isinstance(decode(double(5.0))["maximum"], int)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_what_json_does_not_have_is_refused(number):
    with pytest.raises(ProtobufError, match="unsupported value"):
        decode(double(number))

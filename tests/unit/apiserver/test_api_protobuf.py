"""Protobuf bodies, as kubectl sends them."""

import pytest

from mamekube.apiserver.protobuf import ProtobufError, decode

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

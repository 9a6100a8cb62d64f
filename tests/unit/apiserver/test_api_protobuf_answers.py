"""Answers in protobuf, read by the library of protobuf; and whether the table of field numbers is whole."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from tests.unit.apiserver.every_kind import DEFINITIONS
from tests.unit.apiserver.protobuf_twin import as_json, parse

from mamekube.apiserver.formats.protobuf import META, decode, fields_of, is_message, message_name
from mamekube.apiserver.formats.protobuf_encoding import encode, encode_event
from mamekube.kinds.registry import builtin_registry
from mamekube.objects.schema import definitions
from mamekube.objects.status import StatusError

Object = dict[str, Any]
MAGIC = b"k8s\x00"
PROTOBUF = "application/vnd.kubernetes.protobuf"
KINDS = [kind for kind in builtin_registry().all() if isinstance(kind.schema, str)]

ALPHA = "behind a gate that is off in v1.36, so upstream drops it from every write"
UNKNOWN = (
    "no published copy of its message could be found; only the kubelet's patches, which are JSON, write it"
)
UNNUMBERED = {
    "io.k8s.api.core.v1.PodSpec schedulingGroup": ALPHA,
    "io.k8s.api.core.v1.PodStatus nodeAllocatableResourceClaimStatuses": ALPHA,
    "io.k8s.api.core.v1.ResourceHealth message": UNKNOWN,
    "io.k8s.api.resource.v1.Device nodeAllocatableResourceMappings": ALPHA,
    "io.k8s.api.resource.v1.DeviceAttribute bools": ALPHA,
    "io.k8s.api.resource.v1.DeviceAttribute ints": ALPHA,
    "io.k8s.api.resource.v1.DeviceAttribute strings": ALPHA,
    "io.k8s.api.resource.v1.DeviceAttribute versions": ALPHA,
    "io.k8s.api.storage.v1.CSIDriverSpec preventPodSchedulingIfMissing": ALPHA,
}
"""Fields of v1.36 without a number in the table, and why that is bearable."""

SAMPLES: dict[str, Any] = {
    "string": "text",
    "bytes": "cGVt",
    "bool": True,
    "int": -7,
    "double": 2.5,
    "quantity": "500m",
    "time": "2026-01-02T03:04:05Z",
    "microTime": "2026-01-02T03:04:05.123456Z",
    "intOrString": "80%",
    "raw": {"a": [1, None]},
    "fieldsV1": {"f:metadata": {}},
    "items": ["a", "b"],
    "schemas": {"type": "string"},
    "schemaOrBool": {"type": "string"},
    "schemaOrStrings": ["a"],
}


def names_of(message: str) -> set[str]:
    found: set[str] = set()
    for field in fields_of(message).values():
        found |= names_of(field.type) if field.form == "inline" else {field.name}
    return found


def references(value: Any) -> list[str]:
    if isinstance(value, list):
        return [name for item in value for name in references(item)]
    if not isinstance(value, dict):
        return []
    here = [value["$ref"].removeprefix("#/$defs/")] if isinstance(value.get("$ref"), str) else []
    return here + references([item for key, item in value.items() if key != "$ref"])


def reachable() -> list[str]:
    """Every definition that an object of a kind that is served can have a part of."""
    pending, found = [str(kind.schema) for kind in KINDS], set[str]()
    while pending:
        name = pending.pop()
        if name in found or name not in definitions():
            continue
        found.add(name)
        pending += references(definitions()[name])
    return sorted(found)


def test_every_field_that_is_served_has_a_number_or_a_reason():
    missing = set()
    for name in reachable():
        properties = definitions()[name].get("properties") or {}
        if not is_message(name):
            # What is no struct is a type of the table.
            owners = {one.rpartition(" ")[0] for one in UNNUMBERED}
            assert not properties or any(name in str(definitions()[owner]) for owner in owners), name
            continue
        known = names_of(name) | {"apiVersion", "kind"}
        missing |= {f"{name} {field}" for field in properties if field not in known}
    assert missing == set(UNNUMBERED)


def test_the_table_names_types_that_there_are():
    for kind in KINDS:
        pending, seen = [str(kind.schema)], set[str]()
        while pending:
            name = pending.pop()
            if name in seen:
                continue
            seen.add(name)
            for field in fields_of(name).values():
                assert field.type in SAMPLES or is_message(field.type), (name, field)
                if is_message(field.type):
                    pending.append(field.type)


def sample(message: str, depth: int = 0) -> Object:
    """An object with every field that the message has, down to some depth."""
    obj: Object = {}
    for field in fields_of(message).values():
        if field.type in SAMPLES:
            value = SAMPLES[field.type]
        elif depth >= 5:
            continue
        else:
            value = sample(field.type, depth + 1)
        if field.form == "inline":
            obj |= value
        else:
            obj[field.name] = {"list": [value, value], "map": {"k": value, "j": value}}.get(field.form, value)
    return obj


def read(data: bytes) -> tuple[Object, bytes]:
    """What the library reads in the envelope."""
    assert data.startswith(MAGIC)
    unknown = parse(data[len(MAGIC) :], "unknown")
    return {"apiVersion": unknown.f1.f1, "kind": unknown.f1.f2}, unknown.f2


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind.plural}.{kind.group}.{kind.version}")
def test_an_object_with_every_field_is_read_as_it_was_written(kind):
    name = message_name(kind.api_version, kind.kind)
    obj = {**sample(name), "apiVersion": kind.api_version, "kind": kind.kind}
    data = encode(obj)
    described, raw = read(data)
    assert {**as_json(parse(raw, name), name), **described} == obj
    assert decode(data) == obj


def test_the_forms_that_a_sample_does_not_show():
    schema = {
        "items": [{"type": "string"}, {"type": "integer"}],
        "additionalProperties": False,
        "dependencies": {"a": {"type": "object"}, "b": ["c"]},
        "default": "x",
    }
    spec = {"versions": [{"name": "v1", "schema": {"openAPIV3Schema": schema}}]}
    crd = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "spec": spec}
    service = {"apiVersion": "v1", "kind": "Service", "spec": {"ports": [{"port": 80, "targetPort": 8080}]}}
    for obj in (crd, service):
        name = message_name(obj["apiVersion"], obj["kind"])
        assert as_json(parse(read(encode(obj))[1], name), name)["spec"] == obj["spec"]


def test_a_list_its_metadata_and_its_items():
    pods = [{"metadata": {"name": name}, "spec": {"nodeName": "n"}} for name in ("a", "b")]
    metadata = {"resourceVersion": "7", "continue": "more", "remainingItemCount": 3}
    listed = {"apiVersion": "v1", "kind": "PodList", "metadata": metadata, "items": pods}
    described, raw = read(encode(listed))
    assert described == {"apiVersion": "v1", "kind": "PodList"}
    found = parse(raw, "list")
    assert as_json(found.f1, f"{META}.ListMeta") == metadata
    name = "io.k8s.api.core.v1.Pod"
    assert [as_json(parse(item, name), name) for item in found.f2] == pods


def test_an_event_of_a_watch_has_its_size_before_it():
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}}
    frame = encode_event("ADDED", pod)
    (size,) = struct.unpack(">I", frame[:4])
    assert size == len(frame) - 4
    event = parse(frame[4:], "watchEvent")
    assert event.f1 == "ADDED"
    assert decode(event.f2.f1) == pod


@pytest.mark.parametrize(
    "obj, name",
    [
        ({"apiVersion": "example.com/v1", "kind": "Foo"}, "*unstructured.Unstructured"),
        ({"apiVersion": "example.com/v1", "kind": "FooList", "items": []}, "*unstructured.UnstructuredList"),
        ({"apiVersion": "meta.k8s.io/v1", "kind": "Table", "rows": []}, "*v1.Table"),
    ],
)
def test_what_is_no_message_is_refused_in_the_words_of_upstream(obj, name):
    with pytest.raises(StatusError) as caught:
        encode(obj)
    assert (caught.value.code, caught.value.reason) == (406, "NotAcceptable")
    assert caught.value.message == (
        f"object {name} does not implement the protobuf marshalling interface "
        "and cannot be encoded to a protobuf message"
    )


# Over HTTP ----------------------------------------------------------------------------------------------

MAPS = "/api/v1/namespaces/default/configmaps"
METADATA = f"{PROTOBUF};as=PartialObjectMetadata{{}};g=meta.k8s.io;v=v1"


async def made(web, name: str = "a") -> Object:
    return (await web.send("POST", MAPS, {"metadata": {"name": name}, "data": {"k": "v"}})).body


async def test_who_takes_protobuf_alone_gets_it(web):
    obj = await made(web)
    answer = await web.send("GET", f"{MAPS}/a", headers={"Accept": PROTOBUF})
    assert (answer.code, answer.headers["Content-Type"]) == (200, PROTOBUF)
    assert decode(answer.body) == obj
    listed = await web.send("GET", MAPS, headers={"Accept": PROTOBUF})
    described, raw = read(listed.body)
    assert described["kind"] == "ConfigMapList"
    name = "io.k8s.api.core.v1.ConfigMap"
    names = [as_json(parse(item, name), name)["metadata"]["name"] for item in parse(raw, "list").f2]
    assert "a" in names
    missing = await web.send("GET", f"{MAPS}/none", headers={"Accept": PROTOBUF})
    assert (missing.code, decode(missing.body)["reason"]) == (404, "NotFound")
    deleted = await web.send("DELETE", f"{MAPS}/a", headers={"Accept": PROTOBUF})
    assert decode(deleted.body)["details"]["name"] == "a"


async def test_who_takes_json_too_gets_what_the_store_keeps(web):
    obj = await made(web)
    for accept in (f"{PROTOBUF},application/json", f"application/json;q=0.5, {PROTOBUF}", "*/*"):
        answer = await web.send("GET", f"{MAPS}/a", headers={"Accept": accept})
        assert (answer.headers["Content-Type"], answer.body) == ("application/json", obj)


async def test_metadata_alone_in_protobuf(web):
    obj = await made(web)
    answer = await web.send("GET", f"{MAPS}/a", headers={"Accept": METADATA.format("")})
    assert decode(answer.body) == {
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": obj["metadata"],
    }
    answer = await web.send("GET", MAPS, headers={"Accept": METADATA.format("List")})
    items = decode(answer.body)["items"]
    assert "a" in [item["metadata"]["name"] for item in items]


async def test_discovery_in_protobuf(web):
    for path, kind in (
        ("/api", "APIVersions"),
        ("/apis", "APIGroupList"),
        ("/apis/apps", "APIGroup"),
        ("/apis/apps/v1", "APIResourceList"),
    ):
        plain = (await web.send("GET", path)).body
        answer = await web.send("GET", path, headers={"Accept": PROTOBUF})
        assert (answer.headers["Content-Type"], plain["kind"]) == (PROTOBUF, kind)
        described, raw = read(answer.body)
        assert described == {"apiVersion": "v1", "kind": kind}
        name = f"{META}.{kind}"
        assert {"apiVersion": "v1", **plain} == {**as_json(parse(raw, name), name), **described}


async def test_what_is_no_object_is_indented(web):
    headers = {"Authorization": "Bearer admin-token", "Accept": "application/cbor"}
    for path in ("/version", "/", MAPS):
        async with web.session.get(web.url + path, headers=headers) as answer:
            assert (await answer.read()).startswith(b'{\n  "')


OFFERED = (
    "only the following media types are accepted: "
    "application/json, application/yaml, application/vnd.kubernetes.protobuf"
)


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
@pytest.mark.parametrize("path", [f"{MAPS}/a", MAPS, f"{MAPS}?watch=1"])
async def test_a_table_is_no_message(web, version, path):
    await made(web)
    accept = f"{PROTOBUF};as=Table;g=meta.k8s.io;v={version}"
    answer = await web.send("GET", path, headers={"Accept": accept})
    assert (answer.code, answer.body["message"]) == (406, OFFERED)


@pytest.mark.parametrize("path", ["", "/a", "/a/status", "?watch=1"])
async def test_custom_resources_are_no_messages_but_their_metadata_is(web, path):
    for definition in DEFINITIONS:
        await web.send("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition)
    pandas = "/apis/tested.example.com/v1/pandas"
    body = {"apiVersion": "tested.example.com/v1", "kind": "Panda", "metadata": {"name": "a"}}
    while (await web.send("POST", pandas, body)).code != 409:
        """Served a moment after it was defined."""
    answer = await web.send("GET", pandas + path, headers={"Accept": PROTOBUF})
    assert (answer.code, decode(answer.body)["message"]) == (406, OFFERED)


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
async def test_metadata_alone_is_watched_in_protobuf(web, version):
    obj = await made(web)
    accept = f"{PROTOBUF};as=PartialObjectMetadata;g=meta.k8s.io;v={version}"
    headers = {"Authorization": "Bearer admin-token", "Accept": accept}
    async with web.session.get(f"{web.url}{MAPS}?watch=1", headers=headers) as answer:
        (size,) = struct.unpack(">I", await answer.content.readexactly(4))
        event = parse(await answer.content.readexactly(size), "watchEvent")
    described, raw = read(event.f2.f1)
    assert described == {"apiVersion": f"meta.k8s.io/{version}", "kind": "PartialObjectMetadata"}
    name = f"{META}.PartialObjectMetadata"
    assert as_json(parse(raw, name), name) == {"metadata": obj["metadata"]}


async def test_a_watch_in_protobuf_is_frames(web):
    obj = await made(web)
    headers = {"Authorization": "Bearer admin-token", "Accept": f"{PROTOBUF};stream=watch"}
    url = f"{web.url}{MAPS}?watch=1&fieldSelector=metadata.name=a"
    async with web.session.get(url, headers=headers) as answer:
        assert answer.headers["Content-Type"] == f"{PROTOBUF};stream=watch"
        (size,) = struct.unpack(">I", await answer.content.readexactly(4))
        event = parse(await answer.content.readexactly(size), "watchEvent")
    assert (event.f1, decode(event.f2.f1)) == ("ADDED", obj)


async def test_what_a_watch_cannot_be_is_said(web):
    answer = await web.send("GET", f"{MAPS}?watch=1", headers={"Accept": "application/yaml"})
    assert answer.code == 406
    assert "application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch" in answer.body


async def test_a_refusal_in_yaml_for_who_takes_yaml(web):
    answer = await web.send("GET", f"{MAPS}/none", headers={"Accept": "application/yaml"})
    assert (answer.code, answer.headers["Content-Type"]) == (404, "application/yaml")
    assert "reason: NotFound" in answer.body


BODIES = "application/json, application/yaml, application/vnd.kubernetes.protobuf"


@pytest.mark.parametrize(
    "method, path, headers, code, message",
    [
        (
            "GET",
            MAPS,
            {"Accept": "application/cbor"},
            406,
            f"406: Not Acceptable\n\nAvailable representations: {BODIES}, application/json;stream=watch, "
            "application/vnd.kubernetes.protobuf;stream=watch",
        ),
        (
            "POST",
            MAPS,
            {"Content-Type": "application/cbor"},
            415,
            f"the body of the request was in an unknown format - accepted media types include: {BODIES}",
        ),
        (
            "PATCH",
            f"{MAPS}/a?fieldManager=me",
            {"Content-Type": "application/apply-patch+cbor"},
            415,
            "415: Unsupported Media Type",
        ),
    ],
)
async def test_cbor_is_off(web, method, path, headers, code, message):
    answer = await web.send(method, path, b"\xa0" if method != "GET" else None, headers=headers)
    assert (answer.code, answer.body["message"]) == (code, message)

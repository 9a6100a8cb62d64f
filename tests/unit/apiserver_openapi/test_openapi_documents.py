"""OpenAPI: every reference resolves, kubectl finds what it looks for, custom kinds appear, and caching holds."""

from __future__ import annotations

import dataclasses
import gzip
from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from mamekube.apiserver.openapi import documents, operations, publication
from mamekube.apiserver.openapi.publication import PROTOBUF_V2, OpenApi
from mamekube.kinds.kind import Kind, Scale
from mamekube.kinds.registry import builtin_registry
from mamekube.objects.schema import definitions

THING = Kind(
    group="x.example.com",
    version="v1",
    plural="things",
    singular="thing",
    kind="Thing",
    has_status=True,
    scale=Scale(),
    schema={
        "type": "object",
        "description": "A thing.",
        "properties": {
            "spec": {"type": "object", "properties": {"size": {"type": "integer", "nullable": True}}}
        },
    },
)


@pytest.fixture(scope="module")
def served() -> OpenApi:
    return OpenApi(builtin_registry())


async def get(served: OpenApi, path: str, accept: str = "application/json", **headers: str) -> Any:
    path, _, query = path.partition("?hash=")
    return await served.handle(
        path, accept, {"hash": [query]} if query else {}, headers.get("if_none_match", "")
    )


async def document(served: OpenApi, path: str) -> Any:
    status, _, body = await get(served, path)
    assert status == 200
    return orjson.loads(body)


def references(value: Any) -> Iterator[str]:
    return (name for name in documents.references(value) if name.startswith("#/"))


async def test_the_index_leads_to_documents_whose_references_all_resolve(served: OpenApi) -> None:
    index = (await document(served, "/openapi/v3"))["paths"]
    assert {"api/v1", "apis/apps/v1", "apis/autoscaling/v2", "apis/apiextensions.k8s.io/v1"} <= index.keys()
    for name, entry in index.items():
        found = await document(served, entry["serverRelativeURL"])
        schemas = found["components"]["schemas"]
        for reference in references(found):
            assert reference.removeprefix("#/components/schemas/") in schemas, (name, reference)
        assert found["paths"], name
    assert {"api", "apis", "apis/apps", "version", "openid/v1/jwks"} <= index.keys()
    assert ".well-known/openid-configuration" in index
    assert list(index) == sorted(index)
    assert "Deployment" in str(await document(served, "/openapi/v3/apis/apps/v1"))


async def test_every_definition_is_that_of_the_package_in_openapis_words(served: OpenApi) -> None:
    found = (await document(served, "/openapi/v2"))["definitions"]
    assert set(found) <= set(definitions())
    container = found["io.k8s.api.core.v1.Container"]
    assert container["properties"]["env"]["x-kubernetes-patch-merge-key"] == "name"
    assert container["properties"]["image"]["type"] == "string"
    pod = found["io.k8s.api.core.v1.Pod"]
    assert "enum" not in pod["properties"]["kind"]
    assert pod["x-kubernetes-group-version-kind"] == [{"group": "", "kind": "Pod", "version": "v1"}]
    assert found["io.k8s.apimachinery.pkg.util.intstr.IntOrString"]["format"] == "int-or-string"
    assert found["io.k8s.apimachinery.pkg.api.resource.Quantity"]["type"] == "string"
    assert not any("oneOf" in schema for schema in found.values())


async def test_version_3_alone_says_what_stands_for_absent_fields(served: OpenApi) -> None:
    schemas = (await document(served, "/openapi/v3/apis/batch/v1"))["components"]["schemas"]
    spec = schemas["io.k8s.api.batch.v1.CronJobSpec"]["properties"]
    template = "#/components/schemas/io.k8s.api.batch.v1.JobTemplateSpec"
    assert (spec["jobTemplate"]["allOf"], spec["jobTemplate"]["default"]) == ([{"$ref": template}], {})
    assert spec["schedule"]["default"] == ""
    assert "default" not in spec["suspend"]
    status = schemas["io.k8s.api.batch.v1.CronJobStatus"]["properties"]
    assert status["active"]["items"]["default"] == {}
    assert "default" not in status["lastScheduleTime"]
    container = schemas["io.k8s.api.core.v1.Container"]["properties"]
    assert container["command"]["items"] == {"type": "string", "default": ""}
    assert "default" not in schemas["io.k8s.api.core.v1.ResourceRequirements"]["properties"]["limits"]
    v2 = (await document(served, "/openapi/v2"))["definitions"]
    assert "default" not in v2["io.k8s.api.batch.v1.CronJobSpec"]["properties"]["schedule"]


def test_version_2_keeps_rules_and_requires_no_field_beside_values_that_may_be_null() -> None:
    rules = [{"rule": "self.size() < 9"}]
    schema = {
        "type": "object",
        "required": ["a"],
        "additionalProperties": {"type": "string", "nullable": True},
        "x-kubernetes-validations": rules,
    }
    shown = documents.dialect("com.example.v1.Thing", schema, operations.V2)
    assert shown == {"type": "object", "additionalProperties": {}, "x-kubernetes-validations": rules}
    fields = {"a": {"type": "string", "nullable": True}, "b": {"type": "string"}}
    schema = {"type": "object", "required": ["a", "b"], "properties": fields}
    shown = documents.dialect("com.example.v1.Thing", schema, operations.V2)
    assert shown["required"] == ["b"]
    shown = documents.dialect("com.example.v1.Thing", {**schema, "nullable": True}, operations.V2)
    assert shown == {"required": ["a", "b"]}


def test_examples_in_a_custom_kinds_schema_are_not_published() -> None:
    field = {"type": "integer", "example": 4}
    schema = {"type": "object", "example": {}, "properties": {"example": field, "list": {"items": field}}}
    made = documents.custom_definitions(dataclasses.replace(THING, schema=schema))["com.example.x.v1.Thing"]
    assert "example" not in made
    assert made["properties"]["example"] == {"type": "integer"}
    assert made["properties"]["list"] == {"items": {"type": "integer"}}


def names(parameters: list[dict[str, Any]]) -> list[str]:
    return [parameter["name"] for parameter in parameters]


async def test_operations_are_described_as_clients_are_generated_from_them(served: OpenApi) -> None:
    paths = (await document(served, "/openapi/v2"))["paths"]
    pods = "/api/v1/namespaces/{namespace}/pods"
    assert names(paths[pods]["parameters"]) == ["namespace", "pretty"]
    create = paths[pods]["post"]
    assert (create["operationId"], create["description"]) == ("createCoreV1NamespacedPod", "create a Pod")
    assert create["parameters"][0]["required"] is True
    pod = {"$ref": "#/definitions/io.k8s.api.core.v1.Pod"}
    assert paths[f"{pods}/{{name}}"]["delete"]["responses"]["202"]["schema"] == pod
    listing = paths["/api/v1/pods"]
    assert "parameters" not in listing["get"] and "labelSelector" in names(listing["parameters"])
    assert "application/json;stream=watch" in listing["get"]["produces"]
    watch = paths["/api/v1/watch/namespaces/{namespace}/pods/{name}"]["get"]
    assert (watch["x-kubernetes-action"], watch["operationId"]) == ("watch", "watchCoreV1NamespacedPod")
    proxy = paths[f"{pods}/{{name}}/proxy/{{path}}"]
    assert {"delete", "get", "head", "options", "patch", "post", "put"} <= proxy.keys()
    assert proxy["head"]["operationId"] == "connectCoreV1HeadNamespacedPodProxyWithPath"
    assert proxy["head"]["x-kubernetes-action"] == "connect"
    log = paths[f"{pods}/{{name}}/log"]
    assert log["get"]["produces"][0] == "text/plain" and "tailLines" in names(log["parameters"])
    assert paths["/apis/apps/"]["get"]["operationId"] == "getAppsAPIGroup"
    assert paths["/apis/apps/v1/"]["get"]["operationId"] == "getAppsV1APIResources"
    assert paths["/version/"]["get"]["responses"]["200"]["schema"]["$ref"].endswith("version.Info")
    identifiers = [
        operation["operationId"]
        for item in paths.values()
        for method, operation in item.items()
        if method != "parameters"
    ]
    assert len(identifiers) == len(set(identifiers))


async def test_kubectl_finds_that_the_server_validates_fields_and_knows_dry_runs(served: OpenApi) -> None:
    v2 = (await document(served, "/openapi/v2"))["paths"]
    v3 = (await document(served, "/openapi/v3/apis/apps/v1"))["paths"]
    path = "/apis/apps/v1/namespaces/{namespace}/deployments/{name}"
    for paths in (v2, v3):
        patch = paths[path]["patch"]
        assert patch["x-kubernetes-group-version-kind"] == {
            "group": "apps",
            "kind": "Deployment",
            "version": "v1",
        }
        assert {"fieldValidation", "dryRun"} <= {parameter["name"] for parameter in patch["parameters"]}
    assert "application/strategic-merge-patch+json" in v3[path]["patch"]["requestBody"]["content"]


async def test_the_protobuf_document_says_the_same_as_the_json_one(served: OpenApi) -> None:
    status, headers, body = await get(served, "/openapi/v2", PROTOBUF_V2)
    assert (status, headers["Content-Type"]) == (
        200,
        "application/com.github.proto-openapi.spec.v2.v1.0+protobuf",
    )
    found = fields(body)
    expected = await document(served, "/openapi/v2")
    names = [fields(item)[1][0].decode() for item in fields(found[9][0])[1]]
    assert names == list(expected["definitions"])
    paths = [fields(item)[1][0].decode() for item in fields(found[8][0])[2]]
    assert paths == list(expected["paths"])
    schemas = {fields(item)[1][0].decode(): fields(fields(item)[2][0]) for item in fields(found[9][0])[1]}
    pod = schemas["io.k8s.api.core.v1.Pod"]
    assert pod[4][0].decode() == expected["definitions"]["io.k8s.api.core.v1.Pod"]["description"]
    assert fields(pod[22][0])[1] == [b"object"]
    extension = fields(pod[31][0])
    assert extension[1] == [b"x-kubernetes-group-version-kind"]
    assert orjson.loads(fields(extension[2][0])[2][0]) == [{"group": "", "kind": "Pod", "version": "v1"}]
    properties = {fields(item)[1][0].decode() for item in fields(pod[25][0])[1]}
    assert properties == {"apiVersion", "kind", "metadata", "spec", "status"}


def fields(data: bytes) -> dict[int, list[Any]]:
    """A protobuf message as its values by field number."""
    found: dict[int, list[Any]] = {}
    position = 0

    def varint() -> int:
        nonlocal position
        result = shift = 0
        while True:
            byte = data[position]
            position += 1
            result |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return result

    while position < len(data):
        tag = varint()
        assert tag & 7 in (0, 2)
        value: Any = varint()
        if tag & 7 == 2:
            assert position + value <= len(data)
            value, position = data[position : position + value], position + value
        found.setdefault(tag >> 3, []).append(value)
    return found


async def test_custom_kinds_come_and_go_and_change_no_hash_but_their_own() -> None:
    registry = builtin_registry()
    served = OpenApi(registry)
    before = (await document(served, "/openapi/v3"))["paths"]
    registry.add(THING)
    after = (await document(served, "/openapi/v3"))["paths"]
    assert set(after) - set(before) == {"apis/x.example.com/v1"}
    assert all(after[name] == entry for name, entry in before.items())
    found = await document(served, "/openapi/v3/apis/x.example.com/v1")
    own = found["components"]["schemas"]["com.example.x.v1.Thing"]
    assert own["properties"]["spec"]["properties"]["size"] == {"type": "integer", "nullable": True}
    assert own["x-kubernetes-group-version-kind"] == [
        {"group": "x.example.com", "kind": "Thing", "version": "v1"}
    ]
    v2 = await document(served, "/openapi/v2")
    assert (
        "nullable"
        not in v2["definitions"]["com.example.x.v1.Thing"]["properties"]["spec"]["properties"]["size"]
    )
    assert "/apis/x.example.com/v1/namespaces/{namespace}/things/{name}/scale" in v2["paths"]
    registry.remove(THING)
    assert (await get(served, "/openapi/v3/apis/x.example.com/v1"))[0] == 404


async def test_a_document_asked_for_by_its_hash_may_be_kept_for_ever(served: OpenApi) -> None:
    url = (await document(served, "/openapi/v3"))["paths"]["apis/batch/v1"]["serverRelativeURL"]
    status, headers, _ = await get(served, url)
    assert status == 200
    assert "immutable" in headers["Cache-Control"]
    etag = headers["Etag"]
    assert (await get(served, "/openapi/v3/apis/batch/v1", if_none_match=etag))[0] == 304
    assert (await get(served, "/openapi/v3/apis/batch/v1", if_none_match='"other"'))[0] == 200
    status, headers, _ = await get(served, "/openapi/v3/apis/batch/v1?hash=OLD")
    assert (status, headers["Location"]) == (301, url)


async def test_what_cannot_be_had_in_the_form_asked_for_is_406(served: OpenApi) -> None:
    v3 = "application/com.github.proto-openapi.spec.v3@v1.0+protobuf"
    assert (await get(served, "/openapi/v3/api/v1", v3))[0] == 406
    assert (await get(served, "/openapi/v3/api/v1", v3 + ",application/json"))[0] == 200
    assert (await get(served, "/openapi/v2", "text/html"))[0] == 406
    assert (await get(served, "/openapi/v2", "*/*"))[1]["Content-Type"] == "application/json"
    assert (await get(served, "/openapi/v4"))[0] == 404


async def test_a_client_that_takes_gzip_gets_what_is_kept(served: OpenApi) -> None:
    status, headers, body = await served.handle(
        "/openapi/v3/api/v1", "application/json", {}, "", accept_encoding="gzip"
    )
    assert (status, headers["Content-Encoding"]) == (200, "gzip")
    assert orjson.loads(gzip.decompress(body)) == await document(served, "/openapi/v3/api/v1")


def test_media_types_are_chosen_by_their_weight() -> None:
    offered = ("application/json", "application/x")
    assert publication.choose("", offered) == "application/json"
    assert publication.choose("application/x;q=0.9, application/json;q=0.5", offered) == "application/x"
    assert publication.choose("application/x;q=0, */*;q=0.1", offered) == "application/json"
    assert publication.choose("application/x;q=nonsense", offered) == ""

"""What other servers publish of their APIs is published here, too."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.unit.apiserver_webhooks.extension import ADMIN, PATH, Cluster, add_service

from mamekube.apiserver.aggregation import remote_openapi
from mamekube.apiserver.openapi.merging import merged, part_of

FLUNDER = "com.example.wardle.v1.Flunder"
META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
LISTED = f"{PATH}/namespaces/{{namespace}}/flunders"
ENTRY = f"/openapi/v3{PATH}?hash=ABC"


def v2() -> dict[str, Any]:
    reference = {"$ref": f"#/definitions/{FLUNDER}"}
    answers = {"200": {"description": "OK", "schema": reference}}
    return {
        "swagger": "2.0",
        "paths": {
            LISTED: {"get": {"responses": answers}, "parameters": [{"$ref": "#/parameters/namespace-1"}]},
            "/apis/other.example.com/v1/things": {"get": {"responses": {}}},
            "/version/": {"get": {"responses": {}}},
        },
        "definitions": {
            FLUNDER: {"type": "object", "properties": {"metadata": {"$ref": f"#/definitions/{META}"}}},
            META: {"type": "object", "description": "of another release"},
            "unused": {"type": "string"},
        },
        "parameters": {
            "namespace-1": {"name": "namespace", "in": "path", "required": True, "type": "string"}
        },
    }


async def fetch(cluster: Cluster, path: str, **headers: str) -> tuple[int, Any, Any]:
    async with cluster.session.get(cluster.url + path, headers={**ADMIN, **headers}) as answer:
        body = await answer.read()
        return answer.status, answer.headers, json.loads(body) if body[:1] == b"{" else body


@pytest.fixture
async def publishing(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    monkeypatch.setattr(remote_openapi, "FRESH_S", 0.0)
    index = {
        "paths": {PATH.lstrip("/"): {"serverRelativeURL": ENTRY}, "version": {"serverRelativeURL": "/x"}}
    }
    cluster.extension.openapi = {
        "/openapi/v2": json.dumps(v2()).encode(),
        "/openapi/v3": json.dumps(index).encode(),
        f"/openapi/v3{PATH}": b'{"openapi":"3.0.0"}',
    }
    await add_service(cluster)
    await cluster.register()
    await cluster.available()
    return cluster


async def test_paths_and_definitions_of_another_server_are_in_version_2(publishing: Cluster) -> None:
    _, headers, document = await fetch(publishing, "/openapi/v2")
    assert document["paths"][LISTED]["parameters"] == [
        {"name": "namespace", "in": "path", "required": True, "type": "string"}
    ]
    assert "/apis/other.example.com/v1/things" not in document["paths"]
    assert document["definitions"][FLUNDER]["properties"]["metadata"] == {"$ref": f"#/definitions/{META}_v2"}
    assert document["definitions"][f"{META}_v2"] == {"type": "object", "description": "of another release"}
    assert document["definitions"][META]["properties"]
    assert "unused" not in document["definitions"]
    code, _, _ = await fetch(publishing, "/openapi/v2", **{"If-None-Match": headers["Etag"]})
    assert code == 304


async def test_version_2_changes_with_the_other_server_and_outlives_its_mistakes(publishing: Cluster) -> None:
    _, before, _ = await fetch(publishing, "/openapi/v2")
    changed = v2()
    changed["definitions"][FLUNDER]["description"] = "Swims."
    publishing.extension.openapi["/openapi/v2"] = json.dumps(changed).encode()
    _, after, document = await fetch(publishing, "/openapi/v2")
    assert before["Etag"] != after["Etag"]
    assert document["definitions"][FLUNDER]["description"] == "Swims."
    for broken in (b"{", b"[]", b'{"paths": 7}', b'{"paths":' + b"[" * 5000 + b"]" * 5000 + b"}"):
        publishing.extension.openapi["/openapi/v2"] = broken
        code, headers, document = await fetch(publishing, "/openapi/v2")
        assert (code, headers["Etag"]) == (200, after["Etag"])
        assert LISTED in document["paths"]


async def test_the_index_of_version_3_leads_to_the_other_servers_document(publishing: Cluster) -> None:
    _, _, index = await fetch(publishing, "/openapi/v3")
    assert index["paths"][PATH.lstrip("/")] == {"serverRelativeURL": ENTRY}
    assert "api/v1" in index["paths"]
    assert index["paths"].get("version") != {"serverRelativeURL": "/x"}
    code, headers, document = await fetch(publishing, ENTRY)
    assert (code, document) == (200, {"openapi": "3.0.0"})
    assert (headers["Etag"], headers["Cache-Control"]) == ('"theirs"', "public")


async def test_a_server_without_documents_takes_nothing_from_ours(publishing: Cluster) -> None:
    publishing.extension.openapi = {}
    code, _, document = await fetch(publishing, "/openapi/v2")
    assert code == 200 and LISTED not in document["paths"]
    code, _, index = await fetch(publishing, "/openapi/v3")
    assert code == 200 and PATH.lstrip("/") not in index["paths"]
    code, _, _ = await fetch(publishing, ENTRY)
    assert code == 404


def test_a_definition_that_is_the_same_here_is_not_said_twice() -> None:
    part = part_of(v2(), group="wardle.example.com", version="v1", digest="1")
    whole = merged([part], [(META, v2()["definitions"][META])])
    assert set(whole.definitions) == {FLUNDER}
    assert whole.definitions[FLUNDER] == v2()["definitions"][FLUNDER]

"""Several versions of one kind: rewriting, and conversion by a webhook over real TLS."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web as aiohttp_web
from tests.unit.apiserver_crd.definitions import (
    DEFINITIONS,
    GROUP,
    NAME,
    crontab,
    definition,
    established,
    refusal,
    spec_of,
    version,
)
from tests.unit.apiserver_webhooks.authority import Authority

from mamekube.objects.resource import Resource

V1 = Resource(group=GROUP, version="v1", plural="crontabs", kind="CronTab")
V2 = Resource(group=GROUP, version="v2", plural="crontabs", kind="CronTab")
JOINED = {"hostPort": {"type": "string"}}
APART = {"host": {"type": "string"}, "port": {"type": "string"}}


def split(obj: dict[str, Any], api_version: str) -> dict[str, Any]:
    """v1 has `hostPort`, v2 `host` and `port`."""
    spec = obj.get("spec") or {}
    if api_version.endswith("/v2"):
        host, _, port = spec.get("hostPort", "").partition(":")
        return {**obj, "apiVersion": api_version, "spec": {"host": host, "port": port}}
    joined = f"{spec.get('host', '')}:{spec.get('port', '')}"
    return {**obj, "apiVersion": api_version, "spec": {"hostPort": joined}}


@dataclass
class Converter:
    """A conversion webhook, and what it was asked."""

    config: dict[str, Any] = field(default_factory=dict)
    convert: Callable[[dict[str, Any], str], Any] = split
    response: dict[str, Any] = field(default_factory=dict)
    """What its answers say in place of the truth."""
    requests: list[dict[str, Any]] = field(default_factory=list)

    async def serve(self, request: aiohttp_web.BaseRequest) -> aiohttp_web.StreamResponse:
        review = orjson.loads(await request.read())
        asked = review["request"]
        self.requests.append(asked)
        converted = [self.convert(obj, asked["desiredAPIVersion"]) for obj in asked["objects"]]
        response = {"uid": asked["uid"], "result": {"status": "Success"}, "convertedObjects": converted}
        answer = {
            "apiVersion": review["apiVersion"],
            "kind": review["kind"],
            "response": {**response, **self.response},
        }
        return aiohttp_web.Response(body=orjson.dumps(answer), content_type="application/json")


@pytest.fixture
async def converter(tmp_path: Path) -> AsyncIterator[Converter]:
    authority = Authority(tmp_path)
    found = Converter()
    runner = aiohttp_web.ServerRunner(aiohttp_web.Server(found.serve), shutdown_timeout=0.01)
    await runner.setup()
    site = aiohttp_web.TCPSite(runner, "127.0.0.1", 0, ssl_context=authority.server_context("127.0.0.1"))
    await site.start()
    url = f"https://127.0.0.1:{runner.addresses[0][1]}/convert"
    found.config = {"url": url, "caBundle": authority.bundle}
    yield found
    await runner.cleanup()


def two_versions(converter: Converter | None = None, *, stored: str = "v1") -> dict[str, Any]:
    versions = [
        version("v1", spec_of(**JOINED), storage=stored == "v1"),
        version("v2", spec_of(**APART), storage=stored == "v2"),
    ]
    if converter is None:
        return definition(*versions)
    webhook = {"clientConfig": converter.config, "conversionReviewVersions": ["v1", "v1beta1"]}
    return definition(*versions, conversion={"strategy": "Webhook", "webhook": webhook})


async def store_in(client: Any, stored: str) -> None:
    made = await client.get(DEFINITIONS, NAME)
    versions = [{**entry, "storage": entry["name"] == stored} for entry in made["spec"]["versions"]]
    await client.update(DEFINITIONS, {**made, "spec": {**made["spec"], "versions": versions}})


async def test_without_a_webhook_only_the_version_is_rewritten_and_the_rest_pruned(client):
    await established(client, two_versions())
    await client.create(V1, crontab(spec={"hostPort": "a:1"}))
    assert (await client.get(V1, "one", namespace="default"))["spec"] == {"hostPort": "a:1"}
    found = await client.get(V2, "one", namespace="default")
    assert (found["apiVersion"], found["spec"]) == (f"{GROUP}/v2", {})


async def test_a_webhook_converts_what_is_read_in_another_version(client, converter):
    await established(client, two_versions(converter))
    await client.create(V1, crontab(spec={"hostPort": "a:1"}))
    assert converter.requests == []
    found = await client.get(V2, "one", namespace="default")
    assert (found["apiVersion"], found["spec"]) == (f"{GROUP}/v2", {"host": "a", "port": "1"})
    assert converter.requests[0]["desiredAPIVersion"] == f"{GROUP}/v2"


async def test_a_webhook_converts_what_is_written_in_another_version(client, converter):
    await established(client, two_versions(converter))
    made = await client.create(V2, {**crontab(spec={"host": "a", "port": "1"}), "apiVersion": f"{GROUP}/v2"})
    assert made["spec"] == {"host": "a", "port": "1"}
    assert (await client.get(V1, "one", namespace="default"))["spec"] == {"hostPort": "a:1"}
    await client.patch(V2, "one", {"spec": {"port": "2"}}, namespace="default")
    assert (await client.get(V1, "one", namespace="default"))["spec"] == {"hostPort": "a:2"}


async def test_a_list_of_objects_stored_in_several_versions_is_of_one(client, converter):
    await established(client, two_versions(converter))
    await client.create(V1, crontab("one", spec={"hostPort": "a:1"}))
    await store_in(client, "v2")
    await client.create(V2, {**crontab("two", spec={"host": "b", "port": "2"}), "apiVersion": f"{GROUP}/v2"})
    converter.requests.clear()
    for resource in (V1, V2):
        listing = await client.list(resource)
        assert {obj["apiVersion"] for obj in listing.items} == {resource.api_version}
    assert [obj["spec"] for obj in (await client.list(V2)).items] == [
        {"host": "a", "port": "1"},
        {"host": "b", "port": "2"},
    ]
    assert all(len(request["objects"]) == 1 for request in converter.requests)


async def test_watches_are_told_in_their_own_version(client, converter):
    await established(client, two_versions(converter))
    async with client.watch(V2) as events:
        await client.create(V1, crontab(spec={"hostPort": "a:1"}))
        assert (await anext(events)).object["spec"] == {"host": "a", "port": "1"}
        await client.delete(V1, "one", namespace="default")
        gone = await anext(events)
        assert (gone.type, gone.object["apiVersion"]) == ("DELETED", f"{GROUP}/v2")


async def test_writing_an_object_as_it_is_stores_it_in_the_version_of_now(client, server):
    await established(client, two_versions())
    await client.create(V1, crontab(spec={}))
    await store_in(client, "v2")
    found = await client.get(V1, "one", namespace="default")
    await client.update(V1, found)
    item = await server.api.store.get(key=f"/registry/{GROUP}/crontabs/default/one")
    assert item.object["apiVersion"] == f"{GROUP}/v2"


KIND = f"{GROUP}/v1, Kind=CronTab"


@pytest.mark.parametrize(
    ("response", "problem"),
    [
        (
            {"result": {"status": "Failed", "message": "no way"}},
            f"conversion webhook for {KIND} failed: no way",
        ),
        (
            {"result": {}},
            f"conversion webhook for {KIND} failed: response.result.status was '', not 'Success'",
        ),
        ({"convertedObjects": []}, f"conversion webhook for {KIND} returned 0 objects, expected 1"),
        ({"uid": "other"}, f'conversion webhook for {KIND} failed: expected response.uid="'),
    ],
)
async def test_a_webhook_that_fails_is_told_of_in_upstreams_words(client, converter, response, problem):
    await established(client, two_versions(converter))
    await client.create(V1, crontab(spec={"hostPort": "a:1"}))
    converter.response = response
    error = await refusal(client.get(V2, "one", namespace="default"))
    assert error.code == 500
    assert error.message.startswith(problem)


async def test_a_webhook_may_change_labels_and_annotations_only(client, converter):
    await established(client, two_versions(converter))
    await client.create(V1, crontab(spec={"hostPort": "a:1"}))

    def relabel(obj: dict[str, Any], api_version: str) -> dict[str, Any]:
        made = split(obj, api_version)
        return {**made, "metadata": {**made["metadata"], "labels": {"a": "b"}, "generation": 99}}

    converter.convert = relabel
    found = await client.get(V2, "one", namespace="default")
    assert (found["metadata"]["labels"], found["metadata"]["generation"]) == ({"a": "b"}, 1)

    def rename(obj: dict[str, Any], api_version: str) -> dict[str, Any]:
        return {**split(obj, api_version), "metadata": {**obj["metadata"], "name": "other"}}

    converter.convert = rename
    error = await refusal(client.get(V2, "one", namespace="default"))
    assert "must have the same name: one != other" in error.message


async def test_a_webhook_that_nobody_answers_fails_the_request_and_nothing_else(client, converter):
    converter.config = {"url": "https://127.0.0.1:1/convert"}
    await established(client, two_versions(converter))
    await client.create(V1, crontab(spec={"hostPort": "a:1"}))
    error = await refusal(client.list(V2))
    assert (error.code, "connection refused" in error.message) == (500, True)
    assert len((await client.list(V1)).items) == 1


async def test_a_version_that_is_not_served_is_404(client):
    made = two_versions()
    made["spec"]["versions"][1]["served"] = False
    await established(client, made)
    assert (await refusal(client.list(V2))).code == 404


async def test_fields_are_selected_in_the_version_that_is_asked_for(client, converter):
    made = two_versions(converter)
    made["spec"]["versions"][0]["selectableFields"] = [{"jsonPath": ".spec.hostPort"}]
    made["spec"]["versions"][1]["selectableFields"] = [{"jsonPath": ".spec.host"}]
    await established(client, made)
    for name in ("a", "b"):
        await client.create(V1, crontab(name, spec={"hostPort": f"{name}:1"}))
    for resource, selector in ((V1, "spec.hostPort=a:1"), (V2, "spec.host=a")):
        listing = await client.list(resource, field_selector=selector)
        assert [obj["metadata"]["name"] for obj in listing.items] == ["a"]


# Owners of fields ---------------------------------------------------------------------------------------


def renamed(obj: dict[str, Any], api_version: str) -> dict[str, Any]:
    """v1 calls `size` what is `extent` in v2."""
    spec = dict(obj.get("spec") or {})
    before, after = ("size", "extent") if api_version.endswith("/v2") else ("extent", "size")
    if before in spec:
        spec[after] = spec.pop(before)
    return {**obj, "apiVersion": api_version, "spec": spec}


async def apply(client: Any, resource: Resource, manager: str, *, force: bool = False, **spec: str) -> Any:
    patch = {**crontab(spec=spec), "apiVersion": resource.api_version}
    return await client.patch(
        resource,
        "one",
        patch,
        namespace="default",
        patch_type="apply",
        field_manager=manager,
        force=force,
    )


def owned(obj: dict[str, Any]) -> dict[str, Any]:
    return {
        entry["manager"]: (entry["apiVersion"], entry["fieldsV1"]["f:spec"])
        for entry in obj["metadata"]["managedFields"]
    }


async def test_ownership_follows_a_field_that_a_webhook_renames(client, converter):
    converter.convert = renamed
    text = {"type": "string"}
    made = two_versions(converter)
    for entry, name in zip(made["spec"]["versions"], ("size", "extent"), strict=True):
        entry["schema"] = {"openAPIV3Schema": spec_of(**{name: text, "place": text})}
    await established(client, made)
    await apply(client, V1, "first", size="1", place="x")
    error = await refusal(apply(client, V2, "second", extent="2"))
    assert error.message == 'Apply failed with 1 conflict: conflict with "first": .spec.size'
    taken = await apply(client, V2, "second", force=True, extent="2")
    assert taken["spec"] == {"extent": "2", "place": "x"}
    assert owned(taken) == {
        "first": (f"{GROUP}/v1", {"f:place": {}}),
        "second": (f"{GROUP}/v2", {"f:extent": {}}),
    }
    patched = await client.patch(
        V1, "one", {"spec": {"size": "3"}}, namespace="default", field_manager="third"
    )
    assert owned(patched) == {
        "first": (f"{GROUP}/v1", {"f:place": {}}),
        "third": (f"{GROUP}/v1", {"f:size": {}}),
    }


async def test_a_webhook_that_fails_refuses_a_write_that_others_of_its_version_own_fields_of(
    client, converter
):
    converter.convert = renamed
    await established(client, two_versions(converter))
    made = {**crontab(spec={"host": "a", "port": "1"}), "apiVersion": f"{GROUP}/v2"}
    await client.create(V2, made)
    converter.response = {"result": {"status": "Failure", "message": "out of order"}}
    error = await refusal(client.patch(V1, "one", {"spec": {"hostPort": "b:2"}}, namespace="default"))
    assert "out of order" in error.message

"""What is published of custom kinds in OpenAPI, and that it follows every change."""

from __future__ import annotations

import pytest
from tests.unit.apiserver_crd.definitions import (
    DEFINITIONS_PATH,
    GROUP,
    NAME,
    OPEN,
    definition,
    spec_of,
    version,
)
from tests.unit.apiserver_crd.test_crd_serving import eventually

from mamekube.objects.conditions import is_true

TEXT = {"type": "string", "description": "A text."}


def named(name: str, kind: str = "CronTab") -> str:
    return f"com.example.stable.{name}.{kind}"


async def serve(web, *versions, **spec):
    await web.send("POST", DEFINITIONS_PATH, definition(*versions, **spec))
    await eventually(web, f"{DEFINITIONS_PATH}/{NAME}", lambda body: is_true(body, "Established"))


async def published(web, name="v1"):
    """The definition in v2 and in v3."""
    second = (await web.send("GET", "/openapi/v2")).body["definitions"].get(named(name))
    answer = await web.send("GET", f"/openapi/v3/apis/{GROUP}/{name}")
    third = answer.body["components"]["schemas"].get(named(name)) if answer.code == 200 else None
    return second, third


async def test_a_schema_is_published_with_its_descriptions(web):
    schema = spec_of(name=TEXT, sizes={"type": "array", "items": {"type": "integer"}})
    schema["description"] = "A timetable."
    await serve(web, version(schema=schema))
    for found in await published(web):
        assert found["description"] == "A timetable."
        assert found["properties"]["spec"] == schema["properties"]["spec"]
        assert found["properties"]["kind"]["description"].startswith("Kind is a string value")
        assert found["x-kubernetes-group-version-kind"] == [
            {"group": GROUP, "kind": "CronTab", "version": "v1"}
        ]


async def test_what_keeps_unknown_fields_at_its_root_lists_none_in_v2(web):
    await serve(web, version(schema={**OPEN, **spec_of(a=TEXT)}))
    second, third = await published(web)
    assert set(second) == {"type", "x-kubernetes-group-version-kind"}
    assert third["x-kubernetes-preserve-unknown-fields"] is True
    assert set(third["properties"]) == {"apiVersion", "kind", "metadata", "spec"}


async def test_v2_leaves_out_what_its_clients_stumble_over(web):
    maybe = {"type": "object", "nullable": True, "properties": {"b": TEXT}, "description": "Perhaps."}
    schema = spec_of(
        maybe=maybe, extra={**OPEN, "properties": {"c": TEXT}}, size={"type": "integer", "default": 1}
    )
    schema["properties"]["spec"]["required"] = ["maybe"]
    await serve(web, version(schema=schema))
    second, third = await published(web)
    assert second["properties"]["spec"] == {
        "type": "object",
        "properties": {
            "maybe": {"description": "Perhaps."},
            "extra": {"x-kubernetes-preserve-unknown-fields": True},
            "size": {"type": "integer"},
        },
    }
    assert third["properties"]["spec"] == schema["properties"]["spec"]


async def test_an_embedded_resource_has_the_fields_of_every_object(web):
    embedded = {"type": "object", "x-kubernetes-embedded-resource": True, "properties": {"spec": TEXT}}
    await serve(web, version(schema=spec_of(template=embedded)))
    _, third = await published(web)
    found = third["properties"]["spec"]["properties"]["template"]["properties"]
    assert set(found) == {"apiVersion", "kind", "metadata", "spec"}


@pytest.mark.parametrize(
    "change",
    [
        {"op": "replace", "path": "/spec/versions/1/name", "value": "v4"},
        {"op": "replace", "path": "/spec/versions/1/served", "value": False},
    ],
)
async def test_a_version_that_is_renamed_or_no_longer_served_goes(web, change):
    await serve(web, version("v2"), version("v3", storage=False))
    assert None not in await published(web, "v3")
    patch = {"Content-Type": "application/json-patch+json"}
    assert (await web.send("PATCH", f"{DEFINITIONS_PATH}/{NAME}", [change], headers=patch)).code == 200
    assert await published(web, "v3") == (None, None)
    assert None not in await published(web, "v2")
    if change["value"]:
        assert None not in await published(web, "v4")


async def test_kinds_of_one_group_and_version_are_published_together(web):
    await serve(web, version("v6"))
    names = {"plural": "waldos", "kind": "Waldo"}
    await web.send("POST", DEFINITIONS_PATH, definition(version("v6"), plural="waldos", names=names))
    await eventually(web, f"{DEFINITIONS_PATH}/waldos.{GROUP}", lambda body: is_true(body, "Established"))
    schemas = (await web.send("GET", f"/openapi/v3/apis/{GROUP}/v6")).body["components"]["schemas"]
    assert {named("v6"), named("v6", "Waldo")} <= set(schemas)

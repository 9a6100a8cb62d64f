"""CustomResourceDefinitions that the tests create, and how to wait until they are served."""

from __future__ import annotations

import asyncio
from typing import Any

from mamekube.client.client import Client
from mamekube.objects.conditions import is_true
from mamekube.objects.meta import Object, name_of
from mamekube.objects.resource import Resource
from mamekube.objects.status import StatusError

GROUP = "stable.example.com"
DEFINITIONS = Resource(
    group="apiextensions.k8s.io",
    version="v1",
    plural="customresourcedefinitions",
    kind="CustomResourceDefinition",
    namespaced=False,
)
CRONTABS = Resource(group=GROUP, version="v1", plural="crontabs", kind="CronTab")
PATH = f"/apis/{GROUP}/v1/namespaces/default/crontabs"
DEFINITIONS_PATH = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
NAME = f"crontabs.{GROUP}"
OPEN = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


def version(name: str = "v1", schema: Any = None, *, storage: bool = True, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "served": True,
        "storage": storage,
        "schema": {"openAPIV3Schema": OPEN if schema is None else schema},
        **more,
    }


def spec_of(**properties: Any) -> dict[str, Any]:
    """A schema with these fields in `spec`."""
    return {"type": "object", "properties": {"spec": {"type": "object", "properties": properties}}}


def definition(*versions: dict[str, Any], plural: str = "crontabs", **spec: Any) -> Object:
    names = {"plural": plural, "singular": "crontab", "kind": "CronTab", "shortNames": ["ct"]}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": names,
            "versions": list(versions) or [version()],
            **spec,
        },
    }


def crontab(name: str = "one", spec: Any = None, **more: Any) -> Object:
    obj = {
        "apiVersion": f"{GROUP}/v1",
        "kind": "CronTab",
        "metadata": {"name": name, "namespace": "default"},
        **more,
    }
    return obj if spec is None else {**obj, "spec": spec}


async def established(client: Client, made: Object) -> Object:
    """Create the definition, and wait until it is established."""
    created = await client.create(DEFINITIONS, made)
    return await until(client, name_of(created), lambda obj: obj is not None and is_true(obj, "Established"))


async def until(client: Client, name: str, holds: Any) -> Any:
    """Wait for what `holds` of the definition; None stands for a definition that is gone."""
    async with asyncio.timeout(10):
        while True:
            listing = await client.list(DEFINITIONS, field_selector=f"metadata.name={name}")
            found = listing.items[0] if listing.items else None
            if holds(found):
                return found
            async with client.watch(
                DEFINITIONS, field_selector=f"metadata.name={name}", revision=listing.revision
            ) as events:
                await anext(events)


async def refusal(write: Any) -> StatusError:
    try:
        await write
    except StatusError as error:
        return error
    raise AssertionError("it was not refused")

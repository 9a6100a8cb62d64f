"""Whom a controller owns: adopting matching orphans, and releasing what matches no longer.

The decision is pure (`claim`); the steps patch one owner reference each, guarded by the object's uid, as upstream's
`ControllerRefManager` does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from mamekube.client.client import Client
from mamekube.objects.meta import Object, being_deleted, labels_of, name_of, namespace_of, uid_of
from mamekube.objects.owners import controller_of, controller_reference
from mamekube.objects.resource import Resource
from mamekube.objects.selectors import Selector
from mamekube.objects.status import is_reason


@dataclass(slots=True)
class Claim:
    """What to keep, what to take, and what to let go."""

    owned: list[Object] = field(default_factory=list)
    adopt: list[Object] = field(default_factory=list)
    release: list[Object] = field(default_factory=list)


def claim(owner: Object, selector: Selector, candidates: Iterable[Object]) -> Claim:
    """Sort the candidates, which are all of the owner's namespace.

    An owner that is being deleted neither adopts nor releases; an object that is being deleted is not adopted.
    """
    claimed = Claim()
    owner_uid, owner_leaving = uid_of(owner), being_deleted(owner)
    for obj in candidates:
        reference = controller_of(obj)
        matches = selector.matches(labels_of(obj))
        if reference is not None:
            if reference.get("uid") != owner_uid:
                continue
            if matches:
                claimed.owned.append(obj)
            elif not owner_leaving:
                claimed.release.append(obj)
        elif matches and not owner_leaving and not being_deleted(obj):
            claimed.adopt.append(obj)
    return claimed


async def claim_objects(
    client: Client,
    owner_resource: Resource,
    owner: Object,
    *,
    resource: Resource,
    selector: Selector,
    candidates: Iterable[Object],
    controller: bool = True,
) -> list[Object]:
    """Adopt and release; answer what the owner owns afterwards."""
    claimed = claim(owner, selector, candidates)
    if not claimed.adopt and not claimed.release:
        return claimed.owned
    adopted: list[Object | None] = []
    if claimed.adopt and await _may_adopt(client, owner_resource, owner):
        reference = typed_reference(owner_resource, owner)
        adopted = await asyncio.gather(*(_adopt(client, resource, obj, reference) for obj in claimed.adopt))
    await asyncio.gather(*(_release(client, resource, obj, owner) for obj in claimed.release))
    return [*claimed.owned, *(obj for obj in adopted if obj is not None)]


def typed_reference(resource: Resource, owner: Object) -> dict[str, Any]:
    """The controller reference to `owner`, whose apiVersion and kind a list may have left out."""
    return controller_reference({**owner, "apiVersion": resource.api_version, "kind": resource.kind})


async def _may_adopt(client: Client, resource: Resource, owner: Object) -> bool:
    """Ask the API server itself: the cache may show an owner that is gone, or another one of that name."""
    try:
        live = await client.get(resource, name_of(owner), namespace=namespace_of(owner))
    except Exception as error:
        if is_reason(error, "NotFound"):
            return False
        raise
    return uid_of(live) == uid_of(owner) and not being_deleted(live)


async def _adopt(client: Client, resource: Resource, obj: Object, reference: dict[str, Any]) -> Object | None:
    patch = {"metadata": {"ownerReferences": [reference], "uid": uid_of(obj)}}
    return await _patch(client, resource, obj, patch)


async def _release(client: Client, resource: Resource, obj: Object, owner: Object) -> None:
    patch = {
        "metadata": {
            "ownerReferences": [{"$patch": "delete", "uid": uid_of(owner)}],
            "uid": uid_of(obj),
        }
    }
    await _patch(client, resource, obj, patch)


async def _patch(client: Client, resource: Resource, obj: Object, patch: Any) -> Object | None:
    """None where the object, or the one that had this uid, is gone: then there is nothing to do."""
    try:
        return await client.patch(
            resource, name_of(obj), patch, namespace=namespace_of(obj), patch_type="strategic"
        )
    except Exception as error:
        if is_reason(error, "NotFound", "Conflict", "Invalid"):
            return None
        raise

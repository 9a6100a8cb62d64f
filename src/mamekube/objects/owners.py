"""Owner references: who made an object, and who may adopt it."""

from __future__ import annotations

from typing import Any

from mamekube.objects.meta import Object, metadata, name_of, uid_of


def owners_of(obj: Object) -> list[dict[str, Any]]:
    return metadata(obj).get("ownerReferences") or []


def controller_of(obj: Object) -> dict[str, Any] | None:
    """The owner reference whose `controller` is true, of which there is at most one."""
    return next((owner for owner in owners_of(obj) if owner.get("controller")), None)


def is_controlled_by(obj: Object, owner: Object) -> bool:
    reference = controller_of(obj)
    return reference is not None and reference.get("uid") == uid_of(owner)


def controller_reference(owner: Object) -> dict[str, Any]:
    """The reference a controller writes into what it makes for `owner`, which carries apiVersion and kind."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": name_of(owner),
        "uid": uid_of(owner),
        "controller": True,
        "blockOwnerDeletion": True,
    }

"""`ResourceQuota` of `v1`."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.fields import Found, check_quantity
from mamekube.kinds.kind import Column, Kind
from mamekube.kinds.podspec.defaults import canonicalize
from mamekube.kinds.podspec.resources import validate_name
from mamekube.objects.fielderrors import invalid
from mamekube.objects.meta import Object

COLUMNS = (
    cells.NAME,
    Column(
        name="Request",
        description="Request represents a minimum amount of cpu/memory that a container may consume.",
    ),
    Column(
        name="Limit",
        description="Limits control the maximum amount of cpu/memory that a container may use independent of "
        "contention on the node.",
    ),
    cells.AGE,
)


def default(quota: Object) -> None:
    canonicalize(cells.spec_of(quota).get("hard"))


def prepare_create(quota: Object) -> None:
    quota["status"] = {}


def row(quota: Object, now_s: float) -> list[Any]:
    status = cells.status_of(quota)
    hard, used = status.get("hard") or {}, status.get("used") or {}
    texts: dict[bool, list[str]] = {True: [], False: []}
    for resource in sorted(hard):
        amounts = f"{cells.quantity_text(used.get(resource))}/{cells.quantity_text(hard[resource])}"
        texts[resource.startswith("limits.")].append(f"{resource}: {amounts}")
    return [cells.name(quota), ", ".join(texts[False]), ", ".join(texts[True]), cells.age(quota, now_s)]


def validate(quota: Object) -> Found:
    found: Found = []
    for name, amount in (cells.spec_of(quota).get("hard") or {}).items():
        path = f"spec.hard[{name}]"
        if not name.startswith("count/") and ".storageclass.storage.k8s.io/" not in name:
            validate_name(name, path, found)
        check_quantity(amount, path, found)
    return found


def validate_update(new: Object, old: Object) -> Found:
    scopes, had = cells.spec_of(new).get("scopes") or [], cells.spec_of(old).get("scopes") or []
    return [] if set(scopes) == set(had) else [invalid("spec.scopes", scopes, "field is immutable")]


KIND = Kind(
    group="",
    version="v1",
    plural="resourcequotas",
    singular="resourcequota",
    kind="ResourceQuota",
    short_names=("quota",),
    schema="io.k8s.api.core.v1.ResourceQuota",
    has_status=True,
    default=default,
    prepare_create=prepare_create,
    columns=COLUMNS,
    row=row,
    validate=validate,
    validate_update=validate_update,
)

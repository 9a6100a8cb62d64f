"""`ControllerRevision` of `apps/v1`."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.fields import Found, check_immutable
from mamekube.kinds.kind import Column, Kind
from mamekube.objects.fielderrors import invalid, required
from mamekube.objects.meta import Object
from mamekube.objects.owners import controller_of

COLUMNS = (
    cells.NAME,
    Column(name="Controller", description="Controller of the object"),
    Column(name="Revision", field="apps.v1.ControllerRevision.revision"),
    cells.AGE,
)


def row(revision: Object, now_s: float) -> list[Any]:
    owner = controller_of(revision)
    return [
        cells.name(revision),
        _owner_text(owner) if owner else cells.NONE,
        cells.count(revision, "revision"),
        cells.age(revision, now_s),
    ]


def _owner_text(owner: dict[str, Any]) -> str:
    group = (owner.get("apiVersion") or "").rpartition("/")[0]
    kind = f"{owner.get('kind') or ''}.{group}" if group else owner.get("kind") or ""
    return f"{kind.lower()}/{owner.get('name') or ''}"


def validate(revision: Object) -> Found:
    found: Found = []
    if revision.get("data") is None:
        found.append(required("data", "data is mandatory"))
    number = revision.get("revision")
    if number is not None and number < 0:
        found.append(invalid("revision", number, "must be greater than or equal to 0"))
    return found


def validate_update(new: Object, old: Object) -> Found:
    found: Found = []
    check_immutable(new, old, "data", "data", found)
    return found


KIND = Kind(
    group="apps",
    version="v1",
    plural="controllerrevisions",
    singular="controllerrevision",
    kind="ControllerRevision",
    schema="io.k8s.api.apps.v1.ControllerRevision",
    columns=COLUMNS,
    row=row,
    validate=validate,
    validate_update=validate_update,
)

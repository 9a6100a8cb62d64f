"""`ControllerRevision` of `apps/v1`."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.kind import Column, Kind
from mamekube.objects.meta import Object
from mamekube.objects.owners import controller_of

COLUMNS = (
    cells.NAME,
    Column(name="Controller", description="Controller of the object"),
    Column(name="Revision"),
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


KIND = Kind(
    group="apps",
    version="v1",
    plural="controllerrevisions",
    singular="controllerrevision",
    kind="ControllerRevision",
    schema="io.k8s.api.apps.v1.ControllerRevision",
    columns=COLUMNS,
    row=row,
)

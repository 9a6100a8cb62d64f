"""`VolumeAttachment` of `storage.k8s.io/v1`."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.kind import Column, Kind
from mamekube.objects.meta import Object

COLUMNS = (
    cells.NAME,
    Column(name="Attacher", format="name"),
    Column(name="PV"),
    Column(name="Node"),
    Column(name="Attached", type="boolean"),
    cells.AGE,
)


def prepare_create(attachment: Object) -> None:
    attachment["status"] = {"attached": False}


def row(attachment: Object, now_s: float) -> list[Any]:
    spec = cells.spec_of(attachment)
    return [
        cells.name(attachment),
        spec.get("attacher") or "",
        (spec.get("source") or {}).get("persistentVolumeName") or "",
        spec.get("nodeName") or "",
        bool(cells.status_of(attachment).get("attached")),
        cells.age(attachment, now_s),
    ]


KIND = Kind(
    group="storage.k8s.io",
    version="v1",
    plural="volumeattachments",
    singular="volumeattachment",
    kind="VolumeAttachment",
    namespaced=False,
    schema="io.k8s.api.storage.v1.VolumeAttachment",
    has_status=True,
    prepare_create=prepare_create,
    columns=COLUMNS,
    row=row,
)

"""`VolumeAttachment` of `storage.k8s.io/v1`."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.fields import Found, check_immutable
from mamekube.kinds.kind import ALL_METADATA, Column, Kind
from mamekube.objects.fielderrors import required
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


def validate(attachment: Object) -> Found:
    spec = cells.spec_of(attachment)
    found: Found = [required(f"spec.{field}") for field in ("attacher", "nodeName") if not spec.get(field)]
    source = spec.get("source") or {}
    if not source.get("persistentVolumeName") and source.get("inlineVolumeSpec") is None:
        found.append(
            required("spec.source", "must specify exactly one of inlineVolumeSpec and persistentVolumeName")
        )
    return found


def validate_update(new: Object, old: Object) -> Found:
    found: Found = []
    check_immutable(new, old, "spec", "spec", found)
    return found


KIND = Kind(
    group="storage.k8s.io",
    version="v1",
    plural="volumeattachments",
    singular="volumeattachment",
    kind="VolumeAttachment",
    namespaced=False,
    schema="io.k8s.api.storage.v1.VolumeAttachment",
    has_status=True,
    status_resets=(ALL_METADATA,),
    prepare_create=prepare_create,
    columns=COLUMNS,
    row=row,
    validate=validate,
    validate_update=validate_update,
)

"""`PersistentVolume` of `v1`."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.kind import Column, Kind
from mamekube.kinds.podspec.defaults import canonicalize, default_volume_source
from mamekube.objects.meta import Object, annotations_of, being_deleted

CLASS_ANNOTATION = "volume.beta.kubernetes.io/storage-class"

COLUMNS = (
    cells.NAME,
    Column(name="Capacity"),
    Column(name="Access Modes"),
    Column(name="Reclaim Policy"),
    Column(name="Status"),
    Column(name="Claim"),
    Column(name="StorageClass", description="StorageClass of the pv"),
    Column(name="VolumeAttributesClass", description="VolumeAttributesClass of the pv"),
    Column(name="Reason"),
    cells.AGE,
    Column(name="VolumeMode", priority=1),
)

_NO_SOURCES = frozenset(
    (
        "accessModes",
        "capacity",
        "claimRef",
        "mountOptions",
        "nodeAffinity",
        "persistentVolumeReclaimPolicy",
        "storageClassName",
        "volumeAttributesClassName",
        "volumeMode",
    )
)


def default(volume: Object) -> None:
    spec = volume.setdefault("spec", {})
    canonicalize(spec.get("capacity"))
    if not spec.get("persistentVolumeReclaimPolicy"):
        spec["persistentVolumeReclaimPolicy"] = "Retain"
    if not spec.get("volumeMode"):
        spec["volumeMode"] = "Filesystem"
    for name in sources_of(spec):
        default_volume_source(name, spec[name])


def sources_of(spec: dict[str, Any]) -> list[str]:
    """The fields of the spec that say what the volume is made of: one, where the volume is valid."""
    return [name for name, value in spec.items() if name not in _NO_SOURCES and value is not None]


def prepare_create(volume: Object) -> None:
    volume["status"] = {"phase": "Pending"}


def row(volume: Object, now_s: float) -> list[Any]:
    spec, status = cells.spec_of(volume), cells.status_of(volume)
    claim = spec.get("claimRef")
    return [
        cells.name(volume),
        cells.quantity_text((spec.get("capacity") or {}).get("storage")),
        cells.access_modes_text(spec.get("accessModes")),
        spec.get("persistentVolumeReclaimPolicy") or "",
        "Terminating" if being_deleted(volume) else status.get("phase") or "",
        f"{claim.get('namespace') or ''}/{claim.get('name') or ''}" if claim else "",
        annotations_of(volume).get(CLASS_ANNOTATION) or spec.get("storageClassName") or "",
        spec.get("volumeAttributesClassName") or cells.UNSET,
        status.get("reason") or "",
        cells.age(volume, now_s),
        spec.get("volumeMode") or cells.UNSET,
    ]


KIND = Kind(
    group="",
    version="v1",
    plural="persistentvolumes",
    singular="persistentvolume",
    kind="PersistentVolume",
    namespaced=False,
    short_names=("pv",),
    schema="io.k8s.api.core.v1.PersistentVolume",
    has_status=True,
    default=default,
    prepare_create=prepare_create,
    columns=COLUMNS,
    row=row,
)

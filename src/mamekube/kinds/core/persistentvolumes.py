"""`PersistentVolume` of `v1`."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import cells, fields
from mamekube.kinds.core import claims
from mamekube.kinds.fields import Found, section
from mamekube.kinds.kind import Column, Kind
from mamekube.kinds.podspec import scheduling, volumesources
from mamekube.kinds.podspec.defaults import canonicalize, default_volume_source
from mamekube.objects import names
from mamekube.objects.fielderrors import forbidden, not_supported, required
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
    spec = section(volume, "spec")
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


RECLAIM_POLICIES = frozenset(("Delete", "Recycle", "Retain"))


def validate(volume: Object) -> Found:
    found: Found = []
    spec = cells.spec_of(volume)
    claims.validate_access_modes(spec, "spec", found, missing="")
    capacity = spec.get("capacity") or {}
    if not capacity:
        found.append(required("spec.capacity"))
    elif "storage" not in capacity or len(capacity) > 1:
        found.append(not_supported("spec.capacity", capacity, ("storage",)))
    for name, amount in capacity.items():
        fields.check_quantity(amount, f"spec.capacity[{name}]", found)
    policy = spec.get("persistentVolumeReclaimPolicy")
    if policy and policy not in RECLAIM_POLICIES:
        found.append(not_supported("spec.persistentVolumeReclaimPolicy", policy, RECLAIM_POLICIES))
    wanted = (spec.get("nodeAffinity") or {}).get("required")
    if wanted is not None:
        scheduling.validate_node_selector(wanted, "spec.nodeAffinity.required", found)
    sources = {name: spec[name] for name in sources_of(spec)}
    volumesources.validate(sources, "spec", found, persistent=True)
    if spec.get("storageClassName"):
        fields.check(spec["storageClassName"], "spec.storageClassName", names.dns1123_subdomain, found)
    claims.validate_volume_mode(spec, "spec", found)
    return found


def validate_update(new: Object, old: Object) -> Found:
    after, before = cells.spec_of(new), cells.spec_of(old)
    if any(after.get(name) != before.get(name) for name in {*sources_of(after), *sources_of(before)}):
        return [
            forbidden(
                "spec.persistentvolumesource", "spec.persistentvolumesource is immutable after creation"
            )
        ]
    found: Found = []
    fields.check_immutable(after, before, "volumeMode", "spec.volumeMode", found)
    return found


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
    validate=validate,
    validate_update=validate_update,
)

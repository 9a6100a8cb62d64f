"""`PersistentVolume` of `v1`."""

from __future__ import annotations

from posixpath import normpath
from typing import Any

from mamekube.kinds import cells, differences, fields
from mamekube.kinds.core import claims, volumewarnings
from mamekube.kinds.fields import Found, section
from mamekube.kinds.kind import Column, Kind
from mamekube.kinds.podspec import scheduling, volumesources
from mamekube.kinds.podspec.defaults import canonicalize, default_volume_source
from mamekube.objects import names
from mamekube.objects.fielderrors import forbidden, invalid, not_supported, required
from mamekube.objects.meta import Object, annotations_of, being_deleted

CLASS_ANNOTATION = "volume.beta.kubernetes.io/storage-class"

COLUMNS = (
    cells.NAME,
    Column(name="Capacity", field="core.v1.PersistentVolumeSpec.capacity"),
    Column(name="Access Modes", field="core.v1.PersistentVolumeSpec.accessModes"),
    Column(name="Reclaim Policy", field="core.v1.PersistentVolumeSpec.persistentVolumeReclaimPolicy"),
    Column(name="Status", field="core.v1.PersistentVolumeStatus.phase"),
    Column(name="Claim", field="core.v1.PersistentVolumeSpec.claimRef"),
    Column(name="StorageClass", description="StorageClass of the pv"),
    Column(name="VolumeAttributesClass", description="VolumeAttributesClass of the pv"),
    Column(name="Reason", field="core.v1.PersistentVolumeStatus.reason"),
    cells.AGE,
    Column(name="VolumeMode", field="core.v1.PersistentVolumeSpec.volumeMode", priority=1),
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
        f"{claim.get('namespace') or ''}/{claim.get('name') or ''}" if claim is not None else "",
        cells.given(annotations_of(volume).get(CLASS_ANNOTATION), spec.get("storageClassName") or ""),
        cells.given(spec.get("volumeAttributesClassName"), cells.UNSET),
        status.get("reason") or "",
        cells.age(volume, now_s),
        cells.given(spec.get("volumeMode"), cells.UNSET),
    ]


SOURCE_IMMUTABLE = "spec.persistentvolumesource is immutable after creation"
STABLE_LABELS = {
    "failure-domain.beta.kubernetes.io/zone": "topology.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region": "topology.kubernetes.io/region",
    "beta.kubernetes.io/os": "kubernetes.io/os",
    "beta.kubernetes.io/arch": "kubernetes.io/arch",
    "beta.kubernetes.io/instance-type": "node.kubernetes.io/instance-type",
}
RECLAIM_POLICIES = frozenset(("Delete", "Recycle", "Retain"))


def validate(volume: Object) -> Found:
    found: Found = []
    spec = cells.spec_of(volume)
    claims.validate_access_modes(spec, "spec", found, missing="")
    capacity = spec.get("capacity") or {}
    if not capacity:
        found.append(required("spec.capacity"))
    if "storage" not in capacity or len(capacity) > 1:
        found.append(not_supported("spec.capacity", capacity, ("storage",)))
    for name, amount in capacity.items():
        claims.check_positive(amount, f"spec.capacity[{name}]", found)
    policy = spec.get("persistentVolumeReclaimPolicy")
    if policy and policy not in RECLAIM_POLICIES:
        found.append(not_supported("spec.persistentVolumeReclaimPolicy", policy, RECLAIM_POLICIES))
    affinity = spec.get("nodeAffinity")
    if affinity is not None and affinity.get("required") is None:
        found.append(required("spec.nodeAffinity.required", "must specify required node constraints"))
    elif affinity is not None:
        scheduling.validate_node_selector(affinity["required"], "spec.nodeAffinity.required", found)
    sources = {name: spec[name] for name in sources_of(spec)}
    volumesources.validate(sources, "spec", found, persistent=True)
    if "local" in sources and affinity is None:
        found.append(required("spec.nodeAffinity", "Local volume requires node affinity"))
    host_path = (spec.get("hostPath") or {}).get("path") or ""
    if policy == "Recycle" and host_path and normpath(host_path) in ("/", "//"):
        detail = "may not be 'recycle' for a hostPath mount of '/'"
        found.append(forbidden("spec.persistentVolumeReclaimPolicy", detail))
    if spec.get("storageClassName"):
        fields.check(spec["storageClassName"], "spec.storageClassName", names.dns1123_subdomain, found)
    claims.validate_volume_mode(spec, "spec", found)
    _validate_attributes(spec, found)
    return found


def _validate_attributes(spec: dict[str, Any], found: Found) -> None:
    name, path = spec.get("volumeAttributesClassName"), "spec.volumeAttributesClassName"
    if name is None:
        return
    if not name:
        found.append(required(path, "an empty string is disallowed"))
    else:
        fields.check(name, path, names.dns1123_subdomain, found)
    if spec.get("csi") is None:
        detail = "has to be specified when using volumeAttributesClassName"
        found.append(required("spec.csi", detail))


def validate_update(new: Object, old: Object) -> Found:
    after, before = cells.spec_of(new), cells.spec_of(old)
    found: Found = []
    now, had = ({name: spec[name] for name in sources_of(spec)} for spec in (after, before))
    if (had.get("csi") or {}).get("controllerExpandSecretRef") is None and "csi" in now and "csi" in had:
        # A volume may learn later with whose secret it grows.
        plain = {key: value for key, value in now["csi"].items() if key != "controllerExpandSecretRef"}
        now["csi"] = plain
    if now != had:
        detail = f"{SOURCE_IMMUTABLE}\n{differences.text(now, had)}"
        found.append(forbidden("spec.persistentvolumesource", detail))
    fields.check_immutable(after, before, "volumeMode", "volumeMode", found)
    if before.get("nodeAffinity") is not None and _stable(after) != _stable(before):
        detail = "field is immutable, except for updating from beta label to GA"
        found.append(invalid("nodeAffinity", after.get("nodeAffinity"), detail))
    field = "volumeAttributesClassName"
    if before.get(field) is not None and after.get(field) is None:
        found.append(forbidden(f"spec.{field}", "update from non-nil value to nil is forbidden"))
    return found


def _stable(spec: dict[str, Any]) -> list[Any]:
    """The wishes for nodes, with the labels of old under their names of today."""
    wanted = (spec.get("nodeAffinity") or {}).get("required") or {}
    return [
        {
            field: [
                {**expression, "key": STABLE_LABELS.get(expression.get("key"), expression.get("key"))}
                for expression in term.get(field) or ()
            ]
            for field in ("matchExpressions", "matchFields")
        }
        for term in wanted.get("nodeSelectorTerms") or ()
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
    validate=validate,
    validate_update=validate_update,
    warnings=volumewarnings.of_volume,
)

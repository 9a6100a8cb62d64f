"""`PersistentVolumeClaim` of `v1`."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import cells, differences
from mamekube.kinds.core import claims
from mamekube.kinds.fields import Found, section
from mamekube.kinds.kind import Column, Kind
from mamekube.kinds.podspec.defaults import default_claim_spec
from mamekube.objects import quantity
from mamekube.objects.fielderrors import forbidden
from mamekube.objects.meta import Object, annotations_of, being_deleted

CLASS_ANNOTATION = "volume.beta.kubernetes.io/storage-class"

COLUMNS = (
    cells.NAME,
    Column(name="Status"),
    Column(name="Volume"),
    Column(name="Capacity"),
    Column(name="Access Modes"),
    Column(name="StorageClass", description="StorageClass of the pvc"),
    Column(name="VolumeAttributesClass", description="VolumeAttributesClass of the pvc"),
    cells.AGE,
    Column(name="VolumeMode", priority=1),
)


def default(claim: Object) -> None:
    default_claim_spec(section(claim, "spec"))


def prepare_create(claim: Object) -> None:
    claim["status"] = {"phase": "Pending"}


def row(claim: Object, now_s: float) -> list[Any]:
    spec, status = cells.spec_of(claim), cells.status_of(claim)
    bound = bool(spec.get("volumeName"))
    return [
        cells.name(claim),
        "Terminating" if being_deleted(claim) else status.get("phase") or "",
        spec.get("volumeName") or "",
        cells.quantity_text((status.get("capacity") or {}).get("storage")) if bound else "",
        cells.access_modes_text(status.get("accessModes")) if bound else "",
        annotations_of(claim).get(CLASS_ANNOTATION) or spec.get("storageClassName") or "",
        spec.get("volumeAttributesClassName") or cells.UNSET,
        cells.age(claim, now_s),
        spec.get("volumeMode") or cells.UNSET,
    ]


IMMUTABLE = "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"
SHRUNK = "field can not be less than status.capacity"


def validate(claim: Object) -> Found:
    found: Found = []
    claims.validate_spec(cells.spec_of(claim), "spec", found)
    return found


def validate_update(new: Object, old: Object) -> Found:
    after, before = dict(cells.spec_of(new)), dict(cells.spec_of(old))
    grown, had = _requested(after), _requested(before)
    changeable = ["volumeAttributesClassName"]
    # Whoever binds the claim fills in the volume, and upstream lets a class be added to a claim without one.
    changeable += [field for field in ("volumeName", "storageClassName") if not before.get(field)]
    if cells.status_of(old).get("phase") == "Bound":
        changeable.append("resources")
    for field in changeable:
        after.pop(field, None)
        before.pop(field, None)
    if after != before:
        return [forbidden("spec", f"{IMMUTABLE}\n{differences.text(after, before)}")]
    if grown is not None and had is not None and grown < had:
        return [forbidden("spec.resources.requests.storage", SHRUNK)]
    return []


def _requested(spec: dict[str, Any]) -> Any:
    amount = ((spec.get("resources") or {}).get("requests") or {}).get("storage")
    try:
        return None if amount is None else quantity.parse_any(amount)
    except ValueError:
        return None


KIND = Kind(
    group="",
    version="v1",
    plural="persistentvolumeclaims",
    singular="persistentvolumeclaim",
    kind="PersistentVolumeClaim",
    short_names=("pvc",),
    schema="io.k8s.api.core.v1.PersistentVolumeClaim",
    has_status=True,
    default=default,
    prepare_create=prepare_create,
    columns=COLUMNS,
    row=row,
    validate=validate,
    validate_update=validate_update,
)

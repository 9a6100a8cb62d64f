"""`PersistentVolumeClaim` of `v1`."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import cells, differences
from mamekube.kinds.core import claims, volumewarnings
from mamekube.kinds.fields import Found, check_immutable, section
from mamekube.kinds.kind import Column, Kind
from mamekube.kinds.podspec.defaults import default_claim_spec
from mamekube.objects import quantity
from mamekube.objects.fielderrors import forbidden, invalid
from mamekube.objects.meta import Object, annotations_of, being_deleted

CLASS_ANNOTATION = "volume.beta.kubernetes.io/storage-class"

COLUMNS = (
    cells.NAME,
    Column(name="Status", field="core.v1.PersistentVolumeClaimStatus.phase"),
    Column(name="Volume", field="core.v1.PersistentVolumeClaimSpec.volumeName"),
    Column(name="Capacity", field="core.v1.PersistentVolumeClaimStatus.capacity"),
    Column(name="Access Modes", field="core.v1.PersistentVolumeClaimStatus.accessModes"),
    Column(name="StorageClass", description="StorageClass of the pvc"),
    Column(name="VolumeAttributesClass", description="VolumeAttributesClass of the pvc"),
    cells.AGE,
    Column(name="VolumeMode", field="core.v1.PersistentVolumeClaimSpec.volumeMode", priority=1),
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
        cells.given(annotations_of(claim).get(CLASS_ANNOTATION), spec.get("storageClassName") or ""),
        cells.given(spec.get("volumeAttributesClassName"), cells.UNSET),
        cells.age(claim, now_s),
        cells.given(spec.get("volumeMode"), cells.UNSET),
    ]


IMMUTABLE = "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"
SHRUNK = "field can not be less than status.capacity"


def validate(claim: Object) -> Found:
    found: Found = []
    claims.validate_spec(cells.spec_of(claim), "spec", found)
    return found


def validate_update(new: Object, old: Object) -> Found:
    """Whoever binds a claim fills in its volume; afterwards it may grow, and have other attributes."""
    found: Found = []
    after, before = dict(cells.spec_of(new)), dict(cells.spec_of(old))
    grown, had = _requested(after), _requested(before)
    _check_class(new, old, found)
    if not before.get("volumeName"):
        before.pop("volumeName", None)
        after.pop("volumeName", None)
    if _takes_class(new, old):
        before.pop("storageClassName", None)
        after.pop("storageClassName", None)
    if cells.status_of(old).get("phase") == "Bound":
        resources = after.get("resources") or {}
        if resources.get("requests") is not None:
            kept = ((before.get("resources") or {}).get("requests") or {}).get("storage")
            after["resources"] = {**resources, "requests": {**resources["requests"], "storage": kept}}
        if after.get("volumeAttributesClassName") is not None:
            for spec in (after, before):
                spec.pop("volumeAttributesClassName", None)
    if after != before:
        found.append(forbidden("spec", f"{IMMUTABLE}\n{differences.text(after, before)}"))
    size = (cells.status_of(old).get("capacity") or {}).get("storage") or "0"
    if grown is not None and had is not None and grown < had and grown <= quantity.parse_any(size):
        found.append(forbidden("spec.resources.requests.storage", SHRUNK))
    check_immutable(cells.spec_of(new), cells.spec_of(old), "volumeMode", "volumeMode", found)
    _check_attributes(cells.spec_of(new), cells.spec_of(old), found)
    return found


def _check_attributes(after: dict[str, Any], before: dict[str, Any], found: Found) -> None:
    path, field = "spec.volumeAttributesClassName", "volumeAttributesClassName"
    if before.get(field) is None or after.get(field) == before[field]:
        return
    if after.get(field) is None:
        found.append(forbidden(path, "update from non-nil value to nil is forbidden"))
    elif not after[field]:
        found.append(forbidden(path, "update from non-nil value to an empty string is forbidden"))


def _takes_class(new: Object, old: Object) -> bool:
    """A claim without a class may be given one: any, or that of the annotation from before there was the field."""
    after, before = cells.spec_of(new).get("storageClassName"), cells.spec_of(old).get("storageClassName")
    annotation = annotations_of(old).get(CLASS_ANNOTATION)
    return after is not None and before is None and annotation in (None, after)


def _check_class(new: Object, old: Object, found: Found) -> None:
    after, before = (annotations_of(claim).get(CLASS_ANNOTATION, "") for claim in (new, old))
    if after != before and not (_takes_class(new, old) and before and not after):
        found.append(invalid(f"metadata.annotations.{CLASS_ANNOTATION}", after, "field is immutable"))


def validate_status(new: Object, old: Object) -> Found:
    found: Found = []
    for name, amount in (cells.status_of(new).get("capacity") or {}).items():
        try:
            value = quantity.value(amount)
        except ValueError:
            continue
        if value < 0:
            detail = "must be a valid resource quantity"
            found.append(invalid(f"status.capacity[{name}]", value, detail))
    return found


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
    validate_status=validate_status,
    warnings=volumewarnings.of_claim,
)

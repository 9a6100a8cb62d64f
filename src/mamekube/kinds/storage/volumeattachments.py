"""`VolumeAttachment` of `storage.k8s.io/v1`."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.fields import INT32_MAX, Found, check, check_driver, check_immutable
from mamekube.kinds.kind import ALL_METADATA, Column, Kind
from mamekube.kinds.storage import inlinevolumes
from mamekube.objects import names
from mamekube.objects.fielderrors import forbidden, invalid, required, too_long
from mamekube.objects.meta import Object

COLUMNS = (
    cells.NAME,
    Column(name="Attacher", field="storage.v1.VolumeAttachmentSpec.attacher", format="name"),
    Column(name="PV", field="storage.v1.VolumeAttachmentSource.persistentVolumeName"),
    Column(name="Node", field="storage.v1.VolumeAttachmentSpec.nodeName"),
    Column(name="Attached", field="storage.v1.VolumeAttachmentStatus.attached", type="boolean"),
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


ONE_SOURCE = "must specify exactly one of inlineVolumeSpec and persistentVolumeName"
METADATA_BYTES_MAX = 256 * 1024
MESSAGE_BYTES_MAX = 1024


def validate(attachment: Object) -> Found:
    found: Found = []
    spec, status = cells.spec_of(attachment), cells.status_of(attachment)
    if not spec.get("attacher"):
        found.append(required("spec.attacher"))
    _validate_source(spec.get("source") or {}, "spec.source", found)
    check(spec.get("nodeName") or "", "spec.nodeName", names.dns1123_subdomain, found)
    told = status.get("attachmentMetadata") or {}
    if sum(len(key.encode()) + len((told[key] or "").encode()) for key in told) > METADATA_BYTES_MAX:
        found.append(too_long("status.attachmentMetadata", METADATA_BYTES_MAX))
    for field in ("attachError", "detachError"):
        _validate_error(status.get(field) or {}, f"status.{field}", found)
    return found


def _validate_source(source: dict[str, Any], path: str, found: Found) -> None:
    name, inline = source.get("persistentVolumeName"), source.get("inlineVolumeSpec")
    if name is None and inline is None:
        found.append(required(path, ONE_SOURCE))
    elif name is not None and inline is not None:
        found.append(forbidden(path, ONE_SOURCE))
    elif name == "":
        detail = "must specify non empty persistentVolumeName"
        found.append(required(f"{path}.persistentVolumeName", detail))
    elif inline is not None:
        inlinevolumes.validate(inline, f"{path}.inlineVolumeSpec", found)


def _validate_error(error: dict[str, Any], path: str, found: Found) -> None:
    code = error.get("errorCode")
    if len((error.get("message") or "").encode()) > MESSAGE_BYTES_MAX:
        # Upstream names the limit of the metadata.
        found.append(too_long(f"{path}.message", METADATA_BYTES_MAX))
    if code is not None and code < 0:
        found.append(invalid(f"{path}.errorCode", code, names.in_range(0, INT32_MAX)))


def validate_create(attachment: Object) -> Found:
    found: Found = []
    spec = cells.spec_of(attachment)
    check_driver(spec.get("attacher"), "spec.attacher", found)
    name = (spec.get("source") or {}).get("persistentVolumeName")
    if name is not None:
        check(name, "spec.source.persistentVolumeName", names.dns1123_subdomain, found)
    return found


def validate_status(new: Object, old: Object) -> Found:
    return validate(new)


def default(attachment: Object) -> None:
    inline = (cells.spec_of(attachment).get("source") or {}).get("inlineVolumeSpec")
    if inline is not None:
        inlinevolumes.default(inline)


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
    default=default,
    prepare_create=prepare_create,
    columns=COLUMNS,
    row=row,
    validate=validate,
    validate_create=validate_create,
    validate_update=validate_update,
    validate_status=validate_status,
)

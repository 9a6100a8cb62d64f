"""Claims for storage: PersistentVolumeClaims, and what volumes share with them."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import selectors
from mamekube.kinds.fields import Found, check, check_quantity
from mamekube.objects import names
from mamekube.objects.fielderrors import forbidden, invalid, not_supported, required

ACCESS_MODES = frozenset(("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"))
VOLUME_MODES = frozenset(("Block", "Filesystem"))


def validate_access_modes(spec: dict[str, Any], path: str, found: Found, *, missing: str) -> None:
    modes = spec.get("accessModes") or []
    if not modes:
        found.append(required(f"{path}.accessModes", missing))
    for mode in modes:
        if mode not in ACCESS_MODES:
            found.append(not_supported(f"{path}.accessModes", mode, ACCESS_MODES))
    if "ReadWriteOncePod" in modes and any(mode in ACCESS_MODES - {"ReadWriteOncePod"} for mode in modes):
        detail = "may not use ReadWriteOncePod with other access modes"
        found.append(forbidden(f"{path}.accessModes", detail))


def validate_volume_mode(spec: dict[str, Any], path: str, found: Found) -> None:
    mode = spec.get("volumeMode")
    if mode is not None and mode not in VOLUME_MODES:
        found.append(not_supported(f"{path}.volumeMode", mode, VOLUME_MODES))


def validate_spec(spec: dict[str, Any], path: str, found: Found) -> None:
    validate_access_modes(spec, path, found, missing="at least 1 access mode is required")
    selectors.validate(spec.get("selector"), f"{path}.selector", found)
    storage = ((spec.get("resources") or {}).get("requests") or {}).get("storage")
    storage_path = f"{path}.resources[storage]"
    if storage is None:
        found.append(required(storage_path))
    else:
        check_positive(storage, storage_path, found)
    for field in ("storageClassName", "volumeAttributesClassName"):
        if field == "volumeAttributesClassName":
            validate_volume_mode(spec, path, found)
            _validate_sources(spec, path, found)
        if spec.get(field):
            check(spec[field], f"{path}.{field}", names.dns1123_subdomain, found)


def check_positive(amount: Any, path: str, found: Found) -> None:
    wrong: Found = []
    value = check_quantity(amount, path, wrong)
    if value is None:
        found.extend(wrong)
    elif value <= 0:
        found.append(invalid(path, str(amount), "must be greater than zero"))


def _validate_sources(spec: dict[str, Any], path: str, found: Found) -> None:
    """What the volume is to be filled from, said in two fields, of which the newer may name another namespace."""
    source, reference = spec.get("dataSource"), spec.get("dataSourceRef")
    for field, value in (("dataSource", source), ("dataSourceRef", reference)):
        if value is not None:
            _validate_source(value, f"{path}.{field}", found)
    if source is None or reference is None:
        return
    # Upstream shows the path of the other field as the wrong value, in its own structure, which is empty.
    if reference.get("namespace"):
        detail = "may not be specified when dataSourceRef.namespace is specified"
        found.append(invalid(path, {}, detail))
    elif any(source.get(field) != reference.get(field) for field in ("apiGroup", "kind", "name")):
        found.append(invalid(path, {}, "must match dataSourceRef"))


def _validate_source(source: dict[str, Any], path: str, found: Found) -> None:
    group, kind = source.get("apiGroup") or "", source.get("kind") or ""
    for field in ("name", "kind"):
        if not source.get(field):
            found.append(required(f"{path}.{field}"))
    if not group and kind != "PersistentVolumeClaim":
        detail = "must be 'PersistentVolumeClaim' when referencing the default apiGroup"
        found.append(invalid(path, kind, detail))
    if group:
        check(group, f"{path}.apiGroup", names.dns1123_subdomain, found)
    if source.get("namespace"):
        check(source["namespace"], f"{path}.namespace", names.dns1123_label, found)

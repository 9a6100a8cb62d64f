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
    if "ReadWriteOncePod" in modes and len(modes) > 1:
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
        amount = check_quantity(storage, storage_path, found)
        if amount == 0:
            found.append(invalid(storage_path, str(storage), "must be greater than zero"))
    if spec.get("storageClassName"):
        check(spec["storageClassName"], f"{path}.storageClassName", names.dns1123_subdomain, found)
    validate_volume_mode(spec, path, found)

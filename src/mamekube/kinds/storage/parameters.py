"""What StorageClass and VolumeAttributesClass share: who provides the volumes, and what he is told."""

from __future__ import annotations

from collections.abc import Mapping

from mamekube.kinds.fields import Found, check_required
from mamekube.objects import names
from mamekube.objects.fielderrors import invalid, required, too_long

COUNT_MAX = 512
BYTES_MAX = 256 * 1024


def check_provisioner(name: str | None, path: str, found: Found) -> None:
    check_required((name or "").lower(), path, names.qualified_name, found)


def check_parameters(
    parameters: Mapping[str, str] | None, found: Found, *, needed: bool = False, path: str = "parameters"
) -> None:
    if len(parameters or {}) > COUNT_MAX:
        found.append(too_long(path, COUNT_MAX))
        return
    size = 0
    for key, value in (parameters or {}).items():
        if not key:
            found.append(invalid(path, key, "field can not be empty."))
        size += len(key.encode()) + len((value or "").encode())
    if size > BYTES_MAX:
        found.append(too_long(path, BYTES_MAX))
    if needed and not parameters:
        found.append(required(path, "must contain at least one key/value pair"))

"""What ConfigMaps and Secrets share: keys, size, and data that can be made immutable."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mamekube.kinds.fields import Found, check
from mamekube.objects import names
from mamekube.objects.fielderrors import forbidden, too_long
from mamekube.objects.meta import Object

SIZE_BYTES_MAX = 1024 * 1024
IMMUTABLE = "field is immutable when `immutable` is set"


def validate_keys(data: Mapping[str, Any], path: str, found: Found) -> None:
    for key in data:
        check(key, f"{path}[{key}]", names.config_key, found)


def validate_size(size_bytes: int, path: str, found: Found) -> None:
    if size_bytes > SIZE_BYTES_MAX:
        found.append(too_long(path, SIZE_BYTES_MAX))


def validate_immutable(new: Object, old: Object, fields: Iterable[str], found: Found) -> None:
    if not old.get("immutable"):
        return
    if not new.get("immutable"):
        found.append(forbidden("immutable", IMMUTABLE))
    for field in fields:
        if (new.get(field) or {}) != (old.get(field) or {}):
            found.append(forbidden(field, IMMUTABLE))


def decoded_size(text: str) -> int:
    """Bytes that a text in base64 stands for."""
    return len(text) * 3 // 4 - text[-2:].count("=")

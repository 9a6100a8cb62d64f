"""How objects of this group refer to others, whatever their kind."""

from __future__ import annotations

from typing import Any

from mamekube.kinds.fields import Found, check, check_required
from mamekube.objects import names


def check_reference(reference: dict[str, Any], path: str, found: Found) -> None:
    """An `apiGroup`, a `kind` and a `name`."""
    if reference.get("apiGroup") is not None:
        check(reference["apiGroup"], f"{path}.apiGroup", names.dns1123_subdomain, found)
    for field in ("kind", "name"):
        check_required(reference.get(field), f"{path}.{field}", names.path_segment, found)

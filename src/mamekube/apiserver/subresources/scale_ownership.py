"""Who owns the replicas: the entries of an object as those of its Scale, and back. Upstream: ScaleHandler."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mamekube.apiserver.bodies import SCALE
from mamekube.objects.patches import field_sets, managed_fields

Entry = dict[str, Any]

REPLICAS = ("spec", "replicas")


def of_scale(entries: Sequence[Entry], path: tuple[str, ...]) -> list[Entry]:
    """The entries that own the field at `path`, as owning the replicas of the Scale."""
    fields = field_sets.of_paths((REPLICAS,))
    return [
        {**entry, "apiVersion": SCALE.api_version, "fieldsV1": fields}
        for entry in entries
        if _owns(entry, path)
    ]


def of_parent(
    entries: Sequence[Entry], scale: Sequence[Entry], path: tuple[str, ...], api_version: str
) -> list[Entry]:
    """`entries` after those of the Scale became `scale`: some lost the field, some have it now."""
    owners = {_identity(entry): entry for entry in scale if _owns(entry, REPLICAS)}
    mine = field_sets.of_paths((path,))
    found: list[Entry] = []
    for entry in entries:
        if not _owns(entry, path) or owners.pop(_identity(entry), None) is not None:
            found.append(entry)
            continue
        left = field_sets.difference(entry["fieldsV1"], mine)
        if left:
            found.append({**entry, "fieldsV1": left})
    found += [{**entry, "apiVersion": api_version, "fieldsV1": mine} for entry in owners.values()]
    return managed_fields.ordered(found)


def _owns(entry: Entry, path: tuple[str, ...]) -> bool:
    mask = field_sets.of_paths((path,))
    return bool(field_sets.intersection(entry.get("fieldsV1") or {}, mask))


def _identity(entry: Entry) -> tuple[str, ...]:
    return entry.get("manager", ""), entry["operation"], entry.get("subresource", "")

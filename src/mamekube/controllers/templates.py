"""Pod templates: the hash that names what is made from them, and when two of them are the same. Pure."""

from __future__ import annotations

import json
from typing import Any

from mamekube.objects.meta import Object

HASH_LABEL = "pod-template-hash"

_SAFE_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
"""apimachinery's: no vowels, so no words, and no characters that are read as another."""


def fnv32a(data: bytes) -> int:
    digest = 2166136261
    for byte in data:
        digest = ((digest ^ byte) * 16777619) & 0xFFFFFFFF
    return digest


def safe_encode(text: str) -> str:
    """`text` in characters that are safe in names: `rand.SafeEncodeString`."""
    return "".join(_SAFE_ALPHABET[ord(character) % len(_SAFE_ALPHABET)] for character in text)


def template_hash(template: Object, collision_count: int | None) -> str:
    """The same for the same template and collision count, on every machine and in every process."""
    data = json.dumps(pruned(template), sort_keys=True, separators=(",", ":")).encode()
    if collision_count is not None:
        data += collision_count.to_bytes(4, "little")
    return safe_encode(str(fnv32a(data)))


def same_template(first: Object, second: Object) -> bool:
    """Whether pods made from either are the same, apart from the hash label."""
    return _without_hash(first) == _without_hash(second)


def _without_hash(template: Object) -> Any:
    labels = (template.get("metadata") or {}).get("labels") or {}
    if HASH_LABEL in labels:
        labels = {key: value for key, value in labels.items() if key != HASH_LABEL}
        template = {**template, "metadata": {**template["metadata"], "labels": labels}}
    return pruned(template)


def pruned(value: Any) -> Any:
    """Without nulls, and without empty lists and strings in objects: absent and empty mean the same there.

    Empty objects stay (`emptyDir: {}`), except in metadata, where only `labels` and the like can be empty.
    """
    if isinstance(value, dict):
        kept = ((key, pruned(item)) for key, item in value.items())
        return {
            key: item
            for key, item in kept
            if not (item is None or item == [] or item == "" or (item == {} and key in _EMPTY_MEANS_ABSENT))
        }
    if isinstance(value, list):
        return [pruned(item) for item in value]
    return value


_EMPTY_MEANS_ABSENT = ("labels", "annotations", "metadata", "resources", "limits", "requests", "nodeSelector")

"""Pods of one template: their specs are equal but for the name of the volume with their token.

What was found right once is right again, so specs that were are remembered by what makes them alike.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson

RIGHT_MAX = 1_000
BYTES_MAX = 8 * 1024
"""Of a spec that is remembered; longer ones are looked at each time."""

_TOKEN_VOLUME = re.compile(rb'"kube-api-access-[a-z0-9]{5}"')
_ANY_TOKEN_VOLUME = b"\0"
"""Nothing that is in any JSON text."""

_OF_ONE_POD = re.compile(rb'"(?:ephemeral|resourceClaims)"')
"""Whether these are right depends on more of the pod than its spec."""

_right: set[bytes] = set()


def likeness(spec: Mapping[str, Any]) -> bytes:
    """Equal for specs that differ only in the five characters which make the token's volume their own."""
    text = orjson.dumps(spec)
    if len(set(_TOKEN_VOLUME.findall(text))) != 1:
        return text
    return _TOKEN_VOLUME.sub(_ANY_TOKEN_VOLUME, text)


def is_right(text: bytes) -> bool:
    return text in _right


def note_right(text: bytes) -> None:
    if len(text) <= BYTES_MAX and not _OF_ONE_POD.search(text):
        if len(_right) >= RIGHT_MAX:
            _right.clear()
        _right.add(text)

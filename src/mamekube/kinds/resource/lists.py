"""Lists and maps with a limit: what is too long is not looked into."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

from mamekube.kinds.fields import Found
from mamekube.kinds.resource import identifiers
from mamekube.objects.fielderrors import duplicate, too_many

Check = Callable[[Any, str, Found], None]


def check_list(items: Sequence[Any] | None, path: str, found: Found, *, most: int, each: Check) -> bool:
    """Whether the items were looked at."""
    if items and len(items) > most:
        found.append(too_many(path, len(items), most))
        return False
    for index, item in enumerate(items or ()):
        each(item, f"{path}[{index}]", found)
    return True


def check_set(
    items: Sequence[Any] | None,
    path: str,
    found: Found,
    *,
    each: Check,
    key: Callable[[Any], Hashable] | None = None,
    shown: Callable[[Any], Any] | None = None,
    most: int | None = None,
) -> None:
    """`key`: what must differ from item to item; `shown`: how messages show it."""
    items = items or ()
    if not check_list(items, path, found, most=len(items) if most is None else most, each=each):
        return
    seen = set()
    for index, item in enumerate(items):
        known = key(item) if key else item
        if known in seen:
            found.append(duplicate(f"{path}[{index}]", shown(item) if shown else known))
        seen.add(known)


def check_map(
    entries: Mapping[str, Any] | None,
    path: str,
    found: Found,
    *,
    check_key: Check,
    each: Check | None = None,
    most: int | None = None,
    key_length_max: int,
) -> None:
    entries = entries or {}
    if most is not None and len(entries) > most:
        found.append(too_many(path, len(entries), most))
        return
    for key, value in entries.items():
        check_key(key, path, found)
        if each is not None:
            each(value, f"{path}[{identifiers.shortened(key, key_length_max)}]", found)

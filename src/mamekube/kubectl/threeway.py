"""The patch of `kubectl apply`: what the new configuration adds and changes, and what it no longer has.

Inputs are the last applied configuration, the new one and the live object. The result is a strategic merge
patch; lists with a merge key are patched entry by entry, other lists are replaced.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

MERGE_KEYS: dict[str, tuple[str, ...]] = {
    "containers": ("name",),
    "initContainers": ("name",),
    "ephemeralContainers": ("name",),
    "volumes": ("name",),
    "env": ("name",),
    "volumeMounts": ("mountPath",),
    "volumeDevices": ("devicePath",),
    "imagePullSecrets": ("name",),
    "hostAliases": ("ip",),
    "topologySpreadConstraints": ("topologyKey",),
    "ownerReferences": ("uid",),
    "conditions": ("type",),
    "secrets": ("name",),
    "webhooks": ("name",),
}
"""List fields that upstream merges, by the key of an entry. `ports` has two, told apart by what stands in them."""


def three_way_patch(applied: Any, wanted: Any, live: Any) -> dict[str, Any]:
    """The patch; empty where the live object is as it should be."""
    return _objects(applied or {}, wanted, live)


def _objects(applied: dict[str, Any], wanted: dict[str, Any], live: dict[str, Any]) -> dict[str, Any]:
    patch: dict[str, Any] = {}
    for name, value in wanted.items():
        before, now = applied.get(name), live.get(name)
        if value is None:
            if now is not None:
                patch[name] = None
        elif isinstance(value, dict) and isinstance(now, dict):
            if inner := _objects(before if isinstance(before, dict) else {}, value, now):
                patch[name] = inner
        elif isinstance(value, list) and isinstance(now, list):
            patch |= _lists(name, before if isinstance(before, list) else [], value, now)
        elif value != now:
            patch[name] = value
    for name in applied:
        if name not in wanted and name in live:
            patch[name] = None
    return patch


def _lists(name: str, applied: list[Any], wanted: list[Any], live: list[Any]) -> dict[str, Any]:
    key = _merge_key(name, wanted or applied)
    if key is None:
        return {} if wanted == live else {name: wanted}
    lives = {entry.get(key): entry for entry in live if isinstance(entry, dict)}
    befores = {entry.get(key): entry for entry in applied if isinstance(entry, dict)}
    changes: list[Any] = []
    for entry in wanted:
        identity = entry.get(key)
        if identity not in lives:
            changes.append(entry)
        elif inner := _objects(befores.get(identity, {}), entry, lives[identity]):
            changes.append({key: identity, **inner})
    kept = {entry.get(key) for entry in wanted}
    gone = [identity for identity in befores if identity not in kept and identity in lives]
    changes += [{"$patch": "delete", key: identity} for identity in gone]
    if not changes:
        return {}
    order = [{key: entry.get(key)} for entry in wanted]
    return {f"$setElementOrder/{name}": order, name: changes}


def _merge_key(name: str, entries: Sequence[Any]) -> str | None:
    if not all(isinstance(entry, dict) for entry in entries):
        return None
    if name == "ports":
        return "containerPort" if any("containerPort" in entry for entry in entries) else "port"
    keys = MERGE_KEYS.get(name)
    return keys[0] if keys and all(keys[0] in entry for entry in entries) else None

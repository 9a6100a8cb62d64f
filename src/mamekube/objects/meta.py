"""Reading and building the metadata that every object has.

Objects are plain dicts, the wire JSON. An object that came out of a cache, a store or a watch is read-only;
whoever edits copies the changed path first (`edited`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

Object: TypeAlias = dict[str, Any]
"""A Kubernetes object as its wire JSON."""


def same(first: Any, second: Any) -> bool:
    """Whether two values are the same JSON: unlike Python's, true is not 1."""
    if isinstance(first, dict) and isinstance(second, dict):
        return first.keys() == second.keys() and all(same(value, second[key]) for key, value in first.items())
    if isinstance(first, list) and isinstance(second, list):
        return len(first) == len(second) and all(map(same, first, second))
    return isinstance(first, bool) == isinstance(second, bool) and bool(first == second)


def metadata(obj: Object) -> dict[str, Any]:
    return obj.get("metadata") or {}


def name_of(obj: Object) -> str:
    return str(metadata(obj).get("name", ""))


def namespace_of(obj: Object) -> str:
    """`""` for an object of cluster scope."""
    return str(metadata(obj).get("namespace", ""))


def uid_of(obj: Object) -> str:
    return str(metadata(obj).get("uid", ""))


def revision_of(obj: Object) -> str:
    return str(metadata(obj).get("resourceVersion", ""))


def labels_of(obj: Object) -> dict[str, str]:
    return metadata(obj).get("labels") or {}


def annotations_of(obj: Object) -> dict[str, str]:
    return metadata(obj).get("annotations") or {}


def key_of(obj: Object) -> str:
    """`namespace/name`, or `name` for an object of cluster scope: the key of caches and work queues."""
    namespace = namespace_of(obj)
    return f"{namespace}/{name_of(obj)}" if namespace else name_of(obj)


def make_key(namespace: str, name: str) -> str:
    return f"{namespace}/{name}" if namespace else name


def split_key(key: str) -> tuple[str, str]:
    """`(namespace, name)` of a key."""
    namespace, _, name = key.rpartition("/")
    return namespace, name


def being_deleted(obj: Object) -> bool:
    return bool(metadata(obj).get("deletionTimestamp"))


def has_finalizer(obj: Object, finalizer: str) -> bool:
    return finalizer in (metadata(obj).get("finalizers") or ())


def edited(obj: Object, path: Iterable[str], value: Any) -> Object:
    """`obj` with `value` at `path`, every dict on the way copied and nothing else; None removes the field."""
    head, *rest = path
    copy = dict(obj)
    if rest:
        copy[head] = edited(copy.get(head) or {}, rest, value)
    elif value is None:
        copy.pop(head, None)
    else:
        copy[head] = value
    return copy

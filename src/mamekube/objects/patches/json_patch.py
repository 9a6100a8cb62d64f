"""JSON patch: RFC 6902, with what upstream's library (evanphx/json-patch v4) adds: negative indices.

Whatever keeps a patch from applying is one 422 with one text, as upstream answers it; the exception's cause says
what it was. The work is bounded by the number of operations and by the bytes that `copy` may add.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from mamekube.foundation.limits import BODY_BYTES_MAX, JSON_PATCH_OPERATIONS_MAX
from mamekube.objects import gotext
from mamekube.objects.meta import same
from mamekube.objects.status import StatusError, bad_request, too_large

COPY_BYTES_MAX = BODY_BYTES_MAX
"""What all `copy` operations of one patch may add. Upstream: JSONPatchMaxCopyBytes, 3 MiB."""

INDEX_LENGTH_MAX = 20
"""Of a 64-bit number with its sign. Python refuses to read thousands of digits in words of its own."""

REFUSAL = "the server rejected our request due to an error in our request"

FIELDS = frozenset({"op", "path", "from", "value"})


class PatchError(ValueError):
    """An operation that does not apply."""


def apply(doc: Any, operations: Any) -> Any:
    """`doc` after all `operations`, sharing what stayed.

    Raises 400 for what is no patch, 413 for too many operations, 422 where one does not apply.
    """
    check(operations)
    work = _Work(doc)
    try:
        for operation in operations:
            work.run(operation)
    except PatchError as error:
        raise StatusError(422, "Invalid", REFUSAL, details={}) from error
    return work.doc


def check(operations: Any) -> None:
    """Raises 400 unless this is a list of operations, and 413 if it is too long."""
    if not isinstance(operations, list):
        raise bad_request(
            f"error decoding patch: json: cannot unmarshal {gotext.json_kind(operations)} into Go value of type "
            "[]handlers.jsonPatchOp"
        )
    if len(operations) > JSON_PATCH_OPERATIONS_MAX:
        raise too_large(
            f"The allowed maximum operations in a JSON patch is {JSON_PATCH_OPERATIONS_MAX}, got {len(operations)}"
        )
    for operation in operations:
        if not isinstance(operation, dict):
            raise bad_request(
                f"error decoding patch: json: cannot unmarshal {gotext.json_kind(operation)} into Go value of type "
                "handlers.jsonPatchOp"
            )
        for name in ("op", "path", "from"):
            if not isinstance(operation.get(name, ""), str):
                raise bad_request(
                    f"error decoding patch: json: cannot unmarshal {gotext.json_kind(operation[name])} into Go struct "
                    f"field jsonPatchOp.{name} of type string"
                )


def strict_errors(operations: list[Any]) -> list[str]:
    """What strict decoding has to say of the patch itself: fields that no operation has."""
    return [
        f'json patch unknown field "[{index}].{key}"'
        for index, operation in enumerate(operations)
        if isinstance(operation, dict)
        for key in operation
        if key not in FIELDS
    ]


class _Work:
    """One patch at work on a document of which it copies each container before its first change.

    Invariant: `_own` holds the containers made here that stand in one place only, so they may be changed.
    """

    def __init__(self, doc: Any) -> None:
        self.doc = doc
        self._own: dict[int, Any] = {}
        self._copied_bytes = 0

    def run(self, operation: dict[str, Any]) -> None:
        run = _OPERATIONS.get(operation.get("op", ""))
        if run is None:
            raise PatchError(f"Unexpected kind: {operation.get('op')}")
        if "path" not in operation:
            raise PatchError("operation missing path field")
        run(self, operation)

    def add(self, operation: dict[str, Any]) -> None:
        self._add(operation["path"], _value(operation), "add")

    def remove(self, operation: dict[str, Any]) -> None:
        self._remove(operation["path"], "remove")

    def replace(self, operation: dict[str, Any]) -> None:
        path, value = operation["path"], _value(operation)
        if not path:
            self.doc = value
            return
        container, key = self._parent(path, "replace")
        _get(container, key, f"replace operation does not apply: doc is missing key: {path}")
        if isinstance(container, list):
            container[_index(container, key)] = value
        else:
            container[key] = value

    def move(self, operation: dict[str, Any]) -> None:
        source, path = _source(operation), operation["path"]
        if path.startswith(source + "/"):
            raise PatchError(f"unable to move '{source}' into itself")
        value = self._find(source, "move")
        self._remove(source, "move")
        self._add(path, value, "move")

    def copy(self, operation: dict[str, Any]) -> None:
        value = self._find(_source(operation), "copy")
        written = orjson.dumps(value)
        self._copied_bytes += len(written)
        if self._copied_bytes > COPY_BYTES_MAX:
            raise PatchError(
                "Unable to complete the copy, the accumulated size increase of copy is "
                f"{self._copied_bytes}, exceeding the limit {COPY_BYTES_MAX}"
            )
        # Read again, so that nothing stands in two places: the new one may be inside of the old.
        self._add(operation["path"], orjson.loads(written), "copy")

    def test(self, operation: dict[str, Any]) -> None:
        path = operation["path"]
        found = self._find(path, "test", missing=None)
        if not same(found, operation.get("value")):
            raise PatchError(f"testing value {path} failed: test failed")

    def _add(self, path: str, value: Any, verb: str) -> None:
        if not path:
            self.doc = value
            return
        container, key = self._parent(path, verb)
        if isinstance(container, list):
            container.insert(len(container) if key == "-" else _index(container, key, extra=1), value)
        else:
            container[key] = value

    def _remove(self, path: str, verb: str) -> None:
        if not path:
            raise PatchError(f"{verb} operation does not apply: the whole document cannot be removed")
        container, key = self._parent(path, verb)
        _get(container, key, f"error in {verb} for path: '{path}': Unable to remove nonexistent key: {key}")
        if isinstance(container, list):
            del container[_index(container, key)]
        else:
            del container[key]

    def _find(self, path: str, verb: str, **default: Any) -> Any:
        """The value at `path`; `missing` is the answer where only the last step is not there."""
        value, (*steps, last) = self.doc, ["", *_tokens(path)]
        if not path:
            return value
        lost = f'{verb} operation does not apply: doc is missing path: "{path}": missing value'
        for token in steps[1:]:
            value = _get(value, token, lost)
        if "missing" in default and isinstance(value, dict) and last not in value:
            return default["missing"]
        return _get(value, last, lost)

    def _parent(self, path: str, verb: str) -> tuple[Any, str]:
        """The container that the last step of `path` is in, ready to be changed, and that step."""
        *steps, last = _tokens(path)
        lost = f'{verb} operation does not apply: doc is missing path: "{path}": missing value'
        container = self.doc = self._owned(self.doc, lost)
        for token in steps:
            below = self._owned(_get(container, token, lost), lost)
            if isinstance(container, list):
                container[_index(container, token)] = below
            else:
                container[token] = below
            container = below
        return container, last

    def _owned(self, container: Any, lost: str) -> Any:
        if not isinstance(container, (dict, list)):
            raise PatchError(lost)
        if id(container) in self._own:
            return container
        copy = container.copy()
        self._own[id(copy)] = copy
        return copy


_OPERATIONS: dict[str, Callable[[_Work, dict[str, Any]], None]] = {
    "add": _Work.add,
    "remove": _Work.remove,
    "replace": _Work.replace,
    "move": _Work.move,
    "copy": _Work.copy,
    "test": _Work.test,
}


def _value(operation: dict[str, Any]) -> Any:
    if "value" not in operation:
        raise PatchError(f"{operation['op']} operation missing value field")
    return operation["value"]


def _source(operation: dict[str, Any]) -> str:
    if "from" not in operation:
        raise PatchError(f"unable to decode from: operation {operation['op']} has none")
    return str(operation["from"])


def _tokens(path: str) -> list[str]:
    """The steps of a JSON pointer (RFC 6901), without the first empty one."""
    if path and not path.startswith("/"):
        raise PatchError(f"path {path!r} does not start with a slash")
    return [token.replace("~1", "/").replace("~0", "~") for token in path.split("/")[1:]]


def _get(container: Any, key: str, lost: str) -> Any:
    if isinstance(container, list):
        return container[_index(container, key)]
    if isinstance(container, dict) and key in container:
        return container[key]
    raise PatchError(lost)


def _index(values: list[Any], key: str, *, extra: int = 0) -> int:
    """An index into `values`; one below zero counts from the end, as upstream's library has it."""
    length = len(values) + extra
    if not key.removeprefix("-").isdecimal() or not key.isascii() or len(key) > INDEX_LENGTH_MAX:
        raise PatchError(f"value was not a proper array index: '{key}'")
    index = int(key)
    if not -length <= index < length:
        raise PatchError(f"Unable to access invalid index: {index}: invalid index referenced")
    return index if index >= 0 else index + length

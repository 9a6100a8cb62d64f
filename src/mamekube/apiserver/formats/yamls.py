"""YAML, read into JSON's values and written from them.

The reader is YAML 1.1 as upstream's: `yes` and `on` are booleans, but a time stays text. Aliases are resolved
only while the document, with all of them written out, stays below a limit ("billion laughs").
"""

from __future__ import annotations

from typing import Any

import yaml

INTEGER_MIN, INTEGER_MAX = -(2**63), 2**64 - 1
"""Beyond, JSON's reader makes a fraction of a number."""

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_Dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class YamlError(ValueError):
    """A document that is no YAML, or one that JSON cannot say."""


class _JsonLoader(_Loader):
    """SafeLoader without what JSON does not have: times stay text."""


_JsonLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in _Loader.yaml_implicit_resolvers.items()
}


class _PlainDumper(_Dumper):
    """Writes every value out: no anchors for what appears twice."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def decode(body: bytes, *, depth_max: int, nodes_max: int) -> Any:
    """The one document in `body`. Raises YamlError."""
    try:
        _check_depth(body, depth_max)
        value = yaml.load(body, Loader=_JsonLoader)
    except (yaml.YAMLError, ValueError) as error:
        raise YamlError(f"yaml: {_first_line(error)}") from None
    size = _size(value, {}, nodes_max)
    if size > nodes_max:
        raise YamlError("yaml: document contains excessive aliasing")
    return _to_json(value)


def encode(value: Any) -> bytes:
    text: str = yaml.dump(value, Dumper=_PlainDumper, sort_keys=True, allow_unicode=True, width=1_000_000)
    return text.encode()


def repeated_keys(body: bytes) -> str:
    """What strict decoding says of keys that stand twice in one map of `body`, which is good YAML; `""` for nothing."""
    found: list[str] = []
    pending = [yaml.compose(body, Loader=_JsonLoader)]
    known: set[int] = set()
    while pending:
        node = pending.pop()
        if id(node) in known:
            continue
        known.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            pending += reversed(node.value)
        elif isinstance(node, yaml.MappingNode):
            found += _repeated_in(node)
            pending += [value for _, value in reversed(node.value)]
    return "\n  ".join(["yaml: unmarshal errors:", *found]) if found else ""


def _repeated_in(mapping: yaml.MappingNode) -> list[str]:
    keys: set[str] = set()
    found = []
    for key, value in mapping.value:
        if isinstance(key, yaml.ScalarNode):
            if key.value in keys:
                found.append(f'line {value.start_mark.line + 1}: key "{key.value}" already set in map')
            keys.add(key.value)
    return found


def _check_depth(body: bytes, depth_max: int) -> None:
    depth = 0
    for event in yaml.parse(body, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > depth_max:
                raise YamlError("yaml: exceeded max depth")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _size(value: Any, known: dict[int, int], limit: int) -> int:
    """How many values `value` has with its aliases written out; shared parts are counted once and added often."""
    if not isinstance(value, dict | list):
        return 1
    if id(value) in known:
        return known[id(value)]
    # An alias inside of what it names would never end: the entry makes it count as too large.
    known[id(value)] = limit + 1
    parts = value.values() if isinstance(value, dict) else value
    size = 1
    for part in parts:
        size = min(limit + 1, size + _size(part, known, limit))
    known[id(value)] = size
    return size


def _to_json(value: Any) -> Any:
    if isinstance(value, dict):
        return {_key(key): _to_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_to_json(item) for item in value]
    if isinstance(value, int) and not INTEGER_MIN <= value <= INTEGER_MAX:
        return _as_fraction(value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    raise YamlError(f"yaml: cannot represent {type(value).__name__} as JSON")


def _as_fraction(value: int) -> float:
    """As JSON's reader takes a number of so many digits."""
    try:
        return float(value)
    except OverflowError:
        raise YamlError("yaml: a number is too large") from None


def _key(key: Any) -> str:
    if isinstance(key, bool):
        return "true" if key else "false"
    if isinstance(key, str):
        return key
    if isinstance(key, int | float):
        return str(key)
    raise YamlError(f"yaml: unsupported map key of type {type(key).__name__}")


def _first_line(error: BaseException) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None)
    if mark is not None and problem:
        return f"line {mark.line + 1}: {problem}"
    return str(error).partition("\n")[0]

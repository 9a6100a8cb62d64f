"""Values seen through their schema: which paths they have, what differs, merging, removing by path.

The typed half of structured-merge-diff. Nothing here changes a value it is given; results share what stayed.
A null counts as a value where a client wrote one; decoding has dropped the others before.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import orjson

from mamekube.objects.meta import same
from mamekube.objects.patches.field_sets import LEAF, SELF, FieldSet, is_member
from mamekube.objects.schema import ANY, ASSOCIATIVE, LIST, MAP, OBJECT, SCALARS, UNTYPED, Schema

Walker: TypeAlias = Callable[[Schema, Any], FieldSet]
Step: TypeAlias = tuple[str, Schema, Walker | None]
"""Of one field: its path element, its schema, and how its value is walked (None: it is a leaf)."""


# Steps of the walk --------------------------------------------------------------------------------------


def _steps(schema: Schema) -> dict[str, Step]:
    """The steps by field, worked out once for a schema. Maps and unknown fields are not in it."""
    plan: dict[str, Step] | None = schema.plan
    if plan is None:
        plan = schema.plan = {name: _step(name, field) for name, field in schema.fields.items()}
    return plan


def _step(name: str, schema: Schema) -> Step:
    return "f:" + name, schema, None if schema.atomic else _WALKERS[schema.type]


def _step_of(schema: Schema, name: str) -> Step:
    """The step of a map's value or an unknown field."""
    return _step(name, schema.child(name) or UNTYPED)


def element_name(schema: Schema, element: Any) -> str:
    """The path element of a list element: `k:` with its keys, or `v:` with the value. ValueError says why not."""
    if schema.list_type != ASSOCIATIVE:
        return "v:" + orjson.dumps(element).decode()
    if not isinstance(element, dict):
        null = element is None
        raise ValueError(f"associative list with keys may not have {'a null' if null else 'non-map'} element")
    keys = schema.keys
    if len(keys) == 1 and type(element.get(keys[0])) is str:
        return f'k:{{"{keys[0]}":{orjson.dumps(element[keys[0]]).decode()}}}'
    found = {}
    for key in sorted(keys):
        if key in element:
            found[key] = element[key]
        else:
            field = schema.element.fields.get(key)
            if field is not None and field.default is not None:
                found[key] = field.default
    if not found:
        names = " ".join(f'"{key}"' for key in keys)
        raise ValueError(
            f"associative list with keys has an element that omits all key fields [{names}] "
            "(and doesn't have default values for any key fields)"
        )
    return "k:" + orjson.dumps(found).decode()


def _index(schema: Schema, values: Sequence[Any]) -> tuple[dict[str, Any], set[str]]:
    """Elements by name, and the names that more than one element has."""
    found: dict[str, Any] = {}
    twice: set[str] = set()
    for value in values:
        try:
            name = element_name(schema, value)
        except ValueError:
            continue
        if name in found:
            twice.add(name)
        found[name] = value
    return found, twice


# Every path of a new value ------------------------------------------------------------------------------


def _all_of_struct(schema: Schema, value: Any) -> FieldSet:
    if not isinstance(value, dict):
        return LEAF
    steps = schema.plan or _steps(schema)
    node: FieldSet = {SELF: LEAF}
    for key, item in value.items():
        name, field, walk = steps.get(key) or _step_of(schema, key)
        node[name] = walk(field, item) if walk and item else LEAF
    return node


def _all_of_map(schema: Schema, value: Any) -> FieldSet:
    if not isinstance(value, dict):
        return LEAF
    element = schema.element
    node: FieldSet = {SELF: LEAF}
    if element.atomic:
        for key in value:
            node["f:" + key] = LEAF
    else:
        walk = _WALKERS[element.type]
        for key, item in value.items():
            node["f:" + key] = walk(element, item) if item else LEAF
    return node


def _all_of_list(schema: Schema, value: Any) -> FieldSet:
    if not isinstance(value, list):
        return LEAF
    found, twice = _index(schema, value)
    element = schema.element
    walk = None if element.atomic else _WALKERS[element.type]
    node: FieldSet = {SELF: LEAF}
    for name, item in found.items():
        node[name] = walk(element, item) if walk and item and name not in twice else LEAF
    return node


def _all_of_untyped(schema: Schema, value: Any) -> FieldSet:
    if not isinstance(value, dict):
        return LEAF
    node: FieldSet = {SELF: LEAF}
    for key, item in value.items():
        node["f:" + key] = _all_of_untyped(schema, item) if type(item) is dict and item else LEAF
    return node


_WALKERS: dict[str, Walker] = {
    OBJECT: _all_of_struct,
    MAP: _all_of_map,
    LIST: _all_of_list,
    ANY: _all_of_untyped,
} | {scalar: (lambda schema, value: LEAF) for scalar in SCALARS}


# What differs -------------------------------------------------------------------------------------------


def compare(schema: Schema, old: dict[str, Any], new: dict[str, Any]) -> tuple[FieldSet, FieldSet]:
    """`(changed, removed)`: the paths that are new or have another value in `new`, and those that it lacks.

    Structs that upstream holds by value are never missing, only empty.
    """
    steps = schema.plan or _steps(schema)
    changed: FieldSet = {}
    removed: FieldSet = {}
    for key, value in new.items():
        before = old.get(key)
        if (before is value or _equal(schema, before, value)) and (before is not None or key in old):
            continue
        name, field, walk = steps.get(key) or _step_of(schema, key)
        if key in old:
            if walk is None:
                changed[name] = LEAF
            else:
                _compare_child(name, field, before, value, changed, removed)
        elif field.by_value:
            _compare_child(name, field, {}, value, changed, removed)
        else:
            node = walk(field, value) if walk and value else LEAF
            if field.required and node and not schema.custom:
                node = {element: below for element, below in node.items() if element != SELF}
            changed[name] = node
    for key, before in old.items():
        if key not in new:
            name, field, walk = steps.get(key) or _step_of(schema, key)
            if field.by_value:
                _compare_child(name, field, before, {}, changed, removed)
            else:
                removed[name] = walk(field, before) if walk and before else LEAF
    return changed, removed


def _equal(schema: Schema, old: Any, new: Any) -> bool:
    """Only a custom resource may have true where it had 1, which is equal in Python."""
    return bool(old == new) and (not schema.custom or same(old, new))


def _compare_child(
    name: str, field: Schema, old: Any, new: Any, changed: FieldSet, removed: FieldSet
) -> None:
    """Note how two values of one field differ that are both there and not equal."""
    if isinstance(old, dict) and isinstance(new, dict) and not field.atomic and field.type != LIST:
        below_changed, below_removed = compare(field, old, new)
    elif isinstance(old, list) and isinstance(new, list) and not field.atomic and field.type == LIST:
        below_changed, below_removed = _compare_lists(field, old, new)
    else:
        changed[name] = LEAF
        return
    if below_changed:
        changed[name] = below_changed
    if below_removed:
        removed[name] = below_removed


def _compare_lists(schema: Schema, old: list[Any], new: list[Any]) -> tuple[FieldSet, FieldSet]:
    olds, old_twice = _index(schema, old)
    news, new_twice = _index(schema, new)
    element = schema.element
    walk = None if element.atomic else _WALKERS[element.type]
    changed: FieldSet = {}
    removed: FieldSet = {}
    by_name: tuple[dict[str, list[Any]], dict[str, list[Any]]] | None = None
    for name, value in news.items():
        if name not in olds:
            changed[name] = walk(element, value) if walk and value and name not in new_twice else LEAF
        elif name in old_twice or name in new_twice:
            by_name = by_name or (_all_by_name(schema, old), _all_by_name(schema, new))
            if by_name[0].get(name) != by_name[1].get(name):
                changed[name] = LEAF
        elif not _equal(schema, olds[name], value):
            _compare_child(name, element, olds[name], value, changed, removed)
    for name, value in olds.items():
        if name not in news:
            removed[name] = walk(element, value) if walk and value and name not in old_twice else LEAF
    return changed, removed


def _all_by_name(schema: Schema, values: list[Any]) -> dict[str, list[Any]]:
    """The elements of each name, in their order, without those that have none."""
    found: dict[str, list[Any]] = {}
    for value in values:
        try:
            name = element_name(schema, value)
        except ValueError:
            continue
        found.setdefault(name, []).append(value)
    return found


# The set of an applied configuration --------------------------------------------------------------------


def fields_of(schema: Schema, value: dict[str, Any]) -> FieldSet:
    """The paths that an applied configuration sets: leaves, empty structs, list elements; not structs as such."""
    result: FieldSet = {}
    for key, item in value.items():
        name, field, walk = _steps(schema).get(key) or _step_of(schema, key)
        if walk is None or not item or not isinstance(item, (dict, list)):
            result[name] = LEAF
            continue
        if isinstance(item, dict):
            below = fields_of(field, item)
        else:
            below = _fields_of_list(field, item) if field.type == LIST else LEAF
        declared = schema.type == OBJECT and key in schema.fields
        result[name] = below if declared or not below else {SELF: LEAF, **below}
    return result


def _fields_of_list(schema: Schema, values: list[Any]) -> FieldSet:
    found, twice = _index(schema, values)
    result: FieldSet = {}
    for name, value in found.items():
        if name in twice or schema.element.atomic or not isinstance(value, dict):
            result[name] = LEAF
        else:
            below = fields_of(schema.element, value)
            result[name] = {SELF: LEAF, **below} if below else LEAF
    return result


# Merging ------------------------------------------------------------------------------------------------


def merge(schema: Schema, live: Any, config: Any) -> Any:
    """`live` with everything that `config` says; neither is changed. Null in a built-in kind is as good as absent."""
    if config is None or live is None or schema.atomic:
        return config
    if isinstance(live, dict) and isinstance(config, dict):
        result = dict(live)
        for key, value in config.items():
            field = schema.child(key) or UNTYPED
            if value is None and not (schema.custom or field.custom):
                result.pop(key, None)
            else:
                result[key] = merge(field, live.get(key), value)
        return result
    if isinstance(live, list) and isinstance(config, list) and schema.type == LIST:
        return _merge_lists(schema, live, config)
    return config


def _merge_lists(schema: Schema, live: list[Any], config: list[Any]) -> list[Any]:
    """The order of `config`, with elements only `live` has staying behind their neighbours."""
    configs, _ = _index(schema, config)
    lives, live_twice = _index(schema, live)
    live_names = [element_name(schema, value) for value in live]
    config_names = list(configs)
    shared = deque(name for name in config_names if name in lives)
    result: list[Any] = []
    merged: set[str] = set()

    def take(name: str) -> None:
        merged.add(name)
        mine = None if name in live_twice else lives.get(name)
        result.append(merge(schema.element, mine, configs[name]))
        if shared and shared[0] == name:
            shared.popleft()

    left = right = 0
    while left < len(live_names) or right < len(config_names):
        if left < len(live_names):
            name = live_names[left]
            if right < len(config_names) and name == config_names[right]:
                take(name)
                left += 1
                right += 1
                continue
            if name not in configs:
                result.append(live[left])
                left += 1
                continue
            if name in merged or (right < len(config_names) and shared and shared[0] != name):
                left += 1
                continue
        if right < len(config_names):
            take(config_names[right])
            right += 1
    return result


# Removing -----------------------------------------------------------------------------------------------


def remove(schema: Schema, value: Any, fields: FieldSet) -> Any:
    """`value` without the paths in `fields`. A map or list that loses its last element becomes None; a struct that
    is held by value becomes empty."""
    if schema.type == LIST and isinstance(value, list):
        kept = _remove_elements(schema, value, fields)
        return kept or (value if not value else None)
    if not isinstance(value, dict) or not value:
        return value
    result: dict[str, Any] = {}
    for key, item in value.items():
        node = fields.get("f:" + key)
        if node is None:
            result[key] = item
            continue
        field = schema.child(key) or UNTYPED
        rest = None if is_member(node) else remove(field, item, node)
        if rest is not None:
            result[key] = rest
        elif field.by_value:
            result[key] = {}
    return result or None


def _remove_elements(schema: Schema, values: list[Any], fields: FieldSet) -> list[Any]:
    kept: list[Any] = []
    for value in values:
        try:
            node = fields.get(element_name(schema, value))
        except ValueError:
            node = None
        if node is None:
            kept.append(value)
        elif not is_member(node):
            rest = remove(schema.element, value, node)
            if rest is not None:
                kept.append(rest)
    return kept


def with_named_fields(schema: Schema, fields: FieldSet) -> FieldSet:
    """`fields` and, of everything in it, the declared fields of structs on the way there."""
    result: FieldSet = {}
    for element, node in fields.items():
        if not node:
            result[element] = node
            continue
        if element.startswith("f:"):
            key = element[2:]
            below = with_named_fields(schema.child(key) or UNTYPED, node)
            declared = schema.type == OBJECT and key in schema.fields
        else:
            below = with_named_fields(schema.element if schema.type == LIST else UNTYPED, node)
            declared = False
        result[element] = {SELF: LEAF, **below} if declared and SELF not in below else below
    return result

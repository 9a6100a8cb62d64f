"""Strategic merge patch: merge by the rules that the schema gives for each field.

Maps merge. Lists merge where the schema says so, elements that are objects by their merge key and scalars as a
set; other lists are replaced. Directives in the patch say more: `$patch` (replace, delete, merge), `$retainKeys`,
`$deleteFromPrimitiveList/FIELD`, `$setElementOrder/FIELD`. Custom resources have no such rules and refuse the
patch. Rules and texts are apimachinery's `util/strategicpatch`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mamekube.objects import gotext
from mamekube.objects.meta import Object
from mamekube.objects.schema import LIST, UNTYPED, Schema
from mamekube.objects.status import StatusError, bad_request

DIRECTIVE = "$patch"
RETAIN_KEYS = "$retainKeys"
DELETE_FROM_LIST = "$deleteFromPrimitiveList/"
SET_ORDER = "$setElementOrder/"

BAD_RETAIN_KEYS = "invalid patch format of retainKeys"
BAD_PRIMITIVE_LIST = "invalid patch format of primitive list"
BAD_ORDER = "invalid patch format of setElementOrder list"


def apply(doc: Object, patch: Object, schema: Schema) -> Object:
    """`doc` with `patch` merged in; both stay as they are, and the result shares what stayed.

    Raises 400 (a directive of wrong form), 422 (`$retainKeys` does not name all keys) and 500 (an element
    without its merge key), as upstream does.
    """
    result: Object = _merge_map(doc, patch, schema)
    return result


def _merge_map(original: dict[str, Any], patch: dict[str, Any], schema: Schema) -> dict[str, Any]:
    if DIRECTIVE in patch:
        directive = patch[DIRECTIVE]
        if directive == "replace":
            return {key: value for key, value in patch.items() if key != DIRECTIVE}
        if directive == "delete":
            return {}
        if directive != "merge":
            raise _failure(f"unknown patch type found: {directive}")
    result = dict(original)
    if RETAIN_KEYS in patch:
        result = _retained(original, patch)
    ordered: set[str] = set()
    for key, value in patch.items():
        if key.startswith(SET_ORDER):
            field = key.removeprefix(SET_ORDER)
            ordered.add(field)
            _merge_ordered(result, patch, field, value, schema)
    for key, value in patch.items():
        if key in (DIRECTIVE, RETAIN_KEYS) or key.startswith(SET_ORDER) or key in ordered:
            continue
        if key.startswith(DELETE_FROM_LIST):
            _delete_from_list(result, key.removeprefix(DELETE_FROM_LIST), value)
        elif value is None:
            result.pop(key, None)
        elif key not in result:
            result[key] = _plain(value)
        else:
            result[key] = _merge_value(result[key], value, schema.child(key) or UNTYPED)
    return result


def _merge_value(original: Any, value: Any, schema: Schema) -> Any:
    if isinstance(original, dict) and isinstance(value, dict):
        return _plain(value) if schema.replaces else _merge_map(original, value, schema)
    if isinstance(original, list) and isinstance(value, list):
        if schema.type == LIST and schema.strategy == "merge":
            return _merge_list(original, value, schema)
        return _plain(value)
    return _plain(value)


def _plain(value: Any) -> Any:
    """A value of the patch where there is nothing to merge it with: without directives and nulls in maps."""
    if isinstance(value, dict):
        return {
            key: _plain(item) for key, item in value.items() if item is not None and not _is_directive(key)
        }
    if isinstance(value, list):
        return [
            _plain(item)
            for item in value
            if not (isinstance(item, dict) and item.get(DIRECTIVE) in ("delete", "replace"))
        ]
    return value


def _is_directive(key: str) -> bool:
    return key in (DIRECTIVE, RETAIN_KEYS) or key.startswith((SET_ORDER, DELETE_FROM_LIST))


def _retained(original: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    retained = patch[RETAIN_KEYS]
    if not isinstance(retained, list):
        raise bad_request(BAD_RETAIN_KEYS)
    kept = {key for key in retained if isinstance(key, str)}
    for key, value in patch.items():
        if value is not None and not _is_directive(key) and key not in kept:
            raise StatusError(
                422,
                "Invalid",
                "the server rejected our request due to an error in our request",
                details={},
            )
    return {key: value for key, value in original.items() if key in kept}


# Lists --------------------------------------------------------------------------------------------------


def _delete_from_list(result: dict[str, Any], field: str, values: Any) -> None:
    if not isinstance(values, list):
        raise bad_request(BAD_PRIMITIVE_LIST)
    if isinstance(result.get(field), list):
        result[field] = _without(result[field], values)


def _without(items: list[Any], removal: list[Any]) -> list[Any]:
    """The items that do not stand in `removal`, which names scalars only."""
    gone = {_scalar(value) for value in removal}
    return [item for item in items if isinstance(item, dict | list) or item not in gone]


def _merge_ordered(
    result: dict[str, Any], patch: dict[str, Any], field: str, order: Any, schema: Schema
) -> None:
    """Merge the list `field` and put it in the order of a `$setElementOrder` directive."""
    if not isinstance(order, list):
        raise bad_request(BAD_ORDER)
    original = result.get(field)
    value = patch.get(field)
    below = schema.child(field) or UNTYPED
    if field in patch and value is None:
        result.pop(field, None)
        return
    if not isinstance(original, list) and not isinstance(value, list):
        return
    removal = patch.get(DELETE_FROM_LIST + field)
    name = _namer(below.merge_key)
    if isinstance(value, list):
        _check_order(value, order, name)
        merged = _merge_value(original, value, below) if isinstance(original, list) else _plain(value)
    else:
        merged = original
    if isinstance(removal, list):
        merged = _without(merged, removal)
    server_order = original if isinstance(original, list) else []
    result[field] = _in_order(merged, order, server_order, name)


def _check_order(values: list[Any], order: list[Any], name: Callable[[Any], Any]) -> None:
    """The elements of the patch must stand in the directive, in the same order."""
    names = [name(item) for item in order]
    position = 0
    for value in values:
        if isinstance(value, dict) and DIRECTIVE in value:
            continue
        try:
            position = names.index(name(value), position) + 1
        except ValueError:
            raise _failure(
                f"The order in patch list:\n{values}\n doesn't match {SET_ORDER[:-1]} list:\n{order}\n"
            ) from None


def _merge_list(original: list[Any], patch: list[Any], schema: Schema) -> list[Any]:
    if not any(isinstance(item, dict) for item in (*original, *patch)):
        merged = list(dict.fromkeys(_scalar(item) for item in (*original, *patch)))
        return _in_order(merged, patch, original, _namer(""))
    if not schema.merge_key:
        raise _failure(f"cannot merge lists without merge key for {schema.go_type}")
    name = _namer(schema.merge_key)
    original, patch, replaced = _without_directives(original, patch, name)
    if replaced:
        return [_plain(item) for item in patch]
    merged = list(original)
    places: dict[Any, int] = {}
    for index, item in enumerate(merged):
        places.setdefault(name(item), index)
    for item in patch:
        place = places.get(name(item))
        if place is None:
            places[name(item)] = len(merged)
            merged.append(_plain(item))
        else:
            merged[place] = _merge_map(merged[place], item, schema.element)
    return _in_order(merged, patch, original, name)


def _without_directives(
    original: list[Any], patch: list[Any], name: Callable[[Any], Any]
) -> tuple[list[Any], list[Any], bool]:
    """Original and patch after what elements such as `{"$patch": "delete", "name": "x"}` say, and whether the
    patch replaces the list."""
    rest: list[Any] = []
    gone: set[Any] = set()
    replaced = False
    for item in patch:
        if not isinstance(item, dict):
            raise _failure(f"expected a map, but received a {gotext.kind_name(item)}")
        directive = item.get(DIRECTIVE)
        if directive is None:
            rest.append(item)
        elif directive == "delete":
            gone.add(name(item))
        elif directive == "replace":
            replaced = True
        elif directive == "merge":
            raise _failure("merging lists cannot yet be specified in the patch")
        else:
            raise _failure(f"unknown patch type found: {directive}")
    if gone:
        original = [element for element in original if name(element) not in gone]
    return original, rest, replaced


def _namer(merge_key: str) -> Callable[[Any], Any]:
    """What an element is told from others by: the value of the merge key, or itself where it is a scalar."""

    def name(item: Any) -> Any:
        if not merge_key or not isinstance(item, dict):
            return _scalar(item)
        if merge_key not in item:
            printed = gotext.print_value(item)
            raise _failure(f"map: {printed} does not contain declared merge key: {merge_key}")
        return _scalar(item[merge_key])

    return name


def _scalar(value: Any) -> Any:
    if isinstance(value, dict | list):
        raise bad_request("the elements of a merged list, and their merge keys, must be text or numbers")
    return value


def _in_order(
    merged: list[Any], order: list[Any], server_order: list[Any], name: Callable[[Any], Any]
) -> list[Any]:
    """`merged` with the elements of `order` in that order, and the others between them where the server had them."""
    wanted = {key: place for place, key in reversed(list(enumerate(name(item) for item in order)))}
    served = {key: place for place, key in reversed(list(enumerate(name(item) for item in server_order)))}
    named = [(name(item), item) for item in merged]
    patched = sorted((pair for pair in named if pair[0] in wanted), key=lambda pair: wanted[pair[0]])
    others = sorted(
        (pair for pair in named if pair[0] not in wanted), key=lambda pair: served.get(pair[0], len(served))
    )
    result: list[Any] = []
    left = right = 0
    while left < len(others) or right < len(patched):
        if right >= len(patched):
            takes_other = True
        elif left >= len(others):
            takes_other = False
        else:
            mine, theirs = served.get(others[left][0]), served.get(patched[right][0])
            takes_other = mine is not None and theirs is not None and mine < theirs
        if takes_other:
            result.append(others[left][1])
            left += 1
        else:
            result.append(patched[right][1])
            right += 1
    return result


def _failure(text: str) -> StatusError:
    """An error that upstream passes on as it is."""
    return StatusError(500, "", text)

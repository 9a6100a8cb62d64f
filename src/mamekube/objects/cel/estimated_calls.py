"""What calls may cost at worst, by the name of the function: upstream's figures for operators and libraries.

A function that is not here costs one. Several that upstream charges only as members are called without a receiver
(`quantity(text)`, `isIP(text)`), so they cost one as well: the estimate is part of the API, and stays as it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from mamekube.objects.cel.estimates import (
    ANY_SIZE,
    PER_CHARACTER,
    PER_PATTERN_CHARACTER,
    UNBOUNDED,
    Entry,
    Estimate,
    Path,
    Size,
    added,
    multiplied,
    part_of,
    times,
    total,
    union,
)
from mamekube.objects.cel.evaluator import LIST_COST
from mamekube.objects.cel.types import DYN, Type

CHECK_COST = 350_000
FORMAT_NAME_SIZE_MAX = 64
FORMAT_PATTERN_SIZE = 128
ADDRESS_BYTES_MAX = 16

SizeAt = Callable[[Path], Size | None]


class Made(NamedTuple):
    """A call by itself, and what it makes. The cost of the arguments comes on top, unless it is included."""

    cost: int = 1
    size: Size | None = None
    path: Path = ()
    entry: Entry | None = None
    includes_arguments: bool = False


def estimate_call(name: str, target: Estimate | None, args: Sequence[Estimate], size_at: SizeAt) -> Made:
    estimate = _WITHOUT_TARGET.get(name) if target is None else None
    if estimate is not None:
        return estimate(args)
    if target is not None and name in _ORDERED:
        return _over_elements(target, size_at)
    if target is not None and name == "join":
        return _join(target, args, size_at)
    member = _MEMBERS.get(name) if target is not None else None
    return member(target, args) if member is not None and target is not None else Made()


def through(size: Size, factor: float = PER_CHARACTER) -> int:
    return part_of(size[1], factor)


# Operators ----------------------------------------------------------------------------------------------


def _may_be(known: Type, *names: str) -> bool:
    return known == DYN or known.variable or known.name in names


def _all_may_be(args: Sequence[Estimate], *names: str) -> bool:
    return any(all(_may_be(arg.type, name) for arg in args) for name in names)


def _add(args: Sequence[Estimate]) -> Made:
    one, other = args
    texts, lists = _all_may_be(args, "string", "bytes"), _all_may_be(args, "list")
    if not texts and not lists:
        return Made()
    size = added(one.bounds, other.bounds)
    entry = None
    if one.entry is not None and other.entry is not None:
        entry = Entry(union(one.entry.key, other.entry.key), union(one.entry.value, other.entry.value))
    return Made(through(size) if texts else 1, size, entry=entry)


def _compare(args: Sequence[Estimate]) -> Made:
    return _equal(args) if _all_may_be(args, "string", "bytes") else Made()


def _equal(args: Sequence[Estimate]) -> Made:
    return Made(part_of(min(args[0].bounds[1], args[1].bounds[1]), PER_CHARACTER))


_COMPARED_AT_ONCE = frozenset(
    ("net.IP", "net.CIDR", "kubernetes.Quantity", "kubernetes.Semver", "kubernetes.URL")
)


def _same(args: Sequence[Estimate]) -> Made:
    one, other = args[0].type, args[1].type
    if one == other and (one.name in _COMPARED_AT_ONCE or one.name.startswith("kubernetes.authorization.")):
        return Made()
    if one == other and one.name == "kubernetes.NamedFormat":
        return Made(part_of(FORMAT_NAME_SIZE_MAX, PER_CHARACTER))
    return _equal(args)


def _in(args: Sequence[Estimate]) -> Made:
    container = args[1]
    return Made(container.bounds[1]) if _may_be(container.type, "list") else Made()


def _index(args: Sequence[Estimate]) -> Made:
    container = args[0]
    if container.type.name not in ("list", "map"):
        return Made()
    step = "@items" if container.type.name == "list" else "@values"
    size = container.entry.value if container.entry is not None else None
    return Made(size=size, path=(*container.path, step))


def _logical(args: Sequence[Estimate]) -> Made:
    return Made(0)


def _conditional(args: Sequence[Estimate]) -> Made:
    condition, one, other = args
    entry = None
    if one.entry is not None and other.entry is not None:
        entry = Entry(union(one.entry.key, other.entry.key), union(one.entry.value, other.entry.value))
    cost = total(condition.cost, max(one.cost, other.cost))
    return Made(cost, union(one.bounds, other.bounds), entry=entry, includes_arguments=True)


def _dyn(args: Sequence[Estimate]) -> Made:
    return Made(size=args[0].size, entry=args[0].entry)


# Functions ----------------------------------------------------------------------------------------------


def _bytes(args: Sequence[Estimate]) -> Made:
    if args[0].type.name != "string":
        return Made()
    low, high = args[0].bounds
    return Made(through(args[0].bounds), (low, times(high, 4)))


def _string(args: Sequence[Estimate]) -> Made:
    if args[0].type.name != "bytes":
        return Made()
    low, high = args[0].bounds
    return Made(through(args[0].bounds), (low // 4, high))


def _quote(args: Sequence[Estimate]) -> Made:
    low, high = args[0].bounds
    return Made(through(args[0].bounds), (total(low, 2), total(times(high, 2), 2)))


def _url(args: Sequence[Estimate]) -> Made:
    return Made(through(args[0].bounds))


def _sets(factor: int) -> Callable[[Sequence[Estimate]], Made]:
    def estimate(args: Sequence[Estimate]) -> Made:
        return Made(total(times(multiplied(args[0].bounds, args[1].bounds)[1], factor), 1))

    return estimate


_WITHOUT_TARGET: dict[str, Callable[[Sequence[Estimate]], Made]] = {
    "_+_": _add,
    "_==_": _same,
    "_!=_": _equal,
    **dict.fromkeys(("_<_", "_<=_", "_>_", "_>=_"), _compare),
    "@in": _in,
    "_[_]": _index,
    "_||_": _logical,
    "_&&_": _logical,
    "_?_:_": _conditional,
    "dyn": _dyn,
    "bytes": _bytes,
    "string": _string,
    "strings.quote": _quote,
    "url": _url,
    "sets.contains": _sets(1),
    "sets.intersects": _sets(1),
    "sets.equivalent": _sets(2),
}


def _with_part(target: Estimate, args: Sequence[Estimate]) -> Made:
    return Made(through(args[0].bounds))


def _contains(target: Estimate, args: Sequence[Estimate]) -> Made:
    return Made(times(through(target.bounds), through(args[0].bounds)))


def _match(target: Estimate, args: Sequence[Estimate]) -> Made:
    text = part_of(total(target.bounds[1], 1), PER_CHARACTER)
    return Made(times(text, through(args[0].bounds, PER_PATTERN_CHARACTER)))


def _find(target: Estimate, args: Sequence[Estimate]) -> Made:
    return _match(target, args)._replace(size=(0, target.bounds[1]))


def _same_size(target: Estimate, args: Sequence[Estimate]) -> Made:
    return Made(through(target.bounds), target.bounds)


def _split(target: Estimate, args: Sequence[Estimate]) -> Made:
    most = args[1].literal if len(args) > 1 else None
    size = (0, most if isinstance(most, int) and most >= 0 else target.bounds[1])
    return Made(through(target.bounds, 2 * PER_CHARACTER), size)


def _replace(target: Estimate, args: Sequence[Estimate]) -> Made:
    """The longest result has the shortest parts replaced by the longest text, and the other way round."""
    text, old, new = target.bounds, args[0].bounds, args[1].bounds
    low = _replaced(text[0], old[1], new[0], keeps=old[1] <= new[0])
    high = _replaced(text[1], old[0], new[1], keeps=new[1] <= old[0])
    return Made(through(text, 2 * PER_CHARACTER), (low, high))


def _replaced(text: int, old: int, new: int, *, keeps: bool) -> int:
    if old == 0:
        return total(times(total(text, 1), new), text)
    return text if keeps else times(math.ceil(text / old), new)


def _format(target: Estimate, args: Sequence[Estimate]) -> Made:
    return Made(through(target.bounds))


def _validate(target: Estimate, args: Sequence[Estimate]) -> Made:
    return Made(part_of(through(args[0].bounds), FORMAT_PATTERN_SIZE * PER_PATTERN_CHARACTER))


def _address(*parts: int) -> Callable[[Estimate, Sequence[Estimate]], Made]:
    own = sum(parts)

    def estimate(target: Estimate, args: Sequence[Estimate]) -> Made:
        return Made(total(own, through(args[0].bounds)) if args[0].type.name == "string" else own)

    return estimate


def _check(target: Estimate, args: Sequence[Estimate]) -> Made:
    return Made(CHECK_COST)


_BOTH_ADDRESSES = part_of(2 * ADDRESS_BYTES_MAX, PER_CHARACTER)
_MASK = part_of(ADDRESS_BYTES_MAX, PER_CHARACTER)
_MEMBERS: dict[str, Callable[[Estimate, Sequence[Estimate]], Made]] = {
    "startsWith": _with_part,
    "endsWith": _with_part,
    "contains": _contains,
    "matches": _match,
    "find": _find,
    "findAll": _find,
    **dict.fromkeys(("lowerAscii", "upperAscii", "substring", "trim"), _same_size),
    "replace": _replace,
    "split": _split,
    "format": _format,
    "validate": _validate,
    "containsIP": _address(_BOTH_ADDRESSES),
    "containsCIDR": _address(_BOTH_ADDRESSES, _MASK, 1),
    "check": _check,
}


# The lists extension ------------------------------------------------------------------------------------


def _made_list(factor: float, size: Size) -> Made:
    return Made(total(part_of(size[1], factor), LIST_COST, 1), size)


def _number(argument: Estimate, otherwise: int) -> int:
    known = argument.literal
    return known if isinstance(known, int) and known >= 0 else otherwise


def _slice(target: Estimate, args: Sequence[Estimate]) -> Made:
    count = max(0, _number(args[1], target.bounds[1]) - _number(args[0], 0))
    return _made_list(1, (count, count))


def _range(args: Sequence[Estimate]) -> Made:
    count = _number(args[0], UNBOUNDED)
    return _made_list(1, (count, count))


def _flatten(target: Estimate, args: Sequence[Estimate]) -> Made:
    return _made_list(_number(args[0], UNBOUNDED) if args else 1, target.bounds)


def _reverse(target: Estimate, args: Sequence[Estimate]) -> Made:
    return _made_list(1, target.bounds)


def _distinct(target: Estimate, args: Sequence[Estimate]) -> Made:
    return _made_list(2, multiplied(target.bounds, target.bounds))


def _sort(target: Estimate, args: Sequence[Estimate]) -> Made:
    return self_compared(target.bounds, target.type.args[0] if target.type.args else DYN)


def self_compared(size: Size, element: Type) -> Made:
    factor = 2 + PER_CHARACTER if _may_be(element, "string", "bytes") else 2
    return _made_list(factor, multiplied(size, size))


_MEMBERS.update(
    {"slice": _slice, "flatten": _flatten, "reverse": _reverse, "distinct": _distinct, "sort": _sort}
)
_WITHOUT_TARGET["lists.range"] = _range


# Lists --------------------------------------------------------------------------------------------------

_ORDERED = frozenset(("isSorted", "sum", "max", "min", "indexOf", "lastIndexOf"))


def _element_size(target: Estimate, size_at: SizeAt) -> Size:
    return size_at((*target.path, "@items")) or ANY_SIZE if target.path else ANY_SIZE


def _over_elements(target: Estimate, size_at: SizeAt) -> Made:
    if not target.type.args:
        return Made(through(target.bounds))
    each = 1
    if target.type.args[0].name in ("string", "bytes"):
        each = total(each, through(_element_size(target, size_at)))
    return Made(times(target.bounds[1], each))


def _join(target: Estimate, args: Sequence[Estimate], size_at: SizeAt) -> Made:
    size: Size = (0, 0)
    if target.type.args:
        size = multiplied(target.bounds, _element_size(target, size_at))
    if args:
        low, high = target.bounds
        size = added(size, multiplied(args[0].bounds, (max(low - 1, 0), min(max(high - 1, 0), UNBOUNDED))))
    return Made(through(size), size)

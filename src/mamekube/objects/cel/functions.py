"""The functions that expressions may call: declarations, and finding the right one for values.

A library declares its functions by `declare`; a declaration has the types that the checker reads, the function
itself, and what a call costs. Libraries are imported by `find_overloads` when first asked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from mamekube.objects.cel.errors import EvaluationError
from mamekube.objects.cel.types import Type, parse_type, split_types
from mamekube.objects.cel.values import TYPE_NAMES, type_name

_CLASSES: dict[str, tuple[type, ...]] = {}
for _class, _name in TYPE_NAMES.items():
    _CLASSES[_name] = (*_CLASSES.get(_name, ()), _class)


class Overload:
    """One declaration of a function. The receiver of a member function is its first parameter."""

    __slots__ = ("_checks", "cost", "counts", "member", "name", "params", "result", "run")

    def __init__(
        self,
        name: str,
        params: Sequence[Type],
        result: Type,
        run: Callable[..., Any],
        *,
        member: bool,
        cost: Callable[..., int],
        counts: bool,
    ) -> None:
        self.name, self.params, self.result, self.run = name, tuple(params), result, run
        self.member, self.cost, self.counts = member, cost, counts
        self._checks = [(index, param.name) for index, param in enumerate(params) if _narrow(param)]

    def takes(self, values: Sequence[Any]) -> bool:
        """Whether the values are of the types of the parameters, as far as can be told at once."""
        for index, wanted in self._checks:
            value = values[index]
            classes = _CLASSES.get(wanted)
            if classes is None:
                if type_name(value) != wanted:
                    return False
            elif type(value) not in classes and not (wanted == "map" and isinstance(value, dict)):
                return False
        return True


def _narrow(param: Type) -> bool:
    return not param.variable and param.name != "dyn"


_DECLARED: dict[tuple[str, int, bool], list[Overload]] = {}
_NAMES: set[str] = set()
_loaded = False


def flat(*values: Any) -> int:
    """The cost of what is the same amount of work for all values."""
    return 1


def declare(
    name: str,
    params: str,
    result: str,
    *,
    member: bool = False,
    cost: Callable[..., int] = flat,
    counts: bool = False,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare the decorated function. `counts`: it takes the budget first, and spends from it as it goes."""

    def note(run: Callable[..., Any]) -> Callable[..., Any]:
        types = [parse_type(text) for text in split_types(params)]
        overload = Overload(name, types, parse_type(result), run, member=member, cost=cost, counts=counts)
        _DECLARED.setdefault((name, len(types), member), []).append(overload)
        _NAMES.add(name)
        return run

    return note


def find_overloads(name: str, count: int, *, member: bool) -> list[Overload]:
    """All declarations of `name` with `count` parameters, the receiver included."""
    _load()
    return _DECLARED.get((name, count, member), [])


def is_declared(name: str) -> bool:
    _load()
    return name in _NAMES


def _load() -> None:
    global _loaded
    if not _loaded:
        # Each declares its functions when it is imported; who comes meanwhile, in another thread, waits for that.
        from mamekube.objects.cel.library import (  # noqa: F401
            collections,
            formats,
            formatting,
            kubernetes,
            lists,
            networks,
            standard,
            strings,
        )

        _loaded = True


def mismatch(name: str, values: Sequence[Any]) -> EvaluationError:
    return EvaluationError(f"no such overload: {name}({', '.join(map(type_name, values))})")

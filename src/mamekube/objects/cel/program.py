"""Compiling and evaluating expressions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from mamekube.foundation.slices import breathe
from mamekube.objects.cel.budget import Budget, Meter
from mamekube.objects.cel.errors import CelBudgetExceeded, CelCompileError, EvaluationError
from mamekube.objects.cel.types import DYN, Type

if TYPE_CHECKING:
    from mamekube.objects.cel.ast import Node
    from mamekube.objects.cel.checker import Containers
    from mamekube.objects.cel.estimates import SizeOf
    from mamekube.objects.cel.evaluator import Run

PER_CALL_LIMIT = 1_000_000
"""What one evaluation may cost at most, whatever the budget still holds. Upstream: PerCallLimit."""


class Program:
    """A compiled expression. `type` is what it evaluates to, as far as it can be told."""

    __slots__ = ("_node", "_run", "expression", "type")

    def __init__(self, expression: str, node: Node, found: Type) -> None:
        self.expression = expression
        self.type = found
        self._node = node
        self._run: Run | None = None

    def evaluate(self, bindings: dict[str, Any], *, budget: Budget | int) -> Any:
        """The value. Raises EvaluationError, and CelBudgetExceeded when it costs more than the budget or than one
        call may. What it cost is taken from a budget, also when it fails. `bindings` is not changed."""
        breathe()
        whole = Budget(budget) if isinstance(budget, int) else budget
        if self._run is None:
            self._run = self._built()
        limit = min(whole.left, PER_CALL_LIMIT)
        own = Meter(limit)
        try:
            value = self._run(bindings, own)
            own.spend(0)
        except RecursionError:
            raise EvaluationError("expression nests values too deeply") from None
        except CelBudgetExceeded:
            if limit == whole.left:
                whole.left = -1
            raise
        finally:
            whole.left -= limit - max(own.total, 0) if whole.left >= 0 else 0
        return value

    def _built(self) -> Run:
        from mamekube.objects.cel.evaluator import build

        try:
            return build(self._node)
        except RecursionError:
            raise EvaluationError("expression nests too deeply") from None


def compile(
    expression: str,
    *,
    variables: Iterable[str] | Mapping[str, Type],
    containers: Containers | None = None,
    binds: bool = False,
) -> Program:
    """Raises CelCompileError, whose text is cel-go's.

    `variables`: the names that may stand in it, each of any type, or the type of each. `containers`: the types of
    message literals by name, None for a name that is no type. `binds`: whether `cel.bind` is known.
    """
    declared = variables if isinstance(variables, Mapping) else dict.fromkeys(variables, DYN)
    if not isinstance(variables, Mapping) and not containers and not binds:
        return _compile(expression, tuple(declared))
    return _checked(expression, declared, containers, binds=binds)


def estimate(expression: str, *, variables: Mapping[str, Type], size_of: SizeOf, binds: bool = False) -> int:
    """What one evaluation may cost at worst. `size_of`: how large the value at a path from a variable can be.

    Raises CelCompileError.
    """
    from mamekube.objects.cel.checker import types_of
    from mamekube.objects.cel.estimates import Estimator
    from mamekube.objects.cel.parser import parse

    try:
        node = parse(expression, binds=binds)
        types = types_of(expression, node, variables)
        return Estimator(types, size_of).visit(node, {}).cost
    except RecursionError:
        raise CelCompileError(expression, [(0, "expression nests too deeply")]) from None


@lru_cache(maxsize=2048)
def _compile(expression: str, names: tuple[str, ...]) -> Program:
    return _checked(expression, dict.fromkeys(names, DYN), None)


def _checked(
    expression: str, declared: Mapping[str, Type], containers: Containers | None, *, binds: bool = False
) -> Program:
    from mamekube.objects.cel.checker import check
    from mamekube.objects.cel.parser import parse

    try:
        node = parse(expression, binds=binds)
        found = check(expression, node, declared, containers)
    except RecursionError:
        raise CelCompileError(expression, [(0, "expression nests too deeply")]) from None
    return Program(expression, node, found)

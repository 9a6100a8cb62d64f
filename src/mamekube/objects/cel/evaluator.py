"""A tree to a closure that evaluates it, counting what it costs.

Every node becomes a function of the bindings and the budget; what can be decided once is decided while they are
built. Costs are upstream's: one for a name or a field, by length for what goes through a text or a list, so a limit
means the same amount of work as there. The limit is checked at every call and at every step of a macro.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from mamekube.objects.cel import operators
from mamekube.objects.cel.ast import (
    Call,
    Comprehension,
    Ident,
    ListLiteral,
    Literal,
    MapLiteral,
    MessageLiteral,
    Node,
    Select,
    dotted,
)
from mamekube.objects.cel.budget import Budget, Meter
from mamekube.objects.cel.errors import EvaluationError
from mamekube.objects.cel.functions import Overload, find_overloads, mismatch
from mamekube.objects.cel.values import LISTS, MISSING, NONE, Message, Optional, TypeValue, UInt, type_name

LIST_COST, MAP_COST, MESSAGE_COST = 10, 30, 40
CONSTANT_COST_MAX = 10_000_000
"""More than the constants of an expression can cost, whose length has a limit."""
STEP_COST = {"all": 3, "exists": 4, "existsOne": 3, "map": 12, "filter": 12, "transformMap": 32}
"""What upstream spends on a step of a macro beside the expressions in it: its macros are loops over calls."""


Bindings = dict[str, Any]
Run = Callable[[Bindings, Budget], Any]

TYPE_CONSTANTS = {
    name: TypeValue(name)
    for name in (
        *("bool", "bytes", "double", "dyn", "int", "list", "map", "null_type", "string", "type", "uint"),
        *("optional_type", "google.protobuf.Duration", "google.protobuf.Timestamp", "net.IP", "net.CIDR"),
        *("kubernetes.Quantity", "kubernetes.URL", "kubernetes.Semver"),
    )
}


def build(node: Node) -> Run:
    """The function that evaluates `node`. It raises EvaluationError and CelBudgetExceeded."""
    return _BUILDERS[type(node)](node)


def _literal(node: Literal) -> Run:
    value = node.value
    return lambda bindings, budget: value


def _ident(node: Ident) -> Run:
    name = node.name
    constant = TYPE_CONSTANTS.get(name)

    def run(bindings: Bindings, budget: Budget) -> Any:
        budget.left -= 1
        value = bindings.get(name, constant)
        if value is None and name not in bindings:
            raise EvaluationError(f"no such attribute(s): {name}")
        return value

    return run


def _select(node: Select) -> Run:
    name = node.name
    find = operators.find
    if (full := dotted(node)) in TYPE_CONSTANTS:
        constant = TYPE_CONSTANTS[full]
        return lambda bindings, budget: constant
    operand = build(node.operand)
    if node.test:
        return _test(operand, name)
    if node.optional:
        return _optional_select(operand, name)

    def run(bindings: Bindings, budget: Budget) -> Any:
        container = operand(bindings, budget)
        budget.left -= 1
        if type(container) is Optional:
            return _within(container, lambda value: find(value, name))
        value = find(container, name)
        if value is MISSING:
            raise EvaluationError(f"no such key: {name}")
        return value

    return run


def _test(operand: Run, name: str) -> Run:
    def run(bindings: Bindings, budget: Budget) -> Any:
        container = operand(bindings, budget)
        if type(container) is Optional:
            return container.present and operators.find(container.value, name) is not MISSING
        return operators.find(container, name) is not MISSING

    return run


def _optional_select(operand: Run, name: str) -> Run:
    def run(bindings: Bindings, budget: Budget) -> Any:
        container = operand(bindings, budget)
        budget.left -= 1
        if type(container) is Optional:
            return _within(container, lambda value: operators.find(value, name))
        value = operators.find(container, name)
        return NONE if value is MISSING else Optional(value)

    return run


def _within(container: Optional, look: Callable[[Any], Any]) -> Optional:
    if not container.present:
        return NONE
    value = look(container.value)
    return NONE if value is MISSING else Optional(value)


def _optional_index(node: Call) -> Run:
    container, key = map(build, node.args)

    def look(value: Any, wanted: Any) -> Any:
        try:
            return operators.index(value, wanted)
        except EvaluationError as error:
            if not str(error).startswith(("no such key", "index out of bounds")):
                raise
            return MISSING

    def run(bindings: Bindings, budget: Budget) -> Any:
        value, wanted = container(bindings, budget), key(bindings, budget)
        budget.spend(1)
        if type(value) is not Optional:
            value = Optional(value)
        return _within(value, lambda inner: look(inner, wanted))

    return run


# Calls --------------------------------------------------------------------------------------------------


def _call(node: Call) -> Run:
    function = node.function
    if node.target is None:
        if function in _SPECIAL:
            return _SPECIAL[function](node)
        if function in operators.BINARY:
            return _binary(node)
        if function in operators.UNARY:
            return _unary(node)
    return _function(node)


def _or(node: Call) -> Run:
    return _logical(node, decides=True)


def _and(node: Call) -> Run:
    return _logical(node, decides=False)


def _logical(node: Call, *, decides: bool) -> Run:
    """`||` and `&&`: a side that decides wins over an error on the other."""
    left, right = map(build, node.args)
    function = node.function

    def check(value: Any) -> bool:
        if type(value) is not bool:
            raise EvaluationError(f"no such overload: {function}({type_name(value)})")
        return value

    def run(bindings: Bindings, budget: Budget) -> Any:
        try:
            first = check(left(bindings, budget))
        except EvaluationError:
            second = right(bindings, budget)
            if second is decides:
                return decides
            raise
        return decides if first is decides else check(right(bindings, budget))

    return run


def _conditional(node: Call) -> Run:
    condition, first, second = map(build, node.args)

    def run(bindings: Bindings, budget: Budget) -> Any:
        chosen = condition(bindings, budget)
        if chosen is True:
            return first(bindings, budget)
        if chosen is False:
            return second(bindings, budget)
        raise EvaluationError("no such overload")

    return run


def _binary(node: Call) -> Run:
    function = node.function
    left, right = map(build, node.args)
    operate = operators.BINARY[function]
    cost = operators.cost
    if function == "@in" and (texts := _texts(node.args[1])):
        return lambda bindings, budget: left(bindings, budget) in texts

    if function == "_[_]":

        def run_index(bindings: Bindings, budget: Budget) -> Any:
            container, key = left(bindings, budget), right(bindings, budget)
            budget.left -= 1
            if type(container) is Optional:
                return _within(container, lambda value: operators.index(value, key))
            return operate(container, key)

        return run_index

    def run(bindings: Bindings, budget: Budget) -> Any:
        first, second = left(bindings, budget), right(bindings, budget)
        budget.spend(cost(function, first, second))
        return operate(first, second)

    return run


def _texts(node: Node) -> frozenset[str]:
    """The elements of a list of nothing but texts: whether another is among them costs upstream nothing."""
    elements = node.elements if isinstance(node, ListLiteral) and not node.optional else []
    values = [part.value for part in elements if isinstance(part, Literal) and type(part.value) is str]
    return frozenset(values if len(values) == len(elements) else ())


def _unary(node: Call) -> Run:
    operand = build(node.args[0])
    operate = operators.UNARY[node.function]

    def run(bindings: Bindings, budget: Budget) -> Any:
        value = operand(bindings, budget)
        budget.spend(1)
        return operate(value)

    return run


def _or_value(node: Call) -> Run:
    """`optional.or(other)` and `optional.orValue(value)` look at the other only where they must."""
    assert node.target is not None
    target, other = build(node.target), build(node.args[0])
    unwrap = node.function == "orValue"

    def run(bindings: Bindings, budget: Budget) -> Any:
        value = target(bindings, budget)
        budget.spend(1)
        if type(value) is not Optional:
            raise mismatch(node.function, (value,))
        if not value.present:
            return other(bindings, budget)
        return value.value if unwrap else value

    return run


def _function(node: Call) -> Run:
    name, target = node.function, node.target
    if target is not None and name in ("or", "orValue") and len(node.args) == 1:
        return _or_value(node)
    qualified = f"{dotted(target)}.{name}" if target is not None else ""
    if qualified and find_overloads(qualified, len(node.args), member=False):
        name, target = qualified, None
    member = target is not None
    parts = [build(part) for part in ((target,) if target is not None else ()) + tuple(node.args)]
    overloads = find_overloads(name, len(parts), member=member)
    only = overloads[0] if len(overloads) == 1 else None

    def run(bindings: Bindings, budget: Budget) -> Any:
        values = [part(bindings, budget) for part in parts]
        overload = only if only is not None and only.takes(values) else _choose(overloads, values)
        if overload is None:
            raise mismatch(name, values)
        budget.spend(overload.cost(*values))
        if overload.counts:
            return overload.run(budget, *values)
        return overload.run(*values)

    return _once(run) if _constant(node) else run


def _choose(overloads: list[Overload], values: list[Any]) -> Overload | None:
    return next((overload for overload in overloads if overload.takes(values)), None)


# Literals -----------------------------------------------------------------------------------------------


_CONVERSIONS = frozenset(
    {"bool", "bytes", "double", "duration", "dyn", "int", "string", "timestamp", "type", "uint"}
)


def _constant(node: Node) -> bool:
    """Whether upstream knows the value before it runs anything, so that it costs nothing."""
    if isinstance(node, ListLiteral):
        return not node.optional and all(map(_constant, node.elements))
    if isinstance(node, MapLiteral):
        return not node.optional and all(_constant(part) for entry in node.entries for part in entry)
    if isinstance(node, Call):
        converts = node.target is None and node.function in _CONVERSIONS and len(node.args) == 1
        return converts and _constant(node.args[0])
    return isinstance(node, Literal)


def _once(run: Run) -> Run:
    """What a constant is does not change, so it is made once; nobody changes the values of expressions."""
    known: list[Any] = []

    def recall(bindings: Bindings, budget: Budget) -> Any:
        if not known:
            known.append(run({}, Meter(CONSTANT_COST_MAX)))
        return known[0]

    return recall


def _list(node: ListLiteral) -> Run:
    parts = [(build(element), position in node.optional) for position, element in enumerate(node.elements)]

    def run(bindings: Bindings, budget: Budget) -> Any:
        budget.spend(LIST_COST)
        found: list[Any] = []
        for part, optional in parts:
            value = part(bindings, budget)
            if not optional:
                found.append(value)
            elif _unwrapped(value) is not MISSING:
                found.append(value.value)
        return found

    return _once(run) if _constant(node) else run


def _map(node: MapLiteral) -> Run:
    parts = [
        (build(key), build(value), position in node.optional)
        for position, (key, value) in enumerate(node.entries)
    ]

    def run(bindings: Bindings, budget: Budget) -> Any:
        budget.spend(MAP_COST)
        found: dict[Any, Any] = {}
        for key_of, value_of, optional in parts:
            key, value = key_of(bindings, budget), value_of(bindings, budget)
            _check_key(key)
            if optional:
                value = _unwrapped(value)
                if value is MISSING:
                    continue
            if key in found:
                raise EvaluationError(f"Failed with repeated key: {operators.shown(key)}")
            found[key] = value
        return found

    return _once(run) if _constant(node) else run


def _check_key(key: Any) -> None:
    if type(key) not in (str, int, UInt, bool):
        raise EvaluationError(f"unsupported key type: {type_name(key)}")


def _unwrapped(value: Any) -> Any:
    if type(value) is not Optional:
        raise EvaluationError(f"cannot initialize optional entry from non-optional value {value}")
    return value.value


def _message(node: MessageLiteral) -> Run:
    parts = [(name, build(value), index in node.optional) for index, (name, value) in enumerate(node.entries)]
    name = node.name

    def run(bindings: Bindings, budget: Budget) -> Any:
        budget.spend(MESSAGE_COST)
        fields: dict[str, Any] = {}
        for field, value_of, optional in parts:
            value = value_of(bindings, budget)
            if optional:
                value = _unwrapped(value)
                if value is MISSING:
                    continue
            fields[field] = value
        return Message(name, fields)

    return run


# Macros -------------------------------------------------------------------------------------------------


def _comprehension(node: Comprehension) -> Run:
    if node.macro in ("optMap", "optFlatMap"):
        return _optional_map(node)
    if node.macro == "bind":
        return _bind(node)
    source = build(node.range)
    parts = [build(part) for part in node.parts]
    loop = _transform_map(node.variables) if node.macro == "transformMap" else _LOOPS[node.macro]
    cost = STEP_COST.get(node.macro, 12)
    names = node.variables

    def run(bindings: Bindings, budget: Budget) -> Any:
        items = source(bindings, budget)
        inner = dict(bindings)
        return loop(parts, inner, budget, _steps(items, names, inner, budget, cost))

    return run


def _steps(items: Any, names: tuple[str, ...], inner: Bindings, budget: Budget, cost: int) -> Iterator[Any]:
    """Set the variables to one element after the other; yields the element."""
    pairs = len(names) == 2
    keyed: Iterator[tuple[Any, Any]]
    if type(items) in LISTS:
        keyed = enumerate(items) if pairs else ((item, item) for item in items)
    elif isinstance(items, dict):
        keyed = iter(items.items()) if pairs else ((key, key) for key in items)
    else:
        raise EvaluationError(f"got '{type_name(items)}', expected iterable type")
    for key, value in keyed:
        budget.spend(cost)
        inner[names[0]] = key
        if pairs:
            inner[names[1]] = value
        yield value


def _quantifier(decides: bool) -> Callable[..., Any]:
    def loop(parts: list[Run], inner: Bindings, budget: Budget, steps: Iterator[Any]) -> bool:
        failure: EvaluationError | None = None
        for _ in steps:
            try:
                found = _truth(parts[0](inner, budget))
            except EvaluationError as error:
                failure = failure or error
                continue
            if found is decides:
                return decides
        if failure is not None:
            raise failure
        return not decides

    return loop


def _truth(value: Any) -> bool:
    if type(value) is not bool:
        raise EvaluationError("no such overload")
    return value


def _exists_one(parts: list[Run], inner: Bindings, budget: Budget, steps: Iterator[Any]) -> bool:
    return sum(_truth(parts[0](inner, budget)) for _ in steps) == 1


def _filter(parts: list[Run], inner: Bindings, budget: Budget, steps: Iterator[Any]) -> list[Any]:
    return [value for value in steps if _truth(parts[0](inner, budget))]


def _transform(parts: list[Run], inner: Bindings, budget: Budget, steps: Iterator[Any]) -> list[Any]:
    last = parts[-1]
    if len(parts) == 1:
        return [last(inner, budget) for _ in steps]
    return [last(inner, budget) for _ in steps if _truth(parts[0](inner, budget))]


def _transform_map(names: tuple[str, ...]) -> Callable[..., Any]:
    key = names[0]

    def loop(parts: list[Run], inner: Bindings, budget: Budget, steps: Iterator[Any]) -> dict[Any, Any]:
        last = parts[-1]
        found: dict[Any, Any] = {}
        for _ in steps:
            if len(parts) == 1 or _truth(parts[0](inner, budget)):
                found[inner[key]] = last(inner, budget)
        return found

    return loop


def _transform_entries(
    parts: list[Run], inner: Bindings, budget: Budget, steps: Iterator[Any]
) -> dict[Any, Any]:
    found: dict[Any, Any] = {}
    for _ in steps:
        if len(parts) > 1 and not _truth(parts[0](inner, budget)):
            continue
        entries = parts[-1](inner, budget)
        if not isinstance(entries, dict):
            raise EvaluationError("no such overload")
        for key, value in entries.items():
            if key in found:
                raise EvaluationError(f"insert failed: key {operators.shown(key)} already exists")
            found[key] = value
    return found


def _sort_by(parts: list[Run], inner: Bindings, budget: Budget, steps: Iterator[Any]) -> list[Any]:
    from mamekube.objects.cel.library.lists import self_compared, sorted_by

    budget.spend(2 * LIST_COST)
    pairs = [(value, parts[0](inner, budget)) for value in steps]
    keys = [key for _, key in pairs]
    budget.spend(self_compared(keys))
    return sorted_by([value for value, _ in pairs], keys)


_LOOPS: dict[str, Callable[..., Any]] = {
    "all": _quantifier(False),
    "exists": _quantifier(True),
    "existsOne": _exists_one,
    "filter": _filter,
    "map": _transform,
    "sortBy": _sort_by,
    "transformMapEntry": _transform_entries,
}


def _optional_map(node: Comprehension) -> Run:
    target, body = build(node.range), build(node.parts[0])
    name, flat = node.variables[0], node.macro == "optFlatMap"

    def run(bindings: Bindings, budget: Budget) -> Any:
        value = target(bindings, budget)
        budget.spend(1)
        if type(value) is not Optional:
            raise mismatch(node.macro, (value,))
        if not value.present:
            return NONE
        made = body({**bindings, name: value.value}, budget)
        return made if flat else Optional(made)

    return run


def _bind(node: Comprehension) -> Run:
    source, body, name = build(node.range), build(node.parts[0]), node.variables[0]

    def run(bindings: Bindings, budget: Budget) -> Any:
        return body({**bindings, name: source(bindings, budget)}, budget)

    return run


_SPECIAL: dict[str, Callable[[Call], Run]] = {
    "_||_": _or,
    "_&&_": _and,
    "_?_:_": _conditional,
    "_[?_]": _optional_index,
}
_BUILDERS: dict[type, Callable[[Any], Run]] = {
    Literal: _literal,
    Ident: _ident,
    Select: _select,
    Call: _call,
    ListLiteral: _list,
    MapLiteral: _map,
    MessageLiteral: _message,
    Comprehension: _comprehension,
}

"""Types of expressions: what can be found wrong before there are any values, in cel-go's words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

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
from mamekube.objects.cel.errors import CelCompileError, CelProgramError, EvaluationError
from mamekube.objects.cel.evaluator import TYPE_CONSTANTS
from mamekube.objects.cel.functions import find_overloads, is_declared
from mamekube.objects.cel.library.formatting import problem_with
from mamekube.objects.cel.library.standard import parse_duration, parse_timestamp
from mamekube.objects.cel.regex import compile_pattern
from mamekube.objects.cel.types import (
    BOOL,
    DYN,
    ERROR,
    INT,
    NULL,
    ObjectType,
    Type,
    list_of,
    map_of,
    optional_of,
    parse_type,
    type_of,
)
from mamekube.objects.cel.values import type_name

Containers = Callable[[str], ObjectType | None]
Signature = tuple[tuple[Type, ...], Type]

_NUMERIC = ("int", "uint", "double")
_COMPARED = ("bool", *_NUMERIC, "string", "bytes", "timestamp", "duration")


def _signatures(*lines: str) -> list[Signature]:
    found: list[Signature] = []
    for line in lines:
        *params, result = line.split(" ")
        found.append((tuple(map(parse_type, params)), parse_type(result)))
    return found


_ORDER = _signatures(
    *(f"{name} {name} bool" for name in _COMPARED),
    *(f"{one} {other} bool" for one in _NUMERIC for other in _NUMERIC if one != other),
)
_LOOKUP = (
    "optional_type(list(V)) int optional_type(V)",
    "optional_type(map(K,V)) K optional_type(V)",
)
OPERATORS: Mapping[str, list[Signature]] = {
    "_+_": _signatures(
        *(f"{name} {name} {name}" for name in (*_NUMERIC, "string", "bytes", "list(A)", "duration")),
        "timestamp duration timestamp",
        "duration timestamp timestamp",
    ),
    "_-_": _signatures(
        *(f"{name} {name} {name}" for name in (*_NUMERIC, "duration")),
        "timestamp duration timestamp",
        "timestamp timestamp duration",
    ),
    "_*_": _signatures(*(f"{name} {name} {name}" for name in _NUMERIC)),
    "_/_": _signatures(*(f"{name} {name} {name}" for name in _NUMERIC)),
    "_%_": _signatures("int int int", "uint uint uint"),
    "-_": _signatures("int int", "double double"),
    "!_": _signatures("bool bool"),
    "_&&_": _signatures("bool bool bool"),
    "_||_": _signatures("bool bool bool"),
    "_?_:_": _signatures("bool A A A"),
    "_==_": _signatures("A A bool"),
    "_!=_": _signatures("A A bool"),
    **dict.fromkeys(("_<_", "_<=_", "_>_", "_>=_"), _ORDER),
    "@in": _signatures("A list(A) bool", "A map(A,B) bool"),
    "_[_]": _signatures("list(A) int A", "map(A,B) A B", *_LOOKUP),
    "_[?_]": _signatures("list(V) int optional_type(V)", "map(K,V) K optional_type(V)", *_LOOKUP),
}
_ORDERED_KEYS = frozenset(map(parse_type, _COMPARED))
_LITERALS = {type_name(value): parse_type(type_name(value)) for value in (True, 1, 1.5, "", b"", None)}
_CONTAINERS = {
    name: parse_type(text)
    for name, text in {
        "list": "list(dyn)",
        "map": "map(dyn, dyn)",
        "optional_type": "optional_type(dyn)",
    }.items()
}
_CHECKED_LITERALS: Mapping[str, Callable[[str], Any]] = {
    "duration": parse_duration,
    "timestamp": parse_timestamp,
    "matches": compile_pattern,
}


def check(
    source: str, node: Node, variables: Mapping[str, Type], containers: Containers | None = None
) -> Type:
    """The type of the expression. Raises CelCompileError with everything that is wrong."""
    return types_of(source, node, variables, containers)[id(node)]


def types_of(
    source: str, node: Node, variables: Mapping[str, Type], containers: Containers | None = None
) -> Mapping[int, Type]:
    """The types of all parts of the expression, by the ids of their nodes. Raises as `check` does."""
    checker = _Checker(containers or (lambda name: None))
    checker.visit(node, dict(variables))
    # Upstream looks at what may be wrong with literals only where all types are right.
    if issues := checker.issues or checker.late:
        raise CelCompileError(source, sorted(issues, key=lambda issue: issue[0]))
    if checker.unbuildable:
        raise CelProgramError(checker.unbuildable)
    return {place: checker.resolve(found) for place, found in checker.types.items()}


def shown(known: Type) -> str:
    """A type in messages."""
    name = {
        "google.protobuf.Timestamp": "timestamp",
        "google.protobuf.Duration": "duration",
        "null_type": "null",
    }.get(known.name, known.name)
    if known.variable:
        name = "dyn"
    return f"{name}({', '.join(map(shown, known.args))})" if known.args else name


class _Checker:
    def __init__(self, containers: Containers) -> None:
        self.issues: list[tuple[int, str]] = []
        self.late: list[tuple[int, str]] = []
        """Mistakes in literals."""
        self.unbuildable = ""
        """Why the expression cannot run."""
        self.types: dict[int, Type] = {}
        self._containers = containers
        self._bound: dict[str, Type] = {}
        self._fresh = 0
        self._formats = 0
        """How many calls of `format` are around what is looked at: the values of one may be of any types."""

    def visit(self, node: Node, scope: Mapping[str, Type]) -> Type:
        found: Type = _VISITS[type(node)](self, node, scope)
        self.types[id(node)] = found
        return found

    def fail(self, node: Node, text: str) -> Type:
        self.issues.append((node.pos, text))
        return ERROR

    # Unification -----------------------------------------------------------------------------------

    def resolve(self, known: Type) -> Type:
        """The type with what its variables stand for by now."""
        while known.variable and known.name in self._bound:
            known = self._bound[known.name]
        if not known.args:
            return known
        return Type(known.name, tuple(map(self.resolve, known.args)))

    def variable(self) -> Type:
        self._fresh += 1
        return Type(f"%{self._fresh}")

    def unify(self, one: Type, other: Type) -> bool:
        one, other = self.resolve(one), self.resolve(other)
        if one == other or one is ERROR or other is ERROR:
            return True
        for variable, value in ((one, other), (other, one)):
            if variable.variable:
                self._bound[variable.name] = value
                return True
        if DYN in (one, other):
            return True
        if NULL in (one, other):
            value = other if one == NULL else one
            return isinstance(value, ObjectType) or value.name.startswith("google.protobuf.")
        if one.name != other.name or len(one.args) != len(other.args):
            return False
        if one.name == "type":
            # What a type is of is no part of it.
            return True
        return all(map(self.unify, one.args, other.args))

    def call(self, signatures: Sequence[Signature], arguments: Sequence[Type]) -> Type | None:
        """The result of the signatures that take the arguments, or None."""
        results: list[Type] = []
        before = dict(self._bound)
        chosen: dict[str, Type] = before
        for params, result in signatures:
            if len(params) != len(arguments):
                continue
            self._bound = dict(before)
            names: dict[str, Type] = {}
            wanted = [self._instance(param, names) for param in params]
            if all(map(self.unify, wanted, arguments)):
                found = self.resolve(self._instance(result, names))
                chosen = self._bound if not results else before
                results.append(found)
        self._bound = chosen
        if not results:
            return None
        return results[0] if all(found == results[0] for found in results) else DYN

    def _instance(self, known: Type, names: dict[str, Type]) -> Type:
        if known.variable and known.name[0] != "%":
            if known.name not in names:
                names[known.name] = self.variable()
            return names[known.name]
        if not known.args:
            return known
        return Type(known.name, tuple(self._instance(arg, names) for arg in known.args))

    # Nodes -----------------------------------------------------------------------------------------

    def literal(self, node: Literal, scope: Mapping[str, Type]) -> Type:
        return _LITERALS.get(type_name(node.value)) or parse_type(type_name(node.value))

    def ident(self, node: Ident, scope: Mapping[str, Type]) -> Type:
        if node.name in scope:
            return scope[node.name]
        if node.name in TYPE_CONSTANTS:
            return type_of(_CONTAINERS.get(node.name) or parse_type(node.name))
        return self.fail(node, f"undeclared reference to '{node.name}' (in container '')")

    def select(self, node: Select, scope: Mapping[str, Type]) -> Type:
        if dotted(node) in TYPE_CONSTANTS:
            return type_of(parse_type(dotted(node)))
        operand = self.resolve(self.visit(node.operand, scope))
        wrapped = operand.name == "optional_type"
        found = self._field(node, operand.args[0] if wrapped else operand)
        if node.test:
            return BOOL
        return optional_of(found) if (wrapped or node.optional) and found is not ERROR else found

    def _field(self, node: Select, operand: Type) -> Type:
        operand = self.resolve(operand)
        if operand == DYN or operand.variable or operand is ERROR:
            return DYN
        if operand.name == "map":
            return operand.args[1]
        if not isinstance(operand, ObjectType):
            return self.fail(node, f"type '{shown(operand)}' does not support field selection")
        found = operand.fields.get(node.name)
        return self.fail(node, f"undefined field '{node.name}'") if found is None else found

    def call_node(self, node: Call, scope: Mapping[str, Type]) -> Type:
        name, target = node.function, node.target
        qualified = f"{dotted(target)}.{name}" if target is not None else ""
        if qualified and _root(qualified) not in scope and is_declared(qualified):
            name, target = qualified, None
        parts = [*([target] if target is not None else []), *node.args]
        self._formats += name == "format"
        arguments = [self.visit(part, scope) for part in parts]
        self._formats -= name == "format"
        if ERROR in arguments:
            return ERROR
        signatures = OPERATORS.get(name) if target is None else None
        if signatures is None:
            if not is_declared(name):
                return self.fail(node, f"undeclared reference to '{name}' (in container '')")
            overloads = find_overloads(name, len(arguments), member=target is not None)
            signatures = [(overload.params, overload.result) for overload in overloads]
        result = self.call(signatures, arguments)
        if result is None:
            return self.fail(
                node,
                f"found no matching overload for '{name}' applied to "
                f"'{self._applied(arguments, member=target is not None)}'",
            )
        self._check_literal(name, node.args)
        if name == "format":
            self._check_format(node)
        return result

    def _applied(self, arguments: Sequence[Type], *, member: bool) -> str:
        texts = [shown(self.resolve(argument)) for argument in arguments]
        if member:
            return f"{texts[0]}.({', '.join(texts[1:])})"
        return f"({', '.join(texts)})"

    def _check_literal(self, name: str, args: Sequence[Node]) -> None:
        if name in ("find", "findAll") and isinstance(args[0], Literal) and isinstance(args[0].value, str):
            try:
                compile_pattern(args[0].value)
            except EvaluationError as error:
                self.unbuildable = self.unbuildable or str(error)
            return
        parse = _CHECKED_LITERALS.get(name)
        last = args[-1] if args else None
        if parse is None or not isinstance(last, Literal) or not isinstance(last.value, str):
            return
        try:
            parse(last.value)
        except EvaluationError:
            self.late.append((last.pos, f"invalid {name} argument"))

    def _check_format(self, node: Call) -> None:
        pattern, values = node.target, node.args[0]
        if not isinstance(pattern, Literal) or not isinstance(values, ListLiteral):
            return
        problem = problem_with(
            pattern.value, values.elements, lambda part: self.resolve(self.types[id(part)])
        )
        if problem is not None:
            self.late.append(((problem[0] or node).pos, problem[1]))

    def list_literal(self, node: ListLiteral, scope: Mapping[str, Type]) -> Type:
        element: Type | None = None
        for position, part in enumerate(node.elements):
            found = self._entry(part, scope, optional=position in node.optional)
            element = self._joined(part, element, found)
        return list_of(element if element is not None else self.variable())

    def map_literal(self, node: MapLiteral, scope: Mapping[str, Type]) -> Type:
        key_type: Type | None = None
        value_type: Type | None = None
        for position, (key, value) in enumerate(node.entries):
            key_type = self._joined(key, key_type, self.visit(key, scope))
            found = self._entry(value, scope, optional=position in node.optional)
            value_type = self._joined(value, value_type, found)
        if key_type is None or value_type is None:
            return map_of(self.variable(), self.variable())
        return map_of(key_type, value_type)

    def _entry(self, node: Node, scope: Mapping[str, Type], *, optional: bool) -> Type:
        found = self.resolve(self.visit(node, scope))
        if not optional or found == DYN or found is ERROR:
            return found
        if found.name != "optional_type":
            return self.fail(
                node, f"expected type 'optional_type({shown(found)})' but found '{shown(found)}'"
            )
        return found.args[0]

    def _joined(self, node: Node, known: Type | None, found: Type) -> Type:
        """Elements are of one type, as Kubernetes wants it, unless one of them is dynamic, or they are formatted."""
        if known is None or found is ERROR:
            return found
        if DYN in (self.resolve(known), self.resolve(found)):
            return DYN
        if not self.unify(known, found):
            if not self._formats:
                text = f"expected type '{shown(self.resolve(known))}' but found '{shown(found)}'"
                self.late.append((node.pos, text))
            return DYN
        return known

    def message(self, node: MessageLiteral, scope: Mapping[str, Type]) -> Type:
        container = self._containers(node.name)
        if container is None:
            return self.fail(node, f"undeclared reference to '{node.name}' (in container '')")
        for position, (name, value) in enumerate(node.entries):
            found = self._entry(value, scope, optional=position in node.optional)
            wanted = container.fields.get(name)
            if wanted is None:
                self.fail(node, f"undefined field '{name}'")
            elif not self.unify(wanted, found):
                self.fail(
                    node,
                    f"expected type of field '{name}' is '{shown(wanted)}' but provided type is "
                    f"'{shown(self.resolve(found))}'",
                )
        return container

    def comprehension(self, node: Comprehension, scope: Mapping[str, Type]) -> Type:
        source = self.resolve(self.visit(node.range, scope))
        if node.macro in ("optMap", "optFlatMap"):
            return self._optional_map(node, source, scope)
        if node.macro == "bind":
            return self.visit(node.parts[0], {**scope, node.variables[0]: source})
        if source.name == "list":
            kinds = [INT, source.args[0]] if len(node.variables) == 2 else [source.args[0]]
        elif source.name == "map":
            kinds = list(source.args[: len(node.variables)])
        elif source == DYN or source.variable or source is ERROR:
            kinds = [DYN] * len(node.variables)
        else:
            text = "cannot be range of a comprehension (must be list, map, or dynamic)"
            return self.fail(node.range, f"expression of type '{shown(source)}' {text}")
        inner = {**scope, **dict(zip(node.variables, kinds, strict=True))}
        found = [self.visit(part, inner) for part in node.parts]
        tested = found if node.macro in ("all", "exists", "existsOne", "filter") else found[:-1]
        for part, kind in zip(node.parts, tested, strict=False):
            self._must_be_bool(node, part, kind)
        if node.macro == "map":
            return list_of(found[-1])
        if node.macro == "sortBy":
            return self._sorted(node, source, found[0])
        if node.macro == "filter":
            return list_of(kinds[-1])
        if node.macro == "transformMap":
            return map_of(kinds[0], found[-1])
        if node.macro == "transformMapEntry":
            return found[-1]
        return BOOL

    def _sorted(self, node: Comprehension, source: Type, key: Type) -> Type:
        """Keys are of a type that has an order; only lists can be sorted."""
        key = self.resolve(key)
        ordered = key in _ORDERED_KEYS or key == DYN or key.variable
        if ordered and (source.name == "list" or source == DYN):
            return source
        text = f"'{shown(source)}.(list({shown(key)}))'"
        return self.fail(node, f"found no matching overload for '@sortByAssociatedKeys' applied to {text}")

    def _must_be_bool(self, node: Comprehension, part: Node, kind: Type) -> None:
        if self.unify(BOOL, kind):
            return
        kind = self.resolve(kind)
        operator = {"all": "_&&_", "exists": "_||_"}.get(node.macro)
        if operator:
            text = f"found no matching overload for '{operator}' applied to '(bool, {shown(kind)})'"
        else:
            text = f"found no matching overload for '_?_:_' applied to '({shown(kind)}, dyn, dyn)'"
        self.fail(node, text)

    def _optional_map(self, node: Comprehension, source: Type, scope: Mapping[str, Type]) -> Type:
        if source.name != "optional_type" and source != DYN and source is not ERROR:
            text = f"found no matching overload for 'hasValue' applied to '{shown(source)}.()'"
            return self.fail(node, text)
        inner = source.args[0] if source.args else DYN
        found = self.visit(node.parts[0], {**scope, node.variables[0]: inner})
        return found if node.macro == "optFlatMap" else optional_of(found)


def _root(name: str) -> str:
    return name.partition(".")[0]


_VISITS: Mapping[type, Callable[..., Type]] = {
    Literal: _Checker.literal,
    Ident: _Checker.ident,
    Select: _Checker.select,
    Call: _Checker.call_node,
    ListLiteral: _Checker.list_literal,
    MapLiteral: _Checker.map_literal,
    MessageLiteral: _Checker.message,
    Comprehension: _Checker.comprehension,
}

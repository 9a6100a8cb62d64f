"""`x-kubernetes-validations`: CEL rules in a schema, for the value at which they stand.

The rules are compiled once for a version. A rule that reads `oldSelf` is a transition rule and counts only where
there is an old value to compare with; a rule that does not may be broken by what did not change.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from mamekube.kinds.apiextensions import cel_types
from mamekube.objects import cel, fielderrors
from mamekube.objects.cel.types import BOOL, DYN, STRING, Type, optional_of
from mamekube.objects.cel.values import Optional
from mamekube.objects.fielderrors import FieldError

BUDGET = 10_000_000
"""What all rules for one object may cost together. Upstream: RuntimeCELCostBudget."""
MESSAGE_LENGTH_MAX = 5 * 1024

SELF = "self"
OLD_SELF = "oldSelf"
OUT_OF_BUDGET = "validation failed due to running out of cost budget, no further validation rules will be run"


TYPE_META = ("apiVersion", "kind")
"""What of a whole object may not go on breaking rules because it did not change."""


class _Spent(Exception):
    """No further rules are run."""


class _Check(NamedTuple):
    """One object held against its rules."""

    found: list[FieldError]
    ratcheted: list[FieldError]
    """What was wrong before and did not change."""
    budget: cel.Budget


class Rule:
    """One compiled rule."""

    __slots__ = (
        "_definition",
        "_message",
        "_optional",
        "_path",
        "_program",
        "message_problem",
        "problem",
        "transition",
    )

    def __init__(self, definition: Mapping[str, Any], type_of_self: Type) -> None:
        self._definition = definition
        self._optional = bool(definition.get("optionalOldSelf"))
        self.transition = uses_old(definition["rule"])
        was = optional_of(type_of_self) if self._optional else type_of_self
        variables = {SELF: type_of_self, OLD_SELF: was}
        self._path = definition.get("fieldPath") or ""
        self.problem = self.message_problem = ""
        self._program = self._message = None
        try:
            self._program = cel.compile(definition["rule"], variables=variables)
            if self._program.type != BOOL:
                self.problem = "cel expression must evaluate to a bool"
        except cel.CelCompileError as error:
            self.problem = f"{error.step}: {error}"
        message = definition.get("messageExpression")
        if not message or self.problem:
            return
        try:
            self._message = cel.compile(message, variables=variables)
            if self._message.type != STRING:
                self.message_problem = "messageExpression must evaluate to a string"
        except cel.CelCompileError as error:
            self.message_problem = f"messageExpression {error.step}: {error}"

    @property
    def name(self) -> str:
        text: str = self._definition.get("message") or self._definition["rule"]
        return text.strip()

    def check(self, value: Any, old: Any, where: Place, check: _Check, *, unchanged: bool) -> None:
        """`unchanged`: the value may go on breaking the rule, unless the rule is about changes."""
        if self.transition and old is None and not self._optional:
            return
        if self.problem or self._program is None:
            check.found.append(where.invalid(f"rule compile error: {self.problem}"))
            return
        bindings = {SELF: value}
        if self._optional:
            bindings[OLD_SELF] = Optional() if old is None else Optional(old)
        elif old is not None:
            bindings[OLD_SELF] = old
        try:
            if self._program.evaluate(bindings, budget=check.budget) is True:
                return
        except cel.CelBudgetExceeded as error:
            raise _Spent(_budget_text(error, check.budget, self.name)) from None
        except cel.CelError as error:
            check.found.append(where.invalid(_failure(str(error), self.name)))
            return
        found = check.ratcheted if unchanged and not self.transition else check.found
        found.append(self._error(where.child(self._path), self._detail(bindings, check.budget)))

    def _detail(self, bindings: dict[str, Any], budget: cel.Budget) -> str:
        if self._message is not None:
            try:
                said = self._message.evaluate(bindings, budget=budget)
            except cel.CelBudgetExceeded:
                raise _Spent(
                    "messageExpression evaluation failed due to running out of cost budget, "
                    "no further validation rules will be run"
                ) from None
            except cel.CelError:
                said = ""  # What the message says is no reason to refuse; the rule itself is.
            text = said.strip() if isinstance(said, str) else ""
            if text and "\n" not in text and len(text.encode()) <= MESSAGE_LENGTH_MAX:
                return text
        return self.name if self._definition.get("message") else f"failed rule: {self.name}"

    def _error(self, where: Place, detail: str) -> FieldError:
        reason = self._definition.get("reason")
        if reason == "FieldValueForbidden":
            return fielderrors.forbidden(where.path, detail)
        if reason == "FieldValueRequired":
            return fielderrors.required(where.path, detail)
        if reason == "FieldValueDuplicate":
            return fielderrors.duplicate(where.path, where.type)
        return where.invalid(detail)


class Place:
    """Where a rule stands: errors name the path, and the type in place of the value."""

    __slots__ = ("path", "type")

    def __init__(self, path: str, type: str) -> None:
        self.path = path
        self.type = type

    def child(self, path: str) -> Place:
        return Place(self.path + path if self.path else path.removeprefix("."), self.type) if path else self

    def invalid(self, detail: str) -> FieldError:
        return fielderrors.invalid(self.path or "<nil>", self.type, detail)


_TEXTS = re.compile(
    r""""[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)|'[^'\\]*+(?:\\.[^'\\]*+)*+(?:'|\\?\Z)""", re.DOTALL
)
"""One that does not end goes on to the end of the rule, which is refused for it."""


def uses_old(expression: str) -> bool:
    return re.search(rf"\b{OLD_SELF}\b", _TEXTS.sub("", expression)) is not None


def _failure(problem: str, rule: str) -> str:
    if problem.startswith("no such overload"):
        return (
            f"'{problem}': call arguments did not match a supported operator, function or macro signature "
            f"for rule: {rule}"
        )
    return f"{problem} evaluating rule: {rule}"


def _budget_text(error: cel.CelBudgetExceeded, budget: cel.Budget, rule: str) -> str:
    if budget.left <= 0:
        return OUT_OF_BUDGET
    return (
        f"'{error}': no further validation rules will be run due to call cost exceeds limit for rule: {rule}"
    )


class RuleTree:
    """The rules at one schema and below it; only where there are any."""

    __slots__ = (
        "_all_of",
        "_convert",
        "_items",
        "_keys",
        "_list_type",
        "_map_type",
        "_more",
        "_own",
        "_properties",
        "_type",
    )

    def __init__(
        self, schema: Mapping[str, Any], shape: Mapping[str, Any], *, resource: bool = False
    ) -> None:
        self._type = shape.get("type") or ""
        self._own = rules_of(schema, shape, resource=resource)
        self._convert = cel_types.converter(shape) if self._own else None
        shapes = shape.get("properties") or {}
        below = {
            name: tree_of(item, shape=shapes.get(name))
            for name, item in (schema.get("properties") or {}).items()
        }
        self._properties = {name: tree for name, tree in below.items() if tree is not None}
        self._items = tree_of(schema.get("items"), shape=shape.get("items"))
        self._more = tree_of(schema.get("additionalProperties"), shape=shape.get("additionalProperties"))
        parts = [tree_of(item, shape=shape, root=resource) for item in schema.get("allOf") or ()]
        self._all_of = [tree for tree in parts if tree is not None]
        self._list_type = shape.get("x-kubernetes-list-type")
        self._map_type = shape.get("x-kubernetes-map-type")
        self._keys: Sequence[str] = shape.get("x-kubernetes-list-map-keys") or ()

    def errors(
        self, value: Any, old: Any = None, ratcheted: list[FieldError] | None = None
    ) -> list[FieldError]:
        """`old`: the object before the update, None for a new one. `ratcheted`: takes what did not change."""
        found: list[FieldError] = []
        check = _Check(found, [] if ratcheted is None else ratcheted, cel.Budget(BUDGET))
        try:
            self._check(value, old, "", check, unchanged=False)
        except _Spent as error:
            found.append(Place("", self._type).invalid(str(error)))
        return found

    def _check(
        self, value: Any, old: Any, path: str, check: _Check, *, unchanged: bool, compares: bool = True
    ) -> None:
        """`unchanged`: whether what it is part of is. `compares`: whether it may be by itself."""
        if value is None:
            return
        outer, unchanged = unchanged, unchanged or (compares and old is not None and old == value)
        where = Place(path, self._type)
        seen, was = value, old
        if self._convert is not None:
            seen, was = self._convert(value), None if old is None else self._convert(old)
        for rule in self._own:
            rule.check(seen, was, where, check, unchanged=unchanged)
        for tree in self._all_of:
            tree._check(value, old, path, check, unchanged=outer, compares=False)
        if isinstance(value, list):
            self._check_items(value, old, path, check, unchanged=unchanged, compares=compares)
        elif isinstance(value, dict):
            self._check_fields(value, old, path, check, unchanged=unchanged, compares=compares)

    def _check_items(
        self,
        value: Sequence[Any],
        old: Any,
        path: str,
        check: _Check,
        *,
        unchanged: bool,
        compares: bool,
    ) -> None:
        if self._items is None:
            return
        before: dict[bytes, Any] = {}
        if self._list_type == "map" and isinstance(old, list):
            before = {self._key(item): item for item in old}
        for index, item in enumerate(value):
            was = before.get(self._key(item)) if before else None
            self._items._check(item, was, f"{path}[{index}]", check, unchanged=unchanged, compares=compares)

    def _key(self, item: Any) -> bytes:
        return orjson.dumps([item.get(key) for key in self._keys]) if isinstance(item, dict) else b""

    def _check_fields(
        self,
        value: Mapping[str, Any],
        old: Any,
        path: str,
        check: _Check,
        *,
        unchanged: bool,
        compares: bool,
    ) -> None:
        before: Mapping[str, Any] = old if isinstance(old, dict) and self._map_type != "atomic" else {}
        for name, item in value.items():
            tree = self._properties.get(name)
            if tree is not None:
                below = f"{path}.{name}" if path else name
            elif self._more is not None:
                tree, below = self._more, f"{path}[{name}]"
            else:
                continue
            if not path and name in TYPE_META:
                tree._check(item, before.get(name), below, check, unchanged=False, compares=False)
            else:
                tree._check(item, before.get(name), below, check, unchanged=unchanged, compares=compares)


def tree_of(schema: Any, *, shape: Any = None, root: bool = False) -> RuleTree | None:
    """The rules of a schema, None where it has none at all. `root`: of a whole object. `shape`: the schema that says
    the types, where that is another: what stands in `allOf` says none."""
    if not isinstance(schema, Mapping) or not has_rules(schema):
        return None
    shape = shape if isinstance(shape, Mapping) else schema
    return RuleTree(schema, shape, resource=root or bool(shape.get("x-kubernetes-embedded-resource")))


def rules_of(schema: Mapping[str, Any], shape: Mapping[str, Any], *, resource: bool) -> list[Rule]:
    """The rules that stand at this schema itself, for values of this shape."""
    definitions = schema.get("x-kubernetes-validations") or ()
    if not definitions:
        return []
    type_of_self = cel_types.type_of(shape, resource=resource) or DYN
    return [Rule(definition, type_of_self) for definition in definitions]


def has_rules(schema: Mapping[str, Any]) -> bool:
    if schema.get("x-kubernetes-validations"):
        return True
    below = [*(schema.get("properties") or {}).values(), *(schema.get("allOf") or ())]
    below += [schema.get("items"), schema.get("additionalProperties")]
    return any(isinstance(item, Mapping) and has_rules(item) for item in below)

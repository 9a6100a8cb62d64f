"""Does a value fit its JSON schema? Order of checks and wording are those of kube-openapi's validator.

A schema is compiled once into `Rules`; a value is then walked with them. What a custom resource held before an
update may stay as it was, however wrong it is by now: an error at a value that did not change is dropped
(ratcheting), where the old value can be told: a field by its name, an element of a list that is a map by its keys.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import orjson

from mamekube.foundation.slices import breathe
from mamekube.kinds.apiextensions import formats
from mamekube.objects import fielderrors
from mamekube.objects.cel.regex import compile_pattern
from mamekube.objects.fielderrors import FieldError

NOWHERE = "<nil>"
"""How upstream prints the path of an error that has none."""

INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1

UNKNOWN = object()
"""There is no old value to compare with."""

TYPE_META = ("apiVersion", "kind")

TOLD_LENGTH_MAX = 4 * 1024 * 1024
"""Of all that is wrong with one value. Upstream tells of everything, each time with all choices of an enum, the whole
pattern and the whole path."""
PATH_LENGTH_MAX = 10_000
"""Of a path to which something is added: it is copied for all that is below. Upstream cuts none."""


class Result:
    """What was found; `matches` counts the checks that went well, to tell the nearest of several alternatives.

    `told` are the errors, each once and in their order, `length` the length of their texts.
    """

    __slots__ = ("length", "matches", "told")

    def __init__(self) -> None:
        self.told: dict[FieldError, None] = {}
        self.length = 0
        self.matches = 0

    @property
    def errors(self) -> list[FieldError]:
        return list(self.told)

    def merge(self, other: Result) -> None:
        """`other` is of no use any more."""
        self.matches += other.matches
        if not self.told:
            self.told, self.length = other.told, other.length
            return
        for error in other.told:
            self.add(error)

    def add(self, error: FieldError) -> None:
        if error not in self.told and self.length < TOLD_LENGTH_MAX:
            self.told[error] = None
            self.length += len(error.field) + len(error.message)


class Rules:
    """One compiled schema."""

    __slots__ = (
        "all_of",
        "any_of",
        "bounds",
        "choices",
        "enum",
        "format",
        "items",
        "lengths",
        "list_keys",
        "list_type",
        "more",
        "negated",
        "nullable",
        "one_of",
        "pattern",
        "properties",
        "required",
        "sizes",
        "types",
    )

    def __init__(self, schema: Mapping[str, Any]) -> None:
        kind = schema.get("type")
        self.types: tuple[str, ...] = (kind,) if kind else ()
        if schema.get("x-kubernetes-int-or-string"):
            self.types = ("integer", "string")
        self.nullable = bool(schema.get("nullable"))
        self.format = formats.known(schema.get("format") or "", schema.get("type") or "")
        self.enum: Sequence[Any] | None = schema.get("enum")
        self.choices = frozenset(map(_choice, self.enum or ()))
        self.lengths = (schema.get("minLength"), schema.get("maxLength"))
        self.pattern: str = schema.get("pattern") or ""
        self.bounds = _Bounds.of(schema)
        self.sizes = (
            tuple(schema.get(key) for key in _SIZES) if any(key in schema for key in _SIZES) else None
        )
        self.required: Sequence[str] = schema.get("required") or ()
        self.properties = {name: Rules(below) for name, below in (schema.get("properties") or {}).items()}
        self.items = _optional(schema.get("items"))
        self.more = _optional(schema.get("additionalProperties"))
        self.all_of, self.any_of, self.one_of = (
            [Rules(below) for below in schema.get(key) or ()] for key in ("allOf", "anyOf", "oneOf")
        )
        self.negated = _optional(schema.get("not"))
        self.list_type: str = schema.get("x-kubernetes-list-type") or ""
        self.list_keys: Sequence[str] = schema.get("x-kubernetes-list-map-keys") or ()

    def check(self, value: Any, path: str = "", old: Any = UNKNOWN) -> Result:
        """`old`: what stood there before an update."""
        breathe()
        result = self._check(value, path, old)
        if result.told and old is not UNKNOWN and self._is_unchanged(value, old):
            unchanged = Result()
            unchanged.matches = result.matches
            return unchanged
        return result

    def _is_unchanged(self, value: Any, old: Any) -> bool:
        """Whether the values are the same; elements of lists that are maps may stand in another order."""
        if old is UNKNOWN or type(value) is not type(old):
            return False
        if isinstance(value, dict):
            return value.keys() == old.keys() and all(
                self._is_unchanged_below(self.properties.get(key, self.more), item, old[key])
                for key, item in value.items()
            )
        if isinstance(value, list) and self.list_type == "map":
            before = self._old_elements(old)
            return len(value) == len(old) and all(
                self._is_unchanged_below(self.items, item, before(item)) for item in value
            )
        return same(old, value)

    @staticmethod
    def _is_unchanged_below(rules: Rules | None, value: Any, old: Any) -> bool:
        if rules is None:
            return old is not UNKNOWN and same(old, value)
        return rules._is_unchanged(value, old)

    def _check(self, value: Any, path: str, old: Any) -> Result:
        result = Result()
        if value is None:
            if self.types and not self.nullable:
                result.add(_mistyped(path, ",".join(self.types), "null"))
            if self.enum is not None and _choice(None) not in self.choices:
                result.add(_not_one_of(path, None, self.enum))
            return result
        found = type_of(value)
        if self.types or self.format:
            self._check_type(value, found, path, result)
        if self.all_of or self.any_of or self.one_of or self.negated is not None:
            self._check_junctors(value, path, old, result)
        if found == "string":
            self._check_string(value, path, result)
        elif found in ("integer", "number"):
            if self.format == "int32" and not INT32_MIN <= value <= INT32_MAX:
                result.add(_unplaced(f"Checked value must be of type integer with format int32 in {path}"))
            if self.bounds is not None:
                self.bounds.check(value, path, result)
        elif found == "array":
            self._check_list(value, path, old, result)
        if self.enum is not None and _choice(value) not in self.choices:
            result.add(_not_one_of(path, value, self.enum))
        if found == "object":
            self._check_object(value, path, old, result)
        if not result.told:
            result.matches += 1
        return result

    def _check_type(self, value: Any, found: str, path: str, result: Result) -> None:
        whole = found == "number" and "integer" in self.types and float(value).is_integer()
        fraction = found == "integer" and "number" in self.types
        if not self.types or found in self.types or whole or fraction:
            result.matches += 1
        else:
            result.add(_mistyped(path, ",".join(self.types), found))

    def _check_string(self, value: str, path: str, result: Result) -> None:
        low, high = self.lengths
        if high is not None and len(value) > high:
            result.add(fielderrors.too_long(_field(path), high))
        elif low is not None and len(value) < low:
            detail = f"{path} in body should be at least {low} chars long"
            result.add(fielderrors.invalid(_field(path), value, detail))
        elif self.pattern and not compile_pattern(self.pattern).search(value):
            detail = f"{path} in body should match '{self.pattern}'"
            result.add(fielderrors.invalid(_field(path), value, detail))
        if self.format and not formats.fits(self.format, value):
            detail = f"{path} in body must be of type {self.format}: {fielderrors.render(value)}"
            result.add(fielderrors.type_invalid(_field(path), value, detail))

    def _check_list(self, value: Sequence[Any], path: str, old: Any, result: Result) -> None:
        if self.items is not None:
            before = self._old_elements(old)
            for index, item in enumerate(value):
                result.merge(self.items.check(item, f"{path}[{index}]", before(item)))
                if result.length >= TOLD_LENGTH_MAX:
                    return
        if self.sizes is None:
            return
        low, high = self.sizes[0], self.sizes[1]
        if low is not None and len(value) < low:
            detail = f"{path} in body should have at least {low} items"
            result.add(fielderrors.invalid(_field(path), len(value), detail))
        if high is not None and len(value) > high:
            result.add(fielderrors.too_many(_field(path), len(value), high))

    def _old_elements(self, old: Any) -> Any:
        """Elements have nothing that they could be told by but the keys of a list that is a map."""
        if not isinstance(old, list) or self.list_type != "map":
            return lambda item: UNKNOWN
        keys = self.list_keys
        by_keys = {_keys_of(item, keys): item for item in old}
        return lambda item: by_keys.get(_keys_of(item, keys), UNKNOWN)

    def _check_object(self, value: Mapping[str, Any], path: str, old: Any, result: Result) -> None:
        if self.sizes is not None:
            low, high = self.sizes[2], self.sizes[3]
            if low is not None and len(value) < low:
                detail = f"{path} in body should have at least {low} properties"
                result.add(fielderrors.invalid(_field(path), len(value), detail))
                return
            if high is not None and len(value) > high:
                result.add(fielderrors.too_many(_field(path), len(value), high))
                return
        before: Mapping[str, Any] = old if isinstance(old, dict) else {}
        if self.more is not None:
            for key, item in value.items():
                if key not in self.properties:
                    below = _cut(f"{path}.{key}")
                    result.merge(self.more.check(item, below, before.get(key, UNKNOWN)))
                    if result.length >= TOLD_LENGTH_MAX:
                        return
        for name in self._declared(value):
            below = _cut(f"{path}.{name}" if path else name)
            # What they were before cannot be told: both objects were converted to the same.
            was = UNKNOWN if not path and name in TYPE_META else before.get(name, UNKNOWN)
            result.merge(self.properties[name].check(value[name], below, was))
        for name in self.required:
            if name not in value:
                result.add(fielderrors.required(_field(f"{path}.{name}")))
                if result.length >= TOLD_LENGTH_MAX:
                    return

    def _declared(self, value: Mapping[str, Any]) -> list[str]:
        """The properties that the value has, in the order of the schema unless that is far larger."""
        few, many = (
            (value, self.properties) if len(value) < len(self.properties) >> 3 else (self.properties, value)
        )
        return [name for name in few if name in many]

    def _check_junctors(self, value: Any, path: str, old: Any, result: Result) -> None:
        if self.any_of:
            tried = [rules._check(value, path, old) for rules in self.any_of]
            good = next((one for one in tried if not one.told), None)
            if good is None:
                result.add(_unplaced(f'"{path}" must validate at least one schema (anyOf)'))
            result.merge(good or _nearest(tried))
        if self.one_of:
            tried = [rules._check(value, path, old) for rules in self.one_of]
            valid = [one for one in tried if not one.told]
            if len(valid) == 1:
                result.merge(valid[0])
            else:
                found = f"Found {len(valid)} valid alternatives" if valid else "Found none valid"
                result.add(_unplaced(f'"{path}" must validate one and only one schema (oneOf). {found}'))
                if not valid:
                    result.merge(_nearest(tried))
        if self.all_of:
            tried = [rules._check(value, path, old) for rules in self.all_of]
            for one in tried:
                result.merge(one)
            failed = sum(bool(one.told) for one in tried)
            if failed:
                more = ". None validated" if failed == len(tried) else ""
                result.add(_unplaced(f'"{path}" must validate all the schemas (allOf){more}'))
        if self.negated is not None and not self.negated._check(value, path, old).told:
            result.add(_unplaced(f'"{path}" must not validate the schema (not)'))
        result.matches += 1


_SIZES = ("minItems", "maxItems", "minProperties", "maxProperties")


@dataclass(frozen=True, slots=True)
class _Bounds:
    """What a number may be."""

    low: float | None
    high: float | None
    low_excluded: bool
    high_excluded: bool
    multiple: float | None

    @classmethod
    def of(cls, schema: Mapping[str, Any]) -> _Bounds | None:
        if not any(key in schema for key in ("minimum", "maximum", "multipleOf")):
            return None
        return cls(
            low=schema.get("minimum"),
            high=schema.get("maximum"),
            low_excluded=bool(schema.get("exclusiveMinimum")),
            high_excluded=bool(schema.get("exclusiveMaximum")),
            multiple=schema.get("multipleOf"),
        )

    def check(self, value: float, path: str, result: Result) -> None:
        if self.multiple is not None and not _is_multiple(value, self.multiple):
            _out_of_bounds(path, value, f"should be a multiple of {go_float(self.multiple)}", result)
        if self.high is not None and (value >= self.high if self.high_excluded else value > self.high):
            words = "less than" if self.high_excluded else "less than or equal to"
            _out_of_bounds(path, value, f"should be {words} {go_float(self.high)}", result)
        if self.low is not None and (value <= self.low if self.low_excluded else value < self.low):
            words = "greater than" if self.low_excluded else "greater than or equal to"
            _out_of_bounds(path, value, f"should be {words} {go_float(self.low)}", result)


def _optional(schema: Any) -> Rules | None:
    return Rules(schema) if isinstance(schema, Mapping) else None


def _out_of_bounds(path: str, value: float, problem: str, result: Result) -> None:
    result.add(fielderrors.invalid(_field(path), value, f"{path} in body {problem}"))


def _is_multiple(value: float, multiple: float) -> bool:
    if isinstance(value, int) and isinstance(multiple, int):
        return value % multiple == 0
    quotient = value / multiple
    return math.isfinite(quotient) and math.isclose(quotient, round(quotient), rel_tol=1e-12, abs_tol=1e-12)


def _nearest(tried: Sequence[Result]) -> Result:
    """The failure with the most checks that went well, the first of equals."""
    return max(tried, key=lambda one: one.matches)


def _field(path: str) -> str:
    return path.removeprefix(".") or NOWHERE


def _unplaced(problem: str) -> FieldError:
    return fielderrors.invalid(NOWHERE, "", problem)


def _mistyped(path: str, wanted: str, found: str) -> FieldError:
    where = f"{path} in body" if path else " in body"
    return fielderrors.type_invalid(
        _field(path), found, f"{where} must be of type {wanted}: {fielderrors.render(found)}"
    )


def _not_one_of(path: str, value: Any, enum: Sequence[Any]) -> FieldError:
    choices = [item if isinstance(item, str) else orjson.dumps(item).decode() for item in enum]
    return fielderrors.not_supported(_field(path), value, choices)


def _choice(value: Any) -> Any:
    """What is the same for the same JSON only: true is not 1, but 1.0 is."""
    if isinstance(value, dict):
        return frozenset((key, _choice(item)) for key, item in value.items())
    if isinstance(value, list):
        return tuple(map(_choice, value))
    return (bool, value) if isinstance(value, bool) else value


def _cut(path: str) -> str:
    return path if len(path) <= PATH_LENGTH_MAX else f"{path[:PATH_LENGTH_MAX]}…"


def _keys_of(item: Any, keys: Sequence[str]) -> str:
    if not isinstance(item, dict):
        return ""
    return orjson.dumps([item.get(key) for key in keys]).decode()


def same(first: Any, second: Any) -> bool:
    """Whether two values are the same JSON; in Python true would be 1."""
    order = orjson.OPT_SORT_KEYS
    return orjson.dumps(first, option=order) == orjson.dumps(second, option=order)


def type_of(value: Any) -> str:
    """The JSON type of a value, integers told from other numbers."""
    return _TYPES[type(value)]


_TYPES = {
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    list: "array",
    dict: "object",
    type(None): "null",
}


def go_float(value: float) -> str:
    """A number as Go prints a float64 with `%v`: `1e+06`, `0.5`, `10`."""
    sign, digits, exponent = Decimal(repr(float(value))).normalize().as_tuple()
    assert isinstance(exponent, int), "a schema holds finite numbers only"
    power = exponent + len(digits) - 1
    if -4 <= power < 6 or not any(digits):
        return repr(float(value)).removesuffix(".0")
    text = "".join(map(str, digits))
    fraction = f".{text[1:]}" if len(text) > 1 else ""
    return f"{'-' if sign else ''}{text[0]}{fraction}e{'-' if power < 0 else '+'}{abs(power):02d}"

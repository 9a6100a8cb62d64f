"""Are the rules of a schema well formed, and cheap enough to be run on every write? Upstream's limits and wording.

A rule is charged with its worst case, as often as values can stand where it does. What was too dear before a
definition is updated may stay as long as its schema does not change; the sum for a whole schema may not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mamekube.foundation.slices import breathe
from mamekube.kinds.apiextensions import cel_types, extents, rules
from mamekube.kinds.apiextensions.extents import Extent
from mamekube.kinds.fields import Found
from mamekube.objects import cel
from mamekube.objects.cel.estimates import UNBOUNDED, times, total
from mamekube.objects.cel.types import Type, optional_of
from mamekube.objects.fielderrors import Struct, forbidden, internal, invalid, not_supported, required

Schema = Mapping[str, Any]

EXPRESSION_COST_MAX = 10_000_000
"""Upstream: StaticEstimatedCostLimit."""
SCHEMA_COST_MAX = 100_000_000
"""Upstream: StaticEstimatedCRDCostLimit."""
NAMED_MAX = 4
"""How many of the dearest expressions are named where their sum is too much."""
REASONS = ("FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired")

_LINE_BREAK = re.compile(r"[\n\r]")


@dataclass(slots=True)
class Costs:
    """What the rules of one schema may cost together. `ratcheted`: single ones may cost more than the limit."""

    ratcheted: bool = False
    sum: int = 0
    dearest: list[tuple[int, str]] = field(default_factory=list)

    def count(self, cost: int, path: str) -> None:
        self.sum = total(self.sum, cost)
        if cost >= SCHEMA_COST_MAX // 100:
            self.dearest.append((cost, path))
            self.dearest.sort(key=lambda entry: -entry[0])
            del self.dearest[NAMED_MAX:]


def check_form(schema: Schema, path: str, found: Found) -> None:
    """The rules that stand at this schema itself, before they are compiled."""
    for index, rule in enumerate(schema.get("x-kubernetes-validations") or ()):
        _check_form(schema, rule, f"{path}.x-kubernetes-validations[{index}]", found)


def _check_form(schema: Schema, rule: Mapping[str, Any], path: str, found: Found) -> None:
    text, message = (rule.get("rule") or "").strip(), rule.get("message") or ""
    if not text:
        found.append(required(f"{path}.rule", "rule is not specified"))
    elif message and not message.strip():
        found.append(invalid(f"{path}.message", message, "message must be non-empty if specified"))
    elif _LINE_BREAK.search(message.strip()):
        found.append(invalid(f"{path}.message", message, "message must not contain line breaks"))
    elif _LINE_BREAK.search(text) and not message.strip():
        found.append(required(f"{path}.message", "message must be specified if rule contains line breaks"))
    expression = rule.get("messageExpression") or ""
    if expression and not expression.strip():
        detail = "messageExpression must be non-empty if specified"
        found.append(required(f"{path}.messageExpression", detail))
    if rule.get("reason") is not None and rule["reason"] not in REASONS:
        found.append(not_supported(f"{path}.reason", rule["reason"], REASONS))
    field_path = rule.get("fieldPath") or ""
    if field_path and not field_path.strip():
        found.append(invalid(f"{path}.fieldPath", field_path, "fieldPath must be non-empty if specified"))
    if _LINE_BREAK.search(field_path):
        found.append(invalid(f"{path}.fieldPath", field_path, "fieldPath must not contain line breaks"))
    if field_path and isinstance(find_field(schema, field_path), str):
        found.append(invalid(f"{path}.fieldPath", field_path, "fieldPath must be a valid path"))


_TOKEN = re.compile(r"[.\[\]]|'(?:[^'\\]|\\.)*'|[^.\[\]']+|'")
PATH_ENDS = "unexpected end of JSON path"
NO_FIELD = "does not refer to a valid field"


def find_field(schema: Schema, path: str, *, brackets: bool = True) -> Schema | str:
    """What a simple JSONPath (`.spec.name`, `.labels['a']`) names in a schema, or what is wrong with the path."""
    tokens = (match[0] for match in _TOKEN.finditer(path))
    for token in tokens:
        if token not in (".", "["):
            return f"expected [ or . but got: {token}"
        if token == "[" and not brackets:
            return "array notation is not allowed"
        name = next(tokens, None)
        if name is None:
            return PATH_ENDS
        if token == "[":
            if len(name) < 2 or name[0] != "'" or name[-1] != "'":
                return f"expected single quoted string but got {name}"
            name = re.sub(r"\\(.)", r"\1", name[1:-1])
        more = schema.get("additionalProperties")
        below = (schema.get("properties") or {}).get(name) if schema.get("properties") else more
        if not isinstance(below, Mapping):
            return NO_FIELD
        schema = below
        if token == "[" and (closing := next(tokens, None)) != "]":
            return PATH_ENDS if closing is None else f"expected ] but got {closing}"
    return schema


# Compiled rules -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a schema stands: how many of its values there can be (None: as many as fit into a request), whether
    they are whole resources, and the path below which there are no old values to compare with."""

    count_max: int | None = 1
    resource: bool = False
    uncorrelated: str = ""

    def below(self, schema: Schema, child: Schema, *, uncorrelated: str = "") -> _Place:
        most: int | None = 1
        if schema.get("type") == "array":
            most = schema.get("maxItems")
        elif schema.get("type") == "object" and schema.get("additionalProperties") is not None:
            most = schema.get("maxProperties")
        unknown = self.count_max is None or most is None
        return _Place(
            count_max=None if unknown else times(self.count_max or 0, max(0, most or 0)),
            resource=bool(child.get("x-kubernetes-embedded-resource")),
            uncorrelated=self.uncorrelated or uncorrelated,
        )


def check(schema: Schema, path: str, found: Found, *, ratcheted: bool) -> None:
    """Compile every rule of a whole schema that is well formed otherwise, and add up what they may cost."""
    costs = Costs(ratcheted)
    _check(schema, path, _Place(resource=True), costs, found)
    if costs.sum <= SCHEMA_COST_MAX:
        return
    detail = "contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema"
    found += [forbidden(where, detail) for _, where in costs.dearest]
    what = "x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema"
    found.append(forbidden(path, too_dear(what, costs.sum, SCHEMA_COST_MAX)))


def _check(schema: Schema, path: str, place: _Place, costs: Costs, found: Found) -> None:
    more, items = schema.get("additionalProperties"), schema.get("items")
    if isinstance(more, Mapping):
        _check(more, f"{path}.additionalProperties", place.below(schema, more), costs, found)
    lost = path if schema.get("x-kubernetes-map-type") == "atomic" else ""
    for name, child in (schema.get("properties") or {}).items():
        below = place.below(schema, child, uncorrelated=lost)
        _check(child, f"{path}.properties[{name}]", below, costs, found)
    if isinstance(items, Mapping):
        lost = path if schema.get("x-kubernetes-list-type") != "map" else ""
        _check(items, f"{path}.items", place.below(schema, items, uncorrelated=lost), costs, found)
    _check_own(schema, path, place, costs, found)


def _check_own(schema: Schema, path: str, place: _Place, costs: Costs, found: Found) -> None:
    breathe()
    definitions = schema.get("x-kubernetes-validations") or ()
    if not definitions:
        return
    extent = extents.extent_of(schema, resource=place.resource)
    known = cel_types.type_of(schema, resource=place.resource)
    if extent is None or known is None:
        where = f"{path}.x-kubernetes-validations"
        detail = (
            "internal error: failed to construct type information for x-kubernetes-validations rules: "
            "unable to convert structural schema to CEL declarations"
        )
        found.append(internal(where, detail))
        return
    for index, rule in enumerate(rules.rules_of(schema, schema, resource=place.resource)):
        where, definition = f"{path}.x-kubernetes-validations[{index}]", definitions[index]
        times_max = place.count_max if place.count_max is not None else extent.count_max
        if not rule.problem:
            cost = times(_cost(definition, "rule", known, extent), times_max)
            _charge("estimated rule cost", cost, f"{where}.rule", costs, found)
        else:
            found.append(invalid(f"{where}.rule", _shown(definition), rule.problem))
        if rule.message_problem:
            found.append(invalid(f"{where}.messageExpression", _shown(definition), rule.message_problem))
        elif definition.get("messageExpression") and not rule.problem:
            cost = _cost(definition, "messageExpression", known, extent)
            _charge("estimated messageExpression cost", cost, f"{where}.messageExpression", costs, found)
        if rule.transition and place.uncorrelated:
            detail = (
                "oldSelf cannot be used on the uncorrelatable portion of the schema within "
                f"{place.uncorrelated}"
            )
            found.append(invalid(f"{where}.rule", definition["rule"], detail))
        elif not rule.transition and definition.get("optionalOldSelf") is not None:
            detail = "may not be set if oldSelf is not used in rule"
            found.append(invalid(f"{where}.optionalOldSelf", definition["optionalOldSelf"], detail))


def _cost(definition: Mapping[str, Any], key: str, known: Type, extent: Extent) -> int:
    was = optional_of(known) if definition.get("optionalOldSelf") else known
    variables = {rules.SELF: known, rules.OLD_SELF: was}
    return cel.estimate(definition[key], variables=variables, size_of=extent.size_at)


def _charge(what: str, cost: int, path: str, costs: Costs, found: Found) -> None:
    if cost > EXPRESSION_COST_MAX and not costs.ratcheted:
        found.append(forbidden(path, too_dear(what, cost, EXPRESSION_COST_MAX)))
    costs.count(cost, path)


def too_dear(what: str, cost: int, limit: int) -> str:
    factor = min(cost, UNBOUNDED) / limit
    shown = "more than 100" if factor > 100 else f"{factor:f}" if factor < 1.5 else f"{factor:.1f}"
    return (
        f"{what} exceeds budget by factor of {shown}x (try simplifying the rule, or adding maxItems, "
        "maxProperties, and maxLength where arrays, maps, and strings are declared)"
    )


def _shown(rule: Mapping[str, Any]) -> Struct:
    return Struct(
        {
            "Rule": rule.get("rule") or "",
            "Message": rule.get("message") or "",
            "MessageExpression": rule.get("messageExpression") or "",
            "Reason": rule.get("reason"),
            "FieldPath": rule.get("fieldPath") or "",
            "OptionalOldSelf": rule.get("optionalOldSelf"),
        }
    )

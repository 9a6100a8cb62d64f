"""`FlowSchema` of `flowcontrol.apiserver.k8s.io/v1`."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.fields import Found, check, section
from mamekube.kinds.flowcontrol import flowrules, mandatory
from mamekube.kinds.kind import ALL_METADATA, Column, Kind
from mamekube.objects import conditions, names
from mamekube.objects.fielderrors import Struct, invalid, not_supported, required
from mamekube.objects.meta import Object

MATCHING_PRECEDENCE = 1000

COLUMNS = (
    cells.NAME,
    Column(name="PriorityLevel", field="flowcontrol.v1.PriorityLevelConfigurationReference.name"),
    Column(name="MatchingPrecedence", field="flowcontrol.v1.FlowSchemaSpec.matchingPrecedence"),
    Column(name="DistinguisherMethod", field="flowcontrol.v1.FlowSchemaSpec.distinguisherMethod"),
    cells.AGE,
    Column(name="MissingPL", description="references a broken or non-existent PriorityLevelConfiguration"),
)


def default(schema: Object) -> None:
    spec = section(schema, "spec")
    if not spec.get("matchingPrecedence"):
        spec["matchingPrecedence"] = MATCHING_PRECEDENCE


def prepare_create(schema: Object) -> None:
    schema["status"] = {}


def row(schema: Object, now_s: float) -> list[Any]:
    spec = cells.spec_of(schema)
    method = spec.get("distinguisherMethod")
    dangling = conditions.find(conditions.conditions_of(schema), "Dangling")
    return [
        cells.name(schema),
        (spec.get("priorityLevelConfiguration") or {}).get("name") or "",
        cells.count(spec, "matchingPrecedence"),
        cells.NONE if method is None else method.get("type") or "",
        cells.age(schema, now_s),
        "?" if dangling is None else dangling.get("status") or "",
    ]


MATCHING_PRECEDENCE_MAX = 10000


DISTINGUISHERS = frozenset(("ByNamespace", "ByUser"))


def validate(schema: Object) -> Found:
    found: Found = []
    spec, name = cells.spec_of(schema), cells.name(schema)
    precedence = cells.count(spec, "matchingPrecedence")
    if precedence <= 0:
        found.append(invalid("spec.matchingPrecedence", precedence, "must be a positive value"))
    elif precedence > MATCHING_PRECEDENCE_MAX:
        detail = f"must not be greater than {MATCHING_PRECEDENCE_MAX}"
        found.append(invalid("spec.matchingPrecedence", precedence, detail))
    if precedence == 1 and name != mandatory.EXEMPT:
        detail = "only the schema named 'exempt' may have matchingPrecedence 1"
        found.append(invalid("spec.matchingPrecedence", precedence, detail))
    method = spec.get("distinguisherMethod")
    if method is not None and method.get("type") not in DISTINGUISHERS:
        shown = Struct(Type=method.get("type") or "")
        found.append(not_supported("spec.distinguisherMethod.type", shown, DISTINGUISHERS))
    level, path = (spec.get("priorityLevelConfiguration") or {}).get("name"), "priorityLevelConfiguration"
    if level:
        check(level, f"spec.{path}.name", names.dns1123_subdomain, found)
    else:
        found.append(required(f"spec.{path}.name", "must reference a priority level"))
    for index, rule in enumerate(spec.get("rules") or ()):
        flowrules.validate_rule(rule, f"spec.rules[{index}]", found)
    given = {key: value for key, value in spec.items() if value is not None}
    if given != mandatory.FLOW_SCHEMAS.get(name, given):
        found.append(invalid("spec", spec, f"spec of '{name}' must equal the fixed value"))
    return found


def validate_status(new: Object, old: Object) -> Found:
    return flowrules.validate_conditions(new)


KIND = Kind(
    group="flowcontrol.apiserver.k8s.io",
    version="v1",
    plural="flowschemas",
    singular="flowschema",
    kind="FlowSchema",
    namespaced=False,
    schema="io.k8s.api.flowcontrol.v1.FlowSchema",
    has_status=True,
    status_resets=(ALL_METADATA,),
    counts_generation=True,
    default=default,
    prepare_create=prepare_create,
    columns=COLUMNS,
    row=row,
    row_order=lambda schema: (cells.count(cells.spec_of(schema), "matchingPrecedence"), cells.name(schema)),
    validate=validate,
    validate_status=validate_status,
)

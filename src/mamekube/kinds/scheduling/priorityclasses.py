"""`PriorityClass` of `scheduling.k8s.io/v1`."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.fields import Found, check_choice, check_immutable, section
from mamekube.kinds.kind import Column, Kind
from mamekube.objects.fielderrors import forbidden
from mamekube.objects.meta import Object

COLUMNS = (
    cells.NAME,
    Column(name="Value", field="scheduling.v1.PriorityClass.value", type="integer"),
    Column(name="Global-Default", field="scheduling.v1.PriorityClass.globalDefault", type="boolean"),
    cells.AGE,
    Column(name="PreemptionPolicy", field="scheduling.v1.PriorityClass.preemptionPolicy"),
)


def default(priority_class: Object) -> None:
    if priority_class.get("preemptionPolicy") is None:
        priority_class["preemptionPolicy"] = "PreemptLowerPriority"


def row(priority_class: Object, now_s: float) -> list[Any]:
    return [
        cells.name(priority_class),
        cells.count(priority_class, "value"),
        bool(priority_class.get("globalDefault")),
        cells.age(priority_class, now_s),
        priority_class.get("preemptionPolicy") or "",
    ]


USER_VALUE_MAX = 1_000_000_000
SYSTEM_PREFIX = "system-"
SYSTEM_CLASSES = {"system-node-critical": 2_000_001_000, "system-cluster-critical": 2_000_000_000}
PREEMPTION_POLICIES = ("PreemptLowerPriority", "Never")


def prepare_create(priority_class: Object) -> None:
    """Its generation is the first and the last: what counts cannot be changed."""
    section(priority_class, "metadata")["generation"] = 1


def validate_create(priority_class: Object) -> Found:
    found: Found = []
    name, value = cells.name(priority_class), cells.count(priority_class, "value")
    if name.startswith(SYSTEM_PREFIX):
        problem = _problem_of_system(name, value, by_default=bool(priority_class.get("globalDefault")))
        if problem:
            detail = f"priority class names with '{SYSTEM_PREFIX}' prefix are reserved for system use only"
            found.append(forbidden("metadata.name", f"{detail}. error: {problem}"))
    elif value > USER_VALUE_MAX:
        detail = f"maximum allowed value of a user defined priority is {USER_VALUE_MAX}"
        found.append(forbidden("value", detail))
    policy = priority_class.get("preemptionPolicy")
    if policy is not None:
        check_choice(policy, "preemptionPolicy", PREEMPTION_POLICIES, found)
    return found


def _problem_of_system(name: str, value: int, *, by_default: bool) -> str:
    if name not in SYSTEM_CLASSES:
        return f"{name} is not a known system priority class"
    if value != SYSTEM_CLASSES[name]:
        return f"value of {name} PriorityClass must be {SYSTEM_CLASSES[name]}"
    return f"globalDefault of {name} PriorityClass must be false" if by_default else ""


def validate_update(new: Object, old: Object) -> Found:
    found: Found = []
    if cells.count(new, "value") != cells.count(old, "value"):
        found.append(forbidden("value", "may not be changed in an update."))
    check_immutable(new, old, "preemptionPolicy", "preemptionPolicy", found)
    return found


KIND = Kind(
    group="scheduling.k8s.io",
    version="v1",
    plural="priorityclasses",
    singular="priorityclass",
    kind="PriorityClass",
    namespaced=False,
    short_names=("pc",),
    schema="io.k8s.api.scheduling.v1.PriorityClass",
    prepare_create=prepare_create,
    default=default,
    columns=COLUMNS,
    row=row,
    validate_create=validate_create,
    validate_update=validate_update,
)

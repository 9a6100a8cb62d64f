"""`PodDisruptionBudget` of `policy/v1`."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import cells, selectors, statusconditions
from mamekube.kinds.fields import Found, check_int_or_percent, check_not_negative, check_percent_max
from mamekube.kinds.kind import Column, Kind
from mamekube.objects.fielderrors import Struct, invalid, not_supported
from mamekube.objects.meta import Object

COLUMNS = (
    cells.NAME,
    Column(name="Min Available", description="The minimum number of pods that must be available."),
    Column(name="Max Unavailable", description="The maximum number of pods that may be unavailable."),
    Column(
        name="Allowed Disruptions",
        type="integer",
        description="Calculated number of pods that may be disrupted at this time.",
    ),
    cells.AGE,
)

COUNTS = ("disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods")
"""Of the status, in the order in which they are validated."""


def prepare_create(budget: Object) -> None:
    budget["status"] = dict.fromkeys(sorted(COUNTS), 0)


def row(budget: Object, now_s: float) -> list[Any]:
    spec = cells.spec_of(budget)
    return [
        cells.name(budget),
        *(
            "N/A" if spec.get(field) is None else str(spec[field])
            for field in ("minAvailable", "maxUnavailable")
        ),
        cells.count(cells.status_of(budget), "disruptionsAllowed"),
        cells.age(budget, now_s),
    ]


EVICTION_POLICIES = ("AlwaysAllow", "IfHealthyBudget")


def validate(budget: Object) -> Found:
    found: Found = []
    spec = cells.spec_of(budget)
    if spec.get("minAvailable") is not None and spec.get("maxUnavailable") is not None:
        detail = "minAvailable and maxUnavailable cannot be both set"
        shown = Struct(
            MinAvailable=spec["minAvailable"],
            Selector=spec.get("selector"),
            MaxUnavailable=spec["maxUnavailable"],
            UnhealthyPodEvictionPolicy=spec.get("unhealthyPodEvictionPolicy"),
        )
        found.append(invalid("spec", shown, detail))
    for field in ("minAvailable", "maxUnavailable"):
        check_int_or_percent(spec.get(field), f"spec.{field}", found)
        check_percent_max(spec.get(field), f"spec.{field}", found)
    selectors.validate(spec.get("selector"), "spec.selector", found)
    policy = spec.get("unhealthyPodEvictionPolicy")
    if policy is not None and policy not in EVICTION_POLICIES:
        found.append(not_supported("spec.unhealthyPodEvictionPolicy", policy, EVICTION_POLICIES))
    return found


def validate_status(new: Object, old: Object) -> Found:
    status = cells.status_of(new)
    found = statusconditions.validate(status.get("conditions") or (), "status.conditions")
    for field in COUNTS:
        check_not_negative(status, field, "status", found)
    return found


KIND = Kind(
    group="policy",
    version="v1",
    plural="poddisruptionbudgets",
    singular="poddisruptionbudget",
    kind="PodDisruptionBudget",
    short_names=("pdb",),
    schema="io.k8s.api.policy.v1.PodDisruptionBudget",
    has_status=True,
    counts_generation=True,
    prepare_create=prepare_create,
    columns=COLUMNS,
    row=row,
    validate=validate,
    validate_status=validate_status,
)

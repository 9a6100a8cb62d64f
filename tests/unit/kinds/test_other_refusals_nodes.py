"""What runtimes, priorities and leases are refused for, and what they are warned of."""

from typing import Any

import pytest

from mamekube.kinds.coordination import leases
from mamekube.kinds.kind import Kind
from mamekube.kinds.node import runtimeclasses
from mamekube.kinds.scheduling import priorityclasses


def created(kind: Kind, obj: dict[str, Any]) -> list[str]:
    kind.default(obj)
    return [str(error) for error in (*kind.validate(obj), *kind.validate_create(obj))]


def updated(kind: Kind, new: dict[str, Any], old: dict[str, Any]) -> list[str]:
    for obj in (new, old):
        kind.default(obj)
    return [str(error) for error in (*kind.validate(new), *kind.validate_update(new, old))]


def refusals(cases: list[tuple[Any, ...]]) -> Any:
    return pytest.mark.parametrize("case", cases, ids=lambda case: case[-1][:70] if case[1:] else "fine")


def runtime(handler: str = "runc", **fields: Any) -> dict[str, Any]:
    return {"metadata": {"name": "r"}, "handler": handler, **fields}


def tolerating(*tolerations: dict[str, Any]) -> dict[str, Any]:
    return runtime(scheduling={"tolerations": [*tolerations]})


SHOWN = '{"Key":"a","Operator":"Exists","Value":"","Effect":"NoExecute","TolerationSeconds":5}'
RUNTIMES = [
    (runtime(overhead={"podFixed": {"cpu": "10m", "example.com/gpu": 1}}),),
    (runtime(""), "handler: Required value"),
    (runtime("a.b"), 'handler: Invalid value: "a.b": must not contain dots'),
    (runtime(overhead={"podFixed": {"cpu": "-1"}}),
     'overhead.limits[cpu]: Invalid value: "-1": must be greater than or equal to 0'),
    (runtime(scheduling={"nodeSelector": {"a": "b", "a/b/c": "d"}}),
     'scheduling.nodeSelector: Invalid value: "a/b/c": a valid label key must consist of alphanumeric characters, '
     "'-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or "
     "'123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with an optional DNS "
     "subdomain prefix and '/' (e.g. 'example.com/MyName')"),
    (tolerating({"key": "a", "operator": "Exists", "effect": "NoExecute"},
                {"key": "a", "operator": "Exists", "effect": "NoSchedule"},
                {"key": "a", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 5}),
     f"scheduling.tolerations[2]: Duplicate value: {SHOWN}"),
    (tolerating({"operator": "Equal"}),
     'scheduling.tolerations[0].operator: Invalid value: "Equal": operator must be Exists when `key` is empty, which '
     'means "match all values and all keys"'),
]  # fmt: skip


@refusals(RUNTIMES)
def test_a_runtime_class_is_refused_for(case: tuple[Any, ...]) -> None:
    obj, *expected = case
    assert created(runtimeclasses.KIND, obj) == updated(runtimeclasses.KIND, obj, obj) == expected


def test_a_runtime_class_keeps_its_handler_and_is_warned_of_old_labels() -> None:
    assert updated(runtimeclasses.KIND, runtime("kata"), runtime()) == [
        'handler: Invalid value: "kata": field is immutable'
    ]
    selecting = runtime(scheduling={"nodeSelector": {"beta.kubernetes.io/os": "linux", "a": "b"}})
    expected = ['scheduling.nodeSelector: deprecated since v1.14; use "kubernetes.io/os" instead']
    assert runtimeclasses.KIND.warnings(selecting, None) == expected
    assert runtimeclasses.KIND.warnings(selecting, selecting) == expected
    assert runtimeclasses.KIND.warnings(runtime(), None) == []


def priority(name: str = "p", value: int = 1, **fields: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "value": value, **fields}


RESERVED = (
    "metadata.name: Forbidden: priority class names with 'system-' prefix are reserved for system use only."
)
CRITICAL = "system-node-critical"
PRIORITIES = [
    (priority(value=1_000_000_000),),
    (priority(value=-(2**31), preemptionPolicy="Never", globalDefault=True),),
    (priority(CRITICAL, 2_000_001_000),),
    (priority(value=1_000_000_001),
     "value: Forbidden: maximum allowed value of a user defined priority is 1000000000"),
    (priority("system-mine"), f"{RESERVED} error: system-mine is not a known system priority class"),
    (priority(CRITICAL), f"{RESERVED} error: value of {CRITICAL} PriorityClass must be 2000001000"),
    (priority(CRITICAL, 2_000_001_000, globalDefault=True),
     f"{RESERVED} error: globalDefault of {CRITICAL} PriorityClass must be false"),
    (priority(preemptionPolicy=""), "preemptionPolicy: Required value"),
    (priority(preemptionPolicy="Always"),
     'preemptionPolicy: Unsupported value: "Always": supported values: "PreemptLowerPriority", "Never"'),
]  # fmt: skip


@refusals(PRIORITIES)
def test_a_priority_class_is_refused_for(case: tuple[Any, ...]) -> None:
    obj, *expected = case
    assert created(priorityclasses.KIND, obj) == expected


def test_a_priority_class_keeps_what_counts() -> None:
    old, new = priority(), priority(value=2, preemptionPolicy="Never", globalDefault=True, description="d")
    assert updated(priorityclasses.KIND, new, old) == [
        "value: Forbidden: may not be changed in an update.",
        'preemptionPolicy: Invalid value: "Never": field is immutable',
    ]
    system, default = (priority(CRITICAL, 2_000_001_000, globalDefault=flag) for flag in (False, True))
    assert updated(priorityclasses.KIND, default, system) == []


def lease(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "l"}, "spec": spec}


LEASES = [
    (lease(leaseDurationSeconds=1, leaseTransitions=0, preferredHolder=""),),
    (lease(strategy="example.com/mine", preferredHolder="me"),),
    (lease(leaseDurationSeconds=0, leaseTransitions=-1),
     "spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0",
     "spec.leaseTransitions: Invalid value: -1: must be greater than or equal to 0"),
    (lease(strategy="Newest"),
     'spec.strategy.strategy: Unsupported value: "Newest": supported values: "OldestEmulationVersion"'),
    (lease(strategy="/mine"), 'spec.strategy.strategy: Invalid value: "/mine": prefix part must be non-empty'),
    (lease(preferredHolder="me"),
     "spec.preferredHolder: Forbidden: may only be specified if `strategy` is defined"),
]  # fmt: skip


@refusals(LEASES)
def test_a_lease_is_refused_for(case: tuple[Any, ...]) -> None:
    obj, *expected = case
    assert created(leases.KIND, obj) == expected


def test_a_lease_says_nothing_of_elections_that_the_server_does_not_hold() -> None:
    wanted = {"holderIdentity": "me", "strategy": "OldestEmulationVersion", "preferredHolder": "me"}
    new = lease(**wanted)
    leases.KIND.prepare_create(new)
    assert new["spec"] == {"holderIdentity": "me"}
    new, kept = lease(**wanted), lease(**wanted)
    leases.KIND.prepare_update(new, lease())
    leases.KIND.prepare_update(kept, lease(**wanted))
    assert (new["spec"], kept["spec"]) == ({"holderIdentity": "me"}, wanted)

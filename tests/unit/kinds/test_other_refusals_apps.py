"""What workloads, autoscalers and disruption budgets are refused for, what they are warned of, and their status."""

import copy
from typing import Any

import pytest

from mamekube.kinds.apps import daemonsets, deployments, replicasets, statefulsets
from mamekube.kinds.autoscaling import horizontalpodautoscalers as autoscalers
from mamekube.kinds.autoscaling import horizontalpodautoscalers_v1 as autoscalers_v1
from mamekube.kinds.kind import Kind
from mamekube.kinds.policy import poddisruptionbudgets as budgets

TEMPLATE = {"metadata": {"labels": {"app": "x"}}, "spec": {"containers": [{"name": "c", "image": "nginx:1"}]}}
BAD_SELECTOR = {"matchExpressions": [{"key": "app", "operator": "In"}]}
SHOWN_SELECTOR = '{"matchExpressions":[{"key":"app","operator":"In"}]}'
NO_VALUES = (
    "spec.selector.matchExpressions[0].values: Required value: "
    "must be specified when `operator` is 'In' or 'NotIn'"
)


def workload(kind: Kind, name: str = "w", **spec: Any) -> dict[str, Any]:
    selector = {"matchLabels": {"app": "x"}}
    obj = {
        "metadata": {"name": name, "uid": "u-1", "generation": 1},
        "spec": {"selector": selector, "template": copy.deepcopy(TEMPLATE), **spec},
    }
    kind.default(obj)
    return obj


def created(kind: Kind, obj: dict[str, Any]) -> list[str]:
    return [str(error) for error in (*kind.validate(obj), *kind.validate_create(obj))]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (deployments.KIND, [f"spec.selector: Invalid value: {SHOWN_SELECTOR}: invalid label selector"]),
        (replicasets.KIND, [f"spec.selector: Invalid value: {SHOWN_SELECTOR}: invalid label selector"]),
        (statefulsets.KIND, [f"spec.selector: Invalid value: {SHOWN_SELECTOR}"]),
        (daemonsets.KIND, []),
    ],
    ids=lambda value: value.plural if isinstance(value, Kind) else "",
)
def test_a_selector_that_is_not_well_formed_selects_nothing_to_compare(
    kind: Kind, expected: list[str]
) -> None:
    obj = workload(kind, selector=BAD_SELECTOR)
    assert created(kind, obj) == [NO_VALUES, *expected]


def test_the_template_is_not_looked_at_where_nobody_knows_what_is_selected() -> None:
    image = {"containers": [{"name": "c"}]}
    obj = workload(deployments.KIND, selector=BAD_SELECTOR, template={"spec": image})
    assert [error.split(":")[0] for error in created(deployments.KIND, obj)] == [
        "spec.selector.matchExpressions[0].values",
        "spec.selector",
    ]


@pytest.mark.parametrize(
    "kind", [deployments.KIND, statefulsets.KIND, daemonsets.KIND], ids=lambda kind: kind.plural
)
def test_collisions_are_counted_up_only(kind: Kind) -> None:
    def written(count: int | None, before: int | None) -> list[str]:
        new, old = ({"status": {"collisionCount": value}} for value in (count, before))
        return [str(error) for error in kind.validate_status(new, old)]

    assert written(1, None) == written(2, 1) == written(None, None) == []
    assert written(1, 2) == ["status.collisionCount: Invalid value: 1: cannot be decremented"]
    assert written(None, 2) == ["status.collisionCount: Invalid value: 0: cannot be decremented"]


def test_a_stateful_set_names_the_bound_of_its_ready_pods_by_its_path() -> None:
    status = {"replicas": 2, "readyReplicas": 1, "availableReplicas": 2}
    (of_set,) = statefulsets.KIND.validate_status({"status": status}, {})
    (of_replicas,) = replicasets.KIND.validate_status({"status": status}, {})
    assert of_set.message == "Invalid value: 2: cannot be greater than status.readyReplicas"
    assert of_replicas.message == "Invalid value: 2: cannot be greater than readyReplicas"


def test_the_service_of_a_stateful_set_is_a_label_when_it_is_made() -> None:
    obj = workload(statefulsets.KIND, serviceName="a.b")
    (error,) = created(statefulsets.KIND, obj)
    assert error == 'spec.serviceName: Invalid value: "a.b": must not contain dots'
    assert statefulsets.KIND.validate(obj) + statefulsets.KIND.validate_update(obj, obj) == []


def test_a_stateful_set_may_keep_all_of_its_history_and_is_told_so() -> None:
    obj = workload(statefulsets.KIND, revisionHistoryLimit=-1)
    assert created(statefulsets.KIND, obj) == []
    assert statefulsets.KIND.warnings(obj, None) == [
        "spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= 0 is recommended"
    ]
    assert statefulsets.KIND.warnings(obj, obj) == []


@pytest.mark.parametrize("kind", [deployments.KIND, replicasets.KIND], ids=lambda kind: kind.plural)
def test_names_that_are_no_labels_are_warned_of_once(kind: Kind) -> None:
    obj = workload(kind, "a.b")
    assert kind.warnings(obj, None) == [
        "metadata.name: this is used in Pod names and hostnames, which can result in surprising behavior; a DNS label "
        "is recommended: [must not contain dots]"
    ]
    assert kind.warnings(obj, obj) == []


def autoscaler(**spec: Any) -> dict[str, Any]:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"}
    obj = {"metadata": {"name": "a"}, "spec": {"maxReplicas": 3, "scaleTargetRef": target, **spec}}
    autoscalers.KIND.default(obj)
    return obj


def measured(**metric: Any) -> dict[str, Any]:
    return autoscaler(metrics=[metric])


def pods(**target: Any) -> dict[str, Any]:
    source = {"metric": {"name": "m"}, "target": {"type": "AverageValue", **target}}
    return measured(type="Pods", pods=source)


def cpu(**target: Any) -> dict[str, Any]:
    return {"name": "cpu", "target": {"type": "Utilization", **target}}


def scaling(**rules: Any) -> dict[str, Any]:
    return autoscaler(behavior={"scaleUp": rules})


M, UP = "spec.metrics[0]", "spec.behavior.scaleUp"
TYPES = 'supported values: "ContainerResource", "External", "Object", "Pods", "Resource"'
AUTOSCALERS = [
    (autoscaler(),),
    (scaling(tolerance="0.1"),),
    (autoscaler(minReplicas=2, maxReplicas=0),
     "spec.maxReplicas: Invalid value: 0: must be greater than 0",
     "spec.maxReplicas: Invalid value: 0: must be greater than or equal to `minReplicas`"),
    (autoscaler(minReplicas=0),
     "spec.minReplicas: Invalid value: 0: must be greater than or equal to 1",
     "spec.metrics: Forbidden: must specify at least one Object or External metric to support scaling to zero "
     "replicas"),
    (autoscaler(scaleTargetRef={"kind": "a/b"}),
     "spec.scaleTargetRef.kind: Invalid value: \"a/b\": may not contain '/'",
     "spec.scaleTargetRef.name: Required value"),
    (measured(),
     f"{M}.type: Required value: must specify a metric source type",
     f'{M}.type: Unsupported value: "": {TYPES}'),
    (measured(type="Resource"), f"{M}.resource: Required value: must populate information for the given metric source"),
    (measured(type="Resource", resource=cpu()),
     f"{M}.resource.target.averageUtilization: Required value: must set either a target raw value or a target "
     "utilization"),
    (measured(type="Resource", resource=cpu(averageUtilization=1, averageValue="1")),
     f"{M}.resource.target.averageValue: Forbidden: may not set both a target raw value and a target utilization"),
    (measured(type="ContainerResource", containerResource=cpu(averageUtilization=0)),
     f"{M}.containerResource.container: Required value: must specify a container",
     f"{M}.containerResource.target.averageUtilization: Invalid value: 0: must be greater than 0"),
    (measured(type="Resource", resource=cpu(averageUtilization=1), pods={"metric": {"name": "m"},
     "target": {"type": "AverageValue", "averageValue": "1"}}),
     f"{M}.pods: Forbidden: must populate the given metric source only"),
    (pods(), f"{M}.pods.target.averageValue: Required value: must specify a positive target averageValue"),
    (pods(averageValue="0", type="Sum"),
     f'{M}.pods.target.type: Invalid value: "Sum": must be either Utilization, Value, or AverageValue',
     f'{M}.pods.target.averageValue: Invalid value: "0": must be positive'),
    (measured(type="External", external={"target": {"type": "Value", "value": "1", "averageValue": "1"}}),
     f"{M}.external.metric.name: Required value: must specify a metric name",
     f"{M}.external.target.value: Forbidden: may not set both a target value for metric and a per-pod target"),
    (measured(type="Object", object={"metric": {"name": "m"}, "target": {"type": "Value"},
     "describedObject": {"kind": "Service", "name": "s"}}),
     f"{M}.object.target.averageValue: Required value: must set either a target value or averageValue"),
    (scaling(stabilizationWindowSeconds=3601, selectPolicy="Most", policies=[]),
     f"{UP}.stabilizationWindowSeconds: Invalid value: 3601: must be less than or equal to 3600",
     f'{UP}.selectPolicy: Unsupported value: "Most": supported values: "Disabled", "Max", "Min"',
     f"{UP}.policies: Required value: must specify at least one Policy"),
    (scaling(policies=[{"type": "All", "value": 0, "periodSeconds": 1801}], tolerance="-1"),
     f'{UP}.policies[0].type: Unsupported value: "All": supported values: "Percent", "Pods"',
     f"{UP}.policies[0].value: Invalid value: 0: must be greater than zero",
     f"{UP}.policies[0].periodSeconds: Invalid value: 1801: must be less than or equal to 1800",
     f'{UP}.tolerance: Invalid value: "-1": must be greater than or equal to 0'),
]  # fmt: skip


@pytest.mark.parametrize("case", AUTOSCALERS, ids=lambda case: case[-1][:70] if case[1:] else "fine")
def test_an_autoscaler_is_refused_for(case: tuple[Any, ...]) -> None:
    obj, *expected = case
    assert created(autoscalers.KIND, obj) == expected


def test_an_autoscaler_that_could_leave_nothing_still_may() -> None:
    value = {"type": "Value", "value": "1"}
    old = measured(type="External", external={"metric": {"name": "m"}, "target": value})
    none = copy.deepcopy(old)
    none["spec"]["minReplicas"] = 0
    assert autoscalers.KIND.validate_update(none, none) == []
    (error,) = autoscalers.KIND.validate_update(none, old)
    assert error.field == "spec.minReplicas"


def test_both_versions_of_an_autoscaler_have_the_same_rules() -> None:
    obj = autoscaler()
    del obj["spec"]["metrics"]
    autoscalers_v1.KIND.default(obj)
    assert created(autoscalers_v1.KIND, obj) == []
    obj["spec"]["maxReplicas"] = 0
    expected = ["spec.maxReplicas"] * 2
    assert [error.field for error in autoscalers_v1.KIND.validate_create(obj)] == expected
    assert [error.field for error in autoscalers_v1.KIND.validate_update(obj, obj)] == expected
    (error,) = autoscalers_v1.KIND.validate_status({"status": {"desiredReplicas": -1}}, {})
    assert str(error) == "status.desiredReplicas: Invalid value: -1: must be greater than or equal to 0"


def test_a_budget_shows_what_it_has_too_much_of_as_upstream_keeps_it() -> None:
    spec = {"minAvailable": 1, "maxUnavailable": "1%", "unhealthyPodEvictionPolicy": "Never"}
    assert created(budgets.KIND, {"metadata": {"name": "b"}, "spec": spec}) == [
        'spec: Invalid value: {"MinAvailable":1,"Selector":null,"MaxUnavailable":"1%","UnhealthyPodEvictionPolicy":'
        '"Never"}: minAvailable and maxUnavailable cannot be both set',
        'spec.unhealthyPodEvictionPolicy: Unsupported value: "Never": supported values: "AlwaysAllow", '
        '"IfHealthyBudget"',
    ]

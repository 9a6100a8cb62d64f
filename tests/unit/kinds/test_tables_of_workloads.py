"""The rows of what runs pods, branch by branch."""

from typing import Any

import pytest
from tests.unit.kinds.tables import AGE, BORN, row_of

ENDED = "2026-01-01T00:20:00Z"
TRUE: dict[str, Any] = {"status": "True"}
AMOUNT, HALF = {"averageValue": "100"}, {"averageValue": "50"}


def job(*types: str, spec: dict[str, Any] | None = None, status: dict[str, Any] | None = None) -> Any:
    conditions = [{"type": kind, **TRUE} for kind in types]
    return {"spec": spec or {}, "status": {"conditions": conditions, **(status or {})}}


@pytest.mark.parametrize(
    ("made", "cells"),
    [
        (job("Complete", "SuccessCriteriaMet"), ["Complete", "0/1", ""]),
        (job("FailureTarget"), ["FailureTarget", "0/1", ""]),
        (job("FailureTarget", "Failed"), ["Failed", "0/1", ""]),
        (job("SuccessCriteriaMet"), ["Running", "0/1", ""]),
        (job("Suspended", spec={"completions": 0}), ["Suspended", "0/0", ""]),
        (job("Suspended", "FailureTarget"), ["Suspended", "0/1", ""]),
        (job(spec={"parallelism": 1}, status={"succeeded": 1}), ["Running", "1/1", ""]),
        (job(spec={"parallelism": 3}, status={"succeeded": 2}), ["Running", "2/1 of 3", ""]),
        (job(spec={"completions": 4, "parallelism": 3}), ["Running", "0/4", ""]),
        (job(status={"startTime": BORN}), ["Running", "0/1", AGE]),
        (job(status={"startTime": BORN, "completionTime": ENDED}), ["Running", "0/1", "20m"]),
        (job(status={"startTime": ENDED, "completionTime": BORN}), ["Running", "0/1", "<invalid>"]),
        ({**job("Suspended"), "metadata": {"deletionTimestamp": BORN}}, ["Terminating", "0/1", ""]),
        ({**job("Complete"), "metadata": {"deletionTimestamp": BORN}}, ["Complete", "0/1", ""]),
    ],
)
def test_status_completions_and_duration_of_a_job(made: Any, cells: list[Any]) -> None:
    assert row_of("batch/v1/jobs", made)[1:4] == cells


@pytest.mark.parametrize(
    ("spec", "status", "cells"),
    [
        ({"timeZone": "Europe/Berlin"}, {}, ["Europe/Berlin", "<unset>", 0, "<none>"]),
        ({"timeZone": ""}, {}, ["", "<unset>", 0, "<none>"]),
        ({"suspend": True}, {"lastScheduleTime": ENDED}, ["<none>", "True", 0, "166m"]),
        ({"suspend": False}, {"active": [{}, {}]}, ["<none>", "False", 2, "<none>"]),
    ],
)
def test_a_cron_job_tells_of_its_zone_and_of_its_last_time(
    spec: dict[str, Any], status: dict[str, Any], cells: list[Any]
) -> None:
    made = {"spec": {"schedule": "0/5 * * * ?", **spec}, "status": status}
    assert row_of("batch/v1/cronjobs", made)[2:6] == cells


def metric(kind: str, target: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": kind, kind[0].lower() + kind[1:]: {"target": target, **more}}


def reading(kind: str, current: dict[str, Any]) -> dict[str, Any]:
    return {"type": kind, kind[0].lower() + kind[1:]: {"current": current}}


CPU = {"name": "cpu"}
TARGETS: list[tuple[list[Any], list[Any], str]] = [
    ([], [], "<none>"),
    ([metric("External", AMOUNT)], [], "<unknown>/100 (avg)"),
    ([metric("External", AMOUNT)], [reading("External", HALF)], "50/100 (avg)"),
    ([metric("External", AMOUNT)], [reading("External", {"value": "5"})], "<unknown>/100 (avg)"),
    ([metric("External", {"value": "100"})], [], "<unknown>/100"),
    ([metric("External", {"value": "100"})], [reading("External", {"value": "50m"})], "50m/100"),
    ([metric("External", {"value": "100"})], [reading("External", HALF)], "<nil>/100"),
    ([metric("Pods", AMOUNT)], [], "<unknown>/100"),
    ([metric("Pods", AMOUNT)], [reading("Pods", HALF)], "50/100"),
    ([metric("Pods", {})], [reading("Pods", {})], "<nil>/<nil>"),
    ([metric("Object", {"value": "100"})], [], "<unknown>/100"),
    ([metric("Object", {"value": "100"})], [reading("Object", {"value": "50"})], "50/100"),
    ([metric("Object", AMOUNT)], [], "<unknown>/100 (avg)"),
    ([metric("Object", AMOUNT)], [reading("Object", HALF)], "50/100 (avg)"),
    ([metric("Resource", AMOUNT, **CPU)], [], "cpu: <unknown>/100"),
    ([metric("Resource", AMOUNT, **CPU)], [reading("Resource", HALF)], "cpu: 50/100"),
    ([metric("Resource", AMOUNT, **CPU)], [reading("Resource", {})], "cpu: <nil>/100"),
    ([metric("Resource", {"averageUtilization": 80}, **CPU)], [], "cpu: <unknown>/80%"),
    ([metric("Resource", {}, **CPU)], [reading("Resource", HALF)], "cpu: <unknown>/<auto>"),
    ([metric("ContainerResource", AMOUNT, **CPU)], [], "cpu: <unknown>/100"),
    (
        [metric("ContainerResource", {"averageUtilization": 80}, **CPU)],
        [reading("ContainerResource", {"averageUtilization": 50})],
        "cpu: 50%/80%",
    ),
    ([metric("Pods", AMOUNT)], [reading("External", HALF)], "<unknown>/100"),
    (
        [metric("Pods", AMOUNT), metric("Object", AMOUNT), metric("Pods", AMOUNT), metric("Pods", AMOUNT)],
        [reading("Pods", HALF), reading("Object", HALF)],
        "50/100, 50/100 (avg) + 2 more...",
    ),
]


@pytest.mark.parametrize(("metrics", "current", "text"), TARGETS)
def test_targets_of_an_autoscaler(metrics: list[Any], current: list[Any], text: str) -> None:
    made = {"spec": {"metrics": metrics}, "status": {"currentMetrics": current}}
    assert row_of("autoscaling/v2/horizontalpodautoscalers", made)[2] == text


@pytest.mark.parametrize(
    ("resource", "text"),
    [("apps/v1/deployments", "<invalid>"), ("apps/v1/replicasets", "<error>")],
)
@pytest.mark.parametrize(
    "expression",
    [
        {"key": "b", "operator": "Odd"},
        {"key": "b", "operator": "In"},
        {"key": "b", "operator": "NotIn", "values": []},
        {"key": "b", "operator": "Exists", "values": ["x"]},
    ],
)
def test_a_selector_that_is_none_is_told_as_a_whole(
    resource: str, text: str, expression: dict[str, Any]
) -> None:
    selector = {"matchLabels": {"a": "1"}, "matchExpressions": [expression]}
    assert row_of(resource, {"spec": {"selector": selector}})[-1] == text


@pytest.mark.parametrize(
    ("resource", "made", "cells"),
    [
        ("apps/v1/deployments", {"spec": {"replicas": 0}}, ["x", "0/0", 0, 0, AGE, "", "", ""]),
        (
            "v1/replicationcontrollers",
            {"spec": {"replicas": 5, "selector": {"b": "2", "a": "1"}}, "status": {"replicas": 3}},
            ["x", 5, 3, 0, AGE, "", "", "a=1,b=2"],
        ),
        (
            "v1/replicationcontrollers",
            {"spec": {"replicas": 1}, "metadata": {"creationTimestamp": None}},
            ["x", 1, 0, 0, "<unknown>", "", "", "<none>"],
        ),
        (
            # Labels are sorted with their values.
            "v1/replicationcontrollers",
            {"spec": {"selector": {"app": "b", "app.kubernetes.io/name": "a"}}},
            ["x", 0, 0, 0, AGE, "", "", "app.kubernetes.io/name=a,app=b"],
        ),
        (
            "v1/podtemplates",
            {
                "template": {
                    "metadata": {"labels": {"b": "2", "a": "1"}},
                    "spec": {"containers": [{"name": "c", "image": "i"}]},
                }
            },
            ["x", "c", "i", "a=1,b=2"],
        ),
        (
            "apps/v1/controllerrevisions",
            {"revision": 1, "metadata": {"ownerReferences": [{"apiVersion": "v1", "kind": "Pod"}]}},
            ["x", "<none>", 1, AGE],
        ),
        (
            "policy/v1/poddisruptionbudgets",
            {"spec": {"maxUnavailable": 3}},
            ["x", "N/A", "3", 0, AGE],
        ),
        (
            "policy/v1/poddisruptionbudgets",
            {"spec": {"minAvailable": 0, "maxUnavailable": "0%"}, "status": {"disruptionsAllowed": 2}},
            ["x", "0", "0%", 2, AGE],
        ),
    ],
)
def test_row_of_a_workload(resource: str, made: dict[str, Any], cells: list[Any]) -> None:
    assert row_of(resource, made) == cells

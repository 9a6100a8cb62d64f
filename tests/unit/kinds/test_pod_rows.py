"""What `kubectl get pods` says, state by state."""

import pytest

from mamekube.foundation.clock import parse_time
from mamekube.kinds.core.pods import KIND

BORN = "2026-01-01T00:00:00Z"
NOW_S = parse_time(BORN) + 600


def row(pod: dict) -> list:
    assert KIND.row is not None
    return list(KIND.row(pod, NOW_S))


def pod(status: dict, *, containers: int = 1, spec: dict | None = None, **metadata: str) -> dict:
    made = {"containers": [{"name": f"c{index}"} for index in range(containers)], **(spec or {})}
    return {"metadata": {"name": "p", "creationTimestamp": BORN, **metadata}, "spec": made, "status": status}


def container(
    state: dict, *, ready: bool = False, restarts: int = 0, ended: str = "", name: str = "c0"
) -> dict:
    made = {"name": name, "ready": ready, "restartCount": restarts, "state": state, "started": ready}
    return {**made, "lastState": {"terminated": {"finishedAt": ended}}} if ended else made


def waiting(reason: str) -> dict:
    return {"waiting": {"reason": reason}}


def ended(code: int, reason: str = "", **more: int) -> dict:
    return {"terminated": {"exitCode": code, "reason": reason, **more}}


RUNNING = {"running": {}}
READY = [{"type": "Ready", "status": "True"}]
SIDECAR = {"initContainers": [{"name": "side", "restartPolicy": "Always"}, {"name": "init"}]}


@pytest.mark.parametrize(
    ("made", "cells"),
    [
        (pod({"phase": "Pending"}), ["0/1", "Pending", "0"]),
        (
            pod({"phase": "Pending", "containerStatuses": [container(waiting("ContainerCreating"))]}),
            ["0/1", "ContainerCreating", "0"],
        ),
        (
            pod({"phase": "Running", "containerStatuses": [container(RUNNING, ready=True)]}),
            ["1/1", "Running", "0"],
        ),
        (
            pod(
                {
                    "phase": "Running",
                    "containerStatuses": [
                        container(waiting("CrashLoopBackOff"), restarts=3, ended="2026-01-01T00:05:00Z")
                    ],
                }
            ),
            ["0/1", "CrashLoopBackOff", "3 (5m ago)"],
        ),
        (
            pod({"phase": "Succeeded", "containerStatuses": [container(ended(0, "Completed"))]}),
            ["0/1", "Completed", "0"],
        ),
        (
            pod({"phase": "Failed", "containerStatuses": [container(ended(137))]}),
            ["0/1", "ExitCode:137", "0"],
        ),
        (
            pod({"phase": "Failed", "containerStatuses": [container(ended(0, signal=9))]}),
            ["0/1", "Signal:9", "0"],
        ),
        (pod({"phase": "Failed", "reason": "Evicted"}), ["0/1", "Evicted", "0"]),
        (
            pod(
                {
                    "phase": "Running",
                    "conditions": READY,
                    "containerStatuses": [container(ended(0, "Completed")), container(RUNNING, ready=True)],
                },
                containers=2,
            ),
            ["1/2", "Running", "0"],
        ),
        (
            pod(
                {
                    "phase": "Running",
                    "containerStatuses": [container(ended(0, "Completed")), container(RUNNING, ready=True)],
                },
                containers=2,
            ),
            ["1/2", "NotReady", "0"],
        ),
        (
            pod(
                {"phase": "Pending", "initContainerStatuses": [container(RUNNING)]},
                spec={"initContainers": [{"name": "c0"}, {"name": "c1"}]},
            ),
            ["0/1", "Init:0/2", "0"],
        ),
        (
            pod(
                {
                    "phase": "Pending",
                    "initContainerStatuses": [container(ended(0)), container(waiting("PodInitializing"))],
                },
                spec={"initContainers": [{"name": "c0"}, {"name": "c1"}]},
            ),
            ["0/1", "Init:1/2", "0"],
        ),
        (
            pod(
                {
                    "phase": "Pending",
                    "initContainerStatuses": [
                        container(waiting("CrashLoopBackOff"), restarts=2, ended="2026-01-01T00:09:30Z")
                    ],
                },
                spec={"initContainers": [{"name": "c0"}]},
            ),
            ["0/1", "Init:CrashLoopBackOff", "2 (30s ago)"],
        ),
        (
            pod(
                {"phase": "Failed", "initContainerStatuses": [container(ended(1, "Error"))]},
                spec={"initContainers": [{"name": "c0"}]},
            ),
            ["0/1", "Init:Error", "0"],
        ),
        (
            pod(
                {
                    "phase": "Running",
                    "initContainerStatuses": [
                        container(RUNNING, ready=True, restarts=1, name="side"),
                        container(ended(0), restarts=4, name="init"),
                    ],
                    "containerStatuses": [container(RUNNING, ready=True)],
                },
                spec=SIDECAR,
            ),
            ["2/2", "Running", "1"],
        ),
        (pod({"phase": "Running"}, deletionTimestamp=BORN), ["0/1", "Terminating", "0"]),
        (pod({"phase": "Succeeded"}, deletionTimestamp=BORN), ["0/1", "Succeeded", "0"]),
        (pod({"phase": "Running", "reason": "NodeLost"}, deletionTimestamp=BORN), ["0/1", "Unknown", "0"]),
        (
            pod(
                {
                    "phase": "Pending",
                    "conditions": [{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}],
                }
            ),
            ["0/1", "SchedulingGated", "0"],
        ),
    ],
)
def test_ready_status_and_restarts(made, cells) -> None:
    assert row(made)[1:4] == cells


def test_wide_columns_are_none_until_they_are_known() -> None:
    assert row(pod({"phase": "Pending"}))[4:] == ["10m", "<none>", "<none>", "<none>", "<none>"]


def test_wide_columns_show_address_node_and_gates() -> None:
    made = pod(
        {
            "phase": "Running",
            "podIPs": [{"ip": "10.244.1.5"}],
            "nominatedNodeName": "n2",
            "conditions": [{"type": "a/b", "status": "True"}],
        },
        spec={"nodeName": "n1", "readinessGates": [{"conditionType": "a/b"}, {"conditionType": "c"}]},
    )
    assert row(made)[5:] == ["10.244.1.5", "n1", "n2", "1/2"]

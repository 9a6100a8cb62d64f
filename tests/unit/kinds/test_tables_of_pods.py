"""What `kubectl get pods` says where several things are true of a pod at once."""

from typing import Any

import pytest
from tests.unit.kinds.tables import kind_of, row_of

HOUR_AGO, MINUTE_AGO = "2026-01-01T02:06:00Z", "2026-01-01T03:05:00Z"
RUNNING: dict[str, Any] = {"running": {}}
GATED = {"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}
INITIALIZED = {"type": "Initialized", "status": "True"}
READY = {"type": "Ready", "status": "True"}


def waiting(reason: str) -> dict[str, Any]:
    return {"waiting": {"reason": reason}}


def ended(code: int, reason: str = "", **more: int) -> dict[str, Any]:
    return {"terminated": {"exitCode": code, "reason": reason, **more}}


def was(
    name: str, state: dict[str, Any], restarts: int = 0, *, last: str = "", **more: Any
) -> dict[str, Any]:
    made = {"name": name, "state": state, "restartCount": restarts, **more}
    return {**made, "lastState": {"terminated": {"finishedAt": last}}} if last else made


def pod(
    *names: str, inits: tuple[str, ...] = (), sides: tuple[str, ...] = (), **status: Any
) -> dict[str, Any]:
    spec: dict[str, Any] = {"containers": [{"name": name} for name in names]}
    before = [{"name": name, "restartPolicy": "Always"} for name in sides] + [
        {"name": name} for name in inits
    ]
    return {"spec": {**spec, "initContainers": before} if before else spec, "status": status}


CASES = {
    "the last container in the list that runs does not hide one that waits": (
        pod(
            "a",
            "b",
            phase="Running",
            containerStatuses=[was("a", waiting("ImagePullBackOff")), was("b", RUNNING, ready=True)],
        ),
        ["1/2", "ImagePullBackOff", "0"],
    ),
    "the first of two reasons wins": (
        pod("a", "b", containerStatuses=[was("a", ended(1, "Error")), was("b", waiting("CrashLoopBackOff"))]),
        ["0/2", "Error", "0"],
    ),
    "a container that waits without a reason says nothing": (
        pod("a", phase="Pending", containerStatuses=[was("a", {"waiting": {}})]),
        ["0/1", "Pending", "0"],
    ),
    "a signal is told before an exit code": (
        pod("a", phase="Failed", containerStatuses=[was("a", ended(137, signal=9))]),
        ["0/1", "Signal:9", "0"],
    ),
    "restarts of all containers count, and the latest tells when": (
        pod(
            "a",
            "b",
            phase="Running",
            containerStatuses=[
                was("a", RUNNING, 3, last=HOUR_AGO, ready=True),
                was("b", RUNNING, 4, last=MINUTE_AGO, ready=True),
            ],
        ),
        ["2/2", "Running", "7 (60s ago)"],
    ),
    "a last state without restarts is not told": (
        pod("a", phase="Running", containerStatuses=[was("a", RUNNING, 0, last=HOUR_AGO, ready=True)]),
        ["1/1", "Running", "0"],
    ),
    "an init container killed by a signal": (
        pod("a", inits=("i",), initContainerStatuses=[was("i", ended(1, signal=7))]),
        ["0/1", "Init:Signal:7", "0"],
    ),
    "an init container that failed without a word": (
        pod("a", inits=("i",), initContainerStatuses=[was("i", ended(3))]),
        ["0/1", "Init:ExitCode:3", "0"],
    ),
    "restarts of init containers are forgotten once the pod runs": (
        pod(
            "a",
            inits=("i",),
            phase="Running",
            initContainerStatuses=[was("i", ended(0, "Completed"), 5, last=HOUR_AGO)],
            containerStatuses=[was("a", RUNNING, 2, last=MINUTE_AGO, ready=True)],
        ),
        ["1/1", "Running", "2 (60s ago)"],
    ),
    "an init container that runs again while the pod is initialized does not hold it up": (
        pod(
            "a",
            inits=("i",),
            phase="Running",
            conditions=[INITIALIZED],
            initContainerStatuses=[was("i", RUNNING, 1)],
            containerStatuses=[was("a", RUNNING, 2, ready=True)],
        ),
        ["1/1", "Init:0/1", "2"],
    ),
    "a sidecar that has not started holds the pod up": (
        pod("a", sides=("s",), phase="Pending", initContainerStatuses=[was("s", RUNNING, started=False)]),
        ["0/2", "Init:0/1", "0"],
    ),
    "a sidecar that started lets the next one begin": (
        pod(
            "a",
            sides=("s", "t"),
            phase="Pending",
            initContainerStatuses=[was("s", RUNNING, 1, started=True, ready=True), was("t", {"waiting": {}})],
        ),
        ["1/3", "Init:1/2", "1"],
    ),
    "a sidecar that is started but not ready": (
        pod(
            "a",
            sides=("s",),
            phase="Running",
            conditions=[INITIALIZED],
            initContainerStatuses=[was("s", RUNNING, 0, started=True, ready=False)],
            containerStatuses=[was("a", RUNNING, ready=True)],
        ),
        ["1/2", "Running", "0"],
    ),
    "restarts of sidecars go on counting, and tell when": (
        pod(
            "a",
            sides=("s",),
            phase="Running",
            initContainerStatuses=[was("s", RUNNING, 3, last=MINUTE_AGO, started=True, ready=True)],
            containerStatuses=[was("a", RUNNING, 1, last=HOUR_AGO, ready=True)],
        ),
        ["2/2", "Running", "4 (60s ago)"],
    ),
    "a sidecar that has ended well with its pod": (
        pod(
            "a",
            sides=("s",),
            phase="Succeeded",
            initContainerStatuses=[was("s", ended(0, "Completed"), started=False)],
            containerStatuses=[was("a", ended(0, "Completed"))],
        ),
        ["0/2", "Completed", "0"],
    ),
    "a gate holds whatever the pod says itself": (
        pod("a", phase="Pending", reason="Whatever", conditions=[GATED]),
        ["0/1", "SchedulingGated", "0"],
    ),
    "a deleted pod that failed still says how": (
        {**pod("a", phase="Failed", reason="Evicted"), "metadata": {"deletionTimestamp": HOUR_AGO}},
        ["0/1", "Evicted", "0"],
    ),
    "a deleted pod of a lost node is unknown even when it has ended": (
        {**pod("a", phase="Failed", reason="NodeLost"), "metadata": {"deletionTimestamp": HOUR_AGO}},
        ["0/1", "Unknown", "0"],
    ),
    "a deleted pod terminates whatever its containers do": (
        {
            **pod("a", phase="Running", containerStatuses=[was("a", waiting("CrashLoopBackOff"), 2)]),
            "metadata": {"deletionTimestamp": HOUR_AGO},
        },
        ["0/1", "Terminating", "2"],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_of_what_is_true_of_a_pod_the_row_says(case: str) -> None:
    made, cells = CASES[case]
    assert row_of("v1/pods", made)[1:4] == cells


@pytest.mark.parametrize(
    ("phase", "conditions"),
    [
        ("Running", []),
        ("Unknown", []),
        (
            "Succeeded",
            [
                {
                    "type": "Completed",
                    "status": "True",
                    "reason": "Succeeded",
                    "message": "The pod has completed successfully.",
                }
            ],
        ),
        (
            "Failed",
            [{"type": "Completed", "status": "True", "reason": "Failed", "message": "The pod failed."}],
        ),
    ],
)
def test_the_row_of_a_pod_that_has_ended_says_so_beside_its_cells(phase: str, conditions: list[Any]) -> None:
    told = kind_of("v1/pods").row_conditions
    assert told is not None
    assert told({"status": {"phase": phase}}) == conditions

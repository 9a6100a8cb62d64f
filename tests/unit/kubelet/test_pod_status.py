"""PodStatus out of the runtime's record: phases, states, conditions."""

import pytest
from tests.unit.kubelet.kubelet_api import make_pod

from mamekube.kubelet.plan import Health, Memory
from mamekube.kubelet.pod_status import Observed, build, duration
from mamekube.kubelet.runtime import Container, PodRecord, Sandbox

SANDBOX = Sandbox(id="s0", attempt=0, ready=True, created_s=0.0, ips=("10.0.0.1",))
NOW = 1767225600.0
HEALTHY = Health(started=True, ready=True)


def one(name="main", state="running", *, code=0, attempt=0, message=""):
    return Container(
        id=f"{name}-{attempt}",
        name=name,
        sandbox_id="s0",
        state=state,
        attempt=attempt,
        exit_code=code,
        started_s=NOW,
        finished_s=NOW + 1,
        image="docker.io/library/app:1",
        image_ref="sha256:1",
        message=message,
    )


def status_of(pod, *containers, memory=None, **seen):
    record = PodRecord(uid="u", sandboxes=(SANDBOX,), containers=containers)
    memory = memory or Memory(health={container.id: HEALTHY for container in containers})
    memory.start_s = NOW
    return build(pod, Observed(record=record, memory=memory, now_s=NOW, host_ips=("1.2.3.4",), **seen))


def conditions(status):
    return {
        item["type"]: (item["status"], item.get("reason", ""), item.get("message", ""))
        for item in status["conditions"]
    }


def test_a_pod_that_is_being_made_waits():
    status = status_of(make_pod("p"))
    assert status["phase"] == "Pending"
    assert status["containerStatuses"] == [
        {
            "name": "main",
            "state": {"waiting": {"reason": "ContainerCreating"}},
            "lastState": {},
            "ready": False,
            "restartCount": 0,
            "image": "app:1",
            "imageID": "",
            "started": False,
        }
    ]
    assert conditions(status)["Ready"] == (
        "False",
        "ContainersNotReady",
        "containers with unready status: [main]",
    )


def test_a_running_pod_is_ready():
    status = status_of(make_pod("p"), one())
    assert status["phase"] == "Running"
    assert status["hostIPs"] == [{"ip": "1.2.3.4"}]
    assert status["podIPs"] == [{"ip": "10.0.0.1"}]
    assert status["qosClass"] == "BestEffort"
    assert status["startTime"] == "2026-01-01T00:00:00Z"
    main = status["containerStatuses"][0]
    assert main["containerID"] == "containerd://main-0"
    assert main["state"] == {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
    assert [item["type"] for item in status["conditions"]] == [
        "PodReadyToStartContainers",
        "Initialized",
        "Ready",
        "ContainersReady",
        "PodScheduled",
    ]
    assert {item["status"] for item in status["conditions"]} == {"True"}


def test_init_containers_hold_the_pod_pending():
    pod = make_pod("p", initContainers=[{"name": "init", "image": "i"}])
    status = status_of(pod, one("init"))
    assert status["phase"] == "Pending"
    assert status["containerStatuses"][0]["state"] == {"waiting": {"reason": "PodInitializing"}}
    assert conditions(status)["Initialized"] == (
        "False",
        "ContainersNotInitialized",
        "containers with incomplete status: [init]",
    )


def test_a_container_that_backs_off_shows_its_end_as_the_last_state():
    status = status_of(make_pod("p"), one(state="exited", code=1, attempt=4), backing_off={"main": 80.0})
    main = status["containerStatuses"][0]
    assert main["state"]["waiting"] == {
        "reason": "CrashLoopBackOff",
        "message": "back-off 1m20s restarting failed container=main pod=p_default(uid-p)",
    }
    assert main["lastState"]["terminated"]["exitCode"] == 1
    assert main["restartCount"] == 4
    assert status["phase"] == "Running"


def test_the_termination_message_is_shown():
    dead = one(state="exited", code=2)
    status = status_of(make_pod("p", restartPolicy="Never"), dead, messages={dead.id: "last words"})
    assert status["containerStatuses"][0]["state"]["terminated"] == {
        "exitCode": 2,
        "reason": "Error",
        "message": "last words",
        "startedAt": "2026-01-01T00:00:00Z",
        "finishedAt": "2026-01-01T00:00:01Z",
        "containerID": "containerd://main-0",
    }
    assert status["phase"] == "Failed"
    assert conditions(status)["Ready"][:2] == ("False", "PodFailed")


@pytest.mark.parametrize(
    ("policy", "codes", "phase"),
    [
        ("Always", (0, 0), "Running"),
        ("Never", (0, 0), "Succeeded"),
        ("Never", (0, 1), "Failed"),
        ("OnFailure", (0, 0), "Succeeded"),
        ("OnFailure", (0, 1), "Running"),
    ],
)
def test_the_phase_of_ended_containers_depends_on_the_policy(policy, codes, phase):
    names = ("a", "b")
    pod = make_pod("p", restartPolicy=policy, containers=[{"name": name, "image": "i"} for name in names])
    ended = [one(name, "exited", code=code) for name, code in zip(names, codes, strict=True)]
    assert status_of(pod, *ended)["phase"] == phase


@pytest.mark.parametrize(("code", "phase"), [(0, "Succeeded"), (137, "Failed")])
def test_a_deleted_pod_ends_in_a_final_phase(code, phase):
    assert status_of(make_pod("p"), one(state="exited", code=code), over=True)["phase"] == phase


def test_a_failure_to_start_is_shown_with_its_reason():
    memory = Memory(waiting={"main": ("CreateContainerConfigError", 'secret "s" not found')})
    status = status_of(make_pod("p"), memory=memory)
    assert status["containerStatuses"][0]["state"]["waiting"] == {
        "reason": "CreateContainerConfigError",
        "message": 'secret "s" not found',
    }


def test_a_transition_time_stays_while_the_condition_does():
    pod = make_pod("p")
    pod["status"] = {
        "phase": "Running",
        "conditions": [
            {"type": "Ready", "status": "True", "lastTransitionTime": "2025-01-01T00:00:00Z"},
            {"type": "ContainersReady", "status": "False", "lastTransitionTime": "2025-01-01T00:00:00Z"},
            {"type": "example.com/mine", "status": "True"},
        ],
    }
    by_type = {item["type"]: item for item in status_of(pod, one())["conditions"]}
    assert by_type["Ready"]["lastTransitionTime"] == "2025-01-01T00:00:00Z"
    assert by_type["ContainersReady"]["lastTransitionTime"] == "2026-01-01T00:00:00Z"
    assert by_type["example.com/mine"] == {"type": "example.com/mine", "status": "True"}


@pytest.mark.parametrize(("seconds", "text"), [(10, "10s"), (80, "1m20s"), (300, "5m0s"), (3661, "1h1m1s")])
def test_durations_read_as_go_writes_them(seconds, text):
    assert duration(seconds) == text

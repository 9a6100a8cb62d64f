"""The pure decision: what to do next for a pod, as a table of situations."""

from dataclasses import replace

import pytest
from tests.unit.kubelet.kubelet_api import make_pod

from mamekube.kubelet.container_config import container_hash
from mamekube.kubelet.plan import (
    CrashDelay,
    Health,
    Memory,
    backs_off,
    garbage,
    next_delay,
    plan,
    should_restart,
)
from mamekube.kubelet.runtime import Container, PodRecord, Sandbox

MAIN = {"name": "main", "image": "app:1"}
INIT = {"name": "init", "image": "app:1"}
SIDECAR = {"name": "side", "image": "app:1", "restartPolicy": "Always"}
SANDBOX = Sandbox(id="s0", attempt=0, ready=True, created_s=0.0, ips=("10.0.0.1",))
NOW = 1000.0


def one(name, state="running", *, code=0, attempt=0, sandbox="s0", finished=NOW):
    spec = {"name": name, "image": "app:1"}
    return Container(
        id=f"{name}-{attempt}",
        name=name,
        sandbox_id=sandbox,
        state=state,
        attempt=attempt,
        exit_code=code,
        hash=container_hash(spec),
        finished_s=finished,
    )


def record(*containers, sandboxes=(SANDBOX,)):
    return PodRecord(uid="u", sandboxes=tuple(sandboxes), containers=tuple(containers))


def decide(pod, state, memory=None, now=NOW):
    return plan(pod, state, memory or Memory(), now)


def starts(decision):
    return [(start.container["name"], start.attempt) for start in decision.start]


def test_a_new_pod_gets_a_sandbox_before_anything_else():
    decision = decide(make_pod("p"), PodRecord(uid="u"))
    assert decision.create_sandbox == 0
    assert not decision.start


def test_containers_start_in_the_ready_sandbox():
    pod = make_pod("p", containers=[MAIN, {"name": "second", "image": "b"}])
    assert starts(decide(pod, record())) == [("main", 0), ("second", 0)]


def test_a_running_pod_is_left_alone():
    assert decide(make_pod("p"), record(one("main"))).idle


def test_a_lost_sandbox_is_replaced_and_what_ran_in_it_ended():
    dead = replace(SANDBOX, ready=False)
    decision = decide(make_pod("p"), record(one("main"), sandboxes=[dead]))
    assert decision.create_sandbox == 1
    assert [kill.container.name for kill in decision.kill] == ["main"]


def test_init_containers_run_one_after_the_other():
    pod = make_pod("p", initContainers=[INIT, {"name": "init2", "image": "b"}])
    assert starts(decide(pod, record())) == [("init", 0)]
    assert starts(decide(pod, record(one("init")))) == []
    done = one("init", "exited")
    assert starts(decide(pod, record(done))) == [("init2", 0)]
    assert starts(decide(pod, record(one("init2", "exited"), done))) == [("main", 0)]


def test_a_sidecar_lets_the_next_start_once_it_has_started():
    pod = make_pod("p", initContainers=[SIDECAR, INIT])
    side = one("side")
    assert starts(decide(pod, record(side))) == []
    memory = Memory(health={"side-0": Health(started=True)})
    assert starts(decide(pod, record(side), memory)) == [("init", 0)]


def test_a_sidecar_that_ends_is_started_again_beside_the_others():
    pod = make_pod("p", initContainers=[SIDECAR])
    assert starts(decide(pod, record(one("main"), one("side", "exited")))) == [("side", 1)]


@pytest.mark.parametrize(
    ("policy", "code", "again"),
    [
        ("Always", 0, True),
        ("Always", 1, True),
        ("OnFailure", 0, False),
        ("OnFailure", 1, True),
        ("Never", 0, False),
        ("Never", 1, False),
    ],
)
def test_restart_policy(policy, code, again):
    pod = make_pod("p", restartPolicy=policy)
    assert should_restart(pod, MAIN, one("main", "exited", code=code)) is again


def test_a_containers_own_rules_come_first():
    rules = [{"action": "Restart", "exitCodes": {"operator": "In", "values": [42]}}]
    container = {**MAIN, "restartPolicy": "Never", "restartPolicyRules": rules}
    assert should_restart(make_pod("p"), container, one("main", "exited", code=42))
    assert not should_restart(make_pod("p"), container, one("main", "exited", code=1))


def test_the_first_crash_is_restarted_at_once_and_the_second_waits():
    pod, memory = make_pod("p"), Memory()
    first = decide(pod, record(one("main", "exited", code=1)), memory)
    assert starts(first) == [("main", 1)]
    memory.crashes["main"] = first.start[0].crash
    second = decide(pod, record(one("main", "exited", code=1, attempt=1, finished=NOW + 1)), memory, NOW + 2)
    assert starts(second) == []
    assert second.backing_off == {"main": 10.0}
    assert second.wake_at_s == NOW + 11
    third = decide(pod, record(one("main", "exited", code=1, attempt=1, finished=NOW + 1)), memory, NOW + 11)
    assert third.start[0].crash == CrashDelay(20.0, NOW + 11)


def test_crash_delays_double_to_five_minutes():
    entry, delays = None, []
    for _ in range(8):
        entry = next_delay(entry, NOW, NOW)
        delays.append(entry.delay_s)
    assert delays == [10, 20, 40, 80, 160, 300, 300, 300]


def test_ten_minutes_of_health_forget_the_crashes():
    entry = CrashDelay(160.0, NOW)
    assert not backs_off(entry, NOW + 601, NOW + 602)
    assert next_delay(entry, NOW + 601, NOW + 602).delay_s == 10
    assert backs_off(entry, NOW + 599, NOW + 602)


def test_a_condemned_container_is_ended_with_the_probes_own_grace():
    memory = Memory(health={"main-0": Health(condemned="why", grace_s=3)})
    decision = decide(make_pod("p"), record(one("main")), memory)
    assert [(kill.message, kill.grace_s) for kill in decision.kill] == [("why", 3)]


def test_a_changed_image_replaces_the_container():
    decision = decide(make_pod("p", containers=[{**MAIN, "image": "app:2"}]), record(one("main")))
    assert [kill.message for kill in decision.kill] == [
        "Container main definition changed, will be restarted"
    ]


def deleted(pod, grace=7):
    stamp = {"deletionTimestamp": "2026-01-01T00:00:00Z", "deletionGracePeriodSeconds": grace}
    return {**pod, "metadata": {**pod["metadata"], **stamp}}


def test_a_deleted_pod_ends_with_its_grace_and_starts_nothing():
    decision = decide(deleted(make_pod("p")), record())
    assert (decision.end.grace_s, decision.end.final) == (7, True)
    assert not decision.start


def test_a_pod_that_is_gone_from_the_api_ends():
    assert decide(make_pod("p"), record(one("main")), Memory(removed=True)).end.final


def test_work_that_is_done_ends_the_sidecars_and_keeps_the_pod():
    pod = make_pod("p", restartPolicy="Never", initContainers=[SIDECAR])
    decision = decide(pod, record(one("main", "exited"), one("side")))
    assert decision.end is not None
    assert not decision.end.final


def test_a_failed_init_container_that_may_not_be_tried_again_ends_the_pod():
    pod = make_pod("p", restartPolicy="Never", initContainers=[INIT])
    decision = decide(pod, record(one("init", "exited", code=1)))
    assert decision.end is not None
    assert not decision.start


def test_the_deadline_ends_the_pod_and_wakes_it_before():
    pod = make_pod("p", activeDeadlineSeconds=60)
    memory = Memory(start_s=NOW)
    assert decide(pod, record(one("main")), memory, NOW + 59).wake_at_s == NOW + 60
    decision = decide(pod, record(one("main")), memory, NOW + 60)
    assert decision.ended[0] == "DeadlineExceeded"
    assert decision.end is not None


def test_a_failed_try_waits_for_its_time():
    memory = Memory(retry_at_s={"main": NOW + 5})
    decision = decide(make_pod("p"), record(), memory)
    assert decision.idle
    assert decision.wake_at_s == NOW + 5


def test_ephemeral_containers_run_once():
    pod = make_pod("p", ephemeralContainers=[{"name": "debug", "image": "tools"}])
    assert starts(decide(pod, record(one("main")))) == [("debug", 0)]
    assert starts(decide(pod, record(one("main"), one("debug", "exited")))) == []


def test_one_dead_container_is_kept_for_its_log():
    dead = [one("main", "exited", attempt=attempt) for attempt in (3, 2, 1)]
    assert garbage(record(*dead)) == (("main-1",), ())


def test_sandboxes_that_nothing_is_left_of_are_removed():
    old = Sandbox(id="old", attempt=0, ready=False, created_s=0.0)
    new = Sandbox(id="s0", attempt=1, ready=True, created_s=1.0)
    assert garbage(record(one("main"), sandboxes=[new, old])) == ((), ("old",))

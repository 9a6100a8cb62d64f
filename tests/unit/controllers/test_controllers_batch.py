"""Jobs, CronJobs, StatefulSets, DaemonSets and budgets: the decisions."""

import json
from datetime import UTC
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.controllers.samples import NOW, NOW_S, pod

from mamekube.controllers import cronjob, daemonset, disruption, history
from mamekube.controllers.job import indexes
from mamekube.controllers.job.failurepolicy import judge
from mamekube.controllers.job.plan import FINALIZER, plan
from mamekube.controllers.resources import DAEMON_SETS
from mamekube.controllers.statefulset import plan as statefulset
from mamekube.foundation.clock import format_time, parse_time
from mamekube.kinds.batch import schedules

READY = "2025-12-31T00:00:00Z"


@given(st.sets(st.integers(0, 200)))
def test_a_set_of_indexes_survives_being_written(numbers):
    assert indexes.parse(indexes.render(numbers), completions=201) == numbers


def test_indexes_are_written_as_upstream_does():
    assert indexes.render([0, 1, 3, 4, 5, 9]) == "0,1,3-5,9"


def job(**spec):
    status = spec.pop("status", {"startTime": NOW})
    template = {"spec": {"restartPolicy": "Never", "containers": []}}
    return {
        "metadata": {"name": "j", "namespace": "default", "uid": "j"},
        "spec": {"parallelism": 2, "completions": 4, "backoffLimit": 1, "template": template, **spec},
        "status": status,
    }


def member(name, phase="Running", **metadata):
    return pod(name, phase=phase, metadata={"finalizers": [FINALIZER], **metadata})


def decide(obj, pods, *, may_act=True, now_s=NOW_S):
    return plan(obj, pods, may_act=may_act, now_s=now_s, now=format_time(now_s))


def test_a_job_creates_up_to_its_parallelism_and_waits_for_its_cache():
    assert len(decide(job(), []).create) == 2
    assert len(decide(job(), [member("a")]).create) == 1
    assert decide(job(), [], may_act=False).create == []


def test_an_ended_pod_is_noted_before_its_finalizer_goes_and_counted_after():
    first = decide(job(), [member("a", "Succeeded")])
    assert first.status["uncountedTerminatedPods"] == {"succeeded": ["uid-a"]}
    assert [entry["metadata"]["name"] for entry in first.release] == ["a"]
    assert "succeeded" not in first.status
    second = decide(job(status=first.status), [member("a", "Succeeded", finalizers=[])])
    assert second.status["succeeded"] == 1
    assert second.status["uncountedTerminatedPods"] == {}
    third = decide(job(status=second.status), [member("a", "Succeeded", finalizers=[])])
    assert third.status["succeeded"] == 1


def test_too_many_failures_end_a_job_once_its_pods_are_gone():
    failing = job(status={"startTime": NOW, "failed": 2})
    ending = decide(failing, [member("a")])
    assert [entry["type"] for entry in ending.status["conditions"]] == ["FailureTarget"]
    assert [entry["metadata"]["name"] for entry in ending.delete] == ["a"]
    ended = decide(job(status=ending.status), [])
    assert ended.status["conditions"][-1]["type"] == "Failed"
    assert ended.events == [("BackoffLimitExceeded", "Job has reached the specified backoff limit", True)]


def test_failures_back_off_twice_as_long_each_time():
    failed = [member("a", "Failed", finalizers=[]), member("b", "Failed", finalizers=[])]
    waiting = decide(job(backoffLimit=6), failed, now_s=NOW_S + 5)
    assert (waiting.create, waiting.again_s) == ([], 15.0)
    assert len(decide(job(backoffLimit=6), failed, now_s=NOW_S + 20).create) == 2


def test_a_deadline_ends_a_job_and_suspension_stops_its_clock():
    late = decide(job(activeDeadlineSeconds=10), [], now_s=NOW_S + 11)
    assert late.status["conditions"][0]["reason"] == "DeadlineExceeded"
    suspended = decide(job(suspend=True), [member("a")])
    assert "startTime" not in suspended.status
    assert suspended.events == [("Suspended", "Job suspended", False)]
    assert len(suspended.delete) == 1


def test_a_pod_failure_policy_may_ignore_or_end_it_all():
    rules = [
        {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
        {"action": "FailJob", "onExitCodes": {"operator": "In", "values": [42]}},
    ]
    disrupted = member("a", "Failed")
    disrupted["status"]["conditions"] = [{"type": "DisruptionTarget", "status": "True"}]
    ignored = decide(job(podFailurePolicy={"rules": rules}), [disrupted])
    assert ignored.status["uncountedTerminatedPods"] == {}
    fatal = member("b", "Failed")
    fatal["status"]["containerStatuses"] = [{"name": "c", "state": {"terminated": {"exitCode": 42}}}]
    assert judge({"rules": rules}, fatal).message == (
        "Container c for pod default/b failed with exit code 42 matching FailJob rule at index 1"
    )
    assert decide(job(podFailurePolicy={"rules": rules}), [fatal]).status["conditions"][0]["reason"] == (
        "PodFailurePolicy"
    )


@pytest.mark.parametrize(
    ("schedule", "zone", "after", "expected"),
    [
        ("*/15 * * * *", "UTC", "2026-01-01T00:00:00Z", "2026-01-01T00:15:00Z"),
        ("0 9-17/4 * * mon-fri", "UTC", "2026-01-02T18:00:00Z", "2026-01-05T09:00:00Z"),
        ("@monthly", "UTC", "2026-01-15T00:00:00Z", "2026-02-01T00:00:00Z"),
        ("0 0 13 * 5", "UTC", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"),
        ("0 0 29 feb *", "UTC", "2026-01-01T00:00:00Z", "2028-02-29T00:00:00Z"),
        ("30 3 * * *", "Asia/Tokyo", "2026-01-01T00:00:00Z", "2026-01-01T18:30:00Z"),
        ("0 0 * * 0", "UTC", "2026-01-01T00:00:00Z", "2026-01-04T00:00:00Z"),
        ("0 0 */9 * 0", "UTC", "2026-01-01T00:00:00Z", "2026-01-04T00:00:00Z"),
        ("0 0 *,5 * 0", "UTC", "2026-01-05T00:00:00Z", "2026-01-11T00:00:00Z"),
        ("1,,+3 0 * * *", "UTC", "2026-01-01T00:01:00Z", "2026-01-01T00:03:00Z"),
        ("CRON_TZ=Asia/Tokyo  30 3 * * *", "UTC", "2026-01-01T00:00:00Z", "2026-01-01T18:30:00Z"),
        ("@every 1h30m0.5s", "UTC", "2026-01-01T00:00:00Z", "2026-01-01T01:30:00Z"),
        ("@every 1ms", "UTC", "2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z"),
    ],
)
def test_schedules(schedule, zone, after, expected):
    tz = UTC if zone == "UTC" else ZoneInfo(zone)
    found = schedules.parse(schedule).next_after(parse_time(after), tz)
    assert format_time(found) == expected


def test_a_day_that_never_comes_is_given_up():
    assert schedules.parse("0 0 30 2 *").next_after(NOW_S, UTC) is None
    assert schedules.parse(", * * * *").next_after(NOW_S, UTC) is None


def cron(**spec):
    return {
        "metadata": {"name": "c", "namespace": "default", "uid": "c", "creationTimestamp": NOW},
        "spec": {"schedule": "*/10 * * * *", "jobTemplate": {"spec": {}}, **spec},
    }


def running_job(name):
    return {
        "metadata": {"name": name, "namespace": "default", "uid": name, "resourceVersion": "1"},
        "status": {},
    }


def test_only_the_latest_missed_time_is_made_up_for():
    planned = cronjob.plan(cron(), [], now_s=NOW_S + 1900)
    assert planned.due_s == NOW_S + 1800
    assert cronjob.job_for(cron(), planned.due_s)["metadata"]["name"] == f"c-{int(NOW_S + 1800) // 60}"
    assert cronjob.plan(cron(startingDeadlineSeconds=30), [], now_s=NOW_S + 1900).due_s is None


def test_what_comes_every_so_often_comes_so_long_after_the_last_time():
    every = cron(schedule="@every 1m30s")
    started = {**every, "status": {"lastScheduleTime": format_time(NOW_S + 90)}}
    first, next_one = (cronjob.plan(obj, [], now_s=NOW_S + 100) for obj in (every, started))
    assert (first.due_s, round(first.again_s, 3)) == (NOW_S + 90, 80.1)
    assert (next_one.due_s, round(next_one.again_s, 3)) == (None, 80.1)
    late = cronjob.plan(every, [], now_s=NOW_S + 90 * 5000 + 40)
    assert (late.due_s, round(late.again_s, 3)) == (NOW_S + 90 * 5000, 50.1)


def test_a_schedule_without_a_time_is_called_invalid():
    planned = cronjob.plan(cron(schedule="59 23 31 2 *"), [], now_s=NOW_S + 1)
    message = "invalid schedule: 59 23 31 2 * : time difference between two schedules is less than 1 second"
    assert planned.events == [("InvalidSchedule", message, True)]
    assert planned.again_s is None


def running_cron(*names, **spec):
    """A CronJob that has started these Jobs."""
    return {**cron(**spec), "status": {"active": [cronjob.reference_to(running_job(name)) for name in names]}}


def test_concurrency_policies():
    active = [running_job("c-1")]
    assert cronjob.plan(running_cron("c-1"), active, now_s=NOW_S + 601).due_s == NOW_S + 600
    forbidding = running_cron("c-1", concurrencyPolicy="Forbid")
    assert cronjob.plan(forbidding, active, now_s=NOW_S + 601).due_s is None
    replaced = cronjob.plan(running_cron("c-1", concurrencyPolicy="Replace"), active, now_s=NOW_S + 601)
    assert [entry["metadata"]["name"] for entry in replaced.replaced] == ["c-1"]
    assert cronjob.plan(cron(suspend=True), [], now_s=NOW_S + 601).due_s is None


def test_a_job_that_somebody_else_made_for_a_cron_job_is_not_counted():
    """As `kubectl create job --from` makes them."""
    alien = [running_job("by-hand")]
    for policy in ("Forbid", "Replace"):
        planned = cronjob.plan(cron(concurrencyPolicy=policy), alien, now_s=NOW_S + 601)
        assert planned.due_s == NOW_S + 600 and planned.replaced == [] and "active" not in planned.status
        message = "Saw a job that the controller did not create or forgot: by-hand"
        assert planned.events == [("UnexpectedJob", message, True)]


def test_finished_and_missing_jobs_leave_the_list_and_are_told_of():
    done = running_job("c-1")
    done["status"] = {"conditions": [{"type": "Complete", "status": "True"}], "completionTime": NOW}
    planned = cronjob.plan(running_cron("c-1", "c-2", "c-3"), [done, running_job("c-3")], now_s=NOW_S + 1)
    assert [entry["name"] for entry in planned.status["active"]] == ["c-3"]
    assert planned.status["lastSuccessfulTime"] == NOW
    assert planned.events == [
        ("SawCompletedJob", "Saw completed job: c-1, condition: Complete", False),
        ("MissingJob", "Active job went missing: c-2", False),
    ]
    assert cronjob.plan({**cron(), "status": planned.status}, [done], now_s=NOW_S + 1).events == [
        ("MissingJob", "Active job went missing: c-3", False)
    ]


def stateful(replicas=3, **spec):
    return {"metadata": {"name": "s", "namespace": "default"}, "spec": {"replicas": replicas, **spec}}


def ordinal(number, *, revision="r1", ready=True, **metadata):
    labels = {"controller-revision-hash": revision}
    return pod(f"s-{number}", ready_since=READY if ready else "", metadata={"labels": labels, **metadata})


def next_step(obj, pods, *, update="r1"):
    planned = statefulset.plan(obj, pods, current="r1", update=update, now_s=NOW_S)
    return planned.create, [entry["metadata"]["name"] for entry in planned.delete]


def test_ordinals_are_created_in_order_and_removed_in_reverse():
    assert next_step(stateful(), []) == ([(0, "r1")], [])
    assert next_step(stateful(), [ordinal(0, ready=False)]) == ([], [])
    assert next_step(stateful(), [ordinal(0)]) == ([(1, "r1")], [])
    assert next_step(stateful(1), [ordinal(0), ordinal(1), ordinal(2)]) == ([], ["s-2"])
    parallel = stateful(podManagementPolicy="Parallel")
    assert next_step(parallel, []) == ([(0, "r1"), (1, "r1"), (2, "r1")], [])
    assert next_step(stateful(ordinals={"start": 5}), []) == ([(5, "r1")], [])


def test_updates_go_from_the_top_down_to_the_partition():
    pods = [ordinal(0), ordinal(1), ordinal(2)]
    assert next_step(stateful(), pods, update="r2") == ([], ["s-2"])
    pods[2] = ordinal(2, revision="r2", ready=False)
    assert next_step(stateful(), pods, update="r2") == ([], [])
    pods[2] = ordinal(2, revision="r2")
    assert next_step(stateful(), pods, update="r2") == ([], ["s-1"])
    halted = stateful(updateStrategy={"type": "RollingUpdate", "rollingUpdate": {"partition": 2}})
    assert next_step(halted, pods, update="r2") == ([], [])
    assert next_step(halted, [ordinal(0)], update="r2") == ([(1, "r1")], [])
    assert next_step(stateful(updateStrategy={"type": "OnDelete"}), pods, update="r2") == ([], [])


def test_an_ended_pod_is_made_anew():
    ended = ordinal(0, ready=False)
    ended["status"]["phase"] = "Failed"
    assert next_step(stateful(), [ended]) == ([], ["s-0"])


def node(name, *taints):
    return {"metadata": {"name": name, "labels": {}}, "spec": {"taints": list(taints)}}


def daemon_set(**spec):
    return {
        "metadata": {"name": "d", "namespace": "default", "uid": "d"},
        "spec": {"template": {"spec": {"containers": []}}, **spec},
    }


def test_daemons_go_where_they_may_and_leave_where_they_may_not():
    nodes = [
        node("plain"),
        node("cordoned", {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}),
        node("reserved", {"key": "k", "effect": "NoSchedule"}),
        node("closed", {"key": "k", "effect": "NoExecute"}),
    ]
    pods = [pod("p", node="closed"), pod("q", node="reserved")]
    actions = daemonset.plan(daemon_set(), nodes, pods)
    assert actions.create == ["plain", "cordoned"]
    assert [entry["metadata"]["name"] for entry in actions.delete] == ["p"]


def test_a_daemon_has_its_templates_hash_and_number_as_labels():
    labels = daemonset.pod_for(daemon_set(), "n1", "abc")["metadata"]["labels"]
    assert labels["controller-revision-hash"] == "abc"
    assert "pod-template-generation" not in labels
    counted = daemon_set()
    counted["metadata"]["annotations"] = {"deprecated.daemonset.template.generation": "3"}
    labels = daemonset.pod_for(counted, "n1", "abc")["metadata"]["labels"]
    assert labels["pod-template-generation"] == "3"


def test_a_revision_has_the_annotations_of_its_owner_and_its_template_in_order_of_name():
    owner = daemon_set(
        template={"spec": {"z": 1, "containers": [{"name": "c", "image": "i"}]}, "metadata": {}}
    )
    owner["metadata"]["annotations"] = {"kubernetes.io/change-cause": "kubectl apply"}
    revision = history.new_revision(DAEMON_SETS, owner, revision=2)
    assert revision["metadata"]["annotations"] == {"kubernetes.io/change-cause": "kubectl apply"}
    assert json.dumps(revision["data"]) == (
        '{"spec": {"template": {"$patch": "replace", "metadata": {}, '
        '"spec": {"containers": [{"image": "i", "name": "c"}], "z": 1}}}}'
    )


def test_daemons_are_replaced_as_few_at_once_as_may_be_missing():
    nodes = [node(f"n{number}") for number in range(3)]
    stale = {"labels": {"controller-revision-hash": "old"}}
    pods = [pod(f"p{number}", node=f"n{number}", ready_since=READY, metadata=stale) for number in range(3)]
    actions = daemonset.plan_update(daemon_set(), nodes, pods, digest="new", now_s=NOW_S)
    assert len(actions.delete) == 1
    pods[0]["status"]["conditions"] = []
    actions = daemonset.plan_update(daemon_set(), nodes, pods, digest="new", now_s=NOW_S)
    assert [entry["metadata"]["name"] for entry in actions.delete] == ["p0"]
    surging = daemon_set(updateStrategy={"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}})
    pods[0] = pod("p0", node="n0", ready_since=READY, metadata=stale)
    actions = daemonset.plan_update(surging, nodes, pods, digest="new", now_s=NOW_S)
    assert (len(actions.create), actions.delete) == (1, [])


def test_budgets():
    pods = [pod("a", ready_since=READY), pod("b", ready_since=READY), pod("c")]
    budget = {"metadata": {"generation": 1}, "spec": {"minAvailable": 1}}
    wanted = disruption.expected(budget, pods, scale=None)
    status = disruption.plan(budget, pods, wanted, now_s=NOW_S, now=NOW)
    assert (status["currentHealthy"], status["disruptionsAllowed"]) == (2, 1)
    budget["status"] = {"disruptedPods": {"a": NOW, "gone": NOW}}
    status = disruption.plan(budget, pods, wanted, now_s=NOW_S + 60, now=NOW)
    assert (status["disruptedPods"], status["disruptionsAllowed"]) == ({"a": NOW}, 0)
    assert "disruptedPods" not in disruption.plan(budget, pods, wanted, now_s=NOW_S + 121, now=NOW)
    share = {"metadata": {}, "spec": {"maxUnavailable": "30%"}}
    assert disruption.expected(share, pods, scale=10) == disruption.Expected(10, 7)
    with pytest.raises(disruption.CannotExpect):
        disruption.expected(share, pods, scale=None)

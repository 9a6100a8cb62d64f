"""ReplicaSets: how many to create, whom to delete, what to count; adoption and expectations."""

import asyncio

import pytest
from tests.unit.controllers.samples import NOW, NOW_S, pod

from mamekube.controllers import pods as podfacts
from mamekube.controllers.adoption import claim
from mamekube.controllers.expectations import EXPIRY_S, Expectations
from mamekube.controllers.podcontrol import SlowStartError, slow_start
from mamekube.controllers.replicaset import plan, status
from mamekube.foundation.clock import VirtualLoop
from mamekube.objects.selectors import from_labels

READY = "2025-12-31T00:00:00Z"


def replica_set(replicas, **spec):
    return {
        "metadata": {"name": "web-1", "namespace": "default", "uid": "rs"},
        "spec": {"replicas": replicas, **spec},
    }


def decide(replicas, pods, *, siblings=None):
    return plan(replica_set(replicas), pods, siblings_on_node=siblings or {}, now_s=NOW_S)


def test_missing_pods_are_created_a_burst_at_a_time():
    assert decide(3, [pod("a")]).create == 2
    assert decide(1000, []).create == 500


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (pod("a", node=""), pod("b", node="n1", phase="Pending")),
        (pod("a", phase="Pending", ready_since=""), pod("b")),
        (pod("a"), pod("b", ready_since=READY)),
        (
            pod("a", ready_since=READY, metadata={"annotations": {podfacts.DELETION_COST: "-5"}}),
            pod("b", ready_since=READY),
        ),
        (pod("a", ready_since=READY, node="full"), pod("b", ready_since=READY, node="n1")),
        (pod("a", ready_since="2025-12-31T23:59:00Z"), pod("b", ready_since=READY)),
        (
            pod("a", ready_since=READY, status={"containerStatuses": [{"restartCount": 3}]}),
            pod("b", ready_since=READY),
        ),
    ],
    ids=["unscheduled", "pending", "not ready", "cheap", "doubled up", "ready for less time", "restarted"],
)
def test_the_less_valuable_pod_goes_first(first, second):
    for order in ([first, second], [second, first]):
        assert podfacts.names(decide(1, order, siblings={"full": 2, "n1": 1}).delete) == ["a"]


def test_a_pod_deletion_cost_that_is_no_canonical_integer_counts_nothing():
    for text in ("+5", "05", "1.5", "many", str(2**40)):
        assert podfacts.deletion_cost({"metadata": {"annotations": {podfacts.DELETION_COST: text}}}) == 0


def count(pods, **fields):
    owner = replica_set(2, template={"metadata": {"labels": {"app": "web"}}}, **fields)
    return status(owner, pods, terminating=1, failure=None, now_s=NOW_S, now=NOW)


def test_status_counts_ready_available_and_fully_labelled_pods():
    pods = [
        pod("a", ready_since=READY, metadata={"labels": {"app": "web", "x": "y"}}),
        pod("b", ready_since="2025-12-31T23:59:55Z"),
        pod("c"),
    ]
    assert count(pods, minReadySeconds=10) == {
        "replicas": 3,
        "fullyLabeledReplicas": 1,
        "readyReplicas": 2,
        "availableReplicas": 1,
        "terminatingReplicas": 1,
    }
    assert podfacts.next_available_s(pods, min_ready_s=10, now_s=NOW_S) == 5.0


def test_a_failure_becomes_a_condition_and_leaves_with_the_next_success():
    owner = replica_set(1)
    failed = status(owner, [], terminating=0, failure=("FailedCreate", "quota"), now_s=NOW_S, now=NOW)
    assert failed["conditions"] == [
        {
            "type": "ReplicaFailure",
            "status": "True",
            "reason": "FailedCreate",
            "message": "quota",
            "lastTransitionTime": NOW,
        }
    ]
    owner["status"] = failed
    assert "conditions" not in status(owner, [], terminating=0, failure=None, now_s=NOW_S, now=NOW)


def test_orphans_are_adopted_and_strangers_released():
    owner = {"metadata": {"name": "o", "namespace": "default", "uid": "o"}}
    mine = {"ownerReferences": [{"uid": "o", "controller": True}]}
    labels = {"labels": {"app": "web"}}
    candidates = [
        pod("kept", metadata={**mine, **labels}),
        pod("strayed", metadata=mine),
        pod("orphan", metadata=labels),
        pod("leaving", metadata={**labels, "deletionTimestamp": NOW}),
        pod("theirs", metadata={**labels, "ownerReferences": [{"uid": "p", "controller": True}]}),
    ]
    claimed = claim(owner, from_labels({"app": "web"}), candidates)
    assert [podfacts.names(group) for group in (claimed.owned, claimed.adopt, claimed.release)] == [
        ["kept"],
        ["orphan"],
        ["strayed"],
    ]
    owner["metadata"]["deletionTimestamp"] = NOW
    leaving = claim(owner, from_labels({"app": "web"}), candidates)
    assert (leaving.adopt, leaving.release) == ([], [])


def run_virtually(coroutine):
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(coroutine)


def test_a_lagging_cache_holds_creation_back_until_it_has_caught_up_or_is_hopeless():
    async def scenario():
        expectations = Expectations()
        assert expectations.satisfied("k")
        expectations.expect_creations("k", 2)
        expectations.created("k")
        assert not expectations.satisfied("k")
        expectations.created("k")
        assert expectations.satisfied("k")
        expectations.expect_deletions("k", ["a", "b"])
        expectations.deleted("k", "a")
        expectations.deleted("k", "a")
        assert not expectations.satisfied("k")
        await asyncio.sleep(EXPIRY_S + 1)
        assert expectations.satisfied("k")

    run_virtually(scenario())


def test_a_slow_start_doubles_and_stops_at_the_first_failing_batch():
    begun = []

    async def step(number):
        begun.append(number)
        if number == 5:
            raise ValueError("refused")

    async def scenario():
        with pytest.raises(SlowStartError) as caught:
            await slow_start(100, step)
        assert (caught.value.tried, str(caught.value)) == (7, "refused")
        assert begun == list(range(7))

    run_virtually(scenario())

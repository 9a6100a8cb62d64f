"""Deployments: sizes, revisions, conditions, and whole rollouts against a simulated ReplicaSet controller."""

import copy
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.controllers.samples import NOW, NOW_S, deployment

from mamekube.controllers import history
from mamekube.controllers.deployment import progress, revisions, sizes
from mamekube.controllers.deployment.plan import plan


def replica_set(name, *, replicas, available=0, created="2026-01-01T00:00:00Z", annotations=None, image="x"):
    return {
        "metadata": {
            "name": name,
            "namespace": "default",
            "uid": f"uid-{name}",
            "creationTimestamp": created,
            "annotations": annotations or {},
        },
        "spec": {
            "replicas": replicas,
            "template": {"spec": {"containers": [{"name": "app", "image": image}]}},
        },
        "status": {"replicas": replicas, "availableReplicas": available, "readyReplicas": available},
    }


@pytest.mark.parametrize(
    ("replicas", "surge", "unavailable", "expected"),
    [
        (4, "25%", "25%", (1, 1)),
        (10, "25%", "25%", (3, 2)),
        (1, "25%", "25%", (1, 0)),
        (10, 0, 0, (0, 1)),
        (10, "0%", "5%", (0, 1)),
        (3, 5, "100%", (5, 3)),
    ],
)
def test_percentages_round_up_for_surge_and_down_for_unavailable(replicas, surge, unavailable, expected):
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}
    assert sizes.fenceposts(deployment(replicas=replicas, strategy=strategy)) == expected


def test_growing_during_a_rollout_is_shared_in_proportion():
    # The example of upstream's documentation: 10 replicas, surge 3, unavailable 2, scaled to 15 half way.
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 3, "maxUnavailable": 2}}
    wanted = deployment(replicas=15, strategy=strategy)
    known = {sizes.MAX_REPLICAS: "13"}
    old = replica_set("old", replicas=8, annotations=known)
    new = replica_set("new", replicas=5, annotations=known, created="2026-01-01T00:01:00Z")
    assert sizes.proportional_sizes(wanted, [old, new]) == {"old": 11, "new": 7}


def test_scaling_to_zero_takes_everything_away():
    wanted = deployment(replicas=0)
    old, new = replica_set("old", replicas=3), replica_set("new", replicas=2)
    assert sizes.proportional_sizes(wanted, [old, new]) == {"old": 0, "new": 0}


def test_unhealthy_old_pods_go_first_and_cost_no_availability():
    wanted = deployment(replicas=4)
    old = replica_set("old", replicas=4, available=1)
    new = replica_set("new", replicas=1, available=1)
    # floor 3: five pods wanted, all of the new one available, so two of the three broken ones may go.
    assert sizes.old_sizes(wanted, [old], new) == {"old": [2]}


def test_pods_that_have_to_go_do_not_count_as_available():
    """The status of the old one is of before it was made smaller."""
    wanted = deployment(replicas=4)
    old = replica_set("old", replicas=3, available=4)
    new = replica_set("new", replicas=2, available=1)
    assert sizes.old_sizes(wanted, [old], new) == {"old": [2]}
    old = replica_set("old", replicas=2, available=3)
    assert sizes.old_sizes(wanted, [old], new) == {}


def test_a_pod_that_has_to_go_keeps_its_place_until_it_is_seen_to_go():
    old, new = replica_set("old", replicas=3, available=3), replica_set("new", replicas=1, available=1)
    assert sizes.new_size(deployment(replicas=4), [old, new], 1) == 2
    old["status"]["replicas"] = 4
    assert sizes.new_size(deployment(replicas=4), [old, new], 1) == 1


def test_the_hash_depends_on_the_template_and_the_collision_count_only():
    first = revisions.new_replica_set(deployment(), revision=1, replicas=1)
    again = revisions.new_replica_set(deployment(replicas=9), revision=2, replicas=3)
    other = revisions.new_replica_set(deployment(image="app:v2"), revision=1, replicas=1)
    collided = deployment()
    collided["status"]["collisionCount"] = 1
    names = [entry["metadata"]["name"] for entry in (first, again, other)]
    assert names[0] == names[1] != names[2]
    assert revisions.new_replica_set(collided, revision=1, replicas=1)["metadata"]["name"] != names[0]
    digest = names[0].removeprefix("web-")
    assert set(digest) <= set("bcdfghjklmnpqrstvwxz2456789")
    assert first["spec"]["selector"]["matchLabels"] == {"app": "web", "pod-template-hash": digest}


def test_rolling_back_writes_the_former_revision_into_the_history():
    source = deployment()
    source["metadata"]["annotations"] = {
        "kubernetes.io/change-cause": "kubectl set image",
        revisions.REVISION: "3",
        "kubectl.kubernetes.io/last-applied-configuration": "{}",
    }
    before = {revisions.REVISION: "1"}
    after = revisions.annotated(source, before, revision=4)
    assert after == {
        "kubernetes.io/change-cause": "kubectl set image",
        revisions.REVISION: "4",
        revisions.REVISION_HISTORY: "1",
    }
    assert revisions.annotated(source, after, revision=6)[revisions.REVISION_HISTORY] == "1,4"


def test_only_spent_replica_sets_beyond_the_limit_are_cleaned_up():
    def old(number, *, replicas=0):
        entry = replica_set(f"r{number}", replicas=replicas, annotations={revisions.REVISION: str(number)})
        entry["metadata"]["generation"] = entry["status"]["observedGeneration"] = 1
        return entry

    everything = [old(3), old(1, replicas=1), old(2), old(4)]
    limited = deployment(revisionHistoryLimit=2)
    assert [entry["metadata"]["name"] for entry in revisions.to_clean_up(limited, everything)] == ["r2"]
    assert revisions.to_clean_up(deployment(revisionHistoryLimit=4), everything) == []


class World:
    """A Deployment with the simplest ReplicaSet controller: pods are ready when the test says so."""

    def __init__(self, start):
        self.deployment = start
        self.replica_sets = {}
        self.ready = {}
        self.events = []
        self.now_s = NOW_S

    def step(self):
        planned = plan(self.deployment, list(self.replica_sets.values()), now_s=self.now_s, now=NOW)
        for action in planned.steps:
            name = action.after["metadata"]["name"]
            entry = self.replica_sets[name] = copy.deepcopy(action.after)
            entry["metadata"].setdefault("uid", f"uid-{name}")
            entry["metadata"].setdefault("creationTimestamp", f"2026-01-01T00:00:{len(self.events):02}Z")
            entry.setdefault("status", {})
            self.events.append(action.event)
        for spent in planned.delete:
            del self.replica_sets[spent["metadata"]["name"]]
        self.deployment = {**planned.deployment, "status": planned.status}
        self.follow()
        return planned

    def follow(self):
        for name, entry in self.replica_sets.items():
            replicas = entry["spec"]["replicas"]
            self.ready[name] = min(self.ready.get(name, 0), replicas)
            ready = self.ready[name]
            entry["status"] = {"replicas": replicas, "readyReplicas": ready, "availableReplicas": ready}

    def become_ready(self, name, count=1):
        replicas = self.replica_sets[name]["spec"]["replicas"]
        self.ready[name] = min(replicas, self.ready.get(name, 0) + count)
        self.follow()

    def set_image(self, image):
        template = copy.deepcopy(self.deployment["spec"]["template"])
        template["spec"]["containers"][0]["image"] = image
        self.deployment = {**self.deployment, "spec": {**self.deployment["spec"], "template": template}}

    def set_spec(self, **fields):
        self.deployment = {**self.deployment, "spec": {**self.deployment["spec"], **fields}}

    def settle(self):
        for _ in range(100):
            before = copy.deepcopy((self.deployment, self.replica_sets))
            self.step()
            for name in self.replica_sets:
                self.become_ready(name, 1000)
            if (self.deployment, self.replica_sets) == before:
                return
        raise AssertionError("the rollout never ends")

    def total(self):
        return sum(entry["spec"]["replicas"] for entry in self.replica_sets.values())

    def condition(self, kind):
        found = [entry for entry in self.deployment["status"]["conditions"] if entry["type"] == kind]
        return (found[0]["status"], found[0]["reason"], found[0]["message"]) if found else None


def test_a_new_deployment_is_rolled_out_and_says_so():
    world = World(deployment())
    world.step()
    (name,) = world.replica_sets
    assert world.events == [f"Scaled up replica set {name} from 0 to 4"]
    assert world.condition("Available")[:2] == ("False", "MinimumReplicasUnavailable")
    assert world.condition("Progressing") == (
        "True",
        "NewReplicaSetCreated",
        f'Created new replica set "{name}"',
    )
    world.step()
    assert world.condition("Progressing")[1] == "ReplicaSetUpdated"
    world.settle()
    assert world.condition("Available") == (
        "True",
        "MinimumReplicasAvailable",
        "Deployment has minimum availability.",
    )
    assert world.condition("Progressing") == (
        "True",
        "NewReplicaSetAvailable",
        f'ReplicaSet "{name}" has successfully progressed.',
    )
    assert world.deployment["metadata"]["annotations"] == {revisions.REVISION: "1"}


def test_a_rolling_update_moves_pod_by_pod():
    world = World(deployment())
    world.settle()
    (old,) = world.replica_sets
    world.events.clear()
    world.set_image("app:v2")
    world.settle()
    new = next(name for name in world.replica_sets if name != old)
    assert [event.replace(old, "old").replace(new, "new") for event in world.events] == [
        "Scaled up replica set new from 0 to 1",
        "Scaled down replica set old from 4 to 3",
        "Scaled up replica set new from 1 to 2",
        "Scaled down replica set old from 3 to 1",
        "Scaled up replica set new from 2 to 4",
        "Scaled down replica set old from 1 to 0",
    ]


def test_a_broken_revision_stops_where_max_unavailable_says_and_undo_restarts_nothing():
    world = World(deployment())
    world.settle()
    (good,) = world.replica_sets
    world.set_image("app:v10")
    for _ in range(10):
        world.step()
    broken = next(name for name in world.replica_sets if name != good)
    assert world.replica_sets[good]["spec"]["replicas"] == 3
    assert world.replica_sets[broken]["spec"]["replicas"] == 2
    world.now_s += 601
    world.step()
    assert world.condition("Progressing") == (
        "False",
        "ProgressDeadlineExceeded",
        f'ReplicaSet "{broken}" has timed out progressing.',
    )
    world.set_image("app:v1")
    lowest = 4
    for _ in range(10):
        world.step()
        lowest = min(lowest, world.ready[good])
        world.become_ready(good)
    assert lowest == 3
    assert world.replica_sets[good]["spec"]["replicas"] == 4
    assert world.replica_sets[broken]["spec"]["replicas"] == 0
    assert world.replica_sets[good]["metadata"]["annotations"][revisions.REVISION] == "3"
    assert world.replica_sets[good]["metadata"]["annotations"][revisions.REVISION_HISTORY] == "1"


def test_a_paused_deployment_scales_but_does_not_roll():
    world = World(deployment())
    world.settle()
    (old,) = world.replica_sets
    world.set_spec(paused=True)
    world.set_image("app:v2")
    world.set_spec(replicas=6)
    world.settle()
    assert list(world.replica_sets) == [old]
    assert world.replica_sets[old]["spec"]["replicas"] == 6
    assert world.condition("Progressing") == ("Unknown", "DeploymentPaused", "Deployment is paused")
    world.set_spec(paused=False)
    world.step()
    assert world.condition("Progressing")[1] in ("DeploymentResumed", "NewReplicaSetCreated")
    world.settle()
    assert world.replica_sets[old]["spec"]["replicas"] == 0


def test_recreate_waits_until_the_last_old_pod_is_gone():
    world = World(deployment(strategy={"type": "Recreate"}))
    world.settle()
    (old,) = world.replica_sets
    world.set_image("app:v2")
    planned = world.step()
    assert [action.after["spec"]["replicas"] for action in planned.steps] == [0]
    pod = {"metadata": {"name": "p"}, "status": {"phase": "Running"}}
    waiting = plan(
        world.deployment,
        list(world.replica_sets.values()),
        pods_of=lambda replica_set: [pod],
        now_s=NOW_S,
        now=NOW,
    )
    assert waiting.steps == []
    world.settle()
    new = next(name for name in world.replica_sets if name != old)
    assert world.replica_sets[new]["spec"]["replicas"] == 4


def test_the_history_limit_is_kept():
    world = World(deployment(revisionHistoryLimit=2))
    for number in range(6):
        world.set_image(f"app:v{number}")
        world.settle()
    assert len(world.replica_sets) == 3


@settings(max_examples=60, deadline=None)
@given(
    replicas=st.integers(1, 12),
    surge=st.one_of(st.integers(0, 4), st.sampled_from(["0%", "25%", "100%"])),
    unavailable=st.one_of(st.integers(0, 4), st.sampled_from(["0%", "25%", "100%"])),
    seed=st.integers(0, 10_000),
)
def test_no_order_of_readiness_breaks_surge_or_availability(replicas, surge, unavailable, seed):
    rolling = {"maxSurge": surge, "maxUnavailable": unavailable}
    world = World(deployment(replicas=replicas, strategy={"type": "RollingUpdate", "rollingUpdate": rolling}))
    world.settle()
    chance = random.Random(seed)
    most, least = sizes.fenceposts(world.deployment)
    for number in range(2, 5):
        world.set_image(f"app:v{number}")
        for _ in range(chance.randrange(1, 8)):
            world.step()
            assert world.total() <= replicas + most
            assert sum(world.ready.values()) >= replicas - min(least, replicas)
            world.become_ready(chance.choice(list(world.replica_sets)))
    world.settle()
    assert [
        entry["spec"]["replicas"] for entry in world.replica_sets.values() if entry["spec"]["replicas"]
    ] == [replicas]


@settings(max_examples=60, deadline=None)
@given(
    sizes_before=st.lists(st.integers(1, 20), min_size=2, max_size=5),
    desired=st.integers(0, 60),
)
def test_proportional_scaling_gives_out_exactly_what_is_allowed(sizes_before, desired):
    known = {sizes.MAX_REPLICAS: str(sum(sizes_before))}
    replica_sets = [
        replica_set(f"r{number}", replicas=size, annotations=known, created=f"2026-01-01T00:00:0{number}Z")
        for number, size in enumerate(sizes_before)
    ]
    wanted = deployment(replicas=desired)
    allowed = desired + sizes.max_surge(wanted) if desired else 0
    after = sizes.proportional_sizes(wanted, replica_sets)
    assert all(size >= 0 for size in after.values())
    assert sum(after.values()) == allowed
    if allowed >= sum(sizes_before):
        assert all(after[f"r{number}"] >= size for number, size in enumerate(sizes_before))


def test_the_deadline_is_looked_at_one_second_late():
    world = World(deployment(progressDeadlineSeconds=60))
    world.step()
    left_s = progress.deadline_in_s(world.deployment, world.deployment["status"], now_s=NOW_S + 20)
    assert left_s == 41.0


def test_a_condition_without_a_time_gets_one_and_has_long_passed_its_deadline():
    bare = [{"type": "Available", "status": "True"}, {"type": "Progressing", "status": "True"}]
    written = progress.with_condition(bare, "Available", "True", reason="r", message="m", now=NOW)
    assert written[-1]["lastTransitionTime"] == NOW
    assert progress.timed_out(deployment(progressDeadlineSeconds=60), bare, now_s=NOW_S)


def test_of_a_history_without_a_bound_nothing_is_cleaned_up() -> None:
    made = [{"metadata": {"name": f"r{number}"}, "revision": number} for number in (1, 2, 3)]
    spent = [entry["metadata"]["name"] for entry in history.to_clean_up(made, live={"r3"}, limit=1)]
    assert spent == ["r1"]
    assert history.to_clean_up(made, live={"r3"}, limit=-1) == []

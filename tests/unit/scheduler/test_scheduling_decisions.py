"""Where pods go and why they do not: the pure cycle, as a table of clusters and pods."""

from __future__ import annotations

import random
from typing import Any

import pytest

from mamekube.scheduler.cluster import Cluster
from mamekube.scheduler.cycle import NO_NODES, Placement, Unplaced, compared_nodes, schedule
from mamekube.scheduler.facts import pod_requests, read_pod
from mamekube.scheduler.preemption import Preemption, preempt
from mamekube.scheduler.spreading import siblings_selector

Object = dict[str, Any]
GIB = 1024**3


def node(name: str, *, cpu: str = "4", memory: str = "8Gi", pods: str = "110", **fields: Any) -> Object:
    labels = {"kubernetes.io/hostname": name, **fields.pop("labels", {})}
    allocatable = {"cpu": cpu, "memory": memory, "pods": pods, **fields.pop("allocatable", {})}
    status = {"allocatable": allocatable, "images": fields.pop("images", [])}
    return {"metadata": {"name": name, "labels": labels}, "spec": fields, "status": status}


def pod(
    name: str = "new",
    *,
    cpu: str = "",
    memory: str = "",
    on: str = "",
    labels: dict[str, str] | None = None,
    namespace: str = "default",
    **spec: Any,
) -> Object:
    requests = {key: value for key, value in (("cpu", cpu), ("memory", memory)) if value}
    container: Object = {"name": "app", "image": "app:v1"}
    if requests:
        container["resources"] = {"requests": requests}
    return {
        "metadata": {"name": name, "namespace": namespace, "uid": f"uid-{name}", "labels": labels or {}},
        "spec": {"containers": [container], **({"nodeName": on} if on else {}), **spec},
    }


def cluster_of(*objects: Object) -> Cluster:
    cluster = Cluster()
    cluster.namespaces = {"default": {}, "other": {"team": "x"}}
    for obj in objects:
        if "containers" in obj["spec"]:
            cluster.place(read_pod(obj))
        else:
            cluster.set_node(obj)
    return cluster


def decide(pod: Object, *objects: Object) -> str:
    """The node, or the message."""
    decision = schedule(read_pod(pod), cluster_of(*objects), choose=random.Random(1))
    return decision.node_name if isinstance(decision, Placement) else decision.message()


def near(app: str, key: str = "zone", **more: Any) -> Object:
    return {"labelSelector": {"matchLabels": {"app": app}}, "topologyKey": key, **more}


def affinity(kind: str, *terms: Object) -> Object:
    return {kind: {"requiredDuringSchedulingIgnoredDuringExecution": list(terms)}}


ZONE_A, ZONE_B = {"labels": {"zone": "a"}}, {"labels": {"zone": "b"}}
WEB = {"app": "web"}
NO_SCHEDULE = {"key": "dedicated", "value": "db", "effect": "NoSchedule"}


def test_without_nodes_there_is_nothing_to_count() -> None:
    assert decide(pod()) == NO_NODES


@pytest.mark.parametrize(
    ("wanted", "objects", "message"),
    [
        (pod(cpu="5"), [node("n1")], "1 Insufficient cpu"),
        (pod(cpu="1"), [node("n1"), pod("old", cpu="3500m", on="n1")], "1 Insufficient cpu"),
        (pod(cpu="5", memory="9Gi"), [node("n1")], "1 Insufficient cpu, 1 Insufficient memory"),
        (pod(), [node("n1", pods="1"), pod("old", on="n1")], "1 Too many pods"),
        (pod(), [node("n1", unschedulable=True)], "1 node(s) were unschedulable"),
        (pod(), [node("n1", taints=[NO_SCHEDULE])], "1 node(s) had untolerated taint(s)"),
        (
            pod(nodeSelector={"disk": "ssd"}),
            [node("n1")],
            "1 node(s) didn't match Pod's node affinity/selector",
        ),
        (
            pod(containers=[{"name": "a", "ports": [{"hostPort": 80}]}]),
            [node("n1"), pod("old", on="n1", containers=[{"name": "b", "ports": [{"hostPort": 80}]}])],
            "1 node(s) didn't have free ports for the requested pod ports",
        ),
        (
            pod(affinity=affinity("podAffinity", near("db"))),
            [node("n1", **ZONE_A)],
            "1 node(s) didn't match pod affinity rules",
        ),
        (
            pod(affinity=affinity("podAntiAffinity", near("web"))),
            [node("n1", **ZONE_A), pod("old", on="n1", labels=WEB)],
            "1 node(s) didn't match pod anti-affinity rules",
        ),
        (
            pod(labels=WEB),
            [node("n1", **ZONE_A), pod("old", on="n1", affinity=affinity("podAntiAffinity", near("web")))],
            "1 node(s) didn't satisfy existing pods anti-affinity rules",
        ),
        (
            pod(
                labels=WEB,
                topologySpreadConstraints=[near("web", maxSkew=1, whenUnsatisfiable="DoNotSchedule")],
            ),
            [node("n1")],
            "1 node(s) didn't match pod topology spread constraints (missing required label)",
        ),
    ],
)
def test_a_node_that_will_not_do_says_why(wanted: Object, objects: list[Object], message: str) -> None:
    assert decide(wanted, *objects) == f"0/1 nodes are available: {message}."


def test_reasons_are_counted_over_nodes_and_sorted() -> None:
    nodes = [
        node("n1", cpu="1"),
        node("n2", unschedulable=True),
        node("n3", cpu="1"),
        node("n4", memory="1Gi"),
    ]
    assert decide(pod(cpu="2", memory="2Gi"), *nodes) == (
        "0/4 nodes are available: 1 Insufficient memory, 1 node(s) were unschedulable, 2 Insufficient cpu."
    )


@pytest.mark.parametrize(
    "toleration",
    [
        {"operator": "Exists"},
        {"key": "dedicated", "operator": "Exists"},
        {"key": "dedicated", "value": "db"},
        {"key": "dedicated", "operator": "Equal", "value": "db", "effect": "NoSchedule"},
    ],
)
def test_a_toleration_opens_a_tainted_node(toleration: Object) -> None:
    assert decide(pod(tolerations=[toleration]), node("n1", taints=[NO_SCHEDULE])) == "n1"


@pytest.mark.parametrize(
    "toleration",
    [
        {"key": "dedicated", "value": "web"},
        {"key": "other", "operator": "Exists"},
        {"key": "dedicated", "operator": "Exists", "effect": "NoExecute"},
        {"key": "dedicated"},
    ],
)
def test_another_toleration_does_not(toleration: Object) -> None:
    assert "untolerated" in decide(pod(tolerations=[toleration]), node("n1", taints=[NO_SCHEDULE]))


def test_the_daemon_sets_toleration_opens_a_cordoned_node() -> None:
    toleration = {"key": "node.kubernetes.io/unschedulable", "operator": "Exists", "effect": "NoSchedule"}
    assert decide(pod(tolerations=[toleration]), node("n1", unschedulable=True)) == "n1"


@pytest.mark.parametrize(
    ("terms", "chosen"),
    [
        ([{"matchExpressions": [{"key": "zone", "operator": "In", "values": ["b"]}]}], "n2"),
        ([{"matchExpressions": [{"key": "zone", "operator": "NotIn", "values": ["b"]}]}], "n1"),
        ([{"matchExpressions": [{"key": "gen", "operator": "Gt", "values": ["4"]}]}], "n2"),
        ([{"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n1"]}]}], "n1"),
        ([{"matchExpressions": [{"key": "none", "operator": "Exists"}]}, {"matchExpressions": []}], ""),
    ],
)
def test_required_node_affinity(terms: list[Object], chosen: str) -> None:
    required = {
        "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
    }
    nodes = [node("n1", labels={"zone": "a", "gen": "3"}), node("n2", labels={"zone": "b", "gen": "5"})]
    outcome = decide(pod(affinity=required), *nodes)
    assert outcome == chosen if chosen else "didn't match Pod's node affinity" in outcome


def test_preferred_node_affinity_weighs_more_than_free_resources() -> None:
    preference = {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["b"]}]}
    preferred = [{"weight": 1, "preference": preference}]
    wanted = pod(affinity={"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": preferred}})
    assert decide(wanted, node("n1", **ZONE_A), node("n2", **ZONE_B), pod("old", cpu="2", on="n2")) == "n2"


def test_the_emptier_node_wins() -> None:
    assert decide(pod(cpu="1"), node("n1"), node("n2"), pod("old", cpu="1", memory="1Gi", on="n1")) == "n2"


def test_pods_that_request_nothing_count_when_nodes_are_compared() -> None:
    assert decide(pod(), node("n1"), node("n2"), pod("old", on="n1")) == "n2"


def test_a_node_that_would_rather_not_is_avoided() -> None:
    reluctant = {"key": "a", "effect": "PreferNoSchedule"}
    assert decide(pod(), node("n1", taints=[reluctant]), node("n2"), pod("old", on="n2")) == "n2"


def test_a_large_image_attracts() -> None:
    images = [{"names": ["app:v1"], "sizeBytes": 2 * GIB}]
    assert decide(pod(), node("n1"), node("n2"), node("n3", images=images)) == "n3"


def test_host_ports_on_different_addresses_go_together() -> None:
    def with_port(name: str, ip: str, on: str = "") -> Object:
        return pod(name, on=on, containers=[{"name": "a", "ports": [{"hostPort": 80, "hostIP": ip}]}])

    assert decide(with_port("new", "10.0.0.2"), node("n1"), with_port("old", "10.0.0.1", on="n1")) == "n1"
    assert "free ports" in decide(
        with_port("new", "10.0.0.1"), node("n1"), with_port("old", "0.0.0.0", on="n1")
    )


def test_affinity_follows_the_other_pod_into_its_zone() -> None:
    nodes = [node("n1", **ZONE_A), node("n2", **ZONE_B), node("n3", **ZONE_B)]
    wanted = pod(affinity=affinity("podAffinity", near("web")))
    assert decide(wanted, *nodes, pod("old", on="n2", labels=WEB)) in ("n2", "n3")


def test_the_first_of_a_group_that_wants_to_be_together_may_start_anywhere() -> None:
    wanted = pod(labels=WEB, affinity=affinity("podAffinity", near("web")))
    assert decide(wanted, node("n1", **ZONE_A)) == "n1"


@pytest.mark.parametrize(
    ("term", "refused"),
    [
        ({}, False),
        ({"namespaces": ["other"]}, True),
        ({"namespaceSelector": {}}, True),
        ({"namespaceSelector": {"matchLabels": {"team": "x"}}}, True),
        ({"namespaceSelector": {"matchLabels": {"team": "y"}}}, False),
    ],
)
def test_terms_look_into_the_namespaces_they_name(term: Object, refused: bool) -> None:
    wanted = pod(affinity=affinity("podAntiAffinity", near("web", **term)))
    outcome = decide(wanted, node("n1", **ZONE_A), pod("old", namespace="other", on="n1", labels=WEB))
    assert outcome.startswith("0/1") == refused


def test_spreading_keeps_the_skew() -> None:
    constraint = near("web", maxSkew=1, whenUnsatisfiable="DoNotSchedule")
    nodes = [node("n1", **ZONE_A), node("n2", **ZONE_B, cpu="1")]
    olds = [pod("old", on="n1", labels=WEB)]
    wanted = pod(labels=WEB, topologySpreadConstraints=[constraint])
    assert decide(wanted, *nodes, *olds) == "n2"
    too_large = pod(labels=WEB, cpu="2", topologySpreadConstraints=[constraint])
    assert decide(too_large, *nodes, *olds) == (
        "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) didn't match pod topology spread constraints."
    )


def test_pods_of_a_controller_are_spread_over_nodes_by_default() -> None:
    cluster = cluster_of(*(node(f"n{number}", cpu="64", memory="64Gi") for number in range(5)))
    for number in range(20):
        facts = read_pod(pod(f"web-{number}", labels=WEB))
        facts.siblings = siblings_selector([WEB], None)
        decision = schedule(facts, cluster, choose=random.Random(number))
        assert isinstance(decision, Placement)
        cluster.place(read_pod(pod(f"web-{number}", labels=WEB), node_name=decision.node_name))
    assert [len(state.pods) for state in cluster.nodes.values()] == [4] * 5


def test_counts_follow_pods_that_come_and_go() -> None:
    cluster = cluster_of(node("n1", **ZONE_A), node("n2", **ZONE_B))
    wanted = read_pod(pod(affinity=affinity("podAntiAffinity", near("web"))))

    def allowed() -> set[str]:
        decision = schedule(wanted, cluster)
        if isinstance(decision, Placement):
            return set(cluster.nodes) - {
                name
                for name in cluster.nodes
                if any(p.labels == WEB for p in cluster.nodes[name].pods.values())
            }
        return set()

    assert allowed() == {"n1", "n2"}
    for name in ("n1", "n2"):
        cluster.place(read_pod(pod(f"on-{name}", labels=WEB, on=name)))
    assert allowed() == set()
    cluster.displace("uid-on-n2")
    assert schedule(wanted, cluster) == Placement("n2")


def test_sums_of_a_node_return_to_nothing() -> None:
    cluster = cluster_of(node("n1"))
    old = read_pod(pod("old", cpu="250m", memory="64Mi", on="n1", containers=[{"name": "a"}]))
    before = cluster.nodes["n1"].requested.copy()
    with cluster.including(old), cluster.without(old):
        pass
    assert cluster.nodes["n1"].requested == before
    assert (cluster.nodes["n1"].counted_cpu, cluster.nodes["n1"].pods) == (0, {})


def test_a_node_may_come_back_while_its_pods_are_known() -> None:
    cluster = cluster_of(node("n1"), pod("old", cpu="3", on="n1"))
    cluster.remove_node("n1")
    assert isinstance(schedule(read_pod(pod()), cluster), Unplaced)
    cluster.set_node(node("n1"))
    decision = schedule(read_pod(pod(cpu="2")), cluster)
    assert isinstance(decision, Unplaced)
    assert decision.message() == "0/1 nodes are available: 1 Insufficient cpu."


@pytest.mark.parametrize(
    ("spec", "cpu"),
    [
        ({"containers": [{"cpu": "1"}, {"cpu": "500m"}]}, 1500),
        ({"containers": [{"cpu": "1"}], "initContainers": [{"cpu": "3"}, {"cpu": "2"}]}, 3000),
        ({"containers": [{"cpu": "1"}], "initContainers": [{"cpu": "1", "stays": True}, {"cpu": "3"}]}, 4000),
        ({"containers": [{"cpu": "5"}], "initContainers": [{"cpu": "1", "stays": True}, {"cpu": "3"}]}, 6000),
        ({"containers": [{"cpu": "1"}], "overhead": {"cpu": "250m"}}, 1250),
        ({"containers": [{"cpu": "1"}], "resources": {"requests": {"cpu": "7"}}}, 7000),
    ],
)
def test_a_pod_requests_what_it_needs_at_its_hungriest(spec: Object, cpu: int) -> None:
    def container(entry: Object) -> Object:
        always = {"restartPolicy": "Always"} if entry.get("stays") else {}
        return {"name": "c", "resources": {"requests": {"cpu": entry["cpu"]}}, **always}

    spec = {
        key: [container(entry) for entry in value] if key.endswith("ontainers") else value
        for key, value in spec.items()
    }
    assert pod_requests(spec)[0] == {"cpu": cpu}


@pytest.mark.parametrize(
    ("has", "given", "why", "cpu"),
    [
        ("1", "1", "", 2000),
        ("3", "1", "", 3000),
        ("1", "4", "Deferred", 4000),
        ("1", "1", "Infeasible", 1000),
        ("2", "2", "", 2000),
    ],
)
def test_a_pod_that_is_resized_holds_what_it_has_got_until_it_is_smaller(
    has: str, given: str, why: str, cpu: int
) -> None:
    one = pod(cpu="2")
    report = {"name": one["spec"]["containers"][0]["name"], "resources": {"requests": {"cpu": has}}}
    one["status"] = {"containerStatuses": [{**report, "allocatedResources": {"cpu": given}}]}
    if why:
        one["status"]["conditions"] = [{"type": "PodResizePending", "status": "True", "reason": why}]
    assert read_pod(one).requests["cpu"] == cpu


@pytest.mark.parametrize(("count", "compared"), [(1, 1), (99, 99), (100, 100), (1000, 420), (5000, 500)])
def test_large_clusters_are_sampled(count: int, compared: int) -> None:
    assert compared_nodes(count) == compared


# Preemption ---------------------------------------------------------------------------------------


def preemption_of(wanted: Object, *objects: Object, budgets: list[Object] | None = None) -> Preemption | str:
    cluster = cluster_of(*objects)
    facts = read_pod(wanted)
    unplaced = schedule(facts, cluster)
    assert isinstance(unplaced, Unplaced)
    outcome = preempt(facts, cluster, unplaced, budgets=budgets or [])
    again = schedule(facts, cluster)
    assert again == unplaced  # deciding changes nothing
    return outcome


def test_without_lower_priority_there_are_no_victims() -> None:
    assert preemption_of(pod(cpu="2"), node("n1"), pod("old", cpu="3", on="n1")) == (
        "no new claims to deallocate, preemption: 0/1 nodes are available: "
        "1 No preemption victims found for incoming pod."
    )


def test_preemption_does_not_help_where_removing_pods_changes_nothing() -> None:
    outcome = preemption_of(pod(cpu="5"), node("n1"), node("n2", cpu="8", unschedulable=True))
    assert outcome == (
        "no new claims to deallocate, preemption: 0/2 nodes are available: "
        "2 Preemption is not helpful for scheduling."
    )


def test_a_pod_that_never_preempts_says_so() -> None:
    wanted = pod(cpu="2", priority=10, preemptionPolicy="Never")
    outcome = preemption_of(wanted, node("n1"), pod("old", cpu="3", on="n1"))
    assert outcome == "no new claims to deallocate, preemption: not eligible due to preemptionPolicy=Never."


def test_only_as_many_as_needed_and_the_least_important_are_evicted() -> None:
    olds = [pod(f"p{priority}", cpu="1", on="n1", priority=priority) for priority in (1, 2, 3)]
    outcome = preemption_of(pod(cpu="2", priority=10), node("n1"), *olds)
    assert isinstance(outcome, Preemption)
    assert (outcome.node_name, [victim.key for victim in outcome.victims]) == ("n1", ["default/p1"])


def test_the_node_with_the_least_important_victims_is_chosen() -> None:
    olds = [pod("a", cpu="4", on="n1", priority=5), pod("b", cpu="4", on="n2", priority=3)]
    outcome = preemption_of(pod(cpu="2", priority=10), node("n1"), node("n2"), *olds)
    assert isinstance(outcome, Preemption)
    assert outcome.node_name == "n2"


def test_disruption_budgets_are_violated_last() -> None:
    budget = {
        "metadata": {"name": "b", "namespace": "default"},
        "spec": {"selector": {"matchLabels": WEB}},
        "status": {"disruptionsAllowed": 0},
    }
    olds = [pod("a", cpu="4", on="n1", labels=WEB, priority=1), pod("b", cpu="4", on="n2", priority=3)]
    outcome = preemption_of(pod(cpu="2", priority=10), node("n1"), node("n2"), *olds, budgets=[budget])
    assert isinstance(outcome, Preemption)
    assert (outcome.node_name, outcome.violations) == ("n2", 0)


def test_a_nominated_pod_keeps_its_place_from_others_of_lower_priority() -> None:
    cluster = cluster_of(node("n1"))
    nominated = pod("important", cpu="3", priority=10)
    cluster.nominated["uid-important"] = read_pod(nominated, node_name="n1")
    assert isinstance(schedule(read_pod(pod(cpu="2")), cluster), Unplaced)
    assert schedule(read_pod(nominated), cluster) == Placement("n1")
    assert schedule(read_pod(pod(cpu="2", priority=20)), cluster) == Placement("n1")

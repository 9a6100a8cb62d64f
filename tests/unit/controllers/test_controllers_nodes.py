"""Nodes: silence, taints, tolerations, address ranges; and that every resource is called what it is called."""

from ipaddress import ip_network

import pytest
from tests.unit.controllers.samples import NOW, NOW_S

from mamekube.controllers import clusterroleaggregation, nodeipam, nodelifecycle, resources, rootca, taints
from mamekube.controllers.nodelifecycle import Health
from mamekube.kinds.registry import builtin_registry
from mamekube.objects.resource import Resource


def node(ready="True", **spec):
    conditions = [{"type": "Ready", "status": ready, "lastHeartbeatTime": NOW, "lastTransitionTime": NOW}]
    return {
        "metadata": {"name": "n1", "creationTimestamp": NOW},
        "spec": spec,
        "status": {"conditions": conditions if ready else []},
    }


def decide(obj, *, silent_s=0.0, others=True):
    health = Health(NOW_S - silent_s, ())
    return nodelifecycle.plan(obj, health, others_ready=others, now_s=NOW_S, now=NOW)


def shown(entries):
    return [(entry["key"].removeprefix("node.kubernetes.io/"), entry["effect"]) for entry in entries]


def test_a_node_that_talks_is_left_alone():
    assert decide(node(), silent_s=49) == nodelifecycle.Actions()


def test_a_silent_node_becomes_unknown_and_drives_its_pods_away():
    actions = decide(node(), silent_s=51)
    assert actions.lost
    (ready, memory, disk, pid) = actions.conditions
    assert (ready["status"], ready["reason"], ready["message"]) == (
        "Unknown",
        "NodeStatusUnknown",
        "Kubelet stopped posting node status.",
    )
    assert {entry["reason"] for entry in (memory, disk, pid)} == {"NodeStatusNeverUpdated"}
    assert shown(actions.taints) == [("unreachable", "NoSchedule"), ("unreachable", "NoExecute")]


def test_a_node_that_never_spoke_has_a_little_longer():
    assert decide(node(ready=""), silent_s=55).conditions is None
    assert decide(node(ready=""), silent_s=61).conditions[0]["reason"] == "NodeStatusNeverUpdated"


def test_while_no_node_is_ready_nobody_is_driven_away():
    tainted = node("Unknown", taints=[{"key": taints.UNREACHABLE, "effect": "NoExecute"}])
    assert shown(decide(tainted, others=False).taints) == [("unreachable", "NoSchedule")]


def test_conditions_and_cordoning_become_taints_and_others_stay():
    mine = {"key": "dedicated", "value": "db", "effect": "NoSchedule"}
    cordoned = node("False", unschedulable=True, taints=[mine])
    assert shown(decide(cordoned).taints) == [
        ("dedicated", "NoSchedule"),
        ("not-ready", "NoSchedule"),
        ("unschedulable", "NoSchedule"),
        ("not-ready", "NoExecute"),
    ]
    recovered = node("True", taints=[*decide(cordoned).taints])
    assert shown(decide(recovered).taints) == [("dedicated", "NoSchedule")]


@pytest.mark.parametrize(
    ("toleration", "expected"),
    [
        ({"operator": "Exists"}, True),
        ({"key": "k", "operator": "Exists"}, True),
        ({"key": "k", "value": "v"}, True),
        ({"key": "k", "value": "w"}, False),
        ({"key": "k", "value": "v", "effect": "NoSchedule"}, False),
        ({"key": "other", "operator": "Exists"}, False),
    ],
)
def test_tolerations(toleration, expected):
    assert taints.tolerates(toleration, {"key": "k", "value": "v", "effect": "NoExecute"}) is expected


def test_how_long_a_pod_stays_is_the_least_of_what_it_tolerates():
    first, second = {"key": "a", "effect": "NoExecute"}, {"key": "b", "effect": "NoExecute"}
    for_ever = {"key": "a", "operator": "Exists"}
    for_300 = {"key": "b", "operator": "Exists", "tolerationSeconds": 300}
    assert taints.stays_for_s([first, second], [for_ever]) == 0.0
    assert taints.stays_for_s([first], [for_ever]) is None
    assert taints.stays_for_s([first, second], [for_ever, for_300]) == 300.0


def test_the_first_free_range_is_given():
    cluster = ip_network("10.244.0.0/16")
    assert nodeipam.plan(cluster, mask_size=24, used=["10.244.0.0/24", "10.244.2.0/24"]) == "10.244.1.0/24"
    assert nodeipam.plan(cluster, mask_size=24, used=["10.244.0.0/23"]) == "10.244.2.0/24"
    assert nodeipam.plan(ip_network("10.0.0.0/24"), mask_size=24, used=["10.0.0.0/24"]) is None


def test_rules_are_united_and_repeated_ones_dropped():
    rule = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}
    roles = [{"metadata": {"name": name, "labels": {"to": "view"}}, "rules": [rule]} for name in ("b", "a")]
    selector = {"matchLabels": {"to": "view"}}
    view = {"metadata": {"name": "view"}, "aggregationRule": {"clusterRoleSelectors": [selector]}}
    assert clusterroleaggregation.plan(view, [*roles, view]) == [rule]
    assert clusterroleaggregation.plan({**view, "rules": [rule]}, [*roles, view]) is None


def test_a_changed_root_certificate_is_put_right():
    made = rootca.plan("default", None, root_ca="PEM")
    assert rootca.plan("default", made, root_ca="PEM") is None
    assert rootca.plan("default", {**made, "data": {}}, root_ca="PEM")["data"] == {"ca.crt": "PEM"}


RECORDS = {name: value for name, value in vars(resources).items() if isinstance(value, Resource)}


@pytest.mark.parametrize("name", RECORDS)
def test_every_resource_is_what_the_registry_says(name):
    record = RECORDS[name]
    kind = builtin_registry().find(record.group, record.version, record.plural)
    assert kind is not None
    assert (kind.kind, kind.namespaced) == (record.kind, record.namespaced)

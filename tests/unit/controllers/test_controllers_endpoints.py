"""Endpoints and EndpointSlices: who is listed, in which slice, and what is left alone."""

import copy

from tests.unit.controllers.samples import NOW, pod

from mamekube.controllers import endpoints, endpointslice
from mamekube.controllers.servicepods import TriggerTimes

READY = "2025-12-31T00:00:00Z"
NODES = {"n1": {"metadata": {"name": "n1", "labels": {"topology.kubernetes.io/zone": "a"}}}}


def service(**spec):
    return {
        "metadata": {"name": "web", "namespace": "default", "uid": "svc", "labels": {"team": "x"}},
        "spec": {
            "selector": {"app": "web"},
            "clusterIP": "10.96.0.5",
            "ipFamilies": ["IPv4"],
            "ports": [{"name": "http", "port": 80, "targetPort": "web", "protocol": "TCP"}],
            **spec,
        },
    }


def serving(name, ip, **fields):
    spec = {
        "containers": [{"name": "c", "ports": [{"name": "web", "containerPort": 8080, "protocol": "TCP"}]}]
    }
    return pod(name, ip=ip, ready_since=READY, spec=spec, **fields)


def applied(slices, actions):
    names = {entry["metadata"]["name"] for entry in (*actions.update, *actions.delete)}
    kept = [entry for entry in slices if entry["metadata"]["name"] not in names]
    made = copy.deepcopy(actions.create)
    for number, entry in enumerate(made):
        entry["metadata"]["name"] = f"web-{len(slices) + number}"
    return [*kept, *actions.update, *made]


def slices_of(owner, pods, slices=()):
    actions = endpointslice.plan(owner, pods, nodes=NODES, slices=list(slices))
    return applied(list(slices), actions), actions


def test_a_slice_says_who_is_ready_serving_and_terminating():
    pods = [
        serving("a", "10.244.0.1"),
        pod("b", ip="10.244.0.2", spec=serving("x", "")["spec"]),
        serving("c", "10.244.0.3", metadata={"deletionTimestamp": NOW}),
        serving("done", "10.244.0.4", phase="Succeeded"),
        serving("lost", "10.244.0.5", node="gone"),
        serving("new", "", node="n1"),
    ]
    (made,), _ = slices_of(service(), pods)
    assert made["ports"] == [{"name": "http", "protocol": "TCP", "port": 8080}]
    assert {
        entry["targetRef"]["name"]: tuple(entry["conditions"].values()) for entry in made["endpoints"]
    } == {
        "a": (True, True, False),
        "b": (False, False, False),
        "c": (False, True, True),
    }
    assert made["endpoints"][0]["zone"] == "a"
    assert made["metadata"]["labels"] == {
        "team": "x",
        "kubernetes.io/service-name": "web",
        "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
    }
    assert made["metadata"]["ownerReferences"][0]["kind"] == "Service"


def test_a_service_without_pods_keeps_one_empty_slice():
    slices, _ = slices_of(service(), [])
    assert [entry["endpoints"] for entry in slices] == [[]]
    filled, _ = slices_of(service(), [serving("a", "10.244.0.1")], slices)
    assert [len(entry["endpoints"]) for entry in filled if entry["endpoints"]] == [1]
    emptied, actions = slices_of(service(), [], filled)
    assert [entry["endpoints"] for entry in emptied] == [[]]
    assert slices_of(service(), [], emptied)[1] == endpointslice.Actions()
    assert len(actions.create) == 0


def test_an_endpoint_that_stays_is_not_moved_and_its_slice_not_written():
    pods = [serving(f"p{number}", f"10.244.0.{number}") for number in range(250)]
    slices, _ = slices_of(service(), pods)
    assert sorted(len(entry["endpoints"]) for entry in slices) == [50, 100, 100]
    assert slices_of(service(), pods, slices)[1] == endpointslice.Actions()
    _, actions = slices_of(service(), [*pods[:120], *pods[121:]], slices)
    assert (len(actions.create), len(actions.update), len(actions.delete)) == (0, 1, 0)


def test_pods_with_other_numbers_for_a_named_port_get_a_slice_of_their_own():
    odd = serving("odd", "10.244.0.9")
    odd["spec"]["containers"][0]["ports"][0]["containerPort"] = 9090
    slices, _ = slices_of(service(), [serving("a", "10.244.0.1"), odd])
    assert sorted(entry["ports"][0]["port"] for entry in slices) == [8080, 9090]


def test_a_headless_service_lists_hostnames_and_is_marked():
    named = serving("a", "10.244.0.1")
    named["spec"].update(hostname="a-0", subdomain="web")
    (made,), _ = slices_of(service(clusterIP="None"), [named])
    assert made["endpoints"][0]["hostname"] == "a-0"
    assert made["metadata"]["labels"]["service.kubernetes.io/headless"] == ""


def test_unready_addresses_can_be_published():
    pods = [pod("b", ip="10.244.0.2", spec=serving("x", "")["spec"])]
    (made,), _ = slices_of(service(publishNotReadyAddresses=True), pods)
    assert made["endpoints"][0]["conditions"]["ready"] is True


def test_both_families_get_slices():
    both = serving("a", "10.244.0.1")
    both["status"]["podIPs"] = [{"ip": "10.244.0.1"}, {"ip": "fd00::1"}]
    slices, _ = slices_of(service(ipFamilies=["IPv4", "IPv6"]), [both])
    assert {entry["addressType"]: entry["endpoints"][0]["addresses"] for entry in slices} == {
        "IPv4": ["10.244.0.1"],
        "IPv6": ["fd00::1"],
    }


def test_endpoints_list_ready_and_other_addresses_by_ports():
    pods = [
        serving("b", "10.244.0.2"),
        serving("a", "10.244.0.1"),
        pod("c", ip="10.244.0.3", spec=serving("x", "")["spec"]),
    ]
    made = endpoints.plan(service(), pods, None)
    (subset,) = made["subsets"]
    assert [entry["ip"] for entry in subset["addresses"]] == ["10.244.0.1", "10.244.0.2"]
    assert [entry["ip"] for entry in subset["notReadyAddresses"]] == ["10.244.0.3"]
    assert subset["ports"] == [{"name": "http", "protocol": "TCP", "port": 8080}]
    assert made["metadata"]["labels"]["endpoints.kubernetes.io/managed-by"] == "endpoint-controller"
    assert endpoints.plan(service(), pods, made) is None


def test_endpoints_beyond_a_thousand_are_cut_and_say_so():
    pods = [serving(f"p{number}", f"10.244.{number // 250}.{number % 250}") for number in range(1001)]
    made = endpoints.plan(service(), pods, None)
    assert len(made["subsets"][0]["addresses"]) == 1000
    assert made["metadata"]["annotations"] == {"endpoints.kubernetes.io/over-capacity": "truncated"}


def test_the_trigger_is_the_earliest_change_not_told_before():
    times = TriggerTimes()
    owner = service()
    owner["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z"
    assert times.earliest_change(owner, []) is not None
    assert times.earliest_change(owner, []) is None
    assert times.earliest_change(owner, [serving("a", "10.244.0.1")]) is not None
    assert times.earliest_change(owner, [serving("a", "10.244.0.1")]) is None

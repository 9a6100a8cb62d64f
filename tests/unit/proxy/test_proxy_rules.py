"""What a service contributes to the nftables table."""

import pytest

from mamekube.proxy import nft
from mamekube.proxy.rules import EMPTY, plan


def service(**spec):
    labels = spec.pop("labels", {})
    body = {"clusterIP": "10.96.0.7", "ports": [{"name": "http", "port": 80, "protocol": "TCP"}], **spec}
    return {"metadata": {"namespace": "default", "name": "web", "labels": labels}, "spec": body}


def endpoint_slice(*endpoints, port=8080, **overrides):
    entries = []
    for address, node, conditions in endpoints:
        entries.append({"addresses": [address], "nodeName": node, "conditions": conditions})
    return {
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": port, "protocol": "TCP"}],
        "endpoints": entries,
        **overrides,
    }


READY = {"ready": True, "serving": True, "terminating": False}
GONE = {"ready": False, "serving": False, "terminating": False}
LEAVING = {"ready": False, "serving": True, "terminating": True}


def elements(rules, name):
    return {key: value for (table, key), value in rules.elements.items() if table == name}


def test_a_cluster_ip_goes_to_the_chain_of_its_endpoint_count():
    rules = plan(
        service(),
        [endpoint_slice(("10.244.0.2", "a", READY), ("10.244.1.3", "b", READY))],
        node_name="a",
    )
    assert elements(rules, "services") == {"10.96.0.7 . tcp . 80": "goto cluster_2"}
    assert elements(rules, "endpoints") == {
        "10.96.0.7 . tcp . 80 . 0": "10.244.0.2 . 8080",
        "10.96.0.7 . tcp . 80 . 1": "10.244.1.3 . 8080",
    }
    assert elements(rules, "hairpin") == {"10.244.0.2 . 10.244.0.2": ""}
    assert rules.pickers == {("cluster", 2)}


def test_a_node_port_is_masqueraded_unless_the_policy_is_local():
    slices = [endpoint_slice(("10.244.0.2", "a", READY), ("10.244.1.3", "b", READY))]
    ports = [{"name": "http", "port": 80, "nodePort": 30080}]
    anywhere = plan(service(type="NodePort", ports=ports), slices, node_name="a")
    assert elements(anywhere, "nodeports") == {"tcp . 30080": "goto node_external_2"}
    here = plan(service(type="NodePort", ports=ports, externalTrafficPolicy="Local"), slices, node_name="a")
    assert elements(here, "nodeports") == {"tcp . 30080": "goto node_local_1"}
    assert elements(here, "node_endpoints") == {"tcp . 30080 . 0": "10.244.0.2 . 8080"}


def test_a_service_without_endpoints_refuses():
    ports = [{"name": "http", "port": 80, "nodePort": 30080}]
    rules = plan(service(ports=ports), [endpoint_slice(("10.244.0.2", "a", GONE))], node_name="a")
    assert elements(rules, "services") == {}
    assert elements(rules, "no_endpoints") == {"10.96.0.7 . tcp . 80": ""}
    assert elements(rules, "no_node_endpoints") == {"tcp . 30080": ""}


def test_terminating_endpoints_serve_only_while_none_is_ready():
    both = [endpoint_slice(("10.244.0.2", "a", LEAVING), ("10.244.0.3", "a", READY))]
    assert list(elements(plan(service(), both, node_name="a"), "endpoints").values()) == ["10.244.0.3 . 8080"]
    last = [endpoint_slice(("10.244.0.2", "a", LEAVING))]
    assert list(elements(plan(service(), last, node_name="a"), "endpoints").values()) == ["10.244.0.2 . 8080"]


@pytest.mark.parametrize(
    "ignored",
    [
        service(clusterIP="None"),
        service(type="ExternalName", clusterIP=""),
        service(labels={"service.kubernetes.io/service-proxy-name": "other"}),
        service(labels={"service.kubernetes.io/headless": ""}),
    ],
)
def test_services_of_others_have_no_rules(ignored):
    rules = plan(ignored, [endpoint_slice(("10.244.0.2", "a", READY))], node_name="a")
    assert not rules.elements


def test_internal_traffic_policy_local_uses_this_node_only():
    slices = [endpoint_slice(("10.244.0.2", "a", READY), ("10.244.1.3", "b", READY))]
    rules = plan(service(internalTrafficPolicy="Local"), slices, node_name="b")
    assert list(elements(rules, "endpoints").values()) == ["10.244.1.3 . 8080"]


def test_session_affinity_keeps_a_set_of_clients_per_endpoint():
    spec = {"sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 60}}}
    two = plan(
        service(**spec),
        [endpoint_slice(("10.244.0.2", "a", READY), ("10.244.0.3", "a", READY))],
        node_name="a",
    )
    one = plan(service(**spec), [endpoint_slice(("10.244.0.3", "a", READY))], node_name="a")
    assert len(two.sets) == 2 and set(one.sets) < set(two.sets)
    assert all("timeout 60s" in definition for definition in two.sets.values())


def test_a_change_is_only_what_differs():
    table = nft.Table()
    first = plan(service(), [endpoint_slice(("10.244.0.2", "a", READY))], node_name="a")
    assert "add element ip mamekube-proxy services" in table.change({"default/web": first})
    assert table.change({"default/web": first}) == ""
    second = plan(
        service(), [endpoint_slice(("10.244.0.2", "a", READY), ("10.244.0.4", "a", READY))], node_name="a"
    )
    commands = table.change({"default/web": second}).splitlines()
    assert [line for line in commands if "endpoints {" in line and "no_" not in line] == [
        "add element ip mamekube-proxy endpoints { 10.96.0.7 . tcp . 80 . 1 : 10.244.0.4 . 8080 }"
    ]
    gone = table.change({"default/web": EMPTY})
    assert gone.count("delete element") == 5


def test_an_element_that_two_services_share_goes_with_the_last_of_them():
    table = nft.Table()
    slices = [endpoint_slice(("10.244.0.2", "a", READY))]
    table.change({"default/one": plan(service(), slices, node_name="a")})
    table.change({"default/two": plan(service(clusterIP="10.96.0.8"), slices, node_name="a")})
    assert "hairpin" not in table.change({"default/one": EMPTY})
    assert "delete element ip mamekube-proxy hairpin" in table.change({"default/two": EMPTY})

"""The rows of services, of what is behind them, and of what leads to them."""

from typing import Any

import pytest
from tests.unit.kinds.tables import AGE, row_of

BALANCED = {"loadBalancer": {"ingress": [{"ip": "2.2.2.2", "hostname": "no"}, {"hostname": "a.example"}]}}
PORTS = [{"port": 80, "protocol": "TCP"}, {"port": 53, "nodePort": 30053, "protocol": "UDP"}]


@pytest.mark.parametrize(
    ("spec", "status", "cells"),
    [
        ({"type": "ClusterIP"}, {}, ["ClusterIP", "<none>", "<none>", "<none>"]),
        (
            {
                "type": "ClusterIP",
                "clusterIPs": ["1.1.1.1", "fd00::1"],
                "externalIPs": ["9.9.9.9", "8.8.8.8"],
            },
            {},
            ["ClusterIP", "1.1.1.1", "9.9.9.9,8.8.8.8", "<none>"],
        ),
        ({"type": "ClusterIP", "clusterIPs": ["None"]}, {}, ["ClusterIP", "None", "<none>", "<none>"]),
        (
            {"type": "NodePort", "ports": PORTS},
            BALANCED,
            ["NodePort", "<none>", "<none>", "80/TCP,53:30053/UDP"],
        ),
        ({"type": "LoadBalancer"}, {}, ["LoadBalancer", "<none>", "<pending>", "<none>"]),
        ({"type": "LoadBalancer"}, BALANCED, ["LoadBalancer", "<none>", "2.2.2.2,a.example", "<none>"]),
        (
            {"type": "LoadBalancer", "externalIPs": ["1.2.3.4"]},
            BALANCED,
            ["LoadBalancer", "<none>", "2.2.2.2,a.example,1.2.3.4", "<none>"],
        ),
        (
            {"type": "LoadBalancer", "externalIPs": ["1.2.3.4"]},
            {},
            ["LoadBalancer", "<none>", "1.2.3.4", "<none>"],
        ),
        (
            {"type": "ExternalName", "externalName": "b.example", "externalIPs": ["1.2.3.4"]},
            {},
            ["ExternalName", "<none>", "b.example", "<none>"],
        ),
        ({"type": "Odd"}, {}, ["Odd", "<none>", "<unknown>", "<none>"]),
    ],
)
def test_a_service_says_where_it_is_reached(
    spec: dict[str, Any], status: dict[str, Any], cells: list[Any]
) -> None:
    assert row_of("v1/services", {"spec": spec, "status": status})[1:5] == cells


@pytest.mark.parametrize(
    ("rules", "text"),
    [
        ([], "*"),
        ([{"host": "a"}, {}, {"host": "b"}], "a,b"),
        ([{}, {}, {}, {}], "*"),
        ([{"host": "a"}, {"host": "b"}, {"host": "c"}], "a,b,c"),
        ([{"host": "a"}, {"host": "b"}, {"host": "c"}, {}, {}], "a,b,c + 2 more..."),
        ([{}, {"host": "a"}, {"host": "b"}, {"host": "c"}, {"host": "d"}], "a,b,c + 2 more..."),
    ],
)
def test_hosts_of_an_ingress(rules: list[Any], text: str) -> None:
    assert row_of("networking.k8s.io/v1/ingresses", {"spec": {"rules": rules}})[2] == text


def subset(count: int, *ports: int) -> dict[str, Any]:
    return {"addresses": [{"ip": f"10.0.0.{n}"} for n in range(count)], "ports": [{"port": p} for p in ports]}


@pytest.mark.parametrize(
    ("subsets", "text"),
    [
        ([], "<none>"),
        ([{"notReadyAddresses": [{"ip": "10.0.0.1"}]}], ""),
        ([subset(1)], "10.0.0.0"),
        ([subset(3, 1)], "10.0.0.0:1,10.0.0.1:1,10.0.0.2:1"),
        ([subset(2), subset(2, 1, 2)], "10.0.0.0,10.0.0.1,10.0.0.0:1 + 3 more..."),
        ([{"addresses": [{"ip": "fd00::1"}], "ports": [{"port": 80}]}], "[fd00::1]:80"),
    ],
)
def test_what_endpoints_name(subsets: list[Any], text: str) -> None:
    assert row_of("v1/endpoints", {"subsets": subsets})[1] == text


@pytest.mark.parametrize(
    ("ports", "text"),
    [
        (None, "<unset>"),
        ([{"name": "http"}], "http"),
        ([{"name": ""}], "<unset>"),
        ([{"name": "http", "port": 8080}], "8080"),
        ([{"port": 1}, {"name": "a"}, {}, {"port": 4}, {"port": 5}], "1,a,* + 2 more..."),
    ],
)
def test_a_slice_shows_three_ports(ports: Any, text: str) -> None:
    assert row_of("discovery.k8s.io/v1/endpointslices", {"ports": ports})[2] == text


def test_a_slice_shows_three_addresses_of_all_its_endpoints() -> None:
    endpoints = [{"addresses": ["a", "b"]}, {"addresses": ["c"]}, {"addresses": ["d", "e"]}]
    row = row_of("discovery.k8s.io/v1/endpointslices", {"addressType": "FQDN", "endpoints": endpoints})
    assert row[1:4] == ["FQDN", "<unset>", "a,b,c + 2 more..."]


@pytest.mark.parametrize(
    ("resource", "made", "cells"),
    [
        (
            "networking.k8s.io/v1/ingresses",
            {"spec": {"ingressClassName": "", "tls": []}, "status": BALANCED},
            ["x", "", "*", "2.2.2.2,a.example", "80", AGE],
        ),
        ("networking.k8s.io/v1/ingressclasses", {"spec": {"controller": "a/b"}}, ["x", "a/b", "<none>", AGE]),
        (
            "networking.k8s.io/v1/ingressclasses",
            {"spec": {"parameters": {"kind": "K", "name": "n"}}},
            ["x", "", "K/n", AGE],
        ),
        (
            "networking.k8s.io/v1/networkpolicies",
            {
                "spec": {
                    "podSelector": {
                        "matchLabels": {"b": "2"},
                        "matchExpressions": [
                            {"key": "c", "operator": "NotIn", "values": ["z", "y"]},
                            {"key": "a", "operator": "DoesNotExist"},
                        ],
                    }
                }
            },
            ["x", "!a,b=2,c notin (y,z)", AGE],
        ),
        (
            "networking.k8s.io/v1/ipaddresses",
            {"spec": {"parentRef": {"group": "A.B", "resource": "Things", "name": "n"}}},
            ["x", "things.a.b/n", AGE],
        ),
        ("networking.k8s.io/v1/ipaddresses", {}, ["x", "<none>", AGE]),
        (
            "networking.k8s.io/v1/servicecidrs",
            {"spec": {"cidrs": ["10.0.0.0/8", "fd00::/64"]}},
            ["x", "10.0.0.0/8,fd00::/64", AGE],
        ),
    ],
)
def test_row_of_a_network(resource: str, made: dict[str, Any], cells: list[Any]) -> None:
    assert row_of(resource, made) == cells

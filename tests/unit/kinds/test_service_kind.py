"""Services: defaults, refusals, and what an update keeps."""

from typing import Any

import pytest

from mamekube.kinds.core.services import KIND


def service(**spec: Any) -> dict[str, Any]:
    obj = {"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}], **spec}}
    KIND.default(obj)
    return obj


def test_a_service_gets_what_upstream_gives_it() -> None:
    assert service()["spec"] == {
        "internalTrafficPolicy": "Cluster",
        "ports": [{"port": 80, "protocol": "TCP", "targetPort": 80}],
        "sessionAffinity": "None",
        "type": "ClusterIP",
    }


def test_a_name_in_another_cluster_has_no_traffic_policy_whoever_says_so() -> None:
    """Upstream: Test_ExternalNameServiceDropsInternalTrafficPolicy. What is no policy at all is refused."""
    made = service(type="ExternalName", externalName="a.b", internalTrafficPolicy="Cluster")
    KIND.prepare_create(made)
    assert "internalTrafficPolicy" not in made["spec"]
    old = service()
    new = service(type="ExternalName", externalName="a.b", internalTrafficPolicy="Cluster")
    KIND.prepare_update(new, old)
    assert "internalTrafficPolicy" not in new["spec"]
    wrong = service(type="ExternalName", externalName="a.b", internalTrafficPolicy="Elsewhere")
    KIND.prepare_create(wrong)
    assert [error.field for error in KIND.validate_create(wrong)] == ["spec.internalTrafficPolicy"]


def test_session_affinity_lasts_three_hours() -> None:
    config = service(sessionAffinity="ClientIP")["spec"]["sessionAffinityConfig"]
    assert config == {"clientIP": {"timeoutSeconds": 10800}}


@pytest.mark.parametrize(
    ("spec", "external", "internal"),
    [
        ({"type": "NodePort"}, "Cluster", "Cluster"),
        ({"type": "LoadBalancer"}, "Cluster", "Cluster"),
        ({"externalIPs": ["1.2.3.4"]}, "Cluster", "Cluster"),
        ({"type": "ExternalName", "externalName": "a.b"}, None, None),
    ],
)
def test_traffic_policies_follow_the_type(spec: dict, external: str | None, internal: str | None) -> None:
    made = service(**spec)["spec"]
    assert (made.get("externalTrafficPolicy"), made.get("internalTrafficPolicy")) == (external, internal)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, []),
        ({"ports": []}, ["spec.ports: Required value"]),
        ({"ports": [], "clusterIP": "None", "clusterIPs": ["None"]}, []),
        (
            {"ports": [{"port": 0}]},
            [
                "spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive",
                "spec.ports[0].targetPort: Invalid value: 0: must be between 1 and 65535, inclusive",
            ],
        ),
        (
            {"ports": [{"port": 80}, {"port": 81}]},
            ["spec.ports[0].name: Required value", "spec.ports[1].name: Required value"],
        ),
        (
            {"ports": [{"name": "a", "port": 80}, {"name": "a", "port": 81}]},
            ['spec.ports[1].name: Duplicate value: "a"'],
        ),
        (
            {"ports": [{"name": "a", "port": 80}, {"name": "b", "port": 80}]},
            [
                'spec.ports[1]: Duplicate value: {"Name":"","Protocol":"TCP","AppProtocol":null,"Port":80,'
                '"TargetPort":0,"NodePort":0}'
            ],
        ),
        (
            {"ports": [{"port": 80, "nodePort": 30000}]},
            ["spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"],
        ),
        (
            {"type": "External"},
            [
                'spec.type: Unsupported value: "External": supported values: "ClusterIP", "ExternalName", '
                '"LoadBalancer", "NodePort"'
            ],
        ),
        ({"type": "ExternalName"}, ["spec.externalName: Required value"]),
        (
            {"clusterIP": "x", "clusterIPs": ["x"]},
            [
                'spec.clusterIPs[0]: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or '
                "2001:db8::ffff)"
            ],
        ),
        (
            {"externalTrafficPolicy": "Local"},
            [
                'spec.externalTrafficPolicy: Invalid value: "Local": may only be set for externally-accessible '
                "services"
            ],
        ),
        (
            {"sessionAffinity": "Cookie"},
            ['spec.sessionAffinity: Unsupported value: "Cookie": supported values: "ClientIP", "None"'],
        ),
    ],
)
def test_a_service_is_refused_for(spec: dict, expected: list[str]) -> None:
    assert [str(error) for error in KIND.validate_create(service(**spec))] == expected


def test_an_address_once_given_stays() -> None:
    old = service(clusterIP="10.96.0.5", clusterIPs=["10.96.0.5"])
    new = service(clusterIP="10.96.0.6", clusterIPs=["10.96.0.6"])
    assert [str(error) for error in KIND.validate_update(new, old)] == [
        'spec.clusterIPs[0]: Invalid value: ["10.96.0.6"]: may not change once set'
    ]
    assert KIND.validate_update(service(type="ExternalName", externalName="a.b"), old) == []


def test_a_client_that_knows_only_one_address_changes_the_first() -> None:
    old = service(clusterIP="None", clusterIPs=["None"])
    new = service(clusterIP="10.96.0.6", clusterIPs=["None"])
    KIND.prepare_update(new, old)
    assert new["spec"]["clusterIPs"] == ["10.96.0.6"]
    assert [str(error) for error in KIND.validate_update(new, old)] == [
        'spec.clusterIPs[0]: Invalid value: ["10.96.0.6"]: may not change once set'
    ]


@pytest.mark.parametrize(
    ("spec", "status", "cells"),
    [
        (
            {"clusterIP": "10.96.0.1", "clusterIPs": ["10.96.0.1"]},
            {},
            ["ClusterIP", "10.96.0.1", "<none>", "80/TCP"],
        ),
        ({"clusterIP": "None", "clusterIPs": ["None"]}, {}, ["ClusterIP", "None", "<none>", "80/TCP"]),
        (
            {"type": "NodePort", "ports": [{"port": 80, "nodePort": 30001}, {"port": 53, "protocol": "UDP"}]},
            {},
            ["NodePort", "<none>", "<none>", "80:30001/TCP,53/UDP"],
        ),
        ({"type": "LoadBalancer"}, {}, ["LoadBalancer", "<none>", "<pending>", "80/TCP"]),
        (
            {"type": "LoadBalancer", "externalIPs": ["9.9.9.9"]},
            {"loadBalancer": {"ingress": [{"ip": "1.1.1.1"}, {"hostname": "a.b"}]}},
            ["LoadBalancer", "<none>", "1.1.1.1,a.b,9.9.9.9", "80/TCP"],
        ),
        (
            {"type": "ExternalName", "externalName": "a.b", "ports": []},
            {},
            ["ExternalName", "<none>", "a.b", "<none>"],
        ),
    ],
)
def test_addresses_and_ports_in_the_table(spec: dict, status: dict, cells: list[str]) -> None:
    assert KIND.row is not None
    assert KIND.row({**service(**spec), "status": status}, 0.0)[1:5] == cells


IGNORED = "is ignored for headless services"
HEADLESS = {"clusterIP": "None", "clusterIPs": ["None"]}
CANONICAL = "should be in RFC 5952 canonical format"


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, []),
        ({"clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1"], "trafficDistribution": "PreferSameZone"}, []),
        ({"clusterIP": "2001:DB8::1", "clusterIPs": ["2001:DB8::1"]},
         [f'spec.clusterIPs[0]: IPv6 address "2001:DB8::1" {CANONICAL} ("2001:db8::1")']),
        (HEADLESS, []),
        ({**HEADLESS, "loadBalancerIP": "10.0.0.1", "externalIPs": ["10.0.0.1"], "sessionAffinity": "ClientIP"},
         [f"spec.loadBalancerIP {IGNORED}", f"spec.externalIPs {IGNORED}", f"spec.SessionAffinity {IGNORED}",
          "spec.externalIPs is deprecated"]),
        ({"type": "ExternalName", "externalName": "a.b", "externalIPs": ["10.0.0.1"]},
         ["spec.externalIPs is deprecated", 'spec.externalIPs is ignored when spec.type is "ExternalName"']),
        ({"externalName": "a.b"}, ['spec.externalName is ignored when spec.type is not "ExternalName"']),
        ({"loadBalancerIP": "010.0.0.1", "loadBalancerSourceRanges": ["2001:DB8::/32"]},
         ['spec.loadBalancerIP: non-standard IP address "010.0.0.1" will be considered invalid in a future Kubernetes '
          'release: use "10.0.0.1"',
          f'spec.loadBalancerSourceRanges[0]: IPv6 CIDR value "2001:DB8::/32" {CANONICAL} ("2001:db8::/32")']),
        ({"trafficDistribution": "PreferClose"},
         ['spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"']),
    ],
)  # fmt: skip
def test_a_service_is_warned_of(spec: dict[str, Any], expected: list[str]) -> None:
    made = service(**spec)
    assert KIND.warnings(made, None) == KIND.warnings(made, made) == expected


def test_a_service_is_warned_of_hints_that_have_another_name_now() -> None:
    made = service()
    made["metadata"]["annotations"] = {"service.kubernetes.io/topology-aware-hints": "auto"}
    assert KIND.warnings(made, None) == [
        "annotation service.kubernetes.io/topology-aware-hints is deprecated, please use "
        "service.kubernetes.io/topology-mode instead"
    ]

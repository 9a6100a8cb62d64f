"""Environment of containers: expansion, precedence, sources that are missing."""

import base64

import pytest
from tests.unit.kubelet.kubelet_api import make_pod

from mamekube.kubelet import downward
from mamekube.kubelet.environment import ConfigError, build, expand, service_variables, visible_services
from mamekube.kubelet.volumes.sources import Fetched

FACTS = downward.Facts(
    node_name="node", host_ips=("10.0.0.1",), pod_ips=("10.244.0.5",), allocatable={"cpu": "4"}
)


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("plain", "plain"),
        ("$(A)", "1"),
        ("$(A)$(B)", "12"),
        ("$$(A)", "$(A)"),
        ("$$$(A)", "$1"),
        ("$(MISSING)", "$(MISSING)"),
        ("$(A", "$(A"),
        ("$A", "$A"),
        ("end$", "end$"),
        ("$()", "$()"),
    ],
)
def test_references_expand_as_upstream_expands_them(text, result):
    assert expand(text, {"A": "1", "B": "2"}) == result


def service(name, namespace="default", ip="10.96.0.7", ports=({"port": 80, "name": "web"},)):
    return {
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"clusterIP": ip, "ports": list(ports)},
    }


def test_a_service_becomes_the_variables_of_docker_links():
    assert service_variables([service("my-db")]) == {
        "MY_DB_SERVICE_HOST": "10.96.0.7",
        "MY_DB_SERVICE_PORT": "80",
        "MY_DB_SERVICE_PORT_WEB": "80",
        "MY_DB_PORT": "tcp://10.96.0.7:80",
        "MY_DB_PORT_80_TCP": "tcp://10.96.0.7:80",
        "MY_DB_PORT_80_TCP_PROTO": "tcp",
        "MY_DB_PORT_80_TCP_PORT": "80",
        "MY_DB_PORT_80_TCP_ADDR": "10.96.0.7",
    }


def test_headless_services_have_no_variables():
    assert service_variables([service("db", ip="None"), service("db", ip="")]) == {}


def test_without_service_links_only_the_api_server_is_visible():
    services = [service("kubernetes"), service("db"), service("other", namespace="elsewhere")]
    names = [one["metadata"]["name"] for one in visible_services(make_pod("p"), services)]
    assert names == ["kubernetes", "db"]
    lonely = make_pod("p", enableServiceLinks=False)
    assert [one["metadata"]["name"] for one in visible_services(lonely, services)] == ["kubernetes"]


def test_own_variables_win_over_sources_and_sources_over_services():
    lookup = Fetched({"cfg": {"data": {"A": "map", "B": "map"}}}, {})
    container = {
        "name": "main",
        "envFrom": [{"configMapRef": {"name": "cfg"}}],
        "env": [{"name": "A", "value": "own $(B)"}, {"name": "C", "value": "$(DB_SERVICE_HOST)"}],
    }
    found = build(make_pod("p"), container, services=[service("db")], lookup=lookup, facts=FACTS)
    assert (found["A"], found["B"], found["C"]) == ("own map", "map", "10.96.0.7")


def test_fields_and_resources_of_the_pod_are_readable():
    pod = make_pod("p")
    pod["metadata"]["labels"] = {"tier": "x"}
    container = {
        "name": "main",
        "resources": {"requests": {"memory": "32Mi"}},
        "env": [
            {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
            {"name": "TIER", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['tier']"}}},
            {"name": "CPU", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}},
            {
                "name": "MEM",
                "valueFrom": {"resourceFieldRef": {"resource": "requests.memory", "divisor": "1Mi"}},
            },
        ],
    }
    found = build(pod, container, services=[], lookup=Fetched({}, {}), facts=FACTS)
    assert found == {"IP": "10.244.0.5", "TIER": "x", "CPU": "4", "MEM": "32"}


@pytest.mark.parametrize(
    ("variable", "message"),
    [
        ({"configMapKeyRef": {"name": "none", "key": "k"}}, 'configmap "none" not found'),
        ({"secretKeyRef": {"name": "none", "key": "k"}}, 'secret "none" not found'),
        (
            {"configMapKeyRef": {"name": "cfg", "key": "k"}},
            "couldn't find key k in ConfigMap default/cfg",
        ),
        ({"secretKeyRef": {"name": "sec", "key": "k"}}, "couldn't find key k in Secret default/sec"),
    ],
)
def test_what_is_missing_is_said_in_upstreams_words(variable, message):
    lookup = Fetched({"cfg": {"data": {}}}, {"sec": {"data": {}}})
    container = {"name": "main", "env": [{"name": "V", "valueFrom": variable}]}
    with pytest.raises(ConfigError) as caught:
        build(make_pod("p"), container, services=[], lookup=lookup, facts=FACTS)
    assert str(caught.value) == message


def test_optional_references_to_nothing_are_left_out():
    reference = {"name": "none", "key": "k", "optional": True}
    container = {
        "name": "main",
        "envFrom": [{"secretRef": {"name": "none", "optional": True}}],
        "env": [{"name": "V", "valueFrom": {"secretKeyRef": reference}}],
    }
    assert build(make_pod("p"), container, services=[], lookup=Fetched({}, {}), facts=FACTS) == {}


def test_secrets_are_decoded():
    secret = {"data": {"pw": base64.b64encode(b"s3cret").decode()}}
    container = {"name": "main", "envFrom": [{"secretRef": {"name": "sec"}, "prefix": "P_"}]}
    lookup = Fetched({}, {"sec": secret})
    assert build(make_pod("p"), container, services=[], lookup=lookup, facts=FACTS) == {"P_pw": "s3cret"}


def test_maps_are_written_as_quoted_lines_in_order():
    assert downward.format_map({"b": 'x"y', "a": "1\n2"}) == 'a="1\\n2"\nb="x\\"y"'

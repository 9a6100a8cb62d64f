"""Pods and containers as CRI's configurations."""

from pathlib import Path

import pytest
from tests.unit.kubelet.kubelet_api import make_pod

from mamekube.kubelet import cri_messages as cri
from mamekube.kubelet import resources, sandbox_config
from mamekube.kubelet.cgroups import pod_cgroup
from mamekube.kubelet.container_config import check_user, container_config, security_context
from mamekube.kubelet.cri_messages import SCHEMA
from mamekube.kubelet.environment import ConfigError
from mamekube.kubelet.runtime import Image
from mamekube.kubelet.sandbox_config import Dns, parse_resolv_conf, pod_dns

CLUSTER = Dns(servers=("10.96.0.10",))
HOST = Dns(servers=("1.1.1.1",), searches=("home",), options=("edns0",))


def dns_of(pod):
    return pod_dns(pod, cluster=CLUSTER, host=HOST, cluster_domain="cluster.local")


def test_cluster_first_asks_the_cluster():
    found = dns_of(make_pod("p", dnsPolicy="ClusterFirst"))
    assert found.servers == ("10.96.0.10",)
    assert found.searches == ("default.svc.cluster.local", "svc.cluster.local", "cluster.local", "home")
    assert found.options == ("ndots:5",)


@pytest.mark.parametrize(
    ("policy", "host_network", "servers"),
    [
        ("Default", False, ("1.1.1.1",)),
        ("ClusterFirst", True, ("1.1.1.1",)),
        ("ClusterFirstWithHostNet", True, ("10.96.0.10",)),
        ("None", False, ()),
    ],
)
def test_dns_policies(policy, host_network, servers):
    assert dns_of(make_pod("p", dnsPolicy=policy, hostNetwork=host_network)).servers == servers


def test_the_pods_own_dns_is_added_and_its_options_win():
    extra = {
        "nameservers": ["9.9.9.9"],
        "searches": ["mine"],
        "options": [{"name": "ndots", "value": "2"}, {"name": "rotate"}],
    }
    found = dns_of(make_pod("p", dnsConfig=extra))
    assert found.servers == ("10.96.0.10", "9.9.9.9")
    assert found.searches[-1] == "mine"
    assert found.options == ("ndots:2", "rotate")


def test_resolv_conf_is_read():
    text = "# comment\nnameserver 1.1.1.1\nnameserver ::1 # local\nsearch a. b\noptions ndots:2 rotate\n"
    assert parse_resolv_conf(text) == Dns(
        servers=("1.1.1.1", "::1"), searches=("a", "b"), options=("ndots:2", "rotate")
    )


def sandbox_of(pod):
    return sandbox_config.sandbox_config(pod, attempt=2, dns=dns_of(pod), log_directory=Path("/logs"))


def test_a_sandbox_carries_what_finds_the_pod_again():
    pod = make_pod("p")
    pod["metadata"]["labels"] = {"app": "x"}
    config = sandbox_of(pod)
    assert config["labels"] == {
        "app": "x",
        "io.kubernetes.pod.name": "p",
        "io.kubernetes.pod.namespace": "default",
        "io.kubernetes.pod.uid": "uid-p",
    }
    assert config["hostname"] == "p"
    assert (
        SCHEMA.decode("PodSandboxConfig", SCHEMA.encode("PodSandboxConfig", config))["log_directory"]
        == "/logs"
    )


def test_host_ports_are_mapped_unless_the_network_is_the_hosts():
    port = {"containerPort": 80, "hostPort": 8080, "protocol": "UDP"}
    containers = [{"name": "main", "image": "i", "ports": [port, {"containerPort": 81}]}]
    expected = {"protocol": 1, "container_port": 80, "host_port": 8080, "host_ip": ""}
    assert sandbox_of(make_pod("p", containers=containers))["port_mappings"] == [expected]
    shared = sandbox_of(make_pod("p", containers=containers, hostNetwork=True))
    assert shared["port_mappings"] == []
    assert "hostname" not in shared


@pytest.mark.parametrize(
    ("spec", "pid"),
    [
        ({}, cri.NAMESPACE_CONTAINER),
        ({"shareProcessNamespace": True}, cri.NAMESPACE_POD),
        ({"hostPID": True}, cri.NAMESPACE_NODE),
    ],
)
def test_process_namespaces(spec, pid):
    assert sandbox_config.namespace_options(make_pod("p", **spec))["pid"] == pid


@pytest.mark.parametrize(
    ("spec", "profile"),
    [
        ({}, cri.PROFILE_UNCONFINED),
        ({"shareProcessNamespace": True}, cri.PROFILE_RUNTIME_DEFAULT),
        ({"hostPID": True}, cri.PROFILE_RUNTIME_DEFAULT),
        ({"securityContext": {"seccompProfile": {"type": "RuntimeDefault"}}}, cri.PROFILE_RUNTIME_DEFAULT),
    ],
)
def test_the_pause_program_is_filtered_where_containers_can_see_it_or_the_pod_says_so(spec, profile):
    config = sandbox_config.sandbox_config(
        make_pod("p", **spec), attempt=0, dns=sandbox_config.Dns(), log_directory=Path("/logs")
    )
    assert config["linux"]["security_context"]["seccomp"] == {"profile_type": profile}


def test_a_containers_command_and_arguments_expand():
    container = {"name": "main", "image": "i", "command": ["$(A)"], "args": ["x$(A)", "$(B)"]}
    config = container_config(
        make_pod("p"),
        container,
        attempt=3,
        image_ref="sha256:1",
        environment={"A": "1"},
        mounts=[],
        resources={},
    )
    assert (config["command"], config["args"]) == (["1"], ["x1", "$(B)"])
    assert config["log_path"] == "main/3.log"
    assert config["annotations"]["io.kubernetes.container.restartCount"] == "3"
    assert SCHEMA.encode("ContainerConfig", config)


def test_the_containers_security_context_wins_over_the_pods():
    pod = make_pod(
        "p", securityContext={"runAsUser": 1, "fsGroup": 5, "seccompProfile": {"type": "RuntimeDefault"}}
    )
    container = {
        "name": "main",
        "image": "i",
        "securityContext": {
            "runAsUser": 0,
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    found = security_context(pod, container)
    assert found["run_as_user"] == {"value": 0}
    assert found["supplemental_groups"] == [5]
    assert found["no_new_privs"] is True
    assert found["capabilities"]["drop_capabilities"] == ["ALL"]
    assert found["seccomp"] == {"profile_type": cri.PROFILE_RUNTIME_DEFAULT}
    # User 0 is sent, although it is the default of a number.
    data = SCHEMA.encode("LinuxContainerSecurityContext", found)
    assert SCHEMA.decode("LinuxContainerSecurityContext", data)["run_as_user"] == {"value": 0}


@pytest.mark.parametrize(
    ("user", "image_user", "message"),
    [
        (0, "", "container's runAsUser breaks non-root policy"),
        (None, "", "container has runAsNonRoot and image will run as root"),
        (None, "web", "container has runAsNonRoot and image has non-numeric user (web)"),
    ],
)
def test_root_is_refused_where_it_must_not_be(user, image_user, message):
    context = {"runAsNonRoot": True, **({} if user is None else {"runAsUser": user})}
    image = Image(id="i", tags=(), digests=(), size_bytes=0, user=image_user)
    with pytest.raises(ConfigError) as caught:
        check_user(make_pod("p", securityContext=context), {"name": "main"}, image)
    assert str(caught.value).startswith(message)


LIMITED = {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "1", "memory": "1Gi"}}


@pytest.mark.parametrize(
    ("declared", "qos", "cgroup"),
    [
        ([{}], "BestEffort", "/n/kubepods/besteffort/poduid-p"),
        ([{"requests": {"cpu": "1"}}], "Burstable", "/n/kubepods/burstable/poduid-p"),
        ([LIMITED], "Guaranteed", "/n/kubepods/poduid-p"),
        ([LIMITED, {}], "Burstable", "/n/kubepods/burstable/poduid-p"),
        ([{"limits": {"cpu": "1", "memory": "1Gi"}}], "Guaranteed", "/n/kubepods/poduid-p"),
    ],
)
def test_quality_of_service(declared, qos, cgroup):
    containers = [{"name": f"c{i}", "image": "i", "resources": one} for i, one in enumerate(declared)]
    pod = make_pod("p", containers=containers)
    assert resources.qos_class(pod) == qos
    assert pod_cgroup("/n/", pod) == cgroup


@pytest.mark.parametrize(
    ("milli", "shares", "quota_us"),
    [(0, 2, 0), (1, 2, 1000), (250, 256, 25_000), (1000, 1024, 100_000), (10**6, 262144, 10**8)],
)
def test_processor_shares_and_quota(milli, shares, quota_us):
    assert (resources.cpu_shares(milli), resources.cpu_quota_us(milli)) == (shares, quota_us)


def test_a_pods_limits_are_sums_or_the_greatest_init_container():
    def container(name, cpu, memory, **fields):
        return {"name": name, "resources": {"limits": {"cpu": cpu, "memory": memory}}, **fields}

    pod = make_pod(
        "p",
        containers=[container("a", "100m", "1Mi"), container("b", "200m", "1Mi")],
        initContainers=[
            container("side", "100m", "1Mi", restartPolicy="Always"),
            container("init", "300m", "8Mi"),
        ],
    )
    assert resources.pod_limits(pod) == resources.PodLimits(409, 40_000, 8 << 20)
    pod["spec"]["containers"].append({"name": "free"})
    assert resources.pod_limits(pod) == resources.PodLimits(409, 0, 0)


@pytest.mark.parametrize(("shares", "weight"), [(2, 1), (1024, 39), (262144, 10000)])
def test_weights_of_the_second_version(shares, weight):
    assert resources.cpu_weight(shares) == weight


@pytest.mark.parametrize(
    ("declared", "score"),
    [
        ({}, 1000),
        (LIMITED, -997),
        ({"requests": {"memory": "1Gi"}}, 750),
        ({"requests": {"memory": "4Gi"}}, 3),
        ({"requests": {"memory": "1Ki"}}, 999),
    ],
)
def test_the_more_is_requested_the_less_willingly_it_is_killed(declared, score):
    container = {"name": "main", "image": "i", "resources": declared}
    pod = make_pod("p", containers=[container])
    assert resources.oom_score_adj(pod, container, node_memory_bytes=4 << 30) == score

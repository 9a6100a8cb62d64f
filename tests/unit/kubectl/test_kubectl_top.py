"""What nodes and pods use, in upstream's columns, and in the order that was asked for."""

import io

import pytest

from mamekube.kubectl.commands import top
from mamekube.kubectl.failures import Failure
from mamekube.kubectl.flags import parse
from mamekube.kubectl.session import GLOBAL_FLAGS, Session

PODS = [
    {
        "metadata": {"name": "b", "namespace": "ns"},
        "containers": [
            {"name": "x", "usage": {"cpu": "100m", "memory": "10Mi"}},
            {"name": "z", "usage": {"cpu": "1", "memory": "20Mi"}},
        ],
    },
    {
        "metadata": {"name": "a", "namespace": "ns"},
        "containers": [{"name": "x", "usage": {"cpu": "1500000n", "memory": "1Gi"}}],
    },
]
NODE = {"metadata": {"name": "n"}, "usage": {"cpu": "350m", "memory": "123456Ki"}}
ROOMY = {"cpu": "2", "memory": "1Gi"}


class MetricsApi:
    """Answers what a server with metrics would."""

    def __init__(self, groups=("metrics.k8s.io",)):
        self._answers = {
            "/apis": {"groups": [{"name": name} for name in groups]},
            f"{top.ROOT}/namespaces/ns/pods": {"items": PODS},
            f"{top.ROOT}/namespaces/none/pods": {"items": []},
            f"{top.ROOT}/pods": {"items": PODS},
            f"{top.ROOT}/nodes": {"items": [NODE]},
            "/api/v1/nodes": {
                "items": [{"metadata": {"name": "n"}, "status": {"allocatable": ROOMY, "capacity": ROOMY}}]
            },
        }

    def get(self, path, query=None):
        return self._answers[path]


def shown(run, flags, *words, api=None):
    session = Session(
        parse([*words, "-n", "ns"] if "-n" not in words else words, (*flags, *GLOBAL_FLAGS)),
        out=io.StringIO(),
        err=io.StringIO(),
    )
    session.__dict__["api"] = api or MetricsApi()
    assert run(session) == 0
    return session.out.getvalue() + session.err.getvalue()


def pods(*words):
    return shown(top.run_pods, top.POD_FLAGS, *words)


def test_pods_are_shown_by_name():
    assert pods() == (
        "NAME   CPU(cores)   MEMORY(bytes)   \n"
        "a      2m           1024Mi          \n"
        "b      1100m        30Mi            \n"
    )


def test_the_greediest_come_first_where_that_is_asked_for():
    assert pods("--sort-by=cpu", "--no-headers", "-A") == (
        "ns    b     1100m   30Mi     \nns    a     2m      1024Mi   \n"
    )


def test_containers_are_shown_apart_and_summed_up():
    assert pods("--containers") == (
        "POD   NAME   CPU(cores)   MEMORY(bytes)   \n"
        "a     x      2m           1024Mi          \n"
        "b     x      100m         10Mi            \n"
        "b     z      1000m        20Mi            \n"
    )
    assert pods("--sum").splitlines()[-2:] == [
        "       ________     ________        ",
        "       1102m        1054Mi          ",
    ]


def test_nodes_are_shown_with_their_share():
    assert shown(top.run_nodes, top.NODE_FLAGS) == (
        "NAME   CPU(cores)   CPU(%)   MEMORY(bytes)   MEMORY(%)   \n"
        "n      350m         17%      120Mi           11%         \n"
    )


def test_a_namespace_without_pods_is_said_to_be_empty():
    assert pods("-n", "none") == "No resources found in none namespace.\n"


def test_a_server_without_metrics_is_told_of():
    with pytest.raises(Failure, match="error: Metrics API not available"):
        shown(top.run_pods, top.POD_FLAGS, api=MetricsApi(groups=("apps",)))

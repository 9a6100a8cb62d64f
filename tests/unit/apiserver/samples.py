"""Resources and objects that the tests of the API server use."""

from __future__ import annotations

from typing import Any

from mamekube.client.client import Client
from mamekube.objects.meta import Object
from mamekube.objects.resource import Resource

CONFIGMAPS = Resource(group="", version="v1", plural="configmaps", kind="ConfigMap")
DEPLOYMENTS = Resource(group="apps", version="v1", plural="deployments", kind="Deployment")
NAMESPACES = Resource(group="", version="v1", plural="namespaces", kind="Namespace", namespaced=False)
NODES = Resource(group="", version="v1", plural="nodes", kind="Node", namespaced=False)
PODS = Resource(group="", version="v1", plural="pods", kind="Pod")
BUDGETS = Resource(group="policy", version="v1", plural="poddisruptionbudgets", kind="PodDisruptionBudget")
ROLES = Resource(
    group="rbac.authorization.k8s.io",
    version="v1",
    plural="clusterroles",
    kind="ClusterRole",
    namespaced=False,
)
JOBS = Resource(group="batch", version="v1", plural="jobs", kind="Job")


def config_map(name: str, **data: str) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "default"},
        "data": data,
    }


def pod(name: str, **spec: Any) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", "labels": {"app": name}},
        "spec": {"containers": [{"name": "main", "image": "busybox"}], **spec},
    }


def deployment(name: str, **spec: Any) -> Object:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "main", "image": "busybox"}]},
            },
            **spec,
        },
    }


async def add_service_account(client: Client) -> None:
    """The account that pods need, which a controller makes in a real cluster."""
    accounts = Resource(group="", version="v1", plural="serviceaccounts", kind="ServiceAccount")
    await client.create(accounts, {"metadata": {"name": "default", "namespace": "default"}})

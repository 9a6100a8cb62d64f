"""An API server in process, and short ways to write policies."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.unit.in_process import api_server

from mamekube.apiserver.server import ApiServer
from mamekube.client.client import Client
from mamekube.objects.resource import Resource

GROUP = "admissionregistration.k8s.io"


def resource(group: str, plural: str, kind: str, *, namespaced: bool = True) -> Resource:
    return Resource(group=group, version="v1", plural=plural, kind=kind, namespaced=namespaced)


CONFIG_MAPS = resource("", "configmaps", "ConfigMap")
DEPLOYMENTS = resource("apps", "deployments", "Deployment")
NAMESPACES = resource("", "namespaces", "Namespace", namespaced=False)
VALIDATING = resource(GROUP, "validatingadmissionpolicies", "ValidatingAdmissionPolicy", namespaced=False)
VALIDATING_BINDINGS = resource(
    GROUP, "validatingadmissionpolicybindings", "ValidatingAdmissionPolicyBinding", namespaced=False
)
MUTATING = resource(GROUP, "mutatingadmissionpolicies", "MutatingAdmissionPolicy", namespaced=False)
MUTATING_BINDINGS = resource(
    GROUP, "mutatingadmissionpolicybindings", "MutatingAdmissionPolicyBinding", namespaced=False
)


class Policies:
    """Policies and their bindings, made as an administrator makes them."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def validating(
        self, *validations: dict[str, Any], binding: dict[str, Any] | None = None, **spec: Any
    ) -> None:
        """A policy `p` on deployments and config maps, bound by `b`."""
        whole = {"validations": list(validations), **spec}
        await self._make(
            VALIDATING, VALIDATING_BINDINGS, whole, {"validationActions": ["Deny"], **(binding or {})}
        )

    async def mutating(
        self, *mutations: dict[str, Any], binding: dict[str, Any] | None = None, name: str = "p", **spec: Any
    ) -> None:
        whole = {"mutations": list(mutations), "reinvocationPolicy": "Never", **spec}
        whole.setdefault(
            "matchConstraints", {"resourceRules": [{**RULE, "operations": ["CREATE", "UPDATE"]}]}
        )
        await self._make(MUTATING, MUTATING_BINDINGS, whole, binding or {}, name=name)

    async def _make(
        self,
        policies: Resource,
        bindings: Resource,
        spec: dict[str, Any],
        binding: dict[str, Any],
        name: str = "p",
    ) -> None:
        spec.setdefault("matchConstraints", {"resourceRules": [RULE]})
        await self.client.create(policies, policy(policies, spec, name=name))
        bound = name.replace("p", "b", 1)
        await self.client.create(bindings, policy(bindings, {"policyName": name, **binding}, name=bound))
        await settle()


RULE = {
    "apiGroups": ["apps", ""],
    "apiVersions": ["v1"],
    "operations": ["CREATE", "UPDATE", "DELETE"],
    "resources": ["deployments", "deployments/scale", "configmaps"],
}


def policy(kind: Resource, spec: dict[str, Any], *, name: str = "p") -> dict[str, Any]:
    return {"apiVersion": f"{GROUP}/v1", "kind": kind.kind, "metadata": {"name": name}, "spec": spec}


def deployment(name: str = "web", replicas: int = 1, **meta: Any) -> dict[str, Any]:
    labels = {"app": name}
    containers = [{"name": "c", "image": "example/web:1"}]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "default", **meta},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": containers}},
        },
    }


def config_map(name: str, data: dict[str, str] | None = None, **meta: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "default", **meta},
        "data": data or {},
    }


async def settle() -> None:
    """Let the watches deliver what was just written."""
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.fixture
async def server() -> AsyncIterator[ApiServer]:
    async with api_server() as server:
        yield server


@pytest.fixture
def client(server: ApiServer) -> Client:
    return server.client("admin", ("system:masters",))


@pytest.fixture
def policies(client: Client) -> Policies:
    return Policies(client)

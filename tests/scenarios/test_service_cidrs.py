"""Ranges of service addresses: ready at once, used when the first is full, not gone while a Service needs them."""

from __future__ import annotations

from tests.scenarios.cluster import run

from mamekube.controllers.resources import SERVICE_CIDRS, SERVICES
from mamekube.controllers.servicecidrs import FINALIZER
from mamekube.objects.conditions import conditions_of, find


async def ready(cluster, name):
    found = await cluster.get(SERVICE_CIDRS, name)
    condition = found and find(conditions_of(found), "Ready")
    return condition and (condition["status"], condition["reason"], condition["message"])


def test_every_range_becomes_ready_and_is_protected():
    async def scenario(cluster):
        await cluster.create(
            SERVICE_CIDRS, {"metadata": {"name": "more"}, "spec": {"cidrs": ["10.9.0.0/24"]}}
        )
        await cluster.settle(1)
        assert await ready(cluster, "more") == ("True", "", "Kubernetes Service CIDR is ready")
        assert await ready(cluster, "kubernetes") == ("True", "", "Kubernetes default Service CIDR is ready")
        for name in ("more", "kubernetes"):
            assert (await cluster.get(SERVICE_CIDRS, name))["metadata"]["finalizers"] == [FINALIZER]

    run(scenario)


def test_a_range_goes_when_no_service_needs_it_any_more():
    async def scenario(cluster):
        await cluster.create(
            SERVICE_CIDRS, {"metadata": {"name": "more"}, "spec": {"cidrs": ["10.9.0.0/24"]}}
        )
        await cluster.settle(1)
        service = {"metadata": {"name": "web"}, "spec": {"clusterIP": "10.9.0.9", "ports": [{"port": 80}]}}
        await cluster.create(SERVICES, service)
        await cluster.settle(1)
        await cluster.admin.delete(SERVICE_CIDRS, "more")
        await cluster.settle(30)
        status, reason, _ = await ready(cluster, "more")
        assert (status, reason) == ("False", "Terminating")
        await cluster.admin.delete(SERVICES, "web", namespace="default")
        await cluster.settle(1)
        assert await cluster.get(SERVICE_CIDRS, "more") is None

    run(scenario)


def test_a_range_that_is_not_used_waits_for_the_servers_and_goes():
    async def scenario(cluster):
        await cluster.create(
            SERVICE_CIDRS, {"metadata": {"name": "more"}, "spec": {"cidrs": ["10.9.0.0/24"]}}
        )
        await cluster.settle(1)
        await cluster.admin.delete(SERVICE_CIDRS, "more")
        await cluster.settle(5)
        assert await cluster.get(SERVICE_CIDRS, "more")
        await cluster.settle(6)
        assert await cluster.get(SERVICE_CIDRS, "more") is None

    run(scenario)

"""A node's whole life as the API server sees it: all that a kubelet needs, and none of what its neighbour has."""

import asyncio

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from mamekube.apiserver import builtin
from mamekube.apiserver.server import ApiServer, ApiServerConfig
from mamekube.foundation.clock import Clock
from mamekube.objects.resource import Resource
from mamekube.objects.status import StatusError
from mamekube.store.memory import MemoryBackend
from mamekube.store.store import Store

LEASES = Resource(group="coordination.k8s.io", version="v1", plural="leases", kind="Lease")
EVENTS = Resource(group="", version="v1", plural="events", kind="Event")


@pytest.fixture
async def server(tmp_path):
    key = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (tmp_path / "sa.key").write_bytes(key)
    config = ApiServerConfig(
        advertise_address="192.168.49.1", service_account_key_file=str(tmp_path / "sa.key")
    )
    async with (
        Store(MemoryBackend()) as store,
        ApiServer(config, store, Clock(), serve_http=False) as server,
    ):
        await server.ready()
        yield server


@pytest.fixture
async def admin(server):
    client = server.client("admin", ("system:masters",))
    await client.create(builtin.SERVICE_ACCOUNTS, {"metadata": {"name": "default", "namespace": "default"}})
    secret = {"metadata": {"name": "s", "namespace": "default"}, "stringData": {"a": "b"}}
    await client.create(builtin.SECRETS, secret)
    volume = {"name": "v", "secret": {"secretName": "s"}}
    spec = {"nodeName": "n1", "containers": [{"name": "c", "image": "i"}], "volumes": [volume]}
    await client.create(builtin.PODS, {"metadata": {"name": "p", "namespace": "default"}, "spec": spec})
    for _ in range(10):
        await asyncio.sleep(0)
    return client


def node(server, name):
    return server.client(f"system:node:{name}", ("system:nodes",))


async def test_a_kubelet_can_do_its_work(server, admin):
    kubelet = node(server, "n1")
    labels = {"kubernetes.io/hostname": "n1", "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}
    made = await kubelet.create(builtin.NODES, {"metadata": {"name": "n1", "labels": labels}})
    assert made["spec"]["taints"][0]["key"] == "node.kubernetes.io/not-ready"
    capacity = {"status": {"capacity": {"pods": "110"}, "allocatable": {"pods": "110"}}}
    await kubelet.patch(builtin.NODES, "n1", capacity, subresource="status")
    lease = {"metadata": {"name": "n1", "namespace": "kube-node-lease"}, "spec": {"holderIdentity": "n1"}}
    stored = await kubelet.create(LEASES, lease)
    await kubelet.update(LEASES, {**stored, "spec": {**stored["spec"], "leaseDurationSeconds": 40}})

    pods = (await kubelet.list(builtin.PODS, field_selector="spec.nodeName=n1")).items
    assert [pod["metadata"]["name"] for pod in pods] == ["p"]
    assert (await kubelet.get(builtin.SECRETS, "s", namespace="default"))["data"] == {"a": "Yg=="}
    bound = {"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": pods[0]["metadata"]["uid"]}
    answer = await kubelet.create(
        builtin.SERVICE_ACCOUNTS,
        {"spec": {"expirationSeconds": 3607, "boundObjectRef": bound}},
        namespace="default",
        name="default",
        subresource="token",
    )
    assert answer["status"]["token"].count(".") == 2
    await kubelet.patch(
        builtin.PODS, "p", {"status": {"phase": "Running"}}, namespace="default", subresource="status"
    )
    await kubelet.delete(builtin.PODS, "p", namespace="default", grace_period_s=0)


async def test_its_neighbour_gets_none_of_it(server, admin):
    neighbour = node(server, "n2")
    bound = {
        "apiVersion": "v1",
        "kind": "Pod",
        "name": "p",
        "uid": (await admin.get(builtin.PODS, "p", namespace="default"))["metadata"]["uid"],
    }
    body = {"spec": {"boundObjectRef": bound}}
    attempts = [
        lambda: neighbour.list(builtin.PODS),
        lambda: neighbour.list(builtin.PODS, field_selector="spec.nodeName=n1"),
        lambda: neighbour.get(builtin.PODS, "p", namespace="default"),
        lambda: neighbour.get(builtin.SECRETS, "s", namespace="default"),
        lambda: neighbour.create(
            builtin.SERVICE_ACCOUNTS, body, namespace="default", name="default", subresource="token"
        ),
        lambda: neighbour.delete(builtin.PODS, "p", namespace="default"),
        lambda: neighbour.create(builtin.NODES, {"metadata": {"name": "n1"}}),
        lambda: neighbour.patch(
            builtin.PODS, "p", {"status": {"phase": "Failed"}}, namespace="default", subresource="status"
        ),
    ]
    for attempt in attempts:
        with pytest.raises(StatusError) as caught:
            await attempt()
        assert caught.value.code == 403, caught.value.message


async def test_the_service_proxy_of_a_node_reads_services_and_endpoints(server, admin):
    kubelet = node(server, "n1")
    for resource in (builtin.SERVICES, builtin.ENDPOINT_SLICES, builtin.NAMESPACES):
        assert (await kubelet.list(resource)).items


async def test_a_kubelet_tells_of_a_claim_how_large_it_is_and_nothing_else(server, admin):
    size = {"requests": {"storage": "1"}}
    claim = {"metadata": {"name": "c", "namespace": "default"}}
    claim["spec"] = {"accessModes": ["ReadOnlyMany"], "resources": size, "volumeName": "pv"}
    await admin.create(builtin.PERSISTENT_VOLUME_CLAIMS, claim)
    volume = {"name": "v", "persistentVolumeClaim": {"claimName": "c"}}
    spec = {"nodeName": "n1", "containers": [{"name": "c", "image": "i"}], "volumes": [volume]}
    await admin.create(builtin.PODS, {"metadata": {"name": "q", "namespace": "default"}, "spec": spec})
    await admin.create(builtin.SECRETS, {"metadata": {"name": "behind", "namespace": "default"}})
    source = {"shareName": "default", "secretName": "behind"}
    held = {"namespace": "default", "name": "c"}
    spec = {"accessModes": ["ReadOnlyMany"], "capacity": {"storage": "1"}, "claimRef": held}
    await admin.create(
        builtin.PERSISTENT_VOLUMES, {"metadata": {"name": "pv"}, "spec": {**spec, "azureFile": source}}
    )
    kubelet = node(server, "n1")
    assert (await kubelet.get(builtin.SECRETS, "behind", namespace="default"))["metadata"]["name"] == "behind"

    async def tell(client, **patch):
        await client.patch(
            builtin.PERSISTENT_VOLUME_CLAIMS, "c", patch, namespace="default", subresource="status"
        )

    await tell(kubelet, status={"capacity": {"storage": "50G"}, "conditions": []})
    for patch in ({"status": {"phase": "Bound"}}, {"metadata": {"labels": {"mine": "now"}}}):
        with pytest.raises(
            StatusError, match=r"other than status\.quantity and status\.conditions"
        ) as refused:
            await tell(kubelet, **patch)
        assert refused.value.reason == "Forbidden"
    with pytest.raises(StatusError) as refused:
        await tell(node(server, "n2"), status={"capacity": {"storage": "51G"}})
    assert refused.value.reason == "Forbidden"


async def test_a_pod_that_is_not_there_cannot_be_evicted_by_a_kubelet(server, admin):
    eviction = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": "x", "namespace": "default"},
    }
    with pytest.raises(StatusError, match='pods "x" not found') as refused:
        await node(server, "n1").create(
            builtin.PODS, eviction, namespace="default", name="x", subresource="eviction"
        )
    assert refused.value.reason == "NotFound"

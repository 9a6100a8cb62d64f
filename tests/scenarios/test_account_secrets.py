"""Secrets that hold the token of a service account: filled, good for logging in over TLS, gone with the account."""

from __future__ import annotations

from base64 import b64decode
from functools import partial

from mamekube.apiserver.server import ApiServer
from mamekube.client.http import HttpClient
from mamekube.client.kubeconfig import ClientConfig
from mamekube.cluster.certificates import create_cluster_certificates
from mamekube.cluster.server_process import api_server_config, controller_client, controllers_config
from mamekube.controllers.controllers import Controllers
from mamekube.controllers.resources import SECRETS, SERVICE_ACCOUNTS
from mamekube.foundation.clock import Clock
from mamekube.objects.resource import Resource
from mamekube.store.memory import MemoryBackend
from mamekube.store.store import Store

SELF_REVIEWS = Resource(
    group="authentication.k8s.io",
    version="v1",
    plural="selfsubjectreviews",
    kind="SelfSubjectReview",
    namespaced=False,
)
LAST_USED = "kubernetes.io/legacy-token-last-used"


async def seen(client, resource, found, *, since, type="MODIFIED"):
    """The object of the first event after `since` of which `found` holds."""
    async with client.watch(resource, namespace="default", revision=since, timeout_s=20) as events:
        async for event in events:
            if event.type == type and found(event.object):
                return event.object
    raise AssertionError("it did not come to that within 20 s")


async def test_a_secret_gets_a_token_that_logs_in_and_dies_with_its_account(tmp_path):
    certificates = tmp_path / "certificates"
    create_cluster_certificates(certificates, addresses=["127.0.0.1"])
    config = api_server_config({"address": "127.0.0.1", "port": 0}, certificates)
    async with Store(MemoryBackend()) as store, ApiServer(config, store, Clock()) as api:
        await api.ready()
        controllers = Controllers(
            api.client("system:kube-controller-manager"),
            Clock(),
            config=controllers_config(certificates),
            client_for=partial(controller_client, api),
        )
        async with controllers:
            await _live(api, (certificates / "ca.crt").read_bytes())


async def _live(api: ApiServer, root_ca: bytes) -> None:
    admin = api.client("admin", ("system:masters",))
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "robot"}}
    await admin.create(SERVICE_ACCOUNTS, account, namespace="default")
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "kept", "annotations": {"kubernetes.io/service-account.name": "robot"}},
        "type": "kubernetes.io/service-account-token",
    }
    made = await admin.create(SECRETS, secret, namespace="default")
    filled = await seen(
        admin,
        SECRETS,
        lambda obj: "token" in (obj.get("data") or {}),
        since=made["metadata"]["resourceVersion"],
    )
    assert b64decode(filled["data"]["ca.crt"]) == root_ca

    token = b64decode(filled["data"]["token"]).decode()
    bearer = ClientConfig(server=f"https://127.0.0.1:{api.port}", ca_data=root_ca, token=token)
    async with HttpClient(bearer) as client:
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        answer = await client.create(SELF_REVIEWS, review)
        assert answer["status"]["userInfo"]["username"] == "system:serviceaccount:default:robot"
        used = await seen(
            admin,
            SECRETS,
            lambda obj: LAST_USED in (obj["metadata"].get("labels") or {}),
            since=filled["metadata"]["resourceVersion"],
        )
        assert used["data"] == filled["data"]

    await admin.delete(SERVICE_ACCOUNTS, "robot", namespace="default")
    await seen(
        admin,
        SECRETS,
        lambda obj: obj["metadata"]["name"] == "kept",
        since=used["metadata"]["resourceVersion"],
        type="DELETED",
    )

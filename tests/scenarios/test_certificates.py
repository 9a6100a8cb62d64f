"""Certificates had through the API: asked for, approved, signed, and good for logging in over real TLS."""

from __future__ import annotations

from base64 import b64decode, b64encode
from contextlib import asynccontextmanager
from functools import partial

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from mamekube.apiserver.server import ApiServer, ApiServerConfig
from mamekube.client.http import HttpClient
from mamekube.client.kubeconfig import ClientConfig
from mamekube.cluster.certificates import create_cluster_certificates
from mamekube.cluster.server_process import api_server_config, controller_client, controllers_config
from mamekube.controllers.certificates import requests
from mamekube.controllers.controllers import Controllers
from mamekube.controllers.resources import CERTIFICATE_SIGNING_REQUESTS, CONFIG_MAPS, SECRETS
from mamekube.foundation.clock import Clock
from mamekube.objects import conditions
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
ROLE_BINDINGS = Resource(
    group="rbac.authorization.k8s.io",
    version="v1",
    plural="clusterrolebindings",
    kind="ClusterRoleBinding",
    namespaced=False,
)


@asynccontextmanager
async def control_plane(folder):
    """An API server with the certificates of a cluster, and its controllers."""
    certificates = folder / "certificates"
    create_cluster_certificates(certificates, addresses=["127.0.0.1"])
    config: ApiServerConfig = api_server_config({"address": "127.0.0.1", "port": 0}, certificates)
    async with Store(MemoryBackend()) as store, ApiServer(config, store, Clock()) as api:
        await api.ready()
        controllers = Controllers(
            api.client("system:kube-controller-manager"),
            Clock(),
            config=controllers_config(certificates),
            client_for=partial(controller_client, api),
        )
        async with controllers:
            yield api, (certificates / "ca.crt").read_bytes()


def ask(key, *, name, groups=(), signer=requests.CLIENT, usages=("client auth",), **spec):
    attributes = [x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, group) for group in groups]
    attributes.append(x509.NameAttribute(x509.NameOID.COMMON_NAME, name))
    request = x509.CertificateSigningRequestBuilder(x509.Name(attributes)).sign(key, hashes.SHA256())
    pem = request.public_bytes(serialization.Encoding.PEM)
    return {
        "apiVersion": "certificates.k8s.io/v1",
        "kind": "CertificateSigningRequest",
        "metadata": {"name": "asked"},
        "spec": {"request": b64encode(pem).decode(), "signerName": signer, "usages": list(usages), **spec},
    }


async def approve(client, request):
    condition = {"type": "Approved", "status": "True", "reason": "Tested", "message": "by a test"}
    approved = {**request, "status": {"conditions": [condition]}}
    return await client.update(CERTIFICATE_SIGNING_REQUESTS, approved, subresource="approval")


async def until(client, resource, found, *, namespace=""):
    """The first object of the resource, present or to come, of which `found` holds."""
    listing = await client.list(resource, namespace=namespace)
    for obj in listing.items:
        if found(obj):
            return obj
    async with client.watch(resource, namespace=namespace, revision=listing.revision, timeout_s=20) as events:
        async for event in events:
            if event.type in ("ADDED", "MODIFIED") and found(event.object):
                return event.object
    raise AssertionError("it did not come to that within 20 s")


async def gone(client, resource, *, namespace=""):
    """Wait until no object of the resource is left in the namespace."""
    listing = await client.list(resource, namespace=namespace)
    left = {obj["metadata"]["name"] for obj in listing.items}
    async with client.watch(resource, namespace=namespace, revision=listing.revision, timeout_s=20) as events:
        while left:
            event = await anext(events)
            if event.type == "DELETED":
                left.discard(event.object["metadata"]["name"])


def key_pem(key):
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


async def test_an_approved_request_gives_a_certificate_that_logs_its_user_in(tmp_path):
    async with control_plane(tmp_path) as (api, ca):
        admin = api.client("admin", ("system:masters",))
        key = ec.generate_private_key(ec.SECP256R1())
        wanted = ask(key, name="jane", groups=("dev", "ops"), expirationSeconds=3600)
        await approve(admin, await admin.create(CERTIFICATE_SIGNING_REQUESTS, wanted))
        issued = await until(admin, CERTIFICATE_SIGNING_REQUESTS, requests.certificate_of)

        pem = b64decode(requests.certificate_of(issued))
        certificate = x509.load_pem_x509_certificate(pem)
        certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(ca))
        assert (certificate.not_valid_after_utc - certificate.not_valid_before_utc).total_seconds() == 3900

        config = ClientConfig(
            server=f"https://127.0.0.1:{api.port}",
            ca_data=ca,
            client_certificate_data=pem,
            client_key_data=key_pem(key),
        )
        async with HttpClient(config) as jane:
            me = await jane.create(
                SELF_REVIEWS, {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
            )
        user = me["status"]["userInfo"]
        assert user["username"] == "jane"
        assert user["groups"] == ["dev", "ops", "system:authenticated"]


async def test_a_request_that_its_signer_does_not_sign_fails_and_says_why(tmp_path):
    async with control_plane(tmp_path) as (api, _):
        admin = api.client("admin", ("system:masters",))
        key = ec.generate_private_key(ec.SECP256R1())
        wanted = ask(key, name="jane", usages=("client auth", "server auth"))
        await approve(admin, await admin.create(CERTIFICATE_SIGNING_REQUESTS, wanted))
        failed = await until(
            admin, CERTIFICATE_SIGNING_REQUESTS, lambda request: conditions.is_true(request, "Failed")
        )
        condition = conditions.find(conditions.conditions_of(failed), "Failed")
        assert condition["reason"] == "SignerValidationFailure"
        assert condition["message"] == "invalid usage for client certificate: server auth"
        assert not requests.certificate_of(failed)


async def test_a_new_kubelet_gets_its_first_certificate_without_anyone_approving(tmp_path):
    async with control_plane(tmp_path) as (api, _):
        admin = api.client("admin", ("system:masters",))
        group = "system:bootstrappers"
        for role in (
            "system:node-bootstrapper",
            "system:certificates.k8s.io:certificatesigningrequests:nodeclient",
        ):
            binding = {
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "ClusterRoleBinding",
                "metadata": {"name": role},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
                "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": group}],
            }
            await admin.create(ROLE_BINDINGS, binding)
        kubelet = api.client("system:bootstrap:abcdef", (group,))
        key = ec.generate_private_key(ec.SECP256R1())
        usages = ("client auth", "digital signature")
        wanted = ask(
            key,
            name="system:node:n1",
            groups=("system:nodes",),
            signer=requests.KUBELET_CLIENT,
            usages=usages,
        )
        await kubelet.create(CERTIFICATE_SIGNING_REQUESTS, wanted)
        issued = await until(admin, CERTIFICATE_SIGNING_REQUESTS, requests.certificate_of)
        condition = conditions.find(conditions.conditions_of(issued), "Approved")
        assert condition["reason"] == "AutoApproved"
        assert condition["message"] == "Auto approving kubelet client certificate after SubjectAccessReview."


async def test_cluster_info_is_signed_by_a_token_until_the_token_is_gone(tmp_path):
    async with control_plane(tmp_path) as (api, _):
        admin = api.client("admin", ("system:masters",))
        info = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "cluster-info"}}
        await admin.create(CONFIG_MAPS, {**info, "data": {"kubeconfig": "x"}}, namespace="kube-public")
        token = {"token-id": "abcdef", "token-secret": "0123456789abcdef", "usage-bootstrap-signing": "true"}
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "bootstrap-token-abcdef"}}
        secret |= {"type": "bootstrap.kubernetes.io/token", "stringData": token}
        await admin.create(SECRETS, secret, namespace="kube-system")
        signed = partial(until, admin, CONFIG_MAPS, namespace="kube-public")
        await signed(lambda config_map: "jws-kubeconfig-abcdef" in config_map["data"])

        await admin.patch(
            SECRETS,
            "bootstrap-token-abcdef",
            {"stringData": {"expiration": "2020-01-01T00:00:00Z"}},
            namespace="kube-system",
        )
        await signed(lambda config_map: config_map["data"] == {"kubeconfig": "x"})
        await gone(admin, SECRETS, namespace="kube-system")

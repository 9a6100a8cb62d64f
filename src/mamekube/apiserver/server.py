"""The API server: it composes what the other files of this room offer, and listens.

Order of start: the copies that authorization and address allocation follow, the socket, then in the background
the objects that every cluster is born with. `/readyz` says yes when all of them are there.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mamekube.apiserver import storagemetrics
from mamekube.apiserver.access.authentication import Authenticator
from mamekube.apiserver.access.authorization import Authorizer
from mamekube.apiserver.access.legacy_tokens import LegacyTokenTracking
from mamekube.apiserver.access.reviews import Reviews
from mamekube.apiserver.access.tokens import Tokens
from mamekube.apiserver.addresses import ServiceAddresses
from mamekube.apiserver.admission.plugins import admission
from mamekube.apiserver.admission.policy_records import AdmissionPolicies
from mamekube.apiserver.admission.webhooks import AdmissionWebhooks
from mamekube.apiserver.aggregation.apiservices import ApiServices
from mamekube.apiserver.aggregation.local_apiservices import LocalApiServices
from mamekube.apiserver.aggregation.remote_calls import RemoteCalls
from mamekube.apiserver.aggregation.remote_openapi import RemoteOpenApi
from mamekube.apiserver.api import Api
from mamekube.apiserver.bootstrap import bootstrap, keep
from mamekube.apiserver.customresources.served import CustomResources
from mamekube.apiserver.dialing import Dialer
from mamekube.apiserver.discovery import Discovery
from mamekube.apiserver.expiry import EventExpiry
from mamekube.apiserver.flow import fairness_metrics
from mamekube.apiserver.flow.fairness import Fairness
from mamekube.apiserver.flow.flow_status import FlowStatus
from mamekube.apiserver.health import Health, finished, passes, store_check
from mamekube.apiserver.ipaddresses import IpAddresses
from mamekube.apiserver.local import LocalClient
from mamekube.apiserver.metrics import Metrics
from mamekube.apiserver.openapi.publication import OpenApi
from mamekube.apiserver.pages import Pages
from mamekube.apiserver.policy_status import PolicyStatus
from mamekube.apiserver.request import User
from mamekube.apiserver.writes import Reader
from mamekube.client.client import Client
from mamekube.foundation.clock import Clock
from mamekube.foundation.lifecycle import Component
from mamekube.kinds.registry import Registry, builtin_registry
from mamekube.store.store import Store

if TYPE_CHECKING:
    from mamekube.apiserver.auditing.audit import AuditLog

MASTERS = "system:masters"
AUTHENTICATED = "system:authenticated"
LOOPBACK_USER = "system:apiserver"
REQUESTS_VERBOSITY = 3
"""From this -v on requests are logged, as upstream."""
HOOKS = (
    "start-apiserver-admission-initializer",
    "generic-apiserver-start-informers",
    "priority-and-fairness-config-consumer",
    "priority-and-fairness-filter",
    "start-apiextensions-informers",
    "start-apiextensions-controllers",
    "crd-informer-synced",
    "start-system-namespaces-controller",
    "start-cluster-authentication-info-controller",
    "storage-readiness",
    "start-legacy-token-tracking-controller",
    "start-service-ip-repair-controllers",
    "rbac/bootstrap-roles",
    "scheduling/bootstrap-system-priority-classes",
    "priority-and-fairness-config-producer",
    "bootstrap-controller",
    "start-kubernetes-service-cidr-controller",
    "start-kube-aggregator-informers",
    "apiservice-status-local-available-controller",
    "apiservice-status-remote-available-controller",
    "apiservice-registration-controller",
    "apiservice-discovery-controller",
    "kube-apiserver-autoregistration",
    "apiservice-openapi-controller",
    "apiservice-openapiv3-controller",
)
"""The steps of a start, as upstream calls those of them that there are here, in its order. Those that are not below
are done before the server listens."""
BOOTSTRAP_HOOKS = frozenset(
    {
        "start-system-namespaces-controller",
        "start-cluster-authentication-info-controller",
        "start-legacy-token-tracking-controller",
        "rbac/bootstrap-roles",
        "scheduling/bootstrap-system-priority-classes",
        "priority-and-fairness-config-producer",
        "bootstrap-controller",
        "start-kubernetes-service-cidr-controller",
        "apiservice-status-local-available-controller",
        "kube-apiserver-autoregistration",
    }
)
"""Those that are done when all is there that a cluster is born with."""
REGISTERED = "kube-apiserver-autoregistration"
"""The step that the check of its completion follows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiServerConfig:
    """Files hold PEM; a file that is `""` leaves out what needs it."""

    address: str = "127.0.0.1"
    port: int = 6443
    """0: any free port, which `ApiServer.port` tells."""
    certificate_file: str = ""
    key_file: str = ""
    """Without a certificate the server speaks plain HTTP: for tests on loopback only."""
    client_ca_file: str = ""
    service_account_key_file: str = ""
    service_account_issuer: str = "https://kubernetes.default.svc.cluster.local"
    service_cidr: str = "10.96.0.0/12"
    node_port_range: str = "30000-32767"
    advertise_address: str = ""
    pod_network: str = ""
    pod_device: str = ""
    """The link that the pods of this network are behind; without one the machine's routes lead to them."""
    kubelet_ca_file: str = ""
    kubelet_client_certificate_file: str = ""
    kubelet_client_key_file: str = ""
    proxy_client_certificate_file: str = ""
    proxy_client_key_file: str = ""
    requestheader_ca_file: str = ""
    token_file: str = ""
    anonymous: bool = True
    audit_policy_file: str = ""
    """Without one nothing is audited."""
    audit_log_file: str = ""
    """`-` is standard output."""
    audit_log_megabytes_max: int = 0
    """From which size on it is begun anew; 0: 100. Upstream: --audit-log-maxsize."""
    audit_log_days_max: int = 0
    """For how long old ones are kept; 0: for ever. Upstream: --audit-log-maxage."""
    audit_log_backups_max: int = 0
    """How many old ones are kept; 0: all. Upstream: --audit-log-maxbackup."""
    verbosity: int = 2
    """From 3 on every request has a line in the log. Upstream: -v."""


class ApiServer(Component):
    """Serves a store. `serve_http=False`: in process only, for scenarios on virtual time."""

    def __init__(
        self,
        config: ApiServerConfig,
        store: Store,
        clock: Clock,
        *,
        serve_http: bool = True,
        registry: Registry | None = None,
    ) -> None:
        super().__init__()
        self.config = config
        self.registry = registry or builtin_registry()
        self.clock = clock
        self.port = config.port
        self._serve_http = serve_http
        self._stack = AsyncExitStack()
        self._bootstrapped = asyncio.Event()
        self._stopping = False
        reader = Reader(store, self.registry)
        self._authorizer = Authorizer(store)
        self._addresses = ServiceAddresses(
            store, reader, clock, service_cidr=config.service_cidr, node_port_range=config.node_port_range
        )
        self._tokens = Tokens(
            config.service_account_key_file, issuer=config.service_account_issuer, reader=reader, clock=clock
        )
        self._authenticator = Authenticator(
            tokens=self._tokens,
            reader=reader,
            clock=clock,
            client_ca_file=config.client_ca_file,
            requestheader_ca_file=config.requestheader_ca_file,
            token_file=config.token_file,
            anonymous=config.anonymous,
        )
        self.metrics = Metrics(store, self.registry)
        self._dialer = Dialer(config.pod_network, config.pod_device)
        self._webhooks = AdmissionWebhooks(store, self._dialer)
        self._policies = AdmissionPolicies(store)
        self._policy_status = PolicyStatus(store, self.registry)
        self._fairness = Fairness(store)
        self.metrics.add(lambda: fairness_metrics.families(self._fairness))
        self.metrics.add(self._webhooks.client.counts.families)
        self.metrics.add(lambda: storagemetrics.families(store))
        self.metrics.add(lambda: self.api.admission.families())
        self._custom_resources = CustomResources(store, self.registry, self._webhooks.client, clock)
        self.api = Api(
            store=store,
            registry=self.registry,
            admission=admission(
                reader, self._authorizer, self._addresses, store, self._webhooks, self._policies
            ),
            reviews=Reviews(self._authenticator, self._authorizer),
            authorizer=self._authorizer,
            tokens=self._tokens,
            clock=clock,
            dialer=self._dialer,
        )
        self._services = ApiServices(
            store,
            self._dialer,
            lambda: self.client(LOOPBACK_USER, (MASTERS,)),
            clock,
            certificate_file=config.proxy_client_certificate_file,
            key_file=config.proxy_client_key_file,
        )
        address = config.advertise_address or config.address
        self._discovery = Discovery(
            self.registry, address=f"{address}:{config.port}", services=self._services
        )
        self._remotes = RemoteCalls(self._services)

    def client(self, user: str, groups: Sequence[str] = (), *, program: str = "") -> Client:
        """The API as `user`, in process. Managed fields name the `program`, if there is one, instead."""
        return LocalClient(
            self.api,
            self._authorizer,
            User(user, (*groups, AUTHENTICATED)),
            discovery=self._discovery,
            remotes=self._remotes,
            program=program,
        )

    async def ready(self) -> None:
        """Return when `/readyz` would say yes. Raises what kept the server from it."""
        ready = asyncio.ensure_future(self._bootstrapped.wait())
        failed = asyncio.ensure_future(self.wait())
        try:
            done, _ = await asyncio.wait((ready, failed), return_when=asyncio.FIRST_COMPLETED)
            done.pop().result()
        finally:
            ready.cancel()
            failed.cancel()

    async def start(self) -> None:
        enter = self._stack.enter_async_context
        await enter(self._authorizer)
        await enter(self._addresses)
        await enter(self._webhooks)
        await enter(self._policies)
        await enter(self._policy_status)
        await enter(self._custom_resources)
        await enter(EventExpiry(self.api.store, self.clock))
        loopback = self.client(LOOPBACK_USER, (MASTERS,))
        await enter(IpAddresses(self.api.store, loopback, self._addresses))
        if self._serve_http:
            await enter(self._fairness)
            await enter(FlowStatus(self.api.store, loopback, self.clock))
            await enter(LegacyTokenTracking(self._tokens.legacy, loopback, self.clock))
            await enter(LocalApiServices(self.api.store, loopback))
            await self._listen()
        self.spawn(self._finish_start(), name="apiserver-bootstrap")

    async def stop(self) -> None:
        self._stopping = True
        await self._stack.aclose()

    async def _finish_start(self) -> None:
        client = self.client(LOOPBACK_USER, (MASTERS,))
        await bootstrap(client, self.config, self.clock, group_versions=self.registry.group_versions())
        self._bootstrapped.set()
        await keep(client, self.config)

    async def _listen(self) -> None:
        from mamekube.apiserver.aggregation.proxy import AggregationProxy
        from mamekube.apiserver.http import Front, requests_log
        from mamekube.apiserver.streams import Streams
        from mamekube.apiserver.wire.listener import Listener

        config = self.config
        if config.verbosity >= REQUESTS_VERBOSITY:
            requests_log.setLevel(logging.DEBUG)
        await self._stack.enter_async_context(self._services)
        pages = Pages(
            openapi=OpenApi(self.registry, RemoteOpenApi(self._services)),
            discovery=self._discovery,
            health=self._health(),
            metrics=self.metrics,
            tokens=self._tokens,
        )
        front = Front(
            api=self.api,
            authenticator=self._authenticator,
            authorizer=self._authorizer,
            pages=pages,
            streams=Streams(
                self.api,
                ca_file=config.kubelet_ca_file,
                certificate_file=config.kubelet_client_certificate_file,
                key_file=config.kubelet_client_key_file,
            ),
            metrics=self.metrics,
            fairness=self._fairness,
            aggregation=AggregationProxy(self._services, self.api.store, self._dialer),
            audit_log=await self._open_audit_log(),
            clock=self.clock,
        )
        listener = Listener(
            front.handle, address=config.address, port=config.port, context=tls_context(config)
        )
        await self._stack.enter_async_context(listener)
        self.port = listener.port

    async def _open_audit_log(self) -> AuditLog | None:
        config = self.config
        if not (config.audit_policy_file and config.audit_log_file):
            return None
        from mamekube.apiserver.auditing.audit import AuditLog
        from mamekube.apiserver.auditing.audit_file import Limits
        from mamekube.apiserver.auditing.audit_policy import read_policy

        limits = Limits(
            config.audit_log_megabytes_max, config.audit_log_days_max, config.audit_log_backups_max
        )
        policy = read_policy(config.audit_policy_file)
        audit_log = AuditLog(policy, config.audit_log_file, self.clock, limits=limits)
        self.metrics.add(audit_log.families)
        return await self._stack.enter_async_context(audit_log)

    def _health(self) -> Health:
        health = Health()
        for name in ("ping", "log"):
            health.add(name, passes)
        health.add("etcd", store_check(self.api.store))
        health.add("etcd-readiness", store_check(self.api.store), paths=("/readyz",))
        health.add("informer-sync", passes, paths=("/readyz",))
        for name in HOOKS:
            done = finished(self._bootstrapped) if name in BOOTSTRAP_HOOKS else passes
            health.add(f"poststarthook/{name}", done)
            if name == REGISTERED:
                health.add("autoregister-completion", finished(self._bootstrapped))
        health.add("shutdown", self._stays, paths=("/readyz",))
        return health

    async def _stays(self) -> str:
        return "process is shutting down" if self._stopping else ""


def tls_context(config: ApiServerConfig) -> ssl.SSLContext | None:
    """Server TLS that asks for a client certificate and takes connections without one, too."""
    if not config.certificate_file:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(config.certificate_file, config.key_file)
    context.set_alpn_protocols(["http/1.1"])
    for file in _authorities(config):
        context.verify_mode = ssl.CERT_OPTIONAL
        context.load_verify_locations(file)
    return context


def _authorities(config: ApiServerConfig) -> Iterator[str]:
    yield from filter(None, (config.client_ca_file, config.requestheader_ca_file))

"""APIServices that other servers serve: which there are, whether they answer, and what they say they have.

Each is asked for its discovery document again and again; the outcome is its `Available` condition and, where it is
good, what aggregated discovery shows of it. APIServices without a service are this server's own and always available.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from mamekube.apiserver import backends, builtin
from mamekube.apiserver.dialing import Dialer
from mamekube.apiserver.formats import codec
from mamekube.apiserver.mirror import Mirror
from mamekube.apiserver.webhook_client import (
    CallError,
    reason_of,
    service_host,
    service_resolver,
    trusting,
)
from mamekube.apiserver.writes import key_for
from mamekube.client.client import Client
from mamekube.foundation.clock import Clock
from mamekube.foundation.lifecycle import Component
from mamekube.foundation.limits import BODY_BYTES_MAX
from mamekube.objects import conditions
from mamekube.objects.meta import Object, name_of
from mamekube.objects.status import StatusError
from mamekube.store.store import Store

if TYPE_CHECKING:
    import aiohttp

log = logging.getLogger(__name__)

HTTPS_PORT = 443
PROBE_TIMEOUT_S = 5.0
PROBE_PERIOD_S = 30.0
RETRY_PERIOD_S = 1.0
"""Between the probes of a server that does not answer."""
CONNECT_TIMEOUT_S = 10.0

AGGREGATOR = {"X-Remote-User": "system:kube-aggregator", "X-Remote-Group": "system:masters"}

Outcome = tuple[str, str, str]
"""The status, reason and message of the condition."""


@dataclass(slots=True, eq=False)
class Remote:
    """One group and version that another server serves."""

    name: str
    group: str
    version: str
    namespace: str
    service: str
    port: int
    priority: tuple[int, int]
    """Of the group, then of the version in it."""
    context: ssl.SSLContext | None
    """None where its certificate authority cannot be read."""
    available: bool = False
    resources: Sequence[Object] = ()
    """As its discovery document has them; what was there the last time, while it does not answer."""
    doubt: asyncio.Event = field(default_factory=asyncio.Event)
    """Set to have it probed at once."""

    @property
    def url(self) -> str:
        return f"https://{service_host(self.namespace, self.service)}:{self.port}"

    @property
    def path(self) -> str:
        return f"/apis/{self.group}/{self.version}"


class ApiServices(Component):
    """Follows the APIServices of other servers."""

    def __init__(
        self,
        store: Store,
        dialer: Dialer,
        client: Callable[[], Client],
        clock: Clock,
        *,
        certificate_file: str = "",
        key_file: str = "",
    ) -> None:
        super().__init__()
        self.remotes: dict[tuple[str, str], Remote] = {}
        self.generation = 0
        """Another number means that what they serve may be something else."""
        self._store = store
        self._dialer = dialer
        self._client = cache(client)
        """Asked for when first needed: the in-process client itself asks here who serves what."""
        self._clock = clock
        self._identity = (certificate_file, key_file)
        self._session: aiohttp.ClientSession | None = None
        self._probes: dict[str, asyncio.Task[Any]] = {}
        self._mirror: Mirror[Object] = Mirror(
            store, builtin.API_SERVICES, digest=_spec_of, handler=self._changed
        )

    async def start(self) -> None:
        await self._mirror.__aenter__()

    async def stop(self) -> None:
        await self._mirror.__aexit__(None, None, None)
        if self._session is not None:
            await self._session.close()

    def session(self) -> aiohttp.ClientSession:
        """Connections to the servers, shared."""
        if self._session is None:
            from mamekube.client.aiohttp_import import aiohttp

            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    resolver=service_resolver(self._store),
                    socket_factory=self._dialer.make_socket,
                    use_dns_cache=False,
                    limit=0,
                ),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
            )
        return self._session

    # What there is ------------------------------------------------------------------------------

    def _changed(self, old: Object | None, new: Object | None) -> None:
        name = name_of(new or old or {})
        probe = self._probes.pop(name, None)
        if probe is not None:
            probe.cancel()
        before = next((remote for remote in self.remotes.values() if remote.name == name), None)
        self.remotes = {key: remote for key, remote in self.remotes.items() if remote.name != name}
        self.generation += 1
        if new is None:
            return
        if not new["spec"].get("service"):
            if not new["available"]:
                self._probes[name] = self.spawn(self._report_local(name), name=f"apiservice {name}")
            return
        remote = self._compile(name, new["spec"])
        # Requests go on while it is asked again: another priority is no reason to doubt that it answers. After a
        # start nothing is known of it, whatever its condition says, and what is not known must not look empty.
        if before is not None:
            remote.available, remote.resources = before.available, before.resources
        self.remotes[remote.group, remote.version] = remote
        self._probes[name] = self.spawn(self._watch(remote), name=f"apiservice {name}")

    def _compile(self, name: str, spec: Mapping[str, Any]) -> Remote:
        service = spec["service"]
        return Remote(
            name=name,
            group=spec.get("group") or "",
            version=spec.get("version") or "",
            namespace=service.get("namespace") or "",
            service=service.get("name") or "",
            port=service.get("port") or HTTPS_PORT,
            priority=(spec.get("groupPriorityMinimum") or 0, spec.get("versionPriority") or 0),
            context=self._context(spec),
        )

    def _context(self, spec: Mapping[str, Any]) -> ssl.SSLContext | None:
        try:
            context = trusting(spec.get("caBundle") or "")
        except CallError:
            return None
        if spec.get("insecureSkipTLSVerify"):
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self._identity[0]:
            context.load_cert_chain(*self._identity)
        return context

    # Whether it answers -------------------------------------------------------------------------

    async def _watch(self, remote: Remote) -> None:
        while True:
            remote.doubt.clear()
            outcome = await self._probe(remote)
            available = outcome[0] == "True"
            if available != remote.available:
                remote.available = available
                self.generation += 1
            await self._report(remote.name, outcome)
            try:
                async with asyncio.timeout(PROBE_PERIOD_S if available else RETRY_PERIOD_S):
                    await remote.doubt.wait()
            except TimeoutError:
                continue

    async def _probe(self, remote: Remote) -> Outcome:
        missing = await self._missing(remote)
        if missing is not None:
            return missing
        url = remote.url + remote.path
        try:
            async with asyncio.timeout(PROBE_TIMEOUT_S):
                resources = await self._discover(remote, url)
        except CallError as error:
            return ("False", "FailedDiscoveryCheck", f"failing or missing response from {url}: {error}")
        except Exception as error:
            why = f'Get "{url}": {reason_of(error)}'
            return ("False", "FailedDiscoveryCheck", f"failing or missing response from {url}: {why}")
        if resources != remote.resources:
            remote.resources = resources
            self.generation += 1
        return ("True", "Passed", "all checks passed")

    async def _missing(self, remote: Remote) -> Outcome | None:
        """What of the Service is not there."""
        namespace, name = remote.namespace, remote.service
        item = await self._store.get(key=key_for(builtin.SERVICES, namespace=namespace, name=name))
        if item is None:
            return ("False", "ServiceNotFound", f'service/{name} in "{namespace}" is not present')
        spec = item.object.get("spec") or {}
        if spec.get("type") == "ExternalName":
            return None
        ports = {port.get("port"): port.get("name") or "" for port in spec.get("ports") or ()}
        if remote.port not in ports:
            text = f'service/{name} in "{namespace}" is not listening on port {remote.port}'
            return ("False", "ServicePortError", text)
        port_name = ports[remote.port]
        if not await backends.ready(self._store, namespace=namespace, name=name, port_name=port_name):
            text = f'endpoints for service/{name} in "{namespace}" have no addresses with port name "{port_name}"'
            return ("False", "MissingEndpoints", text)
        return None

    async def _discover(self, remote: Remote, url: str) -> Sequence[Object]:
        """The resources of its APIResourceList. Raises CallError."""
        if remote.context is None:
            raise CallError("unable to load root certificates: unable to parse bytes as PEM block")
        headers = {**AGGREGATOR, "Accept": codec.JSON}
        async with self.session().get(
            url, headers=headers, ssl=remote.context, allow_redirects=False
        ) as answer:
            if not 200 <= answer.status < 300:
                raise CallError(f"bad status from {url}: {answer.status}")
            body = await answer.content.read(BODY_BYTES_MAX)
        try:
            found = codec.decode_json(body)
        except StatusError as error:
            raise CallError(error.message) from None
        resources = found.get("resources") if isinstance(found, dict) else None
        return [entry for entry in resources or () if isinstance(entry, dict) and entry.get("name")]

    async def _report_local(self, name: str) -> None:
        # Those that the cluster is born with get their condition from whoever makes them.
        await asyncio.sleep(RETRY_PERIOD_S)
        await self._report(name, ("True", "Local", "Local APIServices are always available"))

    async def _report(self, name: str, outcome: Outcome) -> None:
        """Write the condition, where it says something else than the one that is there."""
        try:
            service = await self._client().get(builtin.API_SERVICES, name)
            before = conditions.find(conditions.conditions_of(service), "Available") or {}
            status, reason, message = outcome
            if (before.get("status"), before.get("reason"), before.get("message")) == outcome:
                return
            since = before.get("lastTransitionTime") if before.get("status") == status else None
            condition = {
                "type": "Available",
                "status": status,
                "lastTransitionTime": since or self._clock.timestamp(),
                "reason": reason,
                "message": message,
            }
            patch = {"status": {"conditions": [condition]}}
            # By the keys of the list, so that the conditions of others stay.
            await self._client().patch(
                builtin.API_SERVICES, name, patch, patch_type="strategic", subresource="status"
            )
        except StatusError as error:
            log.warning("cannot write the condition of APIService %s: %s", name, error.message)


def _spec_of(service: Object, old: Object | None) -> Object:
    """What matters of it; the same one while only the condition changes."""
    spec = service.get("spec") or {}
    if old is not None and old["spec"] == spec:
        return old
    found = conditions.find(conditions.conditions_of(service), "Available")
    return {"metadata": {"name": name_of(service)}, "spec": spec, "available": found is not None}

"""A whole cluster in a thread of the test's process: store, API server on loopback with TLS, controllers, scheduler,
and two nodes whose containers are promises. Tests see nothing of it but its address and its certificates.
"""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

from mamekube.apiserver import components
from mamekube.apiserver.server import ApiServer
from mamekube.cluster.certificates import create_cluster_certificates
from mamekube.cluster.server_process import api_server_config, controller_client, controllers_config
from mamekube.controllers.controllers import Controllers
from mamekube.foundation.clock import Clock
from mamekube.kubelet.fake import FakeRuntime
from mamekube.kubelet.kubelet import Kubelet, KubeletConfig
from mamekube.scheduler.scheduler import Scheduler
from mamekube.store.sqlite import SqliteBackend
from mamekube.store.store import Store

ADDRESS = "127.0.0.1"
NODES = ("node-1", "node-2")
START_TIMEOUT_S = 60


class ControlPlane:
    """Running between enter and exit. `folder` gets the certificates and the store."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.certificates = folder / "certificates"
        self.port = 0
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop
        self._end: asyncio.Event
        self._store: Store
        self._thread = threading.Thread(target=self._run, name="control plane", daemon=True)

    @property
    def url(self) -> str:
        return f"https://{ADDRESS}:{self.port}"

    def admin_tls(self) -> ssl.SSLContext:
        """The administrator's end of a connection."""
        context = ssl.create_default_context(cafile=self.certificates / "ca.crt")
        context.load_cert_chain(self.certificates / "admin.crt", self.certificates / "admin.key")
        return context

    def anonymous_tls(self) -> ssl.SSLContext:
        """The end of somebody without a certificate."""
        return ssl.create_default_context(cafile=self.certificates / "ca.crt")

    def __enter__(self) -> ControlPlane:
        self._thread.start()
        assert self._ready.wait(START_TIMEOUT_S), "the control plane did not start"
        if self._failure is not None:
            raise self._failure
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(START_TIMEOUT_S)
        assert not self._thread.is_alive(), "the control plane did not end"
        if self._failure is not None:
            raise self._failure

    def compact(self) -> None:
        """Forget the whole history, as happens by itself every few minutes."""
        self._call(self._compact())

    async def _compact(self) -> None:
        await self._store.compact(revision=self._store.revision)

    def _call(self, coroutine: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(START_TIMEOUT_S)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            self._failure = error
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        create_cluster_certificates(self.certificates, addresses=[ADDRESS])
        async with AsyncExitStack() as stack:
            await self._enter(stack)
            self._ready.set()
            await self._end.wait()

    async def _enter(self, stack: AsyncExitStack) -> None:
        clock = Clock()
        self._store = await stack.enter_async_context(Store(SqliteBackend(self.folder / "store.db")))
        config = api_server_config({"address": ADDRESS, "port": 0}, self.certificates)
        api = await stack.enter_async_context(ApiServer(config, self._store, clock))
        self.port = api.port
        await api.ready()
        controllers = Controllers(
            api.client("system:kube-controller-manager"),
            clock,
            config=controllers_config(self.certificates),
            client_for=lambda account: controller_client(api, account),
        )
        await stack.enter_async_context(controllers)
        scheduler = await stack.enter_async_context(Scheduler(api.client("system:kube-scheduler"), clock))
        api.metrics.add(controllers.runtime.families)
        api.metrics.add(scheduler.families)
        api.api.components.add(components.CONTROLLERS, controllers)
        api.api.components.add(components.SCHEDULER, scheduler)
        for number, name in enumerate(NODES, 1):
            node = KubeletConfig(
                node_name=name,
                node_ip=f"127.0.1.{number}",
                root_dir=self.folder / name,
                pod_cidr=f"10.244.{number}.0/24",
                fake=True,
            )
            client = api.client(f"system:node:{name}", ("system:nodes",))
            runtime = FakeRuntime(network=f"10.{244 + number}", clock=clock)
            await stack.enter_async_context(Kubelet(node, client, runtime, clock))

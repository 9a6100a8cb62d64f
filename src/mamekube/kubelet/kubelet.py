"""The kubelet: composition of the node's keeper, the pods' workers, the runtime's events and the server."""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mamekube.client import events
from mamekube.client.client import Client
from mamekube.client.informer import Informer
from mamekube.foundation.clock import Clock
from mamekube.foundation.lifecycle import Component
from mamekube.kubelet import api_resources as api
from mamekube.kubelet import cgroups, log_rotation
from mamekube.kubelet.events import Recorder
from mamekube.kubelet.images import Images
from mamekube.kubelet.machine import read_machine
from mamekube.kubelet.node import NodeKeeper
from mamekube.kubelet.node_context import NodeContext
from mamekube.kubelet.node_status import Machine, NodeFacts, capacity_of
from mamekube.kubelet.paths import Paths
from mamekube.kubelet.pod_worker import PodWorker
from mamekube.kubelet.runtime import Container, PodRecord, Runtime, RuntimeFailure, RuntimeVersion
from mamekube.kubelet.sandbox_config import Dns, parse_resolv_conf
from mamekube.kubelet.volumes.sources import Sources
from mamekube.kubelet.volumes.volumes import Volumes
from mamekube.objects.meta import Object, key_of, uid_of

log = logging.getLogger(__name__)

VOLUME_REFRESH_S = 60.0
RELIST_PERIOD_S = 60.0
"""A look at everything in case an event was lost. Upstream: the generic PLEG beside the evented one."""
LOG_ROTATION_PERIOD_S = 10.0
RUNTIME_RETRY_S = 0.02
RUNTIME_RETRY_LIMIT_S = 2.0
ORPHAN_GRACE_S = 2
CRI_SOCKET = "/run/containerd/containerd.sock"
FAKE_MACHINE = Machine(
    cpus=32,
    memory_bytes=256 << 30,
    disk_bytes=1 << 40,
    architecture="x86_64",
    kernel="0.0.0-fake",
    os_image="Mamekube fake node",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class KubeletConfig:
    node_name: str
    node_ip: str
    root_dir: Path = Path("/var/lib/kubelet")
    log_dir: Path | None = None
    """Where containers' logs go; `None` is `root_dir/../log/pods`."""
    cri_socket: str = CRI_SOCKET
    pod_cidr: str = ""
    cluster_dns: Sequence[str] = ("10.96.0.10",)
    cluster_domain: str = "cluster.local"
    port: int = 10250
    address: str = ""
    """Where the server listens; empty is every address of the node."""
    certificate_file: Path | None = None
    key_file: Path | None = None
    client_ca_file: Path | None = None
    max_pods: int = 110
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: Sequence[Mapping[str, Any]] = ()
    cgroup_parent: str = ""
    """The node's own cgroup; pods go below it into `kubepods`."""
    resolv_conf: Path = Path("/etc/resolv.conf")
    fake: bool = False


class Kubelet(Component):
    def __init__(
        self,
        config: KubeletConfig,
        client: Client,
        runtime: Runtime,
        clock: Clock,
        *,
        recorder: Recorder | None = None,
    ) -> None:
        super().__init__()
        self.config = config
        self.runtime = runtime
        self.workers: dict[str, PodWorker] = {}
        self._client = client
        self._clock = clock
        self._recorder = recorder
        self._own: list[Component] = []
        self._pods = Informer(client, api.PODS, field_selector=f"spec.nodeName={config.node_name}")
        self._services = Informer(client, api.SERVICES)
        self._orphans: set[str] = set()

    async def start(self) -> None:
        recorder = self._recorder or await self._make_recorder()
        await self.runtime.open()
        self._informers = [
            self.spawn(self._enter(self._pods), name="pods"),
            self.spawn(self._enter(self._services), name="services"),
        ]
        version = await self._wait_for_runtime()
        facts = self._facts(version)
        self.keeper = NodeKeeper(facts, self._client, self.runtime, self._clock, recorder)
        self.node = self._make_context(facts, recorder)
        await self._enter(self.keeper)
        await asyncio.gather(*self._informers)
        await asyncio.gather(self._pods.synced(), self._services.synced())
        self._pods.subscribe(self._pod_changed)
        self.spawn(self._watch_runtime(), name="runtime events")
        if not self.config.fake:
            self.spawn(self._relist_now_and_then(), name="relist")
            self.spawn(self._refresh_volumes(), name="volumes")
            self.spawn(self._rotate_logs(), name="logs")
        if self.config.certificate_file is not None:
            from mamekube.kubelet.server import Server

            await self._enter(Server(self))

    async def stop(self) -> None:
        for worker in self.workers.values():
            worker.close()
        for component in reversed(self._own):
            await component.__aexit__(None, None, None)
        await self.runtime.close()

    def find_pod(self, namespace: str, name: str) -> PodWorker | None:
        pod = self._pods.cache.get(f"{namespace}/{name}")
        return self.workers.get(uid_of(pod)) if pod is not None else None

    async def _enter(self, component: Component) -> None:
        self._own.append(component)
        await component.__aenter__()

    async def _make_recorder(self) -> Recorder:
        host = self.config.node_name
        writer = events.Recorder(self._client, self._clock, component="kubelet", host=host)
        await self._enter(writer)
        return writer

    async def _wait_for_runtime(self) -> RuntimeVersion:
        delay_s = RUNTIME_RETRY_S
        while True:
            try:
                return await self.runtime.version()
            except RuntimeFailure as failure:
                log.info("the container runtime does not answer yet: %s", failure)
            await asyncio.sleep(delay_s)
            delay_s = min(delay_s * 2, RUNTIME_RETRY_LIMIT_S)

    def _facts(self, version: RuntimeVersion) -> NodeFacts:
        config = self.config
        return NodeFacts(
            name=config.node_name,
            ip=config.node_ip,
            machine=FAKE_MACHINE if config.fake else read_machine(config.root_dir),
            version=version,
            port=config.port,
            max_pods=config.max_pods,
            pod_cidr=config.pod_cidr,
            labels=config.labels,
            taints=config.taints,
        )

    def _make_context(self, facts: NodeFacts, recorder: Recorder) -> NodeContext:
        config = self.config
        paths = Paths(config.root_dir, config.log_dir or config.root_dir.parent / "log" / "pods")
        sources = Sources(self._client, self._clock)
        return NodeContext(
            name=config.node_name,
            ips=(config.node_ip,),
            client=self._client,
            runtime=self.runtime,
            clock=self._clock,
            recorder=recorder,
            paths=paths,
            volumes=Volumes(paths, sources),
            sources=sources,
            images=Images(self.runtime, self._clock),
            cluster_dns=Dns(servers=tuple(config.cluster_dns)),
            host_dns=_host_dns(config.resolv_conf),
            cluster_domain=config.cluster_domain,
            memory_bytes=facts.machine.memory_bytes,
            allocatable=capacity_of(facts),
            cgroup_parent=lambda pod: cgroups.pod_cgroup(config.cgroup_parent, pod),
            services=self._services.cache.list,
            fake=config.fake,
        )

    def _pod_changed(self, kind: str, old: Object | None, new: Object | None) -> None:
        pod = new or old
        assert pod is not None
        worker = self.workers.get(uid_of(pod))
        if kind == "DELETED":
            if worker is not None:
                worker.remove()
            return
        if old is not None and uid_of(old) != uid_of(pod) and uid_of(old) in self.workers:
            self.workers[uid_of(old)].remove()
        if worker is not None:
            worker.update(pod)
        else:
            self.workers[uid_of(pod)] = PodWorker(pod, self.node, gone=self._forget)

    def _forget(self, uid: str) -> None:
        worker = self.workers.pop(uid, None)
        if worker is not None and not self.config.fake:
            cgroups.remove(self.node.cgroup_parent(worker.pod))

    async def _watch_runtime(self) -> None:
        async for event in self.runtime.events():
            if event.pod_uid:
                worker = self.workers.get(event.pod_uid)
                if worker is not None:
                    worker.task_ended(event.task_id)
                continue
            self.keeper.check()
            try:
                await self._relist()
            except RuntimeFailure as failure:
                log.warning("the container runtime cannot list its pods: %s", failure)

    async def _relist(self) -> None:
        """Anything may have happened: let every pod look, and end the pods that nobody wants."""
        for uid, record in (await self.runtime.list_pods()).items():
            if uid not in self.workers and uid not in self._orphans:
                self._orphans.add(uid)
                self.spawn(self._end_orphan(record), name=f"orphan {uid}")
        for worker in list(self.workers.values()):
            worker.wake()

    async def _relist_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(RELIST_PERIOD_S)
            try:
                await self._relist()
            except RuntimeFailure as failure:
                log.warning("the container runtime cannot list its pods: %s", failure)

    async def _end_orphan(self, record: PodRecord) -> None:
        """The pod was deleted while the kubelet was away."""
        log.info("pod %s/%s is not wanted any more", record.namespace, record.name)
        try:
            await asyncio.gather(*(self._stop_orphan(one) for one in record.running))
            for sandbox in record.sandboxes:
                await self.runtime.stop_sandbox(sandbox.id)
                await self.runtime.remove_sandbox(sandbox.id)
            await self.node.volumes.tear_down(record.uid)
            if not self.config.fake:
                name = f"{record.namespace}_{record.name}_{record.uid}"
                shutil.rmtree(self.node.paths.logs / name, ignore_errors=True)
                cgroups.remove_pod(self.config.cgroup_parent, record.uid)
        except (RuntimeFailure, OSError) as failure:
            log.warning("pod %s/%s cannot be ended: %s", record.namespace, record.name, failure)
        finally:
            self._orphans.discard(record.uid)

    async def _stop_orphan(self, container: Container) -> None:
        from mamekube.kubelet.runtime import POD_GRACE

        grace_s = int(container.annotations.get(POD_GRACE, ORPHAN_GRACE_S))
        await self.runtime.stop_container(container.id, grace_s=grace_s)

    async def _refresh_volumes(self) -> None:
        while True:
            await asyncio.sleep(VOLUME_REFRESH_S)
            for worker in list(self.workers.values()):
                try:
                    await worker.refresh_volumes()
                except OSError as error:
                    log.warning("volumes of %s: %s", key_of(worker.pod), error)

    async def _rotate_logs(self) -> None:
        while True:
            await asyncio.sleep(LOG_ROTATION_PERIOD_S)
            for worker in list(self.workers.values()):
                for container in worker.record.running:
                    await log_rotation.rotate(container, self.runtime)


def _host_dns(file: Path) -> Dns:
    try:
        return parse_resolv_conf(file.read_text())
    except OSError:
        return Dns()

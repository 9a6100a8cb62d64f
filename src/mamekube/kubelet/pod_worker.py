"""One pod's worker: on each wake-up it looks, plans, acts, and reports.

It is woken by changes of the pod, events of the runtime, results of probes, and its own timer. What it does can
be interrupted at any time by the pod's deletion: every step is safe to repeat, and the next look finds what
was reached.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any

from mamekube.foundation.backoff import Backoff
from mamekube.foundation.clock import parse_time
from mamekube.kubelet import api_resources as api
from mamekube.kubelet import cgroups, containers, downward, hooks, pod_status, sandbox_config
from mamekube.kubelet.containers import SandboxContext
from mamekube.kubelet.events import PodEvents
from mamekube.kubelet.images import RESYNC_S, StartFailure
from mamekube.kubelet.node_context import NodeContext
from mamekube.kubelet.plan import (
    Health,
    Kill,
    Memory,
    Plan,
    Start,
    all_containers_of,
    grace_of,
    init_containers_of,
    is_sidecar,
    is_terminal,
    plan,
)
from mamekube.kubelet.prober import ContainerProber
from mamekube.kubelet.runtime import Container, PodRecord, RuntimeFailure, Sandbox
from mamekube.kubelet.status_writer import StatusWriter
from mamekube.kubelet.volumes import mounts
from mamekube.kubelet.volumes.volumes import MountFailed
from mamekube.objects.meta import Object, being_deleted, metadata, name_of, namespace_of, uid_of
from mamekube.objects.status import StatusError

log = logging.getLogger(__name__)

STEPS_MAX = 50
"""Rounds of look and act in one wake-up: a guard against a plan that is never satisfied."""
MOUNT_RETRY_S, MOUNT_RETRY_LIMIT_S = 0.5, 122.0
"""Doubling. Upstream: exponentialbackoff of volume operations."""
SANDBOX_RETRY_S = 10.0
FAILURE_RETRY_S = 1.0
EXIT_POLLS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4)
"""After an event of the runtime its own record may lag behind: it is asked again after these times."""
BACKOFF_EVENT_PERIOD_S = 10.0


class PodWorker:
    """Owns one pod (by uid) from its appearance on the node until nothing is left of it."""

    def __init__(self, pod: Object, node: NodeContext, *, gone: Callable[[str], None]) -> None:
        self.uid = uid_of(pod)
        self._pod = pod
        self._node = node
        self._gone = gone
        started = self.status.get("startTime")
        self._memory = Memory(start_s=parse_time(started) if started else node.clock.now())
        self._record = PodRecord(uid=self.uid)
        self._events = PodEvents(node.recorder, pod)
        self._writer = StatusWriter(node.client, pod)
        self._wake = asyncio.Event()
        self._wake.set()
        self._polls: list[float] = []
        self._ended_tasks: set[str] = set()
        self._probers: dict[str, ContainerProber] = {}
        self._messages: dict[str, str] = {}
        self._backing_off: Mapping[str, float] = {}
        self._backoff_said_s: dict[str, float] = {}
        self._volumes: Mapping[str, Any] | None = None
        self._mount_backoff = Backoff(initial_s=MOUNT_RETRY_S, limit_s=MOUNT_RETRY_LIMIT_S)
        self._sandbox_config: dict[str, Any] = {}
        self._sync: asyncio.Task[float | None] | None = None
        self._ending = False
        self._finished = False
        self._task = asyncio.create_task(self._run(), name=f"pod/{name_of(pod)}")

    @property
    def pod(self) -> Object:
        return self._pod

    @property
    def record(self) -> PodRecord:
        """The runtime's record as it was last seen."""
        return self._record

    @property
    def status(self) -> dict[str, Any]:
        return self._pod.get("status") or {}

    def is_backing_off(self, name: str) -> bool:
        """Whether the container crashed and waits: then its last run counts as the previous one."""
        return name in self._backing_off

    def waiting_reason(self, name: str) -> tuple[str, str]:
        """Why the container does not run yet: (reason, message)."""
        if name in self._memory.waiting:
            return self._memory.waiting[name]
        return ("PodInitializing" if init_containers_of(self._pod) else "ContainerCreating"), ""

    def update(self, pod: Object) -> None:
        """The API server's object has changed."""
        shorter = _deletion_grace(pod) < _deletion_grace(self._pod)
        spec_changed = pod.get("spec") is not self._pod.get("spec") and pod["spec"] != self._pod["spec"]
        self._pod = pod
        self._events = PodEvents(self._node.recorder, pod)
        self._writer.observe(pod)
        if being_deleted(pod) and (not self._ending or shorter):
            self._interrupt()
        if shorter or spec_changed or _gates(pod):
            self.wake()

    def remove(self) -> None:
        """The API object is gone: end what is left."""
        self._memory.removed = True
        if not self._ending:
            self._interrupt()
        self.wake()

    def wake(self) -> None:
        self._wake.set()

    def task_ended(self, task_id: str) -> None:
        """A container or sandbox of this pod has ended, which the runtime's record may not show yet."""
        self._ended_tasks.add(task_id)
        self._polls = list(EXIT_POLLS)
        self._wake.set()

    def close(self) -> None:
        """The kubelet stops; containers stay as they are."""
        self._task.cancel()
        if self._sync is not None:
            self._sync.cancel()
        self._writer.close()
        self._close_probers()

    async def refresh_volumes(self) -> None:
        if self._volumes is not None and not self._ending:
            await self._node.volumes.refresh(self._pod, self._facts())

    def _interrupt(self) -> None:
        if self._sync is not None:
            self._sync.cancel()

    def _close_probers(self) -> None:
        for prober in self._probers.values():
            prober.close()
        self._probers.clear()

    async def _run(self) -> None:
        due_s: float | None = None
        while not self._finished:
            await self._sleep_until(due_s)
            self._wake.clear()
            self._sync = asyncio.create_task(self._synchronize())
            try:
                due_s = await asyncio.shield(self._sync)
            except asyncio.CancelledError:
                if not self._sync.cancelled():
                    raise  # it is this task that was cancelled
                due_s = self._node.clock.now()
            except (RuntimeFailure, StatusError, OSError) as error:
                log.warning("pod %s/%s: %s", namespace_of(self._pod), name_of(self._pod), error)
                due_s = self._node.clock.now() + FAILURE_RETRY_S
            except Exception:
                # One pod that nobody thought of must not end the node's care for it, nor for the others.
                log.exception("pod %s/%s", namespace_of(self._pod), name_of(self._pod))
                due_s = self._node.clock.now() + RESYNC_S
        self._gone(self.uid)

    async def _sleep_until(self, due_s: float | None) -> None:
        """Until woken, until `due_s`, or until the runtime's record is due for another look."""
        now_s = self._node.clock.now()
        if self._polls:
            poll_s = now_s + self._polls.pop(0)
            due_s = poll_s if due_s is None else min(due_s, poll_s)
        if due_s is None:
            await self._wake.wait()
            return
        try:
            async with asyncio.timeout(max(0.0, due_s - now_s)):
                await self._wake.wait()
        except TimeoutError:
            pass

    async def _synchronize(self) -> float | None:
        """Look, plan, act, until there is nothing left to do; answers when to wake up by itself."""
        for _ in range(STEPS_MAX):
            self._record = await self._node.runtime.pod(self.uid)
            self._settle_ended_tasks()
            self._observe()
            todo = plan(self._pod, self._record, self._memory, self._node.clock.now())
            if todo.ended is not None:
                self._memory.ended = todo.ended
                self._events.normal(*todo.ended)
            if todo.end is not None:
                await self._end(todo)
                return None
            self._report(todo)
            if todo.idle:
                await self._collect(todo)
                return self._next_look(todo)
            await self._act(todo)
        return self._node.clock.now() + FAILURE_RETRY_S

    def _next_look(self, todo: Plan) -> float | None:
        """When the plan asks for it, and while a container backs off often enough to say so."""
        if not todo.backing_off:
            return todo.wake_at_s
        again_s = self._node.clock.now() + BACKOFF_EVENT_PERIOD_S
        return min(again_s, todo.wake_at_s or again_s)

    def _settle_ended_tasks(self) -> None:
        """Forget the ended tasks that the record shows as ended; what is left will be looked at again."""
        alive = {one.id for one in self._record.running}
        alive |= {one.id for one in self._record.sandboxes if one.ready}
        self._ended_tasks &= alive
        if not self._ended_tasks:
            self._polls = []

    def _observe(self) -> None:
        """Begin and end probers with their containers; read the last words of the dead."""
        ips = self._record.ready_sandbox.ips if self._record.ready_sandbox else ()
        specs = {one["name"]: one for one in all_containers_of(self._pod)}
        alive = {container.id: container for container in self._record.running}
        for container_id in [known for known in self._probers if known not in alive]:
            self._probers.pop(container_id).close()
            self._memory.health.pop(container_id, None)
        for container_id, container in alive.items():
            if container_id not in self._probers and container.name in specs and not self._ending:
                self._probers[container_id] = prober = ContainerProber(
                    specs[container.name],
                    container,
                    pod_ip=self._pod_ip(ips),
                    runtime=self._node.runtime,
                    clock=self._node.clock,
                    events=self._events,
                    changed=self.wake,
                )
                self._memory.health[container_id] = prober.health
        for container in self._record.containers:
            if container.state == "exited" and container.id not in self._messages:
                self._messages[container.id] = containers.termination_message(self._node, self.uid, container)

    def _pod_ip(self, ips: tuple[str, ...]) -> str:
        if (self._pod.get("spec") or {}).get("hostNetwork"):
            return self._node.ips[0] if self._node.ips else "127.0.0.1"
        return ips[0] if ips else ""

    def _report(self, todo: Plan, *, over: bool = False) -> None:
        self._backing_off = todo.backing_off
        if is_terminal(self._pod) and not over:
            return  # its last status was its last word
        for name, delay_s in todo.backing_off.items():
            self._say_backing_off(name, delay_s)
        if self._memory.removed:
            return
        if todo.idle or over:
            self._writer.set(self._make_status(over=over))
        else:
            # What comes next may be a matter of milliseconds, or of minutes.
            self._writer.set_later(self._make_status)

    def _make_status(self, *, over: bool = False) -> dict[str, Any]:
        seen = pod_status.Observed(
            record=self._record,
            memory=self._memory,
            now_s=self._node.clock.now(),
            host_ips=self._node.ips,
            backing_off=self._backing_off,
            messages=self._messages,
            over=over,
        )
        return pod_status.build(self._pod, seen)

    def _say_backing_off(self, name: str, delay_s: float) -> None:
        now_s = self._node.clock.now()
        if now_s - self._backoff_said_s.get(name, 0.0) < BACKOFF_EVENT_PERIOD_S:
            return
        self._backoff_said_s[name] = now_s
        title = f"{name_of(self._pod)}_{namespace_of(self._pod)}({self.uid})"
        text = f"Back-off restarting failed container {name} in pod {title}"
        self._events.warning("BackOff", text, {"name": name})

    async def _act(self, todo: Plan) -> None:
        if todo.kill:
            await self._kill(todo.kill)
        if todo.create_sandbox is not None:
            await self._create_sandbox(todo.create_sandbox)
            return
        sandbox = self._record.ready_sandbox
        if todo.start and sandbox is not None:
            context = await self._sandbox_context(sandbox)
            if context is None:
                return
            for wanted in todo.start:
                await self._start(wanted, context)

    async def _start(self, wanted: Start, sandbox: SandboxContext) -> None:
        name = wanted.container["name"]
        try:
            container_id = await containers.start(
                self._node, self._pod, wanted, sandbox=sandbox, events=self._events
            )
        except StartFailure as failure:
            self._memory.waiting[name] = (failure.reason, failure.message)
            self._memory.retry_at_s[name] = self._node.clock.now() + failure.retry_in_s
            if failure.reason == "RunContainerError":
                # The runtime keeps the failed container: from now on it is a crash like any other.
                self._memory.waiting.pop(name)
                self._memory.retry_at_s.pop(name)
                self._remember_crash(name, wanted)
            return
        self._memory.waiting.pop(name, None)
        self._memory.retry_at_s.pop(name, None)
        self._remember_crash(name, wanted)
        await self._post_start(wanted.container, container_id)

    def _remember_crash(self, name: str, wanted: Start) -> None:
        if wanted.crash is not None:
            self._memory.crashes[name] = wanted.crash

    async def _post_start(self, container: Mapping[str, Any], container_id: str) -> None:
        handler = (container.get("lifecycle") or {}).get("postStart")
        if not handler:
            return
        try:
            await hooks.run(
                handler,
                container,
                container_id=container_id,
                pod_ip=self._pod_ip(self._record.ready_sandbox.ips if self._record.ready_sandbox else ()),
                runtime=self._node.runtime,
            )
        except hooks.HookFailed as failure:
            log.warning("postStart of %s: %s", container["name"], failure)
            self._events.warning("FailedPostStartHook", "PostStartHook failed", container)
            self._record = await self._node.runtime.pod(self.uid)
            failed = [one for one in self._record.running if one.id == container_id]
            await self._kill([Kill(container=one, message="FailedPostStartHook") for one in failed])

    async def _create_sandbox(self, attempt: int) -> None:
        for old in self._record.sandboxes:
            if old.ready:
                await self._node.runtime.stop_sandbox(old.id)
        context = await self._prepare_volumes(())
        if context is None:
            return
        config = self._make_sandbox_config(attempt)
        if not self._node.fake:
            self._node.paths.pod_logs(self._pod).mkdir(parents=True, exist_ok=True)
            cgroups.create(config["linux"]["cgroup_parent"], self._pod)
        try:
            await self._node.runtime.run_sandbox(config)
        except RuntimeFailure as failure:
            text = f"Failed to create pod sandbox: {failure.wire}"
            self._events.warning("FailedCreatePodSandBox", text)
            self._memory.retry_at_s[""] = self._node.clock.now() + SANDBOX_RETRY_S
            return
        self._memory.retry_at_s.pop("", None)
        if attempt > 0:
            self._events.normal("SandboxChanged", "Pod sandbox changed, it will be killed and re-created.")

    async def _prepare_volumes(self, ips: tuple[str, ...]) -> Mapping[str, Any] | None:
        """The pod's volumes; None, and a time for the next try, where one is not to be had yet."""
        if self._node.fake:
            return {}
        try:
            self._volumes = await self._node.volumes.set_up(self._pod, self._facts(ips))
        except MountFailed as failed:
            for message in failed.messages:
                self._events.warning("FailedMount", message)
            self._memory.retry_at_s[""] = self._node.clock.now() + self._mount_backoff.next_s("")
            for container in all_containers_of(self._pod):
                self._memory.retry_at_s[container["name"]] = self._memory.retry_at_s[""]
            return None
        self._mount_backoff.forget("")
        return self._volumes

    def _make_sandbox_config(self, attempt: int) -> dict[str, Any]:
        node = self._node
        dns = sandbox_config.pod_dns(
            self._pod, cluster=node.cluster_dns, host=node.host_dns, cluster_domain=node.cluster_domain
        )
        return sandbox_config.sandbox_config(
            self._pod,
            attempt=attempt,
            dns=dns,
            log_directory=node.paths.pod_logs(self._pod),
            cgroup_parent=node.cgroup_parent(self._pod),
        )

    async def _sandbox_context(self, sandbox: Sandbox) -> SandboxContext | None:
        # They were set up before the sandbox, and are kept fresh; a restarted kubelet has yet to look.
        volumes = self._volumes
        if volumes is None:
            volumes = await self._prepare_volumes(sandbox.ips)
        if volumes is None:
            return None
        return SandboxContext(
            id=sandbox.id,
            config=self._make_sandbox_config(sandbox.attempt),
            volumes=volumes,
            facts=self._facts(sandbox.ips),
            hosts_path=None if self._node.fake else self._write_hosts(sandbox),
            targets={one.name: one.id for one in self._record.running},
        )

    def _write_hosts(self, sandbox: Sandbox) -> Any:
        path = self._node.paths.etc_hosts(self.uid)
        spec = self._pod.get("spec") or {}
        subdomain = spec.get("subdomain", "")
        domain = f"{subdomain}.{namespace_of(self._pod)}.svc.{self._node.cluster_domain}" if subdomain else ""
        host_file = ""
        if spec.get("hostNetwork"):
            with open("/etc/hosts", encoding="utf-8", errors="replace") as file:
                host_file = file.read()
        path.parent.mkdir(parents=True, exist_ok=True)
        text = mounts.hosts_file(
            self._pod,
            ips=sandbox.ips,
            hostname=sandbox_config.hostname(self._pod),
            domain=domain,
            host_file=host_file,
        )
        path.write_text(text)
        path.chmod(0o644)
        return path

    def _facts(self, ips: tuple[str, ...] = ()) -> downward.Facts:
        if not ips and self._record.ready_sandbox is not None:
            ips = self._record.ready_sandbox.ips
        if (self._pod.get("spec") or {}).get("hostNetwork"):
            ips = self._node.ips
        return downward.Facts(
            node_name=self._node.name,
            host_ips=self._node.ips,
            pod_ips=ips,
            allocatable=self._node.allocatable,
        )

    async def _kill(self, kills: Any) -> None:
        """End containers, all at a time; sidecars after the others, the last first."""
        specs = {one["name"]: one for one in all_containers_of(self._pod)}
        order = [one["name"] for one in init_containers_of(self._pod) if is_sidecar(one)]
        sidecars = [kill for kill in kills if kill.container.name in order]
        sidecars.sort(key=lambda kill: -order.index(kill.container.name))
        others = [kill for kill in kills if kill.container.name not in order]
        await asyncio.gather(*(self._stop(kill, specs) for kill in others))
        for kill in sidecars:
            await self._stop(kill, specs)

    async def _stop(self, kill: Kill, specs: Mapping[str, Mapping[str, Any]]) -> None:
        prober = self._probers.get(kill.container.id)
        if prober is not None:
            prober.stop_condemning()
        ips = self._record.ready_sandbox.ips if self._record.ready_sandbox else ()
        spec = specs.get(kill.container.name, {"name": kill.container.name})
        grace_s = kill.grace_s if kill.grace_s is not None else grace_of(self._pod)
        await containers.stop(
            self._node,
            kill,
            grace_s=grace_s,
            pod_ip=self._pod_ip(ips),
            events=self._events,
            spec=spec,
        )

    async def _end(self, todo: Plan) -> None:
        """End everything; if the pod is deleted, leave nothing and say so to the API server."""
        assert todo.end is not None
        self._ending = True
        self._report(Plan())
        if not todo.end.final:
            # Endpoints must not lead to a container that is being ended.
            self._close_probers()
        await self._kill([Kill(container=one, grace_s=todo.end.grace_s) for one in self._record.running])
        self._close_probers()
        self._record = await self._node.runtime.pod(self.uid)
        self._observe()
        self._report(Plan(), over=True)
        for sandbox in self._record.sandboxes:
            if sandbox.ready:
                await self._node.runtime.stop_sandbox(sandbox.id)
        if not todo.end.final:
            self._record = await self._node.runtime.pod(self.uid)
            self._report(Plan(), over=True)
            self._ending = False
            return
        await self._node.volumes.tear_down(self.uid)
        await self._writer.flush()
        await self._delete_object()
        await self._remove_remains()
        self._finished = True

    async def _delete_object(self) -> None:
        """The last word of the kubelet on a deleted pod: its processes have ended."""
        if self._memory.removed:
            return
        try:
            await self._node.client.delete(
                api.PODS,
                name_of(self._pod),
                namespace=namespace_of(self._pod),
                grace_period_s=0,
                uid=self.uid,
            )
        except StatusError as error:
            if error.reason not in ("NotFound", "Conflict"):
                raise

    async def _remove_remains(self) -> None:
        for sandbox in self._record.sandboxes:
            await self._node.runtime.remove_sandbox(sandbox.id)
        self._node.images.forget(self.uid)
        if not self._node.fake:
            await asyncio.to_thread(_remove_tree, str(self._node.paths.pod_logs(self._pod)))

    async def _collect(self, todo: Plan) -> None:
        for container_id in todo.remove_containers:
            await self._node.runtime.remove_container(container_id)
            self._messages.pop(container_id, None)
        for sandbox_id in todo.remove_sandboxes:
            await self._node.runtime.remove_sandbox(sandbox_id)


def _remove_tree(path: str) -> None:
    import shutil

    shutil.rmtree(path, ignore_errors=True)


def _deletion_grace(pod: Object) -> float:
    if not being_deleted(pod):
        return float("inf")
    return float(metadata(pod).get("deletionGracePeriodSeconds") or 0)


def _gates(pod: Object) -> bool:
    """Whether conditions of others count for the pod's readiness."""
    return bool((pod.get("spec") or {}).get("readinessGates"))


__all__ = ["RESYNC_S", "Container", "Health", "PodWorker"]

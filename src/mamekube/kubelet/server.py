"""The kubelet's port: logs, exec, attach, port-forward, pods, health and figures, over TLS for known clients."""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mamekube.foundation.clock import parse_time
from mamekube.foundation.lifecycle import Component
from mamekube.kubelet import http_server, logs, stats, streaming
from mamekube.kubelet.access import Access
from mamekube.kubelet.http_server import Refused, Request
from mamekube.kubelet.pod_worker import PodWorker
from mamekube.kubelet.runtime import Container, RuntimeFailure

if TYPE_CHECKING:
    from mamekube.kubelet.kubelet import Kubelet

STREAM_FLAGS = {"stdin": ("input", "stdin"), "stdout": ("output", "stdout"), "stderr": ("error", "stderr")}


class Server(Component):
    def __init__(self, kubelet: Kubelet) -> None:
        super().__init__()
        self._kubelet = kubelet
        self._access = Access(kubelet.node.client, kubelet.node.clock, node_name=kubelet.config.node_name)
        self._server: Any = None
        self._routes = {
            "healthz": self._health,
            "pods": self._pods,
            "containerLogs": self._logs,
            "exec": self._exec,
            "attach": self._attach,
            "portForward": self._port_forward,
            "run": self._run,
            "stats": self._stats,
            "metrics": self._metrics,
        }

    async def start(self) -> None:
        config = self._kubelet.config
        self._server = await http_server.serve(
            self._handle,
            address=config.address,
            port=config.port,
            context=tls_context(config.certificate_file, config.key_file, config.client_ca_file),
        )

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()

    async def _handle(self, request: Request) -> None:
        route = self._routes.get(request.path[0])
        if route is None:
            raise Refused(404, "404 page not found\n")
        await self._access.check(request)
        try:
            await route(request)
        except RuntimeFailure as failure:
            raise Refused(500, f"{failure.wire}\n") from failure

    async def _health(self, request: Request) -> None:
        request.respond(200, "ok")

    async def _pods(self, request: Request) -> None:
        pods = [worker.pod for worker in self._kubelet.workers.values()]
        request.respond_json({"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": pods})

    async def _stats(self, request: Request) -> None:
        request.respond_json(await stats.summary(self._kubelet))

    async def _metrics(self, request: Request) -> None:
        text = await stats.metrics(self._kubelet, "/".join(request.path[1:]))
        request.respond(200, text, kind="text/plain; version=0.0.4; charset=utf-8")

    async def _logs(self, request: Request) -> None:
        worker, name = self._target(request)
        container = self._container_of(worker, name, previous=request.flag("previous"))
        options = log_options(request, now_s=self._kubelet.node.clock.now())
        path = Path(container.log_path)
        if not _exists(container.log_path):
            text = (
                f'failed to try resolving symlinks in path "{path}": lstat {path}: no such file or directory'
            )
            raise Refused(500, f"{text}\n")
        request.begin(
            200, {"Content-Type": "text/plain", "Transfer-Encoding": "chunked", "Connection": "close"}
        )

        def running() -> bool:
            return any(one.id == container.id for one in worker.record.running)

        async for block in logs.read(path, options, running=running):
            await request.write_chunk(block)
        await request.write_chunk(b"")

    async def _exec(self, request: Request) -> None:
        worker, name = self._target(request)
        container = self._running(worker, name)
        command, tty, streams = request.query.get("command", []), request.flag("tty"), _streams(request)
        url = await self._kubelet.runtime.exec_url(container.id, command, streams=streams, tty=tty)
        await streaming.serve(request, url, streams=streams, tty=tty)

    async def _attach(self, request: Request) -> None:
        worker, name = self._target(request)
        container = self._running(worker, name)
        tty, streams = request.flag("tty"), _streams(request)
        url = await self._kubelet.runtime.attach_url(container.id, streams=streams, tty=tty)
        await streaming.serve(request, url, streams=streams, tty=tty)

    async def _port_forward(self, request: Request) -> None:
        worker, _ = self._target(request)
        sandbox = worker.record.ready_sandbox
        if sandbox is None:
            raise Refused(404, "pod is not running\n")
        asked = [*request.query.get("ports", []), *request.query.get("port", [])]
        ports = [int(port) for value in asked for port in value.split(",") if port.isdigit()]
        url = await self._kubelet.runtime.port_forward_url(sandbox.id, ports)
        await streaming.serve(request, url, streams=[], tty=False)

    async def _run(self, request: Request) -> None:
        worker, name = self._target(request)
        command = request.query.get("cmd") or request.query.get("command") or []
        words = command[0].split() if len(command) == 1 else command
        result = await self._kubelet.runtime.exec_sync(self._running(worker, name).id, words, timeout_s=0)
        request.respond(200 if result.exit_code == 0 else 500, result.stdout + result.stderr)

    def _target(self, request: Request) -> tuple[PodWorker, str]:
        """`/action/namespace/pod[/uid][/container]` as a worker and a container's name. Raises Refused."""
        parts = request.path[1:]
        if len(parts) < 2:
            raise Refused(404, "404 page not found\n")
        worker = self._kubelet.find_pod(parts[0], parts[1])
        if worker is None:
            raise Refused(
                404,
                f'pod "{parts[1]}_{parts[0]}" not found\n'
                if request.path[0] != "containerLogs"
                else f'pod "{parts[0]}/{parts[1]}" not found\n',
            )
        return worker, parts[-1] if len(parts) > 2 else ""

    def _running(self, worker: PodWorker, name: str) -> Container:
        container = worker.record.current(name)
        if container is None or not container.running:
            raise Refused(500, f'container not found ("{name}")')
        return container

    def _container_of(self, worker: PodWorker, name: str, *, previous: bool) -> Container:
        """The container whose log is asked for. Raises Refused with upstream's text."""
        pod = worker.pod["metadata"]["name"]
        current = worker.record.current(name)
        if previous:
            container = worker.record.previous(name)
            if current is not None and not current.running and worker.is_backing_off(name):
                container = current
            if container is None:
                raise Refused(400, f'previous terminated container "{name}" in pod "{pod}" not found\n')
            return container
        if current is not None and current.state != "created":
            return current
        reason, message = worker.waiting_reason(name)
        why = _why_no_logs(reason, message)
        raise Refused(400, f'container "{name}" in pod "{pod}" is waiting to start: {why}\n')


def _exists(path: str) -> bool:
    return os.path.isfile(path)


def _why_no_logs(reason: str, message: str) -> str:
    """Upstream names the reason of the image's and the configuration's failures by their message."""
    if reason in ("ErrImagePull", "ImagePullBackOff"):
        return "trying and failing to pull image"
    if reason == "InvalidImageName":
        return "image name is invalid"
    return message or reason or "ContainerCreating"


def _streams(request: Request) -> list[str]:
    return [name for name, flags in STREAM_FLAGS.items() if request.flag(*flags)]


def log_options(request: Request, *, now_s: float) -> logs.Options:
    """Raises Refused 422 for a number that is none."""
    try:
        since_s = None
        if request.first("sinceSeconds"):
            since_s = now_s - int(request.first("sinceSeconds"))
        elif request.first("sinceTime"):
            since_s = parse_time(request.first("sinceTime"))
        return logs.Options(
            follow=request.flag("follow"),
            timestamps=request.flag("timestamps"),
            tail_lines=int(request.first("tailLines")) if request.first("tailLines") else None,
            limit_bytes=int(request.first("limitBytes")) if request.first("limitBytes") else None,
            since_s=since_s,
            stream=request.first("stream") or "All",
        )
    except ValueError as error:
        raise Refused(422, f"{error}\n") from error


def tls_context(certificate: Path | None, key: Path | None, client_ca: Path | None) -> ssl.SSLContext | None:
    """A client without a certificate of the cluster's authority does not get past the handshake."""
    if certificate is None or key is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key)
    if client_ca is not None:
        context.load_verify_locations(client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context

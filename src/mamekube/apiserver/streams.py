"""Subresources that reach into a node: logs, exec, attach, portforward, and the proxies."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from mamekube.apiserver.api import Api
from mamekube.apiserver.kubelets import Kubelets
from mamekube.apiserver.reply import Response
from mamekube.apiserver.request import Request
from mamekube.apiserver.subresources import execution, log, proxy
from mamekube.apiserver.wire.exchange import Exchange
from mamekube.apiserver.writes import CONNECT, Write
from mamekube.kinds import subresources
from mamekube.kinds.kind import Kind
from mamekube.objects.meta import Object

Stream = Callable[[Kubelets, Api, Request, Exchange], Awaitable[Response]]

STREAMS: Mapping[str, Stream] = {
    "attach": execution.attach,
    "exec": execution.execute,
    "log": log.serve,
    "portforward": execution.forward_ports,
    "proxy": proxy.serve,
}


FLAGS = ("stdin", "stdout", "stderr", "tty")


def options_of(request: Request, kind: Kind) -> Object:
    """The query as the object that admission sees: PodExecOptions and the like."""
    described = subresources.describe(kind, request.subresource)
    options: Object = {"kind": described.kind, "apiVersion": described.version or kind.version}
    if request.subresource == "portforward":
        ports = [int(port) for port in request.query.get("ports", ()) if port.isdecimal()]
        return {**options, "ports": ports} if ports else options
    if request.subresource == "proxy":
        return {**options, "path": request.subpath} if request.subpath else options
    options |= {flag: True for flag in FLAGS if request.flag(flag)}
    if request.first("container"):
        options["container"] = request.first("container")
    if request.query.get("command"):
        options["command"] = list(request.query["command"])
    return options


class Streams:
    """Finds the one for a request."""

    def __init__(self, api: Api, *, ca_file: str, certificate_file: str, key_file: str) -> None:
        self._api = api
        self._kubelets = Kubelets(api, ca_file=ca_file, certificate_file=certificate_file, key_file=key_file)

    def serves(self, request: Request) -> bool:
        return request.subresource in STREAMS

    async def serve(self, request: Request, exchange: Exchange) -> Response:
        """Raises StatusError as long as nothing was answered."""
        kind = self._api.kind_of(request)
        if request.subresource != "log":
            write = Write(
                operation=CONNECT,
                kind=kind,
                subresource=request.subresource,
                namespace=request.namespace,
                name=request.name,
                object=options_of(request, kind),
                user=request.user,
                warnings=request.warnings,
            )
            await self._api.admission.mutate(write)
            await self._api.admission.validate(write)
        return await STREAMS[request.subresource](self._kubelets, self._api, request, exchange)

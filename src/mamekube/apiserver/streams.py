"""Subresources that reach into a node: logs, exec, attach, portforward, and the proxies."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

from mamekube.apiserver.api import Api
from mamekube.apiserver.kubelets import Kubelets
from mamekube.apiserver.request import Request
from mamekube.apiserver.subresources import execution, log, proxy
from mamekube.apiserver.writes import CONNECT, Write

Stream = Callable[[Kubelets, Api, Request, web.BaseRequest], Awaitable[web.StreamResponse]]

STREAMS: Mapping[str, Stream] = {
    "attach": execution.attach,
    "exec": execution.execute,
    "log": log.serve,
    "portforward": execution.forward_ports,
    "proxy": proxy.serve,
}


class Streams:
    """Finds the one for a request."""

    def __init__(self, api: Api, *, ca_file: str, certificate_file: str, key_file: str) -> None:
        self._api = api
        self._kubelets = Kubelets(api, ca_file=ca_file, certificate_file=certificate_file, key_file=key_file)

    def serves(self, request: Request) -> bool:
        return request.subresource in STREAMS

    async def serve(self, request: Request, raw: web.BaseRequest) -> web.StreamResponse:
        """Raises StatusError as long as nothing was answered."""
        kind = self._api.kind_of(request)
        if request.subresource != "log":
            write = Write(
                operation=CONNECT,
                kind=kind,
                subresource=request.subresource,
                namespace=request.namespace,
                name=request.name,
                user=request.user,
                warnings=request.warnings,
            )
            await self._api.admission.mutate(write)
            await self._api.admission.validate(write)
        return await STREAMS[request.subresource](self._kubelets, self._api, request, raw)

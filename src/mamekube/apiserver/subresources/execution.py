"""`pods/exec`, `pods/attach` and `pods/portforward`: the client's connection, tunnelled to the kubelet."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote, urlencode

from mamekube.apiserver import tunnel
from mamekube.apiserver.api import Api
from mamekube.apiserver.kubelets import Kubelets
from mamekube.apiserver.reply import Passed
from mamekube.apiserver.request import Request
from mamekube.apiserver.subresources.containers import container_of, pod_of
from mamekube.apiserver.wire.exchange import Exchange
from mamekube.objects.meta import Object
from mamekube.objects.status import bad_request

EXEC_PARAMETERS = ("stdin", "stdout", "stderr", "tty", "command")
ATTACH_PARAMETERS = ("stdin", "stdout", "stderr", "tty")
PORT_PARAMETERS = ("ports",)
KEPT_HERE = frozenset({"authorization", "accept-encoding"})
SHORT_NAMES = {"stdin": "input", "stdout": "output", "stderr": "error"}
"""The kubelet's names of the API's parameters, as they have been since v1.0."""


async def execute(kubelets: Kubelets, api: Api, request: Request, exchange: Exchange) -> Passed:
    pod = await pod_of(api, request)
    container = container_of(pod, request.first("container"))
    if not request.query.get("command"):
        raise bad_request("you must specify at least 1 command for the container")
    return await _tunnel(kubelets, request, exchange, pod, ("exec", container), EXEC_PARAMETERS)


async def attach(kubelets: Kubelets, api: Api, request: Request, exchange: Exchange) -> Passed:
    pod = await pod_of(api, request)
    container = container_of(pod, request.first("container"))
    return await _tunnel(kubelets, request, exchange, pod, ("attach", container), ATTACH_PARAMETERS)


async def forward_ports(kubelets: Kubelets, api: Api, request: Request, exchange: Exchange) -> Passed:
    pod = await pod_of(api, request)
    return await _tunnel(kubelets, request, exchange, pod, ("portForward", ""), PORT_PARAMETERS)


async def _tunnel(
    kubelets: Kubelets,
    request: Request,
    exchange: Exchange,
    pod: Object,
    target: tuple[str, str],
    parameters: Iterable[str],
) -> Passed:
    if not exchange.upgrades:
        raise bad_request("Upgrade request required")
    node = pod["spec"].get("nodeName")
    if not node:
        raise bad_request(f"pod {request.name} does not have a host assigned")
    place = await kubelets.place_of(node)
    action, container = target
    segments = [action, request.namespace, request.name, container]
    path = "/" + "/".join(quote(segment, safe="") for segment in segments if segment)
    query = urlencode(_for_kubelet(request, parameters))
    reader, writer = await kubelets.connect(place)
    head = tunnel.request_head(
        exchange, f"{path}?{query}" if query else path, host=f"{place.host}:{place.port}", without=KEPT_HERE
    )
    return await tunnel.join(exchange, head, reader, writer)


def _for_kubelet(request: Request, parameters: Iterable[str]) -> list[tuple[str, str]]:
    query: list[tuple[str, str]] = []
    for key in parameters:
        values = request.query.get(key) or []
        if key in SHORT_NAMES or key == "tty":
            if request.flag(key):
                query.append((SHORT_NAMES.get(key, key), "1"))
        else:
            query += [("ports" if key == "ports" else key, value) for value in values]
    return query

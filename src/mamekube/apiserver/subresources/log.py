"""`pods/log`: what a container has written, as the kubelet tells it."""

from __future__ import annotations

from urllib.parse import quote, urlencode

from mamekube.apiserver.api import Api
from mamekube.apiserver.kubelets import Kubelets
from mamekube.apiserver.reply import Reply, Response, Stream
from mamekube.apiserver.request import Request, parse_int
from mamekube.apiserver.subresources.containers import container_of, pod_of
from mamekube.apiserver.webhook_client import dial_reason, reason_of
from mamekube.apiserver.wire.exchange import Exchange
from mamekube.objects import fielderrors, status
from mamekube.objects.resource import Resource
from mamekube.objects.status import StatusError, bad_request, internal_error

OPTIONS = Resource(group="", version="v1", plural="", kind="PodLogOptions")
FLAGS = ("follow", "previous", "timestamps", "insecureSkipTLSVerifyBackend")
VALUES = ("sinceSeconds", "sinceTime", "tailLines", "limitBytes", "stream")


async def serve(kubelets: Kubelets, api: Api, request: Request, exchange: Exchange) -> Response:
    """Raises 400, 404, 422; and 500 where the kubelet cannot be reached."""
    pod = await pod_of(api, request)
    _check(request)
    container = container_of(pod, request.first("container"))
    headers = {
        "Content-Type": "text/plain",
        "Cache-Control": "no-cache, private",
        "Audit-Id": request.audit_id,
    }
    node = pod["spec"].get("nodeName")
    if not node:
        # A pod without a node has written nothing yet.
        return Reply(exchange, 200, headers, b"")
    place = await kubelets.place_of(node)
    path = "/".join(
        quote(part, safe="") for part in ("containerLogs", request.namespace, request.name, container)
    )
    query = [(flag, "true") for flag in FLAGS if request.flag(flag)]
    query += [(key, request.first(key)) for key in VALUES if request.first(key)]
    url = f"https://{place.host}:{place.port}/{path}"
    if query:
        url += f"?{urlencode(sorted(query))}"
    from mamekube.client.aiohttp_import import aiohttp

    limits = aiohttp.ClientTimeout(total=None, sock_connect=5)
    async with aiohttp.ClientSession(timeout=limits, auto_decompress=False) as session:
        try:
            answer = await session.get(url, ssl=kubelets.context())
        except TimeoutError as error:
            raise _away(url, dial_reason(place.host, place.port, error)) from None
        except (aiohttp.ClientError, OSError) as error:
            raise _away(url, reason_of(error)) from None
        async with answer:
            if answer.status != 200:
                raise _refused(answer.status, await answer.text())
            stream = Stream(exchange, headers, endless=request.flag("follow"))
            stream.begin()
            try:
                async for chunk in answer.content.iter_any():
                    await stream.write(chunk)
            except aiohttp.ClientError as error:
                raise ConnectionResetError("the kubelet broke off its answer") from error
            return stream


def _away(url: str, why: str) -> StatusError:
    return StatusError(500, "", f'Get "{url}": {why}')


def _check(request: Request) -> None:
    errors = []
    for key, least, rule in (
        ("tailLines", 0, "must be greater than or equal to 0"),
        ("limitBytes", 1, "must be greater than 0"),
        ("sinceSeconds", 1, "must be greater than 0"),
    ):
        number = parse_int(request, key)
        if number is not None and number < least:
            errors.append(fielderrors.invalid(key, number, rule))
    if request.first("sinceSeconds") and request.first("sinceTime"):
        errors.append(
            fielderrors.forbidden("", "at most one of `sinceTime` or `sinceSeconds` may be specified")
        )
    if errors:
        raise status.invalid(OPTIONS, request.name, errors)


def _refused(code: int, text: str) -> StatusError:
    """The kubelet's refusal, as upstream hands it on."""
    message = text.strip()
    if code == 400:
        return bad_request(message)
    if code == 404:
        return StatusError(
            404, "NotFound", message or "the server could not find the requested resource", details={}
        )
    return internal_error(message)

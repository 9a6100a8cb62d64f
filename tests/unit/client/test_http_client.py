"""The HTTP client against servers that are busy, broken, or no API server at all."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from mamekube.client.http import HttpClient
from mamekube.client.kubeconfig import ClientConfig
from mamekube.objects.resource import Resource
from mamekube.objects.status import StatusError, too_many_requests

PODS = Resource(group="", version="v1", plural="pods", kind="Pod")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def client_of(handler: Handler, **config: str) -> AsyncIterator[HttpClient]:
    runner = web.ServerRunner(web.Server(handler))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        async with HttpClient(ClientConfig(server=f"http://127.0.0.1:{port}", **config)) as client:  # type: ignore[arg-type]
            yield client
    finally:
        await runner.cleanup()


async def test_a_busy_server_is_asked_again_when_it_says() -> None:
    asked = 0

    async def handle(request: web.Request) -> web.Response:
        nonlocal asked
        asked += 1
        if asked < 3:
            refused = too_many_requests("busy", retry_after_s=0)
            return web.json_response(refused.status, status=429, headers={"Retry-After": "0"})
        return web.json_response({"kind": "Pod", "metadata": {"name": "a"}})

    async with client_of(handle) as client:
        assert (await client.get(PODS, "a", namespace="default"))["metadata"]["name"] == "a"
    assert asked == 3


async def test_a_refusal_without_retry_after_is_final() -> None:
    async def handle(request: web.Request) -> web.Response:
        return web.json_response(too_many_requests("disruption budget").status, status=429)

    async with client_of(handle) as client:
        with pytest.raises(StatusError) as refused:
            await client.get(PODS, "a", namespace="default")
    assert (refused.value.code, refused.value.message) == (429, "disruption budget")


@pytest.mark.parametrize(
    ("code", "body", "reason", "message"),
    [
        (404, "404 page not found\n", "NotFound", "404 page not found"),
        (502, "", "", "HTTP status 502"),
        (500, '{"kind":"Other"}', "", '{"kind":"Other"}'),
    ],
)
async def test_what_is_no_status_is_told_as_it_came(code: int, body: str, reason: str, message: str) -> None:
    async def handle(request: web.Request) -> web.Response:
        return web.Response(status=code, text=body)

    async with client_of(handle) as client:
        with pytest.raises(StatusError) as refused:
            await client.list(PODS)
    assert (refused.value.code, refused.value.reason, refused.value.message) == (code, reason, message)


async def test_a_watch_whose_server_dies_ends_after_what_came() -> None:
    async def handle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.enable_chunked_encoding()
        await response.prepare(request)
        await response.write(b'{"type":"ADDED","object":{"metadata":{"name":"a"}}}\n{"type":"AD')
        assert request.transport is not None
        request.transport.abort()
        return response

    async with client_of(handle) as client, client.watch(PODS, revision="1") as events:
        assert [event.object["metadata"]["name"] async for event in events] == ["a"]


async def test_requests_carry_the_token_and_escape_what_they_name() -> None:
    seen: list[str] = []

    async def handle(request: web.Request) -> web.Response:
        seen.extend([request.headers["Authorization"], request.raw_path])
        return web.json_response({"items": None, "metadata": {"resourceVersion": "5"}})

    async with client_of(handle, token="secret") as client:
        listing = await client.list(PODS, namespace="default", label_selector="a in (b,c),d=ü", limit=3)
    assert (listing.items, listing.revision) == ([], "5")
    assert seen == [
        "Bearer secret",
        "/api/v1/namespaces/default/pods?labelSelector=a+in+%28b%2Cc%29%2Cd%3D%C3%BC&limit=3",
    ]


async def test_a_stream_comes_as_it_is_sent() -> None:
    async def handle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for line in (b"one\n", b"two\n"):
            await response.write(line)
        return response

    async with client_of(handle) as client, client.stream("/logs", query={"follow": "true"}) as chunks:
        assert b"".join([chunk async for chunk in chunks]) == b"one\ntwo\n"

"""The proxy of our kubectl hands on what comes, as it comes, and nothing of its own."""

import asyncio
import os
import socket
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from mamekube.kubectl.commands import proxy
from mamekube.kubectl.flags import Arguments
from mamekube.kubectl.session import Session


@asynccontextmanager
async def serving(handle):
    runner = web.ServerRunner(web.Server(handle))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def proxied(handle, monkeypatch, tmp_path):
    """A client, and the address of a proxy before a server that answers with `handle`."""
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    async with serving(handle) as server, aiohttp.ClientSession() as client:
        session = Session(Arguments(flags={"server": server}))
        async with serving(proxy._Proxy(session, None, client).handle) as place:
            yield client, place


async def test_a_client_that_takes_no_packed_answers_gets_none(monkeypatch, tmp_path):
    seen = []

    async def handle(request):
        seen.append(request.headers)
        return web.json_response({})

    async with proxied(handle, monkeypatch, tmp_path) as (client, place):
        kept = {"skip_auto_headers": ("Accept", "Accept-Encoding", "User-Agent")}
        await client.get(f"{place}/api", **kept)
        await client.get(f"{place}/api", headers={"Accept-Encoding": "gzip"}, **kept)
    assert [headers.get("Accept-Encoding") for headers in seen] == [None, "gzip"]
    assert not any(name in seen[0] for name in ("Accept", "Content-Type", "User-Agent"))


async def test_an_answer_that_breaks_off_is_no_whole_one(monkeypatch, tmp_path):
    async def handle(request):
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"half")
        request.transport.abort()
        return response

    async with asyncio.timeout(20), proxied(handle, monkeypatch, tmp_path) as (client, place):
        answer = await client.get(f"{place}/api")
        assert answer.status == 200
        with pytest.raises(aiohttp.ClientError):
            await answer.read()


async def test_a_socket_that_the_server_refuses_is_refused(monkeypatch, tmp_path):
    async def handle(request):
        return web.Response(status=403, text="no")

    async with proxied(handle, monkeypatch, tmp_path) as (client, place):
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await client.ws_connect(f"{place}/api")
    assert refused.value.status == 403


def test_only_a_socket_makes_room_for_a_socket(tmp_path):
    file, left = tmp_path / "file", tmp_path / "left"
    file.write_text("dear")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(left))
    for path in (file, left, tmp_path / "none"):
        proxy._remove_socket(str(path))
    assert os.listdir(tmp_path) == ["file"]

"""exec, attach and port-forward: the client's connection joined to the runtime's streaming server.

SPDY and the older WebSocket protocols are passed through, as the runtime speaks them itself. Two newer ones it
does not know, and they are translated to SPDY here: `v5.channel.k8s.io`, whose clients can close stdin, and
`SPDY/3.1+portforward.k8s.io`, which is SPDY inside of WebSocket messages.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from typing import Any

from mamekube.kubelet import spdy, tunnel, websocket
from mamekube.kubelet.http_server import Refused, Request

CHANNEL_V5 = "v5.channel.k8s.io"
SPDY_FORWARD = "SPDY/3.1+portforward.k8s.io"
SPDY_EXEC_PROTOCOL = "v4.channel.k8s.io"
SPDY_FORWARD_PROTOCOL = "portforward.k8s.io"
STDIN, STDOUT, STDERR, ERROR, RESIZE = range(5)
CLOSE_CHANNEL = 255
STREAM_TYPES = {STDIN: "stdin", STDOUT: "stdout", STDERR: "stderr", ERROR: "error", RESIZE: "resize"}
CHUNK_BYTES = 32 * 1024


async def serve(request: Request, url: str, *, streams: list[str], tty: bool) -> None:
    """Join the client to `url`; returns when the session is over. Raises Refused before it has begun.

    Without `streams` it is a port-forward, whose clients may offer exec's protocols, too.
    """
    if request.is_websocket:
        offered = websocket.protocols(request.headers.get("sec-websocket-protocol", ""))
        if streams and CHANNEL_V5 in offered:
            await _serve_channels(request, url, streams=streams, tty=tty)
            return
        if SPDY_FORWARD in offered:
            await _serve_wrapped(request, url)
            return
    reader, writer, target = await tunnel.connect(url)
    host = url.split("/")[2]
    writer.write(tunnel.request_head(request.method, target, request.headers, host=host))
    await writer.drain()
    await tunnel.join((request.reader, request.writer), (reader, writer))


async def _open_spdy(url: str, protocol: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer, target = await tunnel.connect(url)
    headers = {
        "connection": "Upgrade",
        "upgrade": "SPDY/3.1",
        "x-stream-protocol-version": protocol,
        "content-length": "0",
    }
    writer.write(tunnel.request_head("POST", target, headers, host=url.split("/")[2]))
    await writer.drain()
    head = await reader.readuntil(b"\r\n\r\n")
    answer = head.split(b"\r\n")[0].decode("latin-1")
    if " 101 " not in answer:
        writer.close()
        raise Refused(500, f"unable to upgrade connection: {answer}")
    return reader, writer


def _accept(request: Request, protocol: str) -> None:
    headers = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Accept": websocket.accept_key(request.headers.get("sec-websocket-key", "")),
        "Sec-WebSocket-Protocol": protocol,
    }
    request.begin(101, headers)


async def _messages(request: Request) -> AsyncIterator[bytes]:
    """The client's messages until it closes; pings are answered on the way."""
    decoder = websocket.Decoder()
    while data := await request.reader.read(CHUNK_BYTES):
        for opcode, payload in decoder.feed(data):
            if opcode == websocket.CLOSE:
                return
            if opcode == websocket.PING:
                request.writer.write(websocket.encode(websocket.PONG, payload))
            elif opcode in (websocket.BINARY, websocket.TEXT):
                yield payload


async def _serve_wrapped(request: Request, url: str) -> None:
    """SPDY in WebSocket messages on the client's side, plain SPDY on the runtime's."""
    reader, writer = await _open_spdy(url, SPDY_FORWARD_PROTOCOL)
    _accept(request, SPDY_FORWARD)

    async def inward() -> None:
        async for payload in _messages(request):
            writer.write(payload)
            await writer.drain()

    async def outward() -> None:
        while data := await reader.read(CHUNK_BYTES):
            request.writer.write(websocket.encode(websocket.BINARY, data))
            await request.writer.drain()

    await _both(request, writer, inward(), outward())


async def _serve_channels(request: Request, url: str, *, streams: list[str], tty: bool) -> None:
    """A WebSocket message is a channel's number and its data; a SPDY stream stands for each channel."""
    reader, writer = await _open_spdy(url, SPDY_EXEC_PROTOCOL)
    session = spdy.Session()
    numbers: dict[int, int] = {}
    wanted = [ERROR, *(channel for channel in (STDIN, STDOUT, STDERR) if STREAM_TYPES[channel] in streams)]
    for channel in [*wanted, RESIZE] if tty else wanted:
        number, frame = session.open_stream({"streamtype": STREAM_TYPES[channel]})
        numbers[channel] = number
        writer.write(frame)
    await writer.drain()
    _accept(request, CHANNEL_V5)
    channels = {number: channel for channel, number in numbers.items()}

    async def inward() -> None:
        async for payload in _messages(request):
            if not payload:
                continue
            channel, data = payload[0], payload[1:]
            if channel == CLOSE_CHANNEL and data and data[0] in numbers:
                writer.write(session.data(numbers[data[0]], b"", fin=True))
            elif channel in numbers and data:
                writer.write(session.data(numbers[channel], data))
            await writer.drain()

    async def outward() -> None:
        open_streams = {number for channel, number in numbers.items() if channel not in (STDIN, RESIZE)}
        while open_streams and (received := await reader.read(CHUNK_BYTES)):
            for frame in session.feed(received):
                if frame.kind == spdy.PING:
                    writer.write(session.pong(frame))
                elif frame.kind == 0 and frame.data and frame.stream in channels:
                    message = bytes((channels[frame.stream],)) + frame.data
                    request.writer.write(websocket.encode(websocket.BINARY, message))
                if frame.fin or frame.kind == spdy.RST_STREAM:
                    open_streams.discard(frame.stream)
            await request.writer.drain()

    await _both(request, writer, inward(), outward())


async def _both(
    request: Request,
    writer: asyncio.StreamWriter,
    inward: Coroutine[Any, Any, None],
    outward: Coroutine[Any, Any, None],
) -> None:
    """Run the two directions until the runtime's side ends or the client goes; then close cleanly."""
    tasks = [asyncio.create_task(inward), asyncio.create_task(outward)]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        writer.close()
        with contextlib.suppress(ConnectionError):
            request.writer.write(websocket.encode_close())
            await request.writer.drain()

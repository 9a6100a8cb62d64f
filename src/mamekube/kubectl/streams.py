"""The streams behind exec, attach and port-forward: channels in a WebSocket.

Every message begins with a byte that names its channel: 0 input, 1 output, 2 errors, 3 how it ended (a Status),
4 the terminal's size, 255 (v5) that a channel was closed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import struct
import sys
import termios
import tty as terminal
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any
from urllib.parse import urlencode

import aiohttp
from multidict import CIMultiDict

from mamekube.client.kubeconfig import ClientConfig
from mamekube.client.tls import client_context
from mamekube.kubectl.failures import Failure
from mamekube.kubectl.transport import credential_headers

PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
STDIN, STDOUT, STDERR, ERROR, RESIZE, CLOSE = 0, 1, 2, 3, 4, 255
CHUNK_BYTES = 32_768
MESSAGE_BYTES_MAX = 4 * 1024 * 1024


Read = Callable[[], Awaitable[bytes]]
"""The next part of what a command reads; nothing at the end."""
Write = Callable[[bytes], None]


def run_command(
    config: ClientConfig, path: str, query: Sequence[tuple[str, str]], *, stdin: bool, tty: bool
) -> tuple[int, str]:
    """Run the stream to its end; the exit code of the command, and what to say about it."""
    return asyncio.run(_run_command(config, path, query, stdin=stdin, tty=tty))


def exchange(
    config: ClientConfig,
    path: str,
    query: Sequence[tuple[str, str]],
    *,
    source: Callable[[], bytes] | None,
    sink: Write,
) -> tuple[int, str]:
    """The same with another source and another sink than this process's own; `source` may take its time."""

    async def read() -> bytes:
        return await asyncio.to_thread(source) if source is not None else b""

    async def run() -> tuple[int, str]:
        async with _connected(config, f"{path}?{urlencode(query)}", PROTOCOLS) as socket:
            feeding = asyncio.ensure_future(_copy(read, socket)) if source is not None else None
            try:
                return await _read(socket, sink)
            finally:
                if feeding is not None:
                    feeding.cancel()

    return asyncio.run(run())


async def _run_command(
    config: ClientConfig, path: str, query: Sequence[tuple[str, str]], *, stdin: bool, tty: bool
) -> tuple[int, str]:
    async with _connected(config, f"{path}?{urlencode(query)}", PROTOCOLS) as socket:
        with _raw_terminal() if tty else contextlib.nullcontext():
            feeding = [asyncio.ensure_future(_feed(socket))] if stdin else []
            if tty:
                await _report_size(socket)
                asyncio.get_running_loop().add_signal_handler(
                    signal.SIGWINCH, lambda: asyncio.ensure_future(_report_size(socket))
                )
            try:
                return await _read(socket, lambda data: _write(1, data))
            finally:
                for task in feeding:
                    task.cancel()


@contextlib.asynccontextmanager
async def _connected(config: ClientConfig, target: str, protocols: Sequence[str]) -> Any:
    async with aiohttp.ClientSession() as session:
        try:
            socket = await session.ws_connect(
                config.server.rstrip("/") + target,
                protocols=protocols,
                ssl=client_context(config) if config.server.startswith("https") else False,
                headers=CIMultiDict(credential_headers(config)),
                max_msg_size=MESSAGE_BYTES_MAX,
                autoping=True,
            )
        except aiohttp.WSServerHandshakeError as error:
            raise Failure(f"error: unable to upgrade connection: {error.status} {error.message}") from None
        except aiohttp.ClientError as error:
            raise Failure(f"Unable to connect to the server: {error}") from None
        async with socket:
            yield socket


async def _read(socket: aiohttp.ClientWebSocketResponse, out: Write) -> tuple[int, str]:
    async for message in socket:
        if message.type is not aiohttp.WSMsgType.BINARY or not message.data:
            continue
        channel, data = message.data[0], message.data[1:]
        if channel == STDOUT:
            out(data)
        elif channel == STDERR:
            _write(2, data)
        elif channel == ERROR:
            return _outcome(data)
    return 0, ""


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def _outcome(data: bytes) -> tuple[int, str]:
    status = json.loads(data)
    if status.get("status") == "Success":
        return 0, ""
    for cause in (status.get("details") or {}).get("causes") or ():
        if cause.get("reason") == "ExitCode":
            return int(cause["message"]), f"command terminated with exit code {cause['message']}"
    return 1, f"error: {status.get('message', '')}"


async def _feed(socket: aiohttp.ClientWebSocketResponse) -> None:
    """Copy standard input to its channel until it ends, then say so."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    try:
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(os.dup(0), "rb"))
        read: Callable[[], Any] = lambda: reader.read(CHUNK_BYTES)  # noqa: E731
    except ValueError:
        # A plain file cannot be waited for, and need not be.
        read = lambda: asyncio.to_thread(os.read, 0, CHUNK_BYTES)  # noqa: E731
    await _copy(read, socket)


async def _copy(read: Read, socket: aiohttp.ClientWebSocketResponse) -> None:
    while data := await read():
        await socket.send_bytes(bytes([STDIN]) + data)
    if socket.protocol == PROTOCOLS[0]:
        await socket.send_bytes(bytes([CLOSE, STDIN]))


async def _report_size(socket: aiohttp.ClientWebSocketResponse) -> None:
    size = os.get_terminal_size(0)
    text = json.dumps({"Width": size.columns, "Height": size.lines})
    await socket.send_bytes(bytes([RESIZE]) + text.encode())


@contextlib.contextmanager
def _raw_terminal() -> Iterator[None]:
    before = termios.tcgetattr(0)
    # What was typed already is kept: it belongs to the command.
    terminal.setraw(0, termios.TCSANOW)
    try:
        yield
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)


# Port forwarding --------------------------------------------------------------------------------------


def forward_ports(
    config: ClientConfig,
    path: str,
    pairs: Sequence[tuple[int, int]],
    *,
    addresses: Sequence[str],
    say: Callable[[str], None],
) -> int:
    """Listen on local ports until interrupted; every connection is a WebSocket of its own."""
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_forward_ports(config, path, pairs, addresses=addresses, say=say))
    return 0


async def _forward_ports(
    config: ClientConfig,
    path: str,
    pairs: Sequence[tuple[int, int]],
    *,
    addresses: Sequence[str],
    say: Callable[[str], None],
) -> None:
    servers = []
    for local, remote in pairs:
        for address in addresses:

            async def serve(
                reader: asyncio.StreamReader,
                writer: asyncio.StreamWriter,
                *,
                local: int = local,
                remote: int = remote,
            ) -> None:
                say(f"Handling connection for {local}")
                await _forward(config, path, remote, reader, writer)

            server = await asyncio.start_server(
                serve, "127.0.0.1" if address == "localhost" else address, local
            )
            port = server.sockets[0].getsockname()[1]
            say(f"Forwarding from {address}:{port} -> {remote}")
            sys.stdout.flush()
            servers.append(server)
    await asyncio.gather(*(server.serve_forever() for server in servers))


async def _forward(
    config: ClientConfig, path: str, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    try:
        async with _connected(config, f"{path}?ports={port}", ("v4.channel.k8s.io",)) as socket:
            sending = asyncio.ensure_future(_send(socket, reader))
            try:
                await _receive(socket, writer)
            finally:
                sending.cancel()
    finally:
        writer.close()


async def _send(socket: aiohttp.ClientWebSocketResponse, reader: asyncio.StreamReader) -> None:
    while data := await reader.read(CHUNK_BYTES):
        await socket.send_bytes(b"\x00" + data)


async def _receive(socket: aiohttp.ClientWebSocketResponse, writer: asyncio.StreamWriter) -> None:
    announced: set[int] = set()
    async for message in socket:
        if message.type is not aiohttp.WSMsgType.BINARY or not message.data:
            continue
        channel, data = message.data[0], message.data[1:]
        if channel not in announced:
            # The first message of each channel repeats the port's number.
            announced.add(channel)
            data = data[struct.calcsize("<H") :]
        if channel == 0 and data:
            writer.write(data)
            await writer.drain()
        elif channel == 1 and data:
            raise Failure(f"error: {data.decode(errors='replace')}")

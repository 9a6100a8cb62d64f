"""kubectl proxy: the API on a port or socket of this machine, for whoever reaches it, as this user."""

from __future__ import annotations

import asyncio
import contextlib
import mimetypes
import os
import re
import stat
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from mamekube.client.tls import client_context
from mamekube.kubectl.failures import Failure
from mamekube.kubectl.flags import Flag
from mamekube.kubectl.session import Session
from mamekube.kubectl.transport import credential_headers

FLAGS = (
    Flag("port", "int", short="p"),
    Flag("address"),
    Flag("unix-socket", short="u"),
    Flag("api-prefix"),
    Flag("append-server-path", "bool"),
    Flag("accept-hosts"),
    Flag("accept-paths"),
    Flag("reject-paths"),
    Flag("reject-methods"),
    Flag("disable-filter", "bool"),
    Flag("www", short="w"),
    Flag("www-prefix", short="P"),
    Flag("keepalive", "duration"),
)
PORT_DEFAULT, PORT_MAX = 8001, 65_535
ACCEPTED_HOSTS = r"^localhost$,^127\.0\.0\.1$,^\[::1\]$"
ACCEPTED_PATHS = "^.*"
REJECTED_PATHS = "^/api/.*/pods/.*/exec,^/api/.*/pods/.*/attach"
REJECTED_METHODS = "^$"
HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "host"}
)
"""Headers that are between two neighbours."""
OWN_HEADERS = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")
"""What the client library would say where the client behind says nothing, as that it takes packed answers."""
CHUNK_BYTES = 65_536


def run(session: Session) -> int:
    if session.arguments.given("port") and session.flag("unix-socket"):
        raise Failure("error: cannot set --unix-socket and --port at the same time")
    port = session.flag("port", PORT_DEFAULT)
    if not 0 <= port <= PORT_MAX:
        raise Failure(f"error: listen tcp: address {port}: invalid port")
    if session.flag("disable-filter"):
        if not session.flag("unix-socket"):
            session.warn(
                "Request filter disabled, your proxy is vulnerable to XSRF attacks, please be cautious"
            )
        wall = None
    else:
        wall = Wall(session)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(session, wall))
    return 0


class Wall:
    """Which requests pass: those of this machine's own pages, and none that run commands in containers."""

    def __init__(self, session: Session) -> None:
        self._hosts = _patterns(session.flag("accept-hosts", ACCEPTED_HOSTS), "accept-hosts")
        self._paths = _patterns(session.flag("accept-paths", ACCEPTED_PATHS), "accept-paths")
        self._rejected = _patterns(session.flag("reject-paths", REJECTED_PATHS), "reject-paths")
        self._methods = _patterns(session.flag("reject-methods", REJECTED_METHODS), "reject-methods")

    def passes(self, method: str, path: str, host: str) -> bool:
        name = re.sub(r":\d+$", "", host)
        return (
            not _any(self._rejected, path)
            and not _any(self._methods, method)
            and _any(self._paths, path)
            and _any(self._hosts, name)
        )


def _patterns(text: str, flag: str) -> list[re.Pattern[str]]:
    try:
        return [re.compile(part) for part in text.split(",") if part]
    except re.error as error:
        raise Failure(f"error: unable to parse --{flag}: {error}") from None


def _any(patterns: Sequence[re.Pattern[str]], text: str) -> bool:
    return any(pattern.search(text) for pattern in patterns)


async def _serve(session: Session, wall: Wall | None) -> None:
    async with aiohttp.ClientSession(auto_decompress=False) as client:
        proxy = _Proxy(session, wall, client)
        runner = web.ServerRunner(web.Server(proxy.handle))
        await runner.setup()
        try:
            place = await _listen(session, runner)
            session.print(f"Starting to serve on {place}")
            sys.stdout.flush()
            await asyncio.Event().wait()
        finally:
            await runner.cleanup()


async def _listen(session: Session, runner: web.ServerRunner) -> str:
    """Where it listens, as it is told."""
    path = session.flag("unix-socket")
    address, port = session.flag("address", "127.0.0.1"), session.flag("port", PORT_DEFAULT)
    try:
        if path:
            _remove_socket(path)
            # Whoever can open the socket is this user to the server.
            before = os.umask(0o077)
            try:
                await web.UnixSite(runner, path).start()
            finally:
                os.umask(before)
            return str(path)
        await web.TCPSite(runner, address, port).start()
    except OSError as error:
        network, place = ("unix", path) if path else ("tcp", f"{address}:{port}")
        reason = os.strerror(error.errno or 0).lower()
        raise Failure(f"error: listen {network} {place}: bind: {reason}") from None
    host, taken = runner.addresses[0][:2]
    return f"[{host}]:{taken}" if ":" in str(host) else f"{host}:{taken}"


def _remove_socket(path: str) -> None:
    """A socket that somebody left, but nothing else of that name."""
    with contextlib.suppress(FileNotFoundError):
        if stat.S_ISSOCK(os.stat(path).st_mode):
            os.unlink(path)


class _Proxy:
    """Hands requests on with the user's credentials, and answers with files under the prefix of --www."""

    def __init__(self, session: Session, wall: Wall | None, client: aiohttp.ClientSession) -> None:
        config = session.config
        self._wall = wall
        self._client = client
        self._server = config.server.rstrip("/")
        self._credentials = credential_headers(config)
        self._tls = client_context(config) if self._server.startswith("https") else False
        self._prefix = _slashed(session.flag("api-prefix", "/"))
        self._folder = session.flag("www", "")
        self._www_prefix = _slashed(session.flag("www-prefix", "/static/"))
        if not session.flag("append-server-path"):
            server = urlsplit(self._server)
            self._server = f"{server.scheme}://{server.netloc}"

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if self._wall is not None and not self._wall.passes(request.method, request.path, request.host):
            return web.Response(status=403, text="Forbidden\n")
        if self._folder and request.path.startswith(self._www_prefix):
            return self._file(request.path[len(self._www_prefix) :])
        if not request.path_qs.startswith(self._prefix):
            return web.Response(status=404, text="404 page not found\n")
        target = self._server + "/" + request.path_qs[len(self._prefix) :]
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._socket(request, target)
        return await self._pass_on(request, target)

    async def _pass_on(self, request: web.BaseRequest, target: str) -> web.StreamResponse:
        body = request.content if request.body_exists else None
        response: web.StreamResponse | None = None
        try:
            async with self._client.request(
                request.method,
                URL(target, encoded=True),
                headers=self._headers(request),
                data=body,
                ssl=self._tls,
                allow_redirects=False,
                skip_auto_headers=OWN_HEADERS,
                timeout=aiohttp.ClientTimeout(total=None),
            ) as answer:
                response = web.StreamResponse(status=answer.status, reason=answer.reason)
                for name, value in answer.headers.items():
                    if name.lower() not in HOP_BY_HOP:
                        response.headers.add(name, value)
                await response.prepare(request)
                # As it comes: a watch shows every change at once.
                async for chunk in answer.content.iter_any():
                    await response.write(chunk)
                await response.write_eof()
                return response
        except aiohttp.ClientError as error:
            if response is not None and request.transport is not None:
                # Too late for another answer: that this one broke off shows in how its connection ends.
                request.transport.abort()
            return response or web.Response(status=502, text=f"{error}\n")

    async def _socket(self, request: web.BaseRequest, target: str) -> web.StreamResponse:
        asked = [part.strip() for part in request.headers.get("Sec-WebSocket-Protocol", "").split(",")]
        protocols = [protocol for protocol in asked if protocol]
        try:
            outer = await self._client.ws_connect(
                URL(target, encoded=True),
                protocols=protocols,
                headers=CIMultiDict(self._credentials),
                ssl=self._tls,
                max_msg_size=0,
            )
        except aiohttp.WSServerHandshakeError as error:
            return web.Response(status=error.status, text=f"{error.message}\n")
        except aiohttp.ClientError as error:
            return web.Response(status=502, text=f"{error}\n")
        async with outer:
            inner = web.WebSocketResponse(
                protocols=[outer.protocol] if outer.protocol else (), max_msg_size=0
            )
            await inner.prepare(request)
            copies = {
                asyncio.ensure_future(_copy_messages(inner, outer)),
                asyncio.ensure_future(_copy_messages(outer, inner)),
            }
            _, left = await asyncio.wait(copies, return_when=asyncio.FIRST_COMPLETED)
            for task in left:
                task.cancel()
            await inner.close()
            return inner

    def _headers(self, request: web.BaseRequest) -> CIMultiDict[str]:
        headers = CIMultiDict(
            (name, value) for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP
        )
        for name, value in self._credentials:
            headers.popall(name, None)
            headers.add(name, value)
        return headers

    def _file(self, name: str) -> web.Response:
        root = Path(self._folder).resolve()
        path = (root / unquote(name)).resolve()
        if path.is_dir():
            path /= "index.html"
        if not path.is_relative_to(root) or not path.is_file():
            return web.Response(status=404, text="404 page not found\n")
        kind, _ = mimetypes.guess_type(path.name)
        charset = "; charset=utf-8" if (kind or "").startswith("text/") else ""
        headers = {"Content-Type": f"{kind or 'application/octet-stream'}{charset}"}
        return web.Response(body=path.read_bytes(), headers=headers)


async def _copy_messages(
    source: web.WebSocketResponse | aiohttp.ClientWebSocketResponse,
    sink: web.WebSocketResponse | aiohttp.ClientWebSocketResponse,
) -> None:
    async for message in source:
        if message.type is aiohttp.WSMsgType.BINARY:
            await sink.send_bytes(message.data)
        elif message.type is aiohttp.WSMsgType.TEXT:
            await sink.send_str(message.data)


def _slashed(prefix: str) -> str:
    return f"/{prefix.strip('/')}/".replace("//", "/")

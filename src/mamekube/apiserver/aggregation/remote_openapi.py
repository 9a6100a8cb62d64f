"""The OpenAPI documents of other servers: asked for when somebody wants ours, and kept for a while.

A server that does not answer, or not well, never keeps ours from being served: what it said the last time counts.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from mamekube.apiserver.aggregation.apiservices import AGGREGATOR, ApiServices, Remote
from mamekube.apiserver.formats import codec
from mamekube.apiserver.openapi.merging import NOTHING, Part, part_of
from mamekube.objects.status import StatusError

log = logging.getLogger(__name__)

FRESH_S = 60.0
"""How long an answer counts. Upstream: the period of its downloads."""
PATIENCE_S = 5.0
"""How long a document of ours waits for one of theirs."""
DOCUMENT_BYTES_MAX = 32 * 2**20
RELAYED = ("Content-Type", "Etag", "Cache-Control", "Vary", "Location")

Answer = tuple[int, dict[str, str], bytes]


@dataclass(slots=True)
class _Known:
    asked_s: float = float("-inf")
    part: Part = NOTHING
    etag: str = ""
    """Of version 2."""
    entries: Mapping[str, Any] = field(default_factory=dict)
    """Of the index of version 3."""


class RemoteOpenApi:
    """Knows what other servers say of what they serve."""

    def __init__(self, services: ApiServices) -> None:
        self._services = services
        self._known: dict[tuple[str, str], _Known] = {}
        self._refreshing: asyncio.Task[None] | None = None

    async def parts(self) -> list[Part]:
        """What their documents of version 2 add to ours."""
        await self._refresh()
        return [known.part for _, known in sorted(self._known.items()) if known.part is not NOTHING]

    async def entries(self) -> dict[str, Any]:
        """The entries of their indexes of version 3, by path."""
        await self._refresh()
        found: dict[str, Any] = {}
        for _, known in sorted(self._known.items()):
            found |= known.entries
        return found

    def find(self, name: str) -> Remote | None:
        """The server of `apis/GROUP/VERSION`."""
        parts = name.split("/")
        if len(parts) != 3 or parts[0] != "apis":
            return None
        return self._services.remotes.get((parts[1], parts[2]))

    async def forward(self, remote: Remote, *, hash_: str, accept: str, if_none_match: str) -> Answer:
        """The document of version 3 as the other server has it; 503 while it does not answer."""
        query = f"?hash={quote(hash_, safe='')}" if hash_ else ""
        headers = {"Accept": accept or "*/*", "If-None-Match": if_none_match}
        try:
            return await self._get(remote, f"/openapi/v3{remote.path}{query}", headers)
        except Exception as error:
            remote.doubt.set()
            log.info("no OpenAPI document of %s: %s", remote.name, error)
            return 503, {"Content-Type": "text/plain; charset=utf-8"}, b"service unavailable\n"

    async def _refresh(self) -> None:
        remotes = self._services.remotes
        for gone in set(self._known) - set(remotes):
            del self._known[gone]
        now_s = time.monotonic()
        due = [
            remote
            for key, remote in remotes.items()
            if remote.available and self._known.setdefault(key, _Known()).asked_s + FRESH_S < now_s
        ]
        if self._refreshing is None and due:
            self._refreshing = self._services.spawn(self._ask_all(due), name="openapi of other servers")
            self._refreshing.add_done_callback(self._asked)
        if self._refreshing is not None:
            await asyncio.shield(self._refreshing)

    def _asked(self, task: asyncio.Task[None]) -> None:
        self._refreshing = None

    async def _ask_all(self, remotes: list[Remote]) -> None:
        await asyncio.gather(*(self._ask(remote) for remote in remotes))

    async def _ask(self, remote: Remote) -> None:
        known = self._known[remote.group, remote.version]
        known.asked_s = time.monotonic()
        for learn in (self._learn_v2, self._learn_v3):
            try:
                await learn(remote, known)
            except Exception as error:
                log.info("no OpenAPI document of %s: %s", remote.name, error)

    async def _learn_v2(self, remote: Remote, known: _Known) -> None:
        headers = {"Accept": codec.JSON, "If-None-Match": known.etag}
        code, answered, body = await self._get(remote, "/openapi/v2", headers)
        if code != 200:
            return
        known.part = await asyncio.to_thread(_part, remote, body)
        known.etag = answered.get("Etag", "")

    async def _learn_v3(self, remote: Remote, known: _Known) -> None:
        code, _, body = await self._get(remote, "/openapi/v3", {"Accept": codec.JSON})
        if code != 200:
            return
        paths = codec.decode_json(body)["paths"]
        wanted = remote.path.lstrip("/")
        known.entries = {path: entry for path, entry in paths.items() if path == wanted}

    async def _get(self, remote: Remote, path: str, headers: Mapping[str, str]) -> Answer:
        if not remote.available or remote.context is None:
            raise StatusError(503, "ServiceUnavailable", "service unavailable")
        sent = {key: value for key, value in headers.items() if value}
        async with asyncio.timeout(PATIENCE_S):
            async with self._services.session().get(
                remote.url + path,
                headers={**AGGREGATOR, **sent, "Accept-Encoding": "identity"},
                ssl=remote.context,
                allow_redirects=False,
            ) as answer:
                body = await answer.content.read(DOCUMENT_BYTES_MAX + 1)
                while not answer.content.at_eof() and len(body) <= DOCUMENT_BYTES_MAX:
                    body += await answer.content.read(DOCUMENT_BYTES_MAX + 1 - len(body))
                if len(body) > DOCUMENT_BYTES_MAX:
                    raise ValueError("the document is too long")
                kept = {name: answer.headers[name] for name in RELAYED if name in answer.headers}
                return answer.status, kept, body


def _part(remote: Remote, body: bytes) -> Part:
    import orjson

    digest = hashlib.sha256(body).hexdigest()
    return part_of(orjson.loads(body), group=remote.group, version=remote.version, digest=digest)

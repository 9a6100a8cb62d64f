"""The paths that are no resources: discovery, health, version, metrics, OpenAPI, the token issuer's keys."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from mamekube.apiserver import version
from mamekube.apiserver.access.tokens import Tokens
from mamekube.apiserver.api import not_allowed
from mamekube.apiserver.discovery import Discovery
from mamekube.apiserver.documents import Text, encode, encode_indented
from mamekube.apiserver.formats import negotiation
from mamekube.apiserver.health import Health
from mamekube.apiserver.metrics import Metrics
from mamekube.apiserver.openapi.publication import OpenApi
from mamekube.apiserver.request import Request
from mamekube.foundation.metrics import CONTENT_TYPE, render

if TYPE_CHECKING:
    from mamekube.apiserver.profiles import Profiles

JSON = "application/json"
LISTED = (
    "/.well-known/openid-configuration",
    "/api",
    "/api/v1",
    "/apis",
    "/apis/",
    "/metrics",
    "/metrics/slis",
    "/openapi/v2",
    "/openapi/v3",
    "/openapi/v3/",
    "/openid/v1/jwks",
    "/version",
)
KEYS_CACHED = {"Cache-Control": "public, max-age=3600"}
"""What the token issuer says of itself is for everybody, and changes rarely."""
JWKS = "application/jwk-set+json"
ONLY_READ = frozenset({"/.well-known/openid-configuration", "/api", "/openid/v1/jwks", "/version"})
"""Upstream's routes, and so are those of the built-in versions; what else there is does not look at the method."""


class Pages:
    """Finds the page for a path."""

    def __init__(
        self,
        *,
        openapi: OpenApi,
        discovery: Discovery,
        health: Health,
        metrics: Metrics,
        tokens: Tokens,
    ) -> None:
        self._openapi = openapi
        self._discovery = discovery
        self._health = health
        self._metrics = metrics
        self._profiles: Profiles | None = None
        self._routes: dict[str, tuple[str, Callable[[], Text]]] = {
            "/version": (JSON, lambda: Text(encode_indented(version.describe()), JSON)),
            "/.well-known/openid-configuration": (
                JSON,
                lambda: Text(encode(tokens.discovery()), JSON, headers=KEYS_CACHED),
            ),
            "/openid/v1/jwks": (JWKS, lambda: Text(encode(tokens.jwks()), JWKS, headers=KEYS_CACHED)),
        }

    async def serve(self, request: Request) -> Text | None:
        """None where there is nothing at the path. Raises 405, and 406."""
        path = request.path.rstrip("/")
        if request.method != "GET" and (path in ONLY_READ or self._discovery.is_builtin_version(path)):
            raise not_allowed()
        if path in self._routes:
            media_type, page = self._routes[path]
            negotiation.check_routed(request.headers.get("Accept", ""), (media_type,))
            return page()
        if request.path in ("/", "/index.html"):
            return self._index()
        if request.path == "/metrics":
            return await self._metrics.render(time.perf_counter())
        if request.path == "/metrics/slis":
            return Text(render([*self._health.families()]), CONTENT_TYPE)
        if path.startswith("/api"):
            return self._discovery.serve(path, request.headers)
        if path.startswith("/openapi/") and request.path != "/openapi/v2/":
            return await self._openapi_page(request)
        if path == "/debug/pprof" or path.startswith("/debug/pprof/"):
            return await self._profile_page(request)
        return await self._health.serve(request)

    async def _profile_page(self, request: Request) -> Text:
        if self._profiles is None:
            from mamekube.apiserver.profiles import Profiles

            self._profiles = Profiles()
        return await self._profiles.serve(request)

    def _index(self) -> Text:
        """`GET /`: every path there is."""
        paths = {*LISTED, *self._health.paths()}
        for group, versions in self._discovery.group_versions():
            if group:
                paths.add(f"/apis/{group}")
                paths.update(f"/apis/{group}/{name}" for name in versions)
        return Text(encode_indented({"paths": sorted(paths)}), JSON)

    async def _openapi_page(self, request: Request) -> Text:
        code, headers, body = await self._openapi.handle(
            request.path,
            request.headers.get("Accept", ""),
            request.query,
            request.headers.get("If-None-Match", ""),
            accept_encoding=request.headers.get("Accept-Encoding", ""),
        )
        return Text(body, headers.pop("Content-Type", "text/plain"), code, headers)

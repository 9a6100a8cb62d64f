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
from mamekube.apiserver.health import Health
from mamekube.apiserver.metrics import Metrics
from mamekube.apiserver.openapi.publication import OpenApi
from mamekube.apiserver.request import Request

if TYPE_CHECKING:
    from mamekube.apiserver.profiles import Profiles

JSON = "application/json"
LISTED = (
    "/.well-known/openid-configuration",
    "/healthz",
    "/livez",
    "/metrics",
    "/openapi/v2",
    "/openapi/v3",
    "/openid/v1/jwks",
    "/readyz",
    "/version",
)
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
        self._exact: dict[str, Callable[[Request], Text]] = {
            "": self._index,
            "/version": lambda request: Text(encode_indented(version.describe()), JSON),
            "/.well-known/openid-configuration": lambda request: Text(encode(tokens.discovery()), JSON),
            "/openid/v1/jwks": lambda request: Text(encode(tokens.jwks()), "application/jwk-set+json"),
        }

    async def serve(self, request: Request) -> Text | None:
        """None where there is nothing at the path. Raises 405, and 406."""
        path = request.path.rstrip("/")
        if request.method != "GET" and (path in ONLY_READ or self._discovery.is_builtin_version(path)):
            raise not_allowed()
        if path == "/metrics":
            return await self._metrics.render(time.perf_counter())
        page = self._exact.get(path)
        if page is not None:
            return page(request)
        if path.startswith("/api"):
            return self._discovery.serve(path, request.headers)
        if path.startswith("/openapi/"):
            return await self._openapi_page(request)
        if path == "/debug/pprof" or path.startswith("/debug/pprof/"):
            return await self._profile_page(request)
        return await self._health.serve(request)

    async def _profile_page(self, request: Request) -> Text:
        if self._profiles is None:
            from mamekube.apiserver.profiles import Profiles

            self._profiles = Profiles()
        return await self._profiles.serve(request)

    def _index(self, request: Request) -> Text:
        """`GET /`: every path there is."""
        paths = {"/api", "/api/v1", "/apis", *LISTED}
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

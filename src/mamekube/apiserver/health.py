"""`/livez`, `/readyz` and `/healthz`: named checks, alone or together, in upstream's words."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator

from mamekube.apiserver.documents import Text
from mamekube.apiserver.request import Request
from mamekube.foundation.metrics import STABLE, Family
from mamekube.store.backend import StoreError
from mamekube.store.store import Store

Check = Callable[[], Awaitable[str]]
"""What is wrong; empty where nothing is."""
PATHS = ("/healthz", "/livez", "/readyz")
HEADERS = {"X-Content-Type-Options": "nosniff"}
STORE_TIMEOUT_S = 2.0
"""Upstream: --etcd-healthcheck-timeout."""


class Health:
    """Checks by name, in the order in which they are listed."""

    def __init__(self) -> None:
        self._checks: dict[str, dict[str, Check]] = {path: {} for path in PATHS}
        self._results: dict[tuple[str, str], bool] = {}
        self._counts: Counter[tuple[str, str, str]] = Counter()

    def add(self, name: str, check: Check, *, paths: tuple[str, ...] = PATHS) -> None:
        for path in paths:
            self._checks[path][name] = check

    async def serve(self, request: Request) -> Text | None:
        """None where the path is no health path, or names a check that does not exist."""
        root = next(
            (path for path in PATHS if request.path == path or request.path.startswith(f"{path}/")), None
        )
        if root is None:
            return None
        if request.path == root:
            return await self._together(root, request)
        name = request.path[len(root) + 1 :]
        if name not in self._checks[root]:
            return None
        wrong = await self._ask(root, name)
        if wrong:
            return Text(f"internal server error: {wrong}\n".encode(), code=500, headers=HEADERS)
        return Text(b"ok")

    def paths(self) -> Iterator[str]:
        """Of all checks, together and alone."""
        for root, checks in self._checks.items():
            yield root
            for name in checks:
                yield f"{root}/{name}"

    async def _ask(self, root: str, name: str) -> str:
        wrong = await self._checks[root][name]()
        key = (name, root.strip("/"))
        self._results[key] = not wrong
        self._counts[*key, "error" if wrong else "success"] += 1
        return wrong

    async def _together(self, root: str, request: Request) -> Text:
        title, checks = root.strip("/"), self._checks[root]
        excluded = set(request.query.get("exclude", ()))
        lines, failed = [], False
        for name in checks:
            if name in excluded:
                lines.append(f"[+]{name} excluded: ok")
            elif await self._ask(root, name):
                lines.append(f"[-]{name} failed: reason withheld")
                failed = True
            else:
                lines.append(f"[+]{name} ok")
        unknown = ",".join(f'"{name}"' for name in sorted(excluded - checks.keys()))
        if unknown:
            lines.append(f"warn: some health checks cannot be excluded: no matches for {unknown}")
        if failed:
            return Text("\n".join([*lines, f"{title} check failed", ""]).encode(), code=500, headers=HEADERS)
        if "verbose" in request.query:
            return Text("\n".join([*lines, f"{title} check passed", ""]).encode(), headers=HEADERS)
        return Text(b"ok", headers=HEADERS)

    def families(self) -> Iterator[Family]:
        """What `/metrics/slis` says of it."""
        results = Family(
            "kubernetes_healthcheck",
            "gauge",
            "This metric records the result of a single healthcheck.",
            labels=["name", "type"],
            stability=STABLE,
        )
        for labels, good in self._results.items():
            results.add(labels, int(good))
        counts = Family(
            "kubernetes_healthchecks_total",
            "counter",
            "This metric records the results of all healthcheck.",
            labels=["name", "type", "status"],
            stability=STABLE,
        )
        for counted, count in self._counts.items():
            counts.add(counted, count)
        yield from (results, counts)


async def passes() -> str:
    """The check that there is somebody who answers."""
    return ""


def finished(event: asyncio.Event) -> Check:
    """Whether a step of the start is done."""

    async def check() -> str:
        return "" if event.is_set() else "not finished"

    return check


def store_check(store: Store) -> Check:
    """Whether the store answers, from its disk or over its network, and took what was last written."""

    async def check() -> str:
        try:
            async with asyncio.timeout(STORE_TIMEOUT_S):
                await store.check()
        except TimeoutError:
            return "error getting data from etcd: context deadline exceeded"
        except StoreError as error:
            return f"error getting data from etcd: {error}"
        return ""

    return check

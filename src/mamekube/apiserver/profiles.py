"""`/debug/pprof/`: profiles of the running server, at the paths where those of Go programs are.

One measurement at a time, and none for longer than a minute. Who may ask is decided by authorization, as for any path
that is no resource: by the default roles, administrators.
"""

from __future__ import annotations

import asyncio
import time
import tracemalloc
from collections.abc import Awaitable, Callable
from pathlib import Path

from mamekube.apiserver.documents import Text
from mamekube.apiserver.request import Request
from mamekube.foundation import pprof, profiling
from mamekube.foundation.profiling import Profile

PREFIX = "/debug/pprof"
SECONDS_DEFAULT = 30
HEAP_SECONDS_DEFAULT = 5
SECONDS_MAX = 60
NOSNIFF = {"X-Content-Type-Options": "nosniff"}
DESCRIPTIONS = {
    "cmdline": "The command line of the program.",
    "goroutine": "Where all tasks and threads are. debug=1: equal ones together; debug=2: each by its name.",
    "heap": "What is allocated within ?seconds=N and still there at their end. Costs much while it runs.",
    "profile": "Processor time within ?seconds=N by stack. debug=1: a table.",
}


class Profiles:
    """Made when somebody asks for the first time."""

    def __init__(self) -> None:
        self._pages: dict[str, Callable[[Request], Awaitable[Text]]] = {
            "cmdline": self._command_line,
            "goroutine": self._running,
            "heap": self._heap,
            "profile": self._profile,
        }
        self._measuring = False

    async def serve(self, request: Request) -> Text:
        """What Go's programs have and this one has not, such as `trace`, is as unknown as anything else."""
        name = request.path.removeprefix(PREFIX).strip("/")
        if not name:
            return _index()
        page = self._pages.get(name)
        return await page(request) if page is not None else _refusal(404, "Unknown profile")

    async def _command_line(self, request: Request) -> Text:
        words = await asyncio.to_thread(Path("/proc/self/cmdline").read_bytes)
        return Text(words.rstrip(b"\0"), headers=NOSNIFF)

    async def _running(self, request: Request) -> Text:
        running = profiling.everything_running()
        if request.first("debug") == "2":
            return _text(pprof.running_text(running))
        counted = profiling.counted(running)
        return _text(pprof.counted_text(counted)) if _for_people(request) else _file("goroutine", counted)

    async def _profile(self, request: Request) -> Text:
        return await self._measured(request, "profile", SECONDS_DEFAULT, _sample)

    async def _heap(self, request: Request) -> Text:
        return await self._measured(request, "heap", HEAP_SECONDS_DEFAULT, _watch_allocations)

    async def _measured(
        self, request: Request, name: str, default_s: int, measure: Callable[[float], Awaitable[Profile]]
    ) -> Text:
        seconds = _seconds(request, default_s)
        if seconds is None:
            return _refusal(400, f"seconds must be above 0, and {SECONDS_MAX} at most")
        if self._measuring:
            return _refusal(409, "Could not enable CPU profiling: cpu profiling already in use")
        self._measuring = True
        try:
            profile = await measure(seconds)
        finally:
            self._measuring = False
        if _for_people(request):
            return _text(await asyncio.to_thread(pprof.table, profile))
        body = await asyncio.to_thread(pprof.encode, profile)
        return _attachment(name, body)


async def _sample(seconds: float) -> Profile:
    started_s, began_s = time.time(), time.perf_counter()
    with profiling.Sampler() as sampler:
        await asyncio.sleep(seconds)
    return sampler.profile(started_s=started_s, duration_s=time.perf_counter() - began_s)


async def _watch_allocations(seconds: float) -> Profile:
    tracemalloc.start(profiling.ALLOCATION_DEPTH)
    try:
        before = tracemalloc.take_snapshot()
        await asyncio.sleep(seconds)
        after = tracemalloc.take_snapshot()
    finally:
        tracemalloc.stop()
    ours = [tracemalloc.Filter(False, tracemalloc.__file__)]
    return await asyncio.to_thread(
        lambda: profiling.allocations(before.filter_traces(ours), after.filter_traces(ours))
    )


def _seconds(request: Request, default_s: int) -> float | None:
    """None where it is no time that may be asked for."""
    text = request.first("seconds")
    if not text:
        return default_s
    try:
        seconds = float(text)
    except ValueError:
        return None
    return seconds if 0 < seconds <= SECONDS_MAX else None


def _for_people(request: Request) -> bool:
    return request.first("debug", "0") != "0" or request.first("format") == "text"


def _index() -> Text:
    rows = "".join(
        f"<tr><td><a href='{PREFIX}/{name}?debug=1'>{name}</a></td><td>{text}</td></tr>\n"
        for name, text in DESCRIPTIONS.items()
    )
    page = (
        f"<html>\n<head><title>{PREFIX}/</title></head>\n<body>\n<table>\n{rows}</table>\n</body>\n</html>\n"
    )
    return Text(page.encode(), "text/html; charset=utf-8", headers=NOSNIFF)


def _text(text: str) -> Text:
    return Text(text.encode("utf-8", "replace"), headers=NOSNIFF)


def _refusal(code: int, why: str) -> Text:
    return Text(f"{why}\n".encode(), code=code, headers={**NOSNIFF, "X-Go-Pprof": "1"})


def _file(name: str, profile: Profile) -> Text:
    return _attachment(name, pprof.encode(profile))


def _attachment(name: str, body: bytes) -> Text:
    headers = {**NOSNIFF, "Content-Disposition": f'attachment; filename="{name}"'}
    return Text(body, "application/octet-stream", headers=headers)

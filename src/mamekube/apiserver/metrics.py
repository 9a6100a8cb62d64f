"""Counting requests, and `/metrics` in Prometheus' text format with upstream's names.

Counting must cost next to nothing, so it is plain dictionaries; the Prometheus library is loaded when somebody
asks for the numbers.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from mamekube.apiserver import version
from mamekube.apiserver.documents import Text
from mamekube.apiserver.request import Request
from mamekube.apiserver.versions import storage_prefix
from mamekube.kinds.registry import Registry
from mamekube.store.store import Store

DURATION_BOUNDS_S = (
    0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60,
)  # fmt: skip
"""Upstream's buckets of apiserver_request_duration_seconds."""

VERBS = {"create": "POST", "update": "PUT", "deletecollection": "DELETE"}
BUILD_LABELS = {
    "major": "major",
    "minor": "minor",
    "git_version": "gitVersion",
    "git_commit": "gitCommit",
    "git_tree_state": "gitTreeState",
    "build_date": "buildDate",
    "go_version": "goVersion",
    "compiler": "compiler",
    "platform": "platform",
}
Labels = tuple[str, str, str, str, str, str]


class Metrics:
    """What the server counts about itself."""

    def __init__(self, store: Store, registry: Registry) -> None:
        self._store = store
        self._registry = registry
        self._counts: dict[tuple[Labels, int, str], int] = {}
        self._durations: dict[Labels, list[float]] = {}
        self.watchers: dict[tuple[str, str, str], int] = {}
        """Long-running requests by (group, version, resource)."""
        self.in_flight = {"mutating": 0, "readOnly": 0}
        self._sources: list[Callable[[], Iterable[Any]]] = []

    def add(self, source: Callable[[], Iterable[Any]]) -> None:
        """Show what `source` yields, too: families of the Prometheus library, made when somebody asks."""
        self._sources.append(source)

    def note(self, request: Request, code: int, duration_s: float, *, dry_run: str = "") -> None:
        """Count one answered request."""
        labels = _labels(request)
        key = (labels, code, dry_run)
        self._counts[key] = self._counts.get(key, 0) + 1
        if request.verb == "watch":
            return
        histogram = self._durations.get(labels)
        if histogram is None:
            histogram = self._durations[labels] = [0.0] * (len(DURATION_BOUNDS_S) + 2)
        histogram[bisect_left(DURATION_BOUNDS_S, duration_s)] += 1
        histogram[-1] += duration_s

    async def render(self) -> Text:
        from prometheus_client import CollectorRegistry, generate_latest
        from prometheus_client.gc_collector import GCCollector
        from prometheus_client.process_collector import ProcessCollector

        registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        GCCollector(registry=registry)
        counts = await self._count_objects()
        registry.register(_Families(lambda: self._families(counts)))
        return Text(generate_latest(registry), "text/plain; version=0.0.4; charset=utf-8")

    async def _count_objects(self) -> list[tuple[str, str, int]]:
        """(group, plural, number of objects) of every kind that is stored in its own version."""
        counts = []
        for kind in self._registry.all():
            if "list" in kind.verbs and kind.storage is None:
                snapshot = await self._store.list(prefix=storage_prefix(kind), limit=1)
                counts.append((kind.group, kind.plural, len(snapshot.items) + snapshot.remaining))
        return counts

    def _families(self, counts: Iterable[tuple[str, str, int]]) -> Iterator[Any]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

        names = ["verb", "group", "version", "resource", "subresource", "scope"]
        total = CounterMetricFamily(
            "apiserver_request_total",
            "Counter of apiserver requests broken out for each verb, dry run value, group, version, resource, scope, "
            "component, and HTTP response code.",
            labels=[*names, "component", "code", "dry_run"],
        )
        for (labels, code, dry_run), count in self._counts.items():
            total.add_metric([*labels, "apiserver", str(code), dry_run], count)
        yield total
        durations = HistogramMetricFamily(
            "apiserver_request_duration_seconds",
            "Response latency distribution in seconds for each verb, dry run value, group, version, resource, "
            "subresource, scope and component.",
            labels=[*names, "component", "dry_run"],
        )
        for labels, histogram in self._durations.items():
            durations.add_metric([*labels, "apiserver", ""], list(_buckets(histogram)), histogram[-1])
        yield durations
        running = GaugeMetricFamily(
            "apiserver_longrunning_requests",
            "Gauge of all active long-running apiserver requests broken out by verb, group, version, resource, scope "
            "and component. Not all requests are tracked this way.",
            labels=["verb", "group", "version", "resource", "component"],
        )
        for (group, api_version, resource), count in self.watchers.items():
            running.add_metric(["WATCH", group, api_version, resource, "apiserver"], count)
        yield running
        flight = GaugeMetricFamily(
            "apiserver_current_inflight_requests",
            "Requests that are being worked on, per request kind.",
            labels=["request_kind"],
        )
        for kind, count in self.in_flight.items():
            flight.add_metric([kind], count)
        yield flight
        objects = GaugeMetricFamily(
            "apiserver_resource_objects",
            "Number of stored objects at the time of last check split by kind.",
            labels=["group", "resource"],
        )
        for group, plural, count in counts:
            objects.add_metric([group, plural], count)
        yield objects
        for source in self._sources:
            yield from source()
        yield _build_info()


def _build_info() -> Any:
    from prometheus_client.core import GaugeMetricFamily

    info = version.describe()
    build = GaugeMetricFamily(
        "kubernetes_build_info",
        "A metric with a constant '1' value labeled by what the server was built from and runs on.",
        labels=list(BUILD_LABELS),
    )
    build.add_metric([info[key] for key in BUILD_LABELS.values()], 1)
    return build


class _Families:
    """What the Prometheus library calls a collector."""

    def __init__(self, families: Any) -> None:
        self._families = families

    def collect(self) -> Iterable[Any]:
        yield from self._families()


def _labels(request: Request) -> Labels:
    verb = VERBS.get(request.verb, request.verb.upper())
    if not request.is_resource:
        return (verb, "", "", "", request.path.strip("/").partition("/")[0], "")
    if request.name:
        scope = "resource"
    else:
        scope = "namespace" if request.namespace else "cluster"
    return (verb, request.group, request.version, request.resource, request.subresource, scope)


def _buckets(histogram: list[float]) -> Iterator[tuple[str, float]]:
    total = 0.0
    for bound, count in zip((*map(str, DURATION_BOUNDS_S), "+Inf"), histogram[:-1], strict=True):
        total += count
        yield bound, total

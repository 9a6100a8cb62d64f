"""Counting requests, and `/metrics` in Prometheus' text format with upstream's names.

Counting must cost next to nothing: a request finds its series by one look into a dictionary. Series are bounded by the
kinds that are served, so nobody fills the memory by asking for paths that do not exist.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from mamekube.apiserver import version
from mamekube.apiserver.documents import Text
from mamekube.apiserver.health import PATHS as HEALTH_PATHS
from mamekube.apiserver.request import Request
from mamekube.apiserver.versions import storage_prefix
from mamekube.foundation import process
from mamekube.foundation.metrics import (
    ALPHA,
    CONTENT_TYPE,
    STABLE,
    Family,
    Histogram,
    exponential,
    render,
)
from mamekube.kinds import subresources
from mamekube.kinds.registry import Registry
from mamekube.store.store import Store

DURATION_BOUNDS_S = (
    0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60,
)  # fmt: skip
"""Upstream's buckets of apiserver_request_duration_seconds."""
SLI_BOUNDS_S = DURATION_BOUNDS_S[2:]
SIZE_BOUNDS = exponential(1000, 10, 7)
EVENT_SIZE_BOUNDS = exponential(1024, 2, 8)
ACCESS_BOUNDS_S = exponential(0.001, 2, 15)
"""Of authentication and authorization."""

VERBS = {
    "get": "GET",
    "list": "LIST",
    "watch": "WATCH",
    "create": "POST",
    "update": "PUT",
    "patch": "PATCH",
    "delete": "DELETE",
    "deletecollection": "DELETECOLLECTION",
    "post": "POST",
    "put": "PUT",
    "head": "GET",
}
READS = frozenset({"GET", "LIST"})
CONNECTING = frozenset({"attach", "exec", "portforward", "proxy"})
MUTATING = frozenset({"create", "update", "patch", "delete", "deletecollection"})
TERMINATED = (429, 504)
"""Answers of a server that defends itself."""
KNOWN_USERS = frozenset(
    {"admin", "client", "kube_proxy", "kubelet", "system:serviceaccount:kube-system:default"}
)
USERS_KEPT_MAX = 1000
COMPONENT = "apiserver"
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
Source = Callable[[], Iterable[Family]]


class Labels(NamedTuple):
    """How a request is called in all families. Names and order are those of `NAMES`."""

    verb: str
    group: str = ""
    version: str = ""
    resource: str = ""
    subresource: str = ""
    scope: str = ""


NAMES = Labels._fields


class Series:
    """What is counted of requests that are called the same."""

    __slots__ = ("codes", "dry_run", "durations", "labels", "sizes", "sli")

    def __init__(self, labels: Labels, dry_run: str) -> None:
        self.labels = labels
        self.dry_run = dry_run
        self.codes: dict[int, int] = {}
        self.durations = Histogram(DURATION_BOUNDS_S)
        self.sli: Histogram | None = None
        """Kept apart from `durations` from the first request on that had to wait for others."""
        self.sizes = Histogram(SIZE_BOUNDS) if labels.verb in READS else None


class Watched:
    """What is counted of the watches of one resource."""

    __slots__ = ("running", "sizes")

    def __init__(self) -> None:
        self.running = 0
        self.sizes = Histogram(EVENT_SIZE_BOUNDS)


class InFlight:
    """How many requests of a sort are worked on, and how many were at most within a second."""

    __slots__ = ("_peak", "_peak_before", "_second", "now")

    def __init__(self) -> None:
        self.now = 0
        self._second = 0
        self._peak = self._peak_before = 0

    def begin(self, at_s: float) -> None:
        second = int(at_s)
        if second != self._second:
            self._peak_before = self._peak if second == self._second + 1 else self.now
            self._second, self._peak = second, self.now
        self.now += 1
        if self.now > self._peak:
            self._peak = self.now

    def peak(self, at_s: float) -> int:
        """In the second before `at_s`."""
        age_s = int(at_s) - self._second
        return max(self._peak, self._peak_before) if age_s == 0 else self._peak if age_s == 1 else self.now


class Metrics:
    """What the server counts about itself."""

    def __init__(self, store: Store, registry: Registry) -> None:
        self._store = store
        self._registry = registry
        self._series: dict[tuple[Labels, str], Series] = {}
        self._series_by_key: dict[tuple[Any, ...], Series] = {}
        """The same by what a request says, where that is something that is served."""
        self._watched: dict[tuple[str, str, str], Watched] = {}
        self._running: dict[Labels, int] = {}
        self.in_flight = {False: InFlight(), True: InFlight()}
        """By whether they change anything."""
        self.recognized = Histogram(ACCESS_BOUNDS_S)
        """How long it took to find out who asks, and of those below, that it cannot be found out."""
        self.unrecognized = Histogram(ACCESS_BOUNDS_S)
        self.allowed = Histogram(ACCESS_BOUNDS_S)
        """How long it took to find out that somebody may, and of those below, that nothing says so."""
        self.refused = Histogram(ACCESS_BOUNDS_S)
        self._users: dict[str, int] = {}
        self._deprecated: set[tuple[str, str, str, str]] = set()
        self._sources: list[Source] = [self._request_families, self._access_families, self._live_families]

    def add(self, source: Source) -> None:
        """Show what `source` yields, too. It is asked when somebody reads `/metrics`."""
        self._sources.append(source)

    def note(self, request: Request, code: int, duration_s: float, *, size: int = 0) -> None:
        """Count one answered request."""
        series = self._series_of(request)
        series.codes[code] = series.codes.get(code, 0) + 1
        series.durations.observe(duration_s)
        if series.sizes is not None:
            series.sizes.observe(size)
        if request.waits:
            if series.sli is None:
                series.sli = Histogram(DURATION_BOUNDS_S)
                series.sli.add(series.durations)
            else:
                series.sli.observe(duration_s)
            series.sli.move(duration_s, max(0.0, duration_s - sum(request.waits)))
        elif series.sli is not None:
            series.sli.observe(duration_s)

    def note_user(self, name: str) -> None:
        """Count a request of somebody who was recognized."""
        try:
            self._users[name] += 1
        except KeyError:
            if len(self._users) >= USERS_KEPT_MAX:
                self._users = self._kinds_of_users()
            self._users[name] = 1

    def _kinds_of_users(self) -> dict[str, int]:
        """Upstream tells apart no more than these: names would be too many."""
        kinds: dict[str, int] = {}
        for name, count in self._users.items():
            kind = (
                name if name in KNOWN_USERS else "email_id" if "@" in name or name == "email_id" else "other"
            )
            kinds[kind] = kinds.get(kind, 0) + count
        return kinds

    @contextmanager
    def running(self, request: Request) -> Iterator[None]:
        """A request that lasts as long as its client wants."""
        labels = self._series_of(request).labels
        self._running[labels] = self._running.get(labels, 0) + 1
        try:
            yield
        finally:
            self._running[labels] -= 1

    def watched(self, group: str, api_version: str, resource: str) -> Histogram:
        """Where the sizes of the events of a resource are counted."""
        key = (group, api_version, resource)
        watched = self._watched.get(key)
        if watched is None:
            watched = self._watched[key] = Watched()
        return watched.sizes

    def _series_of(self, request: Request) -> Series:
        key = (
            request.verb,
            request.resource,
            request.subresource,
            request.group,
            request.version,
            request.name == "",
            request.namespace == "",
            bool(request.query) and "dryRun" in request.query,
            request.verb == "patch" and _applies(request),
        )
        series = self._series_by_key.get(key)
        if series is not None:
            return series
        labels, dry_run = self._labels(request), _dry_run(request)
        series = self._series.get((labels, dry_run))
        if series is None:
            series = self._series[labels, dry_run] = Series(labels, dry_run)
        if labels.resource and labels.subresource == request.subresource and request.verb in VERBS:
            self._series_by_key[key] = series
        return series

    def _labels(self, request: Request) -> Labels:
        verb = VERBS.get(request.verb, "other")
        if not request.is_resource:
            path = request.path if request.path in HEALTH_PATHS else ""
            return Labels(verb, subresource=path)
        kind = self._registry.find(request.group, request.version, request.resource)
        if kind is None:
            return Labels(verb)
        if kind.deprecation:
            self._deprecated.add((kind.group, kind.version, kind.plural, request.subresource))
        subresource = request.subresource if request.subresource in subresources.names(kind) else ""
        if request.subresource in CONNECTING:
            verb = "CONNECT"
        elif request.verb == "patch" and _applies(request):
            verb = "APPLY"
        if _names_one(request) or request.verb == "create":
            scope = "resource"
        else:
            scope = "namespace" if request.namespace else "cluster"
        return Labels(verb, kind.group, kind.version, kind.plural, subresource, scope)

    async def render(self, now_s: float) -> Text:
        """`now_s`: of the clock that `in_flight` goes by."""
        families = [*await self._object_families(), *self._flight_families(now_s)]
        for source in self._sources:
            families += source()
        return Text(render(families), CONTENT_TYPE)

    # Families -----------------------------------------------------------------------------------

    def _request_families(self) -> Iterator[Family]:
        every = list(self._series.values())
        total = Family(
            "apiserver_request_total",
            "counter",
            "Counter of apiserver requests broken out for each verb, dry run value, group, version, resource, scope, "
            "component, and HTTP response code.",
            labels=[*NAMES, "component", "code", "dry_run"],
            stability=STABLE,
        )
        terminations = Family(
            "apiserver_request_terminations_total",
            "counter",
            "Number of requests which apiserver terminated in self-defense.",
            labels=[*NAMES, "component", "code"],
        )
        durations = Family(
            "apiserver_request_duration_seconds",
            "histogram",
            "Response latency distribution in seconds for each verb, dry run value, group, version, resource, "
            "subresource, scope and component.",
            labels=[*NAMES, "component", "dry_run"],
            stability=STABLE,
        )
        for series in every:
            for code, count in series.codes.items():
                total.add([*series.labels, COMPONENT, str(code), series.dry_run], count)
                if code in TERMINATED:
                    terminations.add([*series.labels, COMPONENT, str(code)], count)
            durations.add([*series.labels, COMPONENT, series.dry_run], series.durations)
        yield from (total, terminations, durations)
        sli = Family(
            "apiserver_request_sli_duration_seconds",
            "histogram",
            "Response latency distribution (not counting webhook duration and priority & fairness queue wait times) in "
            "seconds for each verb, group, version, resource, subresource, scope and component.",
            labels=[*NAMES, "component"],
        )
        sizes = Family(
            "apiserver_response_sizes",
            "histogram",
            "Response size distribution in bytes for each group, version, verb, resource, subresource, scope and "
            "component.",
            labels=[*NAMES, "component"],
            stability=STABLE,
        )
        for labels, merged in _merged_sli(every).items():
            sli.add([*labels, COMPONENT], merged)
        for series in every:
            if series.sizes is not None and not series.dry_run:
                sizes.add([*series.labels, COMPONENT], series.sizes)
        yield from (sli, sizes)

    def _flight_families(self, now_s: float) -> Iterator[Family]:
        flight = Family(
            "apiserver_current_inflight_requests",
            "gauge",
            "Maximal number of currently used inflight request limit of this apiserver per request kind in last "
            "second.",
            labels=["request_kind"],
            stability=STABLE,
        )
        flight.add(["mutating"], self.in_flight[True].peak(now_s))
        yield flight.add(["readOnly"], self.in_flight[False].peak(now_s))

    def _live_families(self) -> Iterator[Family]:
        running = Family(
            "apiserver_longrunning_requests",
            "gauge",
            "Gauge of all active long-running apiserver requests broken out by verb, group, version, resource, scope "
            "and component. Not all requests are tracked this way.",
            labels=[*NAMES, "component"],
            stability=STABLE,
        )
        for labels, count in self._running.items():
            running.add([*labels, COMPONENT], count)
        names = ["group", "version", "resource"]
        events = Family(
            "apiserver_watch_events_total", "counter", "Number of events sent in watch clients", labels=names
        )
        sizes = Family(
            "apiserver_watch_events_sizes",
            "histogram",
            "Watch event size distribution in bytes",
            labels=names,
        )
        for key, watched in self._watched.items():
            events.add(key, watched.sizes.count)
            sizes.add(key, watched.sizes)
        deprecated = Family(
            "apiserver_requested_deprecated_apis",
            "gauge",
            "Gauge of deprecated APIs that have been requested, broken out by API group, version, resource, "
            "subresource, and removed_release.",
            labels=["group", "version", "resource", "subresource", "removed_release"],
            stability=STABLE,
        )
        for one in sorted(self._deprecated):
            deprecated.add([*one, ""], 1)
        yield from (running, events, sizes, deprecated, *process.families(), _build_info())

    def _access_families(self) -> Iterator[Family]:
        attempts = Family(
            "authentication_attempts", "counter", "Counter of authenticated attempts.", labels=["result"]
        )
        took = Family(
            "authentication_duration_seconds",
            "histogram",
            "Authentication duration in seconds broken out by result.",
            labels=["result"],
        )
        for result, histogram in (("success", self.recognized), ("failure", self.unrecognized)):
            attempts.add([result], histogram.count)
            took.add([result], histogram)
        users = Family(
            "authenticated_user_requests",
            "counter",
            "Counter of authenticated requests broken out by username.",
            labels=["username"],
        )
        for name, count in self._kinds_of_users().items():
            users.add([name], count)
        yield from (attempts, took, users)
        attempts = Family(
            "authorization_attempts_total",
            "counter",
            "Counter of authorization attempts broken down by result. It can be either 'allowed', 'denied', "
            "'no-opinion' or 'error'.",
            labels=["result"],
        )
        took = Family(
            "authorization_duration_seconds",
            "histogram",
            "Authorization duration in seconds broken out by result.",
            labels=["result"],
        )
        for result, histogram in (("allowed", self.allowed), ("no-opinion", self.refused)):
            attempts.add([result], histogram.count)
            took.add([result], histogram)
        yield from (attempts, took)

    async def _object_families(self) -> Sequence[Family]:
        """How many objects there are of every kind that is stored in its own version."""
        unknown = (
            "at the time of last check split by kind. In case of a fetching error, the value will be -1."
        )
        objects = Family(
            "apiserver_resource_objects",
            "gauge",
            f"Number of stored objects {unknown}",
            labels=["group", "resource"],
            stability=ALPHA,
        )
        before = Family(
            "apiserver_storage_objects",
            "gauge",
            "[DEPRECATED, consider using apiserver_resource_objects instead] Number of stored objects "
            + unknown,
            labels=["resource"],
            stability=STABLE,
        )
        for kind in self._registry.all():
            if "watch" in kind.verbs and kind.storage is None:
                snapshot = await self._store.list(prefix=storage_prefix(kind), limit=1)
                count = len(snapshot.items) + snapshot.remaining
                objects.add([kind.group, kind.plural], count)
                before.add([kind.group_resource], count)
        return (objects, before)


def _build_info() -> Family:
    info = version.describe()
    build = Family(
        "kubernetes_build_info",
        "gauge",
        "A metric with a constant '1' value labeled by major, minor, git version, git commit, git tree state, build "
        "date, Go version, and compiler from which Kubernetes was built, and platform on which it is running.",
        labels=list(BUILD_LABELS),
    )
    return build.add([info[key] for key in BUILD_LABELS.values()], 1)


def _merged_sli(every: Iterable[Series]) -> dict[Labels, Histogram]:
    """Dry runs are not told apart, and its first part is wider than that of the duration."""
    merged: dict[Labels, Histogram] = {}
    for series in every:
        whole = series.sli or series.durations
        narrow = Histogram(SLI_BOUNDS_S)
        narrow.counts = [sum(whole.counts[:3]), *whole.counts[3:]]
        narrow.sum = whole.sum
        if series.labels in merged:
            merged[series.labels].add(narrow)
        else:
            merged[series.labels] = narrow
    return merged


def _names_one(request: Request) -> bool:
    """A collection that was removed has left the name of its last object in the request."""
    return bool(request.name) and request.verb != "deletecollection"


def _applies(request: Request) -> bool:
    return request.headers.get("Content-Type", "").startswith("application/apply-patch+")


def _dry_run(request: Request) -> str:
    values = request.query.get("dryRun")
    return "" if values is None else "All" if set(values) == {"All"} else "invalid"

"""What `/metrics` says of priority and fairness, under upstream's names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mamekube.apiserver.fair_queues import WAIT_BOUNDS_S, Counts
from mamekube.apiserver.fairness import Fairness

PREFIX = "apiserver_flowcontrol_"
LEVEL = "priority_level"
SCHEMA = "flow_schema"

LEVEL_GAUGES = (
    (
        "nominal_limit_seats",
        "Nominal number of execution seats configured for each priority level",
        "nominal",
    ),
    ("lower_limit_seats", "Configured lower bound on number of execution seats", "lower"),
    ("upper_limit_seats", "Configured upper bound on number of execution seats", "upper"),
    ("current_limit_seats", "current derived number of execution seats available", "nominal"),
)


def families(fairness: Fairness) -> Iterator[Any]:
    """The metric families, with the numbers of now."""
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

    for name, text, field in LEVEL_GAUGES:
        gauge = GaugeMetricFamily(PREFIX + name, text, labels=[LEVEL])
        for level in fairness.levels():
            bounds = {
                "nominal": level.nominal,
                "lower": level.nominal - level.lendable,
                "upper": level.nominal + level.borrowed_max,
            }
            gauge.add_metric([level.name], bounds[field])
        yield gauge
    counts = list(fairness.counts())
    for name, text, field in (
        ("current_executing_requests", "Number of requests that execute in the flow schema", "executing"),
        ("current_inqueue_requests", "Number of requests that wait in queues", "waiting"),
    ):
        gauge = GaugeMetricFamily(PREFIX + name, text, labels=[LEVEL, SCHEMA])
        for level_name, schema, counted in counts:
            gauge.add_metric([level_name, schema], getattr(counted, field))
        yield gauge
    dispatched = CounterMetricFamily(
        PREFIX + "dispatched_requests_total",
        "Number of requests that were let in, by the flow schema",
        labels=[LEVEL, SCHEMA],
    )
    rejected = CounterMetricFamily(
        PREFIX + "rejected_requests_total",
        "Number of requests that were answered 429, by the reason",
        labels=[LEVEL, SCHEMA, "reason"],
    )
    waits = HistogramMetricFamily(
        PREFIX + "request_wait_duration_seconds",
        "Length of time a request spent waiting in its queue",
        labels=[LEVEL, SCHEMA, "execute"],
    )
    for level_name, schema, counted in counts:
        dispatched.add_metric([level_name, schema], counted.dispatched)
        for reason, count in counted.rejected.items():
            rejected.add_metric([level_name, schema, reason], count)
        waits.add_metric([level_name, schema, "true"], list(_buckets(counted)), counted.waits[-1])
    yield from (dispatched, rejected, waits)


def _buckets(counted: Counts) -> Iterator[tuple[str, float]]:
    """Those who did not wait are in the first one."""
    total = counted.dispatched - sum(counted.waits[:-1])
    for bound, count in zip((*map(str, WAIT_BOUNDS_S), "+Inf"), counted.waits[:-1], strict=True):
        total += count
        yield bound, max(0.0, total)

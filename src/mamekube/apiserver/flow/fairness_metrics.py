"""What `/metrics` says of priority and fairness, under upstream's names."""

from __future__ import annotations

from collections.abc import Iterator

from mamekube.apiserver.flow.fairness import Fairness
from mamekube.foundation.metrics import ALPHA, BETA, Family

PREFIX = "apiserver_flowcontrol_"
LEVEL = "priority_level"
SCHEMA = "flow_schema"

LEVEL_GAUGES = (
    (
        "nominal_limit_seats",
        "Nominal number of execution seats configured for each priority level",
        "nominal",
        BETA,
    ),
    (
        "lower_limit_seats",
        "Configured lower bound on number of execution seats available to each priority level",
        "lower",
        ALPHA,
    ),
    (
        "upper_limit_seats",
        "Configured upper bound on number of execution seats available to each priority level",
        "upper",
        ALPHA,
    ),
    (
        "current_limit_seats",
        "current derived number of execution seats available to each priority level",
        "nominal",
        ALPHA,
    ),
)
FLOW_NUMBERS = (
    (
        "current_executing_requests",
        "gauge",
        "Number of requests in initial (for a WATCH) or any (for a non-WATCH) execution stage in the API Priority and "
        "Fairness subsystem",
        "executing",
    ),
    (
        "current_executing_seats",
        "gauge",
        "Concurrency (number of seats) occupied by the currently executing (initial stage for a WATCH, any stage "
        "otherwise) requests in the API Priority and Fairness subsystem",
        "seats",
    ),
    (
        "current_inqueue_requests",
        "gauge",
        "Number of requests currently pending in queues of the API Priority and Fairness subsystem",
        "waiting",
    ),
    (
        "dispatched_requests_total",
        "counter",
        "Number of requests executed by API Priority and Fairness subsystem",
        "dispatched",
    ),
)


def families(fairness: Fairness) -> Iterator[Family]:
    """The metric families, with the numbers of now."""
    for name, text, field, stability in LEVEL_GAUGES:
        gauge = Family(PREFIX + name, "gauge", text, labels=[LEVEL], stability=stability)
        for level in fairness.levels():
            bounds = {
                "nominal": level.nominal,
                "lower": level.nominal - level.lendable,
                "upper": level.nominal + level.borrowed_max,
            }
            gauge.add([level.name], bounds[field])
        yield gauge
    counts = list(fairness.counts())
    for name, type, text, field in FLOW_NUMBERS:
        family = Family(PREFIX + name, type, text, labels=[LEVEL, SCHEMA], stability=BETA)
        for level_name, schema, counted in counts:
            family.add([level_name, schema], getattr(counted, field))
        yield family
    rejected = Family(
        PREFIX + "rejected_requests_total",
        "counter",
        "Number of requests rejected by API Priority and Fairness subsystem",
        labels=[LEVEL, SCHEMA, "reason"],
        stability=BETA,
    )
    waits = Family(
        PREFIX + "request_wait_duration_seconds",
        "histogram",
        "Length of time a request spent waiting in its queue",
        labels=[LEVEL, SCHEMA, "execute"],
        stability=BETA,
    )
    for level_name, schema, counted in counts:
        for reason, count in counted.rejected.items():
            rejected.add([level_name, schema, reason], count)
        waits.add([level_name, schema, "true"], counted.all_waits())
        if counted.vain_waits.count:
            waits.add([level_name, schema, "false"], counted.vain_waits)
    yield from (rejected, waits)

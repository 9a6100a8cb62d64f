"""The rows of the table that the product is measured by: upstream's figure, the promise, and what was measured here.

Upstream's figures are of Kubernetes v1.36.2, built from source, on a machine of the same size. Absolute figures
move with the machine; a row says so where the comparison is not side by side.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One promise. `better` is `lower` or `higher`; `upstream` is None where it was not measured."""

    name: str
    unit: str
    upstream: float | None
    promise: float
    better: str = "lower"

    def report(self, measured: float) -> str:
        kept = measured <= self.promise if self.better == "lower" else measured >= self.promise
        verdict = "kept" if kept else "NOT kept"
        return (
            f"{self.name:<52} {number(measured):>9} {self.unit:<9} {self._compared(measured):<30}"
            f"  promise {number(self.promise):>7}: {verdict}"
        )

    def _compared(self, measured: float) -> str:
        if self.upstream is None:
            return ""
        ratio = self.upstream / measured if self.better == "lower" else measured / self.upstream
        return f"upstream {number(self.upstream):>7}  {ratio:5.1f}x better"


def number(value: float) -> str:
    """Three significant digits, or all of a large whole number."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def median(measure: Callable[[], float], *, runs: int) -> float:
    return statistics.median(measure() for _ in range(runs))


SERVER_START = Row("API server start to /readyz", "s", 2.2, 0.5)
CLUSTER_START = Row("cluster start to node Ready", "s", 3.7, 1.5)
MEMORY = Row("memory of all processes, idle, one node (RSS)", "MB", 640, 180)
IDLE_CPU = Row("idle CPU, control plane", "% core", 3.8, 0.5)
CREATE_CONFIG_MAP = Row("create ConfigMap, durable", "/s", 2030, 4000, "higher")
CREATE_POD = Row("create Pod", "/s", 1030, 2000, "higher")
GET = Row("GET one object", "/s", 4130, 12000, "higher")
LIST = Row("LIST 10,000 pods (5.8 KB each)", "s", 0.62, 0.12)
LIST_MEMORY = Row("8 such LISTs at once: peak memory growth", "answers", None, 1.2)
LIST_SELECTED = Row("LIST 1 in 10 of them by a label", "ms", None, 20)
TABLE = Row("Table of 10,000 pods", "s", 0.38, 0.25)
WATCH_CPU = Row("500 watchers x 50 writes/s: CPU per 1,000 events", "s", 0.035, 0.025)
WATCH_LATENCY = Row("500 watchers x 50 writes/s: p99", "ms", 33, 25)
WATCH_MEMORY = Row("memory of a watcher", "KB", 50, 50)
IDLE_WATCH_MEMORY = Row("10,000 idle watches: memory of each", "KB", 50, 50)
IDLE_WATCH_WRITE = Row("10,000 idle watches: CPU of a write, to none", "x", None, 1.2)
RESTART = Row("start with 100,000 objects to /readyz", "s", None, 3)
RESTART_LIST = Row("start with 100,000 objects to the first LIST", "s", None, 3)
BAD_ANSWER = Row("bad requests: until the slowest is refused", "s", None, 1)
BAD_NEIGHBOUR = Row("bad requests: the others' p99, to that without", "x", None, 2)
PODS_1000 = Row("Deployment 0 -> 1,000 pods created and scheduled", "s", 3.2, 1.5)
PODS_4 = Row("Deployment 0 -> 4 real pods available", "s", 1.2, 0.5)
PODS_20 = Row("Deployment 0 -> 20 real pods available", "s", 4.0, 2.0)

ALL: Sequence[Row] = [row for row in list(globals().values()) if isinstance(row, Row)]

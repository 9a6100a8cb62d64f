"""What is counted of webhooks, and shown under upstream's names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from mamekube.foundation.metrics import STABLE, Family, Histogram

CALL_FAILED, NO_ERROR = "calling_webhook_error", "no_error"
BOUNDS_S = (0.005, 0.025, 0.1, 0.5, 1.0, 2.5, 10, 25)
CODE_MAX = 600
PREFIX = "apiserver_admission_webhook_"
CODES_TEXT = "Codes greater than 600 are truncated to 600, to keep the metrics cardinality bounded."


class CallCount(NamedTuple):
    """How a call is counted. `type` is `admit` or `validating`, as upstream says it."""

    name: str
    type: str
    operation: str
    rejected: bool


class WebhookCounts:
    def __init__(self) -> None:
        self._calls: dict[CallCount, Histogram] = {}
        self._codes: Counter[tuple[CallCount, int]] = Counter()
        self._rejections: Counter[tuple[str, str, str, str, str]] = Counter()
        self._opened: Counter[tuple[str, str]] = Counter()

    def note_call(self, call: CallCount, *, code: int, duration_s: float) -> None:
        """`code`: 0 where there was no answer."""
        self._calls.setdefault(call, Histogram(BOUNDS_S)).observe(duration_s)
        self._codes[call, min(code, CODE_MAX)] += 1

    def note_rejection(self, name: str, kind: str, operation: str, *, error: str, code: int) -> None:
        self._rejections[name, kind, operation, error, str(code)] += 1

    def note_failed_open(self, name: str, kind: str) -> None:
        self._opened[name, kind] += 1

    def families(self) -> Iterator[Family]:
        durations = Family(
            PREFIX + "admission_duration_seconds",
            "histogram",
            "Admission webhook latency histogram in seconds, identified by name and broken out for each operation and "
            "API resource and type (validate or admit).",
            labels=["name", "type", "operation", "rejected"],
            stability=STABLE,
        )
        for call, histogram in self._calls.items():
            durations.add([*call[:3], str(call.rejected).lower()], histogram)
        requests = Family(
            PREFIX + "request_total",
            "counter",
            "Admission webhook request total, identified by name and broken out for each admission type (validating or "
            "mutating) and operation. Additional labels specify whether the request was rejected or not and an HTTP "
            f"status code. {CODES_TEXT}",
            labels=["name", "type", "operation", "rejected", "code"],
        )
        for (call, code), count in self._codes.items():
            requests.add([*call[:3], str(call.rejected).lower(), str(code)], count)
        rejections = Family(
            PREFIX + "rejection_count",
            "counter",
            "Admission webhook rejection count, identified by name and broken out for each admission type (validating "
            "or admit) and operation. Additional labels specify an error type (calling_webhook_error or "
            "apiserver_internal_error if an error occurred; no_error otherwise) and optionally a non-zero rejection "
            "code if the webhook rejects the request with an HTTP status code (honored by the apiserver when the code "
            f"is greater or equal to 400). {CODES_TEXT}",
            labels=["name", "type", "operation", "error_type", "rejection_code"],
        )
        opened = Family(
            PREFIX + "fail_open_count",
            "counter",
            "Admission webhook fail open count, identified by name and broken out for each admission type (validating "
            "or admit).",
            labels=["name", "type"],
        )
        for rejection, count in self._rejections.items():
            rejections.add(rejection, count)
        for passed, count in self._opened.items():
            opened.add(passed, count)
        yield from (durations, requests, rejections, opened)

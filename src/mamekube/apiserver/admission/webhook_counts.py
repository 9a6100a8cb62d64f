"""What is counted of webhooks, and shown under upstream's names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

CALL_FAILED, NO_ERROR = "calling_webhook_error", "no_error"


class WebhookCounts:
    """`kind` is `admit` or `validating`, as upstream says it."""

    def __init__(self) -> None:
        self._rejections: Counter[tuple[str, str, str, str, str]] = Counter()
        self._opened: Counter[tuple[str, str]] = Counter()

    def note_rejection(self, name: str, kind: str, operation: str, *, error: str, code: int) -> None:
        self._rejections[name, kind, operation, error, str(code)] += 1

    def note_failed_open(self, name: str, kind: str) -> None:
        self._opened[name, kind] += 1

    def families(self) -> Iterator[Any]:
        from prometheus_client.core import CounterMetricFamily

        rejections = CounterMetricFamily(
            "apiserver_admission_webhook_rejection_count",
            "Writes that a webhook refused, or that were refused because it could not be asked.",
            labels=["name", "type", "operation", "error_type", "rejection_code"],
        )
        opened = CounterMetricFamily(
            "apiserver_admission_webhook_fail_open_count",
            "Writes that passed although a webhook could not be asked.",
            labels=["name", "type"],
        )
        # Upstream's names lack the suffix that the library gives to counters, so the samples are made by hand.
        for family, counts in ((rejections, self._rejections), (opened, self._opened)):
            for labels, count in counts.items():
                named = dict(zip(family._labelnames, labels, strict=True))
                family.add_sample(family.name, named, count)
            yield family

"""What `/metrics` says of the store, under the names that upstream gives etcd's share.

Only writes reach it, by and large: what is read stands in memory, and asks nobody.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mamekube.foundation.metrics import STABLE, Family
from mamekube.store.store import Store

CLUSTER = "etcd-0"
LABELS = ("operation", "group", "resource")


def families(store: Store) -> Iterator[Family]:
    """Its writes by what is written."""
    took = Family(
        "etcd_request_duration_seconds",
        "histogram",
        "Etcd request latency in seconds for each operation and object type.",
        labels=LABELS,
    )
    total = Family(
        "etcd_requests_total",
        "counter",
        "Etcd request counts for each operation and object type.",
        labels=LABELS,
    )
    failed = Family(
        "etcd_request_errors_total",
        "counter",
        "Etcd failed request counts for each operation and object type.",
        labels=LABELS,
    )
    for (operation, prefix), writes in store.writes.items():
        _, _, group, plural, *_ = prefix.split("/")
        labels = (operation, "" if group == "core" else group, plural)
        took.add(labels, writes.took)
        total.add(labels, writes.took.count)
        if writes.failed:
            failed.add(labels, writes.failed)
    yield from (took, total, failed)


def size(file: Path) -> Iterator[Family]:
    """Of the store's file on the disk."""
    text = "Size of the storage database file physically allocated in bytes."
    family = Family(
        "apiserver_storage_size_bytes", "gauge", text, labels=["storage_cluster_id"], stability=STABLE
    )
    yield family.add([CLUSTER], file.stat().st_size)

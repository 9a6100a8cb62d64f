"""What the system says of this process, and the interpreter of its memory, under the names that Prometheus' own
clients use."""

from __future__ import annotations

import gc
import os
import resource
import time
from collections.abc import Iterator
from pathlib import Path

from mamekube.foundation.metrics import Family

PROC = Path("/proc/self")
START_FIELD = 22
"""Of /proc/PID/stat: when the process began, in ticks since the system did (proc(5))."""


def families() -> Iterator[Family]:
    pages, resident_pages = map(int, (PROC / "statm").read_text().split()[:2])
    page_bytes = resource.getpagesize()
    open_files_max = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    for name, type, text, value in (
        (
            "cpu_seconds_total",
            "counter",
            "Total user and system CPU time spent in seconds.",
            time.process_time(),
        ),
        ("max_fds", "gauge", "Maximum number of open file descriptors.", open_files_max),
        ("open_fds", "gauge", "Number of open file descriptors.", len(os.listdir(PROC / "fd"))),
        ("resident_memory_bytes", "gauge", "Resident memory size in bytes.", resident_pages * page_bytes),
        (
            "start_time_seconds",
            "gauge",
            "Start time of the process since unix epoch in seconds.",
            started_s(),
        ),
        ("virtual_memory_bytes", "gauge", "Virtual memory size in bytes.", pages * page_bytes),
    ):
        yield Family(f"process_{name}", type, text, stability="").add([], value)
    for name, text in (
        ("collections", "Number of times this generation was collected"),
        ("collected", "Objects collected during gc"),
        ("uncollectable", "Uncollectable objects found during GC"),
    ):
        shown = name if name == "collections" else f"objects_{name}"
        family = Family(f"python_gc_{shown}_total", "counter", text, labels=["generation"], stability="")
        for generation, counts in enumerate(gc.get_stats()):
            family.add([str(generation)], counts[name])
        yield family


def started_s() -> float:
    """When the process began, in seconds since the epoch."""
    # The program's name, in brackets, may hold anything; fields are counted from behind it.
    fields = (PROC / "stat").read_text().rpartition(")")[2].split()
    ticks = int(fields[START_FIELD - 3])
    booted = next(line for line in Path("/proc/stat").read_text().splitlines() if line.startswith("btime "))
    return int(booted.split()[1]) + ticks / os.sysconf("SC_CLK_TCK")

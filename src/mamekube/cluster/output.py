"""What the commands print: steps, tables, failures. Plain text unless a person watches a terminal."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Sequence
from typing import Any

STYLES = {
    "start": ("👍", "*"),
    "prepare": ("🐍", "*"),
    "verify": ("🔎", "*"),
    "ready": ("🏄", "*"),
    "stop": ("✋", "*"),
    "off": ("🛑", "*"),
    "delete": ("🔥", "*"),
    "gone": ("💀", "*"),
    "image": ("📦", "*"),
    "hint": ("💡", "*"),
    "failure": ("❌", "X"),
}

_began_s = time.monotonic()


def step(kind: str, text: str) -> None:
    """One line about what is being done."""
    _print(sys.stdout, kind, text)


def failure(text: str) -> None:
    _print(sys.stderr, "failure", text)


def as_json(value: Any) -> None:
    print(json.dumps(value, separators=(",", ":")))


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table in minikube's frame."""
    widths = [max(len(row[i]) for row in [headings, *rows]) for i in range(len(headings))]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    print(rule)
    for row in [headings, *rows]:
        print("|" + "|".join(f" {cell.ljust(width)} " for cell, width in zip(row, widths, strict=True)) + "|")
        if row is headings:
            print(rule)
    print(rule)


def _print(stream: Any, kind: str, text: str) -> None:
    fancy, plain = STYLES[kind]
    mark = fancy if stream.isatty() and "UTF-8" in os.environ.get("LANG", "").upper() else plain
    took = f" ({time.monotonic() - _began_s:.2f} s)" if os.environ.get("MAMEKUBE_VERBOSE") else ""
    print(f"{mark} {text}{took}", file=stream, flush=True)

"""The audit log."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

_event: ContextVar[dict[str, Any] | None] = ContextVar("audit_event", default=None)


def annotate(key: str, value: str) -> None:
    """Note something about the request that is being served, where it is audited. The first to say it wins."""
    event = _event.get()
    if event is not None:
        event.setdefault("annotations", {}).setdefault(key, value)

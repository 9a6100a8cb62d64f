"""Lines of a description: a level of indentation, cells divided by tabs, aligned once at the end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from mamekube.kubectl.tabs import align

HIDDEN_ANNOTATIONS = {"kubectl.kubernetes.io/last-applied-configuration"}
ANNOTATION_LENGTH_MAX = 140


class Writer:
    """Collects lines."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def line(self, level: int, text: str = "") -> None:
        self._lines.append("  " * level + text)

    def text(self) -> str:
        return align("\n".join(self._lines)) + "\n"

    def block(self, label: str, values: Iterable[str], *, level: int = 0, none: str = "<none>") -> None:
        """`label:` with a value a line, `<none>` where there are none."""
        values = list(values) or [none]
        self.line(level, f"{label}:\t{values[0]}")
        for value in values[1:]:
            self.line(level, f"\t{value}")

    def mapping(self, label: str, pairs: Mapping[str, Any] | None, *, level: int = 0) -> None:
        """Labels: `key=value`, sorted."""
        self.block(label, [f"{key}={value}" for key, value in sorted((pairs or {}).items())], level=level)

    def annotations(self, label: str, pairs: Mapping[str, str] | None, *, level: int = 0) -> None:
        """Annotations: `key: value`, long or several-line values on lines of their own."""
        shown = sorted((key, value) for key, value in (pairs or {}).items() if key not in HIDDEN_ANNOTATIONS)
        lines: list[str] = []
        for key, value in shown:
            text = value.removesuffix("\n")
            if len(text) + len(key) + 2 < ANNOTATION_LENGTH_MAX and "\n" not in text:
                lines.append(f"{key}: {text}")
                continue
            lines.append(f"{key}:")
            lines += [
                f"  {part[: ANNOTATION_LENGTH_MAX - 3] + '...' if len(part) > ANNOTATION_LENGTH_MAX else part}"
                for part in text.split("\n")
            ]
        self.block(label, lines, level=level)


def when(timestamp: str | None) -> str:
    """A time as descriptions show it: `Mon, 02 Jan 2006 15:04:05 +0000`, in this machine's zone."""
    if not timestamp:
        return "<unset>"
    moment = datetime.fromisoformat(timestamp)
    return moment.astimezone().strftime("%a, %d %b %Y %H:%M:%S %z")

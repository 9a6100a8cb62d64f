"""The file of the audit log, which is renamed and begun anew when it has grown enough.

Names and rules are those of kube-apiserver's: `audit.log` becomes `audit-2026-03-01T12-30-00.000.log`, and of these the
newest are kept, and none for too long. Everything here is done by the one thread that writes.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, NamedTuple

MEGABYTE = 1024 * 1024
MEGABYTES_DEFAULT = 100
"""Where --audit-log-maxsize is 0."""
DAY_S = 24 * 3600
TIME_FORMAT = "%Y-%m-%dT%H-%M-%S.%f"


class Limits(NamedTuple):
    """0 means: any number, and for the size the default."""

    megabytes: int = 0
    days: int = 0
    backups: int = 0


KEEP_ALL = Limits()


class AuditFile:
    """Raises OSError. `now` answers seconds since the epoch."""

    def __init__(self, path: str, limits: Limits, now: Callable[[], float]) -> None:
        self._path = Path(path)
        self._limits = limits
        self._now = now
        self._bytes_max = (limits.megabytes or MEGABYTES_DEFAULT) * MEGABYTE
        self._standard = path == "-"
        self._file: BinaryIO = sys.stdout.buffer if self._standard else self._path.open("ab")
        self._size = 0 if self._standard else self._path.stat().st_size

    def write(self, line: bytes) -> None:
        if not self._standard and self._size and self._size + len(line) > self._bytes_max:
            self._begin_anew()
        self._file.write(line)
        self._size += len(line)

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        if not self._standard:
            self._file.close()

    def _begin_anew(self) -> None:
        self._file.close()
        stamp = datetime.fromtimestamp(self._now(), UTC).strftime(TIME_FORMAT)[:-3]
        self._path.rename(self._path.with_name(f"{self._path.stem}-{stamp}{self._path.suffix}"))
        self._file = self._path.open("ab")
        self._size = 0
        self._prune()

    def _prune(self) -> None:
        """Remove the old files that are too many or too old."""
        oldest_s = self._now() - self._limits.days * DAY_S
        for position, (since_s, path) in enumerate(sorted(self._backups(), reverse=True)):
            too_many = self._limits.backups and position >= self._limits.backups
            if too_many or (self._limits.days and since_s < oldest_s):
                path.unlink(missing_ok=True)

    def _backups(self) -> Iterator[tuple[float, Path]]:
        """(when it was renamed, file)"""
        prefix, suffix = f"{self._path.stem}-", self._path.suffix
        for path in self._path.parent.iterdir():
            if path.name.startswith(prefix) and path.name.endswith(suffix):
                stamp = path.name[len(prefix) : len(path.name) - len(suffix)]
                try:
                    yield datetime.strptime(stamp, TIME_FORMAT).replace(tzinfo=UTC).timestamp(), path
                except ValueError:
                    continue  # somebody else's file

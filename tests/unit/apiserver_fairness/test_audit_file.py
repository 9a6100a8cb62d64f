"""The file of the audit log: when it is begun anew, and which of the old ones are kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from mamekube.apiserver.auditing.audit_file import DAY_S, MEGABYTE, AuditFile, Limits
from mamekube.foundation.clock import parse_time

LINE = b"x" * (MEGABYTE // 2 - 1) + b"\n"
BEGAN_S = parse_time("2026-03-01T12:30:00Z")


class Day:
    """A clock that goes on by a day whenever it is told to."""

    def __init__(self) -> None:
        self.now_s = BEGAN_S + 0.25

    def __call__(self) -> float:
        return self.now_s

    def passes(self) -> None:
        self.now_s += DAY_S


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def fill(file: AuditFile, day: Day, days: int) -> None:
    """Two lines a day, which is one file a day."""
    for _ in range(days):
        day.passes()
        file.write(LINE)
        file.write(LINE)
    file.flush()


def test_a_full_file_is_renamed_after_the_time(tmp_path):
    day = Day()
    file = AuditFile(str(tmp_path / "audit.log"), Limits(megabytes=1), day)
    file.write(LINE)
    file.write(LINE)
    assert names(tmp_path) == ["audit.log"]
    file.write(b"next\n")
    file.close()
    assert names(tmp_path) == ["audit-2026-03-01T12-30-00.250.log", "audit.log"]
    assert (tmp_path / "audit.log").read_bytes() == b"next\n"


def test_what_was_there_before_counts(tmp_path):
    (tmp_path / "audit.log").write_bytes(LINE + LINE)
    file = AuditFile(str(tmp_path / "audit.log"), Limits(megabytes=1), Day())
    file.write(b"next\n")
    file.close()
    assert (tmp_path / "audit.log").read_bytes() == b"next\n"


def test_a_line_that_is_longer_than_a_file_is_written_all_the_same(tmp_path):
    file = AuditFile(str(tmp_path / "audit.log"), Limits(megabytes=1), Day())
    file.write(LINE * 3)
    file.close()
    assert names(tmp_path) == ["audit.log"]


@pytest.mark.parametrize(
    ("limits", "kept"),
    [
        (Limits(megabytes=1), 5),
        (Limits(megabytes=1, backups=2), 2),
        (Limits(megabytes=1, days=3), 4),
        (Limits(megabytes=1, days=1, backups=9), 2),
    ],
)
def test_old_files_go_by_number_and_by_age(tmp_path, limits, kept):
    (tmp_path / "audit-notes.log").write_text("somebody else's")
    day = Day()
    file = AuditFile(str(tmp_path / "audit.log"), limits, day)
    fill(file, day, 6)
    file.close()
    old = [name for name in names(tmp_path) if name not in ("audit.log", "audit-notes.log")]
    assert len(old) == kept
    assert old == sorted(old)[-kept:]
    assert old[-1] == "audit-2026-03-07T12-30-00.250.log"
    assert "audit-notes.log" in names(tmp_path)

"""Write a set of files so that a reader sees all of the old or all of the new ones.

The files stand in a directory with a timestamp for a name; the link `..data` points to it and is replaced by
one rename; the names a user sees are links through `..data`. Upstream: `pkg/volume/util/atomic_writer.go`.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

DATA = "..data"


class File(NamedTuple):
    content: bytes
    mode: int


def write(target: Path, files: Mapping[str, File], *, group: int | None = None) -> bool:
    """Make `target` hold exactly `files` (by relative path). Answers whether anything had to change."""
    current = target / DATA
    if current.exists() and _matches(current, files):
        return False
    old = os.readlink(current) if current.is_symlink() else ""
    stamp = time.strftime("..%Y_%m_%d_%H_%M_%S.", time.gmtime())
    fresh = Path(tempfile.mkdtemp(prefix=stamp, dir=target))
    fresh.chmod(0o755)
    for path, file in files.items():
        _write_file(fresh / path, file, group)
    if group is not None:
        os.chown(fresh, -1, group)
    temporary = target / "..data_tmp"
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(fresh.name)
    temporary.rename(current)
    _link_names(target, {path.split("/")[0] for path in files})
    if old:
        shutil.rmtree(target / old, ignore_errors=True)
    return True


def _write_file(path: Path, file: File, group: int | None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(file.content)
    # With a group, its members read what the owner may read.
    path.chmod(file.mode if group is None else file.mode | (file.mode & 0o400) >> 3)
    if group is not None:
        os.chown(path, -1, group)


def _matches(link: Path, files: Mapping[str, File]) -> bool:
    real = link.resolve()
    found = {str(path.relative_to(real)) for path in real.rglob("*") if path.is_file()}
    return found == set(files) and all(
        (real / path).read_bytes() == file.content for path, file in files.items()
    )


def _link_names(target: Path, names: set[str]) -> None:
    for name in names:
        link = target / name
        if not link.is_symlink():
            link.symlink_to(f"{DATA}/{name}")
    for entry in target.iterdir():
        if not entry.name.startswith("..") and entry.name not in names:
            entry.unlink()

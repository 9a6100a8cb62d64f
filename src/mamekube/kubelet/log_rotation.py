"""Keeps containers' logs small: 10 MiB each, five files."""

from __future__ import annotations

import os
import time
from pathlib import Path

from mamekube.kubelet.runtime import Container, Runtime, RuntimeFailure

SIZE_BYTES_MAX = 10 << 20
FILES_MAX = 5


async def rotate(container: Container, runtime: Runtime) -> None:
    """Put the log aside when it is full, and let the runtime open a new one."""
    path = Path(container.log_path)
    aside = put_aside(path) if container.log_path else None
    if aside is None:
        return
    try:
        await runtime.reopen_log(container.id)
    except RuntimeFailure:
        os.replace(aside, path)


def put_aside(path: Path) -> Path | None:
    """Rename a full log, and remove the oldest of its predecessors; None where there is nothing to do."""
    try:
        if path.stat().st_size < SIZE_BYTES_MAX:
            return None
    except OSError:
        return None
    rotated = sorted(path.parent.glob(f"{path.name}.*"))
    # The log in use and the one put aside now count, too.
    for old in rotated[: max(0, len(rotated) - (FILES_MAX - 2))]:
        old.unlink(missing_ok=True)
    return path.rename(path.with_name(f"{path.name}.{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}"))

"""Keeps containers' logs small: 10 MiB each, five files."""

from __future__ import annotations

import time
from pathlib import Path

from mamekube.kubelet.runtime import Container, Runtime, RuntimeFailure

SIZE_BYTES_MAX = 10 << 20
FILES_MAX = 5


async def rotate(container: Container, runtime: Runtime) -> None:
    """Put the log aside when it is full, and let the runtime open a new one."""
    if not container.log_path:
        return
    path = Path(container.log_path)
    try:
        if path.stat().st_size < SIZE_BYTES_MAX:
            return
    except OSError:
        return
    aside = path.with_name(f"{path.name}.{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}")
    rotated = sorted(path.parent.glob(f"{path.name}.*"))
    # The log in use and the new one count, too.
    for old in rotated[: max(0, len(rotated) - (FILES_MAX - 2))]:
        old.unlink(missing_ok=True)
    path.rename(aside)
    try:
        await runtime.reopen_log(container.id)
    except RuntimeFailure:
        aside.rename(path)

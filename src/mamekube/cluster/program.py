"""What the server process and the node process have in common: their event loop, their log, their end."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import sys
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import uvloop

FILE_POLL_S = 0.005
FILE_TIMEOUT_S = 60.0


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run a program's work until it fails or SIGTERM or SIGINT comes; it gets cancelled then, and may tidy up."""
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname).1s %(name)s: %(message)s"
    )
    logging.Formatter.converter = time.gmtime
    for talkative in ("hpack", "asyncio"):
        logging.getLogger(talkative).setLevel(logging.WARNING)
    uvloop.run(_until_signal(work))


async def _until_signal(work: Coroutine[Any, Any, None]) -> None:
    loop = asyncio.get_running_loop()
    task = loop.create_task(work)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        logging.getLogger("mamekube").info("ended on request")


def read_configuration() -> dict[str, Any]:
    """The JSON file named on the command line."""
    content: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text())
    return content


def wait_for_file(path: Path) -> None:
    """Wait, before the loop runs, for what the launcher makes meanwhile; it appears complete or not at all."""
    deadline = time.monotonic() + FILE_TIMEOUT_S
    while not path.exists():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{path} was not made in {FILE_TIMEOUT_S} seconds")
        time.sleep(FILE_POLL_S)

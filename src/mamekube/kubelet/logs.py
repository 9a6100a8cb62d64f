"""Reads containers' logs in CRI's format: `<time> <stdout|stderr> <P|F> <text>` lines.

Specification: `kubernetes/design-proposals: kubelet-cri-logging.md`.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

from mamekube.foundation.clock import parse_time

BLOCK_BYTES = 64 * 1024
POLL_S = 0.1
"""How soon a new line of a followed log is seen."""


class Line(NamedTuple):
    timestamp: bytes
    stream: bytes
    content: bytes
    """With its line break, unless the runtime cut a long line here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    follow: bool = False
    timestamps: bool = False
    tail_lines: int | None = None
    since_s: float | None = None
    """Seconds since the epoch."""
    limit_bytes: int | None = None
    stream: str = "All"


def parse_line(raw: bytes) -> Line | None:
    """One line of the file; None for anything that is no log line."""
    parts = raw.rstrip(b"\n").split(b" ", 3)
    if len(parts) < 3 or parts[1] not in (b"stdout", b"stderr"):
        return None
    text = parts[3] if len(parts) > 3 else b""
    partial = parts[2].split(b":")[0] == b"P"
    return Line(parts[0], parts[1], text if partial else text + b"\n")


def tail(path: Path, count: int) -> list[Line]:
    """The last `count` lines."""
    with path.open("rb") as file:
        file.seek(tail_offset(file, count))
        return [line for line in map(parse_line, file) if line is not None]


def tail_offset(file: BinaryIO, count: int) -> int:
    """Where the last `count` lines begin."""
    position = file.seek(0, 2)
    if count <= 0:
        return position
    # The break that ends the last line begins none.
    left = count + 1
    while position > 0:
        size = min(BLOCK_BYTES, position)
        position -= size
        file.seek(position)
        block = file.read(size)
        found = block.count(b"\n")
        if found < left:
            left -= found
            continue
        index = len(block)
        for _ in range(left):
            index = block.rindex(b"\n", 0, index)
        return position + index + 1
    return 0


class Selector:
    """Applies since, stream, timestamps and the limit of bytes to lines; `done` when nothing more may pass."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._left = options.limit_bytes
        self._whole = True
        self.done = False

    def select(self, line: Line) -> bytes:
        options = self._options
        if options.stream != "All" and line.stream.decode() != options.stream.lower():
            return b""
        if options.since_s is not None and parse_time(line.timestamp.decode()) < options.since_s:
            return b""
        text = line.content
        if options.timestamps and self._whole:
            text = line.timestamp + b" " + text
        self._whole = line.content.endswith(b"\n")
        if self._left is not None:
            text = text[: self._left]
            self._left -= len(text)
            self.done = self._left <= 0
        return text


async def read(path: Path, options: Options, *, running: Callable[[], bool]) -> AsyncIterator[bytes]:
    """The selected text in blocks. With `follow` it goes on until the container has ended and all is read."""
    source = _Source(path, options)
    try:
        while True:
            alive = options.follow and running()
            while (text := source.next_block()) is not None:
                if text:
                    yield text
                if source.selector.done:
                    return
            if source.follow_rotation():
                continue
            if not alive:
                return
            await asyncio.sleep(POLL_S)
    finally:
        source.close()


class _Source:
    """A log file that is read block by block, and the line that its writer has not finished yet."""

    def __init__(self, path: Path, options: Options) -> None:
        self.selector = Selector(options)
        self._path = path
        self._file: BinaryIO = path.open("rb")
        self._rest = b""
        if options.tail_lines is not None:
            self._file.seek(tail_offset(self._file, options.tail_lines))

    def next_block(self) -> bytes | None:
        """What is selected of the next block; None at the present end of the file."""
        block = self._file.read(BLOCK_BYTES)
        if not block:
            return None
        *lines, self._rest = (self._rest + block).split(b"\n")
        selected = []
        for raw in lines:
            line = parse_line(raw)
            if line is not None and not self.selector.done:
                selected.append(self.selector.select(line))
        return b"".join(selected)

    def follow_rotation(self) -> bool:
        """Go on with the new file where the log was rotated and the old one is read to its end."""
        try:
            old = os.fstat(self._file.fileno())
            if old.st_ino == self._path.stat().st_ino or self._file.tell() < old.st_size:
                return False
            new: BinaryIO = self._path.open("rb")
        except OSError:
            return False
        self.close()
        self._file, self._rest = new, b""
        return True

    def close(self) -> None:
        self._file.close()

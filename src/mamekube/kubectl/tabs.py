"""Elastic tab stops, as Go's text/tabwriter lays them out: the alignment of everything kubectl prints in columns.

A cell is text that ends in a tab. Cells of one column in consecutive lines form a block and share its width; the
text after a line's last tab belongs to no column.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence


def align(text: str, *, width_min: int = 0, padding: int = 2) -> str:
    """`text` with its tabs turned into blanks."""
    lines = [line.split("\t") for line in text.split("\n")]
    widths: list[list[int]] = [[0] * (len(cells) - 1) for cells in lines]
    _measure(lines, widths, 0, len(lines), 0, width_min, padding)
    return "\n".join(
        "".join(
            cell + " " * (width - display_width(cell))
            for cell, width in zip(cells, [*row, display_width(cells[-1])], strict=True)
        )
        for cells, row in zip(lines, widths, strict=True)
    )


def table(rows: Sequence[Sequence[str]]) -> str:
    """Rows as `kubectl get` prints them, a line each."""
    return "".join(
        line + "\n"
        for line in align("\n".join("\t".join(row) for row in rows), width_min=6, padding=3).split("\n")
    )


def display_width(text: str) -> int:
    """How many columns of a terminal the text takes; Go counts runes, and so do we."""
    return sum(1 for character in text if not unicodedata.combining(character))


def _measure(
    lines: list[list[str]],
    widths: list[list[int]],
    start: int,
    end: int,
    column: int,
    width_min: int,
    padding: int,
) -> None:
    """Set the widths of `column` for every block of lines in [start, end) that has it, then of the columns inside."""
    line = start
    while line < end:
        if len(lines[line]) - 1 <= column:
            line += 1
            continue
        block_end = line
        while block_end < end and len(lines[block_end]) - 1 > column:
            block_end += 1
        widest = max(display_width(lines[index][column]) for index in range(line, block_end))
        width = max(width_min, widest + padding)
        for index in range(line, block_end):
            widths[index][column] = width
        _measure(lines, widths, line, block_end, column + 1, width_min, padding)
        line = block_end

"""The `Warning` headers of an answer: one for each text, and no more than clients take."""

from __future__ import annotations

from collections.abc import Sequence

TOTAL_LENGTH_MAX = 4 * 1024
ITEM_LENGTH_MAX = 256
"""Upstream's truncateAtTotalRunes and truncateItemRunes."""


def pairs(texts: Sequence[str]) -> Sequence[tuple[str, str]]:
    """Header names and values. A text that comes again is told once."""
    return [("Warning", f'299 - "{quoted(text)}"') for text in limited(texts)] if texts else ()


def limited(texts: Sequence[str]) -> Sequence[str]:
    """All of them, if they are short enough together. Otherwise each is cut, and what comes after the limit is left
    out: a text is looked at when it comes, so those that came before the limit was reached are all there."""
    different = list(dict.fromkeys(filter(None, texts)))
    written = 0
    for position, text in enumerate(different):
        written += len(text)
        if written > TOTAL_LENGTH_MAX:
            return _cut(different, position + 1)
    return different


def _cut(texts: Sequence[str], reached: int) -> Sequence[str]:
    """`reached`: how many there were when they became too long together."""
    kept = [text[:ITEM_LENGTH_MAX] for text in texts[:reached]]
    written = sum(map(len, kept))
    for text in texts[reached:]:
        if written >= TOTAL_LENGTH_MAX:
            break
        kept.append(text[:ITEM_LENGTH_MAX])
        written += len(kept[-1])
    return kept


def quoted(text: str) -> str:
    """A text inside of a quoted-string header value."""
    printable = "".join(character if character.isprintable() else " " for character in text)
    return printable.replace("\\", "\\\\").replace('"', '\\"')

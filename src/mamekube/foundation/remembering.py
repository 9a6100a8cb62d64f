"""Answers that are remembered, and for which texts: whoever may send a text may send a million long ones."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import TypeVar

CHARACTERS_MAX = 256
"""Of a text that is remembered: more than any name, quantity or selector has."""

T = TypeVar("T")


def short_texts(
    maxsize: int, *, characters_max: int = CHARACTERS_MAX
) -> Callable[[Callable[[str], T]], Callable[[str], T]]:
    """`functools.lru_cache` of a function of a text, which longer texts pass by."""

    def decorate(function: Callable[[str], T]) -> Callable[[str], T]:
        remembered = lru_cache(maxsize)(function)

        @wraps(function)
        def answer(text: str) -> T:
            return remembered(text) if len(text) <= characters_max else function(text)

        return answer

    return decorate

"""Answers that are remembered, and for which texts: whoever may send a text may send a million long ones."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, cast

CHARACTERS_MAX = 256
"""Of a text that is remembered: more than any name, quantity or selector has."""

P = ParamSpec("P")
T = TypeVar("T")
Answer = TypeVar("Answer", covariant=True)


class Remembering(Protocol[P, Answer]):
    """A function of a text (and of little else) that remembers what it answered."""

    cache_info: Callable[[], Any]
    """As of `functools.lru_cache`."""

    def __call__(self, text: str, /, *rest: P.args, **options: P.kwargs) -> Answer: ...


def short_texts(
    maxsize: int, *, characters_max: int = CHARACTERS_MAX
) -> Callable[[Callable[Concatenate[str, P], T]], Remembering[P, T]]:
    """`functools.lru_cache`, which longer texts pass by."""

    def decorate(function: Callable[Concatenate[str, P], T]) -> Remembering[P, T]:
        remembered = lru_cache(maxsize)(function)

        @wraps(function)
        def answer(text: str, /, *rest: P.args, **options: P.kwargs) -> T:
            if len(text) > characters_max:
                return function(text, *rest, **options)
            return remembered(text, *rest, **options)  # type: ignore[arg-type]

        made = cast("Remembering[P, T]", answer)
        made.cache_info = remembered.cache_info
        return made

    return decorate

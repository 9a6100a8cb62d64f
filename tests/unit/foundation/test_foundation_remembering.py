"""Remembering what was asked, but for texts that anybody may send by the million."""

from mamekube.foundation.remembering import CHARACTERS_MAX, short_texts


def test_short_texts_are_remembered_and_long_ones_are_not() -> None:
    asked: list[int] = []

    @short_texts(maxsize=8)
    def length(text: str) -> int:
        asked.append(len(text))
        return len(text)

    short, long = "x" * CHARACTERS_MAX, "x" * (CHARACTERS_MAX + 1)
    assert [length(short), length(short), length(long), length(long)] == [len(short)] * 2 + [len(long)] * 2
    assert asked == [len(short), len(long), len(long)]

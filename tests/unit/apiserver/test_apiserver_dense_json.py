"""Decoding JSON piece by piece: the same values, the same refusals, whatever the size of a piece."""

import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mamekube.apiserver.formats import dense_json

LEAVES = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8) | st.just('"[,]{}\\')
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=3), inner, max_size=5),
)
SPACES = st.sampled_from(["", " ", "\n\t"])


@pytest.fixture(params=[0, 3, 20])
def small(request, monkeypatch):
    monkeypatch.setattr(dense_json, "PIECE_BYTES", request.param)


def outcome(loads, text):
    try:
        return True, loads(text)
    except ValueError:
        return False, None


@given(value=VALUES, comma=SPACES, colon=SPACES)
@pytest.mark.parametrize("size", [0, 3, 20])
def test_a_text_in_pieces_is_what_it_is_as_a_whole(size, value, comma, colon):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dense_json, "PIECE_BYTES", size)
        text = json.dumps(value, separators=(f"{comma},{comma}", f"{colon}:{colon}")).encode()
        assert dense_json.loads(text) == value
        assert list(dense_json.loads(b'{"a":%b}' % text)) == ["a"]


@given(value=VALUES, data=st.data())
@pytest.mark.parametrize("size", [0, 3, 20])
def test_a_broken_text_is_broken_in_pieces_too(size, value, data):
    text = json.dumps(value)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(text)))
        put = data.draw(
            st.sampled_from(["", ",", "{", "}", "[", "]", '"', ":", "1", " ", "\\", "x", "\n", '"a":1'])
        )
        text = text[:at] + put + text[at + data.draw(st.integers(0, 2)) :]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dense_json, "PIECE_BYTES", size)
        assert outcome(dense_json.loads, text.encode()) == outcome(orjson.loads, text.encode())


@pytest.mark.parametrize(
    "text",
    [
        b"[1,2,]",
        b"[,1]",
        b"[1,,2]",
        b'{"a":[1,2]"b":1}',
        b'{"a":[1,2],}',
        b'{"a" [1,2]}',
        b"{[1,2]}",
        b'["a":[1,2]]',
        b"[[1,2][3,4]]",
        b"[1[2,3]]",
        b"[[1,2}]",
        b"[1,2]]",
        b"x[1,2]",
        b"[[1,2]",
        b'["a,b]',
        b'["\\"]',
        b"",
        b"[" + b" " * 30 + b",1]",
    ],
)
def test_what_is_wrong_between_pieces_is_seen(small, text):
    with pytest.raises(ValueError):
        orjson.loads(text)
    with pytest.raises(ValueError):
        dense_json.loads(text)


def test_a_key_that_stands_twice_has_its_last_value_and_its_first_place(small):
    text = b'{"a":[1,2,3],"b":2,"a":{"c":[4,5]},"d":6}'
    assert list(dense_json.loads(text).items()) == [("a", {"c": [4, 5]}), ("b", 2), ("d", 6)]

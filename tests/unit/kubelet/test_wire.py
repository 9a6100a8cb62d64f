"""The codec against bytes written by hand, and against itself."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mamekube.kubelet.cri_messages import METHODS, SCHEMA
from mamekube.kubelet.wire import Schema, WireError

SMALL = Schema("""
Inner: text=1 number=2:int
Outer: flag=1:bool names=2:* inner=3:Inner inners=4:*Inner labels=5:map raw=6:bytes numbers=7:*int
    big=16:uint
""")

MESSAGES = st.fixed_dictionaries(
    {
        "flag": st.booleans(),
        "names": st.lists(st.text()),
        "inner": st.fixed_dictionaries({"text": st.text(), "number": st.integers(-(2**63), 2**63 - 1)}),
        "inners": st.lists(
            st.fixed_dictionaries({"text": st.text(), "number": st.integers(-(2**31), 2**31)})
        ),
        "labels": st.dictionaries(st.text(), st.text()),
        "raw": st.binary(),
        "numbers": st.lists(st.integers(-(2**63), 2**63 - 1)),
        "big": st.integers(0, 2**64 - 1),
    }
)


@settings(deadline=None)
@given(MESSAGES)
def test_what_is_encoded_is_decoded(message):
    assert SMALL.decode("Outer", SMALL.encode("Outer", message)) == message


def test_bytes_are_those_of_the_specification():
    assert SMALL.encode("Inner", {"text": "testing", "number": 150}) == b"\x0a\x07testing\x10\x96\x01"


def test_defaults_are_not_sent_and_come_back():
    assert SMALL.encode("Inner", {"text": "", "number": 0}) == b""
    assert SMALL.decode("Inner", b"") == {"text": "", "number": 0}


def test_an_empty_nested_message_is_sent_and_an_absent_one_is_absent():
    assert SMALL.encode("Outer", {"inner": {}}) == b"\x1a\x00"
    assert "inner" not in SMALL.decode("Outer", b"")


def test_unknown_fields_are_skipped():
    assert SMALL.decode("Inner", b"\x0a\x01a\x4a\x03abc\x51" + bytes(8)) == {"text": "a", "number": 0}


def test_numbers_are_read_packed_and_unpacked():
    assert SMALL.decode("Outer", b"\x3a\x02\x01\x02\x38\x03")["numbers"] == [1, 2, 3]


def test_a_field_that_the_message_does_not_have_is_a_mistake():
    with pytest.raises(KeyError, match="txet"):
        SMALL.encode("Inner", {"txet": "a"})


@pytest.mark.parametrize("data", [b"\x0a\x05abc", b"\x10\x96", b"\x0b\x01", b"\x10" + b"\xff" * 11])
def test_broken_bytes_are_refused(data):
    with pytest.raises(WireError):
        SMALL.decode("Inner", data)


def test_every_method_names_messages_of_the_table():
    for _, request, answer in METHODS.values():
        assert SCHEMA.decode(request, b"") is not None
        assert SCHEMA.decode(answer, b"") is not None

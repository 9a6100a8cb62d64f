"""The connection against `h2`, another implementation of the protocol, without a socket between them."""

import struct

import h2.config
import h2.connection
import h2.events
import h2.settings
import pytest

from mamekube.kubelet import http2
from mamekube.kubelet.http2 import Connection, Stream, frame

HEADERS = b"\x83\x86" + b"\x04" + http2.literal("/a/B") + b"\x01" + http2.literal("localhost")
ANSWER = [(":status", "200"), ("x", "y")]


class Heard(Stream):
    """Notes what it hears."""

    def __init__(self, body=b"?"):
        super().__init__(HEADERS, body)
        self.heard = []

    def take_headers(self, headers):
        self.heard.append(dict(headers))

    def take_data(self, data):
        self.heard.append(data)

    def finish(self):
        self.heard.append("end")

    def fail(self, why, *, reset=None):
        self.heard.append((why, reset))


class Wire:
    """The client's transport; what is written is read by the server at once."""

    def __init__(self, client):
        self.client = client
        self.closed = False
        self.unread = 0
        self.events = []
        config = h2.config.H2Configuration(client_side=False, header_encoding="utf-8")
        self.server = h2.connection.H2Connection(config)
        client.connection_made(self)
        self.server.initiate_connection()
        self.answer()

    def write(self, data):
        self.events += self.server.receive_data(data)

    def get_write_buffer_size(self):
        return self.unread

    def close(self):
        self.closed = True

    def answer(self, *, piece=1 << 20):
        while data := self.server.data_to_send():
            for at in range(0, len(data), piece):
                self.client.data_received(data[at : at + piece])

    def body(self, number):
        parts = [
            e.data for e in self.events if isinstance(e, h2.events.DataReceived) and e.stream_id == number
        ]
        return b"".join(parts)

    def requests(self):
        return [e.stream_id for e in self.events if isinstance(e, h2.events.RequestReceived)]

    def serve(self, number, *bodies, piece=1 << 20):
        self.server.send_headers(number, ANSWER)
        for body in bodies:
            self.server.send_data(number, body)
        self.server.send_headers(number, [("grpc-status", "0")], end_stream=True)
        self.answer(piece=piece)


@pytest.fixture
def wire():
    return Wire(Connection())


@pytest.mark.parametrize("piece", [1, 7, 1 << 20])
def test_an_answer_is_heard_whole_however_it_is_cut(wire, piece):
    stream = Heard()
    wire.client.begin(stream)
    wire.serve(stream.id, b"one", b"two", piece=piece)
    assert stream.heard == [dict(ANSWER), b"one", b"two", {"grpc-status": "0"}, "end"]
    request = next(event for event in wire.events if isinstance(event, h2.events.RequestReceived))
    assert dict(request.headers)[":path"] == "/a/B"


def test_many_streams_share_the_connection(wire):
    first, second = Heard(), Heard()
    wire.client.begin(first)
    wire.client.begin(second)
    wire.serve(second.id, b"2")
    assert "end" not in first.heard
    wire.serve(first.id, b"1")
    assert (first.heard[1], second.heard[1]) == (b"1", b"2")


def test_a_body_larger_than_the_window_waits_for_the_reader(wire):
    body = bytes(range(256)) * 1024
    stream = Heard(body)
    wire.client.begin(stream)
    assert len(wire.body(stream.id)) == http2.WINDOW_DEFAULT
    while len(wire.body(stream.id)) < len(body):
        wire.server.increment_flow_control_window(20_000)
        wire.server.increment_flow_control_window(20_000, stream.id)
        wire.answer()
    assert wire.body(stream.id) == body
    assert any(isinstance(event, h2.events.StreamEnded) for event in wire.events)


def test_windows_that_shrink_while_a_body_is_on_its_way_are_kept_to(wire):
    stream = Heard(bytes(100_000))
    wire.client.begin(stream)
    wire.server.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 10})
    wire.server.increment_flow_control_window(1_000_000)
    wire.answer()
    assert len(wire.body(stream.id)) == http2.WINDOW_DEFAULT
    wire.server.increment_flow_control_window(100_000, stream.id)
    wire.answer()
    assert len(wire.body(stream.id)) == 100_000


def test_no_more_streams_are_begun_than_the_peer_allows(wire):
    wire.server.update_settings({h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: 1})
    wire.answer()
    first, second, third = Heard(), Heard(), Heard()
    for stream in (first, second, third):
        wire.client.begin(stream)
    assert wire.requests() == [first.id]
    wire.client.leave(second)
    wire.serve(first.id)
    assert wire.requests() == [first.id, third.id]


def test_a_stream_that_is_left_is_reset_and_its_late_answer_ignored(wire):
    stream, other = Heard(), Heard()
    wire.client.begin(stream)
    wire.client.begin(other)
    wire.server.send_headers(stream.id, ANSWER)
    late = wire.server.data_to_send()
    wire.client.leave(stream)
    wire.client.data_received(late)
    assert stream.heard == []
    resets = [event for event in wire.events if isinstance(event, h2.events.StreamReset)]
    assert [(event.stream_id, event.error_code) for event in resets] == [(stream.id, http2.CANCEL)]
    wire.serve(other.id, b"!")
    assert other.heard[-1] == "end"


def test_headers_in_several_frames_are_one_block(wire):
    stream = Heard()
    wire.client.begin(stream)
    block = b"\x88\x00" + http2.literal("x") + http2.literal("y")
    wire.client.data_received(frame(http2.HEADERS, 0, stream.id, block[:2]))
    assert stream.heard == []
    wire.client.data_received(frame(http2.CONTINUATION, http2.END_HEADERS, stream.id, block[2:]))
    assert stream.heard == [dict(ANSWER)]


def test_padding_is_no_part_of_the_body(wire):
    stream = Heard()
    wire.client.begin(stream)
    wire.server.send_headers(stream.id, ANSWER)
    wire.server.send_data(stream.id, b"body", pad_length=9)
    wire.answer()
    assert stream.heard[1:] == [b"body"]


def test_headers_that_the_peer_puts_into_its_table_are_understood(wire):
    """As long as it has not read the settings it may keep one."""
    block = b"\x88\x40" + http2.literal("x") + http2.literal("y")
    reference = b"\x88\xbe"
    for sent in (block, reference, reference):
        stream = Heard()
        wire.client.begin(stream)
        wire.client.data_received(frame(http2.HEADERS, http2.END_HEADERS, stream.id, sent))
        assert stream.heard == [dict(ANSWER)]


def test_a_ping_is_answered(wire):
    wire.server.ping(b"01234567")
    wire.answer()
    acks = [event for event in wire.events if isinstance(event, h2.events.PingAckReceived)]
    assert [event.ping_data for event in acks] == [b"01234567"]


def test_a_peer_that_goes_away_answers_what_it_has_taken(wire):
    taken, refused = Heard(), Heard()
    wire.client.begin(taken)
    wire.client.begin(refused)
    goodbye = taken.id.to_bytes(4, "big") + bytes(4)
    wire.client.data_received(frame(http2.GOAWAY, 0, 0, goodbye))
    assert refused.heard == [("the peer is going away", http2.REFUSED_STREAM)]
    assert wire.client.closing and not wire.closed
    wire.serve(taken.id)
    assert taken.heard[-1] == "end" and wire.closed


def test_a_stream_hears_why_the_peer_broke_it_off(wire):
    stream = Heard()
    wire.client.begin(stream)
    wire.server.reset_stream(stream.id, error_code=2)
    wire.answer()
    assert stream.heard == [("the peer broke it off", 2)]


@pytest.mark.parametrize(
    "nonsense",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        frame(http2.CONTINUATION, http2.END_HEADERS, 1, b""),
        frame(http2.HEADERS, 0, 1, b"\x88") + frame(http2.DATA, 0, 1, b""),
        frame(http2.HEADERS, http2.END_HEADERS, 1, b"\xff\xff\xff\xff\xff"),
        frame(http2.DATA, http2.PADDED, 1, b"\x09ab"),
        frame(http2.SETTINGS, 0, 0, b"odd"),
        *[frame(http2.HEADERS, 0, 1, b"") + frame(http2.CONTINUATION, 0, 1, bytes(16_000)) * 5],
    ],
)
def test_a_peer_that_breaks_the_rules_is_left(wire, nonsense):
    stream = Heard()
    wire.client.begin(stream)
    wire.client.data_received(nonsense)
    assert wire.closed and wire.client.closing
    assert stream.heard[-1][0].startswith("the peer breaks the rules of HTTP/2")


def test_the_loss_of_the_connection_is_heard_by_every_stream(wire):
    stream = Heard()
    wire.client.begin(stream)
    wire.client.connection_lost(None)
    assert stream.heard == [("the connection was lost", None)]


@pytest.mark.parametrize("asked", [frame(http2.PING, 0, 0, bytes(8)), frame(http2.SETTINGS, 0, 0, b"")])
def test_a_peer_that_asks_and_does_not_read_is_left(wire, asked):
    stream = Heard()
    wire.client.begin(stream)
    wire.client.data_received(asked)
    assert not wire.closed
    wire.unread = http2.UNSENT_BYTES_MAX + 1
    wire.client.data_received(asked)
    assert wire.closed
    ((why, _),) = stream.heard
    assert "does not read" in why


def test_a_peer_may_allow_frames_of_any_size(wire):
    stream = Heard(bytes(1 << 25))
    size = struct.pack(">HI", http2.FRAME_SIZE, (1 << 32) - 1)
    window = struct.pack(">HI", http2.INITIAL_WINDOW, (1 << 31) - 1)
    sent = []
    wire.write = sent.append
    wire.client.data_received(frame(http2.SETTINGS, 0, 0, size + window))
    wire.client.data_received(frame(http2.WINDOW_UPDATE, 0, 0, struct.pack(">I", 1 << 30)))
    wire.client.begin(stream)
    assert stream.unsent == b""
    assert not wire.closed

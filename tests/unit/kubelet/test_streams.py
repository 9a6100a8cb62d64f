"""Framing of SPDY and WebSocket, and the translation between them."""

import asyncio
import struct
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mamekube.kubelet import http_server, spdy, streaming, websocket


def client_frame(opcode, payload, *, final=True, mask=b"\x01\x02\x03\x04"):
    size = len(payload)
    if size < 126:
        length = bytes((0x80 | size,))
    elif size < 1 << 16:
        length = bytes((0x80 | 126,)) + size.to_bytes(2, "big")
    else:
        length = bytes((0x80 | 127,)) + size.to_bytes(8, "big")
    first = bytes(((0x80 if final else 0) | opcode,))
    return first + length + mask + websocket.unmask(payload, mask)


def test_the_accept_key_is_that_of_the_specification():
    assert websocket.accept_key("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


@settings(deadline=None)
@given(st.lists(st.binary(max_size=70_000), max_size=4), st.integers(1, 50_000))
def test_messages_arrive_whole_however_the_bytes_come(payloads, step):
    data = b"".join(client_frame(websocket.BINARY, payload) for payload in payloads)
    decoder, received = websocket.Decoder(), []
    for start in range(0, len(data), step):
        received += decoder.feed(data[start : start + step])
    assert received == [(websocket.BINARY, payload) for payload in payloads]


def test_fragments_are_joined_around_a_ping():
    decoder = websocket.Decoder()
    data = client_frame(websocket.BINARY, b"ab", final=False) + client_frame(websocket.PING, b"?")
    data += client_frame(websocket.CONTINUATION, b"cd")
    assert decoder.feed(data) == [(websocket.PING, b"?"), (websocket.BINARY, b"abcd")]


def test_an_unmasked_frame_is_refused():
    with pytest.raises(websocket.ProtocolError):
        websocket.Decoder().feed(websocket.encode(websocket.BINARY, b"abcd"))


def test_the_header_dictionary_is_that_of_the_specification():
    """Its checksum stands in every compressed stream's head, so a wrong byte would be refused."""
    assert zlib.adler32(spdy.DICTIONARY) == 0xE3C6A7C2


def test_a_stream_is_opened_with_its_headers():
    session = spdy.Session()
    _, first = session.open_stream({"StreamType": "error"})
    number, second = session.open_stream({"StreamType": "stdout"})
    assert number == 3
    frames = spdy.Session().feed(first + second)
    assert [(frame.kind, frame.stream) for frame in frames] == [(spdy.SYN_STREAM, 1), (spdy.SYN_STREAM, 3)]
    decompressor = zlib.decompressobj(zdict=spdy.DICTIONARY)
    blocks = [decompressor.decompress(frame.data[10:]) for frame in frames]
    word = b"streamtype"
    expected = struct.pack(">II", 1, len(word)) + word + struct.pack(">I", 6) + b"stdout"
    assert blocks[1] == expected


@settings(deadline=None)
@given(st.lists(st.binary(max_size=300)), st.integers(1, 64))
def test_data_frames_survive_any_cut(payloads, step):
    data = b"".join(spdy.Session.data(5, payload) for payload in payloads) + spdy.Session.data(
        5, b"", fin=True
    )
    session, frames = spdy.Session(), []
    for start in range(0, len(data), step):
        frames += session.feed(data[start : start + step])
    assert [frame.data for frame in frames] == [*payloads, b""]
    assert [frame.fin for frame in frames] == [False] * len(payloads) + [True]


class SpdyServer:
    """A runtime's streaming server: echoes stdin to stdout, and ends with a status when stdin is closed."""

    def __init__(self):
        self.opened = []

    async def handle(self, reader, writer):
        self.head = await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: SPDY/3.1\r\nConnection: Upgrade\r\n\r\n")
        session, streams = spdy.Session(), {}
        inflate = zlib.decompressobj(zdict=spdy.DICTIONARY)
        while data := await reader.read(1000):
            for frame in session.feed(data):
                if frame.kind == spdy.SYN_STREAM:
                    block = inflate.decompress(frame.data[10:])
                    streams[block[22:].decode()] = frame.stream
                    self.opened = list(streams)
                elif frame.kind == 0 and frame.data:
                    writer.write(session.data(streams["stdout"], frame.data.upper()))
                if frame.kind == 0 and frame.fin:
                    writer.write(session.data(streams["error"], b'{"status":"Success"}', fin=True))
                    writer.write(session.data(streams["stdout"], b"", fin=True))
        writer.close()


async def test_version_5_of_the_channel_protocol_closes_stdin():
    runtime = SpdyServer()
    backend = await asyncio.start_server(runtime.handle, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{backend.sockets[0].getsockname()[1]}/exec/token"

    async def handler(request):
        await streaming.serve(request, url, streams=["stdin", "stdout"], tty=False)

    server = await http_server.serve(handler, address="127.0.0.1", port=0, context=None)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.sockets[0].getsockname()[1])
    writer.write(
        b"GET /exec HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: v5.channel.k8s.io\r\n\r\n"
    )
    head = await reader.readuntil(b"\r\n\r\n")
    assert b"101 Switching Protocols" in head
    assert b"Sec-WebSocket-Protocol: v5.channel.k8s.io" in head
    writer.write(client_frame(websocket.BINARY, b"\x00hello"))
    writer.write(client_frame(websocket.BINARY, bytes((255, 0))))
    received = await reader.read()
    assert received.startswith(websocket.encode(websocket.BINARY, b"\x01HELLO"))
    assert websocket.encode(websocket.BINARY, b'\x03{"status":"Success"}') in received
    assert received.endswith(websocket.encode_close())
    assert runtime.opened == ["error", "stdin", "stdout"]
    assert b"v4.channel.k8s.io" in runtime.head
    for part in (writer, server, backend):
        part.close()


async def raw_request(data, handler=None):
    async def answer(request):
        request.respond(200, ",".join(request.path) + "|" + request.first("a"))

    server = await http_server.serve(handler or answer, address="127.0.0.1", port=0, context=None)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.sockets[0].getsockname()[1])
    writer.write(data)
    try:
        return await reader.read()
    finally:
        writer.close()
        server.close()


async def test_a_request_is_read_and_answered():
    answer = await raw_request(b"GET /containerLogs/ns/p%20q?a=1%2B1 HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(b"containerLogs,ns,p q|1+1")


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nContent-Length: many\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n", b"413"),
    ],
)
async def test_malformed_requests_are_refused(data, status):
    assert (await raw_request(data)).split(b" ")[1] == status


async def test_a_head_without_an_end_is_refused():
    reader = asyncio.StreamReader(limit=http_server.HEAD_BYTES_MAX)
    reader.feed_data(b"GET / HTTP/1.1\r\nX: " + b"a" * 2 * http_server.HEAD_BYTES_MAX)
    with pytest.raises(http_server.Refused) as caught:
        await http_server.read_request(reader, None)
    assert caught.value.status == 431

"""What is no request is refused as Go's net/http refuses it, hung up on, and worth one quiet line of the log."""

import asyncio
import logging
import re

import pytest

from mamekube.apiserver.reply import Reply
from mamekube.apiserver.wire.exchange import BodyBroken
from mamekube.foundation import limits

GET = b"GET /a HTTP/1.1\r\nHost: a\r\n"
POST = b"POST /a HTTP/1.1\r\nHost: a\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
PLAIN = "400 Bad Request"
UNSUPPORTED = "501 Not Implemented"

REFUSED = {
    "no host": (b"GET / HTTP/1.1\r\n\r\n", f"{PLAIN}: missing required Host header"),
    "two hosts": (GET + b"host: a\r\n\r\n", f"{PLAIN}: too many Host headers"),
    "a host that is none": (b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", f"{PLAIN}: malformed Host header"),
    "a host with a path": (b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", f"{PLAIN}: malformed Host header"),
    "two hosts in HTTP/1.0": (
        b"GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n",
        f"{PLAIN}: too many Host headers",
    ),
    "HTTP/0.9": (b"GET /a\r\n\r\n", PLAIN),
    "HTTP/0.9, said so": (b"GET /a HTTP/0.9\r\n\r\n", PLAIN),
    "HTTP/1.2": (b"GET /a HTTP/1.2\r\nHost: a\r\n\r\n", PLAIN),
    "HTTP/2 without its preface": (
        b"GET /a HTTP/2.0\r\nHost: a\r\n\r\n",
        "505 HTTP Version Not Supported: unsupported protocol version",
    ),
    "the preface of HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", PLAIN),
    "a method that is no token": (b"TEA(POT /a HTTP/1.1\r\nHost: a\r\n\r\n", PLAIN),
    "no method": (b" /a HTTP/1.1\r\nHost: a\r\n\r\n", PLAIN),
    "an unknown method without a host": (
        b"TEAPOT /a HTTP/1.1\r\n\r\n",
        f"{PLAIN}: missing required Host header",
    ),
    "a target that is no path": (b"GET a HTTP/1.1\r\nHost: a\r\n\r\n", PLAIN),
    "a target for a tunnel": (b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", PLAIN),
    "a control character in the path": (b"GET /a\x01 HTTP/1.1\r\nHost: a\r\n\r\n", PLAIN),
    "a broken escape in the path": (b"GET /a%2 HTTP/1.1\r\nHost: a\r\n\r\n", PLAIN),
    "a name without a value": (GET + b"X\r\n\r\n", PLAIN),
    "a name that is no token": (GET + b"X Y: 1\r\n\r\n", PLAIN),
    "a control character in a value": (GET + b"X: a\x01b\r\n\r\n", PLAIN),
    "a carriage return in a value": (GET + b"X: a\rY: b\r\n\r\n", PLAIN),
    "a length in hexadecimal": (POST + b"Content-Length: 0x3\r\n\r\nabc", PLAIN),
    "a length without a number": (POST + b"Content-Length: \r\n\r\n", PLAIN),
    "a length that no integer holds": (POST + b"Content-Length: 99999999999999999999\r\n\r\n", PLAIN),
    "chunks behind another encoding": (
        POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        UNSUPPORTED,
    ),
    "an encoding without chunks": (POST + b"Transfer-Encoding: identity\r\n\r\nabc", UNSUPPORTED),
    "chunks in HTTP/1.0": (
        b"POST /a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        PLAIN,
    ),
    "an expectation that nobody knows": (POST + b"Expect: money\r\n\r\n", "417 Expectation Failed"),
    "a body before another protocol": (
        POST + b"Connection: Upgrade\r\nUpgrade: SPDY/3.1\r\nContent-Length: 3\r\n\r\nabc",
        PLAIN,
    ),
    "a head longer than allowed": (
        GET + b"X: " + b"a" * limits.REQUEST_HEAD_BYTES_MAX + b"\r\n\r\n",
        "431 Request Header Fields Too Large",
    ),
    "more headers than allowed": (
        GET + b"X:\r\n" * (limits.REQUEST_HEADERS_MAX + 8_000) + b"\r\n",
        "431 Request Header Fields Too Large",
    ),
}


@pytest.mark.parametrize(("data", "line"), REFUSED.values(), ids=REFUSED)
async def test_what_is_no_request_is_refused(wire, data, line, caplog):
    with caplog.at_level(logging.DEBUG, logger="mamekube"):
        answer = await wire.say(data)
    assert answer.startswith(f"HTTP/1.1 {line}\r\n".encode())
    said = "Unsupported transfer encoding" if line == UNSUPPORTED else line
    assert answer.endswith(f"\r\n\r\n{said}".encode())
    assert b"\r\nConnection: close\r\n" in answer
    assert wire.seen == []
    assert [(record.levelno, record.exc_info) for record in caplog.records] == [(logging.DEBUG, None)]


BROKEN_BODIES = {
    "a size that is no number": CHUNKED + b"zz\r\nabc",
    "a size with a prefix": CHUNKED + b"0x3\r\nabc\r\n0\r\n\r\n",
    "a size that no integer holds": CHUNKED + b"fffffffffffffffff\r\nabc",
    "a chunk longer than its size": CHUNKED + b"3\r\nabcd\r\n0\r\n\r\n",
    "bare line feeds": CHUNKED + b"3\nabc\n0\n\n",
    "a line feed in an extension": CHUNKED + b"3;a\nb\r\nabc\r\n0\r\n\r\n",
    "a length among the trailers": CHUNKED + b"0\r\nContent-Length: 5\r\n\r\n",
    "extensions without end": CHUNKED + b"1;" + b"a" * 2**18 + b"\r\nx\r\n0\r\n\r\n",
    "trailers without end": CHUNKED + b"1\r\nx\r\n0\r\n" + b"X: y\r\n" * 50_000,
}


@pytest.mark.parametrize("data", BROKEN_BODIES.values(), ids=BROKEN_BODIES)
async def test_who_reads_a_broken_body_is_told_and_the_connection_ends(wire, data):
    told = []

    async def handle(exchange):
        try:
            await exchange.read(1 << 20)
        except BodyBroken as error:
            told.append(str(error))
            await Reply(exchange, 400, {}, b"broken").finish()

    wire.handler = handle
    answer = await wire.say(data)
    assert re.findall(rb"HTTP/1.1 (\d+)", answer) == [b"400"]
    assert b"\r\nConnection: close\r\n" in answer
    assert len(told) == 1


ALLOWED = {
    "one-byte chunks": (CHUNKED + b"1\r\nx\r\n" * 20_000 + b"0\r\n\r\n", b"POST /a " + b"x" * 20_000),
    "an extension": (CHUNKED + b"3;a=b\r\nabc\r\n0\r\n\r\n", b"POST /a abc"),
    "a trailer": (CHUNKED + b"3\r\nabc\r\n0\r\nX: y\r\n\r\n", b"POST /a abc"),
    "empty lines before": (b"\r\n\r\n" + GET + b"\r\n", b"GET /a "),
    "space behind a length": (POST + b"Content-Length: 3 \t\r\n\r\nabc", b"POST /a abc"),
    "a whole address": (b"GET http://other/b?c HTTP/1.1\r\nHost: a\r\n\r\n", b"GET /b?c "),
    "an address without a path": (b"GET https://other HTTP/1.1\r\nHost: a\r\n\r\n", b"GET / "),
    "the server itself": (b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", b"OPTIONS * "),
    "an address of version 6": (b"GET / HTTP/1.1\r\nHost: [::1]:6443\r\n\r\n", b"GET / "),
    "no host in HTTP/1.0": (b"GET / HTTP/1.0\r\n\r\n", b"GET / "),
    "an escape in the query that is none": (b"GET /a?b=% HTTP/1.1\r\nHost: a\r\n\r\n", b"GET /a?b=% "),
}


@pytest.mark.parametrize(("data", "text"), ALLOWED.values(), ids=ALLOWED)
async def test_what_is_odd_and_well_formed_is_served(wire, data, text):
    answer = await wire.say(data, stop=True)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(b"\r\n\r\n" + text)


@pytest.mark.parametrize("size", [1, 2, 7])
async def test_a_request_may_come_in_any_pieces(wire, size):
    data = POST + b"X-Long: " + b"v" * 100 + b"\r\nContent-Length: 10\r\nConnection: close\r\n\r\n0123456789"
    async with wire.connected() as (reader, writer):
        for start in range(0, len(data), size):
            writer.write(data[start : start + size])
            await writer.drain()
            await asyncio.sleep(0)
        assert (await reader.read()).endswith(b"POST /a 0123456789")
    assert wire.seen[0].headers["x-long"] == "v" * 100


async def test_trailers_do_not_become_headers_of_the_next_request(wire):
    await wire.say(CHUNKED + b"3\r\nabc\r\n0\r\nX-Remote-User: admin\r\n\r\n" + GET + b"\r\n", stop=True)
    assert [list(exchange.headers) for exchange in wire.seen] == [["host", "transfer-encoding"], ["host"]]


async def test_what_came_before_a_malformed_request_is_answered_first(wire):
    answer = await wire.say(GET + b"\r\n" + GET + b"\r\n" + b"\x00\x00\r\n\r\n" + GET + b"\r\n")
    assert re.findall(rb"HTTP/1.1 (\d+)", answer) == [b"200", b"200", b"400"]

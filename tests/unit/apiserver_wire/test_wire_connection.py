"""A connection: requests one after the other, answers to clients that are slow, sly, half gone or gone."""

import asyncio
import re
import socket

import pytest
from tests.unit.apiserver_wire.conftest import GUARD_S, until

from mamekube.apiserver.reply import Passed, Reply, Stream
from mamekube.apiserver.wire.exchange import BodyBroken, BodyTooLarge
from mamekube.foundation import limits

GET = b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n"


def codes(answer):
    return [int(code) for code in re.findall(rb"HTTP/1\.1 (\d+)", answer)]


async def read_head(reader):
    async with asyncio.timeout(GUARD_S):
        return await reader.readuntil(b"\r\n\r\n")


# Keeping the connection -------------------------------------------------------------------------


async def test_a_connection_serves_one_request_after_the_other(wire):
    async with wire.connected() as (reader, writer):
        for _ in range(3):
            writer.write(POST % 3 + b"abc")
            head = await read_head(reader)
            assert b"Connection:" not in head
            assert await reader.readexactly(11) == b"POST /a abc"
    assert len(wire.listener.connections) <= 1


@pytest.mark.parametrize(
    ("head", "connection"),
    [
        (b"GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", b"close"),
        (b"GET /a HTTP/1.0\r\n\r\n", b"close"),
        (b"GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", b"keep-alive"),
    ],
)
async def test_the_client_says_whether_the_connection_is_kept(wire, head, connection):
    async with wire.connected() as (reader, writer):
        writer.write(head)
        assert b"\r\nConnection: %b\r\n" % connection in await read_head(reader)
        assert await reader.readexactly(7) == b"GET /a "
        if connection == b"close":
            assert await reader.read() == b""
        else:
            writer.write(head)
            await read_head(reader)


async def test_requests_sent_ahead_are_answered_in_their_order(wire):
    first = asyncio.Event()

    async def handle(exchange):
        if exchange.target == "/0":
            await first.wait()
        await Reply(exchange, 200, {}, exchange.target.encode()).finish()

    wire.handler = handle
    async with wire.connected() as (reader, writer):
        for number in range(20):
            writer.write(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % number)
        await writer.drain()
        await until(lambda: wire.seen)
        assert [exchange.target for exchange in wire.seen] == ["/0"]
        first.set()
        for number in range(20):
            await read_head(reader)
            text = b"/%d" % number
            assert await reader.readexactly(len(text)) == text


async def test_a_client_that_sends_ahead_without_end_is_not_read_without_end(wire):
    go = asyncio.Event()
    waiting = asyncio.Event()

    async def handle(exchange):
        waiting.set()
        await go.wait()
        await Reply(exchange, 200, {}, b"").finish()

    wire.handler = handle
    count = 40_000
    async with wire.connected() as (reader, writer):
        writer.write(GET * count)
        await waiting.wait()
        for _ in range(50):
            await asyncio.sleep(0)
        (connection,) = wire.listener.connections
        assert 0 < len(connection._queue) < 1_000
        assert len(connection._held) < 2**20
        go.set()
        async with asyncio.timeout(GUARD_S):
            for _ in range(count):
                await reader.readuntil(b"\r\n\r\n")
    assert len(wire.seen) == count


async def test_a_head_without_a_body_answers_head(wire):
    assert (await wire.say(b"HEAD /a HTTP/1.1\r\nHost: a\r\n\r\n", stop=True)).endswith(
        b"Content-Length: 8\r\n\r\n"
    )


# Streams ----------------------------------------------------------------------------------------


async def three_pieces(exchange):
    stream = Stream(exchange, {"X": "y"})
    stream.begin()
    for piece in (b"a", b"", b"bc"):
        await stream.write(piece)
    await stream.finish()


async def test_a_stream_goes_out_in_chunks_and_the_connection_is_kept(wire):
    wire.handler = three_pieces
    answer = await wire.say(GET + GET, stop=True)
    assert codes(answer) == [200, 200]
    assert answer.count(b"\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\n\r\n") == 2


async def test_http_1_0_gets_a_stream_without_chunks_that_ends_with_the_connection(wire):
    wire.handler = three_pieces
    answer = await wire.say(b"GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    assert answer.endswith(b"\r\n\r\nabc")
    assert b"Connection: close" in answer
    assert b"chunked" not in answer


async def test_a_stream_whose_length_is_known_has_no_chunks(wire):
    async def handle(exchange):
        stream = Stream(exchange, [("Content-Length", "3"), ("X", "1"), ("X", "2")], status=203, reason="So")
        stream.begin()
        await stream.write(b"abc")
        await stream.finish()

    wire.handler = handle
    answer = await wire.say(GET, stop=True)
    assert answer.startswith(b"HTTP/1.1 203 So\r\nContent-Length: 3\r\nX: 1\r\nX: 2\r\n")
    assert answer.endswith(b"\r\n\r\nabc")


async def test_a_stream_that_fails_does_not_end_in_good_order(wire):
    async def handle(exchange):
        stream = Stream(exchange, {})
        stream.begin()
        await stream.write(b"half")
        raise ConnectionResetError("the other server broke off")

    wire.handler = handle
    assert (await wire.say(GET)).endswith(b"4\r\nhalf\r\n")


# Bodies -----------------------------------------------------------------------------------------


async def test_a_body_is_asked_for_only_when_somebody_reads_it(wire):
    async with wire.connected() as (reader, writer):
        head = POST[:-2] % 3 + b"Expect: 100-continue\r\n\r\n"
        writer.write(head)
        assert await read_head(reader) == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"abc")
        assert (await read_head(reader)).startswith(b"HTTP/1.1 200")


async def test_who_is_refused_before_the_body_is_not_asked_for_it(wire):
    async def handle(exchange):
        await Reply(exchange, 403, {}, b"no").finish()

    wire.handler = handle
    answer = await wire.say(POST[:-2] % 3 + b"Expect: 100-continue\r\n\r\n")
    assert codes(answer) == [403]
    assert b"\r\nConnection: close\r\n" in answer


async def test_an_early_answer_reaches_a_client_that_is_still_sending(wire):
    """Hung up on at once it would see a reset connection and no answer."""

    async def handle(exchange):
        await Reply(exchange, 413, {}, b"too much").finish()

    wire.handler = handle
    size = 8 * 2**20
    async with wire.connected() as (reader, writer):
        writer.write(POST % size)
        assert b"\r\nConnection: close\r\n" in await read_head(reader)
        writer.write(b"x" * size)
        async with asyncio.timeout(GUARD_S):
            await writer.drain()
        assert await reader.read() == b"too much"


async def test_a_body_that_nobody_reads_is_not_kept_in_memory(wire):
    go, began = asyncio.Event(), asyncio.Event()

    async def handle(exchange):
        began.set()
        await go.wait()
        size = 0
        async for part in exchange.chunks():
            size += len(part)
        await Reply(exchange, 200, {}, b"%d" % size).finish()

    wire.handler = handle
    size = 30 * 2**20
    async with wire.connected() as (reader, writer):
        writer.write(POST % size + b"x" * size)
        await began.wait()
        for _ in range(100):
            await asyncio.sleep(0)
        assert wire.seen[0].received <= limits.BODY_BYTES_PENDING_MAX + 2**20
        go.set()
        await read_head(reader)
        assert int(await reader.readexactly(8)) == size


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_longer_than_its_reader_takes_is_refused_without_being_read(wire, chunked):
    refused = []

    async def handle(exchange):
        try:
            await exchange.read(1_000)
        except BodyTooLarge:
            refused.append(exchange.received)
            await Reply(exchange, 413, {}, b"").finish()

    wire.handler = handle
    if chunked:
        head = b"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        data = head + b"100\r\n" + (b"x" * 256 + b"\r\n100\r\n") * 10_000
    else:
        data = POST % 10**9
    assert codes(await wire.say(data)) == [413]
    assert refused[0] <= 2**20


# Clients that go --------------------------------------------------------------------------------


async def test_a_client_that_has_said_everything_still_gets_its_answer(wire):
    go = asyncio.Event()

    async def handle(exchange):
        await go.wait()
        await Reply(exchange, 200, {}, b"done").finish()

    wire.handler = handle
    async with wire.connected() as (reader, writer):
        writer.write(GET)
        writer.write_eof()
        await until(lambda: wire.seen and next(iter(wire.listener.connections)).half_closed)
        go.set()
        assert (await reader.read()).count(b"\r\n\r\ndone") == 1
    assert (await wire.say(GET + GET + GET, stop=True)).count(b"\r\n\r\ndone") == 3


async def test_a_body_that_ends_early_is_told_to_its_reader(wire):
    told = asyncio.get_running_loop().create_future()

    async def handle(exchange):
        try:
            await exchange.read(1_000)
        except BodyBroken as error:
            told.set_result(str(error))
            raise ConnectionResetError from None

    wire.handler = handle
    assert await wire.say(POST % 10 + b"abc", stop=True) == b""
    assert await told == "unexpected EOF"


async def test_a_client_that_is_gone_ends_its_handler(wire):
    began, ended = asyncio.Event(), asyncio.Event()

    async def handle(exchange):
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    wire.handler = handle
    async with wire.connected() as (_, writer):
        writer.write(GET)
        await began.wait()
        # Gone, and not only silent: a closed socket with a reset.
        writer.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00"
        )
        writer.transport.abort()
        async with asyncio.timeout(GUARD_S):
            await ended.wait()
    await until(lambda: not wire.listener.connections)


async def test_what_never_ends_ends_when_the_client_stops_to_send(wire):
    """A client that closed its socket looks the same as one that only says nothing more."""
    ended = asyncio.Event()

    async def handle(exchange):
        stream = Stream(exchange, {}, endless=True)
        stream.begin()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    wire.handler = handle
    async with wire.connected() as (reader, writer):
        writer.write(GET)
        await read_head(reader)
        writer.write_eof()
        async with asyncio.timeout(GUARD_S):
            await ended.wait()


async def test_a_writer_waits_for_a_slow_client(wire):
    written = []

    async def handle(exchange):
        stream = Stream(exchange, {})
        stream.begin()
        for _ in range(200):
            await stream.write(b"x" * 65536)
            written.append(exchange.writing_paused)
        await stream.finish()

    wire.handler = handle
    async with wire.connected() as (reader, writer):
        writer.transport.pause_reading()
        writer.write(GET)
        await until(lambda: any(each.writing_paused for each in wire.listener.connections))
        assert len(written) < 200
        writer.transport.resume_reading()
        async with asyncio.timeout(GUARD_S):
            assert await whole(reader) > 200 * 65536


async def whole(reader):
    """Bytes up to the end of the stream."""
    size, last = 0, b""
    while not last.endswith(b"\r\n0\r\n\r\n"):
        part = await reader.read(2**20)
        assert part
        size += len(part)
        last = (last + part)[-20:]
    return size


async def test_a_connection_may_be_taken_over_with_what_came_behind_the_request(wire):
    async def handle(exchange):
        reader, writer = exchange.take_over()
        data = await reader.readexactly(6)
        writer.write(b"raw " + data)
        await writer.drain()
        writer.close()
        await Passed(101).finish()

    wire.handler = handle
    head = b"GET /a HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\n"
    async with wire.connected() as (reader, writer):
        writer.write(head + b"abc")
        writer.write(b"def")
        async with asyncio.timeout(GUARD_S):
            assert await reader.read() == b"raw abcdef"
    assert wire.seen[0].upgrades


async def test_another_protocol_that_nobody_takes_up_is_answered_and_ends(wire):
    head = b"GET /a HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    answer = await wire.say(head + GET)
    assert codes(answer) == [200]
    assert b"\r\nConnection: close\r\n" in answer


# Time -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "limit_s"),
    [
        (b"", limits.REQUEST_HEAD_TIMEOUT_S),
        (b"GET /a HT", limits.REQUEST_HEAD_TIMEOUT_S),
        (GET, limits.CONNECTION_IDLE_TIMEOUT_S),
        (GET + b"GET", limits.REQUEST_HEAD_TIMEOUT_S),
    ],
    ids=["nothing", "half a head", "an answered request", "half a second head"],
)
async def test_a_client_may_keep_the_server_waiting_only_for_so_long(wire, said, limit_s):
    now_s = asyncio.get_running_loop().time()
    async with wire.connected() as (reader, writer):
        writer.write(said)
        if said.startswith(GET):
            await read_head(reader)
            assert await reader.readexactly(7) == b"GET /a "
        await until(lambda: wire.listener.connections)
        (connection,) = wire.listener.connections
        for _ in range(20):
            await asyncio.sleep(0)
        assert abs(connection.deadline_s - now_s - limit_s) < limit_s / 2
        wire.listener.sweep(connection.deadline_s - 0.1)
        assert not connection.closing
        wire.listener.sweep(connection.deadline_s + 0.1)
        async with asyncio.timeout(GUARD_S):
            assert await reader.read() == b""


async def test_bytes_that_trickle_in_buy_no_time(wire):
    async with wire.connected() as (_, writer):
        writer.write(b"GET ")
        await until(lambda: wire.listener.connections and next(iter(wire.listener.connections))._in_head)
        (connection,) = wire.listener.connections
        before_s = connection.deadline_s
        for byte in b"/aaaa HTTP/1.1\r\nX: y":
            size = connection._head_bytes
            writer.write(bytes([byte]))
            await until(lambda: connection._head_bytes > size)  # noqa: B023
        assert connection.deadline_s == before_s


async def test_a_request_that_is_being_served_is_under_no_deadline(wire):
    began = asyncio.Event()

    async def handle(exchange):
        began.set()
        await asyncio.Event().wait()

    wire.handler = handle
    async with wire.connected() as (_, writer):
        writer.write(GET)
        await began.wait()
        (connection,) = wire.listener.connections
        wire.listener.sweep(1e12)
        assert not connection.closing


# The end ----------------------------------------------------------------------------------------


async def test_a_server_that_stops_ends_watches_in_good_order_and_lets_others_answer(wire):
    began = [asyncio.Event(), asyncio.Event()]
    go = asyncio.Event()

    async def handle(exchange):
        if exchange.target == "/watch":
            stream = Stream(exchange, {}, endless=True)
            stream.begin()
            began[0].set()
            await asyncio.Event().wait()
        began[1].set()
        await go.wait()
        await Reply(exchange, 200, {}, b"done").finish()

    wire.handler = handle
    async with wire.connected() as watch, wire.connected() as other, wire.connected() as idle:
        watch[1].write(b"GET /watch HTTP/1.1\r\nHost: a\r\n\r\n")
        other[1].write(GET)
        await asyncio.gather(*(event.wait() for event in began))
        stopping = asyncio.ensure_future(wire.listener.stop())
        async with asyncio.timeout(GUARD_S):
            assert (await watch[0].read()).endswith(b"\r\n\r\n0\r\n\r\n")
            assert await idle[0].read() == b""
            go.set()
            answer = await other[0].read()
            await stopping
    assert answer.endswith(b"done")
    assert b"\r\nConnection: close\r\n" in answer


async def test_a_server_that_stops_does_not_wait_for_who_does_not_end(wire):
    began, ended = asyncio.Event(), asyncio.Event()

    async def handle(exchange):
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    wire.handler = handle
    async with wire.connected() as (_, writer):
        writer.write(GET)
        await began.wait()
        async with asyncio.timeout(GUARD_S):
            await wire.listener.stop()
        assert ended.is_set()


# Hostile clients --------------------------------------------------------------------------------


async def test_who_sends_ahead_and_takes_no_answers_is_not_answered_without_end(wire):
    answer = bytes(60_000)

    async def handle(exchange):
        await Reply(exchange, 200, {}, answer).finish()

    wire.handler = handle
    async with wire.connected() as (reader, writer):
        writer.transport.pause_reading()
        for _ in range(40):
            writer.write(GET * 100)
            await asyncio.sleep(0)
        await until(lambda: any(each.writing_paused for each in wire.listener.connections))
        for _ in range(1000):
            await asyncio.sleep(0)
        (connection,) = wire.listener.connections
        assert connection._transport.get_write_buffer_size() < 4 * len(answer)
        served = len(wire.seen)
        writer.transport.resume_reading()
        async with asyncio.timeout(GUARD_S):
            while len(wire.seen) == served:
                await reader.readexactly(len(answer))


@pytest.mark.parametrize("behind", [16 * 1024, 100_000])
async def test_whatever_comes_behind_a_request_for_another_protocol_is_kept(wire, behind):
    async def handle(exchange):
        await asyncio.sleep(0)
        reader, writer = exchange.take_over()
        data = await reader.readexactly(behind)
        writer.write(b"%d" % data.count(b"x"))
        writer.close()

    wire.handler = handle
    head = b"GET /a HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: b\r\nPad: %b\r\n\r\n"
    padding = b"p" * (16 * 1024 - len(head % b""))
    assert await wire.say(head % padding + b"x" * behind) == b"%d" % behind


async def test_whatever_comes_behind_a_request_for_another_protocol_waits_with_it(wire):
    first = asyncio.Event()
    second = asyncio.Event()

    async def handle(exchange):
        if not exchange.upgrades:
            await first.wait()
            await Reply(exchange, 200, {}, b"1").finish()
            return
        await second.wait()
        reader, writer = exchange.take_over()
        writer.write(await reader.readexactly(5))
        writer.close()

    wire.handler = handle
    async with wire.connected() as (reader, writer):
        writer.write(GET + b"GET /a HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: b\r\n\r\n")
        await until(lambda: wire.seen)
        first.set()
        await until(lambda: len(wire.seen) == 2)
        writer.write(b"hello")
        for _ in range(100):
            await asyncio.sleep(0)
        second.set()
        async with asyncio.timeout(GUARD_S):
            assert (await reader.read()).endswith(b"\r\n\r\n1hello")


@pytest.mark.parametrize(
    ("headers", "upgrades"),
    [
        (b"Connection: Upgrade\r\n", False),
        (b"Connection: not-upgrade\r\nUpgrade: b\r\n", False),
        (b"Connection: keep-alive\r\nConnection: Upgrade\r\nUpgrade: b\r\n", True),
    ],
)
async def test_another_protocol_is_asked_for_by_both_headers(wire, headers, upgrades):
    await wire.say(b"GET /a HTTP/1.1\r\nHost: a\r\n" + headers + b"\r\n", stop=True)
    assert wire.seen[0].upgrades == upgrades


async def test_a_header_of_another_server_in_another_encoding_goes_out_as_it_came(wire):
    async def handle(exchange):
        await Reply(exchange, 200, {"X": b"caf\xe9".decode(errors="surrogateescape")}, b"1").finish()

    wire.handler = handle
    assert b"\r\nX: caf\xe9\r\n" in await wire.say(GET, stop=True)


@pytest.mark.parametrize("method", ["TEAPOT", "get", "a-b", "UNLINK", "GETS"])
async def test_any_word_is_a_method_as_it_is_to_go(wire, method):
    one = f"{method} /a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi".encode()
    async with wire.connected() as (reader, writer):
        for _ in range(2):
            writer.write(one)
            async with asyncio.timeout(20):
                head = await reader.readuntil(b"\r\n\r\n")
                assert head.startswith(b"HTTP/1.1 200 OK")
                assert await reader.readexactly(len(method) + 6) == f"{method} /a hi".encode()
        writer.write(b"GET /b HTTP/1.1\r\nHost: a\r\n\r\n")
        await reader.readuntil(b"GET /b ")

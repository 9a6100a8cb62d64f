"""gRPC calls to a server that another library runs."""

import asyncio
import struct
from contextlib import asynccontextmanager

import pytest
from grpclib.const import Cardinality, Handler, Status
from grpclib.encoding.base import CodecBase
from grpclib.exceptions import GRPCError
from grpclib.server import Server

from mamekube.kubelet import grpc, http2, probes
from mamekube.kubelet.grpc import Channel, GrpcFailure
from mamekube.kubelet.http2 import frame


class Bytes(CodecBase):
    __content_subtype__ = "proto"

    def encode(self, message, message_type):
        return message

    def decode(self, data, message_type):
        return data


class Service:
    """`/t/Echo` answers what it was asked; `/t/Count` streams; `/t/Refuse` refuses; `/t/Hang` never answers."""

    def __init__(self):
        self.hanging = asyncio.Event()
        self.left = asyncio.Event()

    async def echo(self, stream):
        await stream.send_message(await stream.recv_message())

    async def count(self, stream):
        await stream.recv_message()
        for number in range(3):
            await stream.send_message(b"%d" % number)

    async def refuse(self, stream):
        raise GRPCError(Status.NOT_FOUND, "pod “x” is not there, 100%")

    async def hang(self, stream):
        self.hanging.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.left.set()

    async def health(self, stream):
        asked = await stream.recv_message()
        await stream.send_message(b"\x08\x01" if asked == b"" else b"\x08\x02")

    def __mapping__(self):
        one, many = Cardinality.UNARY_UNARY, Cardinality.UNARY_STREAM
        return {
            "/t/Echo": Handler(self.echo, one, bytes, bytes),
            "/t/Count": Handler(self.count, many, bytes, bytes),
            "/t/Refuse": Handler(self.refuse, one, bytes, bytes),
            "/t/Hang": Handler(self.hang, one, bytes, bytes),
            "/grpc.health.v1.Health/Check": Handler(self.health, one, bytes, bytes),
        }


@asynccontextmanager
async def serving(path):
    service = Service()
    server = Server([service], codec=Bytes())
    await server.start(path=str(path))
    channel = Channel(path=str(path))
    try:
        yield channel, service, server
    finally:
        channel.close()
        server.close()
        await server.wait_closed()


async def test_calls_at_the_same_time_get_their_own_answers(tmp_path):
    async with serving(tmp_path / "s") as (channel, _, _):
        asked = [b"%d" % number * 1000 for number in range(50)]
        assert await asyncio.gather(*(channel.call("/t/Echo", one, timeout_s=5) for one in asked)) == asked


async def test_a_request_and_its_answer_may_be_large(tmp_path):
    async with serving(tmp_path / "s") as (channel, _, _):
        message = bytes(range(256)) * 4096
        assert await channel.call("/t/Echo", message, timeout_s=5) == message


async def test_a_stream_ends_after_its_last_answer(tmp_path):
    async with serving(tmp_path / "s") as (channel, _, _):
        assert [answer async for answer in channel.stream("/t/Count", b"")] == [None, b"0", b"1", b"2"]


async def test_a_refusal_comes_with_its_code_and_words(tmp_path):
    async with serving(tmp_path / "s") as (channel, _, _):
        with pytest.raises(GrpcFailure) as caught:
            await channel.call("/t/Refuse", b"", timeout_s=5)
        assert (caught.value.code, caught.value.message) == ("NotFound", "pod “x” is not there, 100%")
        with pytest.raises(GrpcFailure) as caught:
            await channel.call("/t/Unheard", b"", timeout_s=5)
        assert caught.value.code == "Unimplemented"


async def test_the_server_is_told_when_nobody_waits_any_more(tmp_path):
    async with serving(tmp_path / "s") as (channel, service, _):
        call = asyncio.create_task(channel.call("/t/Hang", b"", timeout_s=5))
        await service.hanging.wait()
        call.cancel()
        await service.left.wait()
        assert await channel.call("/t/Echo", b"still there", timeout_s=5) == b"still there"


async def test_an_answer_that_does_not_come_in_time_is_a_failure(tmp_path):
    async with serving(tmp_path / "s") as (channel, _, _):
        with pytest.raises(GrpcFailure) as caught:
            await channel.call("/t/Hang", b"", timeout_s=0.01)
        assert caught.value.code == "DeadlineExceeded"


async def test_after_a_restart_of_the_server_the_next_call_connects_again(tmp_path):
    async with serving(tmp_path / "s") as (channel, service, _):
        call = asyncio.create_task(channel.call("/t/Hang", b"", timeout_s=5))
        await service.hanging.wait()
        channel._connection._transport.abort()
        with pytest.raises(GrpcFailure) as caught:
            await call
        assert caught.value.code == "Unavailable"
        assert await channel.call("/t/Echo", b"again", timeout_s=5) == b"again"


async def test_where_nobody_listens_every_call_fails(tmp_path):
    channel = Channel(path=str(tmp_path / "nobody"))
    with pytest.raises(GrpcFailure) as caught:
        await channel.call("/t/Echo", b"", timeout_s=5)
    assert caught.value.code == "Unavailable"
    assert not channel.connected


async def test_an_answer_beyond_the_limit_ends_the_call(tmp_path, monkeypatch):
    monkeypatch.setattr(grpc, "MESSAGE_BYTES_MAX", 100)
    async with serving(tmp_path / "s") as (channel, _, _):
        with pytest.raises(GrpcFailure) as caught:
            await channel.call("/t/Echo", bytes(101), timeout_s=5)
        assert caught.value.code == "ResourceExhausted"
        assert await channel.call("/t/Echo", b"ok", timeout_s=5) == b"ok"


@pytest.mark.parametrize(
    ("service", "message"),
    [("", "service healthy"), ("x", 'service unhealthy (responded with "NOT_SERVING")')],
)
async def test_a_probe_asks_for_the_health_of_a_service(service, message):
    server = Server([Service()], codec=Bytes())
    await server.start("127.0.0.1", 0)
    port = server._server.sockets[0].getsockname()[1]
    try:
        action = {"grpc": {"port": port, "service": service}, "timeoutSeconds": 5}
        outcome = await probes.run(action, {}, pod_ip="127.0.0.1", container_id="c", runtime=None)
    finally:
        server.close()
        await server.wait_closed()
    assert (outcome.ok, outcome.message) == (not service, message)


async def test_a_probe_of_a_server_that_does_not_know_health_says_so():
    server = Server([], codec=Bytes())
    await server.start("127.0.0.1", 0)
    port = server._server.sockets[0].getsockname()[1]
    try:
        action = {"grpc": {"port": port}, "timeoutSeconds": 5}
        outcome = await probes.run(action, {}, pod_ip="127.0.0.1", container_id="c", runtime=None)
    finally:
        server.close()
        await server.wait_closed()
    expected = "error: this server does not implement the grpc health protocol (grpc.health.v1.Health): "
    assert not outcome.ok and outcome.message.startswith(expected)


# Hostile servers --------------------------------------------------------------------------------


def answer_head(size):
    return struct.pack(">BI", 0, size)


async def asked_of(say):
    """How a call fails at a server that answers every connection with what `say` writes about stream 1."""
    done = asyncio.Event()

    async def serve(reader, writer):
        writer.write(frame(http2.SETTINGS, 0, 0, b""))
        await reader.readexactly(len(http2.PREFACE))
        say(writer)
        await done.wait()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        channel = Channel(host="127.0.0.1", port=server.sockets[0].getsockname()[1])
        try:
            with pytest.raises(GrpcFailure) as caught:
                await channel.call("/t/Echo", b"", timeout_s=5)
        finally:
            done.set()
            channel.close()
    return caught.value


def trailer(name, value):
    literal = b"\x00" + http2.literal(name) + http2.literal(value)
    return frame(http2.HEADERS, http2.END_HEADERS | http2.END_STREAM, 1, literal)


@pytest.mark.parametrize("status", ["²", "9" * 5000, "-1", "17", ""])
async def test_a_status_that_is_no_number_ends_the_call_nevertheless(status):
    failure = await asked_of(lambda writer: writer.write(trailer("grpc-status", status)))
    assert failure.code == "Unknown"


async def test_there_is_an_end_of_headers():
    def say(writer):
        for number in range(2 * grpc.HEADERS_MAX):
            name = b"\x00" + http2.literal(f"x-{number}") + http2.literal("y")
            writer.write(frame(http2.HEADERS, http2.END_HEADERS, 1, name))

    assert (await asked_of(say)).code == "Internal"


async def test_answers_that_nobody_has_read_are_not_kept_without_end(monkeypatch):
    monkeypatch.setattr(grpc, "MESSAGE_BYTES_MAX", 100_000)

    def say(writer):
        for _ in range(100):
            writer.write(frame(http2.DATA, 0, 1, answer_head(10_000) + bytes(10_000)))

    assert (await asked_of(say)).code == "ResourceExhausted"


def test_a_large_answer_in_small_pieces_is_not_copied_for_each_of_them():
    call = grpc.Call(b"", b"")
    call.take_data(answer_head(8 << 20) + bytes(8 << 20)[:-3])
    before = id(call._buffer)
    for _ in range(3):
        assert not call.answers
        call.take_data(b"\0")
    assert id(call._buffer) == before
    assert [len(answer) for answer in call.answers] == [8 << 20]
    assert not call._buffer


def test_a_stream_that_is_read_may_be_longer_than_what_is_kept_of_it(monkeypatch):
    monkeypatch.setattr(grpc, "MESSAGE_BYTES_MAX", 2)
    call = grpc.Call(b"", b"")
    for number in (b"0", b"1", b"2"):
        call.take_data(answer_head(1) + number)
        assert call.take_answer() == number
    assert call.failure is None


@pytest.mark.parametrize("answer", [b"\x08", b"\x0a\x01a", b"\x0b", b"\xff" * 20])
async def test_a_probe_that_is_answered_with_nonsense_has_failed(monkeypatch, answer):
    async def call(self, method, message, *, timeout_s):
        return answer

    monkeypatch.setattr(Channel, "call", call)
    monkeypatch.setattr(Channel, "connected", True)
    outcome = await probes.run({"grpc": {"port": 1}}, {}, pod_ip="127.0.0.1", container_id="c", runtime=None)
    assert not outcome.ok
    assert outcome.message.startswith("error: health rpc probe failed: rpc error: code = Internal desc = ")

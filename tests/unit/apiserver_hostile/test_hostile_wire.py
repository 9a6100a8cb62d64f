"""Bytes that are no HTTP, or two kinds of it: answered 4xx and hung up on; slow clients cost nobody else anything."""

import asyncio
import json
import re
import socket

import pytest
from tests.unit.apiserver_hostile.site import ADMIN_TOKEN, CONFIGMAPS, GUARD_S, config_map

from mamekube.apiserver.watching import _Watch

BODY = json.dumps(config_map("smuggled")).encode()
SMUGGLED = b"POST %b HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer admin-token\r\n" % CONFIGMAPS.encode()
JSON = b"Content-Type: application/json\r\n"


def chunked(body: bytes) -> bytes:
    return b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)


MALFORMED = {
    "two lengths": SMUGGLED + JSON + b"Content-Length: %d\r\nContent-Length: 5\r\n\r\n" % len(BODY) + BODY,
    "the same length twice": SMUGGLED + JSON + b"Content-Length: %d\r\n" % len(BODY) * 2 + b"\r\n" + BODY,
    "a list of lengths": SMUGGLED + JSON + b"Content-Length: %d, 5\r\n\r\n" % len(BODY) + BODY,
    "a negative length": SMUGGLED + JSON + b"Content-Length: -1\r\n\r\n" + BODY,
    "a signed length": SMUGGLED + JSON + b"Content-Length: +%d\r\n\r\n" % len(BODY) + BODY,
    "a length that is no number": SMUGGLED + JSON + b"Content-Length: ten\r\n\r\n" + BODY,
    "length and chunks": SMUGGLED
    + JSON
    + b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n" % len(BODY)
    + chunked(BODY),
    "chunks twice": SMUGGLED + JSON + b"Transfer-Encoding: chunked, chunked\r\n\r\n" + chunked(BODY),
    "an encoding after the chunks": SMUGGLED
    + JSON
    + b"Transfer-Encoding: chunked, identity\r\n\r\n"
    + chunked(BODY),
    "a chunk size that is no number": SMUGGLED + JSON + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n" + BODY,
    "bare line feeds": (SMUGGLED + JSON + b"Content-Length: %d\r\n\r\n" % len(BODY)).replace(b"\r\n", b"\n")
    + BODY,
    "a bare line feed between headers": SMUGGLED
    + b"X: 1\nTransfer-Encoding: chunked\r\n"
    + JSON
    + b"Content-Length: %d\r\n\r\n" % len(BODY)
    + BODY,
    "a space before the colon": SMUGGLED + JSON + b"Content-Length : %d\r\n\r\n" % len(BODY) + BODY,
    "a folded header": SMUGGLED + JSON + b"Content-Length: %d\r\nX: 1\r\n 2\r\n\r\n" % len(BODY) + BODY,
    "a header without a name": SMUGGLED + b": x\r\n\r\n",
    "a zero byte in a header": SMUGGLED + b"X: a\x00b\r\n\r\n",
    "no HTTP at all": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 500,
    "a version of HTTP that is none": b"GET / HTTP/9.9x\r\n\r\n",
    "a method that is none": b"G(T / HTTP/1.1\r\nHost: a\r\n\r\n",
    "a very long line": b"GET /" + b"a" * 2**20 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    "a very long header": SMUGGLED + b"X: " + b"a" * 2**20 + b"\r\n\r\n",
    "a flood of headers": SMUGGLED + b"".join(b"X-%d: y\r\n" % n for n in range(200_000)) + b"\r\n",
}


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED)
async def test_a_malformed_request_is_refused_and_hung_up_on(site, data):
    before = await site.stored()
    answer, _ = await asyncio.gather(site.wire(data), site.others_are_served())
    # A client that is still sending when the server hangs up may see a reset instead of the answer.
    codes = re.findall(rb"^HTTP/1\.[01] (\d)", answer, re.MULTILINE)
    assert codes == [b"4"] or (answer == b"" and len(data) > 2**19), answer[:500]
    assert await site.stored() == before
    await site.others_are_served()


async def test_a_request_behind_a_malformed_one_is_not_served(site):
    good = SMUGGLED + JSON + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY
    before = await site.stored()
    bad = MALFORMED["length and chunks"]
    answer = await site.wire(bad + good)
    assert re.findall(rb"^HTTP/1\.[01] (\d)", answer, re.MULTILINE) == [b"4"]
    assert await site.stored() == before


async def test_a_body_that_ends_early_stores_nothing(site):
    before = await site.stored()
    await site.wire(SMUGGLED + JSON + b"Content-Length: %d\r\n\r\n" % (len(BODY) + 1) + BODY, stop=True)
    head = SMUGGLED + JSON + b"Transfer-Encoding: chunked\r\n\r\n"
    await site.wire(head + b"%x\r\n" % len(BODY) + BODY + b"\r\n", stop=True)
    await site.others_are_served()
    assert await site.stored() == before


async def test_requests_that_trickle_in_keep_nobody_waiting(site):
    """Two hundred connections that never finish their head or their body."""
    before = await site.stored()
    connections = []
    for number in range(200):
        _, writer = await asyncio.open_connection("127.0.0.1", site.api.port)
        head = SMUGGLED[:20] if number % 2 else SMUGGLED + JSON + b"Content-Length: 100\r\n\r\n{"
        writer.write(head)
        await writer.drain()
        connections.append(writer)
    async with asyncio.timeout(GUARD_S):
        for _ in range(20):
            await site.others_are_served()
    for writer in connections:
        writer.close()
    assert await site.stored() == before


async def test_a_slow_reader_of_a_watch_is_dropped_and_never_buffered_without_end(site, monkeypatch):
    """It reads nothing while more is written than may wait for it; others watch on."""
    pending = []
    began, ended = asyncio.Event(), asyncio.Event()
    pour = _Watch.pour

    async def noted(self, send):
        pending.append(self._changes)
        began.set()
        try:
            return await pour(self, send)
        except BaseException:
            ended.set()
            raise

    monkeypatch.setattr(_Watch, "pour", noted)
    slow = socket.socket()
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    slow.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(slow, ("127.0.0.1", site.api.port))
    request = (
        f"GET {CONFIGMAPS}?watch=true HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {ADMIN_TOKEN}\r\n\r\n"
    )
    await loop.sock_sendall(slow, request.encode())
    await began.wait()
    changes = pending[0]
    most = 0
    admin = site.api.client("admin", ("system:masters",))
    from tests.unit.apiserver.samples import CONFIGMAPS as RESOURCE

    standing = await admin.get(RESOURCE, "standing", namespace="default")
    async with asyncio.timeout(GUARD_S):
        for number in range(1_400):
            changed = {**standing, "data": {"k": "v", "n": f"{number:06}" * 2_000}}
            changed["metadata"] = {"name": "standing", "namespace": "default"}
            await admin.update(RESOURCE, changed)
            most = max(most, len(changes._pending))
            if changes._lost:
                break
        assert changes._lost
        assert most <= 1_000
        assert changes._pending == []
        received = b""
        while not ended.is_set() or b"ERROR" not in received:
            part = await loop.sock_recv(slow, 1 << 20)
            if not part:
                break
            received = received[-1000:] + part
    slow.close()
    assert ended.is_set()
    assert b'"type":"ERROR"' in received
    assert b'"code":410' in received

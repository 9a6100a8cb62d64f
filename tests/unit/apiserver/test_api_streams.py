"""Logs, exec and proxies, against something that listens like a kubelet."""

import asyncio
import ssl
from contextlib import asynccontextmanager

import pytest
from tests.unit.apiserver.samples import pod

from mamekube.apiserver import development

PODS = "/api/v1/namespaces/default/pods"


class FakeKubelet:
    """Answers each connection with what its script says, and remembers the heads of requests."""

    def __init__(self) -> None:
        self.heads: list[str] = []
        self.answer = b""
        self.echoes = False

    async def serve(self, reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        self.heads.append(head.decode())
        writer.write(self.answer)
        while self.echoes and (data := await reader.read(1024)):
            writer.write(data.upper())
        await writer.drain()
        writer.close()


@asynccontextmanager
async def listening(tmp_path):
    folder = tmp_path / "kubelet"
    folder.mkdir()
    development.prepare(folder, address="127.0.0.1", port=0)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.crt", folder / "server.key")
    kubelet = FakeKubelet()
    server = await asyncio.start_server(kubelet.serve, "127.0.0.1", 0, ssl=context)
    kubelet.port = server.sockets[0].getsockname()[1]
    async with server:
        yield kubelet


@pytest.fixture
async def kubelet(web, tmp_path):
    async with listening(tmp_path) as fake:
        await web.send("POST", "/api/v1/nodes", {"metadata": {"name": "n1"}})
        status = {
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": fake.port}},
        }
        patch = {"Content-Type": "application/merge-patch+json"}
        answer = await web.send("PATCH", "/api/v1/nodes/n1/status", {"status": status}, headers=patch)
        assert answer.code == 200
        await web.send(
            "POST", "/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": "default"}}
        )
        assert (await web.send("POST", PODS, pod("p", nodeName="n1"))).code == 201
        yield fake


async def test_logs_come_from_the_kubelet(web, kubelet):
    kubelet.answer = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n\r\nhello\n"
    answer = await web.send("GET", f"{PODS}/p/log?tailLines=5&follow=true")
    assert (answer.code, answer.body) == (200, "hello\n")
    assert kubelet.heads[0].startswith(
        "GET /containerLogs/default/p/main?follow=true&tailLines=5 HTTP/1.1\r\n"
    )


async def test_the_kubelets_refusal_is_handed_on(web, kubelet):
    text = b'container "main" in pod "p" is waiting to start: ContainerCreating'
    kubelet.answer = b"HTTP/1.1 400 Bad Request\r\nContent-Length: %d\r\n\r\n%b" % (len(text), text)
    answer = await web.send("GET", f"{PODS}/p/log")
    assert (answer.code, answer.body["reason"]) == (400, "BadRequest")
    assert answer.body["message"] == text.decode()


async def test_bad_log_options_are_refused_before_anybody_is_asked(web, kubelet):
    answer = await web.send("GET", f"{PODS}/p/log?tailLines=-1")
    assert answer.code == 422
    assert answer.body["message"] == (
        'PodLogOptions "p" is invalid: tailLines: Invalid value: -1: must be greater than or equal to 0'
    )
    answer = await web.send("GET", f"{PODS}/p/log?container=other")
    assert (answer.code, answer.body["message"]) == (400, "container other is not valid for pod p")
    assert kubelet.heads == []


async def test_a_kubelet_that_is_away_is_an_error(web, kubelet):
    status = {"daemonEndpoints": {"kubeletEndpoint": {"Port": 1}}}
    patch = {"Content-Type": "application/merge-patch+json"}
    await web.send("PATCH", "/api/v1/nodes/n1/status", {"status": status}, headers=patch)
    answer = await web.send("GET", f"{PODS}/p/log")
    assert answer.code == 500
    assert answer.body["message"].startswith("error dialing backend: dial tcp 127.0.0.1:1: connect: ")


@pytest.mark.parametrize(("method", "protocol"), [("POST", "SPDY/3.1"), ("GET", "websocket")])
async def test_exec_is_a_tunnel(web, kubelet, method, protocol):
    kubelet.answer = (
        f"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: {protocol}\r\n\r\n".encode()
    )
    kubelet.echoes = True
    reader, writer = await asyncio.open_connection("127.0.0.1", int(web.url.rpartition(":")[2]))
    path = f"{PODS}/p/exec?command=echo&command=a%20b&stdin=true&stdout=1&tty=false&container=main"
    writer.write(
        f"{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer admin-token\r\n"
        f"Connection: Upgrade\r\nUpgrade: {protocol}\r\nX-Stream-Protocol-Version: v4.channel.k8s.io\r\n\r\n".encode()
    )
    async with asyncio.timeout(5):
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 ")
        writer.write(b"hello")
        assert await reader.readexactly(5) == b"HELLO"
    writer.close()
    sent = kubelet.heads[0]
    assert sent.startswith(
        f"{method} /exec/default/p/main?input=1&output=1&command=echo&command=a+b HTTP/1.1\r\n"
    )
    assert "X-Stream-Protocol-Version: v4.channel.k8s.io" in sent
    assert "admin-token" not in sent


async def test_a_tunnel_that_the_kubelet_ends_is_closed(web, kubelet):
    kubelet.answer = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno"
    reader, writer = await asyncio.open_connection("127.0.0.1", int(web.url.rpartition(":")[2]))
    writer.write(
        f"POST {PODS}/p/portforward HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer admin-token\r\n"
        "Connection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\n".encode()
    )
    async with asyncio.timeout(5):
        assert (await reader.read()).endswith(b"\r\n\r\nno")
    writer.close()


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("command=ls", "Upgrade request required"),
        ("command=ls&container=x", "container x is not valid for pod p"),
        ("", "you must specify at least 1 command for the container"),
    ],
)
async def test_bad_execs_are_refused(web, kubelet, query, message):
    answer = await web.send("POST", f"{PODS}/p/exec?{query}", {})
    assert (answer.code, answer.body["message"]) == (400, message)


async def test_the_node_proxy_hands_on_path_query_and_body(web, kubelet):
    kubelet.answer = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"
    answer = await web.send("GET", "/api/v1/nodes/n1/proxy/stats/summary?only=cpu")
    assert (answer.code, answer.body) == (200, "ok")
    assert kubelet.heads[0].startswith("GET /stats/summary?only=cpu HTTP/1.1\r\n")
    assert "Connection: close" in kubelet.heads[0]


async def test_a_service_without_endpoints_cannot_be_proxied_to(web, kubelet):
    service = {"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}]}}
    await web.send("POST", "/api/v1/namespaces/default/services", service)
    answer = await web.send("GET", "/api/v1/namespaces/default/services/s:80/proxy/")
    assert (answer.code, answer.body["reason"]) == (503, "ServiceUnavailable")
    assert answer.body["message"] == 'no endpoints available for service "s"'

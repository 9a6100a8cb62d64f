"""Logs, exec and proxies, against something that listens like a kubelet."""

import asyncio
import ssl
from contextlib import asynccontextmanager

import pytest
from tests.unit.apiserver.samples import pod

from mamekube.apiserver import development
from mamekube.apiserver.kubelets import Kubelets
from mamekube.apiserver.subresources import proxy
from mamekube.objects.status import StatusError

PODS = "/api/v1/namespaces/default/pods"


class FakeKubelet:
    """Answers each connection with what its script says, and remembers the heads of requests."""

    def __init__(self) -> None:
        self.heads: list[str] = []
        self.answer = b""
        self.echoes = False
        self.heard = b""
        """What came behind the head."""
        self._writer = None

    def hang_up(self):
        self._writer.close()

    async def serve(self, reader, writer):
        self._writer = writer
        head = await reader.readuntil(b"\r\n\r\n")
        self.heads.append(head.decode())
        writer.write(self.answer)
        while self.echoes and (data := await reader.read(1024)):
            self.heard += data
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
def proxies_reach_loopback(monkeypatch):
    """Where the kubelets and pods of these tests are, and no real ones."""
    monkeypatch.setattr(proxy, "check_address", lambda text: None)


@pytest.fixture
async def kubelet(web, tmp_path, proxies_reach_loopback):
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
    away = "dial tcp 127.0.0.1:1: connect: connection refused"
    url = "https://127.0.0.1:1/containerLogs/default/p/main"
    for query, asked in (("", url), ("?tailLines=1&follow=1", f"{url}?follow=true&tailLines=1")):
        answer = await web.send("GET", f"{PODS}/p/log{query}")
        assert (answer.code, answer.body["message"]) == (500, f'Get "{asked}": {away}')
    answer = await web.send(
        "POST", f"{PODS}/p/exec?command=ls&stdout=1", headers={"Connection": "Upgrade", "Upgrade": "SPDY/3.1"}
    )
    assert (answer.code, answer.body["message"]) == (500, f"error dialing backend: {away}")
    status = {"podIP": "127.0.0.1", "podIPs": [{"ip": "127.0.0.1"}]}
    await web.send("PATCH", f"{PODS}/p/status", {"status": status}, headers=patch)
    answer = await web.send("GET", f"{PODS}/p:1/proxy/")
    assert (answer.code, answer.body["message"]) == (503, f"error trying to reach service: {away}")


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


UPGRADE = (
    "{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer admin-token\r\n"
    "Connection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\n"
)


@asynccontextmanager
async def raw(web, path, *, method="POST", head=UPGRADE):
    """A connection on which a request is on its way."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(web.url.rpartition(":")[2]))
    writer.write(head.format(method=method, path=path).encode())
    try:
        async with asyncio.timeout(10):
            yield reader, writer
    finally:
        writer.close()


@pytest.mark.parametrize("path", [f"{PODS}/p/exec?command=a", "/api/v1/nodes/n1/proxy/exec"])
async def test_who_is_refused_a_tunnel_does_not_talk_to_the_kubelet_as_the_api_server(web, kubelet, path):
    kubelet.answer = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\nno"
    kubelet.echoes = True
    async with raw(web, path) as (reader, writer):
        writer.write(b"POST /run/kube-system/other HTTP/1.1\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"\r\nConnection: close\r\n" in head
        assert await reader.readexactly(2) == b"no"
        writer.write(b"POST /run/kube-system/other HTTP/1.1\r\n\r\n")
        writer.write_eof()
        kubelet.hang_up()
        assert await reader.read() == b""
    assert kubelet.heard == b""


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "invalid upgrade response: status code 200"),
        (b"nonsense\r\n\r\n", "malformed HTTP response"),
        (b"", "EOF"),
    ],
)
async def test_a_kubelet_that_answers_a_tunnel_with_something_else_is_an_error(web, kubelet, answer, message):
    kubelet.answer = answer
    async with raw(web, f"{PODS}/p/attach") as (reader, _):
        assert (await reader.readline()).startswith(b"HTTP/1.1 500 ")
        assert f'"message":"{message}"'.encode() in await reader.read()


async def test_what_says_who_asks_does_not_reach_a_kubelet_or_a_pod(web, kubelet):
    kubelet.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    headers = {"Impersonate-User": "admin", "Impersonate-Group": "system:masters", "X-Remote-User": "other"}
    answer = await web.send("GET", "/api/v1/nodes/n1/proxy/x", headers=headers)
    assert answer.code == 200
    assert "Impersonate" not in kubelet.heads[0]
    assert "X-Remote" not in kubelet.heads[0]


async def test_nothing_that_comes_behind_a_proxied_answer_is_taken_for_the_next_one(web, kubelet):
    """A pod that says that the connection goes on could otherwise answer in the API server's place."""
    kubelet.answer = (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nConnection: keep-alive\r\nKeep-Alive: 5\r\n"
        b"Content-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
    )
    head = UPGRADE.replace("Connection: Upgrade\r\nUpgrade: SPDY/3.1\r\n", "")
    async with raw(web, "/api/v1/nodes/n1/proxy/x", method="GET", head=head) as (reader, _):
        answered = await reader.readuntil(b"\r\n\r\n")
        assert answered == b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n"


@pytest.mark.parametrize("name", ["proxy", "proxy-7c9f"])
async def test_a_pod_whose_name_begins_with_proxy_can_be_proxied_to(web, kubelet, name):
    async def serve(reader, writer):
        path = (await reader.readuntil(b"\r\n\r\n")).split()[1]
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(path), path))
        writer.close()

    assert (await web.send("POST", PODS, pod(name, nodeName="n1"))).code == 201
    patch = {"Content-Type": "application/merge-patch+json"}
    status = {"status": {"podIP": "127.0.0.1", "podIPs": [{"ip": "127.0.0.1"}]}}
    assert (await web.send("PATCH", f"{PODS}/{name}/status", status, headers=patch)).code == 200
    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        for path, handed_on in (("proxy/a%20b/c?d=e", "/a%20b/c?d=e"), ("proxy/", "/")):
            answer = await web.send("GET", f"{PODS}/{name}:{port}/{path}")
            assert (answer.code, answer.body) == (200, handed_on)


async def test_a_pod_is_not_shown_the_certificate_that_kubelets_believe(web, kubelet, monkeypatch):
    """Its owner decides where it leads, which might be a kubelet."""
    shown = []
    connect = Kubelets.connect

    async def watched(self, place):
        shown.append(place.port)
        return await connect(self, place)

    monkeypatch.setattr(Kubelets, "connect", watched)
    patch = {"Content-Type": "application/merge-patch+json"}
    status = {"status": {"podIP": "127.0.0.1", "podIPs": [{"ip": "127.0.0.1"}]}}
    await web.send("PATCH", f"{PODS}/p/status", status, headers=patch)
    kubelet.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    assert (await web.send("GET", f"{PODS}/https:p:{kubelet.port}/proxy/")).body == "ok"
    assert shown == []
    assert (await web.send("GET", f"/api/v1/nodes/n1:{kubelet.port}/proxy/")).body == "ok"
    assert shown == [kubelet.port]


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


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "::1",
        "::ffff:127.0.0.1",
        "169.254.169.254",
        "fe80::1%eth0",
        "0.0.0.0",
        "::",
        "224.0.0.1",
        "255.255.255.255",
        "localhost",
    ],
)
def test_nothing_is_handed_on_to_addresses_that_lead_nowhere_else(address):
    with pytest.raises(StatusError) as refused:
        proxy.check_address(address)
    assert (refused.value.code, refused.value.message) == (400, "address not allowed")


@pytest.mark.parametrize("address", ["10.244.0.7", "192.168.49.2", "fd00::7", "8.8.8.8"])
def test_addresses_of_pods_and_nodes_are_handed_on_to(address):
    proxy.check_address(address)


@pytest.mark.parametrize(
    "path", ["/api/v1/nodes/n1/proxy/x", "/api/v1/nodes/n1:80/proxy/x", f"{PODS}/p:80/proxy/x"]
)
async def test_a_proxy_to_the_api_servers_own_loopback_is_refused(web, kubelet, monkeypatch, path):
    monkeypatch.undo()
    status = {"status": {"podIP": "127.0.0.1", "podIPs": [{"ip": "127.0.0.1"}]}}
    patch = {"Content-Type": "application/merge-patch+json"}
    assert (await web.send("PATCH", f"{PODS}/p/status", status, headers=patch)).code == 200
    answer = await web.send("GET", path)
    assert (answer.code, answer.body["message"]) == (400, "address not allowed")
    assert kubelet.heads == []

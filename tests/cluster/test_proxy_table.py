"""The service proxy's table in a real kernel: a client, a node and pods, each a network namespace of its own."""

import asyncio
import os
import subprocess
import sys
import uuid

import pytest

from mamekube.proxy import nft
from mamekube.proxy.rules import EMPTY, plan

NODE_IP = "198.51.100.2"
CLIENT_IP = "198.51.100.1"
PODS = ["10.244.0.2", "10.244.0.3", "10.244.0.4"]

SERVER = """
import socketserver, sys, threading
class Handler(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.sendall(f"{sys.argv[1]} {self.client_address[0]}".encode())
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        self.request[1].sendto(f"{sys.argv[1]} {self.client_address[0]}".encode(), self.client_address)
server = Server((sys.argv[1], 8080), Handler)
datagrams = socketserver.UDPServer((sys.argv[1], 8080), Echo)
threading.Thread(target=datagrams.serve_forever, daemon=True).start()
print("ready", flush=True)
server.serve_forever()
"""

ASK = """
import socket, sys
kind = socket.SOCK_DGRAM if sys.argv[3] == "udp" else socket.SOCK_STREAM
with socket.socket(socket.AF_INET, kind) as connection:
    connection.settimeout(5)
    connection.connect((sys.argv[1], int(sys.argv[2])))
    if kind == socket.SOCK_DGRAM:
        connection.send(b"?")
    print(connection.recv(100).decode())
"""


def run(*words):
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


class Net:
    """Three kinds of namespaces: `client` -- `node` -- one per pod."""

    def __init__(self):
        tag = uuid.uuid4().hex[:6]
        self.node, self.client = f"mt-{tag}-node", f"mt-{tag}-client"
        self.pods = [f"mt-{tag}-pod{number}" for number in range(len(PODS))]
        self.servers = []

    def up(self):
        for name in (self.node, self.client, *self.pods):
            run("ip", "netns", "add", name)
            run("ip", "-n", name, "link", "set", "lo", "up")
        run("ip", "netns", "exec", self.node, "sysctl", "-qw", "net.ipv4.ip_forward=1")
        self._wire(self.client, CLIENT_IP, "client0", NODE_IP)
        run("ip", "-n", self.node, "addr", "add", f"{NODE_IP}/24", "dev", "client0")
        run("ip", "-n", self.node, "route", "add", "default", "via", CLIENT_IP)
        for number, (namespace, address) in enumerate(zip(self.pods, PODS, strict=True)):
            link = f"pod{number}"
            self._wire(namespace, address, link, "10.244.0.1")
            run("ip", "-n", self.node, "addr", "add", "10.244.0.1/32", "dev", link)
            run("ip", "-n", self.node, "route", "add", f"{address}/32", "dev", link)
            self._serve(namespace, address)

    def _wire(self, namespace, address, link, gateway):
        run("ip", "-n", namespace, "link", "add", "eth0", "type", "veth", "peer", link, "netns", self.node)
        run("ip", "-n", namespace, "addr", "add", f"{address}/32", "dev", "eth0")
        run("ip", "-n", namespace, "link", "set", "eth0", "up")
        run("ip", "-n", self.node, "link", "set", link, "up")
        run("ip", "-n", namespace, "route", "add", gateway, "dev", "eth0")
        run("ip", "-n", namespace, "route", "add", "default", "via", gateway)

    def _serve(self, namespace, address):
        server = subprocess.Popen(
            ["ip", "netns", "exec", namespace, sys.executable, "-c", SERVER, address],
            stdout=subprocess.PIPE,
            text=True,
        )
        self.servers.append(server)
        assert server.stdout.readline() == "ready\n"

    def down(self):
        for server in self.servers:
            server.kill()
            server.wait()
            server.stdout.close()
        for name in (self.node, self.client, *self.pods):
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)

    def nft(self, commands):
        """Run a transaction in the node's namespace, as the proxy does in its own."""
        descriptor = os.open(f"/run/netns/{self.node}", os.O_RDONLY)
        home = os.open("/proc/self/ns/net", os.O_RDONLY)
        try:
            _setns(descriptor)
            asyncio.run(nft.run(commands))
        finally:
            _setns(home)
            os.close(descriptor)
            os.close(home)

    def ask(self, namespace, address, port, protocol="tcp"):
        """(address of the pod that answered, address that it saw)"""
        words = ["ip", "netns", "exec", namespace, sys.executable, "-c", ASK, address, str(port), protocol]
        answer = subprocess.run(words, capture_output=True, text=True, timeout=20, check=False)
        if answer.returncode:
            raise ConnectionError(answer.stderr.splitlines()[-1])
        return tuple(answer.stdout.split())


def _setns(descriptor):
    import ctypes

    if ctypes.CDLL(None, use_errno=True).setns(descriptor, 0x40000000):
        raise OSError(ctypes.get_errno(), "setns")


@pytest.fixture
def net():
    network = Net()
    try:
        network.up()
        network.nft(nft.skeleton(pod_network="10.244.0.0/16"))
        yield network
    finally:
        network.down()


def service(**spec):
    body = {
        "clusterIP": "10.96.0.7",
        "ports": [{"port": 80, "protocol": "TCP", "nodePort": 30080}],
        "type": "NodePort",
        **spec,
    }
    return {"metadata": {"namespace": "default", "name": "web"}, "spec": body}


def slices(*addresses):
    endpoints = [
        {"addresses": [address], "nodeName": "node", "conditions": {"ready": True}} for address in addresses
    ]
    return [{"addressType": "IPv4", "ports": [{"port": 8080, "protocol": "TCP"}], "endpoints": endpoints}]


def slices_of(protocol, *addresses):
    return [{**piece, "ports": [{"port": 8080, "protocol": protocol}]} for piece in slices(*addresses)]


def put(network, table, *addresses, **spec):
    network.nft(table.change({"default/web": plan(service(**spec), slices(*addresses), node_name="node")}))


def test_services_balance_masquerade_refuse_and_come_back(net):
    table = nft.Table()
    put(net, table, *PODS)
    from_node = [net.ask(net.node, "10.96.0.7", 80) for _ in range(24)]
    assert {pod for pod, _ in from_node} == set(PODS)
    from_client = [net.ask(net.client, NODE_IP, 30080) for _ in range(24)]
    assert {pod for pod, _ in from_client} == set(PODS)
    assert {seen for _, seen in from_client} == {"10.244.0.1"}, "a node port hides the client's address"
    from_pod = [net.ask(net.pods[0], "10.96.0.7", 80) for _ in range(24)]
    assert {pod for pod, _ in from_pod} == set(PODS), "a pod reaches itself through its service too"
    assert {seen for pod, seen in from_pod if pod != PODS[0]} == {PODS[0]}, "pods see each other's addresses"

    put(net, table, PODS[1])
    assert {net.ask(net.node, "10.96.0.7", 80)[0] for _ in range(6)} == {PODS[1]}
    put(net, table)
    with pytest.raises(ConnectionError, match="refused"):
        net.ask(net.pods[0], "10.96.0.7", 80)
    with pytest.raises(ConnectionError, match="refused"):
        net.ask(net.client, NODE_IP, 30080)
    put(net, table, *PODS)
    assert net.ask(net.client, NODE_IP, 30080)[0] in PODS


def test_datagrams_are_balanced_too(net):
    ports = [{"port": 53, "protocol": "UDP", "nodePort": 30053}]
    rules = plan(service(ports=ports), slices_of("UDP", *PODS), node_name="node")
    net.nft(nft.Table().change({"default/dns": rules}))
    assert {net.ask(net.node, "10.96.0.7", 53, "udp")[0] for _ in range(24)} == set(PODS)
    assert net.ask(net.client, NODE_IP, 30053, "udp")[0] in PODS


def test_external_traffic_policy_local_keeps_the_clients_address(net):
    put(net, nft.Table(), *PODS, externalTrafficPolicy="Local")
    assert {net.ask(net.client, NODE_IP, 30080)[1] for _ in range(4)} == {CLIENT_IP}


def test_a_client_with_affinity_stays_until_its_endpoint_goes(net):
    table = nft.Table()
    put(net, table, *PODS, sessionAffinity="ClientIP")
    chosen = {net.ask(net.client, NODE_IP, 30080)[0] for _ in range(12)}
    assert len(chosen) == 1
    put(net, table, chosen.pop(), sessionAffinity="ClientIP")
    rest = {net.ask(net.client, NODE_IP, 30080)[0] for _ in range(4)}
    put(net, table, *(set(PODS) - rest), sessionAffinity="ClientIP")
    assert {net.ask(net.client, NODE_IP, 30080)[0] for _ in range(4)}.isdisjoint(rest)
    net.nft(table.change({"default/web": EMPTY}))
    ruleset = run("ip", "netns", "exec", net.node, "nft", "list", "table", "ip", nft.TABLE)
    assert "affinity" not in ruleset

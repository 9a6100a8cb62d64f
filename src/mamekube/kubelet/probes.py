"""One probe, tried once: exec, httpGet, tcpSocket or grpc. Wording of failures is upstream's (Go's net/http)."""

from __future__ import annotations

import asyncio
import errno
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mamekube.kubelet.grpc import Channel, GrpcFailure
from mamekube.kubelet.runtime import Runtime, RuntimeFailure
from mamekube.kubelet.wire import Schema, WireError

USER_AGENT = "kube-probe/1.36"
BODY_BYTES_MAX = 10 * 1024
REDIRECTS_MAX = 10


HEALTH = Schema("HealthCheckRequest: service=1\nHealthCheckResponse: status=1:int")


@dataclass(frozen=True, slots=True)
class Outcome:
    ok: bool
    message: str = ""
    errored: bool = False
    """The probe could not be carried out at all."""


async def run(
    probe: Mapping[str, Any],
    container: Mapping[str, Any],
    *,
    pod_ip: str,
    container_id: str,
    runtime: Runtime,
) -> Outcome:
    timeout_s = int(probe.get("timeoutSeconds") or 1)
    try:
        if "exec" in probe:
            return await _exec(probe["exec"].get("command") or [], container_id, runtime, timeout_s)
        if "httpGet" in probe:
            return await http_get(probe["httpGet"], container, pod_ip=pod_ip, timeout_s=timeout_s)
        if "tcpSocket" in probe:
            action = probe["tcpSocket"]
            port = resolve_port(action["port"], container)
            return await _tcp(action.get("host") or pod_ip, port, timeout_s)
        if "grpc" in probe:
            return await _grpc(probe["grpc"], pod_ip, timeout_s)
    except PortUnknown as error:
        return Outcome(False, str(error), errored=True)
    return Outcome(False, "missing probe handler", errored=True)


class PortUnknown(ValueError):
    """A named port that the container does not declare."""


def resolve_port(port: Any, container: Mapping[str, Any]) -> int:
    """A port's number, of a number or of the name of a declared port."""
    if isinstance(port, int) or str(port).isdigit():
        return int(port)
    for declared in container.get("ports") or []:
        if declared.get("name") == port:
            return int(declared["containerPort"])
    raise PortUnknown(f"couldn't find port: {port!r} in container")


async def _exec(command: list[str], container_id: str, runtime: Runtime, timeout_s: int) -> Outcome:
    try:
        result = await runtime.exec_sync(container_id, command, timeout_s=timeout_s)
    except RuntimeFailure as failure:
        if failure.code == "DeadlineExceeded":
            return Outcome(False, f'command timed out: "{" ".join(command)}" timed out after {timeout_s}s')
        return Outcome(False, failure.wire, errored=True)
    output = (result.stdout + result.stderr)[:BODY_BYTES_MAX].decode("utf-8", "replace")
    return Outcome(result.exit_code == 0, output)


async def http_get(
    action: Mapping[str, Any], container: Mapping[str, Any], *, pod_ip: str, timeout_s: float
) -> Outcome:
    """A status of 200 to 399 is success; redirects to the same host are followed."""
    scheme = (action.get("scheme") or "HTTP").lower()
    host, port = action.get("host") or pod_ip, resolve_port(action["port"], container)
    path = action.get("path") or "/"
    path = path if path.startswith("/") else f"/{path}"
    url = f"{scheme}://{_bracket(host)}:{port}{path}"
    headers = {item["name"]: item["value"] for item in action.get("httpHeaders") or []}
    try:
        async with asyncio.timeout(timeout_s):
            for _ in range(REDIRECTS_MAX):
                status, location, body = await _get_once(scheme, host, port, path, headers)
                if not (300 <= status < 400 and location.startswith("/")):
                    break
                path = location
    except TimeoutError:
        return Outcome(
            False, f'Get "{url}": context deadline exceeded (Client.Timeout exceeded while awaiting headers)'
        )
    except ssl.SSLError as error:
        return Outcome(False, f'Get "{url}": {error.reason or error}')
    except OSError as error:
        return Outcome(False, f'Get "{url}": {dial_error(error, host, port)}')
    except (ValueError, asyncio.IncompleteReadError):
        return Outcome(False, f'Get "{url}": EOF')
    if 200 <= status < 400:
        return Outcome(True, body)
    return Outcome(False, f"HTTP probe failed with statuscode: {status}")


async def _get_once(
    scheme: str, host: str, port: int, path: str, headers: Mapping[str, str]
) -> tuple[int, str, str]:
    """(status, location, body) of one GET."""
    context = None
    if scheme == "https":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    reader, writer = await asyncio.open_connection(host, port, ssl=context)
    try:
        given = {name.lower() for name in headers}
        lines = [f"GET {path} HTTP/1.1"]
        if "host" not in given:
            lines.append(f"Host: {_bracket(host)}:{port}")
        if "user-agent" not in given:
            lines.append(f"User-Agent: {USER_AGENT}")
        if "accept" not in given:
            lines.append("Accept: */*")
        lines += [f"{name}: {value}" for name, value in headers.items()]
        writer.write(("\r\n".join([*lines, "Connection: close"]) + "\r\n\r\n").encode())
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        status = int(head[0].split(" ")[1])
        fields = dict(line.split(":", 1) for line in head[1:] if ":" in line)
        found = {name.lower(): value.strip() for name, value in fields.items()}
        body = await reader.read(BODY_BYTES_MAX)
        return status, found.get("location", ""), body.decode("utf-8", "replace")
    finally:
        writer.close()


async def _tcp(host: str, port: int, timeout_s: float) -> Outcome:
    try:
        async with asyncio.timeout(timeout_s):
            _, writer = await asyncio.open_connection(host, port)
        writer.close()
    except TimeoutError:
        return Outcome(False, f"dial tcp {_bracket(host)}:{port}: i/o timeout")
    except OSError as error:
        return Outcome(False, dial_error(error, host, port))
    return Outcome(True)


async def _grpc(action: Mapping[str, Any], pod_ip: str, timeout_s: int) -> Outcome:
    """grpc.health.v1.Health/Check; SERVING is 1. Outcomes as upstream's `pkg/probe/grpc`."""
    port = action["port"]
    channel = Channel(host=pod_ip, port=port)
    request = HEALTH.encode("HealthCheckRequest", {"service": action.get("service") or ""})
    try:
        answer = await channel.call("/grpc.health.v1.Health/Check", request, timeout_s=timeout_s)
        status = _health_of(answer)
    except GrpcFailure as failure:
        place = f"{_bracket(pod_ip)}:{port}"
        return Outcome(False, _grpc_failure(failure, place, timeout_s=timeout_s, connected=channel.connected))
    finally:
        channel.close()
    names = {0: "UNKNOWN", 1: "SERVING", 2: "NOT_SERVING", 3: "SERVICE_UNKNOWN"}
    if status == 1:
        return Outcome(True, "service healthy")
    return Outcome(False, f'service unhealthy (responded with "{names.get(status, status)}")')


def _health_of(answer: bytes) -> int:
    """Raises GrpcFailure for what is no answer."""
    try:
        status: int = HEALTH.decode("HealthCheckResponse", answer)["status"]
    except WireError as error:
        raise GrpcFailure("Internal", f"grpc: failed to unmarshal the received message: {error}") from None
    return status


def _grpc_failure(failure: GrpcFailure, place: str, *, timeout_s: int, connected: bool) -> str:
    if not connected or failure.code == "Unavailable":
        text = f'timeout: failed to connect service "{place}" within {timeout_s}s'
        return f"{text}: context deadline exceeded"
    if failure.code == "DeadlineExceeded":
        return f"timeout: health rpc did not complete within {timeout_s}s"
    if failure.code == "Unimplemented":
        protocol = "the grpc health protocol (grpc.health.v1.Health)"
        return f"error: this server does not implement {protocol}: {failure.message}"
    return f"error: health rpc probe failed: {failure}"


def dial_error(error: OSError, host: str, port: int) -> str:
    words = {
        errno.ECONNREFUSED: "connect: connection refused",
        errno.EHOSTUNREACH: "connect: no route to host",
        errno.ENETUNREACH: "connect: network is unreachable",
        errno.ETIMEDOUT: "connect: connection timed out",
    }
    if error.errno in (errno.ECONNRESET, errno.EPIPE):
        return f"read tcp {_bracket(host)}:{port}: read: connection reset by peer"
    return f"dial tcp {_bracket(host)}:{port}: {words.get(error.errno or 0, error.strerror or str(error))}"


def _bracket(host: str) -> str:
    return f"[{host}]" if ":" in host else host

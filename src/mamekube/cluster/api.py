"""The launcher's own glance at the API server: few requests, with nothing imported that takes long."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from typing import Any

from mamekube.cluster.failures import CONTROL_PLANE_NOT_RUNNING, Failure
from mamekube.cluster.profiles import API_PORT, Profile, start_command

CONNECT_TIMEOUT_S = 2.0


class Unreachable(Exception):
    """There is no answer."""


class ApiConnection:
    """A connection as the administrator of one profile, made anew when it breaks."""

    def __init__(self, profile: Profile) -> None:
        self._address = profile.gateway
        self._tls = ssl.create_default_context(cafile=str(profile.certificates / "ca.crt"))
        self._tls.load_cert_chain(profile.certificates / "admin.crt", profile.certificates / "admin.key")
        self._connection: http.client.HTTPSConnection | None = None

    def request(self, path: str, *, method: str = "GET", body: Any = None) -> tuple[int, bytes]:
        """Status code and body of the answer. Raises Unreachable."""
        if self._connection is None:
            self._connection = http.client.HTTPSConnection(
                self._address, API_PORT, timeout=CONNECT_TIMEOUT_S, context=self._tls
            )
        content_type = "application/merge-patch+json" if method == "PATCH" else "application/json"
        headers = {"Accept": "application/json", "Content-Type": content_type}
        try:
            encoded = None if body is None else json.dumps(body)
            self._connection.request(method, path, body=encoded, headers=headers)
            answer = self._connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Unreachable(str(error)) from None

    def get(self, path: str) -> dict[str, Any] | None:
        """The object at `path`; None where there is none, or no answer yet."""
        try:
            status, body = self.request(path)
        except Unreachable:
            return None
        found: dict[str, Any] | None = json.loads(body) if status == 200 else None
        return found

    def ready(self) -> bool:
        try:
            return self.request("/readyz")[0] == 200
        except Unreachable:
            return False

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def connect(profile: Profile) -> ApiConnection:
    """Raises Failure where the API server does not answer."""
    if profile.certificates.exists():
        connection = ApiConnection(profile)
        if connection.ready():
            return connection
    raise Failure(
        CONTROL_PLANE_NOT_RUNNING,
        f'The API server of "{profile.name}" does not answer',
        advice=f'To start it, run: "{start_command(profile.name)}"',
    )


def accepts_connections(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), timeout=CONNECT_TIMEOUT_S).close()
    except OSError:
        return False
    return True

"""Connections from the API server to pods.

The clusters of one machine give their pods the same addresses, and the machine's routes lead to one of them only. So
a connection to a pod is made over the link that this cluster's nodes are behind, whatever the routes say.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from typing import Any

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Dialer:
    """Pods' addresses are in `network` and behind `device`; without a device the machine's routes decide."""

    def __init__(self, network: str = "", device: str = "") -> None:
        self._network = ipaddress.ip_network(network) if network and device else None
        self._device = device.encode()

    async def connect(self, host: str, port: int, **options: Any) -> Connection:
        """As `asyncio.open_connection`, with its options. Raises OSError."""
        if not self._is_pod(host):
            return await asyncio.open_connection(host, port, **options)
        connection = self._bound(socket.socket())
        try:
            await asyncio.get_running_loop().sock_connect(connection, (host, port))
        except BaseException:
            connection.close()
            raise
        return await asyncio.open_connection(sock=connection, **options)

    def make_socket(self, place: tuple[Any, ...]) -> socket.socket:
        """For a connection to a place as `getaddrinfo` gives it. What aiohttp's connectors ask for."""
        family, kind, protocol, _, address = place
        made = socket.socket(family, kind, protocol)
        return self._bound(made) if self._is_pod(address[0]) else made

    def _is_pod(self, host: str) -> bool:
        if self._network is None:
            return False
        try:
            return ipaddress.ip_address(host) in self._network
        except ValueError:
            return False

    def _bound(self, made: socket.socket) -> socket.socket:
        made.setblocking(False)
        try:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, self._device)
        except OSError:
            made.close()
            raise
        return made

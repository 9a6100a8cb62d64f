"""Where cluster IPs and node ports are given out: once the Service is known to be valid."""

from __future__ import annotations

from mamekube.apiserver.addresses import ServiceAddresses
from mamekube.apiserver.admission.plugin import CREATE_AND_UPDATE, Plugin
from mamekube.apiserver.writes import Write


class ServiceAddressAssignment(Plugin):
    name = "ServiceAddressAssignment"
    operations = CREATE_AND_UPDATE
    resources = frozenset({"services"})

    def __init__(self, addresses: ServiceAddresses) -> None:
        self._addresses = addresses

    async def mutate(self, write: Write) -> None:
        self._addresses.prepare(write)

    async def validate(self, write: Write) -> None:
        await self._addresses.assign(write)

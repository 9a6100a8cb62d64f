"""An APIService for each group and version of custom resources, as long as a definition serves it.

Upstream's autoregistration. An APIService that somebody else made for the same group and version is left alone.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter

from mamekube.apiserver import builtin
from mamekube.apiserver.aggregation.priorities import CUSTOM
from mamekube.apiserver.mirror import Mirror
from mamekube.client.client import Client
from mamekube.foundation.lifecycle import Component
from mamekube.kinds.apiextensions.customresourcedefinitions import KIND
from mamekube.objects.meta import Object, labels_of, name_of
from mamekube.objects.status import StatusError, is_reason
from mamekube.store.store import Store

log = logging.getLogger(__name__)

LABEL = "kube-aggregator.kubernetes.io/automanaged"
SETTLE_S = 0.2
"""Definitions of one package come together."""

Served = frozenset[tuple[str, str]]
"""Groups with their versions."""


class LocalApiServices(Component):
    """Makes and removes them."""

    def __init__(self, store: Store, client: Client) -> None:
        super().__init__()
        self._client = client
        self._wanted: Counter[tuple[str, str]] = Counter()
        """By how many definitions each is served."""
        self._pending: set[tuple[str, str]] = set()
        self._changed = asyncio.Event()
        self._mirror: Mirror[Served] = Mirror(store, KIND, digest=_served, handler=self._definition_changed)

    async def start(self) -> None:
        await self._mirror.__aenter__()
        self.spawn(self._run(), name="local-apiservices")

    async def stop(self) -> None:
        await self._mirror.__aexit__(None, None, None)

    def _definition_changed(self, old: Served | None, new: Served | None) -> None:
        self._wanted.subtract(old or ())
        self._wanted.update(new or ())
        self._pending |= (old or frozenset()) | (new or frozenset())
        self._changed.set()

    async def _run(self) -> None:
        while True:
            await self._changed.wait()
            await asyncio.sleep(SETTLE_S)
            self._changed.clear()
            pending, self._pending = self._pending, set()
            for group, version in sorted(pending):
                try:
                    await self._settle(group, version)
                except StatusError as error:
                    log.warning("cannot register %s/%s: %s", group, version, error.message)

    async def _settle(self, group: str, version: str) -> None:
        name = f"{version}.{group}"
        found: Object | None
        try:
            found = await self._client.get(builtin.API_SERVICES, name)
        except StatusError as error:
            if not is_reason(error, "NotFound"):
                raise
            found = None
        wanted = self._wanted[group, version] > 0
        if wanted and found is None:
            spec = {
                "group": group,
                "version": version,
                "groupPriorityMinimum": CUSTOM[0],
                "versionPriority": CUSTOM[1],
            }
            meta = {"name": name, "labels": {LABEL: "true"}}
            await self._client.create(builtin.API_SERVICES, {"metadata": meta, "spec": spec})
        elif not wanted and found is not None and labels_of(found).get(LABEL) == "true":
            await self._client.delete(builtin.API_SERVICES, name_of(found))


def _served(definition: Object, old: Served | None) -> Served:
    spec = definition.get("spec") or {}
    found = frozenset(
        (str(spec.get("group") or ""), version["name"])
        for version in spec.get("versions") or ()
        if version.get("served")
    )
    return old if old == found and old is not None else found

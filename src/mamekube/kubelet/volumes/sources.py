"""Config maps, secrets and tokens as the API server has them, fetched once for everyone who asks at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mamekube.client.client import Client
from mamekube.foundation.clock import Clock, parse_time
from mamekube.kubelet import api_resources as api
from mamekube.objects.meta import Object, name_of, namespace_of, uid_of
from mamekube.objects.resource import Resource
from mamekube.objects.status import is_reason

FRESH_S = 1.0
"""Pods that start together share one answer for this long."""
TOKEN_LIFETIME_S = 3600
TOKEN_REFRESH_SHARE = 0.8
TOKEN_AGE_MAX_S = 24 * 3600


@dataclass(frozen=True, slots=True)
class Fetched:
    """`environment.Lookup` over objects that were fetched before."""

    config_maps: Mapping[str, Object | None]
    secrets: Mapping[str, Object | None]

    def config_map(self, name: str) -> Object | None:
        return self.config_maps.get(name)

    def secret(self, name: str) -> Object | None:
        return self.secrets.get(name)


@dataclass(slots=True)
class _Token:
    text: str
    refresh_at_s: float


class Sources:
    def __init__(self, client: Client, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._answers: dict[tuple[str, str, str], tuple[float, asyncio.Future[Object | None]]] = {}
        self._tokens: dict[tuple[str, ...], _Token] = {}

    async def get(self, resource: Resource, namespace: str, name: str) -> Object | None:
        """The object, not older than FRESH_S; None where there is none. Raises StatusError."""
        key = (resource.plural, namespace, name)
        now_s = self._clock.now()
        self._forget_before(now_s - FRESH_S)
        found = self._answers.get(key)
        if found is None:
            future = asyncio.ensure_future(self._fetch(resource, namespace, name))
            found = self._answers[key] = (now_s, future)
        try:
            return await asyncio.shield(found[1])
        except Exception:
            self._answers.pop(key, None)
            raise

    async def fetch(self, namespace: str, *, config_maps: Iterable[str], secrets: Iterable[str]) -> Fetched:
        maps, keys = sorted(set(config_maps)), sorted(set(secrets))
        answers = await asyncio.gather(
            *(self.get(api.CONFIG_MAPS, namespace, name) for name in maps),
            *(self.get(api.SECRETS, namespace, name) for name in keys),
        )
        return Fetched(
            dict(zip(maps, answers[: len(maps)], strict=True)),
            dict(zip(keys, answers[len(maps) :], strict=True)),
        )

    async def token(self, pod: Object, projection: Mapping[str, Any]) -> str:
        """A token bound to the pod, renewed when most of its life is over. Raises StatusError."""
        account = (pod.get("spec") or {}).get("serviceAccountName") or "default"
        lifetime_s = int(projection.get("expirationSeconds") or TOKEN_LIFETIME_S)
        audience = projection.get("audience", "")
        key = (uid_of(pod), account, audience, str(lifetime_s))
        known = self._tokens.get(key)
        if known is not None and self._clock.now() < known.refresh_at_s:
            return known.text
        request = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {
                "audiences": [audience] if audience else [],
                "expirationSeconds": lifetime_s,
                "boundObjectRef": {
                    "apiVersion": "v1",
                    "kind": "Pod",
                    "name": name_of(pod),
                    "uid": uid_of(pod),
                },
            },
        }
        answer = await self._client.create(
            api.SERVICE_ACCOUNTS, request, namespace=namespace_of(pod), name=account, subresource="token"
        )
        now_s = self._clock.now()
        life_s = parse_time(answer["status"]["expirationTimestamp"]) - now_s
        refresh_at_s = now_s + min(life_s * TOKEN_REFRESH_SHARE, TOKEN_AGE_MAX_S)
        self._tokens[key] = _Token(answer["status"]["token"], refresh_at_s)
        return str(answer["status"]["token"])

    def forget(self, pod_uid: str) -> None:
        for key in [key for key in self._tokens if key[0] == pod_uid]:
            del self._tokens[key]

    async def _fetch(self, resource: Resource, namespace: str, name: str) -> Object | None:
        try:
            return await self._client.get(resource, name, namespace=namespace)
        except Exception as error:
            if is_reason(error, "NotFound"):
                return None
            raise

    def _forget_before(self, limit_s: float) -> None:
        # Insertion order is order of age, so the first young one ends it.
        for key, (asked_s, future) in list(self._answers.items()):
            if asked_s > limit_s:
                break
            if future.done():
                if not future.cancelled():
                    future.exception()
                del self._answers[key]

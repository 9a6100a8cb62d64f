"""An API server small enough for the kubelet's tests: objects by path, watches, strategic patches of status."""

from __future__ import annotations

import asyncio
import copy
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from mamekube.client.client import Event, Listing
from mamekube.kubelet import api_resources as api
from mamekube.objects import status as statuses
from mamekube.objects.meta import Object, key_of, make_key, name_of, namespace_of
from mamekube.objects.resource import Resource


class SmallApi:
    """Implements `client.Client` for one test; `requests` tells what the kubelet asked for."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Object]] = {}
        self.requests: list[tuple[str, str, str]] = []
        self.events: list[tuple[str, str, str]] = []
        self._revisions = itertools.count(1)
        self._watchers: list[tuple[str, asyncio.Queue[Event]]] = []
        self.changed = asyncio.Event()

    def put(self, resource: Resource, obj: Object) -> Object:
        """Create or replace, as a user would."""
        table = self.objects.setdefault(resource.plural, {})
        key = key_of(obj)
        known = key in table
        obj = copy.deepcopy(obj)
        obj["metadata"].setdefault("uid", f"uid-{key.replace('/', '-')}")
        obj["metadata"]["resourceVersion"] = str(next(self._revisions))
        table[key] = obj
        self._tell(resource, Event("MODIFIED" if known else "ADDED", obj))
        return obj

    def drop(self, resource: Resource, key: str) -> None:
        self._tell(resource, Event("DELETED", self.objects[resource.plural].pop(key)))

    def pod(self, key: str) -> Object | None:
        return self.objects.get("pods", {}).get(key)

    async def until(self, condition: Any) -> None:
        """Wait until `condition()` holds, looking after every change."""
        async with asyncio.timeout(60):
            while not condition():
                self.changed.clear()
                await self.changed.wait()

    def event(self, about: Any, type: str, reason: str, message: str) -> None:
        """`events.Recorder`."""
        self.events.append((type, reason, message))
        self.changed.set()

    def _tell(self, resource: Resource, event: Event) -> None:
        for plural, queue in self._watchers:
            if plural == resource.plural:
                queue.put_nowait(event)
        self.changed.set()

    async def get(
        self, resource: Resource, name: str, *, namespace: str = "", subresource: str = ""
    ) -> Object:
        self.requests.append(("get", resource.plural, name))
        found = self.objects.get(resource.plural, {}).get(make_key(namespace, name))
        if found is None:
            raise statuses.not_found(resource, name)
        return found

    async def list(self, resource: Resource, **query: Any) -> Listing:
        return Listing(list(self.objects.get(resource.plural, {}).values()), str(next(self._revisions)))

    async def create(
        self, resource: Resource, obj: Object, *, namespace: str = "", name: str = "", subresource: str = ""
    ) -> Object:
        self.requests.append(("create", resource.plural + subresource, name or name_of(obj)))
        if subresource == "token":
            return {"status": {"token": "a-token", "expirationTimestamp": "2099-01-01T00:00:00Z"}}
        if key_of(obj) in self.objects.get(resource.plural, {}):
            raise statuses.already_exists(resource, name_of(obj))
        return self.put(resource, obj)

    async def update(self, resource: Resource, obj: Object, *, subresource: str = "") -> Object:
        return self.put(resource, obj)

    async def patch(
        self, resource: Resource, name: str, patch: Any, *, namespace: str = "", **options: Any
    ) -> Object:
        self.requests.append(("patch", resource.plural, name))
        old = await self.get(resource, name, namespace=namespace)
        uid = (patch.get("metadata") or {}).get("uid")
        if uid and uid != old["metadata"]["uid"]:
            raise statuses.conflict(resource, name)
        return self.put(resource, merge(old, patch))

    async def delete(
        self,
        resource: Resource,
        name: str,
        *,
        namespace: str = "",
        grace_period_s: int | None = None,
        uid: str = "",
        **options: Any,
    ) -> Object:
        self.requests.append(("delete", resource.plural, name))
        old = await self.get(resource, name, namespace=namespace)
        if resource is api.PODS and grace_period_s != 0:
            grace_s = old["spec"].get("terminationGracePeriodSeconds", 30)
            stamp = {"deletionTimestamp": "2026-01-01T00:00:00Z", "deletionGracePeriodSeconds": grace_s}
            return self.put(resource, merge(old, {"metadata": stamp}))
        self.drop(resource, make_key(namespace, name))
        return old

    @asynccontextmanager
    async def _watching(self, plural: str) -> AsyncIterator[AsyncIterator[Event]]:
        queue: asyncio.Queue[Event] = asyncio.Queue()
        entry = (plural, queue)
        self._watchers.append(entry)

        async def events() -> AsyncIterator[Event]:
            while True:
                yield await queue.get()

        try:
            yield events()
        finally:
            self._watchers.remove(entry)

    def watch(self, resource: Resource, **query: Any) -> Any:
        return self._watching(resource.plural)


def merge(old: Any, patch: Any) -> Any:
    """Strategic merge, as far as pod and node status need it."""
    if not isinstance(patch, dict):
        return patch
    result = dict(old) if isinstance(old, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        elif key == "conditions":
            by_type = {item["type"]: item for item in result.get(key) or []}
            for item in value:
                by_type[item["type"]] = merge(by_type.get(item["type"]), item)
            result[key] = list(by_type.values())
        elif isinstance(value, list):
            result[key] = [item for item in value if not (isinstance(item, dict) and "$patch" in item)]
        else:
            result[key] = merge(result.get(key), value)
    return result


def make_pod(name: str, *, node: str = "node", **spec: Any) -> Object:
    """A pod as the API server would hand it out."""
    containers = spec.pop("containers", [{"name": "main", "image": "app:1"}])
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", "uid": f"uid-{name}", "generation": 1},
        "spec": {
            "nodeName": node,
            "restartPolicy": "Always",
            "terminationGracePeriodSeconds": 30,
            "containers": containers,
            **spec,
        },
        "status": {"phase": "Pending"},
    }


def container_status(api_server: SmallApi, key: str, name: str = "main") -> dict[str, Any]:
    pod = api_server.pod(key) or {}
    found = (pod.get("status") or {}).get("containerStatuses") or []
    return next((item for item in found if item["name"] == name), {})


def condition(pod: Object | None, kind: str) -> str:
    conditions = ((pod or {}).get("status") or {}).get("conditions") or []
    return next((str(item["status"]) for item in conditions if item["type"] == kind), "")


__all__ = ["SmallApi", "condition", "container_status", "make_pod", "merge", "name_of", "namespace_of"]

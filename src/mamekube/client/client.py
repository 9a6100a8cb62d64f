"""The one interface to the Kubernetes API for everything in the product that is not the API server.

Two transports implement it: `client.http.HttpClient` over TLS, against any conforming API server, and the API
server's own in-process client, which hands over the same objects without a socket and without JSON.

All methods raise `mamekube.objects.status.StatusError`; a transport failure is one too (code 503, reason
`ServiceUnavailable`). Objects that are answered are read-only.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from mamekube.client.discovery import Discovered
from mamekube.objects.meta import Object
from mamekube.objects.resource import Resource

PatchType = Literal["json", "merge", "strategic", "apply"]

PATCH_CONTENT_TYPES: dict[str, str] = {
    "json": "application/json-patch+json",
    "merge": "application/merge-patch+json",
    "strategic": "application/strategic-merge-patch+json",
    "apply": "application/apply-patch+yaml",
}


def delete_options(
    grace_period_s: int | None, propagation: str, *, uid: str = "", revision: str = ""
) -> dict[str, Any]:
    """The body of a delete: what was asked for, and nothing else."""
    options: dict[str, Any] = {"apiVersion": "v1", "kind": "DeleteOptions"}
    if grace_period_s is not None:
        options["gracePeriodSeconds"] = grace_period_s
    if propagation:
        options["propagationPolicy"] = propagation
    preconditions = {key: value for key, value in (("uid", uid), ("resourceVersion", revision)) if value}
    if preconditions:
        options["preconditions"] = preconditions
    return options


@dataclass(frozen=True, slots=True)
class Listing:
    """The answer to a list: `revision` is the resourceVersion to watch from."""

    items: list[Object]
    revision: str
    continue_token: str = ""


def listing_of(answer: Object, resource: Resource) -> Listing:
    """A list as it comes over the wire."""
    described = answer.get("metadata") or {}
    items = answer.get("items") or []
    for item in items:
        # Upstream leaves them out of the items of a list; whoever reads one object expects them.
        item.setdefault("apiVersion", resource.api_version)
        item.setdefault("kind", resource.kind)
    return Listing(items, described.get("resourceVersion", ""), described.get("continue", ""))


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a watch. `type` is ADDED, MODIFIED, DELETED or BOOKMARK."""

    type: str
    object: Object


class Client(Protocol):
    """Requests as one user.

    `namespace` is `""` for objects of cluster scope, and for all namespaces in list and watch.
    """

    async def get(
        self, resource: Resource, name: str, *, namespace: str = "", subresource: str = ""
    ) -> Object: ...

    async def list(
        self,
        resource: Resource,
        *,
        namespace: str = "",
        label_selector: str = "",
        field_selector: str = "",
        limit: int = 0,
        continue_token: str = "",
        revision: str = "",
    ) -> Listing: ...

    async def create(
        self, resource: Resource, obj: Object, *, namespace: str = "", name: str = "", subresource: str = ""
    ) -> Object:
        """POST; `name` and `subresource` for creations under an object: binding, eviction, token."""
        ...

    async def update(self, resource: Resource, obj: Object, *, subresource: str = "") -> Object:
        """PUT, to the namespace and name in the object; refused with Conflict if its resourceVersion is stale."""
        ...

    async def patch(
        self,
        resource: Resource,
        name: str,
        patch: Any,
        *,
        namespace: str = "",
        patch_type: PatchType = "merge",
        subresource: str = "",
        field_manager: str = "",
        force: bool = False,
    ) -> Object: ...

    async def delete(
        self,
        resource: Resource,
        name: str,
        *,
        namespace: str = "",
        grace_period_s: int | None = None,
        propagation: str = "",
        uid: str = "",
        revision: str = "",
    ) -> Object:
        """DELETE; `uid` and `revision` are preconditions. Answers the object or a Status."""
        ...

    async def delete_collection(
        self,
        resource: Resource,
        *,
        namespace: str = "",
        label_selector: str = "",
        field_selector: str = "",
        grace_period_s: int | None = None,
        propagation: str = "",
    ) -> None: ...

    def watch(
        self,
        resource: Resource,
        *,
        namespace: str = "",
        label_selector: str = "",
        field_selector: str = "",
        revision: str = "",
        bookmarks: bool = True,
        timeout_s: int = 0,
    ) -> AbstractAsyncContextManager[AsyncIterator[Event]]:
        """Events after `revision`. Entering or iterating raises StatusError (410 `Expired` or `Gone`: list again).

        The iteration ends without an error when the server ends the watch; the caller resumes from the last
        resourceVersion it saw.
        """
        ...

    async def discover(self) -> Discovered:
        """What the server serves, APIs of other servers that it stands for among it."""
        ...

"""Namespaces that are being deleted: everything in them goes first."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from mamekube.client.discovery import Served
from mamekube.controllers.resources import NAMESPACES, PODS
from mamekube.controllers.runtime import Controller, Watch, itself
from mamekube.objects import conditions
from mamekube.objects.meta import Object, being_deleted, edited, metadata, name_of, namespace_of
from mamekube.objects.resource import Resource
from mamekube.objects.status import StatusError, is_reason

FINALIZER = "kubernetes"

LOOK_AGAIN_S = 5.0
"""While something remains. Pods wake us when they go; this is for everything else that has finalizers."""

GOOD = {
    "NamespaceDeletionDiscoveryFailure": ("ResourcesDiscovered", "All resources successfully discovered"),
    "NamespaceDeletionGroupVersionParsingFailure": (
        "ParsedGroupVersions",
        "All legacy kube types successfully parsed",
    ),
    "NamespaceDeletionContentFailure": (
        "ContentDeleted",
        "All content successfully deleted, may be waiting on finalization",
    ),
    "NamespaceContentRemaining": ("ContentRemoved", "All content successfully removed"),
    "NamespaceFinalizersRemaining": (
        "ContentHasNoFinalizers",
        "All content-preserving finalizers finished",
    ),
}
"""Condition -> reason and message while it is False; in the order in which they are first written."""


@dataclass(slots=True)
class Remains:
    """What was found in a namespace after everything in it was asked to go."""

    counts: Counter[str] = field(default_factory=Counter)
    """`pods.` -> how many; the group follows the dot."""
    finalizers: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    undiscovered: str = ""
    """Why it is not known what else may be in the namespace."""

    def note(self, resource: Resource, items: Iterable[Object]) -> None:
        for item in items:
            self.counts[f"{resource.plural}.{resource.group}"] += 1
            self.finalizers.update(metadata(item).get("finalizers") or ())

    @property
    def empty(self) -> bool:
        return not self.counts and not self.failures and not self.undiscovered


def undiscovered(stale: Sequence[str]) -> str:
    """What is said of group versions whose servers do not answer; `""` where all do."""
    if not stale:
        return ""
    parts = ", ".join(f"{version}: stale GroupVersion discovery: {version}" for version in stale)
    failed = f"unable to retrieve the complete list of server APIs: {parts}"
    return f"Discovery failed for some groups, {len(stale)} failing: {failed}"


def plan(known: Sequence[dict[str, Any]], remains: Remains, *, now: str) -> list[dict[str, Any]]:
    """The conditions of a namespace of which this remains."""
    bad: dict[str, tuple[str, str]] = {}
    if remains.undiscovered:
        bad["NamespaceDeletionDiscoveryFailure"] = ("DiscoveryFailed", remains.undiscovered)
    if remains.failures:
        message = "Failed to delete all resource types, {} remaining: {}".format(
            len(remains.failures), ", ".join(sorted(remains.failures))
        )
        bad["NamespaceDeletionContentFailure"] = ("ContentDeletionFailed", message)
    if remains.counts:
        parts = [f"{name} has {count} resource instances" for name, count in sorted(remains.counts.items())]
        message = "Some resources are remaining: " + ", ".join(parts)
        bad["NamespaceContentRemaining"] = ("SomeResourcesRemain", message)
    if remains.finalizers:
        parts = [
            f"{name} in {count} resource instances" for name, count in sorted(remains.finalizers.items())
        ]
        message = "Some content in the namespace has finalizers remaining: " + ", ".join(parts)
        bad["NamespaceFinalizersRemaining"] = ("SomeFinalizersRemain", message)
    result = [dict(condition) for condition in known]
    for kind, good in GOOD.items():
        reason, message = bad.get(kind, good)
        entry = {
            "type": kind,
            "status": "True" if kind in bad else "False",
            "reason": reason,
            "message": message,
        }
        result = conditions.replaced(result, entry, now=now)
    return result


def _leaving(controller: Controller, pod: Object) -> Iterable[str]:
    namespace = controller.cache(NAMESPACES).get(namespace_of(pod))
    if namespace is not None and being_deleted(namespace):
        yield namespace_of(pod)


class NamespaceController(Controller):
    """Duty: empty each namespace that is being deleted, pods first, and then let it go.

    Woken by namespaces, and by pods of a namespace that is going.
    Invariant: the namespace's finalizer is removed only when a look at every resource that the API server knows of,
    those of other servers among them, has found nothing.
    """

    name = "namespace-controller"
    account = "namespace-controller"
    watches = (
        Watch(resource=NAMESPACES, keys=itself),
        Watch(resource=PODS, keys=_leaving, matters=lambda old, new: False),
    )
    workers = 10

    async def reconcile(self, key: str) -> float | None:
        namespace = self.cache(NAMESPACES).get(key)
        if namespace is None or not being_deleted(namespace):
            return None
        if FINALIZER not in (namespace["spec"].get("finalizers") or ()):
            return None
        remains = await self._empty(key)
        namespace = await self._write_status(namespace, remains)
        if not remains.empty:
            return LOOK_AGAIN_S
        await self._finalize(namespace)
        return None

    async def _empty(self, namespace: str) -> Remains:
        remains = Remains()
        known = await self._known(remains)
        pods = [served for served in known if served.resource == PODS]
        for served in pods:
            await self._clear(namespace, served, remains)
        if remains.counts or remains.failures:
            # Pods may need their configuration and permissions until they have ended.
            return remains
        others = [served for served in known if served.resource != PODS]
        await asyncio.gather(*(self._clear(namespace, served, remains) for served in others))
        return remains

    async def _known(self, remains: Remains) -> Sequence[Served]:
        """Everything that may be in a namespace and can be deleted."""
        try:
            found = await self.client.discover()
        except StatusError as error:
            remains.undiscovered = str(error)
            return ()
        remains.undiscovered = undiscovered(found.stale)
        return [one for one in found.served if one.resource.namespaced and "delete" in one.verbs]

    async def _clear(self, namespace: str, served: Served, remains: Remains) -> None:
        resource = served.resource
        try:
            if "list" not in served.verbs:
                if "deletecollection" in served.verbs:
                    await self._delete_collection(resource, namespace)
                return
            listing = await self.client.list(resource, namespace=namespace)
            if listing.items:
                if "deletecollection" in served.verbs:
                    await self._delete_collection(resource, namespace)
                else:
                    await asyncio.gather(*(self._delete(resource, item) for item in listing.items))
                listing = await self.client.list(resource, namespace=namespace)
        except StatusError as error:
            if not is_reason(error, "NotFound", "MethodNotAllowed"):
                remains.failures.append(str(error))
            return
        remains.note(resource, listing.items)

    async def _delete_collection(self, resource: Resource, namespace: str) -> None:
        await self.client.delete_collection(resource, namespace=namespace, propagation="Background")

    async def _delete(self, resource: Resource, item: Object) -> None:
        try:
            await self.client.delete(
                resource, name_of(item), namespace=namespace_of(item), propagation="Background"
            )
        except StatusError as error:
            if not is_reason(error, "NotFound", "MethodNotAllowed"):
                raise

    async def _write_status(self, namespace: Object, remains: Remains) -> Object:
        known = conditions.conditions_of(namespace)
        status = {
            **(namespace.get("status") or {}),
            "phase": "Terminating",
            "conditions": plan(known, remains, now=self.clock.timestamp()),
        }
        if status == namespace.get("status"):
            return namespace
        return await self.client.update(NAMESPACES, {**namespace, "status": status}, subresource="status")

    async def _finalize(self, namespace: Object) -> None:
        kept = [name for name in namespace["spec"].get("finalizers") or () if name != FINALIZER]
        try:
            await self.client.update(
                NAMESPACES, edited(namespace, ("spec", "finalizers"), kept or None), subresource="finalize"
            )
        except StatusError as error:
            if not is_reason(error, "NotFound"):
                raise

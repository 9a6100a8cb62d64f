"""Garbage collection: what lost its owners is deleted, in the order that the deletion's policy says."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from mamekube.controllers.deletables import IGNORED, NEEDED_VERBS, Deletables, custom_resource
from mamekube.controllers.garbagecollector.graph import FOREGROUND, ORPHAN, Graph, Node, contradicts
from mamekube.controllers.podcontrol import all_of
from mamekube.controllers.resources import API_SERVICES, CUSTOM_RESOURCE_DEFINITIONS
from mamekube.controllers.runtime import Context, Controller
from mamekube.objects.meta import Object, being_deleted, has_finalizer, metadata, uid_of
from mamekube.objects.owners import owners_of
from mamekube.objects.resource import Resource
from mamekube.objects.status import StatusError, is_reason

log = logging.getLogger(__name__)

WORKERS = 20
"""Upstream: --concurrent-gc-syncs."""

GONE_MAX = 500
"""Upstream's absent-owner cache."""

UNKNOWN_KIND_S = 30.0
"""How soon to look again for a kind that is not served. Upstream: the period of its discovery."""

OTHER_SERVERS = "what other servers serve"
"""A key that is no uid: look at what there is to watch besides built-in and custom resources."""

DISCOVERY_PERIOD_S = 30.0
"""Between two looks, while there is any other server. Upstream: the period of its discovery."""

Reference = dict[str, Any]


class UnknownKind(Exception):
    """An owner reference names a kind that is not served."""

    def __init__(self, api_version: str, kind: str) -> None:
        super().__init__(f"no resource is served for {kind} of {api_version}")


@dataclass(slots=True)
class Owners:
    """An object's owner references, by what has become of the owners."""

    solid: list[Reference] = field(default_factory=list)
    dangling: list[Reference] = field(default_factory=list)
    waiting: list[Reference] = field(default_factory=list)
    """Being deleted in the foreground, and this object blocks them."""


def plan(obj: Object, owners: Owners, *, has_dependents: bool) -> str:
    """What becomes of an object: `keep`, `release` (drop the references that keep nothing alive), or a policy
    by which it is deleted.
    """
    if not owners_of(obj):
        return "keep"
    if owners.solid:
        return "release" if owners.dangling or owners.waiting else "keep"
    if owners.waiting and has_dependents:
        return "Foreground"
    if has_finalizer(obj, ORPHAN):
        return "Orphan"
    if has_finalizer(obj, FOREGROUND):
        return "Foreground"
    return "Background"


class GarbageCollector(Controller):
    """Duty: delete objects all of whose owners are gone; carry out foreground deletions and orphaning.

    Woken, by uid, by every object of every resource that can be deleted, as far as the graph says it matters; and by
    APIServices, which tell what resources there are besides built-in and custom ones.
    Invariants: nothing is deleted because of what a cache does not show: an owner counts as gone only if the API
    server says so or its deletion was seen; every deletion names the uid it means.
    """

    name = "garbage-collector-controller"
    account = "generic-garbage-collector"
    workers = WORKERS

    def __init__(self, context: Context, *, deletables: Deletables | None = None) -> None:
        super().__init__(context)
        self.deletables = deletables or Deletables()
        self.graph = Graph()
        self.gone: dict[str, None] = {}
        """Uids that are known to exist no more, oldest first; bounded by `GONE_MAX`."""
        self._watched: set[Resource] = set()
        self._remote: set[Resource] = set()
        """Resources that other servers serve."""

    def attach(self) -> None:
        for resource in list(self.deletables):
            self._watch(resource)
        self.context.informers.informer(CUSTOM_RESOURCE_DEFINITIONS).subscribe(self._on_definition)
        self.context.informers.informer(API_SERVICES).subscribe(self._on_api_service)

    def _watch(self, resource: Resource) -> None:
        if resource in self._watched or (resource.group, resource.plural) in IGNORED:
            return
        self._watched.add(resource)
        self.context.informers.informer(resource).subscribe(self._observer(resource))

    def _on_definition(self, event: str, old: Object | None, new: Object | None) -> None:
        definition = new or old
        assert definition is not None, "an event without any state"
        resource = custom_resource(definition) if event != "DELETED" else None
        group, kind = definition["spec"]["group"], definition["spec"]["names"]["kind"]
        known = self.deletables.find(f"{group}/", kind)
        if known is not None and known != resource:
            self._forget(known)
        if resource is not None:
            self.deletables.add(resource)
            self._watch(resource)

    def _forget(self, resource: Resource) -> None:
        self.deletables.remove(resource.group, resource.kind)
        self._watched.discard(resource)
        self.context.informers.forget(resource)

    def _on_api_service(self, event: str, old: Object | None, new: Object | None) -> None:
        if any(service is not None and service["spec"].get("service") for service in (old, new)):
            self.queue.add(OTHER_SERVERS)

    async def _follow_other_servers(self) -> float | None:
        """Watch what they serve; of one that does not answer, what it served the last time."""
        services = self.context.informers.informer(API_SERVICES).cache.list()
        specs = [service["spec"] for service in services if service["spec"].get("service")]
        versions = {(spec["group"], spec["version"]) for spec in specs}
        found = await self.client.discover()
        known = {one.resource: one.verbs for one in found.served}
        served = {resource for resource in known if (resource.group, resource.version) in versions}
        stale = {one for one in self._remote if one.api_version in found.stale}
        for resource in self._remote - served - stale:
            self._forget(resource)
        for resource in served - self._remote:
            self.deletables.add(resource)
            if known[resource] >= NEEDED_VERBS:
                self._watch(resource)
        self._remote = served | stale
        return DISCOVERY_PERIOD_S if versions else None

    def _observer(self, resource: Resource) -> Callable[[str, Object | None, Object | None], None]:
        def observe(event: str, old: Object | None, new: Object | None) -> None:
            newest = new or old
            assert newest is not None, "an event without any state"
            if event == "DELETED":
                look = self._note_gone(uid_of(newest))
            elif event == "MODIFIED" and old is not None and _same_relations(old, newest):
                return
            else:
                look = self.graph.put(resource, newest)
            for uid in look:
                self.queue.add(uid)

        return observe

    def _note_gone(self, uid: str) -> set[str]:
        self.gone[uid] = None
        if len(self.gone) > GONE_MAX:
            del self.gone[next(iter(self.gone))]
        return self.graph.remove(uid)

    async def reconcile(self, key: str) -> float | None:
        if key == OTHER_SERVERS:
            return await self._follow_other_servers()
        node = self.graph.nodes.get(key)
        if node is None:
            return None
        if node.orphans_dependents:
            await self._orphan(node)
        elif node.waits_for_dependents:
            await self._finish_foreground(node)
        if node.being_deleted:
            return None
        try:
            await self._collect(node)
        except UnknownKind as error:
            # Its definition may be on its way; until then nothing can be concluded.
            log.info("%s", error)
            return UNKNOWN_KIND_S
        return None

    async def _collect(self, node: Node) -> None:
        resource = node.resource or self.deletables.find(node.api_version, node.kind)
        if resource is None:
            raise UnknownKind(node.api_version, node.kind)
        live = await self._live(resource, node)
        if live is None:
            for uid in self._note_gone(node.uid):
                self.queue.add(uid)
            return
        if node.virtual or being_deleted(live):
            return
        owners = await self._classify(node, live)
        action = plan(live, owners, has_dependents=bool(node.dependents))
        if action == "release":
            await self._release(resource, live, [*owners.dangling, *owners.waiting])
        elif action == "Foreground" and owners.waiting:
            await self._unblock_cycles(resource, node, live)
            await self._delete(resource, live, action)
        elif action != "keep":
            await self._delete(resource, live, action)

    async def _live(self, resource: Resource, node: Node) -> Object | None:
        namespace = node.namespace if resource.namespaced else ""
        if resource.namespaced and not namespace:
            return None
        live = await self._get(resource, namespace, node.name)
        return live if live is not None and uid_of(live) == node.uid else None

    async def _get(self, resource: Resource, namespace: str, name: str) -> Object | None:
        try:
            return await self.client.get(resource, name, namespace=namespace)
        except StatusError as error:
            if is_reason(error, "NotFound"):
                return None
            raise

    async def _classify(self, node: Node, live: Object) -> Owners:
        owners = Owners()
        for reference in owners_of(live):
            if self.graph.is_elsewhere(reference["uid"], node.namespace):
                self.record(
                    live, "OwnerRefInvalidNamespace", _not_there(reference, node.namespace), warning=True
                )
            owner = await self._owner(node, reference)
            if owner is None:
                owners.dangling.append(reference)
            elif owner.waits_for_dependents and reference.get("blockOwnerDeletion"):
                owners.waiting.append(reference)
            else:
                owners.solid.append(reference)
        return owners

    async def _owner(self, node: Node, reference: Reference) -> Node | None:
        """The owner as the graph has it, or as the API server tells; None where it does not exist."""
        uid = reference["uid"]
        known = self.graph.nodes.get(uid)
        if known is not None and not known.virtual and not contradicts(known, reference, node.namespace):
            return known
        if uid in self.gone and (known is None or known.virtual):
            return None
        resource = self.deletables.find(reference["apiVersion"], reference["kind"])
        if resource is None:
            raise UnknownKind(reference["apiVersion"], reference["kind"])
        if resource.namespaced and not node.namespace:
            # A cluster-scoped object cannot have an owner in a namespace. It is kept: better litter than loss.
            return Node(uid, reference["apiVersion"], reference["kind"], reference["name"], "")
        namespace = node.namespace if resource.namespaced else ""
        live = await self._get(resource, namespace, reference["name"])
        if live is None or uid_of(live) != uid:
            return None
        found = Node(uid, reference["apiVersion"], reference["kind"], reference["name"], namespace)
        found.waits_for_dependents = being_deleted(live) and has_finalizer(live, FOREGROUND)
        return found

    # Steps ------------------------------------------------------------------------------------------

    async def _delete(self, resource: Resource, obj: Object, policy: str) -> None:
        described = metadata(obj)
        try:
            await self.client.delete(
                resource,
                described["name"],
                namespace=described.get("namespace", ""),
                propagation=policy,
                uid=described["uid"],
                revision=described["resourceVersion"],
            )
        except StatusError as error:
            if not is_reason(error, "NotFound"):
                raise

    async def _release(self, resource: Resource, obj: Object, references: list[Reference]) -> None:
        uids = {reference["uid"] for reference in references}
        kept = [reference for reference in owners_of(obj) if reference["uid"] not in uids]
        await self._patch_metadata(resource, obj, {"ownerReferences": kept or None})

    async def _unblock_cycles(self, resource: Resource, node: Node, live: Object) -> None:
        """A dependent that is deleted in the foreground too would wait for us while we wait for it."""
        if not any(dependent.waits_for_dependents for dependent in self.graph.dependents(node.uid)):
            return
        references = [{**reference, "blockOwnerDeletion": False} for reference in owners_of(live)]
        await self._patch_metadata(resource, live, {"ownerReferences": references})

    async def _finish_foreground(self, node: Node) -> None:
        """Drop the finalizer when nothing blocks any more; until then see that the blockers go."""
        blocking = self.graph.blocking(node.uid)
        if not blocking:
            await self._drop_finalizer(node, FOREGROUND)
            return
        for dependent in blocking:
            if not dependent.waits_for_dependents:
                self.queue.add(dependent.uid)

    async def _orphan(self, node: Node) -> None:
        """Take the owner out of all its dependents, then let it go."""
        steps = []
        for dependent in self.graph.dependents(node.uid):
            if dependent.resource is not None and not dependent.virtual:
                steps.append(self._disown(dependent, dependent.resource, node.uid))
        failure = await all_of(steps)
        if failure is not None:
            raise failure
        await self._drop_finalizer(node, ORPHAN)

    async def _disown(self, dependent: Node, resource: Resource, owner_uid: str) -> None:
        live = await self._live(resource, dependent)
        if live is not None:
            mine = [reference for reference in owners_of(live) if reference["uid"] == owner_uid]
            if mine:
                await self._release(resource, live, mine)

    async def _drop_finalizer(self, node: Node, finalizer: str) -> None:
        assert node.resource is not None, "only objects that were seen can be waiting"
        live = await self._live(node.resource, node)
        if live is None or not has_finalizer(live, finalizer):
            return
        kept = [name for name in metadata(live)["finalizers"] if name != finalizer]
        await self._patch_metadata(node.resource, live, {"finalizers": kept or None})

    async def _patch_metadata(self, resource: Resource, obj: Object, changes: dict[str, Any]) -> None:
        """Change metadata of exactly this version of the object."""
        described = metadata(obj)
        guard = {"uid": described["uid"], "resourceVersion": described["resourceVersion"]}
        try:
            await self.client.patch(
                resource,
                described["name"],
                {"metadata": {**guard, **changes}},
                namespace=described.get("namespace", ""),
            )
        except StatusError as error:
            if not is_reason(error, "NotFound"):
                raise


def _same_relations(old: Object, new: Object) -> bool:
    """Most changes of most objects are none of the collector's business."""
    before, after = metadata(old), metadata(new)
    fields = ("ownerReferences", "finalizers", "deletionTimestamp", "uid")
    return all(before.get(field) == after.get(field) for field in fields)


def _not_there(reference: Reference, namespace: str) -> str:
    """What the user reads who gave an object an owner from another namespace."""
    owner = (
        f"[{reference['apiVersion']}/{reference['kind']}, namespace: {namespace}, name: {reference['name']}, "
        f"uid: {reference['uid']}]"
    )
    return f'ownerRef {owner} does not exist in namespace "{namespace}"'

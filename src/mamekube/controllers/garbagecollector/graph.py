"""Who owns whom, of all objects of a cluster, by uid. Pure: events in, uids to look at out.

Invariants:
* `a in nodes[b].dependents` if and only if `a` names `b` in its owner references.
* A node is virtual if and only if only its dependents have told of it; a virtual node has dependents, or is
  removed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from mamekube.objects.meta import Object, being_deleted, has_finalizer, name_of, namespace_of, uid_of
from mamekube.objects.owners import owners_of
from mamekube.objects.resource import Resource

FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"


@dataclass(slots=True)
class Node:
    """One object. A virtual one has what an owner reference tells: kind, name and uid."""

    uid: str
    api_version: str
    kind: str
    name: str
    namespace: str
    resource: Resource | None = None
    owners: list[dict[str, Any]] = field(default_factory=list)
    dependents: set[str] = field(default_factory=set)
    being_deleted: bool = False
    waits_for_dependents: bool = False
    """Being deleted in the foreground: it goes when no dependent that blocks it is left."""
    orphans_dependents: bool = False
    virtual: bool = False


class Graph:
    """Reports what an event makes worth looking at; it decides nothing."""

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}

    def put(self, resource: Resource, obj: Object) -> set[str]:
        """An object was seen, new or changed. Answers the uids to look at."""
        uid = uid_of(obj)
        node = self.nodes.get(uid)
        if node is None:
            node = self.nodes[uid] = Node(uid, "", "", "", "")
        elif node.virtual and namespace_of(obj) != node.namespace:
            # Dependents guessed another namespace for it: they refer to what does not exist.
            look = set(node.dependents)
            self._describe(node, resource, obj)
            return look | self._update(node, obj)
        self._describe(node, resource, obj)
        return self._update(node, obj)

    def remove(self, uid: str) -> set[str]:
        """An object is gone, or was found never to have been. Answers the uids to look at."""
        node = self.nodes.pop(uid, None)
        if node is None:
            return set()
        look = set(node.dependents)
        for reference in node.owners:
            look |= self._unlink(uid, reference["uid"])
        if node.dependents:
            # Kept as long as dependents name it, so that they are found again if they stay.
            ghost = Node(
                uid, node.api_version, node.kind, node.name, node.namespace, node.resource, virtual=True
            )
            ghost.dependents = node.dependents
            self.nodes[uid] = ghost
        return look

    def dependents(self, uid: str) -> list[Node]:
        node = self.nodes.get(uid)
        return [self.nodes[dependent] for dependent in node.dependents] if node is not None else []

    def blocking(self, uid: str) -> list[Node]:
        """Dependents that keep a foreground deletion waiting."""
        return [dependent for dependent in self.dependents(uid) if _blocks(dependent.owners, uid)]

    def is_elsewhere(self, uid: str, namespace: str) -> bool:
        """Whether the object was seen in a namespace from which it can own nothing in this one."""
        node = self.nodes.get(uid)
        return node is not None and not node.virtual and node.namespace not in ("", namespace)

    def _describe(self, node: Node, resource: Resource, obj: Object) -> None:
        node.resource = resource
        node.api_version, node.kind = resource.api_version, resource.kind
        node.name, node.namespace = name_of(obj), namespace_of(obj)
        node.virtual = False

    def _update(self, node: Node, obj: Object) -> set[str]:
        look: set[str] = set()
        before, after = node.owners, owners_of(obj)
        if before != after:
            look |= self._relink(node, before, after)
        deleted = being_deleted(obj)
        waits = deleted and has_finalizer(obj, FOREGROUND)
        orphans = deleted and has_finalizer(obj, ORPHAN)
        if (waits and not node.waits_for_dependents) or (orphans and not node.orphans_dependents):
            look |= {node.uid, *(node.dependents if waits else ())}
        node.being_deleted, node.waits_for_dependents, node.orphans_dependents = deleted, waits, orphans
        return look

    def _relink(self, node: Node, before: Iterable[dict[str, Any]], after: list[dict[str, Any]]) -> set[str]:
        look: set[str] = set()
        old = {reference["uid"]: reference for reference in before}
        new = {reference["uid"]: reference for reference in after}
        node.owners = list(after)
        for uid in old.keys() - new.keys():
            look |= self._unlink(node.uid, uid) | {node.uid}
        for uid in new.keys() - old.keys():
            owner = self.nodes.get(uid)
            if owner is None:
                owner = self.nodes[uid] = _virtual(new[uid], node.namespace)
                look.add(uid)
            elif owner.virtual or contradicts(owner, new[uid], node.namespace) or owner.waits_for_dependents:
                look.add(node.uid)
            owner.dependents.add(node.uid)
        for uid in old.keys() & new.keys():
            if old[uid].get("blockOwnerDeletion") and not new[uid].get("blockOwnerDeletion"):
                look.add(uid)
        return look

    def _unlink(self, dependent: str, owner_uid: str) -> set[str]:
        owner = self.nodes.get(owner_uid)
        if owner is None:
            return set()
        owner.dependents.discard(dependent)
        if owner.virtual and not owner.dependents:
            del self.nodes[owner_uid]
            return set()
        return {owner_uid} if owner.waits_for_dependents else set()


def _virtual(reference: dict[str, Any], namespace: str) -> Node:
    return Node(
        reference["uid"],
        reference["apiVersion"],
        reference["kind"],
        reference["name"],
        namespace,
        virtual=True,
    )


def contradicts(owner: Node, reference: dict[str, Any], namespace: str) -> bool:
    """Whether the reference gives the owner's uid another name, kind or namespace than it has."""
    same = (owner.kind, owner.name) == (reference["kind"], reference["name"])
    return not same or (owner.namespace not in ("", namespace))


def _blocks(owners: Iterable[dict[str, Any]], uid: str) -> bool:
    return any(reference["uid"] == uid and reference.get("blockOwnerDeletion") for reference in owners)

"""NodeRestriction: a kubelet changes its own Node, its own lease and its own pods, and no other's."""

from __future__ import annotations

import json
from typing import Any

from mamekube.apiserver import builtin
from mamekube.apiserver.access.node_authorizer import (
    LEASE_NAMESPACE,
    MIRROR_ANNOTATION,
    node_name_of,
    pod_vertices,
)
from mamekube.apiserver.admission.plugin import Plugin, forbidden
from mamekube.apiserver.writes import CREATE, DELETE, UPDATE, Reader, Write
from mamekube.objects import owners
from mamekube.objects.meta import Object, annotations_of, labels_of, metadata, name_of, uid_of
from mamekube.objects.status import not_found

LEASES = "leases.coordination.k8s.io"
CSI_NODES = "csinodes.storage.k8s.io"

RESTRICTED_NAMESPACE = "node-restriction.kubernetes.io"
KUBELET_LABELS = frozenset(
    {
        "kubernetes.io/hostname",
        "kubernetes.io/arch",
        "kubernetes.io/os",
        "beta.kubernetes.io/arch",
        "beta.kubernetes.io/os",
        "beta.kubernetes.io/instance-type",
        "node.kubernetes.io/instance-type",
        "topology.kubernetes.io/region",
        "topology.kubernetes.io/zone",
        "failure-domain.beta.kubernetes.io/region",
        "failure-domain.beta.kubernetes.io/zone",
    }
)
KUBELET_LABEL_NAMESPACES = ("kubelet.kubernetes.io", "node.kubernetes.io")
GROWTH = frozenset({"capacity", "conditions", "allocatedResources", "allocatedResourceStatuses"})
UNCOMPARED = frozenset({"managedFields", "resourceVersion"})
REFERENCE_NAMES = {
    "secrets": "secrets",
    "configmaps": "configmaps",
    "persistentvolumeclaims": "persistentvolumeclaims",
    "serviceaccounts": "a service account",
    "resourceclaims": "resourceclaims",
}


class NodeRestriction(Plugin):
    name = "NodeRestriction"
    operations = frozenset({CREATE, UPDATE, DELETE})
    resources = frozenset(
        {
            "pods",
            "pods/status",
            "pods/eviction",
            "nodes",
            "nodes/status",
            "persistentvolumeclaims/status",
            "serviceaccounts/token",
            LEASES,
            CSI_NODES,
        }
    )

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def mutate(self, write: Write) -> None:
        node = node_name_of(write.user)
        if node is None:
            return
        if not node:
            raise forbidden(write, f'could not determine node from user "{write.user.name}"')
        if write.kind.plural == "pods":
            await self._check_pod(write, node)
        elif write.kind.plural == "nodes":
            _check_node(write, node)
        elif write.kind.plural == "serviceaccounts":
            await self._check_token(write, node)
        elif write.kind.plural == "persistentvolumeclaims":
            _check_claim(write, node)
        elif write.kind.group_resource == LEASES:
            _check_lease(write, node)
        elif write.operation == CREATE and _requested_name(write) != node:
            raise forbidden(write, "can only access CSINode with the same name as the requesting node")

    async def _check_pod(self, write: Write, node: str) -> None:
        if write.subresource == "eviction":
            pod = await self._reader.get(builtin.PODS, write.name, namespace=write.namespace)
            if pod is None:
                raise not_found(builtin.PODS, write.name)
            if _node_of(pod) != node:
                raise forbidden(write, f"node {node} can only evict pods with spec.nodeName set to itself")
        elif write.subresource == "status":
            if _node_of(write.old or {}) != node:
                why = f'node "{node}" can only update pod status for pods with spec.nodeName set to itself'
                raise forbidden(write, why)
            if labels_of(write.old or {}) != labels_of(write.object or {}):
                raise forbidden(write, f'node "{node}" cannot update labels through pod status')
        elif write.operation == CREATE:
            await self._check_mirror(write, node)
        elif write.operation == DELETE and _node_of(write.old or {}) != node:
            raise forbidden(write, f'node "{node}" can only delete pods with spec.nodeName set to itself')
        elif write.operation == UPDATE:
            why = f'unexpected operation "UPDATE", node "{node}" can only create and delete mirror pods'
            raise forbidden(write, why)

    async def _check_mirror(self, write: Write, node: str) -> None:
        pod, who = write.object or {}, f'node "{node}"'
        if MIRROR_ANNOTATION not in annotations_of(pod):
            why = f'pod does not have "{MIRROR_ANNOTATION}" annotation, {who} can only create mirror pods'
            raise forbidden(write, why)
        if _node_of(pod) != node:
            raise forbidden(write, f"{who} can only create pods with spec.nodeName set to itself")
        why = _wrong_owner(owners.owners_of(pod), node, who)
        if why:
            raise forbidden(write, why)
        found = await self._reader.get(builtin.NODES, node)
        if found is not None and owners.owners_of(pod)[0].get("uid") != uid_of(found):
            raise forbidden(
                write,
                f"node {node} UID mismatch: expected {owners.owners_of(pod)[0].get('uid')} got {uid_of(found)}",
            )
        plain = {**pod, "metadata": {**metadata(pod), "annotations": {}}}
        for resource, _, _ in sorted(pod_vertices(plain)):
            if resource in REFERENCE_NAMES:
                raise forbidden(
                    write, f"{who} can not create pods that reference {REFERENCE_NAMES[resource]}"
                )

    async def _check_token(self, write: Write, node: str) -> None:
        """A kubelet gets tokens only for pods on its node, bound to them, for audiences that they ask for."""
        spec = (write.object or {}).get("spec") or {}
        bound = spec.get("boundObjectRef") or {}
        if (bound.get("apiVersion"), bound.get("kind")) != ("v1", "Pod") or not bound.get("name"):
            raise forbidden(write, "node requested token not bound to a pod")
        if not bound.get("uid"):
            raise forbidden(write, "node requested token with a pod binding without a uid")
        pod = await self._reader.get(builtin.PODS, bound["name"], namespace=write.namespace)
        if pod is None:
            raise forbidden(write, f'pod "{bound["name"]}" not found')
        if uid_of(pod) != bound["uid"]:
            raise forbidden(
                write,
                f"the UID in the bound object reference ({bound['uid']}) does not match the UID in record. "
                "The object might have been deleted and then recreated",
            )
        if _node_of(pod) != node:
            raise forbidden(write, "node requested token bound to a pod scheduled on a different node")
        audiences = _audiences(pod)
        for audience in spec.get("audiences") or ():
            if audience not in audiences:
                raise forbidden(write, f'audience "{audience}" not found in pod spec volume')


def _check_node(write: Write, node: str) -> None:
    who = f'node "{node}"'
    name = _requested_name(write)
    if name != node:
        raise forbidden(write, f'{who} is not allowed to modify node "{name}"')
    new, old = write.object or {}, write.old or {}
    if write.operation == CREATE:
        labels = sorted(label for label in labels_of(new) if not may_set_label(label))
        if labels:
            raise forbidden(write, f"{who} is not allowed to set the following labels: {', '.join(labels)}")
    elif write.operation == UPDATE:
        if (_spec(new).get("taints") or []) != (_spec(old).get("taints") or []):
            raise forbidden(write, f"{who} is not allowed to modify taints")
        if owners.owners_of(new) != owners.owners_of(old):
            raise forbidden(write, f"{who} is not allowed to modify ownerReferences")
        labels = sorted(
            label for label in _changed(labels_of(new), labels_of(old)) if not may_set_label(label)
        )
        if labels:
            raise forbidden(write, f"is not allowed to modify labels: {', '.join(labels)}")


def _check_claim(write: Write, node: str) -> None:
    """A kubelet tells how large a volume has become, and nothing else of its claim."""
    if write.operation != UPDATE:
        raise forbidden(write, f"unexpected operation {json.dumps(write.operation)}")
    if _beside_growth(write.object or {}) != _beside_growth(write.old or {}):
        why = (
            f'node "{node}" is not allowed to update fields other than status.quantity and status.conditions'
        )
        raise forbidden(write, why)


def _beside_growth(claim: Object) -> Object:
    meta = {key: value for key, value in metadata(claim).items() if key not in UNCOMPARED}
    status = {key: value for key, value in (claim.get("status") or {}).items() if key not in GROWTH}
    return {"metadata": meta, "spec": _spec(claim), "status": status}


def _check_lease(write: Write, node: str) -> None:
    if write.namespace != LEASE_NAMESPACE:
        raise forbidden(
            write, f"can only access leases in the {json.dumps(LEASE_NAMESPACE)} system namespace"
        )
    if _requested_name(write) != node:
        raise forbidden(write, "can only access node lease with the same name as the requesting node")


def may_set_label(label: str) -> bool:
    """Whether a kubelet may set this label on its Node: its own ones, and any outside Kubernetes' namespaces."""
    namespace = label.rpartition("/")[0]
    if _within(namespace, RESTRICTED_NAMESPACE):
        return False
    if label in KUBELET_LABELS or any(_within(namespace, allowed) for allowed in KUBELET_LABEL_NAMESPACES):
        return True
    return not (_within(namespace, "kubernetes.io") or _within(namespace, "k8s.io"))


def _within(namespace: str, domain: str) -> bool:
    return namespace == domain or namespace.endswith(f".{domain}")


def _wrong_owner(references: list[dict[str, Any]], node: str, who: str) -> str:
    if len(references) > 1:
        return f"{who} can only create pods with a single owner reference set to itself"
    owner = references[0] if references else {}
    if (owner.get("apiVersion"), owner.get("kind"), owner.get("name")) != ("v1", "Node", node):
        return f"{who} can only create pods with an owner reference set to itself"
    if not owner.get("controller"):
        return f"{who} can only create pods with a controller owner reference set to itself"
    if owner.get("blockOwnerDeletion"):
        return f"{who} must not set blockOwnerDeletion on an owner reference"
    return ""


def _audiences(pod: Object) -> set[str]:
    """What the token volumes of a pod ask for; a volume that names none wants the API server's own."""
    sources = [
        source["serviceAccountToken"]
        for volume in _spec(pod).get("volumes") or ()
        for source in (volume.get("projected") or {}).get("sources") or ()
        if "serviceAccountToken" in source
    ]
    return {source.get("audience") or "" for source in sources}


def _requested_name(write: Write) -> str:
    return write.name or name_of(write.object or {})


def _changed(new: dict[str, str], old: dict[str, str]) -> set[str]:
    return {key for key in {*new, *old} if new.get(key) != old.get(key)}


def _node_of(pod: Object) -> str:
    return str(_spec(pod).get("nodeName") or "")


def _spec(obj: Object) -> dict[str, Any]:
    return obj.get("spec") or {}

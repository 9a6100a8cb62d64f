"""What a kubelet may do: only what concerns its own node and the pods bound to it.

The graph says which objects a node reaches: pods by `spec.nodeName`, and through a pod its service account,
secrets, config maps and claims; through a claim its volume and that volume's secret; and volume attachments
by their own node name. It is kept as counters per (object, node), so that a question is one look-up.

The pods of a node are read when its kubelet asks its first question: until then it is enough to know which pods may
be on it, and that can be seen without decoding them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from mamekube.apiserver import builtin
from mamekube.apiserver.access.attributes import Attributes
from mamekube.apiserver.mirror import ItemMirror, Mirror
from mamekube.apiserver.request import User
from mamekube.objects.meta import Object, annotations_of, name_of, namespace_of
from mamekube.objects.podreferences import named
from mamekube.store.store import Item, Store

NODE_USER_PREFIX = "system:node:"
NODES_GROUP = "system:nodes"
LEASE_NAMESPACE = "kube-node-lease"
MIRROR_ANNOTATION = "kubernetes.io/config.mirror"

NO_OPINION = " "
"""A refusal without a reason: not empty, since an empty reason means allowed."""

Vertex = tuple[str, str, str]
"""(resource, namespace, name)."""

NODE_NAME = re.compile(rb'"nodeName":"([^"\\]+)"')
"""In the JSON of whatever is on a node. Labels may be called so, too."""
CHANGING = (b'"ephemeralContainers":', b'"resourceClaims":')
"""In the JSON of pods that may refer to more later on: all else is fixed once a pod is bound."""

LEASE_VERBS = frozenset({"get", "create", "update", "patch", "delete"})

FLAT_RULES: dict[tuple[str, str], frozenset[str]] = {
    ("authentication.k8s.io", "tokenreviews"): frozenset({"create"}),
    ("authorization.k8s.io", "subjectaccessreviews"): frozenset({"create"}),
    ("authorization.k8s.io", "localsubjectaccessreviews"): frozenset({"create"}),
    ("", "services"): frozenset({"get", "list", "watch"}),
    ("", "endpoints"): frozenset({"get"}),
    ("", "events"): frozenset({"create", "update", "patch"}),
    ("events.k8s.io", "events"): frozenset({"create", "update", "patch"}),
    ("certificates.k8s.io", "certificatesigningrequests"): frozenset({"create", "get", "list", "watch"}),
    ("storage.k8s.io", "csidrivers"): frozenset({"get", "list", "watch"}),
    ("node.k8s.io", "runtimeclasses"): frozenset({"get", "list", "watch"}),
}
"""What every node may do wherever the object is: upstream's static node rules less what is divided below."""


def node_name_of(user: User) -> str | None:
    """The node this user is, `""` for a kubelet without a name, None for anybody else."""
    if not user.name.startswith(NODE_USER_PREFIX) or NODES_GROUP not in user.groups:
        return None
    return user.name[len(NODE_USER_PREFIX) :]


class References(NamedTuple):
    """What `node` reaches through one pod or volume attachment."""

    node: str
    vertices: frozenset[Vertex]


class PodReferences:
    """What a pod lets its node reach. `nodes` are those it may be on; which one it is, is read when one asks."""

    __slots__ = ("_item", "_read", "created", "nodes")

    def __init__(self, item: Item, nodes: frozenset[str]) -> None:
        self.created = item.created
        self.nodes = nodes
        self._item: Item | None = item
        self._read: References | None = None

    @property
    def known(self) -> References | None:
        """What was read; None where nobody has asked yet, and for a pod on no node."""
        return self._read

    def read(self) -> References | None:
        """None for a pod that is on no node."""
        if self._item is not None:
            self._read, self._item = pod_references(self._item.transient()), None
        return self._read


class VolumeLinks(NamedTuple):
    """What a bound volume ties together."""

    volume: Vertex
    claim: Vertex
    secrets: tuple[Vertex, ...]


class NodeAuthorizer:
    """`authorize` answers the reason of a refusal, `""` for yes."""

    def __init__(self) -> None:
        self._reach: dict[Vertex, Counter[str]] = {}
        """How many pods of which node use the vertex. Invariant: no counter is 0 or negative."""
        self._unread: dict[str, set[PodReferences]] = {}
        """Pods that may be on the node, since its kubelet last asked. Invariant: they are not counted, others are."""
        self._claim_of_volume: dict[Vertex, Vertex] = {}
        self._volumes_of_secret: dict[Vertex, set[Vertex]] = {}

    def mirrors(self, store: Store) -> list[ItemMirror[Any]]:
        """The copies of the store's content that keep the graph."""
        return [
            ItemMirror(store, builtin.PODS, digest=digest_pod, handler=self.pod_changed),
            Mirror(
                store, builtin.VOLUME_ATTACHMENTS, digest=digest_attachment, handler=self.references_changed
            ),
            Mirror(store, builtin.PERSISTENT_VOLUMES, digest=digest_volume, handler=self.volume_changed),
        ]

    def authorize(self, node: str, attributes: Attributes) -> str:
        if not node:
            return f'unknown node for user "{attributes.user.name}"'
        if not attributes.is_resource:
            return NO_OPINION
        divided = _DIVIDED.get((attributes.group, attributes.resource))
        if divided is not None:
            return divided(self, node, attributes)
        verbs = FLAT_RULES.get((attributes.group, attributes.resource), frozenset())
        return "" if attributes.verb in verbs and not attributes.subresource else NO_OPINION

    def reaches(self, node: str, resource: str, namespace: str, name: str) -> bool:
        """Whether the object concerns the node."""
        self._read_pods(node)
        vertex = (resource, namespace, name)
        if node in self._reach.get(vertex, ()):
            return True
        if resource == "persistentvolumes":
            claim = self._claim_of_volume.get(vertex)
            return claim is not None and node in self._reach.get(claim, ())
        return any(self.reaches(node, *volume) for volume in self._volumes_of_secret.get(vertex, ()))

    # The graph ------------------------------------------------------------------------------------------

    def pod_changed(self, old: PodReferences | None, new: PodReferences | None) -> None:
        if old is not None:
            for node in old.nodes:
                self._forget(node, old)
        if new is not None:
            for node in new.nodes:
                self._unread.setdefault(node, set()).add(new)

    def _forget(self, node: str, pod: PodReferences) -> None:
        unread = self._unread.get(node, set())
        if pod not in unread:
            self._count_pod(node, pod, -1)
            return
        unread.discard(pod)
        if not unread:
            del self._unread[node]

    def _read_pods(self, node: str) -> None:
        for pod in self._unread.pop(node, ()):
            self._count_pod(node, pod, 1)

    def _count_pod(self, node: str, pod: PodReferences, sign: int) -> None:
        references = pod.read()
        if references is not None and references.node == node:
            for vertex in references.vertices:
                self._count(vertex, node, sign)

    def references_changed(self, old: References | None, new: References | None) -> None:
        if old is not None:
            for vertex in old.vertices:
                self._count(vertex, old.node, -1)
        if new is not None:
            for vertex in new.vertices:
                self._count(vertex, new.node, 1)

    def volume_changed(self, old: VolumeLinks | None, new: VolumeLinks | None) -> None:
        if old is not None:
            del self._claim_of_volume[old.volume]
            for secret in old.secrets:
                self._volumes_of_secret[secret].discard(old.volume)
        if new is not None:
            self._claim_of_volume[new.volume] = new.claim
            for secret in new.secrets:
                self._volumes_of_secret.setdefault(secret, set()).add(new.volume)

    def _count(self, vertex: Vertex, node: str, sign: int) -> None:
        counts = self._reach.setdefault(vertex, Counter())
        counts[node] += sign
        if counts[node] <= 0:
            del counts[node]
        if not counts:
            del self._reach[vertex]

    # Decisions ------------------------------------------------------------------------------------------

    def _related(self, node: str, attributes: Attributes) -> str:
        if not attributes.name:
            return "No Object name found"
        if self.reaches(node, attributes.resource, attributes.namespace, attributes.name):
            return ""
        return f"no relationship found between node '{node}' and this object"

    def _read(self, node: str, attributes: Attributes) -> str:
        if attributes.verb not in ("get", "list", "watch"):
            return "can only read resources of this type"
        if attributes.subresource:
            return "cannot read subresource"
        if not attributes.namespace:
            return "can only read namespaced object of this type"
        return self._related(node, attributes)

    def _get(self, node: str, attributes: Attributes) -> str:
        if attributes.verb != "get":
            return "can only get individual resources of this type"
        if attributes.subresource:
            return "cannot get subresource"
        return self._related(node, attributes)

    def _claim(self, node: str, attributes: Attributes) -> str:
        if attributes.subresource != "status":
            return self._get(node, attributes)
        if attributes.verb not in ("update", "patch"):
            return "can only get/update/patch this type"
        return self._related(node, attributes)

    def _token(self, node: str, attributes: Attributes) -> str:
        if attributes.verb == "get" and not attributes.subresource:
            return self._related(node, attributes)
        if attributes.verb != "create" or not attributes.name:
            return "can only create tokens for individual service accounts"
        if attributes.subresource != "token":
            return "can only create token subresource of serviceaccount"
        return self._related(node, attributes)

    def _lease(self, node: str, attributes: Attributes) -> str:
        if attributes.verb not in LEASE_VERBS:
            return "can only get, create, update, patch, or delete a node lease"
        if attributes.namespace != LEASE_NAMESPACE:
            return f'can only access leases in the "{LEASE_NAMESPACE}" system namespace'
        if attributes.verb != "create" and attributes.name != node:
            return "can only access node lease with the same name as the requesting node"
        return ""

    def _csi_node(self, node: str, attributes: Attributes) -> str:
        if attributes.verb not in LEASE_VERBS:
            return "can only get, create, update, patch, or delete a CSINode"
        if attributes.subresource:
            return "cannot authorize CSINode subresources"
        if attributes.verb != "create" and attributes.name != node:
            return "can only access CSINode with the same name as the requesting node"
        return ""

    def _node(self, node: str, attributes: Attributes) -> str:
        verb, subresource, name = attributes.verb, attributes.subresource, attributes.name
        if subresource == "status" and verb in ("update", "patch"):
            return ""
        if subresource:
            return NO_OPINION
        if verb in ("create", "update", "patch"):
            return ""  # the NodeRestriction admission plugin keeps it to its own object
        if verb not in ("get", "list", "watch"):
            return NO_OPINION
        if not name:
            return f"node '{node}' cannot read all nodes, only its own Node object"
        return "" if name == node else f"node '{node}' cannot read '{name}', only its own Node object"

    def _pod(self, node: str, attributes: Attributes) -> str:
        verb, subresource = attributes.verb, attributes.subresource
        if (subresource, verb) in _POD_WRITES:
            return ""  # the NodeRestriction admission plugin keeps it to pods of this node
        if subresource:
            return NO_OPINION
        if verb == "get":
            return self._get(node, attributes)
        if verb not in ("list", "watch"):
            return NO_OPINION
        if _selects(attributes.field_selector, "spec.nodeName", node):
            return ""
        if attributes.name:
            return self._related(node, attributes)
        return "can only list/watch pods with spec.nodeName field selector"

    def _slice(self, node: str, attributes: Attributes) -> str:
        if attributes.subresource:
            return "cannot authorize ResourceSlice subresources"
        if attributes.verb == "create":
            return ""
        if attributes.verb in ("get", "update", "patch", "delete"):
            return self._related(node, attributes)
        if _selects(attributes.field_selector, "nodeName", node):
            return ""
        return "can only list/watch/deletecollection resourceslices with nodeName field selector"


_POD_WRITES = frozenset(
    {("", "create"), ("", "delete"), ("status", "update"), ("status", "patch"), ("eviction", "create")}
)

_DIVIDED: dict[tuple[str, str], Callable[[NodeAuthorizer, str, Attributes], str]] = {
    ("", "secrets"): NodeAuthorizer._read,
    ("", "configmaps"): NodeAuthorizer._read,
    ("", "persistentvolumeclaims"): NodeAuthorizer._claim,
    ("", "persistentvolumes"): NodeAuthorizer._get,
    ("", "serviceaccounts"): NodeAuthorizer._token,
    ("", "nodes"): NodeAuthorizer._node,
    ("", "pods"): NodeAuthorizer._pod,
    ("coordination.k8s.io", "leases"): NodeAuthorizer._lease,
    ("resource.k8s.io", "resourceclaims"): NodeAuthorizer._get,
    ("resource.k8s.io", "resourceslices"): NodeAuthorizer._slice,
    ("storage.k8s.io", "csinodes"): NodeAuthorizer._csi_node,
    ("storage.k8s.io", "volumeattachments"): NodeAuthorizer._get,
}


def digest_pod(item: Item, old: PodReferences | None) -> PodReferences | None:
    """None for what is on no node yet: it has no node's name in it."""
    names = NODE_NAME.findall(item.raw)
    if not names:
        return None
    same = old is not None and old.known is not None and old.created == item.created
    if same and not any(mark in item.raw for mark in CHANGING):
        return old
    return PodReferences(item, frozenset(name.decode() for name in names))


def digest_attachment(attachment: Object, old: References | None) -> References | None:
    node = attachment["spec"].get("nodeName")
    vertex = ("volumeattachments", "", name_of(attachment))
    return References(node, frozenset((vertex,))) if node else None


def digest_volume(volume: Object, old: VolumeLinks | None) -> VolumeLinks | None:
    """None for a volume that no claim is bound to."""
    claim = volume["spec"].get("claimRef")
    if not claim:
        return None
    namespace = claim.get("namespace", "")
    return VolumeLinks(
        ("persistentvolumes", "", name_of(volume)),
        ("persistentvolumeclaims", namespace, claim.get("name", "")),
        tuple(_volume_secrets(volume["spec"], namespace)),
    )


def pod_references(pod: Object) -> References | None:
    """None for a pod that is on no node."""
    node = (pod.get("spec") or {}).get("nodeName")
    return References(node, frozenset(pod_vertices(pod))) if node else None


def pod_vertices(pod: Object) -> set[Vertex]:
    """What a node with this pod may read: the pod, and what its spec names. A mirror pod gives its node
    nothing, or a kubelet could reach any secret by making a pod that names it."""
    namespace, spec = namespace_of(pod), pod.get("spec") or {}
    found: set[Vertex] = {("pods", namespace, name_of(pod))}
    if MIRROR_ANNOTATION in annotations_of(pod):
        return found
    account = spec.get("serviceAccountName")
    if account:
        found.add(("serviceaccounts", namespace, account))
    found.update((kind, namespace, name) for kind, name in named(spec) if name)
    for volume in spec.get("volumes") or ():
        if "ephemeral" in volume:
            found.add(("persistentvolumeclaims", namespace, f"{name_of(pod)}-{volume['name']}"))
    found.update(("resourceclaims", namespace, name) for name in _claim_names(pod))
    return found


def _claim_names(pod: Object) -> list[str]:
    statuses = (pod.get("status") or {}).get("resourceClaimStatuses") or ()
    return [claim["resourceClaimName"] for claim in statuses if claim.get("resourceClaimName")]


def _volume_secrets(spec: dict[str, Any], namespace: str) -> Iterator[Vertex]:
    csi = spec.get("csi") or {}
    for field in ("nodePublishSecretRef", "nodeStageSecretRef", "nodeExpandSecretRef"):
        reference = csi.get(field)
        if reference:
            yield "secrets", reference.get("namespace") or namespace, reference.get("name", "")
    azure = spec.get("azureFile") or {}
    if azure.get("secretName"):
        yield "secrets", azure.get("secretNamespace") or namespace, azure["secretName"]
    for driver in ("flexVolume", "cephfs", "cinder", "rbd", "scaleIO", "iscsi", "storageos"):
        reference = (spec.get(driver) or {}).get("secretRef")
        if reference:
            yield "secrets", reference.get("namespace") or namespace, reference.get("name", "")


def _selects(field_selector: str, field: str, value: str) -> bool:
    """Whether the selector requires `field` to be exactly `value`."""
    return any(
        requirement.replace("==", "=").partition("=")[::2] == (field, value)
        for requirement in field_selector.split(",")
    )

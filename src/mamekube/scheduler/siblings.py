"""Which pods belong together: the services that select a pod, and the controller that owns it."""

from __future__ import annotations

from collections.abc import Mapping

from mamekube.client.informer import Cache, InformerFactory
from mamekube.objects import selectors
from mamekube.objects.meta import Object, labels_of, make_key, namespace_of, revision_of, uid_of
from mamekube.objects.owners import controller_of
from mamekube.objects.resource import Resource
from mamekube.objects.selectors import Selector
from mamekube.scheduler.spreading import siblings_selector

SERVICES = Resource(group="", version="v1", plural="services", kind="Service")
OWNERS: Mapping[str, Resource] = {
    "ReplicaSet": Resource(group="apps", version="v1", plural="replicasets", kind="ReplicaSet"),
    "StatefulSet": Resource(group="apps", version="v1", plural="statefulsets", kind="StatefulSet"),
    "ReplicationController": Resource(
        group="", version="v1", plural="replicationcontrollers", kind="ReplicationController"
    ),
}
SELECTORS_MAX = 4096


class Siblings:
    def __init__(self, informers: InformerFactory) -> None:
        self._services = informers.informer(
            SERVICES, indexes={"namespace": lambda obj: [namespace_of(obj)]}
        ).cache
        self._owners: dict[str, Cache] = {
            kind: informers.informer(resource).cache for kind, resource in OWNERS.items()
        }
        self._selectors: dict[tuple[str, str], Selector] = {}

    def of(self, pod: Object) -> Selector | None:
        """What selects the pod and its siblings; None for a pod that stands alone."""
        labels = labels_of(pod)
        services = [
            selector
            for service in self._services.by_index("namespace", namespace_of(pod))
            if (selector := (service.get("spec") or {}).get("selector"))
            and selector.items() <= labels.items()
        ]
        return siblings_selector(services, self._owner_selector(pod))

    def _owner_selector(self, pod: Object) -> Selector | None:
        reference = controller_of(pod)
        cache = self._owners.get(reference["kind"]) if reference is not None else None
        if reference is None or cache is None:
            return None
        owner = cache.get(make_key(namespace_of(pod), reference["name"]))
        if owner is None or uid_of(owner) != reference["uid"]:
            return None
        key = (reference["uid"], revision_of(owner))
        selector = self._selectors.get(key)
        if selector is None:
            if len(self._selectors) >= SELECTORS_MAX:
                self._selectors.clear()
            selector = self._selectors[key] = _selector(owner)
        return selector


def _selector(owner: Object) -> Selector:
    selector = (owner.get("spec") or {}).get("selector")
    if owner.get("kind") == "ReplicationController":
        return selectors.from_labels(selector)
    return selectors.from_label_selector(selector)

"""Classes that are chosen for whoever chose none, and finalizers that protect storage in use.

DefaultStorageClass, DefaultIngressClass, StorageObjectInUseProtection.
"""

from __future__ import annotations

from mamekube.apiserver import builtin
from mamekube.apiserver.admission.plugin import Plugin, forbidden
from mamekube.apiserver.writes import Reader, Write
from mamekube.objects.meta import Object, annotations_of, metadata, name_of
from mamekube.objects.resource import Resource

STORAGE_DEFAULT = "storageclass.kubernetes.io/is-default-class"
STORAGE_DEFAULT_BETA = "storageclass.beta.kubernetes.io/is-default-class"
STORAGE_CLASS_BETA = "volume.beta.kubernetes.io/storage-class"
INGRESS_DEFAULT = "ingressclass.kubernetes.io/is-default-class"
INGRESS_CLASS_ANNOTATION = "kubernetes.io/ingress.class"

PROTECTED = {
    "persistentvolumeclaims": "kubernetes.io/pvc-protection",
    "persistentvolumes": "kubernetes.io/pv-protection",
}


class DefaultStorageClass(Plugin):
    name = "DefaultStorageClass"
    resources = frozenset({"persistentvolumeclaims"})

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def mutate(self, write: Write) -> None:
        claim = write.object or {}
        spec = claim.setdefault("spec", {})
        # An empty name is a choice too: a volume without a class.
        if spec.get("storageClassName") is not None or STORAGE_CLASS_BETA in annotations_of(claim):
            return
        classes = await defaults_of(
            self._reader, builtin.STORAGE_CLASSES, STORAGE_DEFAULT, STORAGE_DEFAULT_BETA
        )
        if classes:
            spec["storageClassName"] = name_of(classes[0])


class DefaultIngressClass(Plugin):
    name = "DefaultIngressClass"
    resources = frozenset({"ingresses.networking.k8s.io"})

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def mutate(self, write: Write) -> None:
        ingress = write.object or {}
        spec = ingress.setdefault("spec", {})
        if spec.get("ingressClassName") is not None or INGRESS_CLASS_ANNOTATION in annotations_of(ingress):
            return
        classes = await defaults_of(self._reader, builtin.INGRESS_CLASSES, INGRESS_DEFAULT)
        if classes:
            spec["ingressClassName"] = name_of(classes[0])


class StorageObjectInUseProtection(Plugin):
    name = "StorageObjectInUseProtection"
    resources = frozenset(PROTECTED)

    async def mutate(self, write: Write) -> None:
        given = (write.object or {}).setdefault("metadata", {})
        finalizer = PROTECTED[write.kind.plural]
        if finalizer not in (given.get("finalizers") or ()):
            given["finalizers"] = [*(given.get("finalizers") or ()), finalizer]


class RuntimeClass(Plugin):
    """Pods take overhead and placement from their RuntimeClass."""

    name = "RuntimeClass"
    resources = frozenset({"pods"})

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def mutate(self, write: Write) -> None:
        spec = (write.object or {}).setdefault("spec", {})
        name = spec.get("runtimeClassName")
        if not name:
            return
        found = await self._reader.get(builtin.RUNTIME_CLASSES, name)
        if found is None:
            raise forbidden(write, f'pod rejected: RuntimeClass "{name}" not found')
        overhead = (found.get("overhead") or {}).get("podFixed")
        if overhead and spec.get("overhead") not in (None, {}, overhead):
            raise forbidden(
                write, "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead"
            )
        if overhead:
            spec["overhead"] = dict(overhead)
        _schedule(write, spec, found.get("scheduling") or {})

    async def validate(self, write: Write) -> None:
        spec = (write.object or {}).get("spec") or {}
        if spec.get("overhead") and not spec.get("runtimeClassName"):
            raise forbidden(
                write, "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead"
            )


def _schedule(write: Write, spec: Object, scheduling: Object) -> None:
    wanted, chosen = scheduling.get("nodeSelector") or {}, spec.get("nodeSelector") or {}
    for key, value in wanted.items():
        if chosen.get(key, value) != value:
            raise forbidden(
                write,
                f"conflict: runtimeClass.scheduling.nodeSelector[{key}] = {value}; "
                f"pod.spec.nodeSelector[{key}] = {chosen[key]}",
            )
    if wanted:
        spec["nodeSelector"] = {**chosen, **wanted}
    known = spec.get("tolerations") or []
    added = [toleration for toleration in scheduling.get("tolerations") or () if toleration not in known]
    if added:
        spec["tolerations"] = [*known, *map(dict, added)]


async def defaults_of(reader: Reader, resource: Resource, *annotations: str) -> list[Object]:
    """Classes marked as the default, the one to take first: the newest, then by name."""
    classes = [
        obj
        for obj in await reader.list(resource)
        if any(annotations_of(obj).get(annotation) == "true" for annotation in annotations)
    ]
    classes.sort(key=name_of)
    classes.sort(key=lambda obj: str(metadata(obj).get("creationTimestamp", "")), reverse=True)
    return classes

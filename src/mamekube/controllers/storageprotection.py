"""Claims and volumes that are deleted while somebody uses them wait until nobody does.

Admission gives every PersistentVolumeClaim and PersistentVolume a finalizer when it is made. These two controllers give
it to those that lack it, and take it from those that are being deleted and not used any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mamekube.controllers import pods as podfacts
from mamekube.controllers.resources import PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, PODS
from mamekube.controllers.runtime import Controller, Watch, itself
from mamekube.objects.meta import (
    Object,
    being_deleted,
    edited,
    has_finalizer,
    make_key,
    metadata,
    name_of,
    namespace_of,
    uid_of,
)
from mamekube.objects.owners import controller_of

CLAIM_FINALIZER = "kubernetes.io/pvc-protection"
VOLUME_FINALIZER = "kubernetes.io/pv-protection"
CLAIM = "claim"
"""The index of pods by the claims that they name."""


def claims_of(pod: Object) -> Iterator[str]:
    """Names of the claims that a pod mounts, and of those that are made for its ephemeral volumes."""
    for volume in (pod.get("spec") or {}).get("volumes") or ():
        if "persistentVolumeClaim" in volume:
            yield volume["persistentVolumeClaim"].get("claimName", "")
        elif "ephemeral" in volume:
            yield f"{name_of(pod)}-{volume['name']}"


def uses(pod: Object, claim: Object) -> bool:
    """Whether a kubelet may have the claim's volume mounted for the pod.

    A pod without a node does not count, as no kubelet starts one whose claim is being deleted; a finished one does, as
    long as it is there.
    """
    meta = metadata(pod)
    shut_down = being_deleted(pod) and meta.get("deletionGracePeriodSeconds") == 0
    if not podfacts.node_of(pod) or shut_down:
        return False
    owner = controller_of(claim)
    for volume in (pod.get("spec") or {}).get("volumes") or ():
        if volume.get("persistentVolumeClaim", {}).get("claimName") == name_of(claim):
            return True
        own = "ephemeral" in volume and f"{name_of(pod)}-{volume['name']}" == name_of(claim)
        if own and owner is not None and owner["uid"] == uid_of(pod):
            return True
    return False


def plan(obj: Object, finalizer: str, *, used: bool) -> Object | None:
    """The object with the finalizers it should have; None where it has them."""
    finalizers, there = list(metadata(obj).get("finalizers") or ()), has_finalizer(obj, finalizer)
    if being_deleted(obj):
        if not there or used:
            return None
        finalizers.remove(finalizer)
    elif there:
        return None
    else:
        finalizers.append(finalizer)
    return edited(obj, ("metadata", "finalizers"), finalizers)


def _claim_keys(controller: Controller, pod: Object) -> Iterable[str]:
    return [make_key(namespace_of(pod), name) for name in claims_of(pod)]


def _by_claim(pod: Object) -> Iterator[str]:
    yield from (make_key(namespace_of(pod), name) for name in claims_of(pod))


def _frees(old: Object, new: Object) -> bool:
    """Only a pod that goes, finishes or is shut down can end a claim's use."""
    return _way_out(old) != _way_out(new)


def _way_out(pod: Object) -> tuple[bool, bool, int | None]:
    grace_s = metadata(pod).get("deletionGracePeriodSeconds")
    return being_deleted(pod), podfacts.is_terminal(pod), grace_s


class ClaimProtectionController(Controller):
    """Duty: a PersistentVolumeClaim that is being deleted stays while a pod on a node uses it.

    Woken by claims, and by pods that name some.
    Invariant: before the finalizer goes, the API server itself has listed no pod that uses the claim.
    """

    name = "persistentvolumeclaim-protection-controller"
    account = "pvc-protection-controller"
    watches = (
        Watch(resource=PERSISTENT_VOLUME_CLAIMS, keys=itself),
        Watch(resource=PODS, keys=_claim_keys, matters=_frees, indexes={CLAIM: _by_claim}),
    )

    async def reconcile(self, key: str) -> float | None:
        claim = self.cache(PERSISTENT_VOLUME_CLAIMS).get(key)
        if claim is None:
            return None
        cached = self.cache(PODS).by_index(CLAIM, key)
        changed = plan(claim, CLAIM_FINALIZER, used=any(uses(pod, claim) for pod in cached))
        if changed is None:
            return None
        if being_deleted(claim):
            listed = await self.client.list(PODS, namespace=namespace_of(claim))
            if any(uses(pod, claim) for pod in listed.items):
                return None
        await self.client.update(PERSISTENT_VOLUME_CLAIMS, changed)
        return None


class VolumeProtectionController(Controller):
    """Duty: a PersistentVolume that is being deleted stays while it is bound to a claim.

    Woken by volumes.
    """

    name = "persistentvolume-protection-controller"
    account = "pv-protection-controller"
    watches = (Watch(resource=PERSISTENT_VOLUMES, keys=itself),)

    async def reconcile(self, key: str) -> float | None:
        volume = self.cache(PERSISTENT_VOLUMES).get(key)
        if volume is None:
            return None
        bound = (volume.get("status") or {}).get("phase") == "Bound"
        changed = plan(volume, VOLUME_FINALIZER, used=bound)
        if changed is not None:
            await self.client.update(PERSISTENT_VOLUMES, changed)
        return None

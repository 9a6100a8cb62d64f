"""The claims of a StatefulSet's pods: their names, what they are made of, and with whom they go. Pure.

Claims outlive pods, and by default everything. Where the set's `persistentVolumeClaimRetentionPolicy` says that they
go, it is by an owner that garbage collection follows: the set itself, or the pod that is too many.
"""

from __future__ import annotations

import copy
from typing import Any

from mamekube.controllers.adoption import typed_reference
from mamekube.controllers.resources import PODS, STATEFUL_SETS
from mamekube.objects.meta import Object, name_of, namespace_of, uid_of
from mamekube.objects.owners import controller_of, owners_of


def claim_name(stateful_set: Object, template: Object, ordinal: int) -> str:
    return f"{name_of(template)}-{name_of(stateful_set)}-{ordinal}"


def claim_names(stateful_set: Object, ordinal: int) -> list[str]:
    templates = stateful_set["spec"].get("volumeClaimTemplates") or ()
    return [claim_name(stateful_set, template, ordinal) for template in templates]


def claims_for(stateful_set: Object, ordinal: int) -> list[Object]:
    """The claims of one ordinal, which outlive its pods."""
    selected = (stateful_set["spec"].get("selector") or {}).get("matchLabels") or {}
    claims = []
    for template in stateful_set["spec"].get("volumeClaimTemplates") or ():
        claim = copy.deepcopy(template)
        described = claim.setdefault("metadata", {})
        described["name"] = claim_name(stateful_set, template, ordinal)
        described["namespace"] = namespace_of(stateful_set)
        described["labels"] = {**(described.get("labels") or {}), **selected}
        described.pop("creationTimestamp", None)
        claim.pop("status", None)
        claims.append({**claim, "apiVersion": "v1", "kind": "PersistentVolumeClaim"})
    return claims


def wanted_owners(
    claim: Object, stateful_set: Object, pod: Object, *, superfluous: bool
) -> list[dict[str, Any]]:
    """The claim's owners as the set's policy has them; `superfluous`: the pod is beyond the replicas.

    A claim that somebody else controls is nobody's here, and other owners stay.
    """
    policy = stateful_set["spec"].get("persistentVolumeClaimRetentionPolicy") or {}
    ours = {uid_of(stateful_set), uid_of(pod)}
    owners = [reference for reference in owners_of(claim) if reference["uid"] not in ours]
    if any(reference.get("controller") for reference in owners):
        return owners
    if superfluous and policy.get("whenScaled") == "Delete":
        return [*owners, typed_reference(PODS, pod)]
    if policy.get("whenDeleted") == "Delete":
        return [*owners, typed_reference(STATEFUL_SETS, stateful_set)]
    return owners


def goes_with_a_former_pod(claim: Object, pod_name: str) -> bool:
    """Whether it is about to be collected, with a pod of this name that is gone: a new pod has to wait for that."""
    owner = controller_of(claim)
    return owner is not None and owner["kind"] == PODS.kind and owner["name"] == pod_name

"""StatefulSets: pods with a number, a name and storage that stay theirs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from mamekube.controllers import history
from mamekube.controllers import pods as podfacts
from mamekube.controllers.adoption import claim_objects, typed_reference
from mamekube.controllers.podcontrol import namespace_terminating, pod_from_template
from mamekube.controllers.resources import (
    CONTROLLER_REVISIONS,
    PERSISTENT_VOLUME_CLAIMS,
    PODS,
    STATEFUL_SETS,
)
from mamekube.controllers.runtime import Controller, Watch, itself, nobody, owner
from mamekube.controllers.statefulset.claims import (
    claim_name,
    claim_names,
    claims_for,
    goes_with_a_former_pod,
    wanted_owners,
)
from mamekube.controllers.statefulset.plan import Plan, ordinal_of, ordinals, plan, revision_of, status
from mamekube.objects.meta import (
    Object,
    being_deleted,
    edited,
    key_of,
    make_key,
    name_of,
    namespace_of,
    uid_of,
)
from mamekube.objects.owners import owners_of
from mamekube.objects.selectors import from_label_selector
from mamekube.objects.status import StatusError, is_reason

POD_NAME_LABEL = "statefulset.kubernetes.io/pod-name"
INDEX_LABEL = "apps.kubernetes.io/pod-index"
REVISION_HASH_LABEL = "controller.kubernetes.io/hash"


class StatefulSetController(Controller):
    """Duty: keep pods `name-0`, `name-1`, … with their claims, created and replaced in order.

    Woken by StatefulSets, their pods and revisions.
    Invariants: there are never two pods of one ordinal, since the ordinal is the name; claims are never deleted
    here, only given to whom they go with; in order means that a pod waits until its predecessors are available.
    """

    name = "statefulset-controller"
    account = "statefulset-controller"
    watches = (
        Watch(resource=STATEFUL_SETS, keys=itself),
        Watch(resource=PODS, keys=owner("StatefulSet"), indexes=podfacts.POD_INDEXES),
        Watch(resource=CONTROLLER_REVISIONS, keys=owner("StatefulSet"), indexes=podfacts.OWNED_INDEXES),
        Watch(resource=PERSISTENT_VOLUME_CLAIMS, keys=nobody),
    )

    async def reconcile(self, key: str) -> float | None:
        stateful_set = self.cache(STATEFUL_SETS).get(key)
        if stateful_set is None or being_deleted(stateful_set):
            return None
        selector = from_label_selector(stateful_set["spec"].get("selector"))
        pods, revisions = await asyncio.gather(
            *(
                claim_objects(
                    self.client,
                    STATEFUL_SETS,
                    stateful_set,
                    resource=resource,
                    selector=selector,
                    candidates=[
                        obj
                        for obj in podfacts.owned_and_orphans(self.cache(resource), stateful_set, selector)
                        if resource != PODS or is_member(stateful_set, obj)
                    ],
                )
                for resource in (PODS, CONTROLLER_REVISIONS)
            )
        )
        update, collisions = await history.current_revision(
            self.client, STATEFUL_SETS, stateful_set, revisions, hash_label=REVISION_HASH_LABEL
        )
        known = (stateful_set.get("status") or {}).get("currentRevision")
        current = next((entry for entry in revisions if name_of(entry) == known), update)
        planned = plan(
            stateful_set,
            pods,
            current=name_of(current),
            update=name_of(update),
            now_s=self.clock.now(),
        )
        await self._own_claims(stateful_set, pods)
        await self._execute(stateful_set, planned, {name_of(entry): entry for entry in (current, update)})
        await self._clean_up(stateful_set, revisions, pods, live={name_of(current), name_of(update)})
        wanted = status(
            stateful_set,
            pods,
            current=name_of(current),
            update=name_of(update),
            collision_count=collisions,
            now_s=self.clock.now(),
        )
        if wanted != stateful_set.get("status"):
            await self.client.update(STATEFUL_SETS, {**stateful_set, "status": wanted}, subresource="status")
        return planned.again_s

    async def _execute(self, stateful_set: Object, planned: Plan, revisions: dict[str, Object]) -> None:
        for ordinal, revision in planned.create:
            await self._create(stateful_set, ordinal, revisions[revision])
        for pod in planned.recreating:
            kind = "failed" if podfacts.phase_of(pod) == "Failed" else "terminated"
            message = f"StatefulSet {key_of(stateful_set)} is recreating {kind} Pod {name_of(pod)}"
            self.record(stateful_set, f"Recreating{kind.capitalize()}Pod", message, warning=True)
        for pod in planned.delete:
            await self._delete(stateful_set, pod)

    async def _create(self, stateful_set: Object, ordinal: int, revision: Object) -> None:
        pod = pod_for(stateful_set, ordinal, revision)
        for claim in claims_for(stateful_set, ordinal):
            await self._claim(stateful_set, pod, claim)
        await self._record_step(
            "create",
            stateful_set,
            name_of(pod),
            self.client.create(PODS, pod, namespace=namespace_of(stateful_set)),
            harmless="AlreadyExists",
        )

    async def _delete(self, stateful_set: Object, pod: Object) -> None:
        step = self.client.delete(PODS, name_of(pod), namespace=namespace_of(pod), uid=uid_of(pod))
        await self._record_step("delete", stateful_set, name_of(pod), step, harmless="NotFound")

    async def _record_step(
        self, verb: str, stateful_set: Object, pod_name: str, step: Any, *, harmless: str
    ) -> None:
        subject = f"{verb} Pod {pod_name} in StatefulSet {name_of(stateful_set)}"
        try:
            await step
        except StatusError as error:
            if is_reason(error, harmless) or namespace_terminating(error):
                return
            message = f"{subject} failed error: {error}"
            self.record(stateful_set, f"Failed{verb.capitalize()}", message, warning=True)
            raise
        self.record(stateful_set, f"Successful{verb.capitalize()}", f"{subject} successful")

    async def _own_claims(self, stateful_set: Object, pods: Sequence[Object]) -> None:
        """Before any pod goes, see to it that its claims stay or go with it, as the set's policy says."""
        wanted = ordinals(stateful_set)
        for pod in pods:
            ordinal = ordinal_of(pod)
            assert ordinal is not None, "no member of the set"
            for name in claim_names(stateful_set, ordinal):
                claim = self.cache(PERSISTENT_VOLUME_CLAIMS).get(make_key(namespace_of(pod), name))
                if claim is None or being_deleted(claim):
                    continue
                owners = wanted_owners(claim, stateful_set, pod, superfluous=ordinal not in wanted)
                if owners != owners_of(claim):
                    owned = edited(claim, ("metadata", "ownerReferences"), owners or None)
                    await self.client.update(PERSISTENT_VOLUME_CLAIMS, owned)

    async def _claim(self, stateful_set: Object, pod: Object, claim: Object) -> None:
        present = self.cache(PERSISTENT_VOLUME_CLAIMS).get(key_of(claim))
        if present is not None:
            if being_deleted(present) or goes_with_a_former_pod(present, name_of(pod)):
                raise StatusError(409, "Conflict", f"pvc {name_of(claim)} is being deleted")
            return
        what = f"create Claim {name_of(claim)} Pod {name_of(pod)} in StatefulSet {name_of(stateful_set)}"
        try:
            await self.client.create(PERSISTENT_VOLUME_CLAIMS, claim, namespace=namespace_of(stateful_set))
        except StatusError as error:
            if is_reason(error, "AlreadyExists"):
                return
            self.record(stateful_set, "FailedCreate", f"{what} failed error: {error}", warning=True)
            raise
        self.record(stateful_set, "SuccessfulCreate", f"{what} success")

    async def _clean_up(
        self,
        stateful_set: Object,
        revisions: Sequence[Object],
        pods: Sequence[Object],
        *,
        live: set[str],
    ) -> None:
        used = live | {revision_of(pod) for pod in pods}
        limit = stateful_set["spec"].get("revisionHistoryLimit", 10)
        await history.clean_up(self.client, history.to_clean_up(revisions, live=used, limit=limit))


def is_member(stateful_set: Object, pod: Object) -> bool:
    """Named like one of its pods: others are neither adopted nor counted."""
    return name_of(pod).rpartition("-")[0] == name_of(stateful_set) and ordinal_of(pod) is not None


def pod_for(stateful_set: Object, ordinal: int, revision: Object) -> Object:
    """The pod of one ordinal, made from the template that the revision keeps."""
    template = {key: value for key, value in revision["data"]["spec"]["template"].items() if key != "$patch"}
    pod = pod_from_template(template, stateful_set, typed_reference(STATEFUL_SETS, stateful_set))
    name = f"{name_of(stateful_set)}-{ordinal}"
    described = pod["metadata"]
    described.pop("generateName", None)
    described["name"] = name
    described["labels"] = {
        **described.get("labels", {}),
        POD_NAME_LABEL: name,
        INDEX_LABEL: str(ordinal),
        history.HASH_LABEL: name_of(revision),
    }
    spec = pod["spec"] = {**pod["spec"], "hostname": name}
    if stateful_set["spec"].get("serviceName"):
        spec["subdomain"] = stateful_set["spec"]["serviceName"]
    templates = stateful_set["spec"].get("volumeClaimTemplates") or ()
    claimed = [
        {
            "name": name_of(entry),
            "persistentVolumeClaim": {"claimName": claim_name(stateful_set, entry, ordinal)},
        }
        for entry in templates
    ]
    replaced = {volume["name"] for volume in claimed}
    kept = [volume for volume in spec.get("volumes") or () if volume["name"] not in replaced]
    if claimed or kept:
        spec["volumes"] = claimed + kept
    return pod

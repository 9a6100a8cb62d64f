"""Deployments: ReplicaSets of each revision of a template, and the way from one to the next."""

from __future__ import annotations

from collections.abc import Iterable

from mamekube.controllers import pods as podfacts
from mamekube.controllers.adoption import claim_objects, typed_reference
from mamekube.controllers.deployment import progress, sizes
from mamekube.controllers.deployment.plan import Plan, plan
from mamekube.controllers.podcontrol import namespace_terminating
from mamekube.controllers.resources import DEPLOYMENTS, PODS, REPLICA_SETS
from mamekube.controllers.runtime import Controller, Watch, itself, owner
from mamekube.controllers.templates import same_template
from mamekube.objects import conditions
from mamekube.objects.meta import (
    Object,
    annotations_of,
    being_deleted,
    edited,
    key_of,
    labels_of,
    make_key,
    name_of,
    namespace_of,
    revision_of,
    uid_of,
)
from mamekube.objects.owners import controller_of
from mamekube.objects.selectors import from_label_selector
from mamekube.objects.status import StatusError, is_reason

_owner = owner("Deployment")


def _owner_or_selector(controller: Controller, replica_set: Object) -> Iterable[str]:
    """The owner; of an orphan every Deployment that selects it, since it may adopt."""
    if controller_of(replica_set) is not None:
        yield from _owner(controller, replica_set)
        return
    if being_deleted(replica_set):
        return
    labels = labels_of(replica_set)
    for deployment in controller.cache(DEPLOYMENTS).list(namespace=namespace_of(replica_set)):
        if labels and from_label_selector(deployment["spec"].get("selector")).matches(labels):
            yield key_of(deployment)


def _waiting_for_pods(controller: Controller, pod: Object) -> Iterable[str]:
    """A Deployment of strategy Recreate waits until the last old pod is gone; no other cares for pods."""
    reference = controller_of(pod)
    if reference is None or reference.get("kind") != "ReplicaSet":
        return
    replica_set = controller.cache(REPLICA_SETS).get(make_key(namespace_of(pod), reference["name"]))
    if replica_set is None:
        return
    for key in _owner(controller, replica_set):
        deployment = controller.cache(DEPLOYMENTS).get(key)
        if deployment is not None and not sizes.is_rolling(deployment):
            yield key


class DeploymentController(Controller):
    """Duty: keep one ReplicaSet per revision of the template, and move pods to the newest one within the limits
    of the strategy; report how far that is.

    Woken by Deployments and their ReplicaSets; by pods only where the strategy is Recreate.
    Invariants: at no time do the ReplicaSets together want more than replicas + maxSurge pods, except where
    the Deployment was shrunk meanwhile; available pods are given up only while enough others are available.
    """

    name = "deployment-controller"
    account = "deployment-controller"
    watches = (
        Watch(resource=DEPLOYMENTS, keys=itself),
        Watch(resource=REPLICA_SETS, keys=_owner_or_selector, indexes=podfacts.OWNED_INDEXES),
        Watch(
            resource=PODS,
            keys=_waiting_for_pods,
            matters=lambda old, new: False,
            indexes=podfacts.POD_INDEXES,
        ),
    )

    async def reconcile(self, key: str) -> float | None:
        deployment = self.cache(DEPLOYMENTS).get(key)
        if deployment is None:
            return None
        selector = from_label_selector(deployment["spec"].get("selector"))
        replica_sets = await claim_objects(
            self.client,
            DEPLOYMENTS,
            deployment,
            resource=REPLICA_SETS,
            selector=selector,
            candidates=podfacts.owned_and_orphans(self.cache(REPLICA_SETS), deployment, selector),
        )
        pods = self.cache(PODS)
        planned = plan(
            deployment,
            replica_sets,
            pods_of=lambda replica_set: pods.by_index(podfacts.OWNER, uid_of(replica_set)),
            now_s=self.clock.now(),
            now=self.clock.timestamp(),
        )
        await self._execute(deployment, planned)
        return progress.deadline_in_s(deployment, planned.status, now_s=self.clock.now())

    async def _execute(self, deployment: Object, planned: Plan) -> None:
        revisions: dict[str, str] = {}
        for step in planned.steps:
            if step.before is None:
                written = await self._create(deployment, step.after)
                if written is None:
                    return
            else:
                after = step.after
                known = revisions.get(name_of(after))
                if known is not None:
                    after = edited(after, ("metadata", "resourceVersion"), known)
                written = await self.client.update(REPLICA_SETS, after)
            revisions[name_of(written)] = revision_of(written)
            if step.event:
                self.record(deployment, "ScalingReplicaSet", step.event)
        for replica_set in planned.delete:
            await self._delete(replica_set)
        await self._write(deployment, {**planned.deployment, "status": planned.status})

    async def _create(self, deployment: Object, replica_set: Object) -> Object | None:
        """None where the namespace is going away, and nothing of this plan can succeed."""
        reference = typed_reference(DEPLOYMENTS, deployment)
        wanted = edited(replica_set, ("metadata", "ownerReferences"), [reference])
        try:
            return await self.client.create(REPLICA_SETS, wanted, namespace=namespace_of(deployment))
        except StatusError as error:
            if namespace_terminating(error):
                return None
            if is_reason(error, "AlreadyExists"):
                await self._note_collision(deployment, wanted)
            else:
                await self._note_failure(deployment, wanted, error)
            raise

    async def _note_collision(self, deployment: Object, wanted: Object) -> None:
        """Another template has this hash: count the collision, so that the next try gets another name.

        If it is our own ReplicaSet of this template, the cache is merely behind, and the next try will see it.
        """
        live = await self.client.get(REPLICA_SETS, name_of(wanted), namespace=namespace_of(wanted))
        reference = controller_of(live) or {}
        ours = reference.get("uid") == uid_of(deployment)
        if ours and same_template(live["spec"]["template"], wanted["spec"]["template"]):
            return
        count = (deployment.get("status") or {}).get("collisionCount") or 0
        await self._write(deployment, edited(deployment, ("status", "collisionCount"), count + 1))

    async def _note_failure(self, deployment: Object, wanted: Object, error: StatusError) -> None:
        reason = "ReplicaSetCreateError"
        message = f"Failed to create new replica set {progress.quoted(name_of(wanted))}: {error}"
        if progress.has_deadline(deployment):
            known = progress.with_condition(
                conditions.conditions_of(deployment),
                progress.PROGRESSING,
                "False",
                reason=reason,
                message=message,
                now=self.clock.timestamp(),
            )
            await self._write(deployment, edited(deployment, ("status", "conditions"), known))
        self.record(deployment, reason, message, warning=True)

    async def _delete(self, replica_set: Object) -> None:
        try:
            await self.client.delete(
                REPLICA_SETS,
                name_of(replica_set),
                namespace=namespace_of(replica_set),
                uid=uid_of(replica_set),
            )
        except StatusError as error:
            if not is_reason(error, "NotFound"):
                raise

    async def _write(self, before: Object, after: Object) -> None:
        """Status and annotations in one write, if anything changed."""
        same_annotations = annotations_of(before) == annotations_of(after)
        if same_annotations and before.get("status") == after["status"]:
            return
        await self.client.update(DEPLOYMENTS, after, subresource="status")

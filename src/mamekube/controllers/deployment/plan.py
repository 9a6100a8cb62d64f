"""What to do next for one Deployment: observed objects in, steps and a status out. Pure.

One pass of upstream's `syncDeployment` as a plan: the steps are in the order in which they must happen, and each
already assumes that those before it succeeded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from mamekube.controllers import pods as podfacts
from mamekube.controllers.deployment import progress, revisions, sizes
from mamekube.controllers.deployment.progress import Conditions, Status, quoted
from mamekube.objects import conditions
from mamekube.objects.meta import Object, annotations_of, being_deleted, edited, name_of


@dataclass(frozen=True, slots=True)
class Step:
    """Create `after` (no `before`), or bring `before` to `after`. `event` is recorded when it is done."""

    before: Object | None
    after: Object
    event: str = ""


@dataclass(slots=True)
class Plan:
    """Steps, then deletions, then `deployment` with `status` is written if it differs from what was observed."""

    deployment: Object
    status: Status = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    delete: list[Object] = field(default_factory=list)


PodsOf = Callable[[Object], Iterable[Object]]


def plan(
    deployment: Object,
    replica_sets: Sequence[Object],
    *,
    pods_of: PodsOf = lambda replica_set: (),
    now_s: float,
    now: str,
) -> Plan:
    """`replica_sets` are those the Deployment owns; `pods_of` answers the pods of one of them."""
    planner = _Planner(deployment, replica_sets, pods_of=pods_of, now_s=now_s, now=now)
    planner.decide()
    return planner.result


class _Planner:
    """The observed world, changed step by step as the plan goes."""

    def __init__(
        self,
        deployment: Object,
        replica_sets: Sequence[Object],
        *,
        pods_of: PodsOf,
        now_s: float,
        now: str,
    ) -> None:
        self.result = Plan(deployment)
        self.pods_of = pods_of
        self.now_s, self.now = now_s, now
        self.new = revisions.find_new(deployment, replica_sets)
        self.old = revisions.by_creation(
            replica_set for replica_set in replica_sets if replica_set is not self.new
        )

    @property
    def deployment(self) -> Object:
        return self.result.deployment

    @property
    def all(self) -> list[Object]:
        return [*self.old, *([self.new] if self.new is not None else [])]

    def decide(self) -> None:
        if being_deleted(self.deployment):
            self._conclude(rollout=False)
            return
        self._note_pause()
        paused = bool(self.deployment["spec"].get("paused"))
        if paused or self._is_scaling():
            self._update_new()
            self._scale()
            if paused:
                self._clean_up()
            self._conclude(rollout=False)
        elif sizes.is_rolling(self.deployment):
            self._roll()
        else:
            self._recreate()

    # Strategies -------------------------------------------------------------------------------------

    def _roll(self) -> None:
        """Grow the new one; only when it need not grow shrink the old ones; only when done clean up."""
        self._update_new()
        if self.new is None:
            self._create_new()
        assert self.new is not None
        if not self._grow_new() and not self._shrink_old():
            self._clean_up_if_complete()
        self._conclude(rollout=True)

    def _grow_new(self) -> bool:
        assert self.new is not None
        desired, current = sizes.desired_replicas(self.deployment), sizes.desired_replicas(self.new)
        if current == desired:
            return False
        size = desired if current > desired else sizes.new_size(self.deployment, self.all, current)
        return self._resize(self.new, size)

    def _shrink_old(self) -> bool:
        assert self.new is not None
        active = sizes.active(self.old)
        shrunk = False
        for name, steps in sizes.old_sizes(self.deployment, active, self.new).items():
            for size in steps:
                replica_set = next(entry for entry in self.old if name_of(entry) == name)
                shrunk |= self._resize(replica_set, size)
        return shrunk

    def _recreate(self) -> None:
        """First no old pods are wanted, then none exist, and only then are new ones wanted."""
        self._update_new()
        shrunk = False
        for replica_set in sizes.active(self.old):
            shrunk |= self._resize(replica_set, 0)
        if not shrunk and not self._old_pods_running():
            if self.new is None:
                self._create_new()
            assert self.new is not None
            self._resize(self.new, sizes.desired_replicas(self.deployment))
            self._clean_up_if_complete()
        self._conclude(rollout=True)

    def _old_pods_running(self) -> bool:
        if any((replica_set.get("status") or {}).get("replicas") for replica_set in self.old):
            return True
        return any(
            not podfacts.is_terminal(pod) for replica_set in self.old for pod in self.pods_of(replica_set)
        )

    def _scale(self) -> None:
        """Follow a change of `spec.replicas`, without any step of a rollout."""
        desired = sizes.desired_replicas(self.deployment)
        active = sizes.active(self.all)
        if len(active) <= 1:
            latest = active[0] if active else self.new or (self.old[-1] if self.old else None)
            if latest is not None and sizes.desired_replicas(latest) != desired:
                self._resize(latest, desired)
            return
        annotated = _annotated_desired(self.new) if self.new is not None else None
        if progress.is_saturated(self.deployment, self.new, annotated_desired=annotated):
            for replica_set in sizes.active(self.old):
                self._resize(replica_set, 0)
        elif sizes.is_rolling(self.deployment):
            wanted = sizes.proportional_sizes(self.deployment, active)
            for replica_set in active:
                self._resize(replica_set, wanted[name_of(replica_set)], always=True)

    # Single changes ---------------------------------------------------------------------------------

    def _create_new(self) -> None:
        deployment = self.deployment
        revision = revisions.max_revision(self.old) + 1
        size = sizes.new_size(deployment, self.old, 0)
        self.new = new = revisions.new_replica_set(deployment, revision=revision, replicas=size)
        event = f"Scaled up replica set {name_of(new)} from 0 to {size}" if size > 0 else ""
        self.result.steps.append(Step(None, new, event))
        self._set_revision(str(revision))
        if progress.has_deadline(deployment):
            message = f"Created new replica set {quoted(name_of(new))}"
            self._set_progressing("True", "NewReplicaSetCreated", message)

    def _update_new(self) -> None:
        """Bring the annotations and minReadySeconds of the new ReplicaSet up to date, where there is one."""
        if self.new is None:
            return
        revision = revisions.max_revision(self.old) + 1
        before = self.new
        annotations = revisions.annotated(self.deployment, annotations_of(before), revision=revision)
        after = before
        if annotations != annotations_of(before):
            after = edited(after, ("metadata", "annotations"), annotations)
        min_ready_s = self.deployment["spec"].get("minReadySeconds") or None
        if min_ready_s != (before["spec"].get("minReadySeconds") or None):
            after = edited(after, ("spec", "minReadySeconds"), min_ready_s)
        if after is not before:
            self.result.steps.append(Step(before, after))
            self.new = after
        self._set_revision(annotations.get(revisions.REVISION, ""))
        known = conditions.conditions_of(self.deployment)
        if progress.has_deadline(self.deployment) and conditions.find(known, progress.PROGRESSING) is None:
            message = f"Found new replica set {quoted(name_of(self.new))}"
            self._set_progressing("True", "FoundNewReplicaSet", message)

    def _resize(self, replica_set: Object, size: int, *, always: bool = False) -> bool:
        """Set the size, and with it what the Deployment wanted; `always`: the latter also alone."""
        before = sizes.desired_replicas(replica_set)
        if size == before and not always:
            return False
        wanted = {**annotations_of(replica_set), **revisions.size_annotations(self.deployment)}
        if size == before and wanted == annotations_of(replica_set):
            return False
        after = edited(edited(replica_set, ("metadata", "annotations"), wanted), ("spec", "replicas"), size)
        direction = "up" if size > before else "down"
        event = f"Scaled {direction} replica set {name_of(after)} from {before} to {size}"
        self.result.steps.append(Step(replica_set, after, event if size != before else ""))
        if replica_set is self.new:
            self.new = after
        else:
            self.old = [after if known is replica_set else known for known in self.old]
        return size != before

    def _set_revision(self, revision: str) -> None:
        if annotations_of(self.deployment).get(revisions.REVISION) != revision:
            annotations = {**annotations_of(self.deployment), revisions.REVISION: revision}
            self.result.deployment = edited(self.deployment, ("metadata", "annotations"), annotations)

    def _set_progressing(self, status: str, reason: str, message: str) -> None:
        known: Conditions = progress.with_condition(
            conditions.conditions_of(self.deployment),
            progress.PROGRESSING,
            status,
            reason=reason,
            message=message,
            now=self.now,
        )
        self.result.deployment = edited(self.deployment, ("status", "conditions"), known)

    def _note_pause(self) -> None:
        """A paused Deployment makes no progress and is not to be blamed for it."""
        if not progress.has_deadline(self.deployment):
            return
        known = conditions.conditions_of(self.deployment)
        current = conditions.find(known, progress.PROGRESSING) or {}
        if current.get("reason") == progress.TIMED_OUT:
            return
        was_paused = current.get("reason") == progress.PAUSED
        paused = bool(self.deployment["spec"].get("paused"))
        if paused and not was_paused:
            self._set_progressing("Unknown", progress.PAUSED, "Deployment is paused")
        elif was_paused and not paused:
            self._set_progressing("Unknown", progress.RESUMED, "Deployment is resumed")

    def _is_scaling(self) -> bool:
        """An active ReplicaSet was sized for another number of replicas than is wanted now."""
        desired = sizes.desired_replicas(self.deployment)
        known = (_annotated_desired(replica_set) for replica_set in sizes.active(self.all))
        return any(number is not None and number != desired for number in known)

    def _clean_up_if_complete(self) -> None:
        if progress.is_complete(self.deployment, self.deployment.get("status") or {}):
            self._clean_up()

    def _clean_up(self) -> None:
        self.result.delete = revisions.to_clean_up(self.deployment, self.old)

    def _conclude(self, *, rollout: bool) -> None:
        if rollout:
            self.result.status = progress.rollout_status(
                self.deployment, self.all, self.new, now_s=self.now_s, now=self.now
            )
        else:
            self.result.status = progress.counts(self.deployment, self.all, self.new, now=self.now)


def _annotated_desired(replica_set: Object) -> int | None:
    try:
        return int(annotations_of(replica_set)[revisions.DESIRED_REPLICAS])
    except (KeyError, ValueError):
        return None

"""Priority: a pod's priority comes from its PriorityClass, and at most one class is the default."""

from __future__ import annotations

from typing import Any

from mamekube.apiserver import builtin
from mamekube.apiserver.admission.plugin import CREATE_AND_UPDATE, Plugin, forbidden
from mamekube.apiserver.writes import CREATE, Reader, Write
from mamekube.objects.meta import Object, name_of

PREEMPT = "PreemptLowerPriority"


class Priority(Plugin):
    name = "Priority"
    operations = CREATE_AND_UPDATE
    resources = frozenset({"pods", "priorityclasses.scheduling.k8s.io"})

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def mutate(self, write: Write) -> None:
        if write.kind.plural != "pods":
            return
        spec: dict[str, Any] = (write.object or {}).setdefault("spec", {})
        if write.operation != CREATE:
            old = (write.old or {}).get("spec") or {}
            for field in ("priority", "preemptionPolicy"):
                if spec.get(field) is None and old.get(field) is not None:
                    spec[field] = old[field]
            return
        found = await self._class_of(write, spec)
        value, policy = (found["value"], found.get("preemptionPolicy") or PREEMPT) if found else (0, PREEMPT)
        if found:
            spec["priorityClassName"] = name_of(found)
        if spec.get("priority") not in (None, value):
            raise forbidden(
                write,
                f"the integer value of priority ({spec['priority']}) must not be provided in pod spec; "
                f"priority admission controller computed {value} from the given PriorityClass name",
            )
        if spec.get("preemptionPolicy") not in (None, policy):
            raise forbidden(
                write,
                f"the string value of PreemptionPolicy ({spec['preemptionPolicy']}) must not be provided in "
                f"pod spec; priority admission controller computed {policy} from the given PriorityClass name",
            )
        spec["priority"], spec["preemptionPolicy"] = value, policy

    async def validate(self, write: Write) -> None:
        obj = write.object or {}
        if write.kind.plural != "priorityclasses" or not obj.get("globalDefault"):
            return
        other = await self._default()
        if other is not None and name_of(other) != name_of(obj):
            raise forbidden(
                write,
                f"PriorityClass {name_of(other)} is already marked as default. Only one default can exist",
            )

    async def _class_of(self, write: Write, spec: dict[str, Any]) -> Object | None:
        name = spec.get("priorityClassName")
        if not name:
            return await self._default()
        found = await self._reader.get(builtin.PRIORITY_CLASSES, name)
        if found is None:
            raise forbidden(write, f"no PriorityClass with name {name} was found")
        return found

    async def _default(self) -> Object | None:
        """The default class; of several, which a race can leave, the one with the lowest value."""
        classes = await self._reader.list(builtin.PRIORITY_CLASSES)
        defaults = [obj for obj in classes if obj.get("globalDefault")]
        return min(defaults, key=lambda obj: int(obj["value"]), default=None)

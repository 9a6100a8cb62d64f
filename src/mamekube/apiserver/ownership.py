"""metadata.managedFields on the write path: which manager is told of which fields."""

from __future__ import annotations

from functools import cache, partial
from typing import Any

from mamekube.apiserver import versions
from mamekube.apiserver.formats.fieldvalidation import schema_of
from mamekube.apiserver.objectmeta import timestamp
from mamekube.apiserver.options import WriteOptions
from mamekube.foundation import sidetrack
from mamekube.foundation.clock import Clock
from mamekube.kinds.kind import FieldPath, Kind
from mamekube.objects.meta import Object
from mamekube.objects.patches import managed_fields
from mamekube.objects.schema import definitions
from mamekube.objects.status import bad_request


def note_create(new: Object, kind: Kind, options: WriteOptions, *, clock: Clock) -> Object:
    """`new` with its managed fields as they are after this create by `options.field_manager`."""
    return managed_fields.finished(_noted(None, new, kind, options, clock=clock, subresource=""))


async def note(
    old: Object,
    new: Object,
    kind: Kind,
    options: WriteOptions,
    *,
    clock: Clock,
    find: versions.Find,
    subresource: str = "",
    heavy_bytes: int = 0,
) -> Object:
    """The same after an update of `old`. `heavy_bytes`: where that is so much that it is done beside the loop."""
    steps = _noted(old, new, kind, options, clock=clock, subresource=subresource)
    return await _converting(steps, kind, find, heavy_bytes=heavy_bytes)


def keep_valid(obj: Object, before: Any, warnings: list[str]) -> None:
    """Managed fields that admission broke are again what they were."""
    meta = obj["metadata"]
    problem = managed_fields.problem_with(meta.get("managedFields") or [])
    if not problem:
        return
    if before is None:
        del meta["managedFields"]
    else:
        meta["managedFields"] = before
    warnings.append(BROKEN.format(problem=problem))


BROKEN = (
    ".metadata.managedFields was in an invalid state after admission; this could be caused by an outdated mutating "
    "admission controller; please fix your requests: {problem}"
)


def _noted(
    old: Object | None, new: Object, kind: Kind, options: WriteOptions, *, clock: Clock, subresource: str
) -> managed_fields.Steps[Object]:
    return managed_fields.track_update(
        old,
        new,
        schema_of(kind),
        manager=options.field_manager,
        time=timestamp(clock),
        subresource=subresource,
        ignored=_ignored(kind, subresource),
    )


async def apply(
    old: Object | None,
    patch: Object,
    kind: Kind,
    options: WriteOptions,
    *,
    clock: Clock,
    find: versions.Find,
    subresource: str = "",
    heavy_bytes: int = 0,
) -> Object:
    """The object that server-side apply makes of `old`, its managed fields noted. Raises 400, 409."""
    version = patch.get("apiVersion") or ""
    if version != kind.api_version:
        raise bad_request(
            "Incorrect version specified in apply patch. "
            f"Specified patch version: {version}, expected: {kind.api_version}"
        )
    steps = managed_fields.apply_patch(
        old,
        patch,
        schema_of(kind),
        manager=options.field_manager,
        force=options.force,
        time=timestamp(clock),
        subresource=subresource,
        ignored=_ignored(kind, subresource),
    )
    return await _converting(steps, kind, find, heavy_bytes=heavy_bytes)


async def _converting(
    steps: managed_fields.Steps[Object], kind: Kind, find: versions.Find, *, heavy_bytes: int
) -> Object:
    """Run the steps, and convert what they want to see in other versions. Raises what a webhook makes of it."""
    view = None
    while True:
        step = partial(_step, steps, view)
        wanted = await sidetrack.run(step, size_bytes=heavy_bytes)
        if not isinstance(wanted, managed_fields.Wanted):
            return wanted
        found = await versions.converted(kind, wanted.objects, wanted.api_version, find)
        view = managed_fields.View(*found) if found is not None else None


def _step(
    steps: managed_fields.Steps[Object], view: managed_fields.View | None
) -> managed_fields.Wanted | Object:
    """What they want next, or what they come to."""
    try:
        return steps.send(view)
    except StopIteration as done:
        result: Object = done.value
        return result


POD_PARTS = {
    "ephemeralcontainers": frozenset({"ephemeralContainers"}),
    "resize": frozenset({"containers", "initContainers", "resources"}),
}
"""The parts of a pod's spec that are written with these subresources, which write nothing else."""


@cache
def _all_of_a_pod_but(parts: frozenset[str]) -> tuple[FieldPath, ...]:
    fields = definitions()["io.k8s.api.core.v1.PodSpec"]["properties"]
    return ("metadata",), ("status",), *(("spec", name) for name in fields if name not in parts)


def _ignored(kind: Kind, subresource: str) -> tuple[FieldPath, ...]:
    """What this way of writing cannot change, and so not own."""
    if subresource == "status":
        return (("spec",), *kind.status_resets)
    if subresource in POD_PARTS:
        return _all_of_a_pod_but(POD_PARTS[subresource])
    if subresource == "approval":
        return (("spec",), ("status", "certificate"))
    return (*((("status",),) if kind.has_status else ()), *kind.resets) if not subresource else ()

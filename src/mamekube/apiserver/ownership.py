"""metadata.managedFields on the write path: which manager is told of which fields."""

from __future__ import annotations

from mamekube.apiserver import versions
from mamekube.apiserver.formats.fieldvalidation import schema_of
from mamekube.apiserver.objectmeta import timestamp
from mamekube.apiserver.options import WriteOptions
from mamekube.foundation.clock import Clock
from mamekube.kinds.kind import Kind
from mamekube.objects.meta import Object
from mamekube.objects.patches import managed_fields
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
) -> Object:
    """The same after an update of `old`."""
    steps = _noted(old, new, kind, options, clock=clock, subresource=subresource)
    return await _converting(steps, kind, find)


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
    return await _converting(steps, kind, find)


async def _converting(steps: managed_fields.Steps[Object], kind: Kind, find: versions.Find) -> Object:
    """Run the steps, and convert what they want to see in other versions. Raises what a webhook makes of it."""
    view = None
    try:
        while True:
            wanted = steps.send(view)
            found = await versions.converted(kind, wanted.objects, wanted.api_version, find)
            view = managed_fields.View(*found) if found is not None else None
    except StopIteration as done:
        result: Object = done.value
        return result


def _ignored(kind: Kind, subresource: str) -> tuple[tuple[str, ...], ...]:
    """What this way of writing cannot change, and so not own."""
    if subresource == "status":
        return (("spec",),)
    return (("status",),) if kind.has_status and not subresource else ()

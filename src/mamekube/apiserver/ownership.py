"""metadata.managedFields on the write path: which manager is told of which fields."""

from __future__ import annotations

from mamekube.apiserver.fieldvalidation import schema_of
from mamekube.apiserver.objectmeta import timestamp
from mamekube.apiserver.options import WriteOptions
from mamekube.foundation.clock import Clock
from mamekube.kinds.kind import Kind
from mamekube.objects.meta import Object
from mamekube.objects.patches import managed_fields


def note(
    old: Object | None, new: Object, kind: Kind, options: WriteOptions, *, clock: Clock, subresource: str = ""
) -> Object:
    """`new` with its managed fields as they are after this create or update by `options.field_manager`."""
    return managed_fields.track_update(
        old,
        new,
        schema_of(kind),
        manager=options.field_manager,
        time=timestamp(clock),
        subresource=subresource,
        ignored=_ignored(kind, subresource),
    )


def apply(
    old: Object | None,
    patch: Object,
    kind: Kind,
    options: WriteOptions,
    *,
    clock: Clock,
    subresource: str = "",
) -> Object:
    """The object that server-side apply makes of `old`, its managed fields noted. Raises 400, 409."""
    return managed_fields.apply_patch(
        old,
        patch,
        schema_of(kind),
        manager=options.field_manager,
        force=options.force,
        time=timestamp(clock),
        subresource=subresource,
        ignored=_ignored(kind, subresource),
    )


def _ignored(kind: Kind, subresource: str) -> tuple[tuple[str, ...], ...]:
    """What this way of writing cannot change, and so not own."""
    if subresource == "status":
        return (("spec",),)
    return (("status",),) if kind.has_status and not subresource else ()

"""Create, get, update and patch, for every kind alike.

Order of a write, as upstream's: read the body, default it, note the field's owners, mutating admission, prepare,
validate, validating admission, store. An update that loses a race is made again from what is there now, unless
the client named the resourceVersion it started from.

Nothing here knows a kind by name, or speaks HTTP.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import orjson

from mamekube.apiserver import objectmeta, ownership, races, strategy, upstreamkeys
from mamekube.apiserver.admission.chain import Admission
from mamekube.apiserver.documents import Answer, Document, Made
from mamekube.apiserver.formats import codec
from mamekube.apiserver.formats.fieldvalidation import of_another_kind
from mamekube.apiserver.options import WriteOptions, parse_revision
from mamekube.apiserver.request import Request
from mamekube.apiserver.strategy import Strategy
from mamekube.apiserver.versions import Find, converts, shown, storage_key, stored
from mamekube.apiserver.writes import CREATE, UPDATE, Write
from mamekube.foundation import sidetrack, slices
from mamekube.foundation.clock import Clock
from mamekube.kinds.kind import Kind
from mamekube.objects import fielderrors, status
from mamekube.objects.fielderrors import FieldError
from mamekube.objects.meta import Object, being_deleted, metadata
from mamekube.objects.resource import Resource
from mamekube.objects.status import StatusError, bad_request
from mamekube.store.backend import KeyExists
from mamekube.store.store import Item, Store

NAME_TRIES_MAX = 8
"""Of a create with generateName whose name was taken. Upstream: maxNameGenerationCreateAttempts."""

Change = Callable[[Object | None], Object]
"""The object as it is (read-only, None where there is none) -> the object as it shall be, a fresh copy.

The version of `metadata.resourceVersion` in it is the condition of the write; none means unconditional.
"""
SlowChange = Callable[[Object | None], Awaitable[Object]]
"""One that may have to wait for a conversion."""


class Resources:
    """The write path of every kind."""

    def __init__(self, store: Store, admission: Admission, clock: Clock, find_kind: Find) -> None:
        self.store = store
        self.clock = clock
        self.find_kind = find_kind
        self._admission = admission

    # Reading ------------------------------------------------------------------------------------

    async def get(self, kind: Kind, namespace: str, name: str) -> Document:
        """Raises 404."""
        item = self._current(kind, namespace, name)
        return await shown(kind, item) if converts(kind) else item

    async def find(self, kind: Kind, namespace: str, name: str) -> Item:
        """As it is stored. Raises 404."""
        return self._current(kind, namespace, name)

    def _current(self, kind: Kind, namespace: str, name: str) -> Item:
        item = self.store.current(storage_key(kind, namespace, name))
        if item is None:
            raise status.not_found(kind, name)
        return item

    # Creating -----------------------------------------------------------------------------------

    async def create(
        self,
        request: Request,
        kind: Kind,
        obj: Object,
        options: WriteOptions,
        *,
        creating: Callable[[], None] | None = None,
    ) -> Answer:
        """Store `obj`, which is the request's own. Raises 400, 403, 409, 422; `creating` as for `update`."""
        begin = partial(self._begin, request, kind, obj, options)
        obj = await sidetrack.run(begin, size_bytes=request.heavy_bytes)
        write = self._write(CREATE, request, kind, obj, options)
        await self._mutate(write)
        return Answer(await self._create(write, options, creating=creating), 201, kind)

    def _begin(self, request: Request, kind: Kind, obj: Object, options: WriteOptions) -> Object:
        """The object with its defaults, and who owns what in it."""
        check_identity(kind, obj, namespace=request.namespace, name=request.name)
        objectmeta.wipe_system_fields(obj["metadata"])
        kind.default(obj)
        objectmeta.drop_repeated_owners(obj, request.warnings)
        return ownership.note_create(obj, kind, options, clock=self.clock)

    async def _create(
        self, write: Write, options: WriteOptions, *, creating: Callable[[], None] | None
    ) -> Document:
        kind, obj = write.kind, write.object
        assert obj is not None
        objectmeta.drop_repeated_owners(obj, write.warnings, after_admission=True)
        meta = obj["metadata"]
        generated = not meta.get("name") and bool(meta.get("generateName"))
        if generated:
            meta["name"] = objectmeta.generate_name(meta["generateName"])
        self._fill_system_fields(kind, obj)
        if kind.has_status and not (kind.keeps_first_status and obj.get("status")):
            obj["status"] = {}
        await sidetrack.run(partial(kind.prepare_create, obj), size_bytes=write.heavy_bytes)
        errors = await _checked(
            lambda: objectmeta.validate(kind, obj) + kind.validate(obj) + kind.validate_create(obj),
            write.heavy_bytes,
        )
        if errors:
            raise await _invalid(kind, meta.get("name", ""), errors, write.heavy_bytes)
        write.name = meta["name"]
        warn = partial(kind.warnings, obj, None)
        write.warnings.extend(await sidetrack.run(warn, size_bytes=write.heavy_bytes))
        if creating is not None:
            creating()
        await self._admission.validate(write)
        if options.dry_run:
            return await self._pretend_create(kind, obj)
        if creating is None and revision_of(obj):
            raise StatusError(500, "", "resourceVersion should not be set on objects to be created")
        for attempt in range(NAME_TRIES_MAX):
            key = storage_key(kind, write.namespace, meta["name"])
            try:
                item = await self.store.create(key=key, obj=await stored(kind, obj))
            except KeyExists:
                if not generated or attempt + 1 == NAME_TRIES_MAX:
                    raise _taken(kind, obj, self.store.current(key)) from None
                meta["name"] = objectmeta.generate_name(meta["generateName"])
            else:
                return await shown(kind, item)
        raise AssertionError("the last attempt returns or raises")

    async def _pretend_create(self, kind: Kind, obj: Object) -> Document:
        meta = obj["metadata"]
        there = await self.store.get(key=storage_key(kind, meta.get("namespace", ""), meta["name"]))
        if there is not None:
            raise _taken(kind, obj, there)
        return Made(obj)

    def _fill_system_fields(self, kind: Kind, obj: Object) -> None:
        meta = obj["metadata"]
        meta["uid"] = objectmeta.make_uid()
        meta["creationTimestamp"] = objectmeta.timestamp(self.clock)
        if kind.counts_generation:
            meta["generation"] = 1

    # Updating -----------------------------------------------------------------------------------

    async def update(
        self,
        request: Request,
        kind: Kind,
        change: Change | SlowChange,
        options: WriteOptions,
        *,
        rules: Strategy = strategy.WHOLE,
        creating: Callable[[], None] | None = None,
        applied: bool = False,
        retries: bool = True,
    ) -> Answer:
        """Replace the object that the request names by what `change` makes of it. Raises 404, 409, 422, …

        `creating`: where there is none, `change(None)` is created, unless this raises 403. `applied`: `change`
        notes the fields' owners itself, as server-side apply does.
        """
        key = storage_key(kind, request.namespace, request.name)
        for _ in range(races.TRIES_MAX):
            item = await self.store.get(key=key)
            if item is None:
                if creating is None:
                    raise status.not_found(kind, request.name)
                new = await _made(change, None, request.heavy_bytes)
                return await self._create_by_update(
                    request, kind, new, options, applied=applied, creating=creating
                )
            request.note_size(len(item.raw))
            old = (await shown(kind, item)).object
            try:
                new = await _made(change, old, request.heavy_bytes)
                return await self._update(
                    request, kind, item, old, new, options, rules=rules, applied=applied
                )
            except races.LOST as lost:
                if not retries:
                    break
                await races.settled(self.store, lost)
        raise status.conflict(kind, request.name)

    async def _create_by_update(
        self,
        request: Request,
        kind: Kind,
        obj: Object,
        options: WriteOptions,
        *,
        applied: bool,
        creating: Callable[[], None],
    ) -> Answer:
        uid = obj.get("metadata", {}).get("uid")
        if uid and applied:
            why = f"uid mismatch: the provided object specified uid {uid}, and no existing object was found"
            raise status.conflict(kind, request.name, why)
        if uid:
            raise _another_uid(kind, request.namespace, request.name, wanted=uid, found="")
        if applied:
            check_identity(kind, obj, namespace=request.namespace, name=request.name)
            objectmeta.wipe_system_fields(obj["metadata"])
            await sidetrack.run(partial(kind.default, obj), size_bytes=request.heavy_bytes)
            write = self._write(CREATE, request, kind, obj, options)
            await self._mutate(write)
            return Answer(await self._create(write, options, creating=creating), 201, kind)
        return await self.create(request, kind, obj, options, creating=creating)

    async def _update(
        self,
        request: Request,
        kind: Kind,
        item: Item,
        old: Object,
        new: Object,
        options: WriteOptions,
        *,
        rules: Strategy,
        applied: bool,
    ) -> Answer:
        check_identity(kind, new, namespace=request.namespace, name=request.name)
        if request.verb == "update":
            _check_uid(kind, new, old)
        await sidetrack.run(partial(kind.default, new), size_bytes=request.heavy_bytes)
        if request.verb == "update":
            objectmeta.drop_repeated_owners(new, request.warnings)
        if not applied:
            new = await ownership.note(
                old,
                new,
                kind,
                options,
                clock=self.clock,
                find=self.find_kind,
                subresource=rules.subresource,
                heavy_bytes=request.heavy_bytes,
            )
        write = self._write(UPDATE, request, kind, new, options, old=old, subresource=rules.subresource)
        new = await self._mutate(write)
        objectmeta.drop_repeated_owners(new, write.warnings, after_admission=True)
        _check_revision(kind, new, old)
        strategy.prepare_update(rules, kind, new, old, now_s=self.clock.now())
        errors = await _checked(lambda: strategy.validate_update(rules, kind, new, old), write.heavy_bytes)
        if errors:
            raise await _invalid(kind, request.name, errors, write.heavy_bytes)
        warn = partial(rules.warnings, kind, new, old)
        write.warnings.extend(await sidetrack.run(warn, size_bytes=write.heavy_bytes))
        await self._admission.validate(write)
        if options.dry_run:
            return Answer(Made(new if strategy.differs(new, old) else old), 200, kind)
        return Answer(await shown(kind, await self._store_update(write, item, new, old)), 200, kind)

    async def _mutate(self, write: Write) -> Object:
        """What mutating admission makes of the object."""
        assert write.object is not None
        before = write.object["metadata"].get("managedFields")
        await self._admission.mutate(write)
        if write.object["metadata"].get("managedFields") is not before:
            ownership.keep_valid(write.object, before, write.warnings)
        return write.object

    async def _store_update(self, write: Write, item: Item, new: Object, old: Object) -> Item:
        if removes_last_finalizer(write.kind, new, old):
            last = await stored(write.kind, new)
            return await self.store.delete(key=item.key, expected=item.revision, last=last)
        obj = await stored(write.kind, new)
        if not strategy.differs(obj, item.object):
            return item
        return await self.store.update(key=item.key, obj=obj, expected=item.revision)

    def _write(
        self,
        operation: str,
        request: Request,
        kind: Kind,
        obj: Object,
        options: WriteOptions,
        *,
        old: Object | None = None,
        subresource: str = "",
    ) -> Write:
        return Write(
            operation=operation,
            kind=kind,
            subresource=subresource,
            namespace=obj["metadata"].get("namespace", ""),
            name=obj["metadata"].get("name", ""),
            object=obj,
            old=old,
            user=request.user,
            verb=request.verb,
            dry_run=options.dry_run,
            options=_options_object(operation, options),
            warnings=request.warnings,
            waits=request.waits,
            heavy_bytes=request.heavy_bytes,
        )


async def _checked(validate: Callable[[], list[FieldError]], heavy_bytes: int) -> list[FieldError]:
    """The errors that are found. Rules of a definition may take long for the smallest object."""
    if heavy_bytes:
        return await sidetrack.run(validate, size_bytes=heavy_bytes)
    return await slices.run(validate)


async def _invalid(kind: Kind, name: str, errors: list[FieldError], heavy_bytes: int) -> StatusError:
    """The refusal, which says a hundred thousand errors where there are so many."""
    return await sidetrack.run(partial(status.invalid, kind, name, errors), size_bytes=heavy_bytes)


async def _made(change: Change | SlowChange, old: Object | None, heavy_bytes: int) -> Object:
    made = await sidetrack.run(lambda: change(old), size_bytes=heavy_bytes)
    return made if isinstance(made, dict) else await made


def fresh(obj: Object) -> Object:
    """A copy that shares nothing with `obj`."""
    copy: Object = codec.loads(orjson.dumps(obj))
    return copy


def check_identity(kind: Kind, obj: Object, *, namespace: str, name: str) -> None:
    """Check that the object is of this kind and belongs where it was sent; fill in what it leaves out. Raises 400."""
    api_version = obj.setdefault("apiVersion", kind.api_version) or kind.api_version
    found_kind = obj.setdefault("kind", kind.kind) or kind.kind
    if api_version != kind.api_version:
        raise bad_request(
            f"the API version in the data ({api_version}) does not match the expected API version ({kind.api_version})"
        )
    if found_kind != kind.kind and not isinstance(kind.schema, str):
        # Upstream finds no Go type that the object could not be, and judges the kind with the other fields.
        said = Resource(group=kind.group, version=kind.version, plural=kind.plural, kind=found_kind)
        wrong = fielderrors.invalid("kind", found_kind, f"must be {kind.kind}")
        raise status.invalid(said, (obj.get("metadata") or {}).get("name") or name, [wrong])
    if found_kind != kind.kind:
        raise of_another_kind(kind, api_version, found_kind)
    obj["apiVersion"], obj["kind"] = api_version, found_kind
    meta = obj.get("metadata")
    if meta is None:
        meta = obj["metadata"] = {}
    if not kind.namespaced:
        # Whoever writes manifests for one namespace may have put it into all of them.
        meta.pop("namespace", None)
    elif not meta.get("namespace"):
        meta["namespace"] = namespace
    elif meta["namespace"] != namespace:
        raise bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    if name and not meta.get("name"):
        meta["name"] = name
    elif name and meta["name"] != name:
        raise bad_request(
            f"the name of the object ({meta['name']}) does not match the name on the URL ({name})"
        )


def removes_last_finalizer(kind: Kind, new: Object, old: Object) -> bool:
    """Whether the update is the last thing that an object under deletion was waiting for."""
    if not being_deleted(old) or metadata(new).get("finalizers"):
        return False
    if metadata(old).get("deletionGracePeriodSeconds"):
        return False
    return not (kind.group_resource == "namespaces" and (new.get("spec") or {}).get("finalizers"))


NO_REVISION = 'strconv.ParseUint: parsing "{}": invalid syntax'


def revision_of(obj: Object) -> int | None:
    """Which version the object says it was made from: 0 for none, None for what is no version."""
    text: str = (obj.get("metadata") or {}).get("resourceVersion") or ""
    try:
        return parse_revision(text)
    except StatusError:
        return None


def _check_uid(kind: Kind, new: Object, old: Object) -> None:
    """An update is of the very object whose uid it names. Raises 409."""
    meta = new["metadata"]
    wanted, found = meta.get("uid"), metadata(old).get("uid", "")
    if wanted and wanted != found:
        raise _another_uid(kind, meta.get("namespace", ""), meta["name"], wanted=wanted, found=found)


def _check_revision(kind: Kind, new: Object, old: Object) -> None:
    """The resourceVersion that an update names must be that of what is there. Raises 409, 422, 500."""
    meta, found = new["metadata"], metadata(old).get("resourceVersion")
    wanted = meta.get("resourceVersion")
    if wanted and wanted == found:
        return
    revision = revision_of(new)
    if revision is None:
        raise StatusError(500, "", NO_REVISION.format(wanted))
    if revision:
        raise status.conflict(kind, meta["name"])
    if not strategy.allows_unconditional_update(kind):
        error = fielderrors.invalid("metadata.resourceVersion", 0, "must be specified for an update")
        # Upstream puts the plural where the kind belongs, here alone.
        named = Resource(group=kind.group, version=kind.version, plural=kind.plural, kind=kind.plural)
        raise status.invalid(named, meta["name"], [error])
    meta["resourceVersion"] = found


def _another_uid(kind: Kind, namespace: str, name: str, *, wanted: str, found: str) -> StatusError:
    return upstreamkeys.precondition_failed(
        kind, "UID", namespace=namespace, name=name, wanted=wanted, found=found
    )


def _taken(kind: Kind, obj: Object, there: Item | None) -> StatusError:
    error = status.already_exists(kind, obj["metadata"]["name"])
    if obj["metadata"].get("generateName"):
        error.message += ", the server was not able to generate a unique name for the object"
        error.details["retryAfterSeconds"] = 1
    if there is not None and being_deleted(there.object):
        error.message = f"object is being deleted: {error.message}"
    return error


def _options_object(operation: str, options: WriteOptions) -> dict[str, Any]:
    kind = "CreateOptions" if operation == CREATE else "UpdateOptions"
    return {"kind": kind, "apiVersion": "meta.k8s.io/v1", **(options.asked or {})}

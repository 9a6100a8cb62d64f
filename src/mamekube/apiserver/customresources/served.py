"""Follows CustomResourceDefinitions, and serves what they define.

With every change of a definition, and before anybody is told that it is established, its kinds are put into the
registry, from which routes follow. Then its status is written, and when that is stored discovery and OpenAPI list
them. A definition that is deleted keeps a finalizer until its objects are gone, and its kinds go with it; so do the
watches of any kind that is replaced or removed, since they went by what it was.

Invariants: `_served` holds what is in the registry, by the definition's name. `_definitions` are the objects as of
the last event, `_names` what each was given. Nothing is served in a version that built-in kinds are served in, nor
where built-in objects are stored, and those are never deleted with a definition.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Mapping
from typing import Any

import orjson

from mamekube.apiserver.admission.chain import Admission
from mamekube.apiserver.customresources import naming
from mamekube.apiserver.customresources.conversion_webhook import ConversionWebhook
from mamekube.apiserver.customresources.definition import Definition
from mamekube.apiserver.deletion import Deletion
from mamekube.apiserver.options import DeleteOptions, ListOptions
from mamekube.apiserver.request import Request, User
from mamekube.apiserver.versions import storage_prefix
from mamekube.apiserver.webhook_client import WebhookClient
from mamekube.apiserver.writes import key_for, prefix_for
from mamekube.foundation.clock import Clock
from mamekube.foundation.lifecycle import Component
from mamekube.foundation.workqueue import WorkQueue
from mamekube.kinds.apiextensions.customresourcedefinitions import CLEANUP, KIND
from mamekube.kinds.kind import Kind
from mamekube.kinds.registry import Registry
from mamekube.objects.conditions import is_true
from mamekube.objects.meta import Object, being_deleted, edited, has_finalizer, metadata, name_of, uid_of
from mamekube.objects.status import StatusError
from mamekube.store.backend import Compacted, KeyMissing, RevisionMismatch, StoreError, WatchLost
from mamekube.store.store import Item, Store

CLEANUP_USER = User("system:apiserver", ("system:masters",))
DELETING = "CustomResource deletion is in progress"

log = logging.getLogger(__name__)


class CustomResources(Component):
    """Runs as long as the API server does."""

    def __init__(self, store: Store, registry: Registry, webhooks: WebhookClient, clock: Clock) -> None:
        super().__init__()
        self._store = store
        self._registry = registry
        self._webhooks = webhooks
        self._clock = clock
        self._prefix = prefix_for(KIND)
        self._definitions: dict[str, Object] = {}
        self._served: dict[str, tuple[bytes, Definition]] = {}
        self._queue: WorkQueue[str] = WorkQueue()
        self._names: dict[str, naming.Names] = {}
        self._cleaning: set[str] = set()
        self._released: set[str] = set()
        """Uids of definitions that are going this moment. What is still told of them brings nothing back."""
        # The definition's deletion was admitted; that of its objects is a part of it.
        self._deletion = Deletion(store, Admission(()), clock)

    async def start(self) -> None:
        revision = await self._fill()
        self.spawn(self._follow(revision), name="customresources-follow")
        self.spawn(self._work(), name="customresources-status")

    # Following ----------------------------------------------------------------------------------

    async def _follow(self, revision: int) -> None:
        while True:
            try:
                async with self._store.watch(prefix=self._prefix, after=revision) as batches:
                    async for batch in batches:
                        for event in batch:
                            revision = event.revision
                            self._note(event.item, gone=event.type == "DELETED")
            except (WatchLost, Compacted):
                revision = await self._fill()

    async def _fill(self) -> int:
        snapshot = await self._store.list(prefix=self._prefix)
        present = {name_of(item.object) for item in snapshot.items}
        for name in [name for name in self._definitions if name not in present]:
            self._forget(name)
        for item in snapshot.items:
            self._definitions[name_of(item.object)] = item.object
        for item in snapshot.items:
            self._note(item, gone=False)
        return snapshot.revision

    def _note(self, item: Item, *, gone: bool) -> None:
        name = name_of(item.object)
        if gone:
            self._forget(name)
            return
        definition = self._definitions[name] = item.object
        self._serve(name, definition)
        if self._status(definition) != (definition.get("status") or {}) or awaits_cleanup(definition):
            self._queue.add(name)

    def _forget(self, name: str) -> None:
        gone = self._definitions.pop(name, None)
        self._names.pop(name, None)
        self._withdraw(name)
        if gone is None:
            return
        self._released.discard(uid_of(gone))
        for other, definition in self._definitions.items():
            # What was taken may be free now.
            if definition["spec"]["group"] == gone["spec"]["group"]:
                self._serve(other, definition)
                self._queue.add(other)

    # Serving ------------------------------------------------------------------------------------

    def _status(self, definition: Object) -> dict[str, Any]:
        others = (
            self._names.get(name) or naming.accepted(other)
            for name, other in self._definitions.items()
            if name != name_of(definition) and other["spec"]["group"] == definition["spec"]["group"]
        )
        return naming.status_of(definition, naming.Taken.by(others), now=self._clock.timestamp())

    def _serve(self, name: str, definition: Object) -> None:
        status = self._status(definition)
        names = self._names[name] = status["acceptedNames"]
        if not is_true({"status": status}, "Established"):
            self._withdraw(name)
            return
        if uid_of(definition) in self._released:
            return
        creates = not naming.is_terminating(definition)
        spec = definition["spec"]
        identity = orjson.dumps([spec, names, creates], option=orjson.OPT_SORT_KEYS)
        listed = is_true(definition, "Established")
        served = self._served.get(name)
        if served is not None and served[0] == identity:
            self._register(served[1], listed=listed)
            return
        self._withdraw(name)
        try:
            made = Definition(spec, names, creates=creates, webhook=self._webhook)
        except (AttributeError, KeyError, StopIteration, TypeError, ValueError) as error:
            # It was stored by a server with other rules; nothing else is to suffer from it.
            log.error("customresourcedefinition %s cannot be served: %r", name, error)
            return
        self._served[name] = (identity, made)
        self._register(made, listed=listed)

    def _register(self, made: Definition, *, listed: bool) -> None:
        for kind in made.kinds:
            if not self._registry.is_builtin_version(kind.group, kind.version) and not self._overlaps(kind):
                self._registry.add(kind, listed=listed)

    def _overlaps(self, kind: Kind) -> bool:
        """Whether its objects would stand where those of a built-in kind do."""
        return self._registry.is_builtin_resource(kind.group, kind.plural)

    def _withdraw(self, name: str) -> None:
        served = self._served.pop(name, None)
        if served is None:
            return
        for kind in served[1].kinds:
            if self._registry.find(kind.group, kind.version, kind.plural) is kind:
                self._registry.remove(kind)
        served[1].lifetime.end()

    def _webhook(self, webhook: Mapping[str, Any]) -> ConversionWebhook:
        return ConversionWebhook(webhook, self._webhooks)

    # Status and cleaning up ---------------------------------------------------------------------

    async def _work(self) -> None:
        while True:
            name = await self._queue.take()
            try:
                await self._reconcile(name)
                self._queue.forget(name)
            except (RevisionMismatch, KeyMissing):
                pass  # Its next event brings it back.
            except StoreError as error:
                log.warning("customresourcedefinition %s: %s", name, error)
                self._queue.retry(name)
            finally:
                self._queue.done(name)

    async def _reconcile(self, name: str) -> None:
        item = await self._store.get(key=key_for(KIND, name=name))
        if item is None:
            return
        status = self._status(item.object)
        if status != (item.object.get("status") or {}):
            await self._write(item, status)
        elif awaits_cleanup(item.object) and name not in self._cleaning:
            self._cleaning.add(name)
            self.spawn(self._clean_up(name), name=f"customresources-cleanup {name}")

    async def _write(self, item: Item, status: dict[str, Any]) -> Item:
        new = {**item.object, "status": status}
        return await self._store.update(key=item.key, obj=new, expected=item.revision)

    async def _clean_up(self, name: str) -> None:
        """Delete all objects of a definition, and let it go."""
        try:
            await self._terminating(name, "True", "InstanceDeletionInProgress", DELETING)
            served = self._served.get(name)
            if served is not None and not self._overlaps(served[1].stored):
                kind = served[1].stored
                request = Request(method="DELETE", path="", verb="deletecollection", user=CLEANUP_USER)
                await self._deletion.delete_collection(request, kind, ListOptions(), DeleteOptions())
                await self._emptied(storage_prefix(kind))
            await self._release(name)
            self._queue.forget(name)
        except KeyMissing:
            pass
        except RevisionMismatch:
            self._queue.retry(name)
        except (StoreError, StatusError) as error:
            log.warning("customresourcedefinition %s: its objects cannot be deleted: %s", name, error)
            self._queue.retry(name)
        finally:
            self._cleaning.discard(name)

    async def _terminating(self, name: str, status: str, reason: str, message: str) -> None:
        item = await self._store.get(key=key_for(KIND, name=name))
        if item is None:
            return
        now = self._clock.timestamp()
        conditions = naming.terminating(item.object, status, reason, message, now=now)
        await self._write(item, {**(item.object.get("status") or {}), "conditions": conditions})

    async def _emptied(self, prefix: str) -> None:
        """Return when nothing is left: what has finalizers goes in its own time."""
        while True:
            snapshot = await self._store.list(prefix=prefix)
            if not snapshot.items:
                return
            with contextlib.suppress(WatchLost, Compacted):
                async with self._store.watch(prefix=prefix, after=snapshot.revision) as batches:
                    await anext(batches)

    async def _release(self, name: str) -> None:
        item = await self._store.get(key=key_for(KIND, name=name))
        if item is None or not awaits_cleanup(item.object):
            return
        now = self._clock.timestamp()
        conditions = naming.terminating(
            item.object, "False", "InstanceDeletionCompleted", "removed all instances", now=now
        )
        left = [finalizer for finalizer in metadata(item.object)["finalizers"] if finalizer != CLEANUP]
        new = edited(item.object, ("metadata", "finalizers"), left or None)
        new = edited(new, ("status", "conditions"), conditions)
        if left:
            await self._store.update(key=item.key, obj=new, expected=item.revision)
        else:
            # Whoever sees it gone finds nothing served any more.
            self._withdraw(name)
            self._released.add(uid_of(item.object))
            try:
                await self._store.delete(key=item.key, expected=item.revision, last=new)
            except BaseException:
                self._released.discard(uid_of(item.object))
                if name in self._definitions:
                    self._serve(name, self._definitions[name])
                raise


def awaits_cleanup(definition: Object) -> bool:
    return being_deleted(definition) and has_finalizer(definition, CLEANUP)

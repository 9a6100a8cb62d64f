"""MutatingAdmissionWebhook and ValidatingAdmissionWebhook: writes are shown to outside code.

Mutating webhooks are called one after the other, in the order of their configurations' names, each seeing what those
before it made of the object. Validating ones are called all at once. Nobody is asked about the registrations of
webhooks and policies themselves, or a bad one could not be removed.

Upstream calls a mutating webhook with `reinvocationPolicy: IfNeeded` a second time when the object changed after it
had seen it; the chain makes the second pass, `Passes` says who is called in it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial

from mamekube.apiserver import builtin
from mamekube.apiserver.access.authorization import Authorizer
from mamekube.apiserver.admission import webhook_review
from mamekube.apiserver.admission.matching import ExpressionFailed, bindings_of
from mamekube.apiserver.admission.plugin import Plugin, forbidden
from mamekube.apiserver.admission.webhook_counts import CALL_FAILED, NO_ERROR, CallCount
from mamekube.apiserver.admission.webhook_records import Webhook, Webhooks
from mamekube.apiserver.admission.webhook_review import InvalidResponse, Verdict, View
from mamekube.apiserver.auditing import audit
from mamekube.apiserver.dialing import Dialer
from mamekube.apiserver.documents import Made
from mamekube.apiserver.formats import fieldvalidation
from mamekube.apiserver.objectmeta import make_uid
from mamekube.apiserver.request import time_left_s
from mamekube.apiserver.resources import check_identity, fresh
from mamekube.apiserver.subresources.scale import scale_of
from mamekube.apiserver.versions import shown, stored
from mamekube.apiserver.webhook_client import CallError, WebhookClient
from mamekube.apiserver.writes import CONNECT, CREATE, DELETE, UPDATE, Reader, Write
from mamekube.foundation import sidetrack, slices
from mamekube.foundation.lifecycle import Component
from mamekube.foundation.limits import HEAVY_BYTES
from mamekube.kinds.kind import Kind
from mamekube.objects import status
from mamekube.objects.meta import Object, edited, same
from mamekube.objects.patches import json_patch
from mamekube.objects.status import StatusError
from mamekube.store.store import Store

log = logging.getLogger(__name__)

ALL_OPERATIONS = frozenset({CREATE, UPDATE, DELETE, CONNECT})
EXEMPT_GROUP = "admissionregistration.k8s.io"
"""Registrations of webhooks and policies are never shown to any."""


class FailedCall(Exception):
    """A webhook could not be asked. The text is upstream's."""

    def __init__(self, webhook: Webhook, reason: object) -> None:
        super().__init__(f'failed calling webhook "{webhook.name}": {reason}')


@dataclass(slots=True)
class Passes:
    """What the first pass of mutating webhooks or policies leaves for the second."""

    called: set[str] = field(default_factory=set)
    """Those to call again if the object changes."""
    again: set[str] = field(default_factory=set)
    """Those to call in the second pass."""
    output: Object | None = None
    """The object when the last webhook had seen it."""

    def object_changed(self) -> None:
        self.again |= self.called
        self.called = set()


class AdmissionWebhooks(Component):
    """What both plugins work with."""

    def __init__(self, store: Store, dialer: Dialer) -> None:
        super().__init__()
        self.client = WebhookClient(store, dialer)
        self.mutating = Webhooks(store, builtin.MUTATING_WEBHOOKS)
        self.validating = Webhooks(store, builtin.VALIDATING_WEBHOOKS)
        self._stack = AsyncExitStack()

    async def start(self) -> None:
        for part in (self.client, self.mutating, self.validating):
            await self._stack.enter_async_context(part)

    async def stop(self) -> None:
        await self._stack.aclose()


class _WebhookPlugin(Plugin):
    operations = ALL_OPERATIONS
    counted_as = ""
    """What metrics call it."""

    def __init__(
        self, webhooks: Webhooks, client: WebhookClient, reader: Reader, authorizer: Authorizer
    ) -> None:
        self._webhooks = webhooks
        self._client = client
        self._counts = client.counts
        self._reader = reader
        self._authorizer = authorizer

    @property
    def idle(self) -> bool:
        return not self._webhooks.all

    def wants(self, operation: str, target: str) -> bool:
        return super().wants(operation, target) and not target.partition("/")[0].endswith("." + EXEMPT_GROUP)

    async def _view(self, webhook: Webhook, write: Write) -> View | None:
        """How the webhook sees the write, None where it does not want to. Raises 403, 404."""
        kind = await webhook.constraints.kind_for(write, self._reader)
        if kind is None:
            return None
        seen = await view(write, kind)
        if webhook.conditions is None:
            return seen
        try:
            bindings = bindings_of(write, seen, authorizer=self._authorizer)
            holds = await slices.run(partial(webhook.conditions.hold, bindings))
        except ExpressionFailed as error:
            if not webhook.fails:
                return None
            log.warning("Failed evaluating match conditions, failing closed %s: %s", webhook.name, error)
            raise forbidden(write, str(error)) from None
        return seen if holds else None

    async def _ask(self, webhook: Webhook, write: Write, seen: View, *, mutating: bool) -> Verdict:
        """Raises FailedCall, and 400 for a dry run that the webhook does not support."""
        if write.dry_run and not webhook.dry_runs:
            raise status.bad_request(f'admission webhook "{webhook.name}" does not support dry run')
        if not webhook.versions:
            raise FailedCall(webhook, "webhook does not accept known AdmissionReview versions (v1, v1beta1)")
        began_s = time.perf_counter()
        rejected, code = webhook.fails, 0
        try:
            verdict = await self._post(webhook, write, seen, mutating=mutating)
            rejected, code = not verdict.allowed, _code(webhook, verdict)
        finally:
            took_s = time.perf_counter() - began_s
            write.waits.append(took_s)
            counted = CallCount(webhook.name, self.counted_as, write.operation, rejected)
            self._counts.note_call(counted, code=code, duration_s=took_s)
        write.warnings.extend(verdict.warnings)
        for key, value in verdict.annotations.items():
            audit.annotate(f"{webhook.name}/{key}", value)
        return verdict

    async def _post(self, webhook: Webhook, write: Write, seen: View, *, mutating: bool) -> Verdict:
        """Raises FailedCall."""
        uid, version = make_uid(), webhook.versions[0]
        body = webhook_review.review(write, seen, uid=uid, version=version)
        try:
            timeout_s = min(webhook.timeout_s, time_left_s())
            answer = await self._client.post(webhook.client, body, timeout_s=timeout_s)
        except CallError as error:
            raise FailedCall(webhook, f"failed to call webhook: {error}") from error
        try:
            return webhook_review.read_answer(answer, uid=uid, version=version, mutating=mutating)
        except InvalidResponse as error:
            raise FailedCall(webhook, f"received invalid webhook response: {error}") from error

    def _refused(self, webhook: Webhook, write: Write, verdict: Verdict) -> StatusError:
        """The refusal of a write to which the webhook said no."""
        refusal = webhook_review.refusal(webhook.name, verdict.result)
        self._counts.note_rejection(
            webhook.name, self.counted_as, write.operation, error=NO_ERROR, code=refusal.code
        )
        return refusal

    def _failed(self, webhook: Webhook, write: Write, error: FailedCall) -> StatusError | None:
        """The refusal of a write whose webhook could not be asked; None where that does not matter."""
        if webhook.fails:
            log.warning("Failed calling webhook, failing closed %s: %s", webhook.name, error)
            self._counts.note_rejection(
                webhook.name, self.counted_as, write.operation, error=CALL_FAILED, code=0
            )
            return status.internal_error(str(error))
        log.warning("Failed calling webhook, failing open %s: %s", webhook.name, error)
        self._counts.note_failed_open(webhook.name, self.counted_as)
        return None


def _code(webhook: Webhook, verdict: Verdict) -> int:
    return 200 if verdict.allowed else webhook_review.refusal(webhook.name, verdict.result).code


class MutatingAdmissionWebhook(_WebhookPlugin):
    name = "MutatingAdmissionWebhook"
    counted_as = "admit"

    async def mutate(self, write: Write) -> None:
        webhooks = self._webhooks.all
        passes = write.notes.setdefault(self.name, Passes())
        if write.reinvoking and write.object != passes.output:
            # Other plugins changed the object when they saw it the second time.
            passes.object_changed()
        for webhook in webhooks:
            if write.reinvoking and webhook.identity not in passes.again:
                continue
            seen = await self._view(webhook, write)
            if seen is not None:
                await self._call(webhook, write, seen, passes)
        if any(webhook.reinvoked for webhook in webhooks):
            passes.output = fresh(write.object) if write.object is not None else None

    async def _call(self, webhook: Webhook, write: Write, seen: View, passes: Passes) -> None:
        try:
            verdict = await self._ask(webhook, write, seen, mutating=True)
        except FailedCall as error:
            refused = self._failed(webhook, write, error)
            if refused is not None:
                raise refused from error
            verdict = None
        if verdict is not None:
            if not verdict.allowed:
                raise self._refused(webhook, write, verdict)
            if verdict.patch and await _apply(webhook, write, seen, verdict):
                passes.object_changed()
                write.reinvoke = True
        if webhook.reinvoked:
            passes.called.add(webhook.identity)


class ValidatingAdmissionWebhook(_WebhookPlugin):
    name = "ValidatingAdmissionWebhook"
    counted_as = "validating"

    async def validate(self, write: Write) -> None:
        webhooks = self._webhooks.all
        wanted = [(webhook, await self._view(webhook, write)) for webhook in webhooks]
        calls = [self._call(webhook, write, seen) for webhook, seen in wanted if seen is not None]
        if not calls:
            return
        for outcome in await asyncio.gather(*calls, return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome

    async def _call(self, webhook: Webhook, write: Write, seen: View) -> None:
        try:
            verdict = await self._ask(webhook, write, seen, mutating=False)
        except FailedCall as error:
            refused = self._failed(webhook, write, error)
            if refused is not None:
                raise refused from error
            return
        if not verdict.allowed:
            raise self._refused(webhook, write, verdict)


# Versions ---------------------------------------------------------------------------------------------


async def view(write: Write, kind: Kind) -> View:
    """The write through this version of its kind; a Scale is shown as one."""
    if write.subresource == "scale":
        shapes = [scale_of(write.kind, obj) if obj is not None else None for obj in (write.object, write.old)]
        return View(kind, *shapes)
    if kind is write.kind or _has_own_kind(write):
        return View(kind, write.object, write.old)
    shapes = [
        await _converted(write.kind, kind, obj) if obj is not None else None
        for obj in (write.object, write.old)
    ]
    return View(kind, *shapes)


async def _converted(source: Kind, target: Kind, obj: Object) -> Object:
    return (await shown(target, Made(await stored(source, fresh(obj))))).object


def _has_own_kind(write: Write) -> bool:
    """Whether the object is not of the written kind but of the subresource's own."""
    kind = webhook_review.object_kind(write.kind, write.subresource)
    return kind["kind"] != write.kind.kind


async def _apply(webhook: Webhook, write: Write, seen: View, verdict: Verdict) -> bool:
    """Change the object of the write as the webhook says; whether that changed anything. Raises 400, 500."""
    before = seen.object
    if write.object is None or before is None:
        raise status.internal_error(
            f'admission webhook "{webhook.name}" attempted to modify the object, which is not supported for '
            "this operation"
        )
    if verdict.patch_bytes > HEAVY_BYTES:
        write.heavy_bytes = max(write.heavy_bytes, verdict.patch_bytes)
    patched = await sidetrack.run(partial(_patched, before, verdict.patch), size_bytes=write.heavy_bytes)
    if patched is None:
        return False
    await put_back(write, seen, patched)
    return True


def _patched(obj: Object, patch: Sequence[object]) -> Object | None:
    """The object with the patch, None where that is the same. Raises 500."""
    try:
        patched = json_patch.apply(fresh(obj), patch)
    except StatusError as error:
        raise status.internal_error(str(error.__cause__ or error)) from None
    if not isinstance(patched, dict):
        raise status.internal_error("the patched object is no object")
    return None if same(patched, obj) else patched


async def put_back(write: Write, seen: View, patched: Object) -> None:
    """Make what became of the object of a view the object of the write. Raises 400."""
    if write.subresource == "scale":
        assert write.kind.scale is not None
        replicas = (patched.get("spec") or {}).get("replicas", 0)
        write.object = edited(write.object or {}, write.kind.scale.spec_replicas, replicas)
    elif _has_own_kind(write):
        write.object = patched
    else:
        if seen.kind is not write.kind:
            patched = fresh(await _converted(seen.kind, write.kind, patched))
        write.object = await sidetrack.run(partial(_completed, write, patched), size_bytes=write.heavy_bytes)


def _completed(write: Write, patched: Object) -> Object:
    """What a client's object goes through as well: unknown fields dropped, types checked, defaults filled in."""
    obj, _ = fieldvalidation.check(patched, write.kind, "Ignore")
    check_identity(write.kind, obj, namespace=write.namespace, name=write.name)
    write.kind.default(obj)
    return obj

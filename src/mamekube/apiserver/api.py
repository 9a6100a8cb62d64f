"""From a request to its handler: the verbs of every kind, and the subresources.

`Api.serve` answers what is one answer, `Api.watch` what is a stream of events. Both are what HTTP and the
in-process client share; neither authenticates or authorizes, which their callers have done. Only whether a PUT or an
apply may make its object is asked here, where it is known that there is none.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from mamekube.apiserver import components, patching, strategy, watching
from mamekube.apiserver.access.attributes import Attributes
from mamekube.apiserver.access.authorization import Authorizer
from mamekube.apiserver.access.reviews import Reviews
from mamekube.apiserver.access.tokens import Tokens
from mamekube.apiserver.admission.chain import Admission
from mamekube.apiserver.bodies import DELETE_OPTIONS
from mamekube.apiserver.deletion import Deletion
from mamekube.apiserver.dialing import Dialer
from mamekube.apiserver.documents import Answer, Collection, Document, Made
from mamekube.apiserver.formats import codec, fieldvalidation, negotiation
from mamekube.apiserver.listing import list_items, too_large_revision
from mamekube.apiserver.options import (
    WriteOptions,
    parse_delete,
    parse_list,
    parse_patch,
    parse_revision,
    parse_write,
)
from mamekube.apiserver.request import Request, selected_name
from mamekube.apiserver.resources import Change, Resources, SlowChange, check_identity, fresh, revision_of
from mamekube.apiserver.strategy import Strategy
from mamekube.apiserver.subresources import (
    approval,
    binding,
    ephemeralcontainers,
    eviction,
    finalize,
    resize,
    scale,
)
from mamekube.apiserver.subresources import token as token_requests
from mamekube.apiserver.writes import CREATE, Write
from mamekube.foundation import sidetrack
from mamekube.foundation.clock import Clock
from mamekube.kinds import subresources
from mamekube.kinds.kind import Kind
from mamekube.kinds.registry import Registry
from mamekube.objects.meta import Object
from mamekube.objects.selectors import FieldSelector, FieldTerm
from mamekube.objects.status import StatusError, bad_request, method_not_supported, not_found
from mamekube.store.store import Store

REVIEW_GROUPS = frozenset({"authentication.k8s.io", "authorization.k8s.io"})


NAMED = frozenset({"patch", "update"})
"""Verbs that are for one object only."""


EVERYWHERE = frozenset({"list", "watch"})
"""Verbs that reach over all namespaces."""


class NotServed(Exception):
    """There is nothing at this path. Upstream answers it with plain text, and so does the server."""


@dataclass(slots=True)
class Payload:
    """The body of a request: as bytes off the wire, or as a value that this request owns."""

    content_type: str = codec.JSON
    body: bytes = b""
    value: Any = None

    def decode(self) -> Any:
        return self.value if self.value is not None else codec.decode(self.body, self.content_type)

    def decode_patch(self, patch_type: str) -> Any:
        return self.value if self.value is not None else patching.decode(patch_type, self.body)

    @property
    def empty(self) -> bool:
        return self.value is None and not self.body


STRATEGIES: Mapping[str, Strategy] = {
    "status": strategy.STATUS,
    "approval": approval.STRATEGY,
    "ephemeralcontainers": ephemeralcontainers.STRATEGY,
    "finalize": finalize.STRATEGY,
    "resize": resize.STRATEGY,
}
"""Subresources that are another way to get and write the object itself."""

HANDLERS: Mapping[str, Callable[[Api, Request, Kind, Payload], Awaitable[Answer]]] = {
    "binding": binding.serve,
    "eviction": eviction.serve,
    "scale": scale.serve,
    "token": token_requests.serve,
}
"""Subresources with a kind of their own."""


class Api:
    """The handlers, and what they share."""

    def __init__(
        self,
        *,
        store: Store,
        registry: Registry,
        admission: Admission,
        reviews: Reviews,
        authorizer: Authorizer,
        tokens: Tokens,
        clock: Clock,
        dialer: Dialer,
    ) -> None:
        self.store = store
        self.registry = registry
        self.admission = admission
        self.tokens = tokens
        self.clock = clock
        self.dialer = dialer
        self.resources = Resources(store, admission, clock, registry.find)
        self.deletion = Deletion(store, admission, clock)
        self.components = components.Components(store)
        self._reviews = reviews
        self._authorizer = authorizer

    def kind_of(self, request: Request) -> Kind:
        """Raises NotServed, and 405 for a verb that the resource does not have."""
        kind = self.registry.find(request.group, request.version, request.resource)
        if kind is None or (request.namespace and not kind.namespaced and request.resource != "namespaces"):
            raise NotServed
        if request.resource == "namespaces" and not request.group:
            # The path names the namespace twice; the object itself is in none.
            request.namespace = ""
        if kind.deprecation:
            request.warnings.append(kind.deprecation)
        custom = not isinstance(kind.schema, str)
        if request.method == "HEAD" and not custom and request.subresource != "proxy":
            # Upstream's router knows no such routes; custom resources are not routed.
            raise not_allowed()
        if kind.namespaced and not request.namespace and request.verb not in EVERYWHERE:
            # Over all namespaces there is a path for those kinds that can be listed, and nothing else is done there.
            named = request.name and request.verb != "deletecollection"
            raise NotServed if custom or named or "list" not in kind.verbs else not_allowed()
        if request.subresource:
            return self._with_subresource(kind, request)
        if custom:
            return _custom(kind, request)
        named = bool(request.name)
        if request.verb not in kind.verbs or (
            named if request.verb == "create" else not named and request.verb in NAMED
        ):
            raise not_allowed()
        return kind

    def _with_subresource(self, kind: Kind, request: Request) -> Kind:
        custom = not isinstance(kind.schema, str)
        if request.subresource not in subresources.names(kind):
            raise not_found(kind, request.name) if custom else NotServed
        if request.verb not in subresources.describe(kind, request.subresource).verbs:
            raise method_not_supported(kind, request.verb) if custom else not_allowed()
        return kind

    async def serve(self, request: Request, payload: Payload) -> Answer | Collection:
        """Raises StatusError and NotServed."""
        kind = self.kind_of(request)
        accept = request.headers.get("Accept")
        if accept and accept != codec.JSON:
            routed = isinstance(kind.schema, str)
            if routed and request.verb == "patch":
                patching.check_type(kind, payload.content_type)
            negotiation.check(accept, routed=routed, streamed=request.verb == "list")
        if request.subresource in HANDLERS:
            return await HANDLERS[request.subresource](self, request, kind, payload)
        rules = STRATEGIES[request.subresource] if request.subresource else strategy.WHOLE
        verb = request.verb
        if verb == "get":
            if kind is components.KIND:
                return Answer(await self.components.get(request.name), 200, kind)
            self._check_reached(request)
            return Answer(await self.resources.get(kind, request.namespace, request.name), 200, kind)
        if verb == "list":
            if kind is components.KIND:
                return await self.components.list(parse_list(request))
            return await list_items(
                self.store, kind, namespace=request.namespace, options=parse_list(request)
            )
        if verb == "create":
            return await self._create(request, kind, payload)
        if verb == "update":
            return await self._update(request, kind, payload, rules)
        if verb == "patch":
            return await self._patch(request, kind, payload, rules)
        if verb == "delete":
            options = parse_delete(request, await self._delete_body(request, payload))
            return await self.deletion.delete(request, kind, options)
        return await self._delete_collection(request, kind, payload)

    def watch(self, request: Request) -> tuple[Kind, AbstractAsyncContextManager[watching.Batches]]:
        kind = self.kind_of(request)
        options = parse_list(request, watch=True)
        accept = request.headers.get("Accept")
        if accept and isinstance(kind.schema, str):
            negotiation.check_routed(accept, negotiation.WATCHED)
        if request.name:
            options = replace(options, fields=_selecting(request, options.fields))
        return kind, watching.watch(self.store, kind, namespace=request.namespace, options=options)

    async def _create(self, request: Request, kind: Kind, payload: Payload) -> Answer:
        options = parse_write(request, "CreateOptions")
        obj = await self.decode(request, kind, payload, options.field_validation)
        if kind.group in REVIEW_GROUPS:
            return Answer(await self._review(request, kind, obj, options), 201)
        if kind.plural == "bindings":
            return await binding.bind_named(self, request, obj)
        return await self.resources.create(request, kind, obj, options)

    async def _update(self, request: Request, kind: Kind, payload: Payload, rules: Strategy) -> Answer:
        options = parse_write(request, "UpdateOptions")
        obj = await self.decode(request, kind, payload, options.field_validation)
        may_create = not rules.subresource and kind.group_resource in strategy.CREATED_BY_UPDATE
        return await self.resources.update(
            request,
            kind,
            _Replacement(obj),
            options,
            rules=rules,
            creating=self._creating(request) if may_create else None,
            retries=revision_of(obj) == 0,
        )

    async def _patch(self, request: Request, kind: Kind, payload: Payload, rules: Strategy) -> Answer:
        patch_type = patching.check_type(kind, payload.content_type)
        apply = patch_type == patching.APPLY_YAML
        options = parse_patch(request, apply=apply)
        patch = await sidetrack.run(lambda: payload.decode_patch(patch_type), size_bytes=request.heavy_bytes)
        change: Change | SlowChange
        if apply:
            change = patching.apply_for(
                patch,
                kind,
                options,
                request=request,
                clock=self.clock,
                find=self.registry.find,
                subresource=rules.subresource,
                body=payload.body,
            )
        else:
            change = await sidetrack.run(
                lambda: patching.change_for(
                    patch_type, patch, kind, options, body=payload.body, warnings=request.warnings
                ),
                size_bytes=request.heavy_bytes,
            )
        may_create = apply and not rules.subresource
        return await self.resources.update(
            request,
            kind,
            change,
            options,
            rules=rules,
            creating=self._creating(request) if may_create else None,
            applied=apply,
        )

    def _check_reached(self, request: Request) -> None:
        """Whoever knows a revision is not shown an older state. Raises 400, and 504 for one that is still to come."""
        revision = parse_revision(request.first("resourceVersion")) if request.query else 0
        if revision > self.store.revision:
            raise too_large_revision(revision, self.store.revision)

    def _creating(self, request: Request) -> Callable[[], None]:
        """Asks whether the user may create what the request names. Upstream: withAuthorization."""
        return partial(self._authorizer.require, Attributes.of(request)._replace(verb="create"))

    async def _delete_collection(self, request: Request, kind: Kind, payload: Payload) -> Collection:
        selected = parse_list(request)
        options = parse_delete(request, await self._delete_body(request, payload))
        return await self.deletion.delete_collection(request, kind, selected, options)

    async def _review(self, request: Request, kind: Kind, obj: Object, options: WriteOptions) -> Document:
        check_identity(kind, obj, namespace=request.namespace, name="")
        write = Write(
            operation=CREATE,
            kind=kind,
            namespace=request.namespace,
            object=obj,
            user=request.user,
            dry_run=options.dry_run,
            warnings=request.warnings,
            waits=request.waits,
        )
        await self.admission.mutate(write)
        await self.admission.validate(write)
        return Made(await self._reviews.create_review(kind, write.object or obj, request))

    async def _delete_body(self, request: Request, payload: Payload) -> Object | None:
        """The DeleteOptions in the body, which need not be there."""
        return None if payload.empty else await self.decode(request, DELETE_OPTIONS, payload)

    async def decode(
        self, request: Request, kind: Kind, payload: Payload, validation: str = "Warn"
    ) -> Object:
        """The object in the body, as far as the kind knows its fields. Raises 400, 413, 415."""
        if payload.value is not None:
            obj, warnings = fieldvalidation.check(payload.value, kind, validation)
        else:
            obj, warnings = await sidetrack.run(
                lambda: fieldvalidation.decode(
                    payload.body, kind, mode=validation, content_type=payload.content_type
                ),
                size_bytes=request.heavy_bytes,
            )
        request.warnings.extend(warnings)
        return obj


class _Replacement:
    """The change of an update: the same new object whatever is there. It is copied where it is used again."""

    def __init__(self, obj: Object) -> None:
        self._obj = obj

    def __call__(self, old: Object | None) -> Object:
        return fresh(self._obj)


def _selecting(request: Request, fields: FieldSelector) -> FieldSelector:
    """What a watch of one object selects; old paths such as `/api/v1/watch/nodes/a` name it. Raises 400."""
    if fields.empty:
        return FieldSelector((FieldTerm("metadata.name", request.name),))
    if selected_name(request.first("fieldSelector")) != request.name:
        raise bad_request("fieldSelector metadata.name doesn't match requested name")
    return fields


def _custom(kind: Kind, request: Request) -> Kind:
    """There are no routes for custom resources, only verbs: a name where there should be none does not matter."""
    if request.verb == "create":
        if "create" not in kind.verbs:
            error = method_not_supported(kind, "create")
            error.message = "create not allowed while custom resource definition is terminating"
            raise error
        request.name = ""
    elif request.verb not in kind.verbs:
        raise method_not_supported(kind, request.verb)
    elif request.verb in NAMED and not request.name:
        raise bad_request("name must be provided")
    return kind


def not_allowed() -> StatusError:
    return StatusError(
        405, "MethodNotAllowed", "the server does not allow this method on the requested resource", details={}
    )

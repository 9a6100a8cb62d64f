"""The in-process client: the API without a socket and without JSON.

It takes the same way as a request over HTTP (authorization, admission, validation, the store) and hands out the
objects that the store's cache holds, so they are read-only. What is written is copied on its way in.

What other servers serve is asked of them: `remote_calls`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from mamekube.apiserver.access.authorization import Authorizer
from mamekube.apiserver.aggregation.remote_calls import RemoteCalls
from mamekube.apiserver.api import Api, NotServed, Payload
from mamekube.apiserver.discovery import Discovery
from mamekube.apiserver.documents import Answer, Collection, Made
from mamekube.apiserver.http import refusal
from mamekube.apiserver.request import Request, User, selected_name
from mamekube.apiserver.resources import fresh
from mamekube.client.client import (
    PATCH_CONTENT_TYPES,
    Event,
    Listing,
    PatchType,
    delete_options,
    listing_of,
)
from mamekube.client.discovery import Discovered
from mamekube.objects.meta import Object, name_of, namespace_of
from mamekube.objects.resource import Resource
from mamekube.objects.status import StatusError

Query = dict[str, list[str]]


class LocalClient:
    """A `client.Client` that acts as one user."""

    def __init__(
        self,
        api: Api,
        authorizer: Authorizer,
        user: User,
        *,
        discovery: Discovery,
        remotes: RemoteCalls,
        program: str = "",
    ) -> None:
        """`program` is whom managed fields name; by default the user."""
        self._api = api
        self._authorizer = authorizer
        self._user = user
        self._discovery = discovery
        self._remotes = remotes
        self._headers: Mapping[str, str] = {"User-Agent": program or user.name.removeprefix("system:")}

    async def get(
        self, resource: Resource, name: str, *, namespace: str = "", subresource: str = ""
    ) -> Object:
        request = self._request("get", resource, namespace=namespace, name=name, subresource=subresource)
        return await self._object(request, Payload())

    async def list(
        self,
        resource: Resource,
        *,
        namespace: str = "",
        label_selector: str = "",
        field_selector: str = "",
        limit: int = 0,
        continue_token: str = "",
        revision: str = "",
    ) -> Listing:
        query = _query(
            labelSelector=label_selector,
            fieldSelector=field_selector,
            limit=limit,
            resourceVersion=revision,
        )
        if continue_token:
            query["continue"] = [continue_token]
        request = self._request("list", resource, namespace=namespace, query=query)
        answer = await self._serve(request, Payload())
        if not isinstance(answer, Collection):
            return listing_of(answer.document.object, resource)
        return Listing([item.object for item in answer.items], str(answer.revision), answer.continue_token)

    async def create(
        self, resource: Resource, obj: Object, *, namespace: str = "", name: str = "", subresource: str = ""
    ) -> Object:
        namespace = namespace or namespace_of(obj)
        request = self._request("create", resource, namespace=namespace, name=name, subresource=subresource)
        return await self._object(request, Payload(value=fresh(obj)))

    async def update(self, resource: Resource, obj: Object, *, subresource: str = "") -> Object:
        request = self._request(
            "update", resource, namespace=namespace_of(obj), name=name_of(obj), subresource=subresource
        )
        # A replacement is copied for each try, so what the caller holds stays its own.
        return await self._object(request, Payload(value=obj))

    async def patch(
        self,
        resource: Resource,
        name: str,
        patch: Any,
        *,
        namespace: str = "",
        patch_type: PatchType = "merge",
        subresource: str = "",
        field_manager: str = "",
        force: bool = False,
    ) -> Object:
        query = _query(fieldManager=field_manager, force=force)
        request = self._request(
            "patch", resource, namespace=namespace, name=name, subresource=subresource, query=query
        )
        return await self._object(request, Payload(PATCH_CONTENT_TYPES[patch_type], value=patch))

    async def delete(
        self,
        resource: Resource,
        name: str,
        *,
        namespace: str = "",
        grace_period_s: int | None = None,
        propagation: str = "",
        uid: str = "",
        revision: str = "",
    ) -> Object:
        request = self._request("delete", resource, namespace=namespace, name=name)
        options = delete_options(grace_period_s, propagation, uid=uid, revision=revision)
        return await self._object(request, Payload(value=options))

    async def delete_collection(
        self,
        resource: Resource,
        *,
        namespace: str = "",
        label_selector: str = "",
        field_selector: str = "",
        grace_period_s: int | None = None,
        propagation: str = "",
    ) -> None:
        query = _query(labelSelector=label_selector, fieldSelector=field_selector)
        request = self._request("deletecollection", resource, namespace=namespace, query=query)
        await self._serve(request, Payload(value=delete_options(grace_period_s, propagation)))

    @asynccontextmanager
    async def watch(
        self,
        resource: Resource,
        *,
        namespace: str = "",
        label_selector: str = "",
        field_selector: str = "",
        revision: str = "",
        bookmarks: bool = True,
        timeout_s: int = 0,
    ) -> AsyncIterator[AsyncIterator[Event]]:
        query = _query(
            labelSelector=label_selector,
            fieldSelector=field_selector,
            resourceVersion=revision,
            allowWatchBookmarks=bookmarks,
            timeoutSeconds=timeout_s,
        )
        request = self._request("watch", resource, namespace=namespace, query=query)
        self._authorizer.authorize_request(request)
        remote = self._remotes.find(request)
        if remote is not None:
            async with self._remotes.watch(remote, request) as told:
                yield told
            return
        try:
            _, events = self._api.watch(request)
        except NotServed:
            raise _not_served() from None
        async with events as batches:
            yield _Events(batches)

    async def discover(self) -> Discovered:
        return self._discovery.discovered()

    def _request(
        self,
        verb: str,
        resource: Resource,
        *,
        namespace: str = "",
        name: str = "",
        subresource: str = "",
        query: Query | None = None,
    ) -> Request:
        query = query or {}
        if not name and verb != "deletecollection" and "fieldSelector" in query:
            name = selected_name(query["fieldSelector"][0])
        return Request(
            method=_METHODS[verb],
            path="",
            query=query,
            headers=self._headers,
            user=self._user,
            verb=verb,
            is_resource=True,
            group=resource.group,
            version=resource.version,
            resource=resource.plural,
            subresource=subresource,
            namespace=namespace if resource.namespaced else "",
            name=name,
        )

    async def _object(self, request: Request, payload: Payload) -> Object:
        answer = await self._serve(request, payload)
        assert isinstance(answer, Answer)
        return answer.document.object

    async def _serve(self, request: Request, payload: Payload) -> Answer | Collection:
        self._authorizer.authorize_request(request)
        remote = self._remotes.find(request)
        if remote is not None:
            return Answer(
                Made(
                    await self._remotes.call(
                        remote, request, content_type=payload.content_type, document=payload.value
                    )
                )
            )
        try:
            return await self._api.serve(request, payload)
        except NotServed:
            raise _not_served() from None
        except StatusError:
            raise
        except Exception as error:
            raise refusal(error) from error


class _Events:
    """The events of a watch, one at a time."""

    def __init__(self, batches: AsyncIterator[Sequence[Any]]) -> None:
        self._batches = batches
        self._pending: Sequence[Any] = ()
        self._next = 0

    def __aiter__(self) -> _Events:
        return self

    async def __anext__(self) -> Event:
        while self._next >= len(self._pending):
            self._pending = await anext(self._batches)
            self._next = 0
        told = self._pending[self._next]
        self._next += 1
        return Event(told.type, told.document.object)


_METHODS = {
    "get": "GET",
    "list": "GET",
    "watch": "GET",
    "create": "POST",
    "update": "PUT",
    "patch": "PATCH",
    "delete": "DELETE",
    "deletecollection": "DELETE",
}


def _query(**parameters: str | int | bool) -> Query:
    """Parameters that are set, as a query string would have them."""
    query: Query = {}
    for key, value in parameters.items():
        if value:
            query[key] = ["true" if value is True else str(value)]
    return query


def _not_served() -> StatusError:
    return StatusError(404, "NotFound", "the server could not find the requested resource", details={})

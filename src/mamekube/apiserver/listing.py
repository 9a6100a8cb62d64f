"""LIST: all of a resource as of one revision, selected, and cut into pages.

A page ends where the limit or the selected items do. Its continue token holds the revision of the first page
and the key to go on from, so that all pages together are one list as of one moment.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from itertools import compress
from typing import Any, NamedTuple

import orjson

from mamekube.apiserver.documents import ITEMS_IN_TURN, Collection, Document, in_turns
from mamekube.apiserver.options import EXACT, ListOptions, parse_revision
from mamekube.apiserver.selecting import Predicate, predicate
from mamekube.apiserver.versions import shown, shown_all, storage_key, storage_prefix
from mamekube.kinds.kind import Kind
from mamekube.objects.status import StatusError, bad_request, expired
from mamekube.store.backend import Compacted, FutureRevision
from mamekube.store.store import Snapshot, Store

TOKEN_VERSION = "meta.k8s.io/v1"
INCONSISTENT = -1
"""The revision in a continue token that goes on with whatever is there now."""

PAGE_READ_MIN = 500
"""Items read at a time where a selector may drop most of them."""


UNCACHED = frozenset({"events", "events.events.k8s.io"})
"""Kinds that upstream lists out of etcd, which cuts them into pages always. All others come out of its watch cache."""


class Position(NamedTuple):
    """What a continue token says: go on at `start`, a key after the prefix, as of `revision`."""

    revision: int
    start: str


async def list_items(store: Store, kind: Kind, *, namespace: str, options: ListOptions) -> Collection:
    """Raises 400, 410 and, where the revision asked for is still to come, 504."""
    selected = predicate(kind, options, once=True)
    prefix = storage_prefix(kind, namespace)
    revision, start = _begin(options, prefix, reached=store.revision)
    limit = _limit(kind, options)
    name = options.fields.exact("metadata.name")
    try:
        if name is not None and (namespace or not kind.namespaced):
            return await _list_one(
                store, kind, storage_key(kind, namespace, name), selected, revision=revision
            )
        if selected is None or not limit:
            snapshot = await store.list(prefix=prefix, revision=revision, start=start, limit=limit)
            return await _collection(kind, snapshot, selected, prefix=prefix)
        return await _list_selected(
            store, kind, selected, prefix=prefix, at=Position(revision, start), limit=limit
        )
    except Compacted:
        raise _expired(options, start=start, prefix=prefix) from None
    except FutureRevision as error:
        raise too_large_revision(revision, error.current) from None


def _limit(kind: Kind, options: ListOptions) -> int:
    """Of the page; 0 for none. Who takes whatever there is (`resourceVersion=0`) is given all of it at once."""
    whatever = options.revision == "0" and not options.continue_token
    return 0 if whatever and kind.group_resource not in UNCACHED else options.limit


def _begin(options: ListOptions, prefix: str, *, reached: int) -> tuple[int, str]:
    """The revision to read at (0: now) and the key to start from."""
    if options.continue_token:
        position = decode_token(options.continue_token)
        if options.revision and options.revision != "0":
            raise bad_request("specifying resource version is not allowed when using continue")
        return max(position.revision, 0), prefix + position.start
    revision = parse_revision(options.revision, where="invalid resource version: ")
    if options.revision_match == EXACT or (revision and options.limit and not options.revision_match):
        return revision, ""
    if revision > reached:
        raise too_large_revision(revision, reached)
    return 0, ""


async def _list_one(
    store: Store, kind: Kind, key: str, selected: Predicate | None, *, revision: int
) -> Collection:
    reached = revision or store.revision
    item = await store.get(key=key, revision=revision)
    items = [await shown(kind, item)] if item is not None else []
    return Collection(
        kind, [document for document in items if selected is None or selected(document)], reached
    )


async def _collection(
    kind: Kind, snapshot: Snapshot, selected: Predicate | None, *, prefix: str
) -> Collection:
    items = await shown_all(kind, snapshot.items)
    if selected is not None:
        items = list(compress(items, await in_turns(selected, items)))
    token = ""
    if snapshot.more:
        token = encode_token(Position(snapshot.revision, snapshot.items[-1].key[len(prefix) :] + "\0"))
    remaining = snapshot.remaining if snapshot.more and selected is None else None
    return Collection(kind, items, snapshot.revision, token, remaining)


async def _list_selected(
    store: Store, kind: Kind, selected: Predicate, *, prefix: str, at: Position, limit: int
) -> Collection:
    """A page of `limit` selected items, however many have to be read for it."""
    found: list[Document] = []
    revision, start = at
    while True:
        snapshot = await store.list(
            prefix=prefix, revision=revision, start=start, limit=max(limit, PAGE_READ_MIN)
        )
        revision = revision or snapshot.revision
        documents = await shown_all(kind, snapshot.items)
        for position, (item, document) in enumerate(zip(snapshot.items, documents, strict=True)):
            if position % ITEMS_IN_TURN == ITEMS_IN_TURN - 1:
                await asyncio.sleep(0)
            if not selected(document):
                continue
            found.append(document)
            if len(found) == limit:
                more = snapshot.more or position + 1 < len(snapshot.items)
                token = encode_token(Position(revision, item.key[len(prefix) :] + "\0")) if more else ""
                return Collection(kind, found, revision, token)
        if not snapshot.more:
            return Collection(kind, found, revision)
        start = snapshot.items[-1].key + "\0"


def encode_token(position: Position) -> str:
    token = orjson.dumps({"v": TOKEN_VERSION, "rv": position.revision, "start": position.start})
    return base64.urlsafe_b64encode(token).rstrip(b"=").decode()


def decode_token(text: str) -> Position:
    """Raises 400."""
    try:
        token = orjson.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        position = Position(token["rv"], token["start"])
        version = token["v"]
        if type(position.revision) is not int or not isinstance(position.start, str):
            raise TypeError
    except (binascii.Error, ValueError, KeyError, TypeError):
        raise bad_request(
            "invalid continue token: continue key is not valid: encoded continue token is not valid"
        ) from None
    if version != TOKEN_VERSION:
        raise bad_request(
            "invalid continue token: continue key is not valid: server does not recognize this version of the token"
        )
    if not position.start or ".." in position.start.split("/") or position.start.startswith("/"):
        raise bad_request("invalid continue token: continue key is not valid: encoded start key is not valid")
    return position


class ExpiredToken(StatusError):
    """410 with a token that goes on with what is there now, for a client that can live with such a list."""

    def __init__(self, start: str) -> None:
        super().__init__(
            410,
            "Expired",
            "The provided continue parameter is too old to display a consistent list result. You can start a new list "
            "without the continue parameter, or use the continue token in this response to retrieve the remainder of "
            "the results. Continuing with the provided token results in an inconsistent list - objects that were "
            "created, modified, or deleted between the time the first chunk was returned and now may show up in the "
            "list.",
        )
        self.start = start

    @property
    def status(self) -> dict[str, Any]:
        return {**super().status, "metadata": {"continue": encode_token(Position(INCONSISTENT, self.start))}}


def _expired(options: ListOptions, *, start: str, prefix: str) -> StatusError:
    if options.continue_token:
        return ExpiredToken(start[len(prefix) :])
    return expired("The resourceVersion for the provided list is too old.")


def too_large_revision(revision: int, current: int) -> StatusError:
    """The client knows a revision that is still to come: it asks again after a second."""
    return StatusError(
        504,
        "Timeout",
        f"Too large resource version: {revision}, current: {current}",
        details={
            "causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}],
            "retryAfterSeconds": 1,
        },
    )

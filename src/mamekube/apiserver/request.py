"""A request as the API server reads it: who asks, what for, with which options.

`parse_path` is upstream's RequestInfo: it finds verb, group, version, resource, subresource, namespace and name
by splitting the path, knowing no kind. Authentication fills in the user; everything after it reads only this.
"""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import count
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote

from mamekube.apiserver.objectmeta import make_uid
from mamekube.foundation.limits import HEAVY_BYTES
from mamekube.objects import selectors
from mamekube.objects.names import path_segment
from mamekube.objects.status import bad_request

VERBS = {"GET": "get", "HEAD": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}

NAMESPACE_SUBRESOURCES = frozenset({"status", "finalize"})
"""What may follow `namespaces/NAME` without being a resource in that namespace."""

PATH_VERBS = frozenset({"proxy", "watch"})
"""Verbs that may stand in the path, as they did in Kubernetes' first releases. Nothing but `watch` is served."""


INT64_DIGITS = 19
PATH_KEPT_MAX = 1024
"""Longer paths are split anew each time: anybody may send them, and those that are kept are many."""
_INTEGER = re.compile(r"[+-]?[0-9]+")


@dataclass(frozen=True, slots=True)
class User:
    """Who asks. `extra` holds what the authenticator knew beyond name and groups."""

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict, compare=False)
    """What the audit log is to say of the credential."""


ANONYMOUS = User("system:anonymous", ("system:unauthenticated",))


def user_info(user: User) -> dict[str, Any]:
    """A user as `authentication/v1.UserInfo`."""
    info: dict[str, Any] = {"username": user.name}
    if user.uid:
        info["uid"] = user.uid
    if user.groups:
        info["groups"] = list(user.groups)
    if user.extra:
        info["extra"] = {key: list(values) for key, values in user.extra.items()}
    return info


class Route(NamedTuple):
    """What a method and a path mean."""

    verb: str
    is_resource: bool
    group: str = ""
    version: str = ""
    resource: str = ""
    """The plural, or `""` for a path such as `/apis/apps/v1`, and for one that ends with a verb."""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    subpath: str = ""
    """What follows the subresource, without the leading slash: the path to proxy to."""


DEADLINE_S: ContextVar[float] = ContextVar("deadline", default=math.inf)
"""Until when, in the loop's time, the client of the request waits that said how long it does."""


def time_left_s() -> float:
    """How long outside code that is asked for this request may take."""
    deadline_s = DEADLINE_S.get()
    return deadline_s if deadline_s == math.inf else max(0.0, deadline_s - asyncio.get_running_loop().time())


@dataclass(slots=True, kw_only=True)
class Request:
    """One request. `verb` is get, list, watch, create, update, patch, delete or deletecollection, and the
    lower-case HTTP method where the path names no resource."""

    method: str
    path: str
    query: Mapping[str, list[str]] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    user: User = ANONYMOUS
    verb: str = ""
    is_resource: bool = False
    group: str = ""
    version: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    subpath: str = ""
    audit_id: str = ""
    source: str = ""
    """The client's address."""
    warnings: list[str] = field(default_factory=list)
    """Texts for the `Warning` header."""
    waits: list[float] = field(default_factory=list)
    """Seconds that it stood in a queue or waited for webhooks: not the server's own work."""
    heavy_bytes: int = 0
    """What it brought or changes, where that is so much that work for it may not hold up other requests."""
    flow_headers: Mapping[str, str] = field(default_factory=dict)
    """What the answer says of the flow that the request was served in."""

    def first(self, key: str, default: str = "") -> str:
        """The first value of a query parameter."""
        values = self.query.get(key)
        return values[0] if values else default

    def flag(self, key: str) -> bool:
        """A boolean query parameter, read as upstream's conversion does: present and neither false nor 0."""
        values = self.query.get(key)
        return values is not None and bool(values) and values[0].lower() not in ("false", "0")

    @property
    def dry_run(self) -> bool:
        return "dryRun" in self.query

    def note_size(self, size_bytes: int) -> None:
        """Note what a change is made of. Only what comes over the network is worked on beside the loop."""
        if size_bytes > HEAVY_BYTES and self.source:
            self.heavy_bytes = max(self.heavy_bytes, size_bytes)

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version


_AUDIT_SERIES = make_uid()[:24]
_audited = count(1)
"""Audit ids are UUIDs whose last part counts this server's requests: a random number for each costs ten times that."""


def parse_request(
    method: str,
    target: str,
    *,
    headers: Mapping[str, str],
    body: bytes = b"",
    audit_id: str = "",
    source: str = "",
) -> Request:
    """The request for `target`, a path with its query string as it stands in the request line."""
    raw_path, _, raw_query = target.partition("?")
    query: Mapping[str, list[str]] = parse_qs(raw_query, keep_blank_values=True) if raw_query else {}
    path = unquote(raw_path) if "%" in raw_path else raw_path
    if path[-1:] == "/" != raw_path[-1:] and "/proxy/" not in path:
        # An escaped slash is no end of a collection's path: what stands there cannot be a name, either.
        route = Route(method.lower(), False)
    else:
        plain = not query and len(path) <= PATH_KEPT_MAX
        route = _parse_plain_path(method, path) if plain else parse_path(method, path, query)
    return Request(
        method=method,
        path=path,
        query=query,
        headers=headers,
        body=body,
        verb=route.verb,
        is_resource=route.is_resource,
        group=route.group,
        version=route.version,
        resource=route.resource,
        subresource=route.subresource,
        namespace=route.namespace,
        name=route.name,
        subpath=route.subpath,
        audit_id=audit_id or f"{_AUDIT_SERIES}{next(_audited):012x}",
        source=source,
    )


@lru_cache(maxsize=4096)
def _parse_plain_path(method: str, path: str) -> Route:
    """Of a request without a query: most of them ask for the same few paths again and again."""
    return parse_path(method, path, {})


def parse_path(method: str, path: str, query: Mapping[str, list[str]]) -> Route:
    """What `method` on `path` asks for. Paths outside `/api/V` and `/apis/G/V` are non-resource requests."""
    parts = path.strip("/").split("/")
    plain = Route(method.lower(), False)
    if parts[0] == "api" and len(parts) >= 3:
        group, version, rest = "", parts[1], parts[2:]
    elif parts[0] == "apis" and len(parts) >= 4:
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        return plain
    verb = VERBS.get(method, "")
    if rest[0] in PATH_VERBS:
        if len(rest) == 1:
            return Route(verb, True, group, version)
        return _of_resource(rest[0], group, version, rest[1:])
    route = _of_resource(verb, group, version, rest)
    if route.name or verb not in ("get", "delete"):
        return route
    verb, name = _of_collection(verb, query)
    return route._replace(verb=verb, name=name)


def _of_resource(verb: str, group: str, version: str, rest: Sequence[str]) -> Route:
    """`rest`: what follows the version."""
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 1:
        namespace = rest[1]
        if len(rest) > 2 and rest[2] not in NAMESPACE_SUBRESOURCES:
            rest = rest[2:]
    name = rest[1] if len(rest) > 1 else ""
    subresource = rest[2] if len(rest) > 2 and verb != "proxy" else ""
    subpath = "/".join(rest[3:])
    return Route(verb, True, group, version, rest[0], subresource, namespace, name, subpath)


def _of_collection(verb: str, query: Mapping[str, list[str]]) -> tuple[str, str]:
    """Verb and name for a path without a name: a field selector on metadata.name counts as the name, so that
    a role may allow to list or watch one object only."""
    if verb == "delete":
        return "deletecollection", ""
    watch = query.get("watch")
    verb = "watch" if watch and watch[0].lower() not in ("false", "0") else "list"
    return verb, selected_name(query["fieldSelector"][0]) if "fieldSelector" in query else ""


def selected_name(field_selector: str) -> str:
    """The one name that a field selector selects; `""` for any, for none, and for a selector that cannot be read."""
    if "metadata.name" not in field_selector:
        return ""
    try:
        terms = selectors.parse_fields(field_selector).terms
    except selectors.SelectorError:
        return ""
    name = next((term.value for term in terms if term.field == "metadata.name" and not term.negated), "")
    return "" if path_segment(name) else name


def parse_int(request: Request, key: str) -> int | None:
    """An integer query parameter, None where it is absent. Raises 400."""
    if key not in request.query:
        return None
    text = request.first(key)
    if not _INTEGER.fullmatch(text):
        raise bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax')
    if len(text.lstrip("+-0")) > INT64_DIGITS or not -(2**63) <= (number := int(text)) < 2**63:
        raise bad_request(f'strconv.ParseInt: parsing "{text}": value out of range')
    return number

"""Every operation of the API, as both dialects of OpenAPI describe it. Pure.

An `Operation` is made from the kinds; `paths` writes operations down as Swagger 2.0 or OpenAPI 3.0, with what all
operations of a path have in common said once, at the path.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from mamekube.kinds import subresources
from mamekube.kinds.kind import Kind
from mamekube.objects.schema import definitions

V2 = 2
V3 = 3

META = "io.k8s.apimachinery.pkg.apis.meta.v1."
PREFIXES: Mapping[int, str] = {V2: "#/definitions/", V3: "#/components/schemas/"}
TEXT = "string"
"""An answer that is no object."""

JSON = "application/json"
PROTOBUF = "application/vnd.kubernetes.protobuf"
ANSWERS = (JSON, "application/yaml", PROTOBUF)
CUSTOM_ANSWERS = (JSON, "application/yaml")
EVENTS = (f"{JSON};stream=watch", f"{PROTOBUF};stream=watch")
ANYTHING = ("*/*",)
PATCHES = (
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
)
CUSTOM_PATCHES = tuple(name for name in PATCHES if "strategic" not in name)

PARAMETERS: Mapping[str, tuple[str, str]] = {
    "allowWatchBookmarks": ("boolean", "Ask a watch for events of type BOOKMARK."),
    "command": ("string", "The command to run and its arguments, one after the other."),
    "container": ("string", "The container, where the pod has several."),
    "continue": ("string", "Where an earlier list of limited length ended."),
    "dryRun": ("string", "With the value All nothing is stored."),
    "fieldManager": ("string", "The name under which the fields that this request writes are noted."),
    "fieldSelector": ("string", "Restrict the list of returned objects by their fields."),
    "fieldValidation": ("string", "What to do about unknown and repeated fields: Ignore, Warn or Strict."),
    "follow": ("boolean", "Go on with what is logged from now on."),
    "force": ("boolean", "Apply also what other managers own."),
    "gracePeriodSeconds": ("integer", "Seconds before the object is deleted; 0 deletes at once."),
    "ignoreStoreReadErrorWithClusterBreakingPotential": ("boolean", "Delete also what cannot be read."),
    "insecureSkipTLSVerifyBackend": ("boolean", "Do not check the kubelet's certificate."),
    "labelSelector": ("string", "Restrict the list of returned objects by their labels."),
    "limit": ("integer", "How many objects to return at most."),
    "limitBytes": ("integer", "How much of the log to return at most."),
    "name": ("string", "name of the {kind}"),
    "namespace": ("string", "object name and auth scope, such as for teams and projects"),
    "orphanDependents": ("boolean", "Deprecated: use propagationPolicy."),
    "path": ("string", "The path of the request that is handed on."),
    "ports": ("integer", "The ports to forward, where the connection is a WebSocket."),
    "pretty": ("string", "Write the answer for people to read."),
    "previous": ("boolean", "The log of the container before its last restart."),
    "propagationPolicy": ("string", "What happens to dependents: Orphan, Background or Foreground."),
    "resourceVersion": ("string", "The version of the collection to read or to watch from."),
    "resourceVersionMatch": ("string", "How resourceVersion is compared in a list."),
    "sendInitialEvents": ("boolean", "Begin a watch with what is there."),
    "sinceSeconds": ("integer", "Only what was logged in so many seconds before now."),
    "sinceTime": ("string", "Only what was logged since then."),
    "stderr": ("boolean", "Connect the standard error stream."),
    "stdin": ("boolean", "Connect the standard input stream."),
    "stdout": ("boolean", "Connect the standard output stream."),
    "stream": ("string", "Which stream of the log: All, Stdout or Stderr."),
    "tailLines": ("integer", "How many lines from the end of the log."),
    "timeoutSeconds": ("integer", "How long a list or a watch may take."),
    "timestamps": ("boolean", "Begin every line with its time."),
    "tty": ("boolean", "The streams are a terminal."),
    "watch": ("boolean", "Watch for changes to the described resources instead of listing them."),
}
"""Parameters of queries and paths: their type and what they are for."""

IN_PATH = ("name", "namespace", "path")
LIST = (
    "allowWatchBookmarks",
    "continue",
    "fieldSelector",
    "labelSelector",
    "limit",
    "resourceVersion",
    "resourceVersionMatch",
    "sendInitialEvents",
    "timeoutSeconds",
    "watch",
)
WRITE = ("dryRun", "fieldManager", "fieldValidation")
DELETE = (
    "dryRun",
    "gracePeriodSeconds",
    "ignoreStoreReadErrorWithClusterBreakingPotential",
    "orphanDependents",
    "propagationPolicy",
)
QUERIES: Mapping[str, tuple[str, ...]] = {
    "list": LIST,
    "watch": LIST,
    "watchlist": LIST,
    "post": WRITE,
    "put": WRITE,
    "patch": (*WRITE, "force"),
    "delete": DELETE,
    "deletecollection": tuple(sorted({*DELETE, *LIST} - {"allowWatchBookmarks", "watch"})),
}
_STREAMS = ("container", "stderr", "stdin", "stdout", "tty")
CONNECTIONS: Mapping[str, tuple[str, ...]] = {
    "attach": _STREAMS,
    "exec": ("command", *_STREAMS),
    "portforward": ("ports",),
    "proxy": ("path",),
}
"""What the queries of connections say."""
LOG = (
    "container",
    "follow",
    "insecureSkipTLSVerifyBackend",
    "limitBytes",
    "previous",
    "sinceSeconds",
    "stream",
    "tailLines",
    "timestamps",
)

METHODS: Mapping[str, str] = {
    "list": "get",
    "watch": "get",
    "watchlist": "get",
    "post": "post",
    "deletecollection": "delete",
    "get": "get",
    "put": "put",
    "patch": "patch",
    "delete": "delete",
}
VERBS: Mapping[str, str] = {
    "list": "list",
    "create": "post",
    "deletecollection": "deletecollection",
    "get": "get",
    "update": "put",
    "patch": "patch",
    "delete": "delete",
}
"""Discovery's verbs as `x-kubernetes-action` names them."""
SPOKEN: Mapping[str, str] = {
    "list": "list",
    "post": "create",
    "deletecollection": "delete",
    "get": "read",
    "put": "replace",
    "patch": "patch",
    "delete": "delete",
    "watch": "watch",
    "watchlist": "watch",
}
"""Actions as the names of operations have them."""
COLLECTION = frozenset({"list", "post", "deletecollection"})
PROXIED = ("delete", "get", "head", "options", "patch", "post", "put")
CODES: Mapping[str, tuple[str, ...]] = {
    "post": ("200", "201", "202"),
    "put": ("200", "201"),
    "patch": ("200", "201"),
    "delete": ("200", "202"),
}
WORDS = {"200": "OK", "201": "Created", "202": "Accepted"}

RETURNED = frozenset(
    {
        ("", "persistentvolumeclaims"),
        ("", "persistentvolumes"),
        ("", "pods"),
        ("", "podtemplates"),
        ("", "resourcequotas"),
        ("", "serviceaccounts"),
        ("", "services"),
    }
)
RETURNING_GROUPS = frozenset({"resource.k8s.io", "storage.k8s.io"})
"""A delete of these answers the object, and not a Status."""


class Operation(NamedTuple):
    """One method of one path."""

    path: str
    method: str
    id: str
    tag: str
    description: str
    action: str = ""
    gvk: Mapping[str, str] = {}
    queries: tuple[str, ...] = ()
    takes: tuple[str, ...] = ANYTHING
    gives: tuple[str, ...] = ANSWERS
    body: str = ""
    """The definition of the body, `""` for none."""
    answer: str = ""
    """The definition of the answer; `TEXT`, or `""` for none."""
    codes: tuple[str, ...] = ("200",)


def definition_name(kind: Kind) -> str:
    """The definition of a kind; a custom one is named after its group, read backwards."""
    if isinstance(kind.schema, str):
        return kind.schema
    return ".".join([*reversed(kind.group.split(".")), kind.version, kind.kind])


def gvk_of(kind: Kind) -> dict[str, str]:
    return {"group": kind.group, "kind": kind.kind, "version": kind.version}


# Discovery and other pages ------------------------------------------------------------------------------


def page_operations() -> dict[str, list[Operation]]:
    """What is below no group, by the name of its document."""
    information = "get service account issuer OpenID configuration, also known as the 'OIDC discovery doc'"
    keys = "get service account issuer OpenID JSON Web Key Set (contains public token verification keys)"
    version = "get the version information for this server"
    found = {
        "api": Operation("/api/", "get", "getCoreAPIVersions", "core", "get available API versions"),
        "apis": Operation("/apis/", "get", "getAPIVersions", "apis", "get available API versions"),
        "version": Operation("/version/", "get", "getCodeVersion", "version", version),
        ".well-known/openid-configuration": Operation(
            "/.well-known/openid-configuration/",
            "get",
            "getServiceAccountIssuerOpenIDConfiguration",
            "WellKnown",
            information,
        ),
        "openid/v1/jwks": Operation(
            "/openid/v1/jwks/", "get", "getServiceAccountIssuerOpenIDKeyset", "openid", keys
        ),
    }
    answers: Mapping[str, tuple[str, tuple[str, ...]]] = {
        "api": (META + "APIVersions", ANSWERS),
        "apis": (META + "APIGroupList", ANSWERS),
        "version": ("io.k8s.apimachinery.pkg.version.Info", (JSON,)),
        ".well-known/openid-configuration": (TEXT, (JSON,)),
        "openid/v1/jwks": (TEXT, ("application/jwk-set+json",)),
    }
    return {
        name: [operation._replace(answer=answers[name][0], gives=answers[name][1], takes=())]
        for name, operation in found.items()
    }


def group_operation(group: str) -> Operation:
    """`GET /apis/GROUP/`."""
    name = _camel(_group_tag(group))
    path, what = f"/apis/{group}/", "get information of a group"
    return Operation(
        path, "get", f"get{name}APIGroup", _group_tag(group), what, answer=META + "APIGroup", takes=()
    )


def version_operation(group: str, version: str) -> Operation:
    """`GET /apis/GROUP/VERSION/`."""
    tag = f"{_group_tag(group)}_{version}"
    path = f"/apis/{group}/{version}/" if group else f"/api/{version}/"
    return Operation(
        path,
        "get",
        f"get{_camel(tag)}APIResources",
        tag,
        "get available resources",
        answer=META + "APIResourceList",
        takes=(),
    )


# Kinds --------------------------------------------------------------------------------------------------


def operations(kind: Kind) -> Iterator[Operation]:
    """Every operation on a kind and its subresources."""
    base = f"/apis/{kind.group}/{kind.version}" if kind.group else f"/api/{kind.version}"
    scope = "/namespaces/{namespace}" if kind.namespaced else ""
    collection = f"{base}{scope}/{kind.plural}"
    for verb in kind.verbs:
        action = VERBS.get(verb)
        if action:
            yield _operation(kind, collection if action in COLLECTION else collection + "/{name}", action)
    if kind.namespaced and "list" in kind.verbs:
        yield _operation(kind, f"{base}/{kind.plural}", "list", everywhere=True)
    if "watch" in kind.verbs and isinstance(kind.schema, str):
        watched = f"{base}/watch{scope}/{kind.plural}"
        yield _operation(kind, watched, "watchlist")
        yield _operation(kind, watched + "/{name}", "watch")
        if kind.namespaced:
            yield _operation(kind, f"{base}/watch/{kind.plural}", "watchlist", everywhere=True)
    for name in subresources.names(kind):
        yield from _subresource_operations(kind, name, f"{collection}/{{name}}/{name}")


def _operation(kind: Kind, path: str, action: str, *, everywhere: bool = False) -> Operation:
    own, tag = definition_name(kind), _tag(kind)
    scope = "Namespaced" if kind.namespaced and not everywhere else ""
    if action == "deletecollection":
        scope = "Collection" + scope
    suffix = ("List" if action == "watchlist" else "") + ("ForAllNamespaces" if everywhere else "")
    custom = not isinstance(kind.schema, str)
    gives: tuple[str, ...] = CUSTOM_ANSWERS if custom else ANSWERS
    if action in ("list", "watch", "watchlist") and not custom:
        gives += EVENTS
    status = "" if _returns(kind) and action == "delete" else META + "Status"
    answers = {
        "list": own + "List",
        "watch": META + "WatchEvent",
        "watchlist": META + "WatchEvent",
        "delete": status or own,
        "deletecollection": META + "Status",
    }
    return Operation(
        path,
        METHODS[action],
        f"{SPOKEN[action]}{_camel(tag)}{scope}{kind.kind}{suffix}",
        tag,
        _description(kind, action),
        action,
        gvk_of(kind),
        QUERIES.get(action, ()),
        _takes(kind, action),
        gives,
        _bodies(own).get(action, ""),
        answers.get(action, own),
        CODES.get(action, ("200",)),
    )


def _description(kind: Kind, action: str) -> str:
    many = kind.kind.endswith("s") and not kind.kind.endswith("ss")
    article = "" if many else "an " if kind.kind[0] in "AEIOU" else "a "
    name = f"{article}{kind.kind}"
    listed = "list or watch" if "watch" in kind.verbs else "list"
    return {
        "list": f"{listed} objects of kind {kind.kind}",
        "post": f"create {name}",
        "get": f"read the specified {kind.kind}",
        "put": f"replace the specified {kind.kind}",
        "patch": f"partially update the specified {kind.kind}",
        "delete": f"delete {name}",
        "deletecollection": f"delete collection of {kind.kind}",
        "watch": f"watch {name}. Deprecated: list with `watch` and a field selector on the name.",
        "watchlist": f"watch objects of kind {kind.kind}. Deprecated: list with `watch`.",
    }[action]


def _bodies(own: str) -> Mapping[str, str]:
    return {
        "post": own,
        "put": own,
        "patch": META + "Patch",
        "delete": META + "DeleteOptions",
        "deletecollection": META + "DeleteOptions",
    }


def _takes(kind: Kind, action: str) -> tuple[str, ...]:
    if action != "patch":
        return ANYTHING
    return PATCHES if isinstance(kind.schema, str) else CUSTOM_PATCHES


def _returns(kind: Kind) -> bool:
    return (kind.group, kind.plural) in RETURNED or (
        kind.group in RETURNING_GROUPS and kind.plural != "csistoragecapacities"
    )


def _subresource_operations(kind: Kind, name: str, path: str) -> Iterator[Operation]:
    found = subresources.describe(kind, name)
    group, version = found.group or kind.group, found.version or kind.version
    gvk = {"group": group, "kind": found.kind, "version": version}
    if found.kind.endswith("Options"):
        yield from _connections(kind, name, path, gvk)
        return
    own = definition_name(kind) if found.kind == kind.kind else _definition_of(group, version, found.kind)
    tag = _tag(kind)
    what = f"{'Namespaced' if kind.namespaced else ''}{kind.kind}{name.capitalize()}"
    plain = ANSWERS if isinstance(kind.schema, str) else CUSTOM_ANSWERS
    for verb in found.verbs:
        action = VERBS[verb]
        described = {"post": f"create {name} of a {kind.kind}", "patch": f"partially update {name} of the"}
        text = described.get(action, f"{SPOKEN[action]} {name} of the")
        yield Operation(
            path,
            METHODS[action],
            f"{SPOKEN[action]}{_camel(tag)}{what}",
            tag,
            text if action == "post" else f"{text} specified {kind.kind}",
            action,
            gvk,
            LOG if name == "log" else QUERIES.get(action, ()),
            _takes(kind, action),
            ("text/plain", *ANSWERS) if name == "log" else plain,
            _bodies(own).get(action, ""),
            TEXT if name == "log" else own,
            CODES.get(action, ("200",)),
        )


def _connections(kind: Kind, name: str, path: str, gvk: Mapping[str, str]) -> Iterator[Operation]:
    """What becomes a connection, or a request of its own to somebody else."""
    tag = _tag(kind)
    what = f"{'Namespaced' if kind.namespaced else ''}{kind.kind}{name.capitalize()}"
    for suffix, below in (("", ""), ("WithPath", "/{path}"))[: 2 if name == "proxy" else 1]:
        for method in PROXIED if name == "proxy" else ("get", "post"):
            yield Operation(
                path + below,
                method,
                f"connect{_camel(tag)}{method.capitalize()}{what}{suffix}",
                tag,
                f"connect {method.upper()} requests to {name} of {kind.kind}",
                "connect",
                gvk,
                CONNECTIONS[name],
                gives=ANYTHING,
                answer=TEXT,
            )


def _definition_of(group: str, version: str, kind: str) -> str:
    package = group.partition(".")[0] or "core"
    name = f"io.k8s.api.{package}.{version}.{kind}"
    return name if name in definitions() else ""


def _tag(kind: Kind) -> str:
    return f"{_group_tag(kind.group)}_{kind.version}"


def _group_tag(group: str) -> str:
    first, *rest = (group.removesuffix(".k8s.io") or "core").split(".")
    return first + "".join(part.capitalize() for part in rest)


def _camel(tag: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in tag.split("_"))


# Dialects -----------------------------------------------------------------------------------------------


def paths(described: Iterable[Operation], version: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """The path items of operations, in order of path."""
    items: dict[str, dict[str, Operation]] = {}
    for operation in described:
        items.setdefault(operation.path, {})[operation.method] = operation
    for path in sorted(items):
        methods = items[path]
        shared = _shared(list(methods.values()))
        item: dict[str, Any] = {
            method: _described(methods[method], shared, version) for method in sorted(methods)
        }
        kind = next(iter(methods.values())).gvk.get("kind", "object")
        parameters = [
            _parameter(name, kind, version, in_path=True) for name in IN_PATH if f"{{{name}}}" in path
        ]
        parameters += [_parameter(name, kind, version) for name in sorted(shared)]
        if parameters:
            item["parameters"] = parameters
        yield path, item


def _shared(described: Sequence[Operation]) -> frozenset[str]:
    """The query parameters that all operations of a path have."""
    if not described[0].action:
        return frozenset()
    common = frozenset.intersection(*(frozenset(operation.queries) for operation in described))
    connects = any(operation.action == "connect" for operation in described)
    return common if connects else common | {"pretty"}


def _described(operation: Operation, shared: frozenset[str], version: int) -> dict[str, Any]:
    kind = operation.gvk.get("kind", "object")
    parameters = [_parameter(name, kind, version) for name in operation.queries if name not in shared]
    described: dict[str, Any] = {
        "description": operation.description,
        "operationId": operation.id,
        "tags": [operation.tag],
    }
    if operation.action:
        described["x-kubernetes-action"] = operation.action
        described["x-kubernetes-group-version-kind"] = operation.gvk
    required = {"required": True} if operation.method in ("post", "put", "patch") else {}
    if version == V2:
        takes = operation.takes or (operation.gives if operation.answer != TEXT else ())
        described |= {"produces": list(operation.gives), "schemes": ["https"]}
        if takes:
            described["consumes"] = list(takes)
        if operation.body:
            reference = {"$ref": PREFIXES[V2] + operation.body}
            parameters.insert(0, {"in": "body", "name": "body", **required, "schema": reference})
    elif operation.body:
        reference = {"$ref": PREFIXES[V3] + operation.body}
        content = {name: {"schema": reference} for name in operation.takes}
        described["requestBody"] = {"content": content, **required}
    if parameters:
        described["parameters"] = parameters
    described["responses"] = _responses(operation, version)
    return described


def _responses(operation: Operation, version: int) -> dict[str, Any]:
    answers: dict[str, Any] = {}
    schema = (
        {"type": "string"} if operation.answer == TEXT else {"$ref": PREFIXES[version] + operation.answer}
    )
    for code in operation.codes:
        answer: dict[str, Any] = {"description": WORDS[code]}
        if operation.answer and version == V2:
            answer["schema"] = schema
        elif operation.answer:
            answer["content"] = {name: {"schema": schema} for name in operation.gives}
        answers[code] = answer
    answers["401"] = {"description": "Unauthorized"}
    return answers


def _parameter(name: str, kind: str, version: int, *, in_path: bool = False) -> dict[str, Any]:
    of_type, description = PARAMETERS[name]
    parameter: dict[str, Any] = {
        "description": description.format(kind=kind),
        "in": "path" if in_path else "query",
        "name": name,
    }
    if in_path:
        parameter["required"] = True
    if version == V2:
        return {**parameter, "type": of_type, "uniqueItems": True}
    return {**parameter, "schema": {"type": of_type, "uniqueItems": True}}

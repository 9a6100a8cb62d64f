"""What the OpenAPI documents say: definitions and paths, made from the package's definitions and the kinds.

Pure: kinds in, plain values out, one definition or one path at a time so that no whole document need ever be held
as a tree. Both dialects come from the same `Operation`s; v2 is Swagger 2.0, v3 is OpenAPI 3.0.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from mamekube.kinds import subresources
from mamekube.kinds.kind import Kind
from mamekube.objects.schema import OBJECT_META, definitions

V2 = 2
V3 = 3

META = "io.k8s.apimachinery.pkg.apis.meta.v1."
INT_OR_STRING = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"
QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"

PREFIXES: Mapping[int, str] = {V2: "#/definitions/", V3: "#/components/schemas/"}

ANSWERS = ("application/json", "application/yaml")
PATCHES = (
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
)
DESCRIBED_BY = "io.k8s.api.core.v1.ConfigMap"
"""A kind whose words for `apiVersion`, `kind` and `metadata` custom ones take over."""
CUSTOM_PATCHES = tuple(name for name in PATCHES if "strategic" not in name)

PARAMETERS: Mapping[str, tuple[str, str]] = {
    "allowWatchBookmarks": ("boolean", "Ask a watch for events of type BOOKMARK."),
    "continue": ("string", "Where an earlier list of limited length ended."),
    "dryRun": ("string", "With the value All nothing is stored."),
    "fieldManager": ("string", "The name under which the fields that this request writes are noted."),
    "fieldSelector": ("string", "Select objects by their fields."),
    "fieldValidation": ("string", "What to do about unknown and repeated fields: Ignore, Warn or Strict."),
    "force": ("boolean", "Apply also what other managers own."),
    "gracePeriodSeconds": ("integer", "Seconds before the object is deleted; 0 deletes at once."),
    "labelSelector": ("string", "Select objects by their labels."),
    "limit": ("integer", "How many objects to return at most."),
    "orphanDependents": ("boolean", "Deprecated: use propagationPolicy."),
    "propagationPolicy": ("string", "What happens to dependents: Orphan, Background or Foreground."),
    "resourceVersion": ("string", "The version of the collection to read or to watch from."),
    "resourceVersionMatch": ("string", "How resourceVersion is compared in a list."),
    "sendInitialEvents": ("boolean", "Begin a watch with what is there."),
    "timeoutSeconds": ("integer", "How long a list or a watch may take."),
    "watch": ("boolean", "Follow changes instead of listing."),
}
"""Query parameters: their type and what they are for."""

LIST = (
    "allowWatchBookmarks continue fieldSelector labelSelector limit resourceVersion resourceVersionMatch "
    "sendInitialEvents timeoutSeconds watch"
)
WRITE = "dryRun fieldManager fieldValidation"
DELETE = "dryRun gracePeriodSeconds orphanDependents propagationPolicy"

METHODS: Mapping[str, str] = {
    "list": "get",
    "post": "post",
    "deletecollection": "delete",
    "get": "get",
    "put": "put",
    "patch": "patch",
    "delete": "delete",
    "connect": "post",
}
QUERIES: Mapping[str, tuple[str, ...]] = {
    "list": tuple(LIST.split()),
    "post": tuple(WRITE.split()),
    "put": tuple(WRITE.split()),
    "patch": (*WRITE.split(), "force"),
    "delete": tuple(DELETE.split()),
    "deletecollection": tuple(sorted({*DELETE.split(), *LIST.split()} - {"allowWatchBookmarks", "watch"})),
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

COLLECTION = frozenset({"list", "post", "deletecollection"})


class Operation(NamedTuple):
    """One method of one path."""

    path: str
    action: str
    id: str
    tag: str
    gvk: Mapping[str, str]
    body: str
    """The definition of the body, `""` for none."""
    answer: str
    patches: tuple[str, ...]


# Definitions --------------------------------------------------------------------------------------------


def definition_name(kind: Kind) -> str:
    """The definition of a kind; a custom one is named after its group, read backwards."""
    if isinstance(kind.schema, str):
        return kind.schema
    return ".".join([*reversed(kind.group.split(".")), kind.version, kind.kind])


def custom_definitions(kind: Kind) -> dict[str, dict[str, Any]]:
    """The definitions of a custom kind and of its list, in the package's form."""
    name, top = definition_name(kind), _described_metadata()
    own = _with_embedded(kind.schema, top) if isinstance(kind.schema, Mapping) else {}
    own["type"] = "object"
    own["properties"] = {**(own.get("properties") or {}), **top}
    own["x-kubernetes-group-version-kind"] = [gvk_of(kind)]
    conventions = "https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md"
    listed = {
        "description": f"{kind.kind}List is a list of {kind.kind}",
        "type": "object",
        "required": ["items"],
        "properties": {
            **top,
            "metadata": {
                "description": f"Standard list metadata. More info: {conventions}#types-kinds",
                "$ref": f"#/$defs/{META}ListMeta",
            },
            "items": {
                "description": f"List of {kind.plural}. More info: {conventions}",
                "type": "array",
                "items": {"$ref": "#/$defs/" + name},
            },
        },
        "x-kubernetes-group-version-kind": [{**gvk_of(kind), "kind": kind.list_kind or kind.kind + "List"}],
    }
    return {name: own, name + "List": listed}


def _described_metadata() -> dict[str, Any]:
    """`apiVersion`, `kind` and `metadata` as every object has them."""
    properties = definitions()[DESCRIBED_BY]["properties"]
    return {
        "apiVersion": {"description": properties["apiVersion"]["description"], "type": "string"},
        "kind": {"description": properties["kind"]["description"], "type": "string"},
        "metadata": {
            "description": properties["metadata"]["description"],
            "$ref": "#/$defs/" + OBJECT_META,
        },
    }


def _with_embedded(schema: Mapping[str, Any], top: Mapping[str, Any]) -> dict[str, Any]:
    """The schema with what every resource inside of it has."""
    made = dict(schema)
    if made.get("properties"):
        made["properties"] = {name: _with_embedded(below, top) for name, below in made["properties"].items()}
    for key in ("items", "additionalProperties"):
        if isinstance(made.get(key), Mapping):
            made[key] = _with_embedded(made[key], top)
    if made.get("x-kubernetes-embedded-resource"):
        made["properties"] = {**(made.get("properties") or {}), **top}
    return made


def closure(kinds: Iterable[Kind]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The definitions that the operations of `kinds` need, in order of name, in the package's form."""
    custom: dict[str, dict[str, Any]] = {}
    wanted = {META + "Status", META + "DeleteOptions", META + "Patch", META + "WatchEvent"}
    for kind in kinds:
        if not isinstance(kind.schema, str):
            custom |= custom_definitions(kind)
        for operation in operations(kind):
            wanted |= {operation.body, operation.answer} - {""}
    pending, found = list(wanted), set[str]()
    while pending:
        name = pending.pop()
        if name not in found and (name in custom or name in definitions()):
            found.add(name)
            pending.extend(references(custom.get(name) or definitions()[name]))
    for name in sorted(found):
        yield name, custom.get(name) or definitions()[name]


def references(value: Any) -> Iterator[str]:
    """The names of all definitions that a definition refers to."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key == "$ref" and isinstance(item, str):
                yield item.removeprefix("#/$defs/")
            else:
                yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


def dialect(name: str, definition: Mapping[str, Any], version: int) -> dict[str, Any]:
    """A definition of the package in the words of one version of OpenAPI."""
    if version == V2 and _keeps_unknown(definition) and "x-kubernetes-group-version-kind" in definition:
        # kubectl would refuse every field that is not listed.
        return {key: definition[key] for key in ("type", "x-kubernetes-group-version-kind")}
    result = _translated(definition, version)
    if name == INT_OR_STRING:
        return {
            **_described(definition),
            "format": "int-or-string",
            **({"type": "string"} if version == V2 else {"oneOf": [{"type": "integer"}, {"type": "string"}]}),
        }
    if name == QUANTITY and version == V2:
        return {**_described(definition), "type": "string"}
    if "x-kubernetes-group-version-kind" in definition:
        for prop in ("apiVersion", "kind"):
            result.get("properties", {}).get(prop, {}).pop("enum", None)
    return result


def _described(definition: Mapping[str, Any]) -> dict[str, Any]:
    return {"description": definition["description"]} if "description" in definition else {}


_V2_LACKS = frozenset({"nullable", "oneOf", "anyOf", "allOf", "not", "default", "x-kubernetes-validations"})


def _keeps_unknown(schema: Mapping[str, Any]) -> bool:
    return bool(schema.get("x-kubernetes-preserve-unknown-fields"))


def _for_v2(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Without what clients of v2 stumble over: null and unknown fields beside known ones, lists of anything."""
    properties = schema.get("properties") or {}
    nullable = [name for name, below in properties.items() if below.get("nullable")]
    untyped = bool(schema.get("nullable")) or (_keeps_unknown(schema) and schema.get("type") == "object")
    dropped = {"properties", "items"} if schema.get("nullable") or _keeps_unknown(schema) else set()
    if untyped or (schema.get("type") == "array" and ("items" in dropped or "items" not in schema)):
        dropped.add("type")
    if not dropped and not nullable:
        return schema
    plain = {key: value for key, value in schema.items() if key not in dropped}
    if nullable and "required" in plain:
        plain["required"] = [name for name in plain["required"] if name not in nullable]
        if not plain["required"]:
            del plain["required"]
    return plain


def _translated(schema: Mapping[str, Any], version: int) -> dict[str, Any]:
    result: dict[str, Any] = {}
    if version == V2:
        schema = _for_v2(schema)
    for key, value in schema.items():
        if key == "type" and isinstance(value, list):
            result[key] = next(item for item in value if item != "null")
        elif key == "$ref":
            result[key] = PREFIXES[version] + value.removeprefix("#/$defs/")
        elif key == "properties":
            result[key] = {name: _translated(item, version) for name, item in value.items()}
        elif key in ("items", "additionalProperties", "not") and isinstance(value, Mapping):
            if key != "not" or version == V3:
                result[key] = _translated(value, version)
        elif key in ("oneOf", "anyOf", "allOf"):
            if version == V3:
                result[key] = [_translated(item, version) for item in value]
        elif version == V3 or key not in _V2_LACKS:
            result[key] = value
    if version == V3 and "$ref" in result and len(result) > 1:
        return {"allOf": [{"$ref": result.pop("$ref")}], **result}
    return result


# Operations ---------------------------------------------------------------------------------------------


def gvk_of(kind: Kind) -> dict[str, str]:
    return {"group": kind.group, "kind": kind.kind, "version": kind.version}


def operations(kind: Kind) -> Iterator[Operation]:
    """Every operation on a kind and its subresources."""
    base = f"/apis/{kind.group}/{kind.version}" if kind.group else f"/api/{kind.version}"
    scope = f"{base}/namespaces/{{namespace}}" if kind.namespaced else base
    collection = f"{scope}/{kind.plural}"
    for verb in kind.verbs:
        action = VERBS.get(verb)
        if action:
            path = collection if action in COLLECTION else collection + "/{name}"
            yield _operation(kind, path, action)
    if kind.namespaced and "list" in kind.verbs:
        yield _operation(kind, f"{base}/{kind.plural}", "list", everywhere=True)
    for name in subresources.names(kind):
        yield from _subresource_operations(kind, name, f"{collection}/{{name}}/{name}")


def _operation(kind: Kind, path: str, action: str, *, everywhere: bool = False) -> Operation:
    own = definition_name(kind)
    scope = "Namespaced" if kind.namespaced and not everywhere else ""
    verbs = {"get": "read", "put": "replace", "post": "create", "deletecollection": "deleteCollection"}
    verb = verbs.get(action, action)
    if action == "deletecollection":
        verb, scope = "delete", "Collection" + scope
    answer = {"list": own + "List", "delete": META + "Status", "deletecollection": META + "Status"}.get(
        action, own
    )
    body = {"post": own, "put": own, "patch": META + "Patch"}.get(action, "")
    if action in ("delete", "deletecollection"):
        body = META + "DeleteOptions"
    suffix = "ForAllNamespaces" if everywhere else ""
    tag = _tag(kind)
    identifier = f"{verb}{_camel(tag)}{scope}{kind.kind}{suffix}"
    return Operation(path, action, identifier, tag, gvk_of(kind), body, answer, _patches(kind))


def _subresource_operations(kind: Kind, name: str, path: str) -> Iterator[Operation]:
    found = subresources.describe(kind, name)
    group, version = found.group or kind.group, found.version or kind.version
    gvk = {"group": group, "kind": found.kind, "version": version}
    own = definition_name(kind) if found.kind == kind.kind else _definition_of(group, version, found.kind)
    connects = found.kind.endswith("Options")
    for verb in found.verbs:
        action = VERBS.get(verb, "")
        if not action or (connects and action not in ("get", "post")):
            continue
        verbs = {"get": "read", "put": "replace", "post": "create"}
        tag = _tag(kind)
        scope = "Namespaced" if kind.namespaced else ""
        what = f"{scope}{kind.kind}{name.capitalize()}"
        if connects:
            identifier = f"connect{_camel(tag)}{action.capitalize()}{what}"
        else:
            identifier = f"{verbs.get(action, action)}{_camel(tag)}{what}"
        body = "" if connects else {"post": own, "put": own, "patch": META + "Patch"}.get(action, "")
        answer = "" if connects or name == "log" else own
        yield Operation(path, action, identifier, tag, gvk, body, answer, _patches(kind))


def _definition_of(group: str, version: str, kind: str) -> str:
    package = group.partition(".")[0] or "core"
    name = f"io.k8s.api.{package}.{version}.{kind}"
    return name if name in definitions() else ""


def _patches(kind: Kind) -> tuple[str, ...]:
    return PATCHES if isinstance(kind.schema, str) else CUSTOM_PATCHES


def _tag(kind: Kind) -> str:
    group = kind.group.removesuffix(".k8s.io") or "core"
    first, *rest = group.split(".")
    return first + "".join(part.capitalize() for part in rest) + "_" + kind.version


def _camel(tag: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in tag.split("_"))


def paths(kinds: Iterable[Kind], version: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """The path items of `kinds`, in order of path."""
    items: dict[str, dict[str, Operation]] = {}
    for kind in kinds:
        for operation in operations(kind):
            items.setdefault(operation.path, {})[METHODS[operation.action]] = operation
    for path in sorted(items):
        methods = items[path]
        item: dict[str, Any] = {
            method: _described_operation(methods[method], version) for method in sorted(methods)
        }
        names = [name for name in ("name", "namespace") if f"{{{name}}}" in path]
        if names:
            item["parameters"] = [_path_parameter(name, version) for name in names]
        yield path, item


def _described_operation(operation: Operation, version: int) -> dict[str, Any]:
    gvk = operation.gvk
    parameters = [_query_parameter(name, version) for name in QUERIES.get(operation.action, ())]
    described: dict[str, Any] = {
        "description": f"{operation.action} {gvk['kind']}",
        "operationId": operation.id,
        "tags": [operation.tag],
        "x-kubernetes-action": operation.action,
        "x-kubernetes-group-version-kind": gvk,
    }
    takes = operation.patches if operation.action == "patch" else ("*/*",)
    if version == V2:
        described |= {"consumes": list(takes), "produces": list(ANSWERS), "schemes": ["https"]}
        if operation.body:
            reference = {"$ref": PREFIXES[V2] + operation.body}
            parameters.insert(0, {"in": "body", "name": "body", "schema": reference})
    elif operation.body:
        reference = {"$ref": PREFIXES[V3] + operation.body}
        described["requestBody"] = {"content": {name: {"schema": reference} for name in takes}}
    if parameters:
        described["parameters"] = parameters
    described["responses"] = _responses(operation, version)
    return described


def _responses(operation: Operation, version: int) -> dict[str, Any]:
    codes = {
        "post": ("200", "201", "202"),
        "put": ("200", "201"),
        "patch": ("200", "201"),
        "delete": ("200", "202"),
    }
    words = {"200": "OK", "201": "Created", "202": "Accepted"}
    answers: dict[str, Any] = {}
    for code in codes.get(operation.action, ("200",)):
        answer: dict[str, Any] = {"description": words[code]}
        if operation.answer:
            reference = {"$ref": PREFIXES[version] + operation.answer}
            if version == V2:
                answer["schema"] = reference
            else:
                answer["content"] = {name: {"schema": reference} for name in ANSWERS}
        answers[code] = answer
    answers["401"] = {"description": "Unauthorized"}
    return answers


def _query_parameter(name: str, version: int) -> dict[str, Any]:
    kind, description = PARAMETERS[name]
    parameter: dict[str, Any] = {"description": description, "in": "query", "name": name}
    return _typed(parameter, kind, version)


def _path_parameter(name: str, version: int) -> dict[str, Any]:
    what = "name of the object" if name == "name" else "namespace of the object"
    return _typed({"description": what, "in": "path", "name": name, "required": True}, "string", version)


def _typed(parameter: dict[str, Any], kind: str, version: int) -> dict[str, Any]:
    if version == V2:
        return {**parameter, "type": kind, "uniqueItems": True}
    return {**parameter, "schema": {"type": kind, "uniqueItems": True}}

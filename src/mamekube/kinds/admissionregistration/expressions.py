"""What may stand in the expressions of webhooks and policies, and whether what stands there compiles."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mamekube.kinds.fields import Found
from mamekube.objects import cel
from mamekube.objects.cel.types import (
    BOOL,
    DYN,
    INT,
    NULL,
    STRING,
    TIMESTAMP,
    ObjectType,
    Type,
    list_of,
    map_of,
    object_type,
)
from mamekube.objects.fielderrors import duplicate, invalid, required

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
MAPS = map_of(STRING, STRING)
STRINGS = list_of(STRING)

_KIND = object_type("kubernetes.GroupVersionKind", dict.fromkeys(("group", "version", "kind"), STRING))
_RESOURCE = object_type(
    "kubernetes.GroupVersionResource", dict.fromkeys(("group", "version", "resource"), STRING)
)
_USER = object_type(
    "kubernetes.UserInfo",
    {"username": STRING, "uid": STRING, "groups": STRINGS, "extra": map_of(STRING, STRINGS)},
)
REQUEST = object_type(
    "kubernetes.AdmissionRequest",
    {
        "kind": _KIND,
        "resource": _RESOURCE,
        "subResource": STRING,
        "requestKind": _KIND,
        "requestResource": _RESOURCE,
        "requestSubResource": STRING,
        "name": STRING,
        "namespace": STRING,
        "operation": STRING,
        "userInfo": _USER,
        "dryRun": BOOL,
        "options": DYN,
    },
)
NAMESPACE_METADATA = {
    "name": STRING,
    "generateName": STRING,
    "namespace": STRING,
    "labels": MAPS,
    "annotations": MAPS,
    "UID": STRING,
    "creationTimestamp": TIMESTAMP,
    "deletionGracePeriodSeconds": INT,
    "deletionTimestamp": TIMESTAMP,
    "generation": INT,
    "resourceVersion": STRING,
    "finalizers": STRINGS,
}
NAMESPACE = object_type(
    "kubernetes.Namespace",
    {
        "metadata": object_type("kubernetes.NamespaceMetadata", NAMESPACE_METADATA),
        "spec": object_type("kubernetes.NamespaceSpec", {"finalizers": STRINGS}),
        "status": object_type("kubernetes.NamespaceStatus", {"phase": STRING}),
    },
)
AUTHORIZER = object_type(
    "kubernetes.authorization.Authorizer",
    {"requestResource": Type("kubernetes.authorization.ResourceCheck")},
)


class _Anything(dict[str, Type]):
    """The fields of a type that has every field."""

    def get(self, key: str, default: Any = None) -> Type:
        return DYN


JSON_PATCH = object_type("JSONPatch", {"op": STRING, "path": STRING, "from": STRING, "value": DYN})
OBJECT = ObjectType("Object", _Anything)
PATCHES = list_of(JSON_PATCH)


def containers(name: str) -> ObjectType | None:
    """The types of message literals in mutations: `Object{…}`, `Object.spec{…}`, `JSONPatch{…}`."""
    if name == "JSONPatch":
        return JSON_PATCH
    return ObjectType(name, _Anything) if name.partition(".")[0] == "Object" else None


def scope(
    *,
    params: bool = False,
    authorizer: bool = True,
    variables: Mapping[str, Type] | None = None,
    obj: Type = DYN,
    param: Type = DYN,
) -> dict[str, Type]:
    """The variables that an expression may use, with their types."""
    known: dict[str, Type] = {"object": obj, "oldObject": obj, "request": REQUEST}
    if params:
        known["params"] = param
    if authorizer:
        known["authorizer"] = AUTHORIZER
    if variables is not None:
        known["namespaceObject"] = NAMESPACE
        known["variables"] = object_type("kubernetes.variables", dict(variables))
    return known


def mismatch(found: Type, wanted: tuple[Type, ...]) -> str:
    """What upstream says of an expression that has another type than it should, or the empty text."""
    if found in wanted or not wanted:
        return ""
    names = [str(one) for one in wanted]
    return (
        f"must evaluate to {names[0]}" if len(names) == 1 else f"must evaluate to one of [{' '.join(names)}]"
    )


def check(
    expression: str, path: str, known: Mapping[str, Type], found: Found, *wanted: Type, mutating: bool = False
) -> Type:
    """Compile the expression; its type. What is wrong with it goes into `found`."""
    if not expression.strip():
        found.append(required(path, ""))
        return DYN
    try:
        program = cel.compile(expression, variables=known, containers=containers if mutating else None)
    except cel.CelCompileError as error:
        found.append(invalid(path, expression, f"compilation failed: {error}"))
        return DYN
    if problem := mismatch(program.type, wanted):
        found.append(invalid(path, expression, problem))
    return program.type


def check_conditions(
    conditions: Any, path: str, found: Found, *, params: bool = False, namespaces: bool = False
) -> None:
    """`matchConditions` of webhooks, and of policies, which know their params and namespaces."""
    known = scope(params=params, variables={} if namespaces else None)
    names: set[str] = set()
    for index, condition in enumerate(conditions or ()):
        name = condition.get("name") or ""
        if not name:
            found.append(required(f"{path}[{index}].name"))
        elif name in names:
            found.append(duplicate(f"{path}[{index}].name", name))
        names.add(name)
        check(condition.get("expression") or "", f"{path}[{index}].expression", known, found, BOOL)


def check_variables(spec: Mapping[str, Any], found: Found, *, params: bool) -> dict[str, Type]:
    """`spec.variables`, each of which may use those before it. Their types, by name."""
    known: dict[str, Type] = {}
    for index, variable in enumerate(spec.get("variables") or ()):
        path = f"spec.variables[{index}]"
        name = variable.get("name") or ""
        if not name:
            found.append(required(f"{path}.name", "name is not specified"))
            continue
        if not NAME.fullmatch(name):
            found.append(invalid(f"{path}.name", name, "name is not a valid CEL identifier"))
            continue
        if name in known:
            found.append(duplicate(f"{path}.name", name))
        expression = variable.get("expression") or ""
        known[name] = check(expression, f"{path}.expression", scope(params=params, variables=known), found)
    return known


def check_validations(spec: Mapping[str, Any], found: Found, variables: Mapping[str, Type]) -> None:
    """Expressions and messages of a ValidatingAdmissionPolicy."""
    params = spec.get("paramKind") is not None
    known = scope(params=params, variables=variables)
    quiet = scope(params=params, authorizer=False, variables=variables)
    for index, rule in enumerate(spec.get("validations") or ()):
        path = f"spec.validations[{index}]"
        if (rule.get("expression") or "").strip():
            check(rule["expression"], f"{path}.expression", known, found, BOOL)
        _check_message(rule, path, found)
        if rule.get("messageExpression"):
            check(rule["messageExpression"], f"{path}.messageExpression", quiet, found, STRING)
    for index, annotation in enumerate(spec.get("auditAnnotations") or ()):
        path = f"spec.auditAnnotations[{index}]"
        expression = annotation.get("valueExpression") or ""
        if not expression.strip():
            found.append(required(f"{path}.valueExpression", "valueExpression is not specified"))
        else:
            check(expression, f"{path}.valueExpression", quiet, found, STRING, NULL)


def _check_message(rule: Mapping[str, Any], path: str, found: Found) -> None:
    message = rule.get("message") or ""
    trimmed = message.strip()
    if message and not trimmed:
        found.append(invalid(f"{path}.message", message, "message must be non-empty if specified"))
    elif "\n" in trimmed:
        found.append(invalid(f"{path}.message", message, "message must not contain line breaks"))


def check_mutations(spec: Mapping[str, Any], found: Found, variables: Mapping[str, Type]) -> None:
    """Expressions of a MutatingAdmissionPolicy."""
    known = scope(params=spec.get("paramKind") is not None, variables=variables)
    for index, mutation in enumerate(spec.get("mutations") or ()):
        path = f"spec.mutations[{index}]"
        for form, wanted in (("jsonPatch", PATCHES), ("applyConfiguration", OBJECT)):
            given = mutation.get(form)
            if given is not None:
                expression = given.get("expression") or ""
                check(expression, f"{path}.{form}.expression", known, found, wanted, mutating=True)

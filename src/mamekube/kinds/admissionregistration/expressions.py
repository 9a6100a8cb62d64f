"""What may stand in the expressions of webhooks and policies, and whether what stands there compiles."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mamekube.kinds.fields import Found, check_required
from mamekube.objects import cel, names
from mamekube.objects.cel.parser import RESERVED
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
from mamekube.objects.fielderrors import duplicate, invalid, not_supported, required, too_many
from mamekube.objects.meta import Object, name_of

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
CONDITIONS_MAX = 64
ANNOTATIONS_MAX = 20
ANNOTATION_BYTES_MAX = 5 * 1024
"""Of an expression."""
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
FORMS = {"ApplyConfiguration": ("applyConfiguration", OBJECT), "JSONPatch": ("jsonPatch", PATCHES)}
REASONS = frozenset(("Forbidden", "Invalid", "RequestEntityTooLarge"))


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
    """The variables that an expression may use, with their types. Of `variables` there are those of the moment."""
    known = {"object": obj, "oldObject": obj, "request": REQUEST, "namespaceObject": NAMESPACE}
    if params:
        known["params"] = param
    if authorizer:
        known["authorizer"] = AUTHORIZER
    if variables is not None:
        known["variables"] = object_type("kubernetes.variables", variables)
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
    expression: str,
    path: str,
    known: Mapping[str, Type],
    found: Found,
    *wanted: Type,
    mutating: bool = False,
    shown: str = "",
) -> Type:
    """Compile the expression; its type. What is wrong with it goes into `found`, with the text `shown`."""
    if not expression.strip():
        found.append(required(path, ""))
        return DYN
    try:
        program = cel.compile(expression, variables=known, containers=containers if mutating else None)
    except cel.CelCompileError as error:
        found.append(invalid(path, shown or expression, f"{error.step}: {error}"))
        return DYN
    if problem := mismatch(program.type, wanted):
        found.append(invalid(path, shown or expression, problem))
    return program.type


def check_conditions(conditions: Any, path: str, found: Found, *, params: bool = False) -> None:
    """`matchConditions` of webhooks and of policies, which know their params. There are no variables yet."""
    known = scope(params=params)
    taken: set[str] = set()
    if len(conditions or ()) > CONDITIONS_MAX:
        found.append(too_many(path, len(conditions), CONDITIONS_MAX))
    for index, condition in enumerate(conditions or ()):
        name, where = condition.get("name") or "", f"{path}[{index}]"
        check((condition.get("expression") or "").strip(), f"{where}.expression", known, found, BOOL)
        check_required(name, f"{where}.name", names.qualified_name, found)
        if name and name in taken:
            found.append(duplicate(f"{where}.name", name))
        taken.add(name)


def check_variables(
    spec: Mapping[str, Any], found: Found, *, params: bool, mutating: bool = False
) -> dict[str, Type] | None:
    """`spec.variables`, each of which may use those before it. Their types, by name; None where there are none."""
    known: dict[str, Type] = {}
    for index, variable in enumerate(spec.get("variables") or ()):
        path, name = f"spec.variables[{index}]", variable.get("name") or ""
        if not name.strip():
            found.append(required(f"{path}.name", "name is not specified"))
        elif not NAME.fullmatch(name) or name in RESERVED:
            found.append(invalid(f"{path}.name", name, "must be a valid CEL identifier"))
        expression = variable.get("expression") or ""
        if not expression.strip():
            found.append(required(f"{path}.expression", "expression is not specified"))
            continue
        known[name] = check(expression, f"{path}.expression", scope(params=params, variables=known), found)
    return known if known or mutating else None


def check_validations(policy: Object, found: Found, variables: Mapping[str, Type] | None) -> None:
    """Expressions and messages of a ValidatingAdmissionPolicy."""
    spec = policy.get("spec") or {}
    params = spec.get("paramKind") is not None
    known = scope(params=params, variables=variables)
    quiet = scope(params=params, authorizer=False, variables=variables)
    for index, rule in enumerate(spec.get("validations") or ()):
        path = f"spec.validations[{index}]"
        expression = rule.get("expression") or ""
        if not expression.strip():
            found.append(required(f"{path}.expression", "expression is not specified"))
        else:
            check(expression, f"{path}.expression", known, found, BOOL)
        _check_message(rule, path, quiet, found)
        if rule.get("reason") is not None and rule["reason"] not in REASONS:
            found.append(not_supported(f"{path}.reason", rule["reason"], REASONS))
    annotations = spec.get("auditAnnotations") or []
    if len(annotations) > ANNOTATIONS_MAX:
        detail = f"must not have more than {ANNOTATIONS_MAX} auditAnnotations"
        found.append(invalid("spec.auditAnnotations", annotations, detail))
    taken: set[str] = set()
    for index, annotation in enumerate(annotations):
        path, key = f"spec.auditAnnotations[{index}]", annotation.get("key") or ""
        _check_annotation(annotation, name_of(policy), path, known, found)
        if key in taken:
            found.append(duplicate(f"{path}.key", key))
        taken.add(key)


def _check_message(rule: Mapping[str, Any], path: str, quiet: Mapping[str, Type], found: Found) -> None:
    expression = rule.get("messageExpression") or ""
    if expression and not expression.strip():
        found.append(invalid(f"{path}.messageExpression", expression, "must be non-empty if specified"))
    elif expression:
        check(expression, f"{path}.messageExpression", quiet, found, STRING)
    message = rule.get("message") or ""
    trimmed = message.strip()
    if message and not trimmed:
        found.append(invalid(f"{path}.message", message, "must be non-empty if specified"))
    elif "\n" in trimmed or "\r" in trimmed:
        found.append(invalid(f"{path}.message", message, "must not contain line breaks"))


def _check_annotation(
    annotation: Mapping[str, Any], policy: str, path: str, known: Mapping[str, Type], found: Found
) -> None:
    key = annotation.get("key") or ""
    if not policy:
        found.append(invalid(f"{path}.key", key, "requires metadata.name be non-empty"))
    else:
        whole = f"{policy}/{key}"
        found += [invalid(f"{path}.key", whole, problem) for problem in names.qualified_name(whole)]
    text = annotation.get("valueExpression") or ""
    where, trimmed = f"{path}.valueExpression", text.strip()
    if not trimmed:
        found.append(required(where, "valueExpression is not specified"))
    elif len(trimmed.encode()) > ANNOTATION_BYTES_MAX:
        found.append(required(where, f"must not exceed {ANNOTATION_BYTES_MAX} bytes in length"))
    else:
        check(trimmed, where, known, found, STRING, NULL, shown=text)


def check_mutation(mutation: Mapping[str, Any], path: str, known: Mapping[str, Type], found: Found) -> None:
    """A patch of the form that it says it has, and no other."""
    kind = mutation.get("patchType") or ""
    if not kind:
        found.append(required(f"{path}.patchType"))
        return
    if kind not in FORMS:
        found.append(not_supported(f"{path}.patchType", kind, FORMS))
        return
    for name, (field, wanted) in FORMS.items():
        given, where = mutation.get(field), f"{path}.{field}"
        if name == kind and given is None:
            found.append(required(where, f"must be specified when patchType is {kind}"))
        elif name == kind and given is not None:
            expression = (given.get("expression") or "").strip()
            check(expression, f"{where}.expression", known, found, wanted, mutating=True)
        elif given is not None:
            detail = f"must not be specified when patchType is {kind}"
            found.append(invalid(where, "{" + field + "}", detail))

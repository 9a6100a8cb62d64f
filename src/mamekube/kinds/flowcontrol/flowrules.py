"""The rules of a FlowSchema: whose requests for what belong to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.fields import Found, check, check_required
from mamekube.objects import names
from mamekube.objects.fielderrors import duplicate, forbidden, invalid, not_supported, required
from mamekube.objects.meta import Object

ALL = "*"
SUBJECTS = {"ServiceAccount": "serviceAccount", "User": "user", "Group": "group"}
"""Kinds, with the field that holds such a subject, in the order in which upstream looks at the fields."""
VERBS = frozenset(
    ("create", "delete", "deletecollection", "get", "list", "patch", "proxy", "update", "watch")
)


def validate_conditions(obj: Object) -> Found:
    """Of the status of a FlowSchema, or of a priority level."""
    found: Found = []
    seen: set[str] = set()
    for index, condition in enumerate(cells.status_of(obj).get("conditions") or ()):
        path, kind = f"status.conditions[{index}].type", condition.get("type") or ""
        if kind in seen:
            found.append(duplicate(path, kind))
        seen.add(kind)
        if not kind:
            found.append(required(path, "must not be empty"))
    return found


def validate_rule(rule: dict[str, Any], path: str, found: Found) -> None:
    subjects = rule.get("subjects") or ()
    for index, subject in enumerate(subjects):
        _validate_subject(subject, f"{path}.subjects[{index}]", found)
    if not subjects:
        found.append(required(f"{path}.subjects", "subjects must contain at least one value"))
    resources, others = rule.get("resourceRules") or (), rule.get("nonResourceRules") or ()
    if not resources and not others:
        detail = "at least one of resourceRules and nonResourceRules has to be non-empty"
        found.append(required(path, detail))
    for index, wanted in enumerate(resources):
        _validate_resources(wanted, f"{path}.resourceRules[{index}]", found)
    for index, wanted in enumerate(others):
        _validate_others(wanted, f"{path}.nonResourceRules[{index}]", found)


def _validate_subject(subject: dict[str, Any], path: str, found: Found) -> None:
    kind = subject.get("kind") or ""
    if kind not in SUBJECTS:
        found.append(not_supported(f"{path}.kind", kind, frozenset(SUBJECTS)))
        return
    field = SUBJECTS[kind]
    chosen = subject.get(field)
    if chosen is None:
        found.append(required(f"{path}.{field}", f"{field} is required when subject kind is '{kind}'"))
    elif kind == "ServiceAccount":
        _validate_account(chosen, f"{path}.{field}", found)
    elif not chosen.get("name"):
        found.append(required(f"{path}.{field}.name"))
    for other, name in SUBJECTS.items():
        if other != kind and subject.get(name) is not None:
            detail = f"{name} is forbidden when subject kind is not '{other}'"
            found.append(forbidden(f"{path}.{name}", detail))


def _validate_account(account: dict[str, Any], path: str, found: Found) -> None:
    if account.get("name") != ALL:
        check_required(account.get("name"), f"{path}.name", names.dns1123_subdomain, found)
    if account.get("namespace"):
        check(account["namespace"], f"{path}.namespace", names.dns1123_label, found)
    else:
        found.append(required(f"{path}.namespace", "must specify namespace for service account"))


def _validate_verbs(rule: dict[str, Any], path: str, found: Found) -> None:
    verbs = rule.get("verbs") or []
    if not verbs:
        found.append(required(f"{path}.verbs", "verbs must contain at least one value"))
    elif ALL in verbs:
        _validate_alone(verbs, f"{path}.verbs", found, others="verbs")
    elif not VERBS.issuperset(verbs):
        found.append(not_supported(f"{path}.verbs", verbs, VERBS))


def _validate_alone(items: Sequence[str], path: str, found: Found, *, others: str) -> None:
    if len(items) > 1 and ALL in items:
        found.append(invalid(path, items, f"if '*' is present, must not specify other {others}"))


def _validate_resources(rule: dict[str, Any], path: str, found: Found) -> None:
    _validate_verbs(rule, path, found)
    for field, one, others in (
        ("apiGroups", "api group", "api groups"),
        ("resources", "resource", "resources"),
    ):
        items = rule.get(field) or ()
        if not items:
            found.append(required(f"{path}.{field}", f"resource rules must supply at least one {one}"))
        _validate_alone(items, f"{path}.{field}", found, others=others)
    namespaces, path = rule.get("namespaces") or (), f"{path}.namespaces"
    if not namespaces and not rule.get("clusterScope"):
        detail = "resource rules that are not cluster scoped must supply at least one namespace"
        found.append(required(path, detail))
    elif ALL in namespaces:
        _validate_alone(namespaces, path, found, others="namespaces")
    else:
        intro = "each member of this list must be '*' or a DNS-1123 label; "
        found += [
            invalid(f"{path}[{index}]", namespace, intro + message)
            for index, namespace in enumerate(namespaces)
            for message in names.dns1123_label(namespace)
        ]


def _validate_others(rule: dict[str, Any], path: str, found: Found) -> None:
    _validate_verbs(rule, path, found)
    urls, path = rule.get("nonResourceURLs") or (), f"{path}.nonResourceURLs"
    if not urls:
        found.append(required(path, "nonResourceURLs must contain at least one value"))
    elif ALL in urls:
        _validate_alone(urls, path, found, others="non-resource URLs")
    else:
        found += [
            invalid(f"{path}[{index}]", url, problem)
            for index, url in enumerate(urls)
            if (problem := _url_problem(url))
        ]


def _url_problem(url: str) -> str:
    if not url:
        return "must not be empty"
    if url == "/":
        return ""
    if not url.startswith("/"):
        return "must start with slash"
    if " " in url:
        return "must not contain white-space"
    if "//" in url:
        return "must not contain double slash"
    stars = url.count(ALL)
    return "wildcard can only do suffix matching" if stars > 1 or (stars and url[-2:] != "/*") else ""

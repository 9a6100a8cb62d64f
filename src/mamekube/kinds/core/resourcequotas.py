"""`ResourceQuota` of `v1`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.fields import Found, check_quantity
from mamekube.kinds.kind import Column, Kind
from mamekube.kinds.podspec.defaults import canonicalize
from mamekube.kinds.podspec.resources import is_of_quotas, is_whole, validate_quota_name
from mamekube.objects.fielderrors import Struct, invalid, required
from mamekube.objects.meta import Object

COLUMNS = (
    cells.NAME,
    Column(
        name="Request",
        description="Request represents a minimum amount of cpu/memory that a container may consume.",
    ),
    Column(
        name="Limit",
        description="Limits control the maximum amount of cpu/memory that a container may use independent of "
        "contention on the node.",
    ),
    cells.AGE,
)


def default(quota: Object) -> None:
    canonicalize(cells.spec_of(quota).get("hard"))


def prepare_create(quota: Object) -> None:
    quota["status"] = {}


def row(quota: Object, now_s: float) -> list[Any]:
    status = cells.status_of(quota)
    hard, used = status.get("hard") or {}, status.get("used") or {}
    texts: dict[bool, list[str]] = {True: [], False: []}
    for resource in sorted(hard):
        amounts = f"{cells.quantity_text(used.get(resource))}/{cells.quantity_text(hard[resource])}"
        texts[resource.startswith("limits.")].append(f"{resource}: {amounts}")
    return [cells.name(quota), ", ".join(texts[False]), ", ".join(texts[True]), cells.age(quota, now_s)]


SCOPES = frozenset(
    (
        "Terminating",
        "NotTerminating",
        "BestEffort",
        "NotBestEffort",
        "PriorityClass",
        "CrossNamespacePodAffinity",
        "VolumeAttributesClass",
    )
)
CONFLICTS = (frozenset(("BestEffort", "NotBestEffort")), frozenset(("Terminating", "NotTerminating")))
OF_PODS = frozenset(
    ("pods", "cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory")
)
OF_CLAIMS = frozenset(("persistentvolumeclaims", "requests.storage"))
ONLY_EXISTS = (
    "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, "
    "ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or "
    "ResourceQuotaScopeCrossNamespacePodAffinity"
)

TOLD_MAX = 100
"""Refusals that each show all scopes: a hundred thousand of those would be more than there is memory."""


def validate(quota: Object) -> Found:
    found: Found = []
    spec = cells.spec_of(quota)
    _validate_amounts(spec.get("hard"), "spec.hard", found)
    _validate_scopes(spec, found)
    if spec.get("scopeSelector") is not None:
        _validate_selector(spec, found)
    return found


def _validate_amounts(amounts: dict[str, Any] | None, path: str, found: Found) -> None:
    for name, amount in (amounts or {}).items():
        validate_quota_name(name, f"{path}[{name}]", found)
        check_quantity(amount, f"{path}[{name}]", found, integer=is_whole(name))


def _validate_scopes(spec: dict[str, Any], found: Found) -> None:
    scopes = spec.get("scopes") or []
    details = islice(_scope_problems(scopes, _counted(spec)), TOLD_MAX)
    found.extend(invalid("spec.scopes", scopes, detail) for detail in details)
    if any(pair <= set(scopes) for pair in CONFLICTS):
        found.append(invalid("spec.scopes", scopes, "conflicting scopes"))


def _scope_problems(scopes: Sequence[str], names: Sequence[str]) -> Iterator[str]:
    for scope in scopes:
        if scope not in SCOPES:
            yield "unsupported scope"
        for name in names:
            if not _fits(scope, name):
                yield "unsupported scope applied to resource"


def _counted(spec: dict[str, Any]) -> list[str]:
    return [name for name in sorted(spec.get("hard") or ()) if is_of_quotas(name)]


def _fits(scope: str, name: str) -> bool:
    """Whether what a quota counts may be in the scope at all."""
    if scope == "BestEffort":
        return name == "pods"
    if scope == "VolumeAttributesClass":
        return name in OF_CLAIMS
    return scope not in SCOPES or name in OF_PODS


def _validate_selector(spec: dict[str, Any], found: Found) -> None:
    selector, path = spec["scopeSelector"], "spec.scopeSelector.matchExpressions"
    expressions = selector.get("matchExpressions") or ()
    shown = Struct(MatchExpressions=[_shown(one) for one in expressions])
    names, left = _counted(spec), TOLD_MAX
    for expression in expressions:
        scope, operator = expression.get("scopeName") or "", expression.get("operator") or ""
        values = expression.get("values") or []
        if scope not in SCOPES:
            found.append(invalid(f"{path}.scopeName", scope, "unsupported scope"))
        unfit = list(islice((name for name in names if not _fits(scope, name)), left))
        found.extend(invalid(path, shown, "unsupported scope applied to resource") for _ in unfit)
        left -= len(unfit)
        if scope in SCOPES - {"PriorityClass", "VolumeAttributesClass"} and operator != "Exists":
            found.append(invalid(f"{path}.operator", operator, ONLY_EXISTS))
        if operator in ("In", "NotIn"):
            if not values:
                detail = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"
                found.append(required(f"{path}.values", detail))
        elif operator in ("Exists", "DoesNotExist"):
            if values:
                detail = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector"
                found.append(invalid(f"{path}.values", values, detail))
        else:
            found.append(invalid(f"{path}.operator", operator, "not a valid selector operator"))
    named = {expression.get("scopeName") for expression in expressions}
    if any(pair <= named for pair in CONFLICTS):
        found.append(invalid(path, spec.get("scopes"), "conflicting scopes"))


def _shown(expression: dict[str, Any]) -> Struct:
    return Struct(
        ScopeName=expression.get("scopeName") or "",
        Operator=expression.get("operator") or "",
        Values=expression.get("values"),
    )


def validate_update(new: Object, old: Object) -> Found:
    scopes, had = cells.spec_of(new).get("scopes") or [], cells.spec_of(old).get("scopes") or []
    return [] if set(scopes) == set(had) else [invalid("spec.scopes", scopes, "field is immutable")]


def validate_status(new: Object, old: Object) -> Found:
    found: Found = []
    for field in ("hard", "used"):
        _validate_amounts(cells.status_of(new).get(field), f"status.{field}", found)
    return found


KIND = Kind(
    group="",
    version="v1",
    plural="resourcequotas",
    singular="resourcequota",
    kind="ResourceQuota",
    short_names=("quota",),
    schema="io.k8s.api.core.v1.ResourceQuota",
    has_status=True,
    default=default,
    prepare_create=prepare_create,
    columns=COLUMNS,
    row=row,
    validate=validate,
    validate_update=validate_update,
    validate_status=validate_status,
)

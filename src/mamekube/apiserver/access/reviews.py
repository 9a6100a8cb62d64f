"""Questions about identity and access that are answered and never stored.

TokenReview, SelfSubjectReview, SubjectAccessReview and its local and self forms, SelfSubjectRulesReview.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mamekube.apiserver.access.attributes import Attributes
from mamekube.apiserver.access.authentication import Authenticator
from mamekube.apiserver.access.authorization import Authorizer
from mamekube.apiserver.access.node_authorizer import node_name_of
from mamekube.apiserver.request import Request, User, user_info
from mamekube.foundation.jwt import InvalidToken
from mamekube.kinds.fields import Found, check
from mamekube.kinds.kind import Kind
from mamekube.objects import names, status
from mamekube.objects.fielderrors import Struct, forbidden, invalid, required
from mamekube.objects.meta import Object, metadata


class Reviews:
    """`create_review` answers the object that was posted, with its status."""

    def __init__(self, authenticator: Authenticator, authorizer: Authorizer) -> None:
        self._authenticator = authenticator
        self._authorizer = authorizer

    async def create_review(self, kind: Kind, obj: Object, request: Request) -> Object:
        """Raises 422 for a review without a question, 400 for one in another namespace."""
        answer = {**obj, "metadata": metadata(obj)}
        spec = obj.get("spec") or {}
        if kind.kind == "TokenReview":
            answer["status"] = await self._review_token(kind, spec)
        elif kind.kind == "SelfSubjectReview":
            answer["status"] = {"userInfo": user_info(request.user)}
        elif kind.kind == "SelfSubjectRulesReview":
            answer["status"] = self._rules(kind, spec, request.user)
        else:
            answer["status"] = self._review_access(kind, obj, request)
        return answer

    async def _review_token(self, kind: Kind, spec: Mapping[str, Any]) -> dict[str, Any]:
        token = spec.get("token")
        if not token:
            raise status.bad_request("token is required for TokenReview in authentication")
        audiences = spec.get("audiences") or []
        try:
            user, matching = await self._authenticator.review(token, audiences)
        except InvalidToken as error:
            # Upstream asks one authenticator more, for itself, whose complaint comes first; what is said twice is
            # written once.
            own = "invalid bearer token"
            return {"user": {}, "error": own if str(error) == own else f"[{own}, {error}]"}
        return {"authenticated": True, "user": user_info(user), "audiences": list(matching)}

    def _review_access(self, kind: Kind, obj: Object, request: Request) -> dict[str, Any]:
        spec = obj.get("spec") or {}
        own = kind.kind == "SelfSubjectAccessReview"
        local = kind.kind == "LocalSubjectAccessReview"
        errors = _check_access_spec(spec, own=own) + _check_metadata(obj, local=local)
        if local:
            errors += _check_local(spec, request.namespace)
        if errors:
            raise status.invalid(kind, "", errors)
        user = request.user if own else _user_of(spec)
        decision = self._authorizer.explain(_attributes(spec, user))
        answer: dict[str, Any] = {"allowed": decision.allowed}
        if decision.reason:
            answer["reason"] = decision.reason
        return answer

    def _rules(self, kind: Kind, spec: Mapping[str, Any], user: User) -> dict[str, Any]:
        namespace = spec.get("namespace") or ""
        if not namespace:
            raise status.bad_request("no namespace on request")
        rules, missing = self._authorizer.rules_for(user, namespace)
        answer: dict[str, Any] = {
            "resourceRules": [_resource_rule(rule) for rule in rules if rule.get("resources")],
            "nonResourceRules": [_path_rule(rule) for rule in rules if rule.get("nonResourceURLs")],
            "incomplete": bool(missing) or node_name_of(user) is not None,
        }
        errors = [*missing]
        if node_name_of(user) is not None:
            errors.insert(0, "node authorizer does not support user rule resolution")
        if errors:
            answer["evaluationError"] = errors[0] if len(errors) == 1 else f"[{', '.join(errors)}]"
        return answer


def _user_of(spec: Mapping[str, Any]) -> User:
    extra = {key.lower(): tuple(values) for key, values in (spec.get("extra") or {}).items()}
    return User(spec.get("user", ""), tuple(spec.get("groups") or ()), spec.get("uid", ""), extra)


def _attributes(spec: Mapping[str, Any], user: User) -> Attributes:
    path = spec.get("nonResourceAttributes")
    if path:
        return Attributes(user, path.get("verb", ""), is_resource=False, path=path.get("path", ""))
    resource = spec["resourceAttributes"]
    return Attributes(
        user,
        resource.get("verb", ""),
        group=resource.get("group", ""),
        version=resource.get("version", ""),
        resource=resource.get("resource", ""),
        subresource=resource.get("subresource", ""),
        namespace=resource.get("namespace", ""),
        name=resource.get("name", ""),
        field_selector=_field_selector(resource.get("fieldSelector") or {}),
    )


def _field_selector(selector: Mapping[str, Any]) -> str:
    """The requirements `=` of a selector, as text; others cannot widen what is allowed."""
    if selector.get("rawSelector"):
        return str(selector["rawSelector"])
    return ",".join(
        f"{requirement['key']}={requirement['values'][0]}"
        for requirement in selector.get("requirements") or ()
        if requirement.get("operator") == "In" and len(requirement.get("values") or ()) == 1
    )


def _check_access_spec(spec: Mapping[str, Any], *, own: bool) -> Found:
    resource, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    found: Found = []
    if resource is not None and path is not None:
        detail = "cannot be specified in combination with resourceAttributes"
        found.append(invalid("spec.nonResourceAttributes", _shown_path(path), detail))
    if resource is None and path is None:
        detail = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        found.append(invalid("spec.resourceAttributes", "null", detail))
    if not own and not spec.get("user") and not spec.get("groups"):
        detail = "at least one of user or group must be specified"
        found.append(invalid("spec.user", spec.get("user") or "", detail))
    for field in ("fieldSelector", "labelSelector"):
        selector = (resource or {}).get(field)
        if selector is not None:
            _check_selector(selector, f"spec.resourceAttributes.{field}", found, field=field)
    return found


def _shown_path(path: Mapping[str, Any]) -> Struct:
    return Struct(Path=path.get("path") or "", Verb=path.get("verb") or "")


def _check_selector(selector: Mapping[str, Any], path: str, found: Found, *, field: str) -> None:
    """Operators that are not known are let pass: a newer client may know them, and they allow nothing."""
    raw, requirements = selector.get("rawSelector"), selector.get("requirements") or ()
    if raw and requirements:
        detail = "may not specified at the same time as requirements"
        found.append(invalid(f"{path}.rawSelector", raw, detail))
    if not raw and not requirements:
        detail = f"when {path} is specified, requirements or rawSelector is required"
        found.append(required(f"{path}.requirements", detail))
    for index, requirement in enumerate(requirements):
        requirement_path, key = f"{path}.requirements[{index}]", requirement.get("key") or ""
        operator, values = requirement.get("operator"), requirement.get("values") or ()
        if field == "fieldSelector" and not key:
            found.append(required(f"{requirement_path}.key", "must be specified"))
        if operator in ("In", "NotIn") and not values:
            detail = "must be specified when `operator` is 'In' or 'NotIn'"
            found.append(required(f"{requirement_path}.values", detail))
        elif operator in ("Exists", "DoesNotExist") and values:
            detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
            found.append(forbidden(f"{requirement_path}.values", detail))
        if field == "labelSelector":
            check(key, f"{requirement_path}.key", names.qualified_name, found)
            for place, value in enumerate(values):
                check(value, f"{requirement_path}.values[{place}]", names.label_value, found)


def _check_metadata(obj: Object, *, local: bool) -> Found:
    """A question has no metadata, but for the namespace that a local one is asked in."""
    aside = {"managedFields", "namespace"} if local else {"managedFields"}
    meta = {key: value for key, value in metadata(obj).items() if value and key != "managedFields"}
    if not set(meta) - aside:
        return []
    detail = "must be empty except for namespace" if local else "must be empty"
    return [invalid("metadata", meta, detail)]


def _check_local(spec: Mapping[str, Any], namespace: str) -> Found:
    found: Found = []
    resource, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    if resource is not None and (resource.get("namespace") or "") != namespace:
        detail = "must match metadata.namespace"
        asked = resource.get("namespace") or ""
        found.append(invalid("spec.resourceAttributes.namespace", asked, detail))
    if path is not None:
        detail = "disallowed on this kind of request"
        found.append(invalid("spec.nonResourceAttributes", _shown_path(path), detail))
    return found


_RULE_FIELDS: Sequence[str] = ("verbs", "apiGroups", "resources", "resourceNames")
_PATH_FIELDS: Sequence[str] = ("verbs", "nonResourceURLs")


def _resource_rule(rule: Mapping[str, Any]) -> dict[str, Any]:
    return {field: list(rule[field]) for field in _RULE_FIELDS if rule.get(field)}


def _path_rule(rule: Mapping[str, Any]) -> dict[str, Any]:
    return {field: list(rule[field]) for field in _PATH_FIELDS if rule.get(field)}

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
from mamekube.kinds.kind import Kind
from mamekube.objects import fielderrors, status
from mamekube.objects.fielderrors import FieldError
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
        errors = _check_access_spec(spec, own=own)
        if kind.kind == "LocalSubjectAccessReview":
            errors += _check_local(spec, obj, request.namespace)
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


def _check_access_spec(spec: Mapping[str, Any], *, own: bool) -> list[FieldError]:
    resource, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    errors: list[FieldError] = []
    if resource is not None and path is not None:
        detail = "cannot be specified in combination with resourceAttributes"
        errors.append(fielderrors.invalid("spec.nonResourceAttributes", path, detail))
    if resource is None and path is None:
        detail = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        errors.append(fielderrors.invalid("spec.resourceAttributes", resource, detail))
    if not own and not spec.get("user") and not spec.get("groups"):
        detail = "at least one of user or group must be specified"
        errors.append(fielderrors.invalid("spec.user", spec.get("user", ""), detail))
    return errors


def _check_local(spec: Mapping[str, Any], obj: Object, namespace: str) -> list[FieldError]:
    errors: list[FieldError] = []
    path = spec.get("nonResourceAttributes")
    if path is not None:
        errors.append(
            fielderrors.invalid("spec.nonResourceAttributes", path, "disallowed on this kind of request")
        )
    asked = (spec.get("resourceAttributes") or {}).get("namespace", "")
    if asked != namespace:
        detail = "must match metadata.namespace"
        errors.append(fielderrors.invalid("spec.resourceAttributes.namespace", asked, detail))
    return errors


_RULE_FIELDS: Sequence[str] = ("verbs", "apiGroups", "resources", "resourceNames")
_PATH_FIELDS: Sequence[str] = ("verbs", "nonResourceURLs")


def _resource_rule(rule: Mapping[str, Any]) -> dict[str, Any]:
    return {field: list(rule[field]) for field in _RULE_FIELDS if rule.get(field)}


def _path_rule(rule: Mapping[str, Any]) -> dict[str, Any]:
    return {field: list(rule[field]) for field in _PATH_FIELDS if rule.get(field)}

"""Whether a user may do what a request asks for.

The chain is upstream's: `system:masters` may do everything, the node authorizer answers for kubelets, RBAC for
everybody. Each of them allows or has no opinion; who gets no yes is refused, and the reasons are joined.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any, NamedTuple

from mamekube.apiserver import builtin
from mamekube.apiserver.access.attributes import Attributes
from mamekube.apiserver.access.node_authorizer import NodeAuthorizer, node_name_of
from mamekube.apiserver.access.rbac import MissingRole, Roles, rule_allows, rule_allows_path
from mamekube.apiserver.mirror import ItemMirror, Mirror
from mamekube.apiserver.request import Request, User
from mamekube.foundation.lifecycle import Component
from mamekube.objects.gotext import quoted
from mamekube.objects.meta import Object, name_of, namespace_of
from mamekube.objects.resource import Resource
from mamekube.objects.status import StatusError
from mamekube.store.store import Store

MASTERS = "system:masters"


class Decision(NamedTuple):
    """`reason` says why something is allowed only where `explain` was asked."""

    allowed: bool
    reason: str = ""
    error: str = ""


ALLOWED = Decision(True)
REFUSED = Decision(False)


class Authorizer(Component):
    """Decides from copies of all roles, bindings, pods and volumes that follow the store."""

    def __init__(self, store: Store) -> None:
        super().__init__()
        self.roles = Roles()
        self.nodes = NodeAuthorizer()
        self._mirrors: list[ItemMirror[Any]] = [
            *(
                Mirror(store, resource, digest=_whole, handler=self._role_changed)
                for resource in ROLE_RESOURCES
            ),
            *self.nodes.mirrors(store),
        ]
        self._stack = AsyncExitStack()

    async def start(self) -> None:
        for mirror in self._mirrors:
            await self._stack.enter_async_context(mirror)

    async def stop(self) -> None:
        await self._stack.aclose()

    def authorize(self, attributes: Attributes) -> Decision:
        """Whether it is allowed. Refusals have the reason that the client reads."""
        user = attributes.user
        if MASTERS in user.groups:
            return ALLOWED
        node_reason = ""
        node = node_name_of(user)
        if node is not None:
            node_reason = self.nodes.authorize(node, attributes)
            if not node_reason:
                return ALLOWED
        if self._allowed_by_roles(attributes):
            return ALLOWED
        return self._refusal(user, node_reason.strip())

    def authorize_request(self, request: Request) -> None:
        """Raises 403 with upstream's wording."""
        self.require(Attributes.of(request))

    def require(self, attributes: Attributes) -> None:
        """Raises 403 with upstream's wording."""
        decision = self.authorize(attributes)
        if not decision.allowed:
            raise forbidden(attributes, decision.reason)

    def explain(self, attributes: Attributes) -> Decision:
        """As `authorize`, with the reason also where it is allowed (SubjectAccessReview shows it)."""
        decision = self.authorize(attributes)
        if not decision.allowed or MASTERS in attributes.user.groups:
            return decision
        for grant in self.roles.grants(attributes.user, attributes.namespace):
            if isinstance(grant, MissingRole) or not _grants(grant.rule, attributes):
                continue
            return Decision(True, _reason(grant.binding, grant.subject))
        return decision

    def rules_for(self, user: User, namespace: str) -> tuple[list[Any], list[str]]:
        """All rules of `user` that count in `namespace`, and what could not be resolved."""
        rules: list[Any] = []
        missing: list[str] = []
        for grant in self.roles.grants(user, namespace):
            if isinstance(grant, MissingRole):
                missing.append(str(grant))
            else:
                rules.append(grant.rule)
        return rules, missing

    def _allowed_by_roles(self, attributes: Attributes) -> bool:
        rules = self.roles.rules_of(attributes.user)
        if not attributes.is_resource:
            return rules.everywhere.allows_path(attributes.verb, attributes.path)
        _, verb, _, group, _, resource, subresource, namespace, name, _, _ = attributes
        return rules.allows(verb, group, resource, subresource, namespace, name)

    def _refusal(self, user: User, node_reason: str) -> Decision:
        missing = self.roles.rules_of(user).missing
        if not missing:
            return Decision(False, node_reason) if node_reason else REFUSED
        texts = list(dict.fromkeys(str(role) for role in missing))
        resolution = f"RBAC: {texts[0] if len(texts) == 1 else '[' + ', '.join(texts) + ']'}"
        return Decision(False, "\n".join(filter(None, (node_reason, resolution))))

    def _role_changed(self, old: Object | None, new: Object | None) -> None:
        if new is not None:
            self.roles.put(new, old)
        elif old is not None:
            self.roles.drop(old)


ROLE_RESOURCES: Sequence[Resource] = (
    builtin.CLUSTER_ROLES,
    builtin.CLUSTER_ROLE_BINDINGS,
    builtin.ROLES,
    builtin.ROLE_BINDINGS,
)


def _whole(obj: Object, old: Object | None) -> Object:
    """Roles and bindings are few, and all of them matters."""
    return obj


class Forbidden(StatusError):
    """The refusal of a request by authorization."""


def forbidden(attributes: Attributes, reason: str = "") -> Forbidden:
    """The refusal of a request, as upstream words it."""
    message = sanitized(describe(attributes)) + (f": {reason}" if reason else "")
    if not attributes.resource:
        return Forbidden(403, "Forbidden", f"forbidden: {message}", details={})
    details: dict[str, Any] = {}
    if attributes.name:
        details["name"] = attributes.name
    if attributes.group:
        details["group"] = attributes.group
    details["kind"] = attributes.resource
    subject = f"{attributes.resource}.{attributes.group}" if attributes.group else attributes.resource
    if attributes.name:
        subject += f" {quoted(attributes.name)}"
    return Forbidden(403, "Forbidden", f"{subject} is forbidden: {message}", details=details)


def sanitized(text: str) -> str:
    """What a browser cannot take for HTML, whatever was asked for: it may be shown without a content type."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def describe(attributes: Attributes) -> str:
    """`User "x" cannot list resource "pods" in API group "" in the namespace "default"`"""
    user, verb = quoted(attributes.user.name), attributes.verb
    if not attributes.is_resource:
        return f"User {user} cannot {verb} path {quoted(attributes.path)}"
    resource = attributes.resource
    if attributes.subresource:
        resource += f"/{attributes.subresource}"
    namespace = attributes.namespace
    where = f"in the namespace {quoted(namespace)}" if namespace else "at the cluster scope"
    return f"User {user} cannot {verb} resource {quoted(resource)} in API group {quoted(attributes.group)} {where}"


def _grants(rule: Any, attributes: Attributes) -> bool:
    if not attributes.is_resource:
        return rule_allows_path(rule, attributes.verb, attributes.path)
    _, verb, _, group, _, resource, subresource, _, name, _, _ = attributes
    return rule_allows(rule, verb, group, resource, subresource, name)


def _reason(binding: Object, subject: Any) -> str:
    """Through which binding and role something is allowed, as upstream tells it."""
    reference = binding["roleRef"]
    kind = subject.get("kind", "")
    who = f'{kind} "{subject.get("name", "")}"'
    home = namespace_of(binding)
    if kind == "ServiceAccount":
        who = f'{kind} "{subject.get("name", "")}/{subject.get("namespace") or home}"'
    label = f"{name_of(binding)}/{home}" if home else name_of(binding)
    role = f'{reference.get("kind")} "{reference.get("name")}"'
    return f'RBAC: allowed by {binding["kind"]} "{label}" of {role} to {who}'

"""From a write to the policies that are about it: constraints, bindings, parameters, conditions, variables.

What validating and mutating policies share. A policy is invoked once for each of its bindings that match, and
for each object that the binding's `paramRef` finds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from mamekube.apiserver import builtin
from mamekube.apiserver.access.authorization import Authorizer
from mamekube.apiserver.admission.matching import (
    ExpressionFailed,
    bindings_of,
    namespace_object,
)
from mamekube.apiserver.admission.plugin import Plugin
from mamekube.apiserver.admission.policy_records import Binding, Policies, Policy
from mamekube.apiserver.admission.webhook_review import is_namespace
from mamekube.apiserver.admission.webhooks import ALL_OPERATIONS, view
from mamekube.apiserver.documents import Made
from mamekube.apiserver.versions import home_of, shown
from mamekube.apiserver.writes import Reader, Write
from mamekube.kinds.kind import Kind
from mamekube.objects import cel, selectors, status
from mamekube.objects.cel.values import MISSING, Opaque
from mamekube.objects.meta import Object, labels_of

BUDGET = 10_000_000
"""What one invocation of a policy may cost. Upstream: RuntimeCELCostBudget."""
EXEMPT = frozenset(
    f"{plural}.admissionregistration.k8s.io"
    for plural in (
        "mutatingadmissionpolicies",
        "mutatingadmissionpolicybindings",
        "validatingadmissionpolicies",
        "validatingadmissionpolicybindings",
    )
)
"""No policy is about policies, or a bad one could not be removed."""
UNSEEN = EXEMPT | {
    "selfsubjectreviews.authentication.k8s.io",
    "tokenreviews.authentication.k8s.io",
    "localsubjectaccessreviews.authorization.k8s.io",
    "selfsubjectaccessreviews.authorization.k8s.io",
    "selfsubjectrulesreviews.authorization.k8s.io",
    "subjectaccessreviews.authorization.k8s.io",
}
"""Nor about questions of who somebody is and what he may, which others decide."""


class Misconfigured(Exception):
    """A policy cannot be asked about a write. The text is upstream's."""


class Invocation(NamedTuple):
    """One policy with one binding and one parameter, for one write."""

    policy: Policy
    binding: Binding
    kind: Kind
    """The version of the written kind that the policy is about."""
    param: Object | None


class Failure(NamedTuple):
    """A policy, or one of its bindings, that cannot be asked."""

    policy: Policy
    binding: Binding | None
    message: str


class PolicyPlugin(Plugin):
    """What both plugins share."""

    operations = ALL_OPERATIONS

    def __init__(self, policies: Policies, reader: Reader, authorizer: Authorizer) -> None:
        self._policies = policies
        self._reader = reader
        self._authorizer = authorizer

    @property
    def idle(self) -> bool:
        return not self._policies.bound

    def wants(self, operation: str, target: str) -> bool:
        return super().wants(operation, target) and target.partition("/")[0] not in UNSEEN

    async def invocations(
        self, write: Write, policy: Policy, bound: Sequence[Binding]
    ) -> list[Invocation | Failure]:
        """How often and with what the policy is to be asked about the write. Raises 404."""
        kind = await policy.constraints.kind_for(write, self._reader)
        if kind is None:
            return []
        try:
            source = self._param_kind(policy)
        except Misconfigured as error:
            return [Failure(policy, None, f"failed to configure policy: {error}")]
        found: list[Invocation | Failure] = []
        for binding in bound:
            if await binding.constraints.kind_for(write, self._reader) is None:
                continue
            try:
                params = await self._params(source, binding, write)
            except Misconfigured as error:
                found.append(Failure(policy, binding, f"failed to configure binding: {error}"))
                continue
            found += [Invocation(policy, binding, kind, param) for param in params]
        return found

    async def bindings(self, invocation: Invocation, write: Write) -> dict[str, Any]:
        """The variables of the expressions, but for `variables`. Raises 404."""
        seen = await view(write, invocation.kind)
        bindings = bindings_of(write, seen, authorizer=self._authorizer, params=invocation.param)
        bindings["namespaceObject"] = await self._namespace(write)
        return bindings

    async def _namespace(self, write: Write) -> Object | None:
        if not write.namespace or is_namespace(write.kind):
            return None
        namespace = await self._reader.get(builtin.NAMESPACES, write.namespace)
        if namespace is None:
            raise status.not_found(builtin.NAMESPACES, write.namespace)
        return namespace_object(namespace)

    # Parameters ------------------------------------------------------------------------------------

    def _param_kind(self, policy: Policy) -> Kind | None:
        if policy.param_kind is None:
            return None
        api_version, name = policy.param_kind
        group, _, version = api_version.rpartition("/")
        kind = self._reader.registry.find_kind(group, version, name)
        if kind is None:
            described = f"{group}/{version}, Kind={name}"
            raise Misconfigured(f"failed to find resource referenced by paramKind: '{described}'")
        return kind

    async def _params(self, kind: Kind | None, binding: Binding, write: Write) -> list[Object | None]:
        """Raises Misconfigured."""
        reference = binding.param_ref
        if kind is None or reference is None:
            return [None]
        namespace = reference.get("namespace") or ""
        if not kind.namespaced and namespace:
            raise Misconfigured("paramRef.namespace must not be provided for a cluster-scoped `paramKind`")
        if kind.namespaced and not namespace:
            namespace = write.namespace
            if not namespace:
                raise Misconfigured(
                    "cannot use namespaced paramRef in policy binding that matches cluster-scoped resources"
                )
        found = await self._find_params(kind, reference, namespace)
        if not found and reference.get("parameterNotFoundAction") == "Deny":
            raise Misconfigured("no params found for policy binding with `Deny` parameterNotFoundAction")
        return [(await shown(kind, Made(param))).object for param in found]

    async def _find_params(self, kind: Kind, reference: Any, namespace: str) -> list[Object]:
        home = home_of(kind)
        if reference.get("name"):
            param = await self._reader.get(home, reference["name"], namespace=namespace)
            return [] if param is None else [param]
        if reference.get("selector") is None:
            raise Misconfigured("one of name or selector must be provided")
        selector = selectors.from_label_selector(reference["selector"])
        params = await self._reader.list(home, namespace=namespace)
        return [param for param in params if selector.matches(labels_of(param))]


class Variables(Opaque):
    """The variable `variables`: each is worked out when an expression first reads it."""

    type_name = "kubernetes.variables"

    def __init__(self, policy: Policy, bindings: dict[str, Any], budget: cel.Budget) -> None:
        self._expressions = policy.variables
        self._bindings = bindings
        self._budget = budget
        self._known: dict[str, Any] = {}

    def find(self, name: str) -> Any:
        if name in self._known:
            return self._known[name]
        expression = self._expressions.get(name)
        if expression is None:
            return MISSING
        try:
            value = expression.program().evaluate(self._bindings, budget=self._budget)
        except cel.CelBudgetExceeded:
            raise
        except (cel.CelError, ExpressionFailed) as error:
            raise cel.EvaluationError(f'composited variable "{name}" fails to evaluate: {error}') from None
        self._known[name] = value
        return value


def with_variables(policy: Policy, bindings: dict[str, Any], budget: cel.Budget) -> dict[str, Any]:
    """The bindings with `variables` among them."""
    whole = dict(bindings)
    whole["variables"] = Variables(policy, whole, budget)
    return whole

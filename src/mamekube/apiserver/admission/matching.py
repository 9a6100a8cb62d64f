"""Which writes a policy is about, and what its expressions see of a write.

`Constraints` are the `matchConstraints` of a policy and the `matchResources` of a binding; `Conditions` are the
`matchConditions` that policies and webhooks share. Both are compiled once and then asked for every write.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from mamekube.apiserver import builtin
from mamekube.apiserver.access.attributes import Attributes
from mamekube.apiserver.access.authorization import Authorizer, Decision
from mamekube.apiserver.admission.rules import Rule, compile_rule
from mamekube.apiserver.admission.webhook_review import View, is_namespace, namespace_of, object_kind
from mamekube.apiserver.request import User, user_info
from mamekube.apiserver.versions import home_of
from mamekube.apiserver.writes import CREATE, UPDATE, Reader, Write
from mamekube.kinds.admissionregistration.expressions import containers, scope
from mamekube.kinds.kind import Kind
from mamekube.objects import cel, selectors, status
from mamekube.objects.cel.types import Type
from mamekube.objects.cel.values import MISSING, Opaque
from mamekube.objects.meta import Object, labels_of
from mamekube.objects.selectors import EVERYTHING, Selector

CONDITIONS_BUDGET = 2_500_000
"""What the conditions of one policy or webhook may cost for one write. Upstream's figure, a quarter of a policy's."""
OUT_OF_BUDGET = (
    "validation failed due to running out of cost budget, no further validation expressions will be run"
)


# Constraints --------------------------------------------------------------------------------------------


class NamedRule(NamedTuple):
    """A rule that may be about some objects only."""

    rule: Rule
    names: frozenset[str]

    def covers(self, write: Write) -> bool:
        """Whether it is about such a write, whatever the group and version."""
        if self.names and write.name not in self.names:
            return False
        cluster = is_namespace(write.kind) or not write.namespace
        return self.rule.covers(write.operation, write.kind.plural, write.subresource, cluster=cluster)


class Constraints(NamedTuple):
    """Compiled MatchResources."""

    rules: tuple[NamedRule, ...]
    excluded: tuple[NamedRule, ...]
    namespace_selector: Selector
    object_selector: Selector
    equivalent: bool

    async def kind_for(self, write: Write, reader: Reader) -> Kind | None:
        """The version of the written kind that the policy is about, None where it is not about the write.
        Raises 404 for a namespace that is not there."""
        selector = self.object_selector
        if not selector.empty and not any(
            selector.matches(labels_of(obj)) for obj in (write.object, write.old) if obj is not None
        ):
            return None
        if self._find(self.excluded, write, reader) is not None:
            return None
        kind = self._find(self.rules, write, reader) if self.rules else write.kind
        if kind is None or not await self._wants_namespace(write, reader):
            return None
        return kind

    def _find(self, rules: Sequence[NamedRule], write: Write, reader: Reader) -> Kind | None:
        kind = write.kind
        about = [named.rule for named in rules if named.covers(write)]
        if any(rule.covers_version(kind) for rule in about):
            return kind
        if not about or not self.equivalent:
            return None
        home = home_of(kind).group_resource
        for rule in about:
            for other in reader.registry.all():
                same = other.plural == kind.plural and home_of(other).group_resource == home
                if same and rule.covers_version(other):
                    return other
        return None

    async def _wants_namespace(self, write: Write, reader: Reader) -> bool:
        selector = self.namespace_selector
        if selector.empty:
            return True
        if is_namespace(write.kind) and not write.subresource and write.operation in (CREATE, UPDATE):
            return selector.matches(labels_of(write.object or {}))
        name = namespace_of(write)
        if not name:
            return True
        namespace = await reader.get(builtin.NAMESPACES, name)
        if namespace is None:
            raise status.not_found(builtin.NAMESPACES, name)
        return selector.matches(labels_of(namespace))


def compile_constraints(match: Mapping[str, Any] | None) -> Constraints:
    match = match or {}
    return Constraints(
        rules=_rules(match.get("resourceRules")),
        excluded=_rules(match.get("excludeResourceRules")),
        namespace_selector=_selector(match.get("namespaceSelector")),
        object_selector=_selector(match.get("objectSelector")),
        equivalent=match.get("matchPolicy") != "Exact",
    )


def _rules(rules: Sequence[Object] | None) -> tuple[NamedRule, ...]:
    return tuple(
        NamedRule(compile_rule(rule), frozenset(rule.get("resourceNames") or ())) for rule in rules or ()
    )


def _selector(selector: Mapping[str, Any] | None) -> Selector:
    return selectors.from_label_selector(selector) if selector else EVERYTHING


# What expressions see -----------------------------------------------------------------------------------


def bindings_of(
    write: Write, view: View, *, authorizer: Authorizer, params: Object | None = None
) -> dict[str, Any]:
    """The variables of an expression, but for `variables`; policies put their namespace in."""
    asks = _Authorizer(authorizer, write.user, _request_check(authorizer, write))
    return {
        "object": view.object,
        "oldObject": view.old,
        "request": request_of(write, view.kind),
        "authorizer": asks,
        "params": params,
        "namespaceObject": None,
    }


def request_of(write: Write, kind: Kind) -> dict[str, Any]:
    """The variable `request`: an AdmissionRequest without the objects."""
    request: dict[str, Any] = {
        "uid": "",
        "kind": object_kind(kind, write.subresource),
        "resource": _resource(kind),
        "requestKind": object_kind(write.kind, write.subresource),
        "requestResource": _resource(write.kind),
        "operation": write.operation,
        "userInfo": user_info(write.user),
        "dryRun": write.dry_run,
        "options": dict(write.options) or None,
    }
    if write.subresource:
        request["subResource"] = request["requestSubResource"] = write.subresource
    if write.name:
        request["name"] = write.name
    if namespace := namespace_of(write):
        request["namespace"] = namespace
    return request


def _resource(kind: Kind) -> dict[str, str]:
    return {"group": kind.group, "version": kind.version, "resource": kind.plural}


def namespace_object(namespace: Object | None) -> Object | None:
    """The variable `namespaceObject`: what of a namespace expressions may see."""
    if namespace is None:
        return None
    meta = {key: value for key, value in namespace["metadata"].items() if key not in _HIDDEN}
    return {"metadata": meta, "spec": namespace.get("spec") or {}, "status": namespace.get("status") or {}}


_HIDDEN = frozenset({"managedFields", "ownerReferences", "selfLink"})


class _Authorizer(Opaque):
    """The variable `authorizer`."""

    type_name = "kubernetes.authorization.Authorizer"

    def __init__(self, authorizer: Authorizer, user: User, request: _Check) -> None:
        self._authorizer = authorizer
        self._user = user
        self._request = request

    def find(self, name: str) -> Any:
        return self._request if name == "requestResource" else MISSING

    def refine(self, method: str, *texts: str) -> Any:
        if method == "serviceAccount":
            namespace, name = texts
            groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated")
            user = User(f"system:serviceaccount:{namespace}:{name}", groups)
            return _Authorizer(self._authorizer, user, self._request)
        (text,) = texts
        if method == "path":
            return _Check(self._authorizer, Attributes(self._user, "", False, path=text), "PathCheck")
        return _Check(self._authorizer, Attributes(self._user, "", group=text, version="*"), "GroupCheck")


class _Check(Opaque):
    """A question to the authorizer that still lacks its verb."""

    def __init__(self, authorizer: Authorizer, attributes: Attributes, kind: str) -> None:
        self._authorizer = authorizer
        self._attributes = attributes
        self.type_name = f"kubernetes.authorization.{kind}"

    def refine(self, method: str, text: str) -> _Check:
        field = {"fieldSelector": "field_selector"}.get(method, method)
        attributes = self._attributes
        if field in Attributes._fields:
            changed: dict[str, Any] = {field: text}
            attributes = attributes._replace(**changed)
        return _Check(self._authorizer, attributes, "ResourceCheck")

    def check(self, verb: str) -> _Decision:
        return _Decision(self._authorizer.explain(self._attributes._replace(verb=verb)))


class _Decision(Opaque):
    type_name = "kubernetes.authorization.Decision"

    def __init__(self, decision: Decision) -> None:
        self.allowed, self.reason, self.error = decision.allowed, decision.reason, decision.error


def _request_check(authorizer: Authorizer, write: Write) -> _Check:
    attributes = Attributes(
        write.user,
        "",
        group=write.kind.group,
        version=write.kind.version,
        resource=write.kind.plural,
        subresource=write.subresource,
        namespace=write.namespace,
        name=write.name,
    )
    return _Check(authorizer, attributes, "ResourceCheck")


# Expressions --------------------------------------------------------------------------------------------


class ExpressionFailed(Exception):
    """An expression, or a condition, has no value. The text is upstream's."""


class Expression:
    """One expression of a policy, compiled when it is first needed."""

    __slots__ = ("_known", "_mutating", "_program", "text")

    def __init__(self, text: str, known: Mapping[str, Type], *, mutating: bool = False) -> None:
        self.text = text
        self._known = known
        self._mutating = mutating
        self._program: cel.Program | None = None

    def program(self) -> cel.Program:
        """Raises ExpressionFailed."""
        if self._program is None:
            try:
                self._program = cel.compile(
                    self.text, variables=self._known, containers=containers if self._mutating else None
                )
            except cel.CelCompileError as error:
                raise ExpressionFailed(f"compilation error: {error.step}: {error}") from None
        return self._program

    def evaluate(self, bindings: dict[str, Any], budget: cel.Budget) -> Any:
        """Raises ExpressionFailed, and CelBudgetExceeded when nothing is left of the budget."""
        program = self.program()
        try:
            return program.evaluate(bindings, budget=budget)
        except cel.CelError as error:
            if budget.left < 0:
                raise cel.CelBudgetExceeded(OUT_OF_BUDGET) from None
            raise ExpressionFailed(f"expression '{self.text}' resulted in error: {error}") from None


class Conditions:
    """`matchConditions`: all of them must hold."""

    def __init__(self, conditions: Sequence[Mapping[str, Any]], *, params: bool = False) -> None:
        known = scope(params=params)
        self._expressions = [Expression(condition["expression"], known) for condition in conditions]

    def hold(self, bindings: dict[str, Any]) -> bool:
        """False as soon as one does not hold. Raises ExpressionFailed where some have no value and none is false."""
        failures: list[str] = []
        budget = cel.Budget(CONDITIONS_BUDGET)
        for expression in self._expressions:
            try:
                if expression.evaluate(bindings, budget) is False:
                    return False
            except ExpressionFailed as error:
                failures.append(str(error))
            except cel.CelBudgetExceeded as error:
                raise ExpressionFailed(str(error)) from None
        if failures:
            unique = list(dict.fromkeys(failures))
            raise ExpressionFailed(unique[0] if len(unique) == 1 else f"[{', '.join(unique)}]")
        return True

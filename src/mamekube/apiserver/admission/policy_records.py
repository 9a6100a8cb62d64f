"""Admission policies and their bindings, compiled, as they are now.

A policy is compiled once, when it changes; its expressions when a write first needs them. Policies and bindings
follow the store, so a write makes no request for them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any, NamedTuple

from mamekube.apiserver import builtin
from mamekube.apiserver.admission.matching import Conditions, Constraints, Expression, compile_constraints
from mamekube.apiserver.mirror import Mirror
from mamekube.foundation.lifecycle import Component
from mamekube.kinds.admissionregistration.expressions import scope
from mamekube.objects.cel.types import DYN
from mamekube.objects.meta import Object, name_of
from mamekube.objects.resource import Resource
from mamekube.store.store import Store


class Validation(NamedTuple):
    expression: Expression
    message: str
    message_expression: Expression | None
    reason: str


class Mutation(NamedTuple):
    expression: Expression
    applies: bool
    """Whether it is an apply configuration; else a JSON patch."""


class Policy(NamedTuple):
    """A ValidatingAdmissionPolicy or a MutatingAdmissionPolicy."""

    name: str
    fails: bool
    """failurePolicy: whether a mistake of the policy's own refuses the write."""
    constraints: Constraints
    conditions: Conditions
    param_kind: tuple[str, str] | None
    """apiVersion and kind."""
    variables: Mapping[str, Expression]
    validations: tuple[Validation, ...]
    annotations: tuple[tuple[str, Expression], ...]
    mutations: tuple[Mutation, ...]
    reinvoked: bool


class Binding(NamedTuple):
    name: str
    policy: str
    constraints: Constraints
    param_ref: Mapping[str, Any] | None
    actions: frozenset[str]
    listed_actions: tuple[str, ...]


def compile_policy(policy: Object) -> Policy:
    spec = policy.get("spec") or {}
    param_kind = spec.get("paramKind")
    params = param_kind is not None
    # That the types fit was checked when the policy was written.
    known = scope(params=params, variables={}) | {"variables": DYN}
    quiet = {name: kind for name, kind in known.items() if name != "authorizer"}
    return Policy(
        name=name_of(policy),
        fails=spec.get("failurePolicy") != "Ignore",
        constraints=compile_constraints(spec.get("matchConstraints")),
        conditions=Conditions(spec.get("matchConditions") or (), params=params),
        param_kind=_param_kind(param_kind),
        variables={
            variable["name"]: Expression(variable["expression"], known)
            for variable in spec.get("variables") or ()
        },
        validations=tuple(
            Validation(
                expression=Expression(rule["expression"], known),
                message=(rule.get("message") or "").strip(),
                message_expression=Expression(rule["messageExpression"], quiet)
                if rule.get("messageExpression")
                else None,
                reason=rule.get("reason") or "Invalid",
            )
            for rule in spec.get("validations") or ()
        ),
        annotations=tuple(
            (annotation["key"], Expression(annotation["valueExpression"].strip(), known))
            for annotation in spec.get("auditAnnotations") or ()
        ),
        mutations=tuple(_mutation(mutation, known) for mutation in spec.get("mutations") or ()),
        reinvoked=spec.get("reinvocationPolicy") == "IfNeeded",
    )


def _param_kind(kind: Mapping[str, Any] | None) -> tuple[str, str] | None:
    return None if kind is None else (kind.get("apiVersion") or "", kind.get("kind") or "")


def _mutation(mutation: Object, known: Mapping[str, Any]) -> Mutation:
    applies = mutation.get("patchType") == "ApplyConfiguration"
    given = mutation.get("applyConfiguration" if applies else "jsonPatch") or {}
    return Mutation(
        expression=Expression(given.get("expression") or "", known, mutating=True), applies=applies
    )


def compile_binding(binding: Object) -> Binding:
    spec = binding.get("spec") or {}
    actions = tuple(spec.get("validationActions") or ())
    return Binding(
        name=name_of(binding),
        policy=spec.get("policyName") or "",
        constraints=compile_constraints(spec.get("matchResources")),
        param_ref=spec.get("paramRef"),
        actions=frozenset(actions),
        listed_actions=actions,
    )


class Policies(Component):
    """All policies of one kind that are bound, by name, each with its bindings."""

    def __init__(self, store: Store, policies: Resource, bindings: Resource) -> None:
        super().__init__()
        self.bound: Sequence[tuple[Policy, Sequence[Binding]]] = ()
        self._policies: dict[str, Policy] = {}
        self._bindings: dict[str, Binding] = {}
        self._mirrors: tuple[Mirror[Any], ...] = (
            Mirror(store, policies, digest=_policy_digest, handler=self._policy_changed),
            Mirror(store, bindings, digest=_binding_digest, handler=self._binding_changed),
        )
        self._stack = AsyncExitStack()

    async def start(self) -> None:
        for mirror in self._mirrors:
            await self._stack.enter_async_context(mirror)

    async def stop(self) -> None:
        await self._stack.aclose()

    def _policy_changed(self, old: _Compiled | None, new: _Compiled | None) -> None:
        self._policies = _changed(self._policies, old, new)
        self._join()

    def _binding_changed(self, old: _Compiled | None, new: _Compiled | None) -> None:
        self._bindings = _changed(self._bindings, old, new)
        self._join()

    def _join(self) -> None:
        bindings: dict[str, list[Binding]] = {}
        for name in sorted(self._bindings):
            bindings.setdefault(self._bindings[name].policy, []).append(self._bindings[name])
        self.bound = [
            (self._policies[name], bindings[name]) for name in sorted(self._policies.keys() & bindings)
        ]


class AdmissionPolicies(Component):
    """The policies that both plugins work with."""

    def __init__(self, store: Store) -> None:
        super().__init__()
        self.mutating = Policies(store, builtin.MUTATING_POLICIES, builtin.MUTATING_POLICY_BINDINGS)
        self.validating = Policies(store, builtin.VALIDATING_POLICIES, builtin.VALIDATING_POLICY_BINDINGS)
        self._stack = AsyncExitStack()

    async def start(self) -> None:
        await self._stack.enter_async_context(self.mutating)
        await self._stack.enter_async_context(self.validating)

    async def stop(self) -> None:
        await self._stack.aclose()


class _Compiled(NamedTuple):
    """A policy or binding with the spec that it was made of: a new status makes no new policy."""

    spec: Any
    made: Any


def _policy_digest(policy: Object, old: _Compiled | None) -> _Compiled:
    spec = policy.get("spec")
    return old if old is not None and old.spec == spec else _Compiled(spec, compile_policy(policy))


def _binding_digest(binding: Object, old: _Compiled | None) -> _Compiled:
    spec = binding.get("spec")
    return old if old is not None and old.spec == spec else _Compiled(spec, compile_binding(binding))


def _changed(known: dict[str, Any], old: _Compiled | None, new: _Compiled | None) -> dict[str, Any]:
    if new is not None:
        return {**known, new.made.name: new.made}
    return {name: made for name, made in known.items() if old is None or name != old.made.name}

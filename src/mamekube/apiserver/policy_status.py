"""The status of every ValidatingAdmissionPolicy: what its expressions get wrong about the kinds they are about.

Expressions are compiled with objects of any type when a policy is written, since the kinds may come later. Here
they are checked against the schemas of the kinds that the policy names, and what does not fit is a warning.
`status.observedGeneration` says that this was done. Upstream does it in its controller manager.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import product
from typing import Any

from mamekube.apiserver import builtin
from mamekube.apiserver.formats.fieldvalidation import schema_of
from mamekube.apiserver.mirror import Mirror
from mamekube.apiserver.writes import key_for
from mamekube.foundation.lifecycle import Component
from mamekube.kinds.admissionregistration.expressions import scope
from mamekube.kinds.kind import Kind
from mamekube.kinds.registry import Registry
from mamekube.objects import cel
from mamekube.objects.cel.types import DYN, Type
from mamekube.objects.meta import Object, edited, metadata, name_of, revision_of
from mamekube.store.backend import KeyMissing, RevisionMismatch
from mamekube.store.store import Store

KINDS_MAX = 10
"""That one policy is checked against. Upstream: maxTypesToCheck."""


class PolicyStatus(Component):
    """Costs nothing while there is no policy."""

    def __init__(self, store: Store, registry: Registry) -> None:
        super().__init__()
        self._store = store
        self._registry = registry
        self._unseen: dict[str, Object] = {}
        """Policies by name whose generation is not the observed one."""
        self._wakeup = asyncio.Event()
        self._mirror: Mirror[Object] = Mirror(
            store, builtin.VALIDATING_POLICIES, digest=lambda policy, old: policy, handler=self._changed
        )

    async def start(self) -> None:
        await self._mirror.__aenter__()
        self.spawn(self._check(), name="policy status")

    async def stop(self) -> None:
        await self._mirror.__aexit__(None, None, None)

    def _changed(self, old: Object | None, new: Object | None) -> None:
        if old is not None:
            self._unseen.pop(name_of(old), None)
        if new is not None and (new.get("status") or {}).get("observedGeneration") != _generation(new):
            self._unseen[name_of(new)] = new
            self._wakeup.set()

    async def _check(self) -> None:
        while True:
            await self._wakeup.wait()
            self._wakeup.clear()
            while self._unseen:
                _, policy = self._unseen.popitem()
                await self._write(policy)

    async def _write(self, policy: Object) -> None:
        warnings = check(policy, self._registry)
        status = {
            **(policy.get("status") or {}),
            "observedGeneration": _generation(policy),
            "typeChecking": {"expressionWarnings": warnings} if warnings else {},
        }
        checked = edited(edited(policy, ("status",), status), ("metadata", "resourceVersion"), None)
        key = key_for(builtin.VALIDATING_POLICIES, name=name_of(policy))
        try:
            await self._store.update(key=key, obj=checked, expected=int(revision_of(policy)))
        except (KeyMissing, RevisionMismatch):
            # Whoever changed the policy has woken the next check.
            return


def _generation(policy: Object) -> int:
    return int(metadata(policy).get("generation") or 0)


def check(policy: Object, registry: Registry) -> list[Object]:
    """The `expressionWarnings` of a policy. Pure."""
    spec = policy.get("spec") or {}
    kinds = list(_kinds(spec, registry))
    if not kinds:
        return []
    scopes = [(kind, _scope(spec, kind, registry)) for kind in kinds]
    found: list[Object] = []
    for index, rule in enumerate(spec.get("validations") or ()):
        for field in ("expression", "messageExpression"):
            problems = [
                f"{_described(kind)}: {problem}"
                for kind, known in scopes
                if rule.get(field) and (problem := _problem(rule[field], known))
            ]
            if problems:
                reference = f"spec.validations[{index}].{field}"
                found.append({"fieldRef": reference, "warning": "\n".join(problems)})
    return found


def _kinds(spec: Object, registry: Registry) -> Iterator[Kind]:
    """The kinds that the rules name, none of them by a wildcard."""
    seen: set[tuple[str, str, str]] = set()
    for rule in (spec.get("matchConstraints") or {}).get("resourceRules") or ():
        named = product(
            rule.get("apiGroups") or (), rule.get("apiVersions") or (), rule.get("resources") or ()
        )
        for group, version, plural in sorted(named):
            kind = registry.find(group, version, plural)
            if kind is None or (group, version, plural) in seen:
                continue
            if len(seen) == KINDS_MAX:
                return
            seen.add((group, version, plural))
            yield kind


def _described(kind: Kind) -> str:
    return f"{kind.group}/{kind.version}, Kind={kind.kind}"


def _scope(spec: Object, kind: Kind, registry: Registry) -> dict[str, Type]:
    """The variables of the expressions, where the written object is of this kind."""
    from mamekube.objects.cel.schemas import whole_object

    param: Type = DYN
    param_kind = spec.get("paramKind")
    if param_kind is not None:
        group, _, version = (param_kind.get("apiVersion") or "").rpartition("/")
        found = registry.find_kind(group, version, param_kind.get("kind") or "")
        param = whole_object(schema_of(found)) if found is not None else DYN
    obj = whole_object(schema_of(kind))
    variables: dict[str, Type] = {}
    known: dict[str, Any] = {"params": param_kind is not None, "obj": obj, "param": param}
    for variable in spec.get("variables") or ():
        try:
            program = cel.compile(variable["expression"], variables=scope(**known, variables=variables))
            variables[variable["name"]] = program.type
        except cel.CelError:
            variables[variable["name"]] = DYN
    return scope(**known, variables=variables)


def _problem(expression: str, known: dict[str, Type]) -> str:
    try:
        cel.compile(expression, variables=known)
    except cel.CelError as error:
        return str(error)
    return ""

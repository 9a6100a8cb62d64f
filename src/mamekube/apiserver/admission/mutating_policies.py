"""MutatingAdmissionPolicy: the expressions of policies say how a written object is changed.

Policies are asked in the order of their names, each seeing what those before it made of the object. A policy with
`reinvocationPolicy: IfNeeded` is asked a second time when the object changed after it had seen it; the chain
makes the second pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from mamekube.apiserver.admission.matching import ExpressionFailed
from mamekube.apiserver.admission.plugin import forbidden
from mamekube.apiserver.admission.policy_invocations import (
    BUDGET,
    Failure,
    Invocation,
    PolicyPlugin,
    with_variables,
)
from mamekube.apiserver.admission.policy_records import Mutation
from mamekube.apiserver.admission.webhooks import Passes, put_back, view
from mamekube.apiserver.formats.fieldvalidation import schema_of
from mamekube.apiserver.resources import fresh
from mamekube.apiserver.writes import Write
from mamekube.foundation import sidetrack, slices
from mamekube.kinds.kind import Kind
from mamekube.objects import cel
from mamekube.objects.cel.values import Message
from mamekube.objects.meta import Object, name_of, namespace_of, same
from mamekube.objects.patches import json_patch, typed
from mamekube.objects.schema import LIST, MAP, OBJECT, SCALARS, Schema
from mamekube.objects.status import StatusError

FAILED_TEST = "test failed"


class Unpatchable(Exception):
    """A mutation that cannot be made. The text is upstream's."""


class MutatingAdmissionPolicy(PolicyPlugin):
    name = "MutatingAdmissionPolicy"

    async def mutate(self, write: Write) -> None:
        bound = self._policies.bound
        passes = write.notes.setdefault(self.name, Passes())
        if write.reinvoking and write.object != passes.output:
            passes.object_changed()
        failures: list[Failure] = []
        for policy, bindings in bound:
            for invocation in await self.invocations(write, policy, bindings):
                if isinstance(invocation, Failure):
                    failures.append(invocation)
                else:
                    failures += await self._invoke(invocation, write, passes)
        if any(policy.reinvoked for policy, _ in bound):
            passes.output = fresh(write.object) if write.object is not None else None
        serious = [failure for failure in failures if failure.policy.fails]
        if serious:
            raise _refusal(write, serious)

    async def _invoke(self, invocation: Invocation, write: Write, passes: Passes) -> list[Failure]:
        """Make the mutations, in order; those that cannot be made."""
        policy = invocation.policy
        try:
            bindings = await self.bindings(invocation, write)
            if not await slices.run(partial(policy.conditions.hold, bindings)):
                return []
        except ExpressionFailed as error:
            return [Failure(policy, invocation.binding, str(error))]
        identity = _identity(invocation)
        if write.reinvoking and identity not in passes.again:
            return []
        before = write.object
        failures: list[Failure] = []
        for mutation in policy.mutations:
            if write.object is None:
                continue
            try:
                await self._mutate(mutation, invocation, write)
            except (Unpatchable, ExpressionFailed, cel.CelBudgetExceeded) as error:
                failures.append(Failure(policy, invocation.binding, str(error)))
        if write.object != before:
            passes.object_changed()
            write.reinvoke = True
        if policy.reinvoked:
            passes.called.add(identity)
        return failures

    async def _mutate(self, mutation: Mutation, invocation: Invocation, write: Write) -> None:
        """Raises Unpatchable, ExpressionFailed and CelBudgetExceeded."""
        bindings = await self.bindings(invocation, write)

        def evaluate() -> Any:
            budget = cel.Budget(BUDGET)
            whole = with_variables(invocation.policy, bindings, budget)
            return mutation.expression.evaluate(whole, budget)

        value = await slices.run(evaluate)
        seen = await view(write, invocation.kind)
        assert seen.object is not None
        change = partial(_changed, seen.object, value, mutation, invocation.kind)
        patched = await sidetrack.run(change, size_bytes=write.heavy_bytes)
        if patched is not None:
            await put_back(write, seen, patched)


def _changed(obj: Object, value: Any, mutation: Mutation, kind: Kind) -> Object | None:
    """What the value makes of the object, None where that is the same. Raises Unpatchable."""
    change = _applied if mutation.applies else _patched
    patched = change(obj, value, kind)
    return None if same(patched, obj) else patched


def _identity(invocation: Invocation) -> str:
    param = invocation.param or {"metadata": {}}
    names = (invocation.policy.name, invocation.binding.name, namespace_of(param), name_of(param))
    return "/".join(names) if invocation.param else "/".join(names[:2])


def _refusal(write: Write, failures: Sequence[Failure]) -> StatusError:
    """Upstream keeps the code of a refusal whatever the reason."""
    messages = [_describe(failure) for failure in failures]
    configured = not failures[0].message.startswith("failed to configure ")
    details = {
        **forbidden(write, messages[0]).details,
        "causes": [{"message": message} for message in messages],
    }
    return StatusError(403, "Invalid" if configured else "Forbidden", messages[0], details=details)


def _describe(failure: Failure) -> str:
    who = f"policy '{failure.policy.name}'"
    if failure.binding is not None:
        who += f" with binding '{failure.binding.name}'"
    return f"{who} denied request: {failure.message}"


# JSON patches -------------------------------------------------------------------------------------------


def _patched(obj: Object, value: Any, kind: Kind) -> Object:
    """Raises Unpatchable."""
    operations = [_operation(element) for element in value]
    try:
        patched = json_patch.apply(fresh(obj), operations)
    except StatusError as error:
        cause = error.__cause__ or error
        if str(cause).endswith(FAILED_TEST):
            # Then the patch is not made, and that is no failure.
            return obj
        raise Unpatchable(f"JSONPath: {cause}") from None
    if not isinstance(patched, dict):
        raise Unpatchable("JSONPath: the patched object is no object")
    return patched


def _operation(element: Any) -> dict[str, Any]:
    operation: dict[str, Any] = {"op": element.get("op", ""), "path": element.get("path", "")}
    if element.get("from"):
        operation["from"] = element["from"]
    if "value" in element:
        if isinstance(element["value"], Message):
            _check_names(element["value"], element["value"].type_name)
        operation["value"] = _json(element["value"])
    return operation


def _json(value: Any) -> Any:
    from mamekube.objects.cel.json_values import NotJson, to_json

    try:
        return to_json(value)
    except NotJson as error:
        raise Unpatchable(
            f"JSONPath valueExpression evaluated to a type that could not marshal to JSON: {error}"
        ) from None


# Apply configurations -----------------------------------------------------------------------------------


def _applied(obj: Object, value: Any, kind: Kind) -> Object:
    """The object with everything that the configuration says. Raises Unpatchable."""
    if not isinstance(value, Message):
        raise Unpatchable(
            f"unsupported return type from ApplyConfiguration expression: {cel.type_name(value)}"
        )
    _check_names(value, "Object")
    schema = schema_of(kind)
    config = _json(value)
    for key in ("apiVersion", "kind"):
        config[key] = obj.get(key)
    if atomics := list(_atomics(schema, config, "")):
        names = ", ".join(atomics)
        raise Unpatchable(
            "error applying patch: invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: "
            + names
        )
    try:
        merged: Object = typed.merge(schema, obj, config)
    except ValueError as error:
        raise Unpatchable(f"error applying patch: failed to merge patch: {error}") from None
    return merged


def _check_names(value: Any, wanted: str) -> None:
    """`Object.spec{…}` may stand at the field `spec` of an `Object` only. Raises Unpatchable."""
    if isinstance(value, Message):
        if value.type_name != wanted:
            raise Unpatchable(
                f'type mismatch: unexpected type name "{value.type_name}", expected "{wanted}", '
                "which matches field name path from root Object type"
            )
        for name, inner in value.items():
            _check_names(inner, f"{wanted}.{name}")
    elif isinstance(value, list):
        for inner in value:
            _check_names(inner, wanted)
    elif isinstance(value, dict):
        for inner in value.values():
            _check_names(inner, wanted)


def _atomics(schema: Schema, value: Any, path: str) -> list[str]:
    """The paths at which the configuration would replace a list, map or struct as a whole."""
    found: list[str] = []
    if isinstance(value, dict) and schema.type in (OBJECT, MAP):
        if schema.atomic:
            found.append(path)
        if schema.type == OBJECT:
            for name, inner in value.items():
                child = schema.fields.get(name)
                if child is not None:
                    found += _atomics(child, inner, f"{path}.{name}")
    elif isinstance(value, list) and schema.type == LIST:
        if schema.atomic:
            found.append(path)
        if schema.element.type not in SCALARS:
            for index, inner in enumerate(value):
                found += _atomics(schema.element, inner, f"{path}[{index}]")
    return found

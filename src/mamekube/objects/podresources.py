"""What a pod's containers take while a resize is under way (upstream: `component-helpers/resource`). Pure functions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mamekube.objects import conditions, quantity
from mamekube.objects.meta import Object

Amounts = Mapping[str, Any]


def spec_as_held(pod: Object) -> Mapping[str, Any]:
    """The pod's spec, in which containers ask at least for what they have been given or have got already.

    Where a resize cannot be done, they ask for what they have. Nearly always it is the spec itself.
    """
    spec: Mapping[str, Any] = pod.get("spec") or {}
    status = pod.get("status") or {}
    reports = {report["name"]: report for report in _reports(status) if report.get("resources")}
    if not reports:
        return spec
    pending = conditions.find(status.get("conditions") or (), "PodResizePending") or {}
    alone = pending.get("reason") == "Infeasible"
    changed: dict[str, list[Any]] = {}
    for field in ("containers", "initContainers"):
        containers = spec.get(field) or ()
        held = [_held(container, reports.get(container.get("name", "")), alone) for container in containers]
        if any(one is not container for one, container in zip(held, containers, strict=True)):
            changed[field] = held
    return {**spec, **changed} if changed else spec


def _reports(status: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from status.get("containerStatuses") or ()
    yield from status.get("initContainerStatuses") or ()


def _held(container: Mapping[str, Any], report: Mapping[str, Any] | None, alone: bool) -> Mapping[str, Any]:
    if report is None:
        return container
    asked, has = container.get("resources") or {}, report["resources"]
    given = report.get("allocatedResources") or {}
    same = all(asked.get(field) == has.get(field) for field in ("requests", "limits"))
    if same and given in ({}, asked.get("requests")):
        return container
    requests = larger(has.get("requests") or {}, given)
    limits: Amounts = has.get("limits") or {}
    if not alone:
        requests, limits = (
            larger(asked.get("requests") or {}, requests),
            larger(asked.get("limits") or {}, limits),
        )
    return {**container, "resources": {**asked, "requests": requests, "limits": limits}}


def larger(first: Amounts, second: Amounts) -> dict[str, Any]:
    """The larger amount of each resource."""
    return {**first} | {
        name: amount
        for name, amount in second.items()
        if name not in first or quantity.compare(amount, first[name]) > 0
    }

"""`NetworkPolicy` of `networking.k8s.io/v1`."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.kind import Column, Kind
from mamekube.objects.meta import Object

COLUMNS = (cells.NAME, Column(name="Pod-Selector"), cells.AGE)


def default(policy: Object) -> None:
    spec = policy.setdefault("spec", {})
    if spec.get("podSelector") is None:
        spec["podSelector"] = {}
    for rule in (*(spec.get("ingress") or ()), *(spec.get("egress") or ())):
        for port in rule.get("ports") or ():
            if port.get("protocol") is None:
                port["protocol"] = "TCP"
    if not spec.get("policyTypes"):
        spec["policyTypes"] = ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]


def row(policy: Object, now_s: float) -> list[Any]:
    selector = cells.selector_or_none(cells.spec_of(policy).get("podSelector"))
    return [cells.name(policy), selector, cells.age(policy, now_s)]


KIND = Kind(
    group="networking.k8s.io",
    version="v1",
    plural="networkpolicies",
    singular="networkpolicy",
    kind="NetworkPolicy",
    short_names=("netpol",),
    schema="io.k8s.api.networking.v1.NetworkPolicy",
    counts_generation=True,
    default=default,
    columns=COLUMNS,
    row=row,
)

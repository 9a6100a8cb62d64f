"""`IngressClass` of `networking.k8s.io/v1`."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.kind import Column, Kind
from mamekube.objects.meta import Object

COLUMNS = (
    cells.NAME,
    Column(name="Controller", description="Controller that is responsible for handling this class"),
    Column(name="Parameters", description="A reference to a resource with additional parameters"),
    cells.AGE,
)


def default(ingress_class: Object) -> None:
    parameters = cells.spec_of(ingress_class).get("parameters")
    if parameters is not None and not parameters.get("scope"):
        parameters["scope"] = "Cluster"


def row(ingress_class: Object, now_s: float) -> list[Any]:
    spec = cells.spec_of(ingress_class)
    parameters = spec.get("parameters")
    text = cells.NONE
    if parameters is not None:
        group = f".{parameters['apiGroup']}" if parameters.get("apiGroup") is not None else ""
        text = f"{parameters.get('kind') or ''}{group}/{parameters.get('name') or ''}"
    return [cells.name(ingress_class), spec.get("controller") or "", text, cells.age(ingress_class, now_s)]


KIND = Kind(
    group="networking.k8s.io",
    version="v1",
    plural="ingressclasses",
    singular="ingressclass",
    kind="IngressClass",
    namespaced=False,
    schema="io.k8s.api.networking.v1.IngressClass",
    counts_generation=True,
    default=default,
    columns=COLUMNS,
    row=row,
)

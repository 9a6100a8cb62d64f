"""`IngressClass` of `networking.k8s.io/v1`."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.fields import Found, check_immutable
from mamekube.kinds.kind import Column, Kind
from mamekube.objects.fielderrors import invalid, required, too_long
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


CONTROLLER_LENGTH_MAX = 250


def validate(ingress_class: Object) -> Found:
    found: Found = []
    controller = cells.spec_of(ingress_class).get("controller") or ""
    if not controller:
        found.append(required("spec.controller"))
    elif len(controller) > CONTROLLER_LENGTH_MAX:
        found.append(too_long("spec.controller", CONTROLLER_LENGTH_MAX))
    elif not all(controller.partition("/")):
        detail = 'must be a domain-prefixed path (such as "acme.io/foo")'
        found.append(invalid("spec.controller", controller, detail))
    return found


def validate_update(new: Object, old: Object) -> Found:
    found: Found = []
    after, before = cells.spec_of(new), cells.spec_of(old)
    check_immutable(after, before, "controller", "spec.controller", found)
    return found


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
    validate=validate,
    validate_update=validate_update,
)

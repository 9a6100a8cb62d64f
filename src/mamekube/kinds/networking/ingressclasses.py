"""`IngressClass` of `networking.k8s.io/v1`."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.fields import Found, check, check_domain_path, check_immutable
from mamekube.kinds.kind import Column, Kind
from mamekube.kinds.networking.references import check_reference
from mamekube.objects import names
from mamekube.objects.fielderrors import forbidden, not_supported, required, too_long
from mamekube.objects.meta import Object

COLUMNS = (
    cells.NAME,
    Column(name="Controller", description="Controller that is responsible for handling this class"),
    Column(name="Parameters", description="A reference to a resource with additional parameters"),
    cells.AGE,
)


def default(ingress_class: Object) -> None:
    parameters = cells.spec_of(ingress_class).get("parameters")
    if parameters is not None and parameters.get("scope") is None:
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
SCOPES = frozenset(("Cluster", "Namespace"))


def validate_create(ingress_class: Object) -> Found:
    found: Found = []
    _validate(cells.spec_of(ingress_class), found)
    return found


def _validate(spec: dict[str, Any], found: Found) -> None:
    controller = spec.get("controller") or ""
    if len(controller.encode()) > CONTROLLER_LENGTH_MAX:
        found.append(too_long("spec.controller", CONTROLLER_LENGTH_MAX))
    check_domain_path(controller, "spec.controller", found)
    if spec.get("parameters") is not None:
        _validate_parameters(spec["parameters"], found)


def _validate_parameters(parameters: dict[str, Any], found: Found) -> None:
    path = "spec.parameters"
    check_reference(parameters, path, found)
    scope, namespace = parameters.get("scope"), parameters.get("namespace")
    if scope is None:
        found.append(required(f"{path}.scope"))
    elif scope not in SCOPES:
        found.append(not_supported(f"{path}.scope", scope, SCOPES))
    elif scope == "Cluster" and namespace is not None:
        found.append(forbidden(f"{path}.namespace", "`parameters.scope` is set to 'Cluster'"))
    elif scope == "Namespace" and namespace is None:
        found.append(required(f"{path}.namespace", "`parameters.scope` is set to 'Namespace'"))
    elif namespace is not None:
        check(namespace, f"{path}.namespace", names.dns1123_label, found)


def validate_update(new: Object, old: Object) -> Found:
    found: Found = []
    after, before = cells.spec_of(new), cells.spec_of(old)
    check_immutable(after, before, "controller", "spec.controller", found)
    _validate(after, found)
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
    validate_create=validate_create,
    validate_update=validate_update,
)

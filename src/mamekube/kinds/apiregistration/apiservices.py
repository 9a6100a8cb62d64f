"""`APIService` of `apiregistration.k8s.io/v1`."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.kind import Column, Kind
from mamekube.objects import conditions
from mamekube.objects.meta import Object

COLUMNS = (
    cells.NAME,
    Column(name="Service", description="The reference to the service that hosts this API endpoint."),
    Column(name="Available", description="Whether this service is available."),
    cells.AGE,
)

HTTPS_PORT = 443


def default(service: Object) -> None:
    reference = cells.spec_of(service).get("service")
    if reference is not None and reference.get("port") is None:
        reference["port"] = HTTPS_PORT


def prepare_create(service: Object) -> None:
    service["status"] = {}


def row(service: Object, now_s: float) -> list[Any]:
    reference = cells.spec_of(service).get("service")
    text = f"{reference.get('namespace') or ''}/{reference.get('name') or ''}" if reference else "Local"
    available = conditions.find(conditions.conditions_of(service), "Available")
    status = "Unknown"
    if available is not None:
        status = available.get("status") or ""
        if status != "True":
            status = f"{status} ({available.get('reason') or ''})"
    return [cells.name(service), text, status, cells.age(service, now_s)]


KIND = Kind(
    group="apiregistration.k8s.io",
    version="v1",
    plural="apiservices",
    singular="apiservice",
    kind="APIService",
    namespaced=False,
    categories=("api-extensions",),
    schema="io.k8s.kube-aggregator.pkg.apis.apiregistration.v1.APIService",
    has_status=True,
    name_rule="path",
    default=default,
    prepare_create=prepare_create,
    columns=COLUMNS,
    row=row,
)

"""`APIService` of `apiregistration.k8s.io/v1`."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.fields import Found
from mamekube.kinds.kind import ALL_METADATA, Column, Kind
from mamekube.objects import conditions
from mamekube.objects.fielderrors import invalid, required
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


def validate(service: Object) -> Found:
    found: Found = []
    spec, name = cells.spec_of(service), cells.name(service)
    expected = f"{spec.get('version') or ''}.{spec.get('group') or ''}"
    if name != expected:
        found.append(invalid("metadata.name", name, f'must be `spec.version+"."+spec.group`: "{expected}"'))
    if not spec.get("version"):
        found.append(required("spec.version"))
    for field in ("groupPriorityMinimum", "versionPriority"):
        value = spec.get(field) or 0
        limit = 20000 if field == "groupPriorityMinimum" else 1000
        if not 0 < value <= limit:
            detail = f"must be positive and less than {limit}"
            found.append(invalid(f"spec.{field}", value, detail))
    reference = spec.get("service")
    if reference is not None:
        found.extend(
            required(f"spec.service.{key}") for key in ("namespace", "name") if not reference.get(key)
        )
    return found


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
    status_resets=(ALL_METADATA,),
    name_rule="path",
    default=default,
    prepare_create=prepare_create,
    columns=COLUMNS,
    row=row,
    validate=validate,
)

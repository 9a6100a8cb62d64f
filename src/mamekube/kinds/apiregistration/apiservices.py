"""`APIService` of `apiregistration.k8s.io/v1`."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.fields import Found, check
from mamekube.kinds.kind import ALL_METADATA, Column, Kind
from mamekube.objects import conditions, names
from mamekube.objects.fielderrors import invalid, not_supported, required
from mamekube.objects.meta import Object, metadata

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
    """This server's own APIs are there from the first."""
    service["status"] = {}
    if cells.spec_of(service).get("service") is None:
        available = {
            "type": "Available",
            "status": "True",
            "lastTransitionTime": metadata(service).get("creationTimestamp"),
            "reason": "Local",
            "message": "Local APIServices are always available",
        }
        service["status"] = {"conditions": [available]}


def row(service: Object, now_s: float) -> list[Any]:
    reference = cells.spec_of(service).get("service")
    text = f"{reference.get('namespace') or ''}/{reference.get('name') or ''}" if reference else "Local"
    available = conditions.find(conditions.conditions_of(service), "Available")
    status = "Unknown"
    if available is not None:
        status = available.get("status") or ""
        if status != "True" and available.get("reason"):
            status = f"{status} ({available['reason']})"
    return [cells.name(service), text, status, cells.age(service, now_s)]


def validate(service: Object) -> Found:
    found: Found = []
    spec, name = cells.spec_of(service), cells.name(service)
    group, version = spec.get("group") or "", spec.get("version") or ""
    expected = f"{version}.{group}"
    if name != expected and not names.path_segment(name):
        detail = f'must be `spec.version+"."+spec.group`: "{expected}"'
        found.append(invalid("metadata.name", name, detail))
    if group:
        check(group, "spec.group", names.dns1123_subdomain, found)
    elif version != "v1":
        detail = "only v1 may have an empty group and it better be legacy kube"
        found.append(required("spec.group", detail))
    check(version, "spec.version", names.dns1035_label, found)
    for field in ("groupPriorityMinimum", "versionPriority"):
        value = spec.get(field) or 0
        limit = 20000 if field == "groupPriorityMinimum" else 1000
        if not 0 < value <= limit:
            detail = f"must be positive and less than {limit}"
            found.append(invalid(f"spec.{field}", value, detail))
    _validate_service(spec, found)
    return found


def _validate_service(spec: dict[str, Any], found: Found) -> None:
    """Where the API is, and what is trusted to be it; without a service it is this server's own."""
    reference, path = spec.get("service"), "spec.insecureSkipTLSVerify"
    bundle, insecure = spec.get("caBundle"), bool(spec.get("insecureSkipTLSVerify"))
    if reference is None:
        if bundle:
            detail = "local APIServices may not have a caBundle"
            found.append(invalid("spec.caBundle", f"{len(bundle.rstrip('=')) * 3 // 4} bytes", detail))
        if insecure:
            detail = "local APIServices may not have insecureSkipTLSVerify"
            found.append(invalid(path, insecure, detail))
        return
    found += [required(f"spec.service.{key}") for key in ("namespace", "name") if not reference.get(key)]
    port = cells.count(reference, "port")
    found += [
        invalid("spec.service.port", port, f"port is not valid: {problem}")
        for problem in names.port_number(port)
    ]
    if insecure and bundle:
        found.append(invalid(path, insecure, "may not be true if caBundle is present"))


STATUSES = ("True", "False", "Unknown")


def validate_status(new: Object, old: Object) -> Found:
    return [
        not_supported(f"status.conditions[{index}].status", condition.get("status") or "", STATUSES)
        for index, condition in enumerate(cells.status_of(new).get("conditions") or ())
        if condition.get("status") not in STATUSES
    ]


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
    validate_status=validate_status,
)

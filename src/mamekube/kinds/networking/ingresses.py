"""`Ingress` of `networking.k8s.io/v1`."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.core import servicewarnings
from mamekube.kinds.fields import Found, check, check_required
from mamekube.kinds.kind import Column, Kind
from mamekube.kinds.networking.references import check_reference
from mamekube.objects import names
from mamekube.objects.fielderrors import invalid, not_supported, required
from mamekube.objects.meta import Object, metadata

SHOWN_MAX = 3
NO_DNS_NAME = "must be a DNS name, not an IP address"

COLUMNS = (
    cells.NAME,
    Column(
        name="Class",
        description="The name of the IngressClass resource that should be used for additional configuration",
    ),
    Column(
        name="Hosts",
        description="Hosts that incoming requests are matched against before the ingress rule",
    ),
    Column(name="Address", description="Address is a list containing ingress points for the load-balancer"),
    Column(name="Ports", description="Ports of TLS configurations that open"),
    cells.AGE,
)


def prepare_create(ingress: Object) -> None:
    ingress["status"] = {"loadBalancer": {}}


def row(ingress: Object, now_s: float) -> list[Any]:
    spec = cells.spec_of(ingress)
    return [
        cells.name(ingress),
        cells.given(spec.get("ingressClassName"), cells.NONE),
        _hosts_text(spec.get("rules") or []),
        cells.load_balancer_text(cells.status_of(ingress).get("loadBalancer")),
        "80, 443" if spec.get("tls") else "80",
        cells.age(ingress, now_s),
    ]


def _hosts_text(rules: list[dict[str, Any]]) -> str:
    shown: list[str] = []
    more = False
    for rule in rules:
        # Rules that come after the last host shown count as more, with or without a host of their own.
        more = more or len(shown) == SHOWN_MAX
        if not more and rule.get("host"):
            shown.append(rule["host"])
    if not shown:
        return "*"
    return f"{','.join(shown)} + {len(rules) - SHOWN_MAX} more..." if more else ",".join(shown)


CLASS_ANNOTATION = "kubernetes.io/ingress.class"
PATH_TYPES = frozenset(("Exact", "ImplementationSpecific", "Prefix"))

_SEQUENCES = ("//", "/./", "/../", "%2f", "%2F")
_SUFFIXES = ("/..", "/.")


def validate_create(ingress: Object) -> Found:
    found: Found = []
    _validate(cells.spec_of(ingress), found)
    said = (metadata(ingress).get("annotations") or {}).get(CLASS_ANNOTATION)
    chosen = cells.spec_of(ingress).get("ingressClassName")
    if said is not None and chosen is not None and said != chosen:
        detail = "must match `ingressClassName` when both are specified"
        found.append(invalid(f"annotations.{CLASS_ANNOTATION}", said, detail))
    return found


def validate_update(new: Object, old: Object) -> Found:
    """Where names of secrets and rules of wildcards were wrong once, those of the update are not looked at."""
    found: Found = []
    before = cells.spec_of(old)
    secrets = [tls.get("secretName") for tls in before.get("tls") or ()]
    had_wrong_secrets = any(secret and names.dns1123_subdomain(secret) for secret in secrets)
    had_wrong_wildcards = any(_has_wrong_wildcard(rule) for rule in before.get("rules") or ())
    _validate(cells.spec_of(new), found, any_secret=had_wrong_secrets, any_wildcard=had_wrong_wildcards)
    return found


def validate_status(new: Object, old: Object) -> Found:
    found: Found = []
    known = {ingress.get("ip") for ingress in _ingresses(old)}
    for index, ingress in enumerate(_ingresses(new)):
        path = f"status.loadBalancer.ingress[{index}]"
        address, host = ingress.get("ip"), ingress.get("hostname")
        if address and address not in known:
            check(address, f"{path}.ip", names.ip, found)
        if host:
            check(host, f"{path}.hostname", names.dns1123_subdomain, found)
            if names.is_ip(host):
                found.append(invalid(f"{path}.hostname", host, NO_DNS_NAME))
    return found


def _ingresses(ingress: Object) -> list[dict[str, Any]]:
    return (cells.status_of(ingress).get("loadBalancer") or {}).get("ingress") or []


def _has_wrong_wildcard(rule: dict[str, Any]) -> bool:
    found: Found = []
    if "*" in (rule.get("host") or ""):
        _validate_http(rule.get("http"), "", found)
    return bool(found)


def _validate(
    spec: dict[str, Any], found: Found, *, any_secret: bool = False, any_wildcard: bool = False
) -> None:
    rules, backend = spec.get("rules") or [], spec.get("defaultBackend")
    if not rules and backend is None:
        detail = "either `defaultBackend` or `rules` must be specified"
        found.append(invalid("spec", spec.get("rules"), detail))
    if backend is not None:
        _validate_backend(backend, "spec.defaultBackend", found)
    for index, rule in enumerate(rules):
        path = f"spec.rules[{index}]"
        host = rule.get("host") or ""
        if host:
            if names.is_ip(host):
                found.append(invalid(f"{path}.host", host, NO_DNS_NAME))
            _validate_host(host, f"{path}.host", found)
        if not (any_wildcard and "*" in host):
            _validate_http(rule.get("http"), f"{path}.http", found)
    for index, tls in enumerate(spec.get("tls") or ()):
        for host_index, host in enumerate(tls.get("hosts") or ()):
            _validate_host(host or "", f"spec.tls[{index}].hosts[{host_index}]", found)
        if tls.get("secretName") and not any_secret:
            check(tls["secretName"], f"spec.tls[{index}].secretName", names.dns1123_subdomain, found)
    if spec.get("ingressClassName") is not None:
        check(spec["ingressClassName"], "spec.ingressClassName", names.dns1123_subdomain, found)


def _validate_host(host: str, path: str, found: Found) -> None:
    check(host, path, names.wildcard_subdomain if "*" in host else names.dns1123_subdomain, found)


def _validate_http(http: dict[str, Any] | None, path: str, found: Found) -> None:
    if http is None:
        return
    if not http.get("paths"):
        found.append(required(f"{path}.paths"))
    for index, entry in enumerate(http.get("paths") or ()):
        _validate_path(entry, f"{path}.paths[{index}]", found)


def _validate_path(entry: dict[str, Any], path: str, found: Found) -> None:
    kind, target = entry.get("pathType"), entry.get("path") or ""
    if kind is None:
        found.append(required(f"{path}.pathType", "pathType must be specified"))
        return
    if kind not in PATH_TYPES:
        found.append(not_supported(f"{path}.pathType", kind, PATH_TYPES))
    elif not target.startswith("/") and (target or kind != "ImplementationSpecific"):
        found.append(invalid(f"{path}.path", target, "must be an absolute path"))
    if kind in ("Exact", "Prefix"):
        wrong = [f"must not contain '{sequence}'" for sequence in _SEQUENCES if sequence in target]
        wrong += [f"cannot end with '{suffix}'" for suffix in _SUFFIXES if target.endswith(suffix)]
        found += [invalid(f"{path}.path", target, detail) for detail in wrong]
    _validate_backend(entry.get("backend") or {}, f"{path}.backend", found)


def _validate_backend(backend: dict[str, Any], path: str, found: Found) -> None:
    service, resource = backend.get("service"), backend.get("resource")
    if service is not None and resource is not None:
        found.append(invalid(path, "", "cannot set both resource and service backends"))
    elif resource is not None:
        check_reference(resource, f"{path}.resource", found)
    elif service is None:
        found.append(invalid(path, "", "resource or service backend is required"))
    else:
        _validate_service(service, path, found)


def _validate_service(service: dict[str, Any], path: str, found: Found) -> None:
    """The service of the backend at `path`, where upstream also shows what is wrong of its port as a whole."""
    check_required(service.get("name"), f"{path}.service.name", names.dns1123_label, found)
    port = service.get("port") or {}
    name, number = port.get("name"), port.get("number") or 0
    if name and number:
        found.append(invalid(path, "", "cannot set both port name & port number"))
    elif name:
        check(name, f"{path}.service.port.name", names.port_name, found)
    elif number:
        for message in names.port_number(number):
            found.append(invalid(f"{path}.service.port.number", number, message))
    else:
        found.append(required(path, "port name or number is required"))


def warn(new: Object, old: Object | None) -> list[str]:
    said = CLASS_ANNOTATION in (metadata(new).get("annotations") or {})
    if old is not None or not said or cells.spec_of(new).get("ingressClassName") is not None:
        return []
    return [f"annotation \"{CLASS_ANNOTATION}\" is deprecated, please use 'spec.ingressClassName' instead"]


KIND = Kind(
    group="networking.k8s.io",
    version="v1",
    plural="ingresses",
    singular="ingress",
    kind="Ingress",
    short_names=("ing",),
    schema="io.k8s.api.networking.v1.Ingress",
    has_status=True,
    counts_generation=True,
    prepare_create=prepare_create,
    columns=COLUMNS,
    row=row,
    validate_create=validate_create,
    validate_update=validate_update,
    validate_status=validate_status,
    warnings=warn,
    status_warnings=servicewarnings.of_balancers,
)

"""`Ingress` of `networking.k8s.io/v1`."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.fields import Found, check
from mamekube.kinds.kind import Column, Kind
from mamekube.objects import names
from mamekube.objects.fielderrors import invalid, not_supported, required
from mamekube.objects.meta import Object

SHOWN_MAX = 3

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
        spec.get("ingressClassName") or cells.NONE,
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


PATH_TYPES = frozenset(("Exact", "ImplementationSpecific", "Prefix"))


def validate(ingress: Object) -> Found:
    found: Found = []
    spec = cells.spec_of(ingress)
    rules, backend = spec.get("rules") or [], spec.get("defaultBackend")
    if not rules and backend is None:
        detail = "either `defaultBackend` or `rules` must be specified"
        found.append(invalid("spec", spec.get("rules"), detail))
    if backend is not None:
        _validate_backend(backend, "spec.defaultBackend", found)
    for index, rule in enumerate(rules):
        _validate_rule(rule, f"spec.rules[{index}]", found)
    for index, tls in enumerate(spec.get("tls") or ()):
        for host_index, host in enumerate(tls.get("hosts") or ()):
            _validate_host(host or "", f"spec.tls[{index}].hosts[{host_index}]", found)
    if spec.get("ingressClassName") is not None:
        check(spec["ingressClassName"], "spec.ingressClassName", names.dns1123_subdomain, found)
    return found


def _validate_host(host: str, path: str, found: Found) -> None:
    check(host, path, names.wildcard_subdomain if "*" in host else names.dns1123_subdomain, found)


def _validate_rule(rule: dict[str, Any], path: str, found: Found) -> None:
    host = rule.get("host") or ""
    if host and names.is_ip(host):
        found.append(invalid(f"{path}.host", host, "must be a DNS name, not an IP address"))
    elif host:
        _validate_host(host, f"{path}.host", found)
    http = rule.get("http")
    if http is None:
        return
    if not http.get("paths"):
        found.append(required(f"{path}.http.paths"))
    for index, entry in enumerate(http.get("paths") or ()):
        entry_path, kind, target = (
            f"{path}.http.paths[{index}]",
            entry.get("pathType"),
            entry.get("path") or "",
        )
        if kind is None:
            found.append(required(f"{entry_path}.pathType", "pathType must be specified"))
        elif kind not in PATH_TYPES:
            found.append(not_supported(f"{entry_path}.pathType", kind, PATH_TYPES))
        elif not target.startswith("/") and (target or kind != "ImplementationSpecific"):
            found.append(invalid(f"{entry_path}.path", target, "must be an absolute path"))
        elif kind in ("Exact", "Prefix"):
            for sequence in ("//", "/./", "/../", "%2f", "%2F"):
                if sequence in target:
                    detail = f"must not contain '{sequence}'"
                    found.append(invalid(f"{entry_path}.path", target, detail))
        _validate_backend(entry.get("backend") or {}, f"{entry_path}.backend", found)


def _validate_backend(backend: dict[str, Any], path: str, found: Found) -> None:
    service, resource = backend.get("service"), backend.get("resource")
    if service is not None and resource is not None:
        found.append(invalid(path, "", "cannot set both resource and service backends"))
    elif resource is not None:
        found.extend(required(f"{path}.resource.{key}") for key in ("kind", "name") if not resource.get(key))
    elif service is None:
        found.append(required(path, "resource or service backend is required"))
    else:
        _validate_service(service, f"{path}.service", found)


def _validate_service(service: dict[str, Any], path: str, found: Found) -> None:
    if not service.get("name"):
        found.append(required(f"{path}.name"))
    else:
        check(service["name"], f"{path}.name", names.dns1035_label, found)
    port = service.get("port") or {}
    name, number = port.get("name"), port.get("number") or 0
    if name and number:
        found.append(invalid(path, "", "cannot set both port name & port number"))
    elif name:
        check(name, f"{path}.port.name", names.port_name, found)
    elif number:
        for message in names.port_number(number):
            found.append(invalid(f"{path}.port.number", number, message))
    else:
        found.append(required(path, "port name or number is required"))


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
    validate=validate,
)

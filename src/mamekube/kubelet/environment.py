"""A container's environment: service variables, `envFrom`, `env`, and `$(NAME)` expansion.

Pure: whatever has to be fetched (config maps, secrets) is handed in. Order and precedence are upstream's
(`kubelet_pods.go`, `third_party/forked/golang/expansion`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from mamekube.kubelet import downward
from mamekube.objects.meta import Object, name_of


class ConfigError(Exception):
    """The container cannot be configured yet: its state waits with CreateContainerConfigError."""


class Lookup(Protocol):
    """Where config maps and secrets of the pod's namespace come from; None where there is none."""

    def config_map(self, name: str) -> Object | None: ...

    def secret(self, name: str) -> Object | None: ...


def expand(text: str, values: Mapping[str, str]) -> str:
    """`$(NAME)` becomes its value, `$$` a dollar sign; a reference to nothing stays as it is written."""
    out: list[str] = []
    position = 0
    while position < len(text):
        dollar = text.find("$", position)
        if dollar < 0 or dollar + 1 >= len(text):
            break
        out.append(text[position:dollar])
        following = text[dollar + 1]
        end = text.find(")", dollar) if following == "(" else -1
        if following == "$":
            out.append("$")
            position = dollar + 2
        elif end >= 0:
            name = text[dollar + 2 : end]
            out.append(values.get(name, f"$({name})"))
            position = end + 1
        else:
            out.append("$(" if following == "(" else "$" + following)
            position = dollar + 2
    return "".join(out) + text[position:]


def service_variables(services: Iterable[Object]) -> dict[str, str]:
    """The variables of Docker links for services that have a cluster IP."""
    variables: dict[str, str] = {}
    for service in services:
        spec = service.get("spec") or {}
        ip, ports = spec.get("clusterIP", ""), spec.get("ports") or []
        if ip in ("", "None") or not ports:
            continue
        prefix = name_of(service).upper().replace("-", "_")
        variables[f"{prefix}_SERVICE_HOST"] = ip
        variables[f"{prefix}_SERVICE_PORT"] = str(ports[0]["port"])
        for port in ports:
            if port.get("name"):
                suffix = port["name"].upper().replace("-", "_")
                variables[f"{prefix}_SERVICE_PORT_{suffix}"] = str(port["port"])
        host = f"[{ip}]" if ":" in ip else ip
        for index, port in enumerate(ports):
            protocol = port.get("protocol", "TCP")
            url = f"{protocol.lower()}://{host}:{port['port']}"
            if index == 0:
                variables[f"{prefix}_PORT"] = url
            port_prefix = f"{prefix}_PORT_{port['port']}_{protocol.upper()}"
            variables[port_prefix] = url
            variables[f"{port_prefix}_PROTO"] = protocol.lower()
            variables[f"{port_prefix}_PORT"] = str(port["port"])
            variables[f"{port_prefix}_ADDR"] = ip
    return variables


def visible_services(pod: Object, services: Iterable[Object]) -> list[Object]:
    """Services that become variables: `kubernetes` of `default` always, the namespace's own by enableServiceLinks."""
    namespace = pod["metadata"].get("namespace", "")
    links = (pod.get("spec") or {}).get("enableServiceLinks", True)
    master = [s for s in services if _is(s, "default", "kubernetes")]
    if not links:
        return master
    own = [s for s in services if s["metadata"].get("namespace") == namespace]
    return [s for s in master if not any(_is(o, namespace, "kubernetes") for o in own)] + own


def _is(service: Object, namespace: str, name: str) -> bool:
    return service["metadata"].get("namespace") == namespace and name_of(service) == name


def build(
    pod: Object,
    container: Mapping[str, Any],
    *,
    services: Iterable[Object],
    lookup: Lookup,
    facts: downward.Facts,
) -> dict[str, str]:
    """The environment in order of definition. Raises ConfigError."""
    result = from_sources(container, lookup)
    known = service_variables(services)
    seen = dict(result)
    for variable in container.get("env") or []:
        value = variable.get("value", "")
        if value:
            value = expand(value, {**known, **seen})
        elif variable.get("valueFrom"):
            found = _value_from(pod, container, variable["valueFrom"], lookup, facts)
            if found is None:
                continue
            value = found
        result[variable["name"]] = seen[variable["name"]] = value
    for name, value in known.items():
        result.setdefault(name, value)
    return result


def from_sources(container: Mapping[str, Any], lookup: Lookup) -> dict[str, str]:
    """`envFrom`, in order. Keys that are no name of a variable are left to the process to ignore."""
    result: dict[str, str] = {}
    for source in container.get("envFrom") or []:
        prefix = source.get("prefix", "")
        if "configMapRef" in source:
            data = _source_data(source["configMapRef"], lookup.config_map, "configmap")
            values = dict((data or {}).get("data") or {})
        elif "secretRef" in source:
            data = _source_data(source["secretRef"], lookup.secret, "secret")
            values = {key: _text(value) for key, value in ((data or {}).get("data") or {}).items()}
        else:
            continue
        for key, value in values.items():
            result[prefix + key] = value
    return result


def _source_data(reference: Mapping[str, Any], get: Any, kind: str) -> Object | None:
    found: Object | None = get(reference.get("name", ""))
    if found is None and not reference.get("optional"):
        raise ConfigError(f'{kind} "{reference.get("name", "")}" not found')
    return found


def _value_from(
    pod: Object,
    container: Mapping[str, Any],
    source: Mapping[str, Any],
    lookup: Lookup,
    facts: downward.Facts,
) -> str | None:
    if "fieldRef" in source:
        return downward.field_value(pod, source["fieldRef"]["fieldPath"], facts)
    if "resourceFieldRef" in source:
        return downward.resource_value(pod, container, source["resourceFieldRef"], facts)
    if "configMapKeyRef" in source:
        return _key(pod, source["configMapKeyRef"], lookup.config_map, "ConfigMap")
    if "secretKeyRef" in source:
        return _key(pod, source["secretKeyRef"], lookup.secret, "Secret")
    return ""


def _key(pod: Object, reference: Mapping[str, Any], get: Any, kind: str) -> str | None:
    """The value of one key; None where it is absent and optional."""
    name, key = reference.get("name", ""), reference["key"]
    found: Object | None = get(name)
    if found is None:
        if reference.get("optional"):
            return None
        raise ConfigError(f'{kind.lower()} "{name}" not found')
    data = found.get("data") or {}
    if key not in data:
        if reference.get("optional"):
            return None
        raise ConfigError(f"couldn't find key {key} in {kind} {pod['metadata'].get('namespace', '')}/{name}")
    return str(data[key]) if kind == "ConfigMap" else _text(data[key])


def _text(encoded: str) -> str:
    import base64

    return base64.b64decode(encoded).decode("utf-8", "surrogateescape")

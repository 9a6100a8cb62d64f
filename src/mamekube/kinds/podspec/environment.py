"""Environment variables, and references to fields and resources of the pod itself."""

from __future__ import annotations

import re
from typing import Any

from mamekube.kinds.fields import Found, check, check_required
from mamekube.objects import names
from mamekube.objects.fielderrors import invalid, not_supported, required

ENV_FIELDS = frozenset(
    (
        "metadata.name",
        "metadata.namespace",
        "metadata.uid",
        "spec.nodeName",
        "spec.serviceAccountName",
        "status.hostIP",
        "status.hostIPs",
        "status.podIP",
        "status.podIPs",
    )
)
VOLUME_FIELDS = frozenset(
    ("metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid")
)
_KNOWN_FIELDS = (
    ENV_FIELDS | VOLUME_FIELDS | {"spec.host", "spec.restartPolicy", "spec.schedulerName", "status.phase"}
)

RESOURCE_FIELDS = frozenset(
    f"{side}.{resource}"
    for side in ("limits", "requests")
    for resource in ("cpu", "memory", "ephemeral-storage")
)

_SUBSCRIPTED = re.compile(r"(.*)\['(.*)'\]")
ONE_ONLY = "may not have more than one field specified at a time"


def validate_env(variables: list[dict[str, Any]], path: str, found: Found) -> None:
    for index, variable in enumerate(variables):
        name = variable.get("name")
        if not name:
            found.append(required(f"{path}[{index}].name"))
        elif not name.isidentifier():
            check(name, f"{path}[{index}].name", names.env_name, found)
        source = variable.get("valueFrom")
        if source is not None:
            _validate_source(source, variable, f"{path}[{index}].valueFrom", found)


def _validate_source(source: dict[str, Any], variable: dict[str, Any], path: str, found: Found) -> None:
    count = 0
    if source.get("fieldRef") is not None:
        count += 1
        validate_field(source["fieldRef"], f"{path}.fieldRef", ENV_FIELDS, found)
    if source.get("resourceFieldRef") is not None:
        count += 1
        validate_resource_field(source["resourceFieldRef"], f"{path}.resourceFieldRef", found)
    for field in ("configMapKeyRef", "secretKeyRef"):
        reference = source.get(field)
        if reference is not None:
            count += 1
            if not reference.get("name"):
                found.append(required(f"{path}.{field}.name"))
            check_required(reference.get("key"), f"{path}.{field}.key", names.config_key, found)
    file_key = source.get("fileKeyRef")
    if file_key is not None:
        count += 1
        for field in ("key", "volumeName", "path"):
            if not file_key.get(field):
                found.append(required(f"{path}.fileKeyRef.{field}"))
    if not count:
        choices = "`fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"
        found.append(invalid(path, "", f"must specify one of: {choices}"))
    elif variable.get("value"):
        found.append(invalid(path, "", "may not be specified when `value` is not empty"))
    elif count > 1:
        found.append(invalid(path, "", ONE_ONLY))


def validate_env_from(sources: list[dict[str, Any]], path: str, found: Found) -> None:
    for index, source in enumerate(sources):
        if source.get("prefix"):
            check(source["prefix"], f"{path}[{index}].prefix", names.env_name, found)
        given = [field for field in ("configMapRef", "secretRef") if source.get(field) is not None]
        for field in given:
            if not source[field].get("name"):
                found.append(required(f"{path}[{index}].{field}.name"))
        if not given:
            found.append(invalid(path, "", "must specify one of: `configMapRef` or `secretRef`"))
        elif len(given) > 1:
            found.append(invalid(path, "", ONE_ONLY))


def validate_field(reference: dict[str, Any], path: str, allowed: frozenset[str], found: Found) -> None:
    """A `fieldRef`."""
    version, field = reference.get("apiVersion"), reference.get("fieldPath")
    if not version:
        found.append(required(f"{path}.apiVersion"))
        return
    if not field:
        found.append(required(f"{path}.fieldPath"))
        return
    match = _SUBSCRIPTED.fullmatch(field)
    base = match.group(1) if match else field
    if version != "v1":
        detail = f"error converting fieldPath: unsupported pod version: {version}"
        found.append(invalid(f"{path}.fieldPath", field, detail))
    elif base not in _KNOWN_FIELDS:
        detail = f"error converting fieldPath: field label not supported: {base}"
        found.append(invalid(f"{path}.fieldPath", field, detail))
    elif match and base in ("metadata.annotations", "metadata.labels"):
        key = match.group(2)
        for message in names.qualified_name(key.lower() if base == "metadata.annotations" else key):
            found.append(invalid(path, key, message))
    elif match:
        found.append(invalid(path, base, "does not support subscript"))
    elif base not in allowed and base != "spec.host":
        found.append(not_supported(f"{path}.fieldPath", base, allowed))


def validate_resource_field(
    reference: dict[str, Any], path: str, found: Found, *, volume: bool = False
) -> None:
    """A `resourceFieldRef`; in a volume it must name the container."""
    resource = reference.get("resource")
    if volume and not reference.get("containerName"):
        found.append(required(f"{path}.containerName"))
    elif not resource:
        found.append(required(f"{path}.resource"))
    elif resource not in RESOURCE_FIELDS and ".hugepages-" not in resource:
        found.append(not_supported(f"{path}.resource", resource, RESOURCE_FIELDS))

"""Environment variables, and references to fields and resources of the pod itself."""

from __future__ import annotations

from typing import Any

from mamekube.kinds.fields import Found, check, check_no_backsteps, check_required
from mamekube.objects import names, quantity
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

_BYTE_DIVISORS = ("1", *(f"1{prefix}" for prefix in "kMGTPE"), *(f"1{prefix}i" for prefix in "KMGTPE"))
_BYTES_OF = {"memory": "memory", "ephemeral-storage": "local ephemeral storage"}
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
            check(reference.get("name") or "", f"{path}.{field}.name", names.dns1123_subdomain, found)
            check_required(reference.get("key"), f"{path}.{field}.key", names.config_key, found)
    if source.get("fileKeyRef") is not None:
        count += 1
        _validate_file_key(source["fileKeyRef"], f"{path}.fileKeyRef", found)
    if not count:
        choices = "`fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"
        found.append(invalid(path, "", f"must specify one of: {choices}"))
    elif variable.get("value"):
        found.append(invalid(path, "", "may not be specified when `value` is not empty"))
    elif count > 1:
        found.append(invalid(path, "", ONE_ONLY))


def _validate_file_key(reference: dict[str, Any], path: str, found: Found) -> None:
    check_required(reference.get("key"), f"{path}.key", names.env_name, found)
    check_required(reference.get("volumeName"), f"{path}.volumeName", names.dns1123_label, found)
    if not reference.get("path"):
        found.append(required(f"{path}.path"))
    else:
        check_no_backsteps(reference["path"], f"{path}.path", found)


def validate_env_from(sources: list[dict[str, Any]], path: str, found: Found) -> None:
    for index, source in enumerate(sources):
        if source.get("prefix"):
            check(source["prefix"], f"{path}[{index}].prefix", names.env_name, found)
        given = [field for field in ("configMapRef", "secretRef") if source.get(field) is not None]
        for field in given:
            name, name_path = source[field].get("name"), f"{path}[{index}].{field}.name"
            if not name:
                found.append(required(name_path))
            else:
                for message in names.object_name("subdomain", name, prefix=True):
                    found.append(invalid(name_path, name, message))
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
    base, key = _subscripted(field)
    problem = ""
    if version != "v1":
        problem = f"unsupported pod version: {version}"
    elif key is not None and base not in ("metadata.annotations", "metadata.labels"):
        problem = f"field label does not support subscript: {field}"
    elif base not in _KNOWN_FIELDS:
        problem = f"field label not supported: {field}"
    if problem:
        found.append(invalid(f"{path}.fieldPath", field, f"error converting fieldPath: {problem}"))
    elif key is not None:
        check(key.lower() if base == "metadata.annotations" else key, path, names.qualified_name, found)
    elif base not in allowed and base != "spec.host":
        found.append(not_supported(f"{path}.fieldPath", base, allowed))


def _subscripted(field: str) -> tuple[str, str | None]:
    """`metadata.labels['app']` in two; None where nothing stands in brackets."""
    begin = field.find("['", 1)
    if begin < 0 or begin + 2 > len(field) - 2 or not field.endswith("']"):
        return field, None
    return field[:begin], field[begin + 2 : -2]


def validate_resource_field(
    reference: dict[str, Any], path: str, found: Found, *, volume: bool = False
) -> None:
    """A `resourceFieldRef`; in a volume it must name the container."""
    resource = reference.get("resource")
    if volume and not reference.get("containerName"):
        found.append(required(f"{path}.containerName"))
    elif not resource:
        found.append(required(f"{path}.resource"))
    elif resource not in RESOURCE_FIELDS and not _is_huge(resource):
        found.append(not_supported(f"{path}.resource", resource, RESOURCE_FIELDS))
    divisor = str(reference.get("divisor") or "0")
    if divisor != "0":
        _validate_divisor(resource or "", divisor, path, found)


def _is_huge(resource: str) -> bool:
    return resource.startswith(("requests.hugepages-", "limits.hugepages-"))


def _validate_divisor(resource: str, divisor: str, path: str, found: Found) -> None:
    try:
        divisor = quantity.canonical(divisor)
    except ValueError:
        return
    name = resource.partition(".")[2] if resource in RESOURCE_FIELDS else ""
    if name == "cpu":
        if divisor not in ("1m", "1"):
            detail = "only divisor's values 1m and 1 are supported with the cpu resource"
            found.append(invalid(f"{path}.divisor", resource, detail))
    elif (name or _is_huge(resource)) and divisor not in _BYTE_DIVISORS:
        of = _BYTES_OF.get(name, "hugepages")
        detail = f"only divisor's values {', '.join(_BYTE_DIVISORS)} are supported with the {of} resource"
        found.append(invalid(f"{path}.divisor", resource, detail))

"""What is allowed in a PodSpec but hardly meant: texts for the `Warning` header."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mamekube.objects import names, quantity
from mamekube.objects.meta import Object, name_of

DEPRECATED_LABELS = {
    "beta.kubernetes.io/arch": 'deprecated since v1.14; use "kubernetes.io/arch" instead',
    "beta.kubernetes.io/os": 'deprecated since v1.14; use "kubernetes.io/os" instead',
    "failure-domain.beta.kubernetes.io/region": "deprecated since v1.17; "
    'use "topology.kubernetes.io/region" instead',
    "failure-domain.beta.kubernetes.io/zone": "deprecated since v1.17; "
    'use "topology.kubernetes.io/zone" instead',
    "beta.kubernetes.io/instance-type": "deprecated since v1.17; "
    'use "node.kubernetes.io/instance-type" instead',
}


def of_pod(new: Object, old: Object | None) -> list[str]:
    """Of a new pod only: hardly anybody updates pods by hand."""
    if old is not None:
        return []
    warnings = []
    messages = names.dns1123_label(name_of(new))
    if messages:
        warnings.append(
            "metadata.name: this is used in the Pod's hostname, which can result in surprising behavior; "
            f"a DNS label is recommended: [{' '.join(messages)}]"
        )
    return warnings + of_spec(new.get("spec") or {}, "spec")


def of_template(*path: str) -> Callable[[Object, Object | None], list[str]]:
    """The warnings of a kind whose pod template is at `path`."""

    def warnings(new: Object, old: Object | None) -> list[str]:
        template = _at(new, path)
        if old is not None and template == _at(old, path):
            return []
        return of_spec(template.get("spec") or {}, ".".join((*path, "spec")))

    return warnings


def of_name(new: Object, old: Object | None) -> list[str]:
    """Of the name of a new workload, after which its pods are named."""
    messages = names.dns1123_label(name_of(new)) if old is None else []
    if not messages:
        return []
    text = "metadata.name: this is used in Pod names and hostnames, which can result in surprising behavior"
    return [f"{text}; a DNS label is recommended: [{' '.join(messages)}]"]


def of_workload(*path: str) -> Callable[[Object, Object | None], list[str]]:
    """The warnings of a kind whose name goes into those of its pods, too."""
    of_its_template = of_template(*path)
    return lambda new, old: of_name(new, old) + of_its_template(new, old)


def _at(obj: Object, path: tuple[str, ...]) -> dict[str, Any]:
    for field in path:
        obj = obj.get(field) or {}
    return obj


def of_spec(spec: dict[str, Any], path: str) -> list[str]:
    warnings = [
        f"{path}.nodeSelector[{label}]: {DEPRECATED_LABELS[label]}"
        for label in spec.get("nodeSelector") or ()
        if label in DEPRECATED_LABELS
    ]
    for index, volume in enumerate(spec.get("volumes") or ()):
        if volume.get("gitRepo") is not None:
            warnings.append(f"{path}.volumes[{index}].gitRepo: deprecated in v1.11")
    for index, secret in enumerate(spec.get("imagePullSecrets") or ()):
        if not secret.get("name"):
            warnings.append(f'{path}.imagePullSecrets[{index}].name: invalid empty name ""')
    grace_period_s = spec.get("terminationGracePeriodSeconds")
    if grace_period_s is not None and grace_period_s < 0:
        detail = "must be >= 0; negative values are invalid and will be treated as 1"
        warnings.append(f"{path}.terminationGracePeriodSeconds: {detail}")
    for field in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(field) or ()):
            _of_container(container, f"{path}.{field}[{index}]", warnings)
    return warnings


def _of_container(container: dict[str, Any], path: str, warnings: list[str]) -> None:
    resources = container.get("resources") or {}
    for field in ("limits", "requests"):
        for name in ("memory", "ephemeral-storage"):
            amount = (resources.get(field) or {}).get(name)
            if amount is not None and _fractional(amount):
                detail = f'fractional byte value "{amount}" is invalid, must be an integer'
                warnings.append(f"{path}.resources.{field}[{name}]: {detail}")
    seen: set[str] = set()
    for index, variable in enumerate(container.get("env") or ()):
        name = variable.get("name") or ""
        if name in seen:
            detail = f'hides previous definition of "{name}", which may be dropped when using apply'
            warnings.append(f"{path}.env[{index}]: {detail}")
        seen.add(name)
    ports: dict[tuple[Any, Any], int] = {}
    for index, port in enumerate(container.get("ports") or ()):
        key = (port.get("containerPort"), port.get("protocol"))
        if key in ports:
            detail = f"duplicate port definition with {path}.ports[{ports[key]}]"
            warnings.append(f"{path}.ports[{index}]: {detail}")
        ports.setdefault(key, index)


def _fractional(amount: Any) -> bool:
    try:
        return bool(quantity.parse_any(amount) % 1)
    except ValueError:
        return False

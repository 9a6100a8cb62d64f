"""`RuntimeClass` of `node.k8s.io/v1`."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.fields import Found, check_immutable, check_labels, check_required
from mamekube.kinds.kind import Column, Kind
from mamekube.kinds.podspec import resources, scheduling, warnings
from mamekube.kinds.podspec.defaults import canonicalize
from mamekube.objects import names
from mamekube.objects.fielderrors import Struct, duplicate
from mamekube.objects.meta import Object

COLUMNS = (cells.NAME, Column(name="Handler"), cells.AGE)


def default(runtime_class: Object) -> None:
    canonicalize((runtime_class.get("overhead") or {}).get("podFixed"))


def row(runtime_class: Object, now_s: float) -> list[Any]:
    return [cells.name(runtime_class), runtime_class.get("handler") or "", cells.age(runtime_class, now_s)]


def validate(runtime_class: Object) -> Found:
    found: Found = []
    check_required(runtime_class.get("handler"), "handler", names.dns1123_label, found)
    overhead = (runtime_class.get("overhead") or {}).get("podFixed")
    resources.validate({"limits": overhead}, "overhead", found)
    placing = runtime_class.get("scheduling") or {}
    check_labels(placing.get("nodeSelector"), "scheduling.nodeSelector", found)
    tolerations = placing.get("tolerations") or []
    scheduling.validate_tolerations(tolerations, "scheduling.tolerations", found)
    seen: set[tuple[str, ...]] = set()
    for index, toleration in enumerate(tolerations):
        key = tuple(toleration.get(field) or "" for field in ("key", "operator", "value", "effect"))
        if key in seen:
            shown = Struct(zip(("Key", "Operator", "Value", "Effect"), key, strict=True))
            shown["TolerationSeconds"] = toleration.get("tolerationSeconds")
            found.append(duplicate(f"scheduling.tolerations[{index}]", shown))
        seen.add(key)
    return found


def validate_update(new: Object, old: Object) -> Found:
    found: Found = []
    check_immutable(new, old, "handler", "handler", found)
    return found


def warn(new: Object, old: Object | None) -> list[str]:
    selector = (new.get("scheduling") or {}).get("nodeSelector") or {}
    deprecated = warnings.DEPRECATED_LABELS
    return [f"scheduling.nodeSelector: {deprecated[label]}" for label in selector if label in deprecated]


KIND = Kind(
    group="node.k8s.io",
    version="v1",
    plural="runtimeclasses",
    singular="runtimeclass",
    kind="RuntimeClass",
    namespaced=False,
    schema="io.k8s.api.node.v1.RuntimeClass",
    default=default,
    columns=COLUMNS,
    row=row,
    validate=validate,
    validate_update=validate_update,
    warnings=warn,
)

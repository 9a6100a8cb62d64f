"""`RuntimeClass` of `node.k8s.io/v1`."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.fields import Found, check_immutable, check_required
from mamekube.kinds.kind import Column, Kind
from mamekube.kinds.podspec import resources, scheduling
from mamekube.kinds.podspec.defaults import canonicalize
from mamekube.objects import names
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
    resources.validate({"limits": overhead}, "overhead.podFixed", found)
    tolerations = (runtime_class.get("scheduling") or {}).get("tolerations") or []
    scheduling.validate_tolerations(tolerations, "scheduling.tolerations", found)
    return found


def validate_update(new: Object, old: Object) -> Found:
    found: Found = []
    check_immutable(new, old, "handler", "handler", found)
    return found


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
)

"""`pods/resize`: other resources for a running pod's containers."""

from __future__ import annotations

from typing import Any

from mamekube.apiserver.strategy import Strategy
from mamekube.kinds.kind import Kind
from mamekube.objects.fielderrors import FieldError, forbidden, invalid
from mamekube.objects.meta import Object

FIELDS = ("resources", "resizePolicy")


def _prepare(kind: Kind, new: Object, old: Object, now_s: float) -> None:
    wanted = new.get("spec") or {}
    spec = {**old["spec"]}
    for part in ("containers", "initContainers"):
        if part in spec and wanted.get(part) is not None:
            spec[part] = _resized(spec[part], wanted[part])
    if "resources" in wanted:
        spec["resources"] = wanted["resources"]
    new["spec"] = spec
    new["status"] = old.get("status") or {}


def _resized(containers: list[dict[str, Any]], wanted: list[dict[str, Any]]) -> list[dict[str, Any]]:
    by_name = {container.get("name"): container for container in wanted}
    resized = []
    for container in containers:
        request = by_name.get(container.get("name"))
        copy = {**container}
        if request is not None:
            copy.update({field: request[field] for field in FIELDS if field in request})
        resized.append(copy)
    return resized


def _validate(kind: Kind, new: Object, old: Object) -> list[FieldError]:
    from mamekube.kinds.podspec.qos import qos_class

    errors = kind.validate(new)
    if (old.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
        errors.append(forbidden("", "Pod is in a terminal phase and cannot be resized"))
    before, after = qos_class(old["spec"]), qos_class(new["spec"])
    if before != after:
        errors.append(invalid("spec", after, "Pod QOS Class may not change as a result of resizing"))
    return errors


STRATEGY = Strategy("resize", _prepare, _validate)

"""`pods/resize`: other amounts of CPU and memory for a pod and its containers, while they run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mamekube.apiserver.strategy import Strategy
from mamekube.kinds.kind import Kind
from mamekube.kinds.podspec.podannotations import MIRROR
from mamekube.objects.fielderrors import FieldError, forbidden, invalid
from mamekube.objects.meta import Object, annotations_of, metadata

FIELDS = ("resources", "resizePolicy")
PARTS = ("containers", "initContainers")
RESIZABLE = frozenset(("cpu", "memory"))


def _prepare(kind: Kind, new: Object, old: Object, now_s: float) -> None:
    wanted, before = new.get("spec") or {}, old["spec"]
    new["status"] = old.get("status") or {}
    _keep_metadata(new, old)
    if any(len(wanted.get(part) or ()) != len(before.get(part) or ()) for part in PARTS):
        # Left as it is, for the checks to refuse.
        return
    spec = {**before}
    for part in PARTS:
        if before.get(part):
            spec[part] = _resized(before[part], wanted[part])
    if "resources" in wanted:
        spec["resources"] = wanted["resources"]
    else:
        spec.pop("resources", None)
    new["spec"] = spec


def _keep_metadata(new: Object, old: Object) -> None:
    """A resize changes nothing that is said about the pod, but who owns which field."""
    meta = {key: value for key, value in metadata(old).items() if key != "managedFields"}
    if "managedFields" in new["metadata"]:
        meta["managedFields"] = new["metadata"]["managedFields"]
    new["metadata"] = meta


def _resized(containers: list[dict[str, Any]], wanted: list[dict[str, Any]]) -> list[dict[str, Any]]:
    if [container.get("name") for container in containers] != [request.get("name") for request in wanted]:
        return wanted
    resized = []
    for container, request in zip(containers, wanted, strict=True):
        kept = {key: value for key, value in container.items() if key not in FIELDS}
        resized.append({**kept, **{field: request[field] for field in FIELDS if field in request}})
    return resized


def _validate(kind: Kind, new: Object, old: Object) -> list[FieldError]:
    from mamekube.kinds.podspec.qos import qos_class

    errors = kind.validate(new)
    before, after = old["spec"], new["spec"]
    if MIRROR in annotations_of(old):
        return [forbidden("[]", "static pods cannot be resized")]
    if (before.get("os") or {}).get("name") == "windows":
        return [forbidden("[]", "windows pods cannot be resized")]
    if (old.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
        errors.append(forbidden("[]", "Pod is in a terminal phase and cannot be resized"))
    status = old.get("status") or {}
    if (status.get("qosClass") or qos_class(before)) != qos_class(after):
        shown = (new.get("status") or {}).get("qosClass") or ""
        errors.append(invalid("spec", shown, "Pod QOS Class may not change as a result of resizing"))
    if not _node_resizes(status):
        errors.append(forbidden("spec", "Pod running on node without support for resize"))
    errors += _pod_errors(after.get("resources"), before.get("resources"))
    order = list(_order_errors(after, before))
    if order:
        return errors + order
    errors += [
        error
        for part in ("initContainers", "containers")
        for index, container in enumerate(before.get(part) or ())
        for error in _removal_errors(
            after[part][index].get("resources") or {},
            container.get("resources") or {},
            f"spec.{part}[{index}].resources",
        )
    ]
    return errors + list(_container_errors(after, before))


def _node_resizes(status: dict[str, Any]) -> bool:
    """Old kubelets tell nothing of the resources that a running container has."""
    for container in status.get("containerStatuses") or ():
        if (container.get("state") or {}).get("running") is not None:
            return container.get("resources") is not None
    return True


def _order_errors(after: dict[str, Any], before: dict[str, Any]) -> Iterator[FieldError]:
    for part in PARTS:
        new, old = after.get(part) or (), before.get(part) or ()
        if len(new) != len(old):
            yield forbidden(f"spec.{part}", f"{part} may not be added or removed on resize")
            continue
        for index, container in enumerate(old):
            if new[index].get("name") != container.get("name"):
                detail = f"{part} may not be renamed or reordered on resize"
                yield forbidden(f"spec.{part}[{index}].name", detail)


def _removal_errors(new: dict[str, Any], old: dict[str, Any], path: str) -> Iterator[FieldError]:
    for field in ("requests", "limits"):
        if set(old.get(field) or ()) - set(new.get(field) or ()):
            yield forbidden(f"{path}.{field}", f"resource {field} cannot be removed")


def _pod_errors(new: dict[str, Any] | None, old: dict[str, Any] | None) -> Iterator[FieldError]:
    if not any((side or {}).get(field) for side in (new, old) for field in ("requests", "limits")):
        return
    if old is not None and new is None:
        yield forbidden("spec.resources", "pod-level resources cannot be removed")
        return
    for field in ("requests", "limits"):
        if set((old or {}).get(field) or ()) - set((new or {}).get(field) or ()):
            yield forbidden(f"spec.resources.{field}", f"pod-level resource {field} cannot be removed")
    if _fixed(new) != _fixed(old):
        yield forbidden("spec", "only cpu and memory resources are mutable at pod-level")


def _container_errors(after: dict[str, Any], before: dict[str, Any]) -> Iterator[FieldError]:
    for new, old in zip(after.get("containers") or (), before.get("containers") or (), strict=True):
        if _without_amounts(new) != _without_amounts(old):
            yield forbidden("spec", "only cpu and memory resources are mutable")
    init = zip(after.get("initContainers") or (), before.get("initContainers") or (), strict=True)
    for index, (new, old) in enumerate(init):
        if new.get("restartPolicy") != "Always":
            if new != old:
                yield forbidden("spec", "resources for non-sidecar init containers are immutable")
        elif _without_amounts(new) != _without_amounts(old):
            detail = "only cpu and memory resources for init or sidecar containers are mutable"
            yield forbidden(f"spec.initContainers[{index}]", detail)


def _without_amounts(container: dict[str, Any]) -> dict[str, Any]:
    return {**container, "resources": _fixed(container.get("resources"))}


def _fixed(resources: dict[str, Any] | None) -> dict[str, Any]:
    """The resources that no resize changes."""
    fixed = {
        field: {name: amount for name, amount in value.items() if name not in RESIZABLE}
        if field in ("requests", "limits")
        else value
        for field, value in (resources or {}).items()
        if value
    }
    return {field: value for field, value in fixed.items() if value}


STRATEGY = Strategy("resize", _prepare, _validate)

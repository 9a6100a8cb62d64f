"""`scale`: the number of replicas of any kind that has one, as an autoscaling/v1 Scale.

A write changes nothing but the replicas of the object itself; it passes the same path as any other update of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mamekube.apiserver import patching
from mamekube.apiserver.bodies import SCALE
from mamekube.apiserver.documents import Answer, Made
from mamekube.apiserver.options import parse_patch, parse_write
from mamekube.apiserver.request import Request
from mamekube.apiserver.resources import Change, SlowChange, check_identity, fresh, revision_of
from mamekube.apiserver.strategy import Strategy
from mamekube.apiserver.subresources import scale_ownership
from mamekube.kinds.kind import Kind
from mamekube.objects import fielderrors, selectors, status
from mamekube.objects.meta import Object, edited, metadata

if TYPE_CHECKING:
    from mamekube.apiserver.api import Api, Payload

METADATA = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")


def scale_of(kind: Kind, obj: Object) -> Object:
    """The Scale that shows `obj`."""
    assert kind.scale is not None
    replicas = _at(obj, kind.scale.spec_replicas) or 0
    shown: dict[str, Any] = {"replicas": _at(obj, kind.scale.status_replicas) or 0}
    selector = _selector_text(_at(obj, kind.scale.selector) if kind.scale.selector else None)
    if selector:
        shown["selector"] = selector
    return {
        "kind": SCALE.kind,
        "apiVersion": SCALE.api_version,
        "metadata": {key: metadata(obj)[key] for key in METADATA if key in metadata(obj)},
        "spec": {"replicas": replicas} if replicas else {},
        "status": shown,
    }


def _check_replicas(kind: Kind, obj: Object) -> None:
    """A custom resource says itself where its replicas are, and may not have them there. Raises 500."""
    assert kind.scale is not None
    if kind.conversion is not None and _at(obj, kind.scale.spec_replicas) is None:
        path = "." + ".".join(kind.scale.spec_replicas)
        raise status.internal_error(f'the spec replicas field "{path}" does not exist')


def _selector_text(selector: Any) -> str:
    if isinstance(selector, str):
        return selector
    if not isinstance(selector, Mapping):
        return ""
    if "matchLabels" in selector or "matchExpressions" in selector:
        return str(selectors.from_label_selector(selector))
    return str(selectors.from_labels(selector))


def _at(obj: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        obj = (obj or {}).get(key)
    return obj


async def serve(api: Api, request: Request, kind: Kind, payload: Payload) -> Answer:
    """GET, PUT and PATCH."""
    if request.verb == "get":
        found = await api.resources.get(kind, request.namespace, request.name)
        _check_replicas(kind, found.object)
        return Answer(Made(scale_of(kind, found.object)), 200, SCALE)
    conditional, applied = False, False
    change: Change | SlowChange
    if request.verb == "update":
        options = parse_write(request, "UpdateOptions")
        scale = await api.decode(request, SCALE, payload, options.field_validation)
        conditional = revision_of(scale) != 0
        change = _on_object(request, kind, lambda old: fresh(scale))
    else:
        patch_type = patching.check_type(kind, payload.content_type)
        applied = patch_type == patching.APPLY_YAML
        options = parse_patch(request, apply=applied)
        patch = payload.decode_patch(patch_type)
        if applied:
            apply = patching.apply_for(
                patch,
                SCALE,
                options,
                request=request,
                clock=api.clock,
                find=api.registry.find,
                subresource="scale",
            )
            change = _applied_to_object(request, kind, apply)
        else:
            change = _on_object(request, kind, patching.change_for(patch_type, patch, SCALE, options))
    answer = await api.resources.update(
        request, kind, change, options, rules=STRATEGY, retries=not conditional, applied=applied
    )
    return Answer(Made(scale_of(kind, answer.document.object)), answer.code, SCALE)


def _on_object(request: Request, kind: Kind, change: Change) -> Change:
    """The change of the object that a change of its Scale stands for."""

    def changed(old: Object | None) -> Object:
        assert old is not None and kind.scale is not None
        return _scaled(request, kind, old, change(scale_of(kind, old)))

    return changed


def _applied_to_object(request: Request, kind: Kind, apply: SlowChange) -> SlowChange:
    """The same of an apply, with the owners of the replicas."""

    async def changed(old: Object | None) -> Object:
        assert old is not None and kind.scale is not None
        path, entries = kind.scale.spec_replicas, metadata(old).get("managedFields") or []
        before = scale_of(kind, old)
        before["metadata"]["managedFields"] = scale_ownership.of_scale(entries, path)
        scale = await apply(before)
        owners = scale["metadata"].pop("managedFields", [])
        new = _scaled(request, kind, old, scale)
        new["metadata"]["managedFields"] = scale_ownership.of_parent(entries, owners, path, new["apiVersion"])
        return new

    return changed


def _scaled(request: Request, kind: Kind, old: Object, scale: Object) -> Object:
    """The object with the replicas of its Scale. Raises 400, 422."""
    assert kind.scale is not None
    check_identity(SCALE, scale, namespace=request.namespace, name=request.name)
    replicas = (scale.get("spec") or {}).get("replicas", 0)
    if not isinstance(replicas, int) or isinstance(replicas, bool):
        raise status.bad_request(
            'Scale in version "v1" cannot be handled as a Scale: json: cannot unmarshal '
            "into Go struct field ScaleSpec.spec.replicas of type int32"
        )
    if replicas < 0:
        error = fielderrors.invalid("spec.replicas", replicas, "must be greater than or equal to 0")
        raise status.invalid(SCALE, request.name, [error])
    new = edited(fresh(old), kind.scale.spec_replicas, replicas)
    new["metadata"]["resourceVersion"] = (
        metadata(scale).get("resourceVersion") or metadata(old)["resourceVersion"]
    )
    if metadata(scale).get("uid"):
        new["metadata"]["uid"] = metadata(scale)["uid"]
    return new


def _prepare(kind: Kind, new: Object, old: Object, now_s: float) -> None:
    """Nothing but the replicas was changed."""


def _validate(kind: Kind, new: Object, old: Object) -> list[fielderrors.FieldError]:
    return kind.validate(new) + kind.validate_update(new, old)


STRATEGY = Strategy("scale", _prepare, _validate)

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
from mamekube.apiserver.resources import Change, check_identity, fresh
from mamekube.apiserver.strategy import Strategy
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
    if request.verb == "update":
        options = parse_write(request, "UpdateOptions")
        scale = api.decode(request, SCALE, payload, options.field_validation)
        conditional = bool((scale.get("metadata") or {}).get("resourceVersion"))
        change: Change = lambda old: fresh(scale)  # noqa: E731 - it is what change_for answers, too
    else:
        patch_type = patching.check_type(SCALE, payload.content_type)
        options = parse_patch(request, apply=patch_type == patching.APPLY_YAML)
        # Nobody owns the fields of a Scale: an apply to it is a merge, owned as the replicas of the object.
        merging = patching.MERGE_PATCH if patch_type == patching.APPLY_YAML else patch_type
        patch = payload.decode_patch(patch_type)
        change = patching.change_for(merging, patch, SCALE, options)
        conditional = False
    answer = await api.resources.update(
        request, kind, _on_object(request, kind, change), options, rules=STRATEGY, retries=not conditional
    )
    return Answer(Made(scale_of(kind, answer.document.object)), answer.code, SCALE)


def _on_object(request: Request, kind: Kind, change: Change) -> Change:
    """The change of the object that a change of its Scale stands for."""

    def changed(old: Object | None) -> Object:
        assert old is not None and kind.scale is not None
        scale = change(scale_of(kind, old))
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

    return changed


def _prepare(kind: Kind, new: Object, old: Object, now_s: float) -> None:
    """Nothing but the replicas was changed."""


def _validate(kind: Kind, new: Object, old: Object) -> list[fielderrors.FieldError]:
    return kind.validate(new) + kind.validate_update(new, old)


STRATEGY = Strategy("scale", _prepare, _validate)

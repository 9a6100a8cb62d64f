"""`pods/binding`: the scheduler's decision. It is written once, and only to a pod that is not being deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mamekube.apiserver import races
from mamekube.apiserver.bodies import BINDING, check_namespace
from mamekube.apiserver.documents import Answer, Made
from mamekube.apiserver.options import parse_write
from mamekube.apiserver.request import Request
from mamekube.apiserver.upstreamkeys import precondition_failed
from mamekube.apiserver.versions import storage_key
from mamekube.apiserver.writes import CREATE, Write
from mamekube.kinds.kind import Kind
from mamekube.objects import fielderrors, status
from mamekube.objects.meta import Object, being_deleted, metadata, uid_of
from mamekube.objects.resource import Resource

if TYPE_CHECKING:
    from mamekube.apiserver.api import Api, Payload

PODS_BINDING = Resource(group="", version="v1", plural="pods/binding", kind="Binding")


async def serve(api: Api, request: Request, kind: Kind, payload: Payload) -> Answer:
    """POST of a Binding."""
    options = parse_write(request, "CreateOptions")
    binding = await api.decode(request, BINDING, payload, options.field_validation)
    return await bind(api, request, kind, binding, dry_run=options.dry_run)


async def bind_named(api: Api, request: Request, binding: Object) -> Answer:
    """POST to `bindings`, where the Binding names the pod."""
    kind = api.registry.find("", "v1", "pods")
    assert kind is not None
    request.name = metadata(binding).get("name", "")
    return await bind(api, request, kind, binding, dry_run=request.dry_run)


async def bind(api: Api, request: Request, kind: Kind, binding: Object, *, dry_run: bool) -> Answer:
    """Raises 400, 404, 409, 422."""
    check_namespace(request, binding)
    _check(request, binding)
    write = Write(
        operation=CREATE,
        kind=kind,
        subresource="binding",
        namespace=request.namespace,
        name=request.name,
        object=binding,
        user=request.user,
        dry_run=dry_run,
        warnings=request.warnings,
    )
    await api.admission.mutate(write)
    await api.admission.validate(write)
    binding = write.object or binding
    for _ in range(races.TRIES_MAX):
        item = await api.resources.find(kind, request.namespace, request.name)
        _check_preconditions(request, kind, item.object, binding)
        bound = _bound(request, item.object, binding, now=api.clock.timestamp())
        if dry_run:
            break
        try:
            await api.store.update(
                key=storage_key(kind, request.namespace, request.name), obj=bound, expected=item.revision
            )
            break
        except races.LOST as lost:
            await races.settled(api.store, lost)
    else:
        raise status.conflict(PODS_BINDING, request.name)
    return Answer(Made(status.success()), 201)


def _check(request: Request, binding: Object) -> None:
    meta = metadata(binding)
    if meta.get("name") and meta["name"] != request.name:
        raise status.bad_request("name in URL does not match name in Binding object")
    target = binding.get("target") or {}
    errors = []
    if target.get("kind") not in (None, "", "Node"):
        errors.append(fielderrors.not_supported("target.kind", target["kind"], ["Node", "<empty>"]))
    if not target.get("name"):
        errors.append(fielderrors.required("target.name"))
    if errors:
        raise status.invalid(PODS_BINDING, meta.get("name", ""), errors)


def _check_preconditions(request: Request, kind: Kind, pod: Object, binding: Object) -> None:
    for what, field in (("UID", "uid"), ("ResourceVersion", "resourceVersion")):
        wanted, found = metadata(binding).get(field), metadata(pod)[field]
        if wanted and wanted != found:
            raise precondition_failed(
                kind, what, namespace=request.namespace, name=request.name, wanted=wanted, found=found
            )


def _bound(request: Request, pod: Object, binding: Object, *, now: str) -> Object:
    """The pod with its node, its condition and the binding's annotations and labels. Raises 409."""
    name, meta = request.name, metadata(binding)
    spec = pod["spec"]
    if being_deleted(pod):
        raise status.conflict(
            PODS_BINDING, name, f"pod {name} is being deleted, cannot be assigned to a host"
        )
    if spec.get("nodeName"):
        why = f'pod {name} is already assigned to node "{spec["nodeName"]}"'
        raise status.conflict(PODS_BINDING, name, why)
    if spec.get("schedulingGates"):
        raise status.conflict(PODS_BINDING, name, f"pod {name} has non-empty .spec.schedulingGates")
    assert uid_of(pod), "every stored pod has a uid"
    condition = {"type": "PodScheduled", "status": "True", "lastProbeTime": None, "lastTransitionTime": now}
    if metadata(pod).get("generation"):
        condition["observedGeneration"] = metadata(pod)["generation"]
    before = pod.get("status") or {}
    others = [known for known in before.get("conditions") or () if known.get("type") != "PodScheduled"]
    bound = {
        **pod,
        "spec": {**spec, "nodeName": binding["target"]["name"]},
        "status": {**before, "conditions": [*others, condition]},
    }
    for field in ("annotations", "labels"):
        if meta.get(field):
            both = {**(metadata(pod).get(field) or {}), **meta[field]}
            bound["metadata"] = {**metadata(bound), field: both}
    return bound

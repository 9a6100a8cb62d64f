"""What a client may send besides objects that are stored: each as a record, so that its body is checked like theirs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mamekube.apiserver.request import Request
from mamekube.kinds import cells
from mamekube.kinds.kind import Column, Kind
from mamekube.objects.meta import Object
from mamekube.objects.status import bad_request


def _body(group: str, version: str, kind: str, schema: str) -> Kind:
    return Kind(
        group=group,
        version=version,
        plural=f"{kind.lower()}s",
        singular=kind.lower(),
        kind=kind,
        schema=schema,
    )


def _scale_row(scale: Object, now_s: float) -> list[Any]:
    return [
        cells.name(scale),
        cells.count(cells.spec_of(scale), "replicas"),
        cells.count(cells.status_of(scale), "replicas"),
        cells.age(scale, now_s),
    ]


BINDING = _body("", "v1", "Binding", "io.k8s.api.core.v1.Binding")
DELETE_OPTIONS = _body("", "v1", "DeleteOptions", "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions")
EVICTION = _body("policy", "v1", "Eviction", "io.k8s.api.policy.v1.Eviction")
SCALE = replace(
    _body("autoscaling", "v1", "Scale", "io.k8s.api.autoscaling.v1.Scale"),
    columns=(
        replace(cells.NAME, format=""),
        Column(name="Desired", type="integer", field="autoscaling.v1.ScaleSpec.replicas"),
        Column(name="Available", type="integer", field="autoscaling.v1.ScaleStatus.replicas"),
        cells.AGE,
    ),
    row=_scale_row,
)
TOKEN_REQUEST = _body(
    "authentication.k8s.io", "v1", "TokenRequest", "io.k8s.api.authentication.v1.TokenRequest"
)


def check_namespace(request: Request, obj: Object) -> None:
    """400 for an object of another namespace than that of the path."""
    if (obj.get("metadata") or {}).get("namespace") not in (None, "", request.namespace):
        raise bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )

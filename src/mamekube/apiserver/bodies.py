"""What a client may send besides objects that are stored: each as a record, so that its body is checked like theirs."""

from __future__ import annotations

from mamekube.apiserver.request import Request
from mamekube.kinds.kind import Kind
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


BINDING = _body("", "v1", "Binding", "io.k8s.api.core.v1.Binding")
DELETE_OPTIONS = _body("", "v1", "DeleteOptions", "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions")
EVICTION = _body("policy", "v1", "Eviction", "io.k8s.api.policy.v1.Eviction")
SCALE = _body("autoscaling", "v1", "Scale", "io.k8s.api.autoscaling.v1.Scale")
TOKEN_REQUEST = _body(
    "authentication.k8s.io", "v1", "TokenRequest", "io.k8s.api.authentication.v1.TokenRequest"
)


def check_namespace(request: Request, obj: Object) -> None:
    """400 for an object of another namespace than that of the path."""
    if (obj.get("metadata") or {}).get("namespace") not in (None, "", request.namespace):
        raise bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )

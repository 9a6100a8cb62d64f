"""Where upstream would keep an object: its storage names the key in some errors, which clients show."""

from __future__ import annotations

from mamekube.kinds.kind import Kind
from mamekube.objects import status
from mamekube.objects.status import StatusError

PREFIXES = {
    "endpoints": "services/endpoints",
    "ingresses.networking.k8s.io": "ingress",
    "nodes": "minions",
    "replicationcontrollers": "controllers",
    "services": "services/specs",
}
"""Upstream: SpecialDefaultResourcePrefixes."""

GROUPS_IN_KEYS = frozenset({"apiextensions.k8s.io", "apiregistration.k8s.io"})
"""Built-in groups that are served by servers of their own, whose keys have the group in them like custom resources'."""


def key_of(kind: Kind, *, namespace: str, name: str) -> str:
    prefix = PREFIXES.get(kind.group_resource, kind.plural)
    if not isinstance(kind.schema, str) or kind.group in GROUPS_IN_KEYS:
        prefix = f"{kind.group}/{kind.plural}"
    return "/".join(part for part in ("/registry", prefix, namespace, name) if part)


def precondition_failed(
    kind: Kind, what: str, *, namespace: str, name: str, wanted: str, found: str
) -> StatusError:
    """What upstream's storage says of a write that was meant for another object, or another version of it."""
    key = key_of(kind, namespace=namespace, name=name)
    return status.conflict(
        kind,
        name,
        f"StorageError: invalid object, Code: 4, Key: {key}, ResourceVersion: 0, AdditionalErrorMsg: "
        f"{mismatch(what, wanted, found)}",
    )


def mismatch(what: str, wanted: str, found: str) -> str:
    """Of a precondition."""
    return f"Precondition failed: {what} in precondition: {wanted}, {what} in object meta: {found}"

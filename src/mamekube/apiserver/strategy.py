"""How an update is made ready and checked, for whole objects and for their status. Pure.

Upstream's name for these rules of one resource is the same. Subresources with rules of their own (`resize`,
`ephemeralcontainers`, `approval`) keep them in files named after them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mamekube.apiserver import objectmeta
from mamekube.kinds.kind import ALL_METADATA, Kind
from mamekube.objects.fielderrors import FieldError
from mamekube.objects.meta import Object, metadata, same

NOT_SPEC = frozenset({"apiVersion", "kind", "metadata", "status"})
"""A change outside these counts up metadata.generation."""

CREATED_BY_UPDATE = frozenset(
    {
        "clusterrolebindings.rbac.authorization.k8s.io",
        "clusterroles.rbac.authorization.k8s.io",
        "endpoints",
        "events",
        "events.events.k8s.io",
        "leases.coordination.k8s.io",
        "limitranges",
        "rolebindings.rbac.authorization.k8s.io",
        "roles.rbac.authorization.k8s.io",
        "runtimeclasses.node.k8s.io",
        "services",
    }
)
"""Where a PUT to a name that is not there creates it. Upstream: AllowCreateOnUpdate."""

CONDITIONAL_ONLY = frozenset(
    {
        "apiservices.apiregistration.k8s.io",
        "csidrivers.storage.k8s.io",
        "csinodes.storage.k8s.io",
        "csistoragecapacities.storage.k8s.io",
        "customresourcedefinitions.apiextensions.k8s.io",
        "leases.coordination.k8s.io",
        "mutatingadmissionpolicies.admissionregistration.k8s.io",
        "mutatingadmissionpolicybindings.admissionregistration.k8s.io",
        "mutatingwebhookconfigurations.admissionregistration.k8s.io",
        "poddisruptionbudgets.policy",
        "runtimeclasses.node.k8s.io",
        "validatingadmissionpolicies.admissionregistration.k8s.io",
        "validatingadmissionpolicybindings.admissionregistration.k8s.io",
        "validatingwebhookconfigurations.admissionregistration.k8s.io",
        "volumeattachments.storage.k8s.io",
    }
)
"""Where an update must name the resourceVersion it was made from. Upstream: AllowUnconditionalUpdate is false."""


CLIENTS_METADATA = ("annotations", "finalizers", "labels", "ownerReferences")
"""What clients may write in metadata, the name aside."""


def allows_unconditional_update(kind: Kind) -> bool:
    custom = not isinstance(kind.schema, str)
    return not custom and kind.group_resource not in CONDITIONAL_ONLY


def _warnings_of_whole(kind: Kind, new: Object, old: Object) -> list[str]:
    return kind.warnings(new, old)


def _warnings_of_status(kind: Kind, new: Object, old: Object) -> list[str]:
    return kind.status_warnings(new, old)


@dataclass(frozen=True, slots=True)
class Strategy:
    """Rules of one way to update an object. `prepare` changes the new object, which is the request's own."""

    subresource: str
    prepare: Callable[[Kind, Object, Object, float], None]
    """`(kind, new, old, now in seconds)`"""
    validate: Callable[[Kind, Object, Object], list[FieldError]]
    """`(kind, new, old)`"""
    warnings: Callable[[Kind, Object, Object], list[str]] = _warnings_of_whole
    """`(kind, new, old)`"""


def _prepare_whole(kind: Kind, new: Object, old: Object, now_s: float) -> None:
    if kind.has_status:
        _copy(new, old, "status")
    kind.prepare_update(new, old)


def _validate_whole(kind: Kind, new: Object, old: Object) -> list[FieldError]:
    return kind.validate(new) + kind.validate_update(new, old)


def _prepare_status(kind: Kind, new: Object, old: Object, now_s: float) -> None:
    for key in [key for key in (*new, *old) if key not in NOT_SPEC]:
        _copy(new, old, key)
    for path in kind.status_resets:
        if path == ALL_METADATA:
            keep_metadata(new, old, *CLIENTS_METADATA)
        elif path[0] == "metadata":
            keep_metadata(new, old, path[1])
    kind.prepare_status(new, old, now_s)


def _validate_status(kind: Kind, new: Object, old: Object) -> list[FieldError]:
    return kind.validate_status(new, old)


def keep_metadata(new: Object, old: Object, *keys: str) -> None:
    """Undo what the request says of these fields of metadata."""
    after, before = new["metadata"], metadata(old)
    for key in keys:
        _copy(after, before, key)


def _copy(new: Object, old: Object, key: str) -> None:
    if key in old:
        new[key] = old[key]
    else:
        new.pop(key, None)


WHOLE = Strategy("", _prepare_whole, _validate_whole)
STATUS = Strategy("status", _prepare_status, _validate_status, _warnings_of_status)


def prepare_update(strategy: Strategy, kind: Kind, new: Object, old: Object, *, now_s: float) -> None:
    """Make `new` what would be stored: the server's own fields kept, the generation counted."""
    objectmeta.kept_from_old(new, old)
    strategy.prepare(kind, new, old, now_s)
    if kind.counts_generation and _spec_differs(kind, new, old):
        new["metadata"]["generation"] = int(metadata(old).get("generation") or 0) + 1


def _spec_differs(kind: Kind, new: Object, old: Object) -> bool:
    aside = NOT_SPEC if kind.has_status else NOT_SPEC - {"status"}
    return any(_changed(kind, new.get(key), old.get(key)) for key in {*new, *old} - aside)


def _changed(kind: Kind, new: Any, old: Any) -> bool:
    """Only a custom resource may have true where it had 1, which is equal in Python."""
    return new != old or not (isinstance(kind.schema, str) or same(new, old))


def validate_update(strategy: Strategy, kind: Kind, new: Object, old: Object) -> list[FieldError]:
    return objectmeta.validate_update(kind, new, old) + strategy.validate(kind, new, old)


def differs(new: Object, old: Object) -> bool:
    """Whether a write would change anything but when managed fields were last written."""
    if any(not same(new.get(key), old.get(key)) for key in {*new, *old} - {"metadata"}):
        return True
    ignored = {"managedFields", "resourceVersion"}
    after, before = new["metadata"], metadata(old)
    if any(after.get(key) != before.get(key) for key in {*after, *before} - ignored):
        return True
    return _owners(after) != _owners(before)


def _owners(meta: Object) -> list[Object]:
    return [
        {key: value for key, value in entry.items() if key != "time"}
        for entry in meta.get("managedFields") or ()
    ]

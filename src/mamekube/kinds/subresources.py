"""What discovery says of the subresources: their verbs, and the kind that is read and written there."""

from __future__ import annotations

from dataclasses import dataclass

from mamekube.kinds.kind import Kind

_EDIT = ("get", "patch", "update")
_CONNECT = ("create", "get")
_PROXY = ("create", "delete", "get", "patch", "update")


@dataclass(frozen=True, slots=True)
class Subresource:
    """`kind` is `""` where it is the parent's own; `group` and `version` are `""` where they are the parent's."""

    verbs: tuple[str, ...]
    kind: str = ""
    group: str = ""
    version: str = ""


SUBRESOURCES: dict[str, Subresource] = {
    "approval": Subresource(_EDIT),
    "ephemeralcontainers": Subresource(_EDIT),
    "finalize": Subresource(("update",)),
    "log": Subresource(("get",)),
    "resize": Subresource(_EDIT),
    "scale": Subresource(_EDIT, "Scale", "autoscaling", "v1"),
    "status": Subresource(_EDIT),
    "attach": Subresource(_CONNECT, "PodAttachOptions"),
    "binding": Subresource(("create",), "Binding"),
    "eviction": Subresource(("create",), "Eviction", "policy", "v1"),
    "exec": Subresource(_CONNECT, "PodExecOptions"),
    "portforward": Subresource(_CONNECT, "PodPortForwardOptions"),
    "token": Subresource(("create",), "TokenRequest", "authentication.k8s.io", "v1"),
}

_PROXIES = {"nodes": "NodeProxyOptions", "pods": "PodProxyOptions", "services": "ServiceProxyOptions"}


def names(kind: Kind) -> list[str]:
    """All subresources of `kind`, status and scale too: in order of name, of a custom kind status first."""
    found = list(kind.subresources)
    if kind.has_status:
        found.append("status")
    if kind.scale is not None:
        found.append("scale")
    return sorted(found) if isinstance(kind.schema, str) else found


def describe(kind: Kind, name: str) -> Subresource:
    """The subresource `name` of `kind`, its own kind filled in. KeyError where there is none of that name."""
    if name == "proxy":
        return Subresource(_PROXY, _PROXIES[kind.plural])
    found = SUBRESOURCES[name]
    return found if found.kind else Subresource(found.verbs, kind.kind)

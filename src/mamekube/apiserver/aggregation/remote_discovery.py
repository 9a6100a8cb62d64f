"""What another server's APIResourceList says, as aggregated discovery shows it. Pure."""

from __future__ import annotations

from typing import Any

from mamekube.apiserver.aggregation.apiservices import Remote
from mamekube.objects.meta import Object

COPIED = ("shortNames", "categories")


def resources_of(remote: Remote) -> list[Object]:
    """The APIResourceDiscovery entries of one group and version, subresources under their resource."""
    found: dict[str, dict[str, Any]] = {}
    for entry in remote.resources:
        name, _, subresource = entry["name"].partition("/")
        if not subresource:
            found[name] = _resource(remote, entry)
        elif name in found:
            below = {
                "subresource": subresource,
                "responseKind": _kind(remote, entry),
                "verbs": list(entry.get("verbs") or ()),
            }
            found[name].setdefault("subresources", []).append(below)
    return list(found.values())


def _resource(remote: Remote, entry: Object) -> dict[str, Any]:
    resource: dict[str, Any] = {
        "resource": entry["name"],
        "responseKind": _kind(remote, entry),
        "scope": "Namespaced" if entry.get("namespaced") else "Cluster",
        "singularResource": entry.get("singularName") or "",
        "verbs": list(entry.get("verbs") or ()),
    }
    for field in COPIED:
        if entry.get(field):
            resource[field] = list(entry[field])
    return resource


def _kind(remote: Remote, entry: Object) -> dict[str, str]:
    return {
        "group": entry.get("group") or remote.group,
        "version": entry.get("version") or remote.version,
        "kind": entry.get("kind") or "",
    }

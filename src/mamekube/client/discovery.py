"""What a server serves, read from its aggregated discovery documents. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from mamekube.objects.meta import Object
from mamekube.objects.resource import Resource

ACCEPT = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
PATHS = ("/api", "/apis")


@dataclass(frozen=True, slots=True)
class Served:
    """A resource, in the version that its group prefers, and what can be done with it."""

    resource: Resource
    verbs: frozenset[str]


@dataclass(frozen=True, slots=True)
class Discovered:
    """Everything that could be found."""

    served: tuple[Served, ...] = ()
    stale: tuple[str, ...] = ()
    """Group versions (`wardle.example.com/v1`) of servers that do not answer: what they serve is not known."""

    def with_verbs(self, *verbs: str) -> list[Resource]:
        """The resources that know all of these verbs."""
        return [one.resource for one in self.served if one.verbs.issuperset(verbs)]


def read_documents(documents: Iterable[Object]) -> Discovered:
    """What the APIGroupDiscoveryLists say. The versions of a group stand in them with the preferred one first."""
    found: dict[tuple[str, str], Served] = {}
    stale = []
    for group in (item for document in documents for item in document.get("items") or ()):
        name = (group.get("metadata") or {}).get("name") or ""
        for version in group.get("versions") or ():
            if version.get("freshness") == "Stale":
                stale.append(f"{name}/{version['version']}" if name else version["version"])
                continue
            for entry in version.get("resources") or ():
                served = _served(name, version["version"], entry)
                found.setdefault((name, served.resource.plural), served)
    return Discovered(tuple(found.values()), tuple(sorted(stale)))


def _served(group: str, version: str, entry: dict[str, Any]) -> Served:
    resource = Resource(
        group=group,
        version=version,
        plural=entry["resource"],
        kind=(entry.get("responseKind") or {}).get("kind") or "",
        namespaced=entry.get("scope") == "Namespaced",
    )
    return Served(resource, frozenset(entry.get("verbs") or ()))

"""Every resource whose objects can be listed, watched and deleted: what garbage collection covers.

Built-in ones come from the registry, the others from CustomResourceDefinitions and other servers as these come and go.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mamekube.kinds.kind import Kind
from mamekube.kinds.registry import builtin_registry, version_rank
from mamekube.objects.conditions import is_true
from mamekube.objects.meta import Object
from mamekube.objects.resource import Resource

NEEDED_VERBS = frozenset(("delete", "list", "watch"))

IGNORED = frozenset((("", "events"), ("events.k8s.io", "events")))
"""Events own nothing, are owned by nothing, and expire by themselves."""


def plain(kind: Kind) -> Resource:
    """The kind's names alone, so that it is equal to the record of the same resource elsewhere."""
    return Resource(
        group=kind.group,
        version=kind.version,
        plural=kind.plural,
        kind=kind.kind,
        namespaced=kind.namespaced,
    )


def builtin_resources() -> list[Resource]:
    """One version of each, the preferred one."""
    registry = builtin_registry()
    ranks = {
        (group, version): rank
        for group, versions in registry.group_versions()
        for rank, version in enumerate(versions)
    }
    best: dict[tuple[str, str], Resource] = {}
    for kind in sorted(registry.all(), key=lambda kind: ranks[kind.group, kind.version]):
        if set(kind.verbs) >= NEEDED_VERBS:
            best.setdefault((kind.group, kind.plural), plain(kind))
    return list(best.values())


def custom_resource(definition: Object) -> Resource | None:
    """The best served version of an established CustomResourceDefinition."""
    spec = definition["spec"]
    served = [version["name"] for version in spec.get("versions") or () if version.get("served")]
    if not served or not is_true(definition, "Established"):
        return None
    return Resource(
        group=spec["group"],
        version=min(served, key=version_rank),
        plural=spec["names"]["plural"],
        kind=spec["names"]["kind"],
        namespaced=spec.get("scope") == "Namespaced",
    )


class Deletables:
    """The resources known now, by (group, kind), which is how owner references name them."""

    def __init__(self, resources: Iterable[Resource] | None = None) -> None:
        known = builtin_resources() if resources is None else resources
        self._builtin = {(resource.group, resource.kind): resource for resource in known}
        self._custom: dict[tuple[str, str], Resource] = {}

    def __iter__(self) -> Iterator[Resource]:
        yield from self._builtin.values()
        yield from self._custom.values()

    def find(self, api_version: str, kind: str) -> Resource | None:
        """Whatever version is named: the objects are the same in all of them."""
        group = api_version.rpartition("/")[0]
        return self._builtin.get((group, kind)) or self._custom.get((group, kind))

    def add(self, resource: Resource) -> None:
        self._custom[resource.group, resource.kind] = resource

    def remove(self, group: str, kind: str) -> None:
        self._custom.pop((group, kind), None)

"""Which resource a word on the command line names: `po`, `deploy`, `deployments.apps`, `Pod`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mamekube.kubectl.failures import Failure
from mamekube.kubectl.transport import Api
from mamekube.objects.resource import Resource

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"


@dataclass(frozen=True, slots=True)
class Found:
    """A resource as the server describes it."""

    resource: Resource
    singular: str
    short_names: tuple[str, ...]
    categories: tuple[str, ...]
    verbs: tuple[str, ...]


class Discovery:
    """The server's resources, in the server's order: an earlier group wins a name that two have."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._found: list[Found] | None = None

    def all(self) -> list[Found]:
        if self._found is None:
            self._found = []
            for path in ("/api", "/apis"):
                for group in self._api.get(path, accept=AGGREGATED).get("items", ()):
                    self._found += _group_resources(group)
        return self._found

    def find(self, word: str) -> Found:
        """The resource that `word` names. Raises Failure as kubectl does."""
        name, _, group = word.partition(".")
        name = name.lower()
        for found in self.preferred():
            resource = found.resource
            names = (resource.plural, found.singular, resource.kind.lower(), *found.short_names)
            if name in names and (not group or _group_matches(resource, group)):
                return found
        raise Failure(f'error: the server doesn\'t have a resource type "{word}"')

    def find_kind(
        self, api_version: str, kind: str, *, described: str = 'name: "" namespace: "" from ""'
    ) -> Found:
        for found in self.all():
            if found.resource.kind == kind and found.resource.api_version == api_version:
                return found
        raise Failure(
            f'error: resource mapping not found for {described}: no matches for kind "{kind}" '
            f'in version "{api_version}"\nensure CRDs are installed first'
        )

    def in_category(self, category: str) -> list[Found]:
        return [found for found in self.preferred() if category in found.categories]

    def preferred(self) -> list[Found]:
        """Every resource once, in the first version that its group lists."""
        seen: set[tuple[str, str]] = set()
        found = []
        for candidate in self.all():
            key = (candidate.resource.group, candidate.resource.plural)
            if key not in seen:
                seen.add(key)
                found.append(candidate)
        return found


def _group_matches(resource: Resource, text: str) -> bool:
    return text == resource.group or text == f"{resource.version}.{resource.group}".rstrip(".")


def _group_resources(group: dict[str, Any]) -> list[Found]:
    found = []
    for version in group.get("versions", ()):
        if version.get("freshness") == "Stale":
            # Its server does not answer: what it served the last time says nothing of now.
            continue
        for entry in version.get("resources", ()):
            resource = Resource(
                group=group.get("metadata", {}).get("name", ""),
                version=version["version"],
                plural=entry["resource"],
                kind=entry.get("responseKind", {}).get("kind", ""),
                namespaced=entry.get("scope") == "Namespaced",
            )
            found.append(
                Found(
                    resource,
                    entry.get("singularResource", ""),
                    tuple(entry.get("shortNames", ())),
                    tuple(entry.get("categories", ())),
                    tuple(entry.get("verbs", ())),
                )
            )
    return found

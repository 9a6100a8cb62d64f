"""What upstream asks of the API of any kind: it is discovered, and takes every verb."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.conformance.api import Api, Object

VERBS = {"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A resource of a group, and an object of it that is valid."""

    group: str
    plural: str
    kind: str
    spec: Mapping[str, Any]
    field: str = "spec"
    """Where in the object `spec` stands; `""` is at its top."""
    version: str = "v1"
    subresources: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        return f"/apis/{self.group}/{self.version}/{self.plural}"

    def object(self, name: str, labels: Mapping[str, str]) -> Object:
        fields = copy.deepcopy({self.field: self.spec} if self.field else dict(self.spec))
        return {
            "apiVersion": f"{self.group}/{self.version}",
            "kind": self.kind,
            "metadata": {"name": name, "labels": dict(labels)},
            **fields,
        }


def check_discovery(api: Api, resource: Resource) -> None:
    """All three documents name it, with the verbs."""
    (group,) = [one for one in api.get("/apis")["groups"] if one["name"] == resource.group]
    group_version = f"{resource.group}/{resource.version}"
    assert group_version in [one["groupVersion"] for one in group["versions"]]
    versions = api.get(f"/apis/{resource.group}")["versions"]
    assert {"groupVersion": group_version, "version": resource.version} in versions
    listed = {one["name"]: one for one in api.get(f"/apis/{group_version}")["resources"]}
    assert set(listed[resource.plural]["verbs"]) == VERBS
    for subresource in resource.subresources:
        assert {"get", "patch", "update"} <= set(listed[f"{resource.plural}/{subresource}"]["verbs"])


def check_verbs(api: Api, resource: Resource, unique: str) -> None:
    """Create, get, list, watch, patch, update, delete and deletecollection, with three objects."""
    path, label = resource.path, {"test": unique}
    selector = f"test={unique}"
    names = [f"{unique}-{number}" for number in (1, 2, 3)]
    created = [api.create(path, resource.object(name, label)) for name in names]
    assert api.get(f"{path}/{names[0]}")["metadata"]["uid"] == created[0]["metadata"]["uid"]
    assert [one["metadata"]["name"] for one in api.items(path, labelSelector=selector)] == names
    since = created[-1]["metadata"]["resourceVersion"]
    with api.watch(path, labelSelector=selector, resourceVersion=since) as watch:
        patched = api.patch(f"{path}/{names[0]}", {"metadata": {"annotations": {"patched": "true"}}})
        assert patched["metadata"]["annotations"]["patched"] == "true"
        seen = watch.until("MODIFIED", lambda obj: "patched" in obj["metadata"].get("annotations", {}))
        assert seen["metadata"]["name"] == names[0]
        obj = api.get(f"{path}/{names[0]}")
        obj["metadata"]["annotations"]["updated"] = "true"
        assert api.update(f"{path}/{names[0]}", obj)["metadata"]["annotations"]["updated"] == "true"
        watch.until("MODIFIED", lambda obj: "updated" in obj["metadata"].get("annotations", {}))
        api.delete(f"{path}/{names[0]}")
        watch.until("DELETED", lambda obj: obj["metadata"]["name"] == names[0])
        assert api.missing(f"{path}/{names[0]}")
        assert len(api.items(path, labelSelector=selector)) == 2
        api.delete(path, labelSelector=selector)
        deleted = {watch.until("DELETED")["metadata"]["name"] for _ in range(2)}
    assert deleted == set(names[1:])
    assert api.items(path, labelSelector=selector) == []


def check_status(api: Api, resource: Resource, unique: str, conditions: list[Object]) -> None:
    """The status is read, patched and updated by itself."""
    path = f"{resource.path}/{unique}"
    api.create(resource.path, resource.object(unique, {"test": unique}))
    assert api.get(f"{path}/status")["metadata"]["name"] == unique
    first, second = conditions
    patch = {"metadata": {"annotations": {"patched": "true"}}, "status": {"conditions": [first]}}
    obj = api.patch(f"{path}/status", patch)
    assert [one["message"] for one in obj["status"]["conditions"]] == [first["message"]]
    obj["status"]["conditions"] = [*obj["status"]["conditions"], second]
    obj = api.update(f"{path}/status", obj)
    messages = [one["message"] for one in obj["status"]["conditions"]]
    assert messages == [first["message"], second["message"]]
    assert api.get(path)["status"]["conditions"] == obj["status"]["conditions"]
    api.delete(path)

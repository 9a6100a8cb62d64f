"""What upstream asks of the API of any kind: it is discovered, and takes every verb."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.conformance.api import Api, Object, Refused, Watch

VERBS = {"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A resource of a group (`""`: the core group), and an object of it that is valid."""

    group: str
    plural: str
    kind: str
    spec: Mapping[str, Any]
    field: str = "spec"
    """Where in the object `spec` stands; `""` is at its top."""
    version: str = "v1"
    subresources: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    """Three, where a name has to be of a form of its own."""

    @property
    def group_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def root(self) -> str:
        """The path of the group's version."""
        return f"/apis/{self.group_version}" if self.group else f"/api/{self.version}"

    @property
    def path(self) -> str:
        """Of the collection: of all namespaces, where it is in namespaces."""
        return f"{self.root}/{self.plural}"

    def within(self, namespace: str) -> str:
        """The collection in a namespace; `""` for what is in none."""
        return f"{self.root}/namespaces/{namespace}/{self.plural}" if namespace else self.path

    def object(self, name: str, labels: Mapping[str, str]) -> Object:
        fields = copy.deepcopy({self.field: self.spec} if self.field else dict(self.spec))
        return {
            "apiVersion": self.group_version,
            "kind": self.kind,
            "metadata": {"name": name, "labels": dict(labels)},
            **fields,
        }


def check_discovery(api: Api, resource: Resource) -> None:
    """All documents name it, with the verbs."""
    if resource.group:
        (group,) = [one for one in api.get("/apis")["groups"] if one["name"] == resource.group]
        assert resource.group_version in [one["groupVersion"] for one in group["versions"]]
        versions = api.get(f"/apis/{resource.group}")["versions"]
        assert {"groupVersion": resource.group_version, "version": resource.version} in versions
    listed = {one["name"]: one for one in api.get(resource.root)["resources"]}
    assert set(listed[resource.plural]["verbs"]) == VERBS
    for subresource in resource.subresources:
        assert {"get", "patch", "update"} <= set(listed[f"{resource.plural}/{subresource}"]["verbs"])


def check_verbs(api: Api, resource: Resource, unique: str, *, namespace: str = "") -> None:
    """Create, get, list, watch, patch, update, delete and deletecollection, with three objects."""
    path, selector = resource.within(namespace), f"test={unique}"
    names = list(resource.names) or [f"{unique}-{number}" for number in (1, 2, 3)]
    uids = [api.create(path, resource.object(name, {"test": unique}))["metadata"]["uid"] for name in names]
    assert api.get(f"{path}/{names[0]}")["metadata"]["uid"] == uids[0]
    again = api.refusal("POST", path, resource.object(names[0], {}))
    assert (again.code, again.reason) == (409, "AlreadyExists")
    for place in (path, resource.path):
        listing = api.get(place, labelSelector=selector)
        assert {one["metadata"]["uid"] for one in listing["items"]} == set(uids)
    since = listing["metadata"]["resourceVersion"]
    with (
        api.watch(path, labelSelector=selector, resourceVersion=since) as watch,
        api.watch(resource.path, labelSelector=selector, resourceVersion=since) as everywhere,
    ):
        _change(api, f"{path}/{names[0]}")
        for one in (watch, everywhere):
            _check_changes(one, resource, uids[0])
        api.delete(f"{path}/{names[0]}")
        watch.until("DELETED", lambda obj: obj["metadata"]["uid"] == uids[0])
        assert api.missing(f"{path}/{names[0]}")
        assert len(api.items(path, labelSelector=selector)) == 2
        api.delete(path, labelSelector=selector)
        assert {watch.until("DELETED")["metadata"]["uid"] for _ in range(2)} == set(uids[1:])
    assert api.items(path, labelSelector=selector) == []


def _change(api: Api, path: str) -> None:
    """Annotate an object by a patch, and by an update of what is there then."""
    before = api.get(path)
    patched = api.patch(path, {"metadata": {"annotations": {"patched": "true"}}})
    assert patched["metadata"]["annotations"]["patched"] == "true"
    assert int(patched["metadata"]["resourceVersion"]) > int(before["metadata"]["resourceVersion"])
    updated = _update(api, path, patched, {"updated": "true"})
    assert updated["metadata"]["annotations"].items() >= {"patched": "true", "updated": "true"}.items()
    assert int(updated["metadata"]["resourceVersion"]) > int(patched["metadata"]["resourceVersion"])


def _update(api: Api, path: str, obj: Object, annotations: Mapping[str, str]) -> Object:
    """Update with annotations. A controller may write to its object at any time: then what it wrote is updated."""
    while True:
        obj["metadata"]["annotations"] |= annotations
        try:
            return api.update(path, obj)
        except Refused as refused:
            if refused.reason != "Conflict":
                raise
            obj = api.get(path)


def _check_changes(watch: Watch, resource: Resource, uid: str) -> None:
    """Both changes are told, in order, as objects that say what they are."""

    def annotated(obj: Object) -> list[str]:
        return [word for word in ("patched", "updated") if word in obj["metadata"].get("annotations", {})]

    patched = watch.until("MODIFIED", annotated)
    updated = watch.until("MODIFIED", lambda obj: "updated" in annotated(obj))
    assert annotated(patched) == ["patched"]
    for obj in (patched, updated):
        said = (obj["metadata"]["uid"], obj["kind"], obj["apiVersion"])
        assert said == (uid, resource.kind, resource.group_version)


def check_status(
    api: Api, resource: Resource, unique: str, conditions: list[Object], *, namespace: str = ""
) -> None:
    """The status is read, patched and updated by itself."""
    path = f"{resource.within(namespace)}/{unique}"
    api.create(resource.within(namespace), resource.object(unique, {"test": unique}))
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

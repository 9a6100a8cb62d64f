"""Stories of several managers of one object, as upstream's integration tests of server-side apply tell them."""

from __future__ import annotations

import json
from typing import Any

import pytest

Object = dict[str, Any]

PODS = "/api/v1/namespaces/default/pods"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
DAEMON_SETS = "/apis/apps/v1/namespaces/default/daemonsets"
VOLUMES = "/api/v1/persistentvolumes"
APPLY = {"Content-Type": "application/apply-patch+yaml"}
MERGE = {"Content-Type": "application/merge-patch+json"}
STRATEGIC = {"Content-Type": "application/strategic-merge-patch+json"}


def pod(**metadata: Any) -> Object:
    spec = {"containers": [{"name": "main", "image": "busybox"}]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", **metadata}, "spec": spec}


def labelled(**labels: str) -> Object:
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"labels": labels}}


def workload(kind: str, container: Object, **spec: Any) -> Object:
    template = {"metadata": {"labels": {"app": "a"}}, "spec": {"containers": [container]}}
    spec = {"selector": {"matchLabels": {"app": "a"}}, "template": template, **spec}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": "a"}, "spec": spec}


def owners(obj: Object) -> list[tuple[str, str, str, Object]]:
    return [
        (entry["manager"], entry["operation"], entry.get("subresource", ""), entry["fieldsV1"])
        for entry in obj["metadata"]["managedFields"]
    ]


def main_container(obj: Object) -> Object:
    return obj["spec"]["template"]["spec"]["containers"][0]


class Managers:
    """Writes to one object, each by a manager; the answer is the object, or the test fails."""

    def __init__(self, web: Any, collection: str) -> None:
        self._web = web
        self._collection = collection

    async def send(self, method: str, manager: str, obj: Object, headers: Any = None, *, below: str = ""):
        name = "" if method == "POST" else f"/a{below}"
        path = f"{self._collection}{name}?fieldManager={manager}"
        body = json.dumps(obj).encode() if headers is APPLY else obj
        return await self._web.send(method, path, body, headers=headers)

    async def done(self, *args: Any, **options: Any) -> Object:
        answer = await self.send(*args, **options)
        assert answer.code in (200, 201), answer.body
        return answer.body

    async def apply(self, manager: str, obj: Object, *, below: str = "") -> Object:
        return await self.done("PATCH", manager, obj, APPLY, below=below)

    async def merge(self, manager: str, patch: Object, *, below: str = "") -> Object:
        return await self.done("PATCH", manager, patch, MERGE, below=below)

    async def rewritten(self, obj: Object, **entry: Any) -> Object:
        """After an update that says of all entries the same."""
        for one in obj["metadata"]["managedFields"]:
            one.update(entry)
        return await self.done("PUT", "whoever", obj)


@pytest.fixture
async def pods(web):
    await web.send("POST", "/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": "default"}})
    return Managers(web, PODS)


B_ALONE = {"f:metadata": {"f:labels": {"f:b": {}}}}


async def test_appliers_that_are_renamed_alike_become_the_last_of_them(pods):
    """Upstream: TestRenamingAppliedFieldManagers."""
    await pods.apply("one", pod(labels={"a": "1"}))
    obj = await pods.apply("two", labelled(b="2"))
    assert obj["metadata"]["labels"] == {"a": "1", "b": "2"}
    obj = await pods.rewritten(obj, manager="both")
    assert owners(obj) == [("both", "Apply", "", B_ALONE)]


async def test_updaters_that_are_renamed_alike_become_the_last_of_them(pods):
    """Upstream: TestRenamingUpdatedFieldManagers."""
    await pods.apply("first", pod())
    await pods.merge("one", labelled(a="1"))
    obj = await pods.rewritten(await pods.merge("two", labelled(b="2")), manager="both")
    assert [owner[:2] for owner in owners(obj)] == [("both", "Apply"), ("both", "Update")]
    assert owners(obj)[1] == ("both", "Update", "", B_ALONE)


async def test_entries_that_lose_their_subresource_become_one(pods):
    """Upstream: TestDroppingSubresourceField."""
    await pods.apply("first", pod())
    await pods.apply("labels", labelled(a="1"))
    obj = await pods.apply("labels", labelled(b="2"), below="/status")
    assert obj["metadata"]["labels"] == {"a": "1", "b": "2"}
    assert [owner[:3] for owner in owners(obj)][1:] == [
        ("labels", "Apply", ""),
        ("labels", "Apply", "status"),
    ]
    obj = await pods.rewritten(obj, subresource="")
    assert owners(obj)[1:] == [("labels", "Apply", "", B_ALONE)]


async def test_a_write_to_a_subresource_changes_the_entry_of_its_manager_alone(pods):
    """Upstream: TestApplyDoesNotChangeManagedFieldsViaSubresources."""
    before = await pods.apply("first", pod())
    forged = {"manager": "forged", "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1"}
    forged["fieldsV1"] = B_ALONE
    patch = {"metadata": {"managedFields": [forged]}, "status": {"phase": "Running"}}
    after = await pods.merge("kubelet", patch, below="/status")
    assert after["metadata"]["managedFields"][0] == before["metadata"]["managedFields"][0]
    assert [owner[0] for owner in owners(after)] == ["first", "kubelet"]


async def test_what_an_applier_withdraws_stays_where_another_wants_it(web):
    """Upstream: TestApplyUnsetExclusivelyOwnedFields, …SharedFields, …CanTransferFieldOwnershipToController."""
    deployments = Managers(web, DEPLOYMENTS)
    container = {"name": "main", "image": "busybox"}
    whole, less = workload("Deployment", container, replicas=3), workload("Deployment", container)
    whole["spec"]["template"]["spec"]["hostname"] = "host"
    await deployments.apply("one", whole)
    await deployments.apply("two", whole)
    obj = await deployments.apply("one", less)
    assert (obj["spec"]["replicas"], obj["spec"]["template"]["spec"]["hostname"]) == (3, "host")
    await deployments.merge("controller", {"spec": {"replicas": 4}})
    obj = await deployments.apply("two", less)
    assert obj["spec"]["replicas"] == 4
    assert "hostname" not in obj["spec"]["template"]["spec"]


async def test_a_withdrawn_element_goes_with_what_a_controller_wrote_into_it(web):
    """Upstream: TestApplyCanRemoveMapItemsContributedToByControllers."""
    deployments = Managers(web, DEPLOYMENTS)
    obj = await deployments.apply("one", workload("Deployment", {"name": "main", "image": "busybox"}))
    main_container(obj)["workingDir"] = "/home"
    await deployments.done("PUT", "controller", obj)
    obj = await deployments.apply("one", workload("Deployment", {"name": "other", "image": "busybox"}))
    assert [one["name"] for one in obj["spec"]["template"]["spec"]["containers"]] == ["other"]


async def test_a_key_that_is_left_out_is_its_default(web):
    """Upstream: TestDefaultMissingKeys."""
    deployments = Managers(web, DEPLOYMENTS)
    port = {"name": "one", "containerPort": 80}
    container = {"name": "main", "image": "busybox", "ports": [port]}
    await deployments.apply("one", workload("Deployment", container))
    container["ports"] = [{**port, "name": "two", "protocol": "TCP"}]
    answer = await deployments.send("PATCH", "two", workload("Deployment", container), APPLY)
    assert (answer.code, len(answer.body["details"]["causes"])) == (409, 1)


async def test_what_was_owned_as_a_whole_is_applied_in_parts(web):
    """Upstream: TestApplyFormerlyAtomicFields."""
    volumes = Managers(web, VOLUMES)
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "namespace": "default",
        "name": "a",
        "uid": "u",
    }
    spec = {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}, "hostPath": {"path": "/a"}}
    volume = {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "a"}}
    await volumes.done("POST", "me", {**volume, "spec": {**spec, "claimRef": claim}})
    whole = {"f:spec": {"f:claimRef": {}}}
    entry = {"manager": "controller", "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1"}
    entry |= {"fieldsV1": whole, "time": "2026-01-01T00:00:00Z"}
    await volumes.done("PATCH", "me", {"metadata": {"managedFields": [entry]}}, STRATEGIC)
    obj = await volumes.apply("me", {**volume, "spec": {"claimRef": {"namespace": "default", "name": "a"}}})
    assert obj["spec"]["claimRef"] == claim
    mine = {"f:spec": {"f:claimRef": {"f:name": {}, "f:namespace": {}}}}
    assert owners(obj) == [("me", "Apply", "", mine), ("controller", "Update", "", whole)]


def repeating(ports: list[tuple[str, int]], variables: list[tuple[str, str]]) -> Object:
    container = {
        "name": "main",
        "image": "busybox",
        "ports": [{"name": name, "containerPort": port} for name, port in ports],
        "env": [{"name": name, "value": value} for name, value in variables],
    }
    return workload("DaemonSet", container)


async def test_elements_with_the_same_key_are_owned_together_and_replaced_together(web):
    """Upstream: TestDuplicatesInAssociativeLists."""
    sets = Managers(web, DAEMON_SETS)
    path, port = 'k:{"name":"PATH"}', 'k:{"containerPort":80,"protocol":"TCP"}'

    def sizes(obj):
        return len(main_container(obj)["ports"]), len(main_container(obj)["env"])

    def container_of(obj, manager):
        [fields] = [owner[3] for owner in owners(obj) if owner[0] == manager]
        below = fields.get("f:spec", {}).get("f:template", {}).get("f:spec", {}).get("f:containers", {})
        return below.get('k:{"name":"main"}', {})

    first = repeating(
        [("one", 1), ("two", 80), ("three", 80)], [("A", "1"), ("PATH", "/bin"), ("PATH", "/usr")]
    )
    obj = await sets.done("POST", "create", first)
    assert sizes(obj) == (3, 3)
    assert container_of(obj, "create")["f:env"][path] == container_of(obj, "create")["f:ports"][port] == {}
    obj = await sets.apply("apply", repeating([("four", 443)], [("HOME", "/root")]))
    assert sizes(obj) == (4, 4)
    changed = repeating(
        [("one", 1), ("four", 443), ("five", 80), ("six", 80)],
        [("A", "1"), ("PATH", "/bin"), ("PATH", "/opt"), ("HOME", "/root")],
    )
    obj = await sets.done("PUT", "update", changed)
    assert container_of(obj, "update") == {"f:env": {path: {}}, "f:ports": {port: {}}}
    one = repeating([("seven", 80)], [("PATH", "/bin:/opt")])
    assert (await sets.send("PATCH", "apply", one, APPLY)).code == 409
    obj = await sets.done("PATCH", "apply&force=true", one, APPLY)
    assert sizes(obj) == (2, 2)
    assert main_container(obj)["env"][-1] == {"name": "PATH", "value": "/bin:/opt"}

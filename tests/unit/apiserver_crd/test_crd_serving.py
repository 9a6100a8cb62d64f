"""Definitions come and go: names, conditions, discovery, clean-up, watches."""

from __future__ import annotations

import asyncio

import pytest
from tests.unit.apiserver_crd.definitions import (
    CRONTABS,
    DEFINITIONS,
    DEFINITIONS_PATH,
    GROUP,
    NAME,
    OPEN,
    PATH,
    crontab,
    definition,
    established,
    refusal,
    until,
    version,
)

from mamekube.apiserver.server import ApiServer, ApiServerConfig
from mamekube.foundation.clock import Clock
from mamekube.objects.conditions import conditions_of, find, is_true
from mamekube.objects.meta import name_of
from mamekube.objects.resource import Resource
from mamekube.objects.status import StatusError
from mamekube.store.memory import MemoryBackend
from mamekube.store.store import Store


def condition(obj, kind):
    found = find(conditions_of(obj), kind)
    return found and (found["status"], found["reason"], found["message"])


async def test_a_definition_is_established_with_its_names(client):
    made = await established(client, definition())
    assert condition(made, "NamesAccepted") == ("True", "NoConflicts", "no conflicts found")
    assert condition(made, "Established") == (
        "True",
        "InitialNamesAccepted",
        "the initial names have been accepted",
    )
    assert made["status"]["acceptedNames"] == {
        "plural": "crontabs",
        "singular": "crontab",
        "kind": "CronTab",
        "listKind": "CronTabList",
        "shortNames": ["ct"],
    }
    assert made["status"]["storedVersions"] == ["v1"]


async def test_whoever_sees_a_definition_established_can_use_it(client):
    created = await client.create(DEFINITIONS, definition())
    revision = created["metadata"]["resourceVersion"]
    async with client.watch(DEFINITIONS, revision=revision) as events:
        async for event in events:
            if is_true(event.object, "Established"):
                assert (await client.create(CRONTABS, crontab()))["kind"] == "CronTab"
                return


async def test_discovery_lists_a_definition_once_it_says_that_it_is_established(server, client):
    await client.create(DEFINITIONS, definition())
    listed = False
    async with asyncio.timeout(5):
        while not listed:
            found = await client.get(DEFINITIONS, NAME)
            listed = GROUP in dict(server.registry.group_versions())
            assert is_true(found, "Established") or not listed
            await asyncio.sleep(0)


async def test_names_that_are_taken_are_refused_until_they_are_free(client):
    await established(client, definition())
    other = definition(plural="timetables")
    await client.create(DEFINITIONS, other)
    name = f"timetables.{GROUP}"
    refused = await until(client, name, lambda obj: obj and condition(obj, "NamesAccepted"))
    assert condition(refused, "NamesAccepted") == (
        "False",
        "ListKindConflict",
        '"CronTabList" is already in use',
    )
    assert condition(refused, "Established") == ("False", "NotAccepted", "not all names are accepted")
    await client.delete(DEFINITIONS, NAME)
    await until(client, name, lambda obj: obj and is_true(obj, "Established"))


async def test_discovery_lists_versions_best_first(web):
    versions = [version("v1beta1", storage=False), version("v2alpha1", storage=False), version("v1")]
    names = {"plural": "crontabs", "kind": "CronTab", "shortNames": ["ct"], "categories": ["all"]}
    await web.send("POST", DEFINITIONS_PATH, definition(*versions, names=names))
    await eventually(web, f"{DEFINITIONS_PATH}/{NAME}", lambda body: is_true(body, "Established"))
    group = (await web.send("GET", f"/apis/{GROUP}")).body
    assert [entry["version"] for entry in group["versions"]] == ["v1", "v1beta1", "v2alpha1"]
    assert group["preferredVersion"]["version"] == "v1"
    listed = (await web.send("GET", f"/apis/{GROUP}/v1beta1")).body["resources"]
    assert [entry["name"] for entry in listed] == ["crontabs"]
    assert (listed[0]["shortNames"], listed[0]["categories"]) == (["ct"], ["all"])
    aggregated = {"Accept": "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"}
    groups = (await web.send("GET", "/apis", headers=aggregated)).body["items"]
    found = next(entry for entry in groups if entry["metadata"]["name"] == GROUP)
    assert [entry["version"] for entry in found["versions"]] == ["v1", "v1beta1", "v2alpha1"]


async def eventually(web, path, holds):
    async with asyncio.timeout(10):
        while True:
            answer = await web.send("GET", path)
            if answer.code == 200 and holds(answer.body):
                return answer.body
            await asyncio.sleep(0.005)


async def test_deletion_takes_the_objects_first(client):
    await established(client, definition())
    held = crontab()
    held["metadata"]["finalizers"] = ["example.com/hold"]
    await client.create(CRONTABS, held)
    await client.create(CRONTABS, crontab("two"))
    deleted = await client.delete(DEFINITIONS, NAME)
    assert "customresourcecleanup.apiextensions.k8s.io" in deleted["metadata"]["finalizers"]
    await until(
        client,
        NAME,
        lambda obj: (
            condition(obj, "Terminating")
            == ("True", "InstanceDeletionInProgress", "CustomResource deletion is in progress")
        ),
    )
    error = await refusal(client.create(CRONTABS, crontab("three")))
    assert (error.code, error.message) == (
        405,
        "create not allowed while custom resource definition is terminating",
    )
    async with asyncio.timeout(5), client.watch(CRONTABS) as events:
        while (await anext(events)).type != "DELETED":
            pass
    assert (await client.get(CRONTABS, "one", namespace="default"))["metadata"]["deletionTimestamp"]
    await client.patch(CRONTABS, "one", {"metadata": {"finalizers": None}}, namespace="default")
    assert await until(client, NAME, lambda obj: obj is None) is None
    assert (await refusal(client.list(CRONTABS))).code == 404


async def test_a_definition_without_objects_goes_at_once(client):
    await established(client, definition())
    await client.delete(DEFINITIONS, NAME)
    assert await until(client, NAME, lambda obj: obj is None) is None


async def test_watches_of_a_removed_kind_end(client):
    await established(client, definition())
    async with client.watch(CRONTABS) as events, asyncio.timeout(5):
        await client.create(CRONTABS, crontab())
        await client.delete(DEFINITIONS, NAME)
        seen = [event.type async for event in events]
    assert seen[0] == "ADDED"


async def test_definitions_are_served_again_after_a_restart():
    backend = MemoryBackend()
    async with Store(backend) as store:
        async with ApiServer(ApiServerConfig(), store, Clock(), serve_http=False) as first:
            await first.ready()
            client = first.client("admin", ("system:masters",))
            await established(client, definition())
            await client.create(CRONTABS, crontab())
        async with ApiServer(ApiServerConfig(), store, Clock(), serve_http=False) as second:
            found = await second.client("admin", ("system:masters",)).get(
                CRONTABS, "one", namespace="default"
            )
    assert found["metadata"]["name"] == "one"


@pytest.mark.parametrize(
    ("scope", "path"),
    [
        ("Cluster", f"/apis/{GROUP}/v1/namespaces/default/crontabs"),
        ("Cluster", f"/apis/{GROUP}/v1/namespaces/default/crontabs/one"),
        ("Namespaced", f"/apis/{GROUP}/v1/crontabs/one"),
    ],
)
async def test_a_path_of_the_wrong_scope_is_404(web, scope, path):
    await web.send("POST", DEFINITIONS_PATH, definition(scope=scope))
    await eventually(web, f"{DEFINITIONS_PATH}/{NAME}", lambda body: is_true(body, "Established"))
    assert (await web.send("GET", path)).code == 404


async def test_a_namespaced_object_is_not_made_without_a_namespace(web):
    await web.send("POST", DEFINITIONS_PATH, definition())
    await eventually(web, f"{DEFINITIONS_PATH}/{NAME}", lambda body: is_true(body, "Established"))
    answer = await web.send("POST", f"/apis/{GROUP}/v1/crontabs", crontab())
    assert answer.code == 404


async def test_status_of_a_definition_can_be_read_and_written(client):
    made = await established(client, definition())
    extra = {"type": "StatusUpdate", "status": "True", "reason": "E2E", "message": "Set from a test"}
    made = await client.get(DEFINITIONS, NAME, subresource="status")
    new = {**made, "status": {**made["status"], "conditions": [*conditions_of(made), extra]}}
    assert condition(await client.update(DEFINITIONS, new, subresource="status"), "StatusUpdate")
    kept = await client.get(DEFINITIONS, NAME)
    assert condition(kept, "StatusUpdate") == ("True", "E2E", "Set from a test")
    assert is_true(kept, "Established")


async def test_labelled_definitions_are_deleted_together(client):
    for number in range(3):
        made = definition(plural=f"things{number}", names=unique(number))
        made["metadata"]["labels"] = {"test": "yes"} if number else {}
        await established(client, made)
    await client.delete_collection(DEFINITIONS, label_selector="test=yes")
    for number in (1, 2):
        await until(client, f"things{number}.{GROUP}", lambda obj: obj is None)
    left = await client.list(DEFINITIONS)
    assert [obj["metadata"]["name"] for obj in left.items] == [f"things0.{GROUP}"]


def unique(number):
    return {"plural": f"things{number}", "kind": f"Thing{number}"}


async def test_a_version_that_becomes_stored_is_noted_and_must_stay(client):
    await established(client, definition(version("v1"), version("v2", storage=False)))
    before = await client.get(DEFINITIONS, NAME)
    flipped = [version("v1", storage=False), version("v2")]
    made = await client.update(DEFINITIONS, {**before, "spec": {**before["spec"], "versions": flipped}})
    assert made["status"]["storedVersions"] == ["v1", "v2"]
    assert before["status"]["storedVersions"] == ["v1"], "what was read is nobody's to change"
    error = await refusal(
        client.update(DEFINITIONS, {**made, "spec": {**made["spec"], "versions": [version("v2")]}})
    )
    assert (
        'status.storedVersions[0]: Invalid value: "v1": missing from spec.versions; v1 was previously'
        in str(error)
    )


async def test_objects_of_a_custom_list_kind_are_listed_under_it(web):
    names = {"plural": "crontabs", "kind": "CronTab", "listKind": "Timetable"}
    await web.send("POST", DEFINITIONS_PATH, definition(names=names))
    await eventually(web, f"{DEFINITIONS_PATH}/{NAME}", lambda body: is_true(body, "Established"))
    assert (await web.send("GET", PATH)).body["kind"] == "Timetable"


async def test_a_deprecated_version_warns(web):
    await web.send("POST", DEFINITIONS_PATH, definition(version(deprecated=True)))
    await eventually(web, f"{DEFINITIONS_PATH}/{NAME}", lambda body: is_true(body, "Established"))
    assert f"{GROUP}/v1 CronTab is deprecated" in (await web.send("GET", PATH)).headers["Warning"]


async def test_a_group_of_kubernetes_needs_approval(client):
    made = definition()
    made["metadata"]["name"] = "crontabs.test.k8s.io"
    made["spec"]["group"] = "test.k8s.io"
    error = await refusal(client.create(DEFINITIONS, made))
    assert "metadata.annotations[api-approved.kubernetes.io]: Required value" in str(error)
    made["metadata"]["annotations"] = {"api-approved.kubernetes.io": "unapproved, a test"}
    found = await established(client, made)
    assert condition(found, "KubernetesAPIApprovalPolicyConformant") == (
        "False",
        "UnapprovedAnnotation",
        'not approved: "unapproved, a test"',
    )


OVERLAPPING = {
    "leases": ("coordination.k8s.io", "Lease", "Namespaced"),
    "apiservices": ("apiregistration.k8s.io", "APIService", "Cluster"),
    "customresourcedefinitions": ("apiextensions.k8s.io", "CustomResourceDefinition", "Cluster"),
}


@pytest.mark.parametrize("versions", [("v1",), ("v1", "v9")])
@pytest.mark.parametrize("plural", OVERLAPPING)
async def test_a_built_in_kind_is_never_replaced(client, server, web, plural, versions):
    group, kind, scope = OVERLAPPING[plural]
    resource = Resource(group=group, version="v1", plural=plural, kind=kind, namespaced=scope == "Namespaced")
    if plural == "leases":
        meta = {"name": "kept", "namespace": "default"}
        await client.create(
            resource, {"apiVersion": f"{group}/v1", "kind": kind, "metadata": meta, "spec": {}}
        )
    elif plural == "customresourcedefinitions":
        await established(client, definition())
    objects = {name_of(obj) for obj in (await client.list(resource)).items}
    before = server.registry.find(group, "v1", plural)
    schema = {"type": "object", "properties": {"bar": {"type": "string", "default": "default"}}}
    made = definition(
        *(version(one, schema, storage=one == "v1") for one in versions),
        names={"plural": plural, "singular": f"custom{kind.lower()}", "kind": f"Custom{kind}"},
        scope=scope,
    )
    made["metadata"] = {
        "name": f"{plural}.{group}",
        "annotations": {"api-approved.kubernetes.io": "unapproved, testing only"},
    }
    made["spec"]["group"] = group
    await established(client, made)
    assert server.registry.find(group, "v1", plural) is before
    assert all("bar" not in obj for obj in (await client.list(resource)).items)
    assert (await web.send("GET", f"/apis/{group}/v9/{plural}")).code == 404
    await client.delete(DEFINITIONS, f"{plural}.{group}")
    await until(client, f"{plural}.{group}", lambda obj: obj is None)
    assert {name_of(obj) for obj in (await client.list(resource)).items} == objects
    assert server.registry.find(group, "v1", plural) is before


async def test_nothing_is_added_to_a_version_of_built_in_kinds(client, server):
    made = definition(names={"plural": "crontabs", "kind": "Lease"})
    made["metadata"] = {
        "name": "crontabs.coordination.k8s.io",
        "annotations": {"api-approved.kubernetes.io": "unapproved, testing only"},
    }
    made["spec"]["group"] = "coordination.k8s.io"
    made["spec"]["versions"].append(version("v9", storage=False))
    lease = server.registry.find_kind("coordination.k8s.io", "v1", "Lease")
    await established(client, made)
    assert server.registry.find("coordination.k8s.io", "v1", "crontabs") is None
    assert server.registry.find("coordination.k8s.io", "v9", "crontabs") is not None
    await client.delete(DEFINITIONS, "crontabs.coordination.k8s.io")
    await until(client, "crontabs.coordination.k8s.io", lambda obj: obj is None)
    assert server.registry.find_kind("coordination.k8s.io", "v1", "Lease") is lease


async def test_a_schema_that_keeps_everything_keeps_everything(client):
    await established(client, definition(version(schema=OPEN)))
    made = await client.create(CRONTABS, crontab(spec={"a": {"b": [1, "x", None]}}, other=1))
    assert (made["spec"], made["other"]) == ({"a": {"b": [1, "x", None]}}, 1)


async def test_an_unknown_kind_stays_unknown(client):
    with pytest.raises(StatusError):
        await client.list(CRONTABS)


async def test_what_is_told_late_of_a_definition_that_goes_brings_nothing_back(server, client, monkeypatch):
    await established(client, definition())
    custom = server._custom_resources
    store = custom._store
    delete = store.delete
    found = []

    async def delete_late(*, key, **more):
        if key.endswith(f"/{NAME}"):
            custom._note(store.current(key), gone=False)
            found.append(custom._registry.find(GROUP, "v1", "crontabs"))
        return await delete(key=key, **more)

    monkeypatch.setattr(store, "delete", delete_late)
    await client.delete(DEFINITIONS, NAME)
    await until(client, NAME, lambda gone: gone is None)
    assert set(found) == {None}
    assert server.registry.find(GROUP, "v1", "crontabs") is None

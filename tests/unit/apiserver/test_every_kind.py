"""What all kinds have in common, asked of each: who writes what, how often, and which are the exceptions.

The exceptions are upstream's, so each test names them and no others.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest
from tests.unit.apiserver.conftest import Answered, Web
from tests.unit.apiserver.every_kind import DEFINITIONS, NAMESPACE, SAMPLES, Object, Sample, pod

MERGE = {"Content-Type": "application/merge-patch+json"}
APPLY = {"Content-Type": "application/apply-patch+yaml"}
CLIENTS_METADATA = ("annotations", "finalizers", "labels", "ownerReferences")
CUSTOM = {"foxes.tested.example.com", "pandas.tested.example.com"}
WITH_STATUS = [sample for sample in SAMPLES if sample.statuses]


class Kinds:
    """Requests about samples."""

    def __init__(self, web: Web) -> None:
        self.send = web.send

    async def create(self, sample: Sample, obj: Object | None = None, *, query: str = "") -> Answered:
        return await self.send("POST", sample.collection() + query, obj or sample.object())

    async def get(self, sample: Sample) -> Answered:
        return await self.send("GET", f"{sample.collection()}/{sample.name}")

    async def patch(self, sample: Sample, patch: Object, *, below: str = "") -> Answered:
        return await self.send("PATCH", f"{sample.collection()}/{sample.name}{below}", patch, headers=MERGE)

    async def apply(self, sample: Sample, obj: Object, manager: str, *, below: str = "", query: str = ""):
        path = f"{sample.collection()}/{sample.name}{below}?fieldManager={manager}{query}"
        return await self.send("PATCH", path, json.dumps(obj).encode(), headers=APPLY)

    async def remove(self, sample: Sample, name: str = "") -> None:
        """Whatever holds it, for the next to be made under its name."""
        path = f"{sample.collection()}/{name or sample.name}"
        await self.send("PATCH", path, {"metadata": {"finalizers": None}}, headers=MERGE)
        await self.send("DELETE", path, {"gracePeriodSeconds": 0})


@pytest.fixture
async def kinds(web: Web) -> Kinds:
    """With definitions of the custom resources, and a namespace that pods can be made in."""
    answers = [
        await web.send("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition)
        for definition in DEFINITIONS
    ]
    answers.append(await web.send("POST", "/api/v1/namespaces", {"metadata": {"name": NAMESPACE}}))
    account = {"metadata": {"name": "default"}}
    answers.append(await web.send("POST", f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts", account))
    assert {answer.code for answer in answers} == {201}
    made = Kinds(web)
    for sample in SAMPLES:
        if sample.resource in CUSTOM:
            while (await made.get(sample)).body.get("details", {}).get("name") != sample.name:
                """Served a moment after it was defined."""
    return made


def names(samples: Iterable[Sample]) -> set[str]:
    return {sample.resource for sample in samples}


def holds(obj: Any, wanted: Any) -> bool:
    """Whether all that is wanted stands in the object."""
    if isinstance(wanted, dict):
        return isinstance(obj, dict) and all(holds(obj.get(key), wanted[key]) for key in wanted)
    if isinstance(wanted, list):
        return all(any(holds(found, one) for found in obj or ()) for one in wanted)
    return bool(obj == wanted)


def owned(obj: Object, manager: str, subresource: str = "") -> Object:
    """The fields of one manager; none, if it has none."""
    for entry in obj["metadata"].get("managedFields", ()):
        if (entry["manager"], entry.get("subresource", "")) == (manager, subresource):
            return entry["fieldsV1"]
    return {}


async def test_there_is_a_sample_of_every_kind_that_can_be_made(kinds, web):
    served, groups = set(), (await web.send("GET", "/apis")).body["groups"]
    for path in [
        "/api/v1",
        *(f"/apis/{one['groupVersion']}" for group in groups for one in group["versions"]),
    ]:
        listed = (await web.send("GET", path)).body
        served |= {
            (
                listed["groupVersion"],
                one["name"],
                f"{one['name']}/status" in {r["name"] for r in listed["resources"]},
            )
            for one in listed["resources"]
            if "create" in one["verbs"] and "get" in one["verbs"] and "/" not in one["name"]
        }
    assert served == {
        (one.api_version, one.path.rpartition("/")[2], one.statuses is not None) for one in SAMPLES
    }


# Main resource and status -----------------------------------------------------------------------------------------


OTHERS_METADATA = {
    "name": "ignored",
    "labels": {"written": "below-status"},
    "annotations": {"written": "below-status"},
    "finalizers": ["example.com/written"],
    "ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "written", "uid": "below-status"}],
}
ALL_BUT = {
    "deployments.apps": {"labels"},
    "pods": {"ownerReferences"},
    **{
        name: {*CLIENTS_METADATA}
        for name in (
            "apiservices.apiregistration.k8s.io",
            "flowschemas.flowcontrol.apiserver.k8s.io",
            "pandas.tested.example.com",
            "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io",
            "resourceclaims.resource.k8s.io",
            "servicecidrs.networking.k8s.io",
            "validatingadmissionpolicies.admissionregistration.k8s.io",
            "volumeattachments.storage.k8s.io",
        )
    },
}
"""What a write to status cannot change in metadata."""


async def test_which_part_of_the_metadata_is_written_with_the_status(kinds):
    found = {}
    for sample in WITH_STATUS:
        await kinds.create(sample)
        metadata = {**OTHERS_METADATA, "name": sample.name}
        answer = await kinds.patch(sample, {"metadata": metadata}, below="/status")
        assert answer.code == 200, (sample.resource, answer.body)
        metadata = answer.body["metadata"]
        kept = {key for key in CLIENTS_METADATA if "written" not in json.dumps(metadata.get(key))}
        owned_below = owned(answer.body, "Python", "status").get("f:metadata", {})
        assert kept.isdisjoint(key[2:] for key in owned_below), sample.resource
        found[sample.resource] = kept
        await kinds.remove(sample)
    assert found == {name: ALL_BUT.get(name, set()) for name in names(WITH_STATUS)}


async def test_spec_and_status_are_written_apart(kinds):
    """A create and an ordinary write bring no status, a write to status no spec; nobody owns what he cannot write."""
    created, changed, respecified, disowned = set(), set(), set(), set()
    for sample in WITH_STATUS:
        one, two = sample.statuses
        obj = {**sample.object(), "status": one}
        answer = await kinds.apply(sample, obj, "main")
        assert answer.code == 201, (sample.resource, answer.body)
        if holds(answer.body.get("status"), one):
            created.add(sample.resource)
        below = {**obj, "spec": {**sample.body.get("spec", {}), **sample.change.get("spec", {})}}
        answer = await kinds.apply(sample, below, "below", below="/status", query="&force=true")
        assert answer.code == 200, (sample.resource, answer.body)
        assert holds(answer.body["status"], one), sample.resource
        assert {*owned(answer.body, "main")} <= {"f:spec", "f:metadata"}, sample.resource
        if {*owned(answer.body, "below", "status")} != {"f:status"}:
            disowned.add(sample.resource)
        if sample.change and holds(answer.body, sample.change):
            respecified.add(sample.resource)
        answer = await kinds.patch(sample, {"status": two})
        assert answer.code == 200, (sample.resource, answer.body)
        if not holds(answer.body["status"], one):
            changed.add(sample.resource)
        await kinds.remove(sample)
    assert created == {"nodes"}
    assert (changed, respecified) == (set(), set())
    assert disowned == {"certificatesigningrequests.certificates.k8s.io"}


async def test_appliers_of_spec_and_status_meet_only_where_both_may_write(kinds):
    """Two that want all of an object differently: one has the spec, the other the status."""
    peaceful = set()
    for sample in WITH_STATUS:
        one, two = sample.statuses
        first, second = ({**sample.object(), "status": status} for status in (one, two))
        second["spec"] = {**sample.body.get("spec", {}), **sample.change.get("spec", {})}
        assert (await kinds.apply(sample, first, "first")).code == 201
        answer = await kinds.apply(sample, second, "second", below="/status")
        assert answer.code == 200, (sample.resource, answer.body)
        answers = [
            await kinds.apply(sample, second, "second"),
            await kinds.apply(sample, first, "first", below="/status"),
        ]
        if [answer.code for answer in answers] != [409, 409]:
            peaceful.add(sample.resource)
        await kinds.remove(sample)
    assert peaceful == {
        "certificatesigningrequests.certificates.k8s.io",
        "namespaces",
        "servicecidrs.networking.k8s.io",
    }


@pytest.mark.parametrize(
    ("subresource", "part"),
    [
        ("ephemeralcontainers", {"ephemeralContainers": [{"name": "debug", "image": "busybox"}]}),
        (
            "resize",
            {
                "containers": [
                    {"name": "main", "resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "3"}}}
                ]
            },
        ),
    ],
)
async def test_a_part_of_a_pod_is_written_without_the_rest(kinds, subresource, part):
    sample = next(one for one in SAMPLES if one.resource == "pods")
    resources = {"requests": {"cpu": "1"}, "limits": {"cpu": "2"}}
    await kinds.create(
        sample,
        {**sample.object(), "spec": {"containers": [{**pod()["containers"][0], "resources": resources}]}},
    )
    wanted = {"metadata": {"labels": {"a": "b"}}, "spec": {**part, "activeDeadlineSeconds": 5}}
    headers = {"Content-Type": "application/strategic-merge-patch+json"}
    path = f"{sample.collection()}/{sample.name}/{subresource}?fieldManager=part"
    answer = await kinds.send("PATCH", path, wanted, headers=headers)
    assert answer.code == 200, answer.body
    assert holds(answer.body["spec"], part)
    assert "labels" not in answer.body["metadata"]
    assert "activeDeadlineSeconds" not in answer.body["spec"]
    assert {*owned(answer.body, "part", subresource)} == {"f:spec"}
    assert {*owned(answer.body, "part", subresource)["f:spec"]} == {f"f:{name}" for name in part}


NEVER_COUNTED = {
    "apiservices.apiregistration.k8s.io",
    "certificatesigningrequests.certificates.k8s.io",
    "horizontalpodautoscalers.autoscaling",
    "namespaces",
    "nodes",
    "persistentvolumeclaims",
    "persistentvolumes",
    "resourceclaims.resource.k8s.io",
    "resourcequotas",
    "servicecidrs.networking.k8s.io",
    "services",
    "volumeattachments.storage.k8s.io",
}
"""Of the kinds with status. v1.36 does not count autoscalers yet."""


async def test_the_generation_counts_changes_of_the_spec_and_no_others(kinds):
    for sample in WITH_STATUS:
        counted = sample.resource not in NEVER_COUNTED
        made = (await kinds.create(sample)).body["metadata"].get("generation", 0)
        patched = await kinds.patch(sample, {"status": sample.statuses[1]}, below="/status")
        seen = [made, patched.body["metadata"].get("generation", 0)]
        changed = await kinds.patch(sample, sample.change)
        if changed.code == 200 and sample.change:
            seen.append(changed.body["metadata"].get("generation", 0))
        assert seen == ([1, 1, 2] if counted else [0, 0, 0])[: len(seen)], sample.resource
        await kinds.remove(sample)


@pytest.mark.parametrize(
    ("plural", "patch", "generations"),
    [
        ("priorityclasses", {"description": "other"}, (1, 1)),
        ("csidrivers", {"spec": {"requiresRepublish": True}}, (0, 1)),
        ("csidrivers", {"metadata": {"labels": {"a": "b"}}}, (0, 0)),
        ("podtemplates", {"template": {"metadata": {"labels": {"a": "c"}}}}, (1, 2)),
        ("configmaps", {"data": {"a": "c"}}, (0, 0)),
        ("endpointslices", {"metadata": {"labels": {"a": "b"}}}, (1, 2)),
        ("endpointslices", {"metadata": {"annotations": {"a": "b"}}}, (1, 1)),
        ("ingressclasses", {"metadata": {"labels": {"a": "b"}}}, (1, 1)),
    ],
)
async def test_kinds_without_status_that_count_or_do_not(kinds, plural, patch, generations):
    sample = next(one for one in SAMPLES if one.path.endswith(f"/{plural}"))
    answers = [await kinds.create(sample), await kinds.patch(sample, patch)]
    assert tuple(answer.body["metadata"].get("generation", 0) for answer in answers) == generations


# Ways to write ----------------------------------------------------------------------------------------------------


async def test_a_put_creates_only_where_it_always_did(kinds):
    codes: dict[int, set[str]] = {}
    for sample in SAMPLES:
        path = f"{sample.collection()}/{sample.name}"
        answer = await kinds.send("PUT", path, sample.object())
        codes.setdefault(answer.code, set()).add(sample.resource)
        await kinds.remove(sample)
    assert {*codes} == {201, 404}
    assert codes[201] == {
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


async def test_a_name_is_made_up_for_whoever_may_have_any(kinds):
    refused = set()
    for sample in SAMPLES:
        answer = await kinds.create(sample, sample.object(generateName="some-"))
        if answer.code == 201:
            assert answer.body["metadata"]["name"].startswith("some-")
            await kinds.remove(sample, answer.body["metadata"]["name"])
        else:
            refused.add(sample.resource)
    assert refused == {
        "apiservices.apiregistration.k8s.io",
        "customresourcedefinitions.apiextensions.k8s.io",
        "ipaddresses.networking.k8s.io",
    }


async def test_which_updates_must_name_what_they_were_made_from(kinds):
    codes: dict[int, set[str]] = {}
    for sample in SAMPLES:
        made = (await kinds.create(sample)).body
        del made["metadata"]["resourceVersion"]
        answer = await kinds.send("PUT", f"{sample.collection()}/{sample.name}", made)
        codes.setdefault(answer.code, set()).add(sample.resource)
        await kinds.remove(sample)
    assert {*codes} == {200, 422}
    assert codes[422] == CUSTOM | {
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


@pytest.mark.parametrize(
    ("options", "usual", "exceptions"),
    [
        (None, set(), {"jobs.batch": {"orphan"}, "replicationcontrollers": {"orphan"}}),
        (
            {"propagationPolicy": "Foreground"},
            {"foregroundDeletion"},
            {"events": set(), "events.events.k8s.io": set()},
        ),
        (
            {"propagationPolicy": "Orphan"},
            {"orphan"},
            {"events": set(), "events.events.k8s.io": set()},
        ),
    ],
)
async def test_what_a_delete_does_to_dependents(kinds, options, usual, exceptions):
    found = {}
    for sample in SAMPLES:
        await kinds.create(sample, sample.object(finalizers=["example.com/held"]))
        await kinds.patch(sample, {"metadata": {"finalizers": ["example.com/held"]}})
        answer = await kinds.send("DELETE", f"{sample.collection()}/{sample.name}", options)
        assert answer.code in (200, 202), (sample.resource, answer.body)
        finalizers = (await kinds.get(sample)).body["metadata"]["finalizers"]
        found[sample.resource] = {one for one in finalizers if one in ("orphan", "foregroundDeletion")}
        await kinds.remove(sample)
    assert found == {name: exceptions.get(name, usual) for name in names(SAMPLES)}


async def test_pods_alone_are_given_time_to_end(kinds):
    graceful = set()
    for sample in SAMPLES:
        obj = sample.object()
        if sample.resource == "pods":
            obj["spec"] = {**obj["spec"], "nodeName": "none"}
        await kinds.create(sample, obj)
        await kinds.send("DELETE", f"{sample.collection()}/{sample.name}", {"gracePeriodSeconds": 30})
        left = await kinds.get(sample)
        if left.code == 200 and left.body["metadata"].get("deletionGracePeriodSeconds"):
            graceful.add(sample.resource)
        await kinds.remove(sample)
    assert graceful == {"pods"}


async def test_a_dry_run_answers_as_the_write_would_and_writes_nothing(kinds):
    for sample in SAMPLES:
        path, annotated = f"{sample.collection()}/{sample.name}", {"metadata": {"annotations": {"a": "dry"}}}
        answers = [
            await kinds.create(sample, query="?dryRun=All"),
            await kinds.apply(sample, sample.object(), "me", query="&dryRun=All"),
        ]
        assert [answer.code for answer in answers] == [201, 201], sample.resource
        assert not any("resourceVersion" in answer.body["metadata"] for answer in answers)
        assert (await kinds.get(sample)).code == 404, sample.resource
        await kinds.create(sample)
        answer = await kinds.send("PATCH", f"{path}?dryRun=All", annotated, headers=MERGE)
        assert answer.body["metadata"]["annotations"]["a"] == "dry", sample.resource
        current = (await kinds.get(sample)).body
        current["metadata"]["annotations"] = {"a": "dry"}
        codes = [
            (await kinds.send("PUT", f"{path}?dryRun=All", current)).code,
            (await kinds.send("DELETE", f"{path}?dryRun=All")).code,
            (await kinds.send("DELETE", f"{sample.collection()}?dryRun=All")).code,
        ]
        assert codes == [200, 200, 405 if sample.resource == "namespaces" else 200], sample.resource
        left = (await kinds.get(sample)).body["metadata"]
        assert "dry" not in json.dumps(left), sample.resource
        assert left["uid"] == current["metadata"]["uid"], sample.resource
        await kinds.remove(sample)

"""DELETE: at once, gracefully, after finalizers; the policies; collections; evictions."""

import pytest
from tests.unit.apiserver.samples import (
    BUDGETS,
    CONFIGMAPS,
    DEPLOYMENTS,
    NAMESPACES,
    PODS,
    add_service_account,
    config_map,
    deployment,
    pod,
)

from mamekube.apiserver.deletion import plan_delete
from mamekube.apiserver.options import DeleteOptions
from mamekube.kinds.registry import builtin_registry
from mamekube.objects.status import StatusError

REGISTRY = builtin_registry()
DEPLOYMENT = REGISTRY.find("apps", "v1", "deployments")
JOB = REGISTRY.find("batch", "v1", "jobs")
POD = REGISTRY.find("", "v1", "pods")
NOW_S = 1_800_000_000.0


async def refused(awaitable) -> StatusError:
    with pytest.raises(StatusError) as caught:
        await awaitable
    return caught.value


@pytest.mark.parametrize(
    ("policy", "before", "after", "action"),
    [
        ("", [], [], "remove"),
        ("Background", ["orphan"], [], "remove"),
        ("Foreground", [], ["foregroundDeletion"], "mark"),
        ("Orphan", ["x.io/y"], ["x.io/y", "orphan"], "mark"),
        ("", ["foregroundDeletion"], ["foregroundDeletion"], "mark"),
        ("Orphan", ["foregroundDeletion"], ["orphan"], "mark"),
    ],
)
def test_the_policy_becomes_a_finalizer(policy, before, after, action):
    old = {"metadata": {"name": "d", "generation": 3, "finalizers": before}}
    plan = plan_delete(DEPLOYMENT, old, DeleteOptions(propagation=policy), now_s=NOW_S)
    assert plan.action == action
    assert plan.object["metadata"].get("finalizers", []) == after
    assert old["metadata"]["finalizers"] == before
    if action == "mark":
        assert plan.object["metadata"]["deletionGracePeriodSeconds"] == 0
        assert plan.object["metadata"]["generation"] == 4


def test_a_job_orphans_its_pods_unless_told_otherwise():
    old = {"metadata": {"name": "j"}}
    plan = plan_delete(JOB, old, DeleteOptions(), now_s=NOW_S)
    assert plan.object["metadata"]["finalizers"] == ["orphan"]


def running(**metadata):
    return {
        "metadata": {"name": "p", "generation": 1, **metadata},
        "spec": {"nodeName": "n", "terminationGracePeriodSeconds": 30},
        "status": {"phase": "Running"},
    }


def test_a_running_pod_gets_its_grace_period():
    plan = plan_delete(POD, running(), DeleteOptions(), now_s=NOW_S)
    meta = plan.object["metadata"]
    assert plan.action == "mark"
    assert meta["deletionGracePeriodSeconds"] == 30
    assert meta["deletionTimestamp"] == "2027-01-15T08:00:30Z"
    assert meta["generation"] == 2


def test_a_second_delete_may_only_shorten_the_grace():
    dying = running(deletionTimestamp="2027-01-15T08:00:30Z", deletionGracePeriodSeconds=30)
    assert plan_delete(POD, dying, DeleteOptions(), now_s=NOW_S).action == "pending"
    assert plan_delete(POD, dying, DeleteOptions(grace_period_s=60), now_s=NOW_S).action == "pending"
    shorter = plan_delete(POD, dying, DeleteOptions(grace_period_s=5), now_s=NOW_S)
    assert shorter.object["metadata"]["deletionGracePeriodSeconds"] == 5
    assert plan_delete(POD, dying, DeleteOptions(grace_period_s=0), now_s=NOW_S).action == "remove"


def test_a_pod_without_a_node_goes_at_once():
    unbound = running()
    del unbound["spec"]["nodeName"]
    assert plan_delete(POD, unbound, DeleteOptions(), now_s=NOW_S).action == "remove"


async def test_a_delete_answers_a_status_with_the_uid(client):
    created = await client.create(CONFIGMAPS, config_map("a"))
    answer = await client.delete(CONFIGMAPS, "a", namespace="default")
    assert answer["status"] == "Success"
    assert answer["details"] == {"name": "a", "kind": "configmaps", "uid": created["metadata"]["uid"]}
    assert (await refused(client.get(CONFIGMAPS, "a", namespace="default"))).code == 404
    assert (await refused(client.delete(CONFIGMAPS, "a", namespace="default"))).code == 404


async def test_an_object_goes_with_its_last_finalizer(client):
    obj = config_map("a")
    obj["metadata"]["finalizers"] = ["x.io/hold"]
    await client.create(CONFIGMAPS, obj)
    marked = await client.delete(CONFIGMAPS, "a", namespace="default")
    assert marked["metadata"]["deletionTimestamp"]
    added = {"metadata": {"finalizers": ["x.io/hold", "x.io/more"]}}
    error = await refused(client.patch(CONFIGMAPS, "a", added, namespace="default"))
    assert "no new finalizers can be added if the object is being deleted" in error.message
    await client.patch(CONFIGMAPS, "a", {"metadata": {"finalizers": None}}, namespace="default")
    assert (await refused(client.get(CONFIGMAPS, "a", namespace="default"))).code == 404


async def test_preconditions_are_checked(client):
    await client.create(CONFIGMAPS, config_map("a"))
    error = await refused(client.delete(CONFIGMAPS, "a", namespace="default", uid="other"))
    assert (error.code, error.reason) == (409, "Conflict")
    error = await refused(client.delete(CONFIGMAPS, "a", namespace="default", revision="1"))
    assert "the ResourceVersion in the precondition (1) does not match" in error.message


async def test_a_collection_is_deleted_by_selector(client):
    for name in ("a", "b", "c"):
        obj = config_map(name)
        obj["metadata"]["labels"] = {"keep": "yes" if name == "b" else "no"}
        await client.create(CONFIGMAPS, obj)
    await client.delete_collection(CONFIGMAPS, namespace="default", label_selector="keep=no")
    left = await client.list(CONFIGMAPS, namespace="default")
    assert [item["metadata"]["name"] for item in left.items] == ["b"]


async def test_a_namespace_ends_when_it_is_finalized(client):
    created = await client.create(NAMESPACES, {"metadata": {"name": "n"}})
    assert created["spec"]["finalizers"] == ["kubernetes"]
    assert created["status"]["phase"] == "Active"
    terminating = await client.delete(NAMESPACES, "n")
    assert terminating["status"]["phase"] == "Terminating"
    obj = config_map("a")
    obj["metadata"]["namespace"] = "n"
    assert "because it is being terminated" in (await refused(client.create(CONFIGMAPS, obj))).message
    await client.update(NAMESPACES, {**terminating, "spec": {}}, subresource="finalize")
    assert (await refused(client.get(NAMESPACES, "n"))).code == 404


async def test_the_default_namespace_stays(client):
    error = await refused(client.delete(NAMESPACES, "default"))
    assert error.message == 'namespaces "default" is forbidden: this namespace may not be deleted'


async def test_foreground_deletion_waits_for_the_collector(client):
    await client.create(DEPLOYMENTS, deployment("d"))
    marked = await client.delete(DEPLOYMENTS, "d", namespace="default", propagation="Foreground")
    assert marked["metadata"]["finalizers"] == ["foregroundDeletion"]
    assert (await client.get(DEPLOYMENTS, "d", namespace="default"))["metadata"]["deletionTimestamp"]


async def test_an_unknown_policy_is_refused(client):
    await client.create(CONFIGMAPS, config_map("a"))
    error = await refused(client.delete(CONFIGMAPS, "a", namespace="default", propagation="Sideways"))
    assert error.code == 422
    assert error.details["causes"][0]["field"] == "propagationPolicy"


def budget(allowed: int):
    return {
        "metadata": {"name": "b", "namespace": "default"},
        "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "p"}}},
    }, {
        "observedGeneration": 1,
        "disruptionsAllowed": allowed,
        "currentHealthy": 1,
        "desiredHealthy": 1,
        "expectedPods": 1,
    }


async def evict(client, name, **fields):
    eviction = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": name, "namespace": "default"},
        **fields,
    }
    return await client.create(PODS, eviction, namespace="default", name=name, subresource="eviction")


async def prepare_eviction(client, allowed):
    await add_service_account(client)
    created = await client.create(PODS, pod("p", nodeName="n"))
    status = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    await client.update(PODS, {**created, "status": status}, subresource="status")
    obj, counts = budget(allowed)
    made = await client.create(BUDGETS, obj)
    await client.update(BUDGETS, {**made, "status": counts}, subresource="status")


async def test_a_budget_refuses_an_eviction(client):
    await prepare_eviction(client, 0)
    error = await refused(evict(client, "p"))
    assert (error.code, error.reason) == (429, "TooManyRequests")
    assert error.message == "Cannot evict pod as it would violate the pod's disruption budget."
    assert error.details["causes"] == [
        {
            "reason": "DisruptionBudget",
            "message": "The disruption budget b needs 1 healthy pods and has 1 currently",
        }
    ]


async def test_an_eviction_is_counted_against_the_budget(client):
    await prepare_eviction(client, 1)
    assert (await evict(client, "p"))["status"] == "Success"
    assert (await client.get(PODS, "p", namespace="default"))["metadata"]["deletionTimestamp"]
    counts = (await client.get(BUDGETS, "b", namespace="default"))["status"]
    assert counts["disruptionsAllowed"] == 0
    assert list(counts["disruptedPods"]) == ["p"]
    (condition,) = counts["conditions"]
    assert (condition["type"], condition["reason"]) == ("DisruptionAllowed", "InsufficientPods")


@pytest.mark.parametrize("phase", ["Running", "Succeeded"])
@pytest.mark.parametrize("dry_run", [False, True])
async def test_a_pod_is_told_that_it_is_evicted(client, phase, dry_run):
    await add_service_account(client)
    held = pod("p")
    held["metadata"]["finalizers"] = ["example.com/held"]
    made = await client.create(PODS, held)
    await client.update(PODS, {**made, "status": {**made["status"], "phase": phase}}, subresource="status")
    await evict(client, "p", deleteOptions={"dryRun": ["All"]} if dry_run else {})
    left = await client.get(PODS, "p", namespace="default")
    told = [
        (one["status"], one["reason"], one["message"], one["observedGeneration"])
        for one in left["status"].get("conditions", ())
        if one["type"] == "DisruptionTarget"
    ]
    assert told == ([] if dry_run else [("True", "EvictionByEvictionAPI", "Eviction API: evicting", 1)])
    assert ("deletionTimestamp" in left["metadata"]) is not dry_run


@pytest.mark.parametrize("named", ["right", "wrong"])
@pytest.mark.parametrize("field", ["uid", "resourceVersion"])
async def test_only_the_pod_that_was_meant_is_evicted(client, field, named):
    """Though what it is told gives it another revision."""
    await add_service_account(client)
    made = await client.create(PODS, pod("p"))
    wanted = made["metadata"][field] if named == "right" else "1"
    evicted = evict(client, "p", deleteOptions={"preconditions": {field: wanted}})
    if named == "right":
        assert (await evicted)["status"] == "Success"
        return
    error = await refused(evicted)
    assert error.code == 409
    assert error.message.startswith('Operation cannot be fulfilled on Pod "p": the ')
    assert " in the precondition (1) does not match the " in error.message


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            {"apiVersion": "policy/v2", "kind": "Eviction"},
            'Eviction in version "v2" cannot be handled as a Eviction: no kind "Eviction" is registered for version '
            '"policy/v2" in scheme "pkg/api/legacyscheme/scheme.go:30"',
        ),
        ({"apiVersion": "policy/v1beta1", "kind": "Eviction"}, None),
        (
            {"metadata": {"name": "p", "namespace": "other"}},
            "the namespace of the provided object does not match the namespace sent on the request",
        ),
    ],
)
async def test_evictions_have_two_versions_and_one_namespace(client, body, message):
    await add_service_account(client)
    await client.create(PODS, pod("p"))
    if message is None:
        await evict(client, "p", **body)
    else:
        error = await refused(evict(client, "p", **body))
        assert (error.code, error.message) == (400, message)


async def test_two_budgets_for_one_pod_are_no_answer(client):
    await prepare_eviction(client, 1)
    obj, _ = budget(1)
    await client.create(BUDGETS, {**obj, "metadata": {**obj["metadata"], "name": "second"}})
    error = await refused(evict(client, "p"))
    assert (error.code, error.reason) == (500, "")
    assert error.message == (
        "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
    )


async def test_whoever_is_not_ready_goes_without_being_counted(client):
    await prepare_eviction(client, 0)
    known = await client.get(PODS, "p", namespace="default")
    status = {**known["status"], "conditions": [{"type": "Ready", "status": "False"}]}
    await client.update(PODS, {**known, "status": status}, subresource="status")
    await evict(client, "p")
    assert (await client.get(PODS, "p", namespace="default"))["metadata"]["deletionTimestamp"]
    counts = (await client.get(BUDGETS, "b", namespace="default"))["status"]
    assert "disruptedPods" not in counts


@pytest.mark.parametrize(
    ("finalizers", "options", "code"),
    [
        ([], None, 200),
        (["example.com/held"], None, 200),
        ([], {"orphanDependents": False}, 200),
        (["example.com/held"], {"orphanDependents": False}, 202),
        (["example.com/held"], {"orphanDependents": True}, 200),
        (["example.com/held"], {"propagationPolicy": "Background"}, 200),
    ],
)
async def test_who_asks_the_old_way_is_told_that_there_is_more_to_come(web, finalizers, options, code):
    """Upstream: Test202StatusCode. The second delete has nothing to do and says the same."""
    path = "/api/v1/namespaces/default/configmaps"
    await web.send("POST", path, {"metadata": {"name": "a", "finalizers": finalizers}})
    assert (await web.send("DELETE", f"{path}/a", options)).code == code
    if finalizers:
        assert (await web.send("DELETE", f"{path}/a", options)).code == code

"""What all writes and deletes have in common, step by step as upstream's generic registry takes them."""

import pytest
from tests.unit.apiserver.samples import (
    CONFIGMAPS,
    JOBS,
    NAMESPACES,
    PODS,
    add_service_account,
    config_map,
    pod,
)

from mamekube.apiserver.deletion import plan_delete
from mamekube.apiserver.options import DeleteOptions, manager_of
from mamekube.apiserver.resources import removes_last_finalizer
from mamekube.kinds.registry import builtin_registry
from mamekube.objects.resource import Resource
from mamekube.objects.status import StatusError

REGISTRY = builtin_registry()
POD = REGISTRY.find("", "v1", "pods")
DEPLOYMENT = REGISTRY.find("apps", "v1", "deployments")
LEASES = Resource(group="coordination.k8s.io", version="v1", plural="leases", kind="Lease")
GRACE = "deletionGracePeriodSeconds"
NOW_S = 1_800_000_000.0
HERE = "/api/v1/namespaces/default/configmaps"
UID = "00000000-0000-0000-0000-000000000000"


async def refused(awaitable) -> StatusError:
    with pytest.raises(StatusError) as caught:
        await awaitable
    return caught.value


# Options ----------------------------------------------------------------------------------------------------------


SUPPORTED = 'supported values: "", "Ignore", "Strict", "Warn"'
POLICIES = 'supported values: "Foreground", "Background", "Orphan", "nil"'
BOTH = "orphanDependents and deletionPropagation cannot be both set"


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("dryRun=None", 'dryRun: Unsupported value: ["None"]: supported values: "All"'),
        ("fieldValidation=x", f'fieldValidation: Unsupported value: "x": {SUPPORTED}'),
        (
            "dryRun=&fieldManager=%07",
            r'[fieldManager: Invalid value: "\a": invalid character U+0007 (at position 0), '
            'dryRun: Unsupported value: [""]: supported values: "All"]',
        ),
    ],
)
async def test_options_of_a_create_are_judged_in_order(web, query, said):
    answer = await web.send("POST", f"{HERE}?{query}", config_map("a"))
    assert (answer.code, answer.body["message"]) == (422, f'CreateOptions.meta.k8s.io "" is invalid: {said}')


@pytest.mark.parametrize(
    ("user_agent", "manager"),
    [
        ("kubectl/v1.32 (linux/amd64)", "kubectl"),
        ("x" * 300, "x" * 128),
        ("\n" * 10 + "ü" * 70, "ü" * 64),
        ("", "unknown"),
    ],
)
def test_a_manager_without_a_name_is_named_by_its_user_agent(user_agent, manager):
    assert manager_of(user_agent) == manager


async def test_a_dry_run_may_be_asked_for_twice(web):
    answer = await web.send("POST", f"{HERE}?dryRun=All&dryRun=All", config_map("a"))
    assert answer.code == 201
    assert (await web.send("GET", f"{HERE}/a")).code == 404


async def test_all_options_of_a_patch_are_judged_together(web):
    patch = {"Content-Type": "application/merge-patch+json"}
    answer = await web.send("PATCH", f"{HERE}/a?force=true&fieldValidation=x", {}, headers=patch)
    assert [cause["field"] for cause in answer.body["details"]["causes"]] == ["force", "fieldValidation"]
    apply = {"Content-Type": "application/apply-patch+yaml"}
    answer = await web.send("PATCH", f"{HERE}/a?dryRun=x", {}, headers=apply)
    assert [cause["field"] for cause in answer.body["details"]["causes"]] == ["fieldManager", "dryRun"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"propagationPolicy": ""}, [f'Unsupported value: "": {POLICIES}']),
        (
            {"propagationPolicy": "Never", "orphanDependents": True},
            [f'Invalid value: "Never": {BOTH}', f'Unsupported value: "Never": {POLICIES}'],
        ),
        (
            {"propagationPolicy": "No", "dryRun": ["Some"]},
            [f'Unsupported value: "No": {POLICIES}', 'Unsupported value: ["Some"]: supported values: "All"'],
        ),
    ],
)
async def test_options_of_a_delete_are_judged_in_order(web, options, said):
    answer = await web.send("DELETE", f"{HERE}/a", {"kind": "DeleteOptions", "apiVersion": "v1", **options})
    assert answer.code == 422
    assert [cause["message"] for cause in answer.body["details"]["causes"]] == said


async def test_what_a_collection_selects_is_judged_before_how_it_is_deleted(web):
    answer = await web.send("DELETE", f"{HERE}?resourceVersionMatch=Exact", {"propagationPolicy": "No"})
    assert answer.body["details"]["kind"] == "ListOptions"


MATCH = "resourceVersionMatch"


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ("resourceVersionMatch=x&sendInitialEvents=true", [MATCH, MATCH, "sendInitialEvents"]),
        ("watch=1&sendInitialEvents=true&resourceVersionMatch=Exact", [MATCH, MATCH]),
        ("watch=1&resourceVersionMatch=NotOlderThan&continue=x", [MATCH, MATCH]),
    ],
)
async def test_options_of_lists_and_watches_are_judged_together(web, query, fields):
    answer = await web.send("GET", f"{HERE}?{query}")
    assert [cause["field"] for cause in answer.body["details"]["causes"]] == fields


@pytest.mark.parametrize(
    ("query", "text"), [("limit=", ""), ("limit=x&timeoutSeconds=", ""), ("timeoutSeconds=1&limit=y", "y")]
)
async def test_an_empty_number_is_none(web, query, text):
    answer = await web.send("GET", f"{HERE}?{query}")
    assert answer.code == 400
    assert answer.body["message"] == f'strconv.ParseInt: parsing "{text}": invalid syntax'


# Creating ---------------------------------------------------------------------------------------------------------


async def test_what_is_being_deleted_still_has_its_name(client):
    held = config_map("a")
    held["metadata"]["finalizers"] = ["x.io/hold"]
    await client.create(CONFIGMAPS, held)
    await client.delete(CONFIGMAPS, "a", namespace="default")
    error = await refused(client.create(CONFIGMAPS, config_map("a")))
    assert (error.code, error.reason) == (409, "AlreadyExists")
    assert error.message == 'object is being deleted: configmaps "a" already exists'


async def test_a_name_beside_a_generate_name_is_taken_in_the_words_of_a_generated_one(client):
    await client.create(CONFIGMAPS, config_map("a"))
    second = config_map("a")
    second["metadata"]["generateName"] = "a"
    error = await refused(client.create(CONFIGMAPS, second))
    assert error.message.endswith("the server was not able to generate a unique name for the object")
    assert error.details["retryAfterSeconds"] == 1


async def test_a_revision_of_a_new_object_is_refused_by_the_storage_alone(web):
    stated = config_map("a")
    stated["metadata"]["resourceVersion"] = "5"
    assert (await web.send("POST", f"{HERE}?dryRun=All", stated)).code == 201
    answer = await web.send("POST", HERE, stated)
    assert (answer.code, answer.body["message"]) == (
        500,
        "resourceVersion should not be set on objects to be created",
    )
    wrong = {**stated, "data": {"a/b": "c"}}
    assert (await web.send("POST", HERE, wrong)).code == 422
    stated["metadata"]["resourceVersion"] = "abc"
    assert (await web.send("POST", HERE, stated)).code == 201


async def test_an_update_makes_an_object_whatever_revision_it_states(client):
    lease = {
        "metadata": {"name": "l", "namespace": "default", "resourceVersion": "5"},
        "spec": {"holderIdentity": "me", "leaseDurationSeconds": 5},
    }
    made = await client.update(LEASES, lease)
    assert made["metadata"]["resourceVersion"] != "5"
    lease["metadata"] |= {"name": "other", "uid": UID}
    error = await refused(client.update(LEASES, lease))
    assert (error.code, error.message) == (
        409,
        'Operation cannot be fulfilled on leases.coordination.k8s.io "other": StorageError: invalid object, '
        "Code: 4, Key: /registry/leases/default/other, ResourceVersion: 0, AdditionalErrorMsg: "
        f"Precondition failed: UID in precondition: {UID}, UID in object meta: ",
    )


async def test_an_apply_makes_no_object_that_has_a_uid_already(client):
    applied = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "uid": UID}}
    error = await refused(
        client.patch(
            CONFIGMAPS, "a", applied, namespace="default", patch_type="apply", field_manager="tester"
        )
    )
    assert (error.code, error.message) == (
        409,
        'Operation cannot be fulfilled on configmaps "a": uid mismatch: the provided object specified uid '
        f"{UID}, and no existing object was found",
    )


# Updating ---------------------------------------------------------------------------------------------------------


async def test_another_uid_is_a_conflict_for_an_update_and_invalid_in_a_patch(client):
    made = await client.create(CONFIGMAPS, config_map("a"))
    other = config_map("a")
    other["metadata"]["uid"] = UID
    error = await refused(client.update(CONFIGMAPS, other))
    assert (error.code, error.message) == (
        409,
        'Operation cannot be fulfilled on configmaps "a": StorageError: invalid object, Code: 4, '
        "Key: /registry/configmaps/default/a, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: "
        f"UID in precondition: {UID}, UID in object meta: {made['metadata']['uid']}",
    )
    error = await refused(client.patch(CONFIGMAPS, "a", {"metadata": {"uid": UID}}, namespace="default"))
    assert (error.code, error.message) == (
        422,
        f'ConfigMap "a" is invalid: metadata.uid: Invalid value: "{UID}": field is immutable',
    )


async def test_a_revision_that_is_none_is_an_error_of_the_server(client):
    await client.create(CONFIGMAPS, config_map("a"))
    other = config_map("a")
    other["metadata"]["resourceVersion"] = "abc"
    error = await refused(client.update(CONFIGMAPS, other))
    assert (error.code, error.reason) == (500, "")
    assert error.message == 'strconv.ParseUint: parsing "abc": invalid syntax'


async def test_another_creation_time_is_passed_over(client):
    made = await client.create(CONFIGMAPS, config_map("a"))
    other = config_map("a")
    other["metadata"]["creationTimestamp"] = "2001-01-01T00:00:00Z"
    assert await client.update(CONFIGMAPS, other) == made


async def test_a_dry_run_that_would_change_nothing_leaves_the_times_of_managers_alone(web):
    stamped = config_map("a")
    stamped["metadata"]["managedFields"] = [
        {
            "manager": "me",
            "operation": "Update",
            "apiVersion": "v1",
            "time": "2001-01-01T00:00:00Z",
            "fieldsType": "FieldsV1",
            "fieldsV1": {"f:data": {".": {}, "f:k": {}}},
        }
    ]
    made = (await web.send("POST", f"{HERE}?fieldManager=me", stamped)).body
    same = {**config_map("a"), "metadata": {**made["metadata"]}}
    same["metadata"]["managedFields"] = [
        {**made["metadata"]["managedFields"][0], "time": "2002-02-02T00:00:00Z"}
    ]
    pretended = (await web.send("PUT", f"{HERE}/a?dryRun=All&fieldManager=me", same)).body
    assert pretended["metadata"]["managedFields"] == made["metadata"]["managedFields"]


async def test_no_update_marks_an_object_as_deleted_or_gives_it_other_time(client):
    await client.create(CONFIGMAPS, config_map("a"))
    early = config_map("a")
    early["metadata"] |= {"deletionTimestamp": "2001-01-01T00:00:00Z", "deletionGracePeriodSeconds": 5}
    error = await refused(client.update(CONFIGMAPS, early))
    assert [cause["field"] for cause in error.details["causes"]] == [
        "metadata.deletionTimestamp",
        "metadata.deletionGracePeriodSeconds",
    ]
    held = {"metadata": {"finalizers": ["x.io/hold"]}}
    await client.patch(CONFIGMAPS, "a", held, namespace="default")
    await client.delete(CONFIGMAPS, "a", namespace="default")
    later = {"metadata": {"deletionTimestamp": "2051-01-01T00:00:00Z", "deletionGracePeriodSeconds": 9}}
    error = await refused(client.patch(CONFIGMAPS, "a", later, namespace="default"))
    assert [cause["message"] for cause in error.details["causes"]] == ["Invalid value: 9: field is immutable"]


async def test_errors_of_metadata_come_in_order(client):
    held = config_map("a")
    held["metadata"]["finalizers"] = ["x.io/hold"]
    await client.create(CONFIGMAPS, held)
    await client.delete(CONFIGMAPS, "a", namespace="default")
    wrong = {"generateName": "a/b", "finalizers": ["x.io/hold", "z", "y"], "labels": {"a": "-"}, "uid": UID}
    error = await refused(client.patch(CONFIGMAPS, "a", {"metadata": wrong}, namespace="default"))
    causes = [(cause["field"], cause["message"]) for cause in error.details["causes"]]
    assert [field for field, _ in causes] == [
        "metadata.generateName",
        "metadata.labels",
        "metadata.finalizers",
        "metadata.uid",
        "metadata.finalizers[1]",
        "metadata.finalizers[2]",
    ]
    assert causes[2][1].endswith('found new finalizers []string{"y", "z"}')


async def test_a_binding_for_another_pod_is_refused_by_the_storage(web):
    account = {"metadata": {"name": "default"}}
    await web.send("POST", "/api/v1/namespaces/default/serviceaccounts", account)
    pods = "/api/v1/namespaces/default/pods"
    assert (await web.send("POST", pods, pod("p"))).code == 201
    binding = {"metadata": {"name": "p", "uid": UID}, "target": {"kind": "Node", "name": "n"}}
    answer = await web.send("POST", f"{pods}/p/binding", binding)
    assert answer.code == 409
    assert answer.body["message"].startswith(
        'Operation cannot be fulfilled on pods "p": StorageError: invalid object, Code: 4, '
        "Key: /registry/pods/default/p, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in "
    )


# Deleting ---------------------------------------------------------------------------------------------------------


async def test_a_precondition_is_told_of_by_kind_and_for_namespaces_in_other_words(client):
    made = await client.create(CONFIGMAPS, config_map("a"))
    found = made["metadata"]["uid"]
    error = await refused(client.delete(CONFIGMAPS, "a", namespace="default", uid=UID))
    assert error.details == {"name": "a", "kind": "ConfigMap"}
    assert error.message == (
        f'Operation cannot be fulfilled on ConfigMap "a": the UID in the precondition ({UID}) does not match '
        f"the UID in record ({found}). The object might have been deleted and then recreated"
    )
    error = await refused(client.delete(CONFIGMAPS, "a", namespace="default", revision="1"))
    assert error.message.endswith(
        f"({made['metadata']['resourceVersion']}). The object might have been modified"
    )
    error = await refused(client.delete(NAMESPACES, "default", uid=UID))
    assert 'on namespaces "default": Precondition failed: UID in precondition: ' in error.message


async def test_where_there_is_a_body_the_query_says_nothing(web):
    await web.send("POST", HERE, config_map("a"))
    assert (await web.send("DELETE", f"{HERE}/a?dryRun=All")).code == 200
    assert (await web.send("DELETE", f"{HERE}/a?dryRun=All", {})).code == 200
    assert (await web.send("GET", f"{HERE}/a")).code == 404


async def test_a_page_that_is_deleted_says_where_the_next_begins(web):
    for name in "abc":
        await web.send("POST", HERE, config_map(name))
    answer = await web.send("DELETE", f"{HERE}?limit=2&fieldSelector=metadata.name!=kube-root-ca.crt")
    assert [item["metadata"]["name"] for item in answer.body["items"]] == ["a", "b"]
    assert answer.body["metadata"]["continue"]
    left = (await web.send("GET", HERE)).body["items"]
    assert [item["metadata"]["name"] for item in left] == ["c"]


async def test_a_job_that_is_not_there_is_warned_of_too(web):
    jobs = "/apis/batch/v1/namespaces/default/jobs"
    assert JOBS.plural in jobs
    for path in (f"{jobs}/a", jobs):
        answer = await web.send("DELETE", path)
        assert "child pods are preserved by default" in answer.headers["Warning"]


def dying(grace_s, *, ends="2027-01-15T08:00:30Z", **metadata):
    """A pod whose deletion ends 30 seconds from now."""
    marked = {"deletionTimestamp": ends, "deletionGracePeriodSeconds": grace_s}
    return {
        "metadata": {"name": "p", "generation": 2, **marked, **metadata},
        "spec": {"nodeName": "n", "terminationGracePeriodSeconds": grace_s},
        "status": {"phase": "Running"},
    }


@pytest.mark.parametrize(
    ("grace_s", "wanted_s", "ends", "left_s"),
    [
        (60, 40, "2027-01-15T08:00:10Z", 40),
        (60, 10, "2027-01-15T08:00:00Z", 1),
        (60, 1, "2027-01-15T08:00:00Z", 1),
        (60, 0, "2027-01-15T08:00:00Z", 0),
    ],
)
def test_a_shorter_grace_counts_from_the_first_delete_and_never_ends_in_the_past(
    grace_s, wanted_s, ends, left_s
):
    options = DeleteOptions(grace_period_s=wanted_s)
    plan = plan_delete(POD, dying(grace_s), options, now_s=NOW_S)
    meta = plan.object["metadata"]
    assert (meta["deletionTimestamp"], meta["deletionGracePeriodSeconds"]) == (ends, left_s)
    assert plan.action == ("mark" if left_s else "remove")
    assert meta["generation"] == 2


def test_when_no_grace_is_left_a_delete_may_still_change_the_policy():
    held = dying(0, ends="2027-01-15T08:00:00Z", finalizers=["x.io/hold"])
    plan = plan_delete(POD, held, DeleteOptions(propagation="Foreground"), now_s=NOW_S)
    assert plan.action == "mark"
    assert plan.object["metadata"]["finalizers"] == ["x.io/hold", "foregroundDeletion"]
    assert plan_delete(POD, dying(0), DeleteOptions(), now_s=NOW_S).action == "remove"


def test_finalizers_that_say_the_same_stay_in_their_order():
    old = {"metadata": {"name": "d", "finalizers": ["foregroundDeletion", "x.io/y"]}}
    plan = plan_delete(DEPLOYMENT, old, DeleteOptions(propagation="Foreground"), now_s=NOW_S)
    assert plan.object["metadata"]["finalizers"] == ["foregroundDeletion", "x.io/y"]


def test_the_first_finalizer_of_the_two_says_how_where_nobody_else_does():
    old = {"metadata": {"name": "d", "finalizers": ["foregroundDeletion", "orphan"]}}
    plan = plan_delete(DEPLOYMENT, old, DeleteOptions(), now_s=NOW_S)
    assert plan.object["metadata"]["finalizers"] == ["foregroundDeletion"]


def test_a_deletion_that_would_end_later_ends_now_where_only_finalizers_hold_it():
    old = {"metadata": {"name": "d", "generation": 3, "deletionTimestamp": "2027-01-15T09:00:00Z"}}
    old["metadata"]["finalizers"] = ["x.io/y"]
    meta = plan_delete(DEPLOYMENT, old, DeleteOptions(), now_s=NOW_S).object["metadata"]
    assert (meta["deletionTimestamp"], meta["generation"]) == ("2027-01-15T08:00:00Z", 3)


@pytest.mark.parametrize(("grace", "removed"), [({}, True), ({GRACE: 0}, True), ({GRACE: 5}, False)])
def test_an_object_without_a_grace_period_goes_with_its_last_finalizer(grace, removed):
    old = {"metadata": {"name": "d", "deletionTimestamp": "2027-01-15T08:00:00Z", **grace}}
    assert removes_last_finalizer(DEPLOYMENT, {"metadata": {"name": "d"}}, old) is removed


async def test_a_pod_that_is_going_is_answered_as_it_is(client):
    await add_service_account(client)
    await client.create(PODS, pod("p", nodeName="n"))
    first = await client.delete(PODS, "p", namespace="default")
    assert await client.delete(PODS, "p", namespace="default") == first

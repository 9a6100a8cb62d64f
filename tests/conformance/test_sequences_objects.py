"""What upstream's suite does to kinds that need more than every verb, request by request, as a typed client."""

import copy

import pytest
from tests.conformance import samples
from tests.conformance.api import APPLY, JSON_PATCH, MERGE, STRATEGIC, Api
from tests.conformance.go_api import GoApi

PROTOBUF = "application/vnd.kubernetes.protobuf"
FAKE = {"type": "Ready", "status": "True", "reason": "E2E", "message": "Set from e2e test"}


@pytest.fixture
def client(api):
    """The administrator with a typed client."""
    return GoApi(api)


def named(api_version, kind, name, **fields):
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, **fields}


def labelled(obj, **labels):
    return {**obj, "metadata": {**obj["metadata"], "labels": labels}}


@pytest.mark.conformance("lease API should be available")
def test_a_lease_keeps_times_of_the_first_year(client, namespace):
    path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
    first = {
        "holderIdentity": "holder",
        "leaseDurationSeconds": 30,
        "acquireTime": "0001-01-01T00:00:02.000000Z",
        "renewTime": "0001-01-01T00:00:05.000000Z",
        "leaseTransitions": 0,
    }
    lease = client.create(path, named("coordination.k8s.io/v1", "Lease", "lease", spec=first))
    assert lease["spec"] == first
    assert client.get(f"{path}/lease")["spec"] == first
    second = {
        "holderIdentity": "holder2",
        "leaseDurationSeconds": 60,
        "acquireTime": "0001-01-01T00:00:10.000000Z",
        "renewTime": "0001-01-01T00:00:15.000000Z",
        "leaseTransitions": 1,
    }
    lease["spec"] = second
    assert client.update(f"{path}/lease", lease)["spec"] == second
    third = {**second, "renewTime": "0001-01-01T00:00:50.000000Z"}
    patch = {"spec": {"renewTime": third["renewTime"]}}
    assert client.patch(f"{path}/lease", patch, content_type=STRATEGIC)["spec"] == third
    other = labelled(named("coordination.k8s.io/v1", "Lease", "lease2", spec=third), deletecollection="true")
    client.create(path, other)
    assert len(client.items(path)) == 2
    client.delete(path, labelSelector="deletecollection=true")
    assert [one["metadata"]["name"] for one in client.items(path)] == ["lease"]
    client.delete(f"{path}/lease")
    assert client.missing(f"{path}/lease")


@pytest.mark.conformance("Node, resource lifecycle")
def test_a_node_from_its_making_to_its_end(client, unique):
    path, name = "/api/v1/nodes", f"e2e-fake-node-{unique}"
    client.create(path, named("v1", "Node", name, status={"phase": "Running", "conditions": [FAKE]}))
    read = client.get(f"{path}/{name}")
    assert read["status"]["phase"] == "Running"
    patch = {"metadata": {"labels": {name: "patched"}}}
    assert (
        client.patch(f"{path}/{name}", patch, content_type=STRATEGIC)["metadata"]["labels"][name] == "patched"
    )
    assert len(client.items(path, labelSelector=f"{name}=patched")) == 1
    for _ in range(5):
        read = client.get(f"{path}/{name}")
        read["metadata"]["labels"][name] = "updated"
        if client.send("PUT", f"{path}/{name}", read).code == 200:
            break
    assert len(client.items(path, labelSelector=f"{name}=updated")) == 1
    client.delete(path, labelSelector=f"{name}=updated")
    client.wait(path, lambda nodes: not nodes, labelSelector=f"{name}=updated")


@pytest.mark.conformance("Event, manage lifecycle of an Event")
def test_an_event_may_be_about_no_more_than_a_namespace(client, core, namespace):
    event = {
        **labelled(named("v1", "Event", "event-test"), **{"testevent-constant": "true"}),
        "involvedObject": {"namespace": namespace},
        "message": "This is a test event",
        "reason": "Test",
        "type": "Normal",
        "count": 1,
    }
    client.create(f"{core}/events", event)
    message = {"message": "This is a test event - patched"}
    client.patch(f"{core}/events/event-test", message, content_type=STRATEGIC)
    read = client.get(f"{core}/events/event-test")
    assert read["message"] == message["message"]
    read["series"] = {"count": 100, "lastObservedTime": "2017-09-19T13:49:16.000000Z"}
    client.update(f"{core}/events/event-test", read)
    assert client.get(f"{core}/events/event-test")["series"] == read["series"]
    client.delete(f"{core}/events/event-test")
    assert (
        client.items(
            "/api/v1/events",
            labelSelector="testevent-constant=true",
            fieldSelector=f"metadata.namespace={namespace}",
        )
        == []
    )


@pytest.mark.conformance("Namespace, apply changes to a namespace status")
def test_the_status_of_a_namespace_is_written_by_itself(client, namespace):
    path = f"/api/v1/namespaces/{namespace}"
    condition = {
        "type": "StatusPatch",
        "status": "True",
        "reason": "E2E",
        "message": "Patched by an e2e test",
    }
    change = {
        "metadata": {"annotations": {"e2e-patched-ns-status": namespace}},
        "status": {"conditions": [condition]},
    }
    patched = client.patch(f"{path}/status", change)
    assert patched["metadata"]["annotations"]["e2e-patched-ns-status"] == namespace
    assert patched["status"]["conditions"][-1]["message"] == condition["message"]
    read = client.get(f"{path}/status")
    read["status"]["conditions"].append({**condition, "type": "StatusUpdate"})
    updated = client.update(f"{path}/status", read)
    assert [one["type"] for one in updated["status"]["conditions"]] == ["StatusPatch", "StatusUpdate"]
    read = client.get(path)
    read["spec"]["finalizers"].append("e2e.example.com/fakeFinalizer")
    client.update(f"{path}/finalize", read)
    read = client.get(path)
    assert read["spec"]["finalizers"] == ["kubernetes", "e2e.example.com/fakeFinalizer"]
    read["spec"]["finalizers"] = ["kubernetes"]
    assert client.update(f"{path}/finalize", read)["spec"]["finalizers"] == ["kubernetes"]


@pytest.mark.conformance("Scheduler, Verify PriorityClass endpoints")
def test_the_value_of_a_priority_class_stays(client, unique):
    path = f"/apis/scheduling.k8s.io/v1/priorityclasses/{unique}"
    obj = named("scheduling.k8s.io/v1", "PriorityClass", unique, value=1, description=f"{unique} description")
    client.create("/apis/scheduling.k8s.io/v1/priorityclasses", obj)
    refused = client.refusal("PATCH", path, {"value": 10}, content_type=STRATEGIC)
    assert (refused.code, refused.reason) == (422, "Invalid")
    read = client.get(path)
    refused = client.refusal("PUT", path, {**read, "value": 2})
    assert (refused.code, refused.reason) == (422, "Invalid")
    patch = {"description": "updated description"}
    assert client.patch(path, patch, content_type=STRATEGIC)["description"] == "updated description"
    read = client.get(path)
    read["description"] = "again"
    assert client.update(path, read)["description"] == "again"
    client.delete(path)


@pytest.mark.conformance("LimitRange, list, patch and delete a LimitRange by collection")
def test_a_limit_range_is_patched_and_deleted_by_collection(client, core, namespace, unique):
    path = f"{core}/limitranges"
    limits = {
        "type": "Container",
        "min": {"cpu": "50m", "memory": "100Mi", "ephemeral-storage": "100Gi"},
        "max": {"cpu": "500m", "memory": "500Mi", "ephemeral-storage": "500Gi"},
        "default": {"cpu": "500m", "memory": "500Mi", "ephemeral-storage": "500Gi"},
        "defaultRequest": {"cpu": "100m", "memory": "200Mi", "ephemeral-storage": "200Gi"},
    }
    obj = named("v1", "LimitRange", "one", spec={"limits": [limits]})
    client.create(path, labelled(obj, **{unique: "created"}))
    (found,) = client.items("/api/v1/limitranges", labelSelector=f"{unique}=created")
    assert found["spec"]["limits"][0]["defaultRequest"]["memory"] == "200Mi"
    lower = {"cpu": "40m", "memory": "200Mi"}
    patch = {"metadata": {"labels": {unique: "patched"}}, "spec": {"limits": [{**limits, "min": lower}]}}
    patched = client.patch(f"{path}/one", patch, content_type=STRATEGIC)
    assert patched["spec"]["limits"][0]["min"] == lower
    client.delete(path, labelSelector=f"{unique}=patched")
    assert client.items("/api/v1/limitranges", labelSelector=f"{unique}=patched") == []


@pytest.mark.conformance("Endpoint resource lifecycle")
def test_endpoints_from_their_making_to_their_end(client, core, unique):
    path = f"{core}/endpoints"
    obj = labelled(named("v1", "Endpoints", "testservice"), **{"test-endpoint-static": "true"})
    obj["subsets"] = [
        {"addresses": [{"ip": "10.0.0.24"}], "ports": [{"name": "http", "port": 80, "protocol": "TCP"}]}
    ]
    with client.watch(path, labelSelector="test-endpoint-static=true") as watch:
        client.create(path, obj)
        watch.until("ADDED")
        obj["subsets"][0]["ports"][0]["port"] = 8080
        client.update(f"{path}/testservice", obj)
        watch.until("MODIFIED", lambda obj: obj["subsets"][0]["ports"][0]["port"] == 8080)
        subset = {"addresses": [{"ip": "10.0.0.25"}], "ports": [{"name": "http-test", "port": 8080}]}
        patch = {"metadata": {"labels": {"test-service": "patched"}}, "subsets": [subset]}
        client.patch(f"{path}/testservice", patch, content_type=STRATEGIC)
        seen = watch.until("MODIFIED", lambda obj: "test-service" in obj["metadata"]["labels"])
        assert [one["addresses"][0]["ip"] for one in seen["subsets"]] == ["10.0.0.25"]
        client.delete(path, labelSelector="test-endpoint-static=true")
        watch.until("DELETED")
    assert client.missing(f"{path}/testservice")


@pytest.mark.conformance("PersistentVolumes(Claims), lifecycle")
def test_claims_and_volumes_are_deleted_alone_and_together(client, core, unique):
    from tests.conformance.test_sequences_subresources import claim_and_volume

    claims, volumes = f"{core}/persistentvolumeclaims", "/api/v1/persistentvolumes"
    for label in ("patched", "updated"):
        claim, volume = claim_and_volume(unique)
        client.create(volumes, labelled(volume, **{"e2e-pv-pool": unique}))
        client.create(claims, claim)
        assert len(client.items(volumes, labelSelector=f"e2e-pv-pool={unique}")) == 1
        assert len(client.items(claims)) == 1
        for path in (f"{volumes}/{unique}", f"{claims}/{unique}"):
            patched = client.patch(path, {"metadata": {"labels": {unique: label}}}, content_type=STRATEGIC)
            assert patched["metadata"]["labels"][unique] == label
        for path in (claims, volumes):
            if label == "patched":
                client.delete(f"{path}/{unique}")
            else:
                client.delete(path, labelSelector=f"{unique}={label}")
            client.wait(path, lambda items: not items, labelSelector=f"{unique}={label}")


@pytest.mark.conformance("ServiceCIDR API")
def test_the_first_service_range_is_there(api, client):
    path = "/apis/networking.k8s.io/v1/servicecidrs"
    read = client.get(f"{path}/kubernetes")
    status = api.get(f"{path}/kubernetes/status")
    assert (status["kind"], status["apiVersion"]) == ("ServiceCIDR", "networking.k8s.io/v1")
    assert status["metadata"]["uid"] == read["metadata"]["uid"]
    assert client.items(path)
    with client.watch(path) as watch:
        assert watch.next()[0] == "ADDED"


CLAIM = {"devices": {"requests": [{"name": "req-0", "exactly": {"deviceClassName": "dra.example.com"}}]}}
LABEL = {"metadata": {"labels": {"test.dra.example.com": "test"}}}
ALLOCATED = {"status": {"allocation": {}}}
LABEL_OPERATION = [{"op": "add", "path": "/metadata/labels/test.dra.example.com", "value": "test"}]
STATUS_OPERATION = [{"op": "add", "path": "/status/allocation", "value": {}}]


@pytest.mark.conformance("CRUD operations for resourceclaims")
@pytest.mark.parametrize("form", [STRATEGIC, APPLY, MERGE, JSON_PATCH])
def test_a_resource_claim_takes_every_patch(api, namespace, unique, form):
    """The suite sends these without compiled-in types, so that they name no kind when they are made."""
    path = f"/apis/resource.k8s.io/v1/namespaces/{namespace}/resourceclaims"
    obj = {
        "metadata": {"name": "test", "labels": {"e2e-test.kubernetes.io": unique}},
        "spec": CLAIM,
        "status": {},
    }
    made = api.create(path, obj, fieldValidation="Strict")
    query = {
        "fieldValidation": "Strict",
        **({"fieldManager": "test-apply", "force": "true"} if form == APPLY else {}),
    }

    def patch_for(change):
        own = {field: made["metadata"][field] for field in ("name", "namespace", "uid")}
        return {
            "apiVersion": made["apiVersion"],
            "kind": made["kind"],
            **change,
            "metadata": {**change.get("metadata", {}), **own},
        }

    patch = LABEL_OPERATION if form == JSON_PATCH else patch_for(LABEL)
    patched = api.patch(f"{path}/test", patch, content_type=form, **query)
    assert patched["metadata"]["labels"]["test.dra.example.com"] == "test"
    patch = STATUS_OPERATION if form == JSON_PATCH else patch_for(ALLOCATED)
    patched = api.patch(f"{path}/test/status", patch, content_type=form, **query)
    assert patched["status"] == {"allocation": {}}
    assert int(patched["metadata"]["resourceVersion"]) > int(made["metadata"]["resourceVersion"])
    patched["metadata"]["labels"]["again"] = "true"
    assert api.update(f"{path}/test", patched)["status"] == {"allocation": {}}
    api.delete(f"{path}/test")
    assert api.missing(f"{path}/test")


@pytest.mark.conformance("CRUD operations for deviceclasses")
def test_a_device_class_is_patched(api, unique):
    path = "/apis/resource.k8s.io/v1/deviceclasses"
    obj = {"metadata": {"name": f"test-{unique}"}, "spec": {"selectors": [{"cel": {"expression": "false"}}]}}
    api.create(path, obj, fieldValidation="Strict")
    changed = [{"cel": {"expression": "1 == 0"}}]
    patch = {"metadata": {"name": f"test-{unique}"}, "spec": {"selectors": changed}}
    patched = api.patch(f"{path}/test-{unique}", patch, content_type=STRATEGIC, fieldValidation="Strict")
    assert patched["spec"]["selectors"] == changed
    api.delete(f"{path}/test-{unique}")


@pytest.mark.conformance("CRUD operations for resoureslices")
def test_a_resource_slice_is_patched(api, unique):
    path = "/apis/resource.k8s.io/v1/resourceslices"
    pool = {"name": "cluster", "generation": 1, "resourceSliceCount": 1}
    spec = {"driver": "dra.example.com", "pool": pool, "nodeName": "no-such-node"}
    api.create(path, {"metadata": {"name": f"test-{unique}"}, "spec": spec}, fieldValidation="Strict")
    patch = {"spec": {"devices": [{"name": "device-0"}]}}
    patched = api.patch(f"{path}/test-{unique}", patch, content_type=STRATEGIC, fieldValidation="Strict")
    assert patched["spec"]["devices"] == [{"name": "device-0"}]
    api.delete(f"{path}/test-{unique}")


@pytest.mark.conformance("Pods Generation, graceful delete")
def test_the_generation_of_a_pod_is_the_servers(client, core):
    pod = {"apiVersion": "v1", "kind": "Pod", **samples.pod("one")}
    pod["metadata"]["generation"] = 100
    pod["metadata"]["finalizers"] = ["e2e.example.com/hold"]
    pod["spec"]["terminationGracePeriodSeconds"] = 30
    assert client.create(f"{core}/pods", pod)["metadata"]["generation"] == 1
    client.wait_object(f"{core}/pods/one", lambda obj: obj["status"].get("observedGeneration") == 1)
    read = client.wait_object(f"{core}/pods/one", samples.running)
    client.patch(f"{core}/pods/one", {"metadata": {"labels": {"changed": "true"}}})
    assert client.get(f"{core}/pods/one")["metadata"]["generation"] == 1
    client.delete(f"{core}/pods/one", {"gracePeriodSeconds": 5})
    read = client.get(f"{core}/pods/one")
    assert (read["metadata"]["generation"], read["metadata"]["deletionGracePeriodSeconds"]) == (2, 5)
    client.patch(f"{core}/pods/one", {"metadata": {"finalizers": None}})
    client.wait_gone(f"{core}/pods/one")


@pytest.mark.conformance("SubjectReview, API Operations")
def test_reviews_agree_with_what_an_impersonated_account_meets(
    api, client, core, namespace, control_plane, tls
):
    """The local review is asked of a user of the account's short name, as upstream's suite does."""
    account = client.create(f"{core}/serviceaccounts", named("v1", "ServiceAccount", "e2e"))
    user, uid = f"system:serviceaccount:{namespace}:e2e", account["metadata"]["uid"]
    groups = ["system:authenticated", "system:serviceaccounts", f"system:serviceaccounts:{namespace}"]
    attributes = {"verb": "list", "resource": "configmaps", "namespace": namespace, "version": "v1"}
    authorization, version = "/apis/authorization.k8s.io/v1", "authorization.k8s.io/v1"
    spec = {"resourceAttributes": attributes, "user": user, "groups": groups, "uid": uid}
    review = {"apiVersion": version, "kind": "SubjectAccessReview", "metadata": {}, "spec": spec}
    answer = client.create(f"{authorization}/subjectaccessreviews", review)
    assert answer["status"]["allowed"] is False
    headers = {"Impersonate-User": user, "Impersonate-Uid": uid, "Impersonate-Group": groups[0]}
    impersonated = Api(control_plane.url, tls, headers=headers)
    assert impersonated.refusal("GET", f"{core}/configmaps").reason == "Forbidden"
    impersonated.close()
    local = copy.deepcopy(review)
    local |= {"kind": "LocalSubjectAccessReview", "metadata": {"namespace": namespace}}
    local["spec"]["user"] = "e2e"
    path = f"{authorization}/namespaces/{namespace}/localsubjectaccessreviews"
    assert client.create(path, local)["status"]["allowed"] is False


@pytest.mark.conformance("ServiceAccount, create and review token")
def test_a_token_is_requested_and_reviewed_by_a_typed_client(client, core, namespace):
    account = client.create(f"{core}/serviceaccounts", named("v1", "ServiceAccount", "one"))
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "metadata": {}}
    request["spec"] = {"expirationSeconds": 3600}
    token = client.create(f"{core}/serviceaccounts/one/token", request)
    assert token["kind"] == "TokenRequest"
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "metadata": {}}
    review["spec"] = {"token": token["status"]["token"]}
    status = client.create("/apis/authentication.k8s.io/v1/tokenreviews", review)["status"]
    assert status["authenticated"] is True
    assert status["user"]["uid"] == account["metadata"]["uid"]


def test_metadata_alone_is_given_to_who_would_rather_have_protobuf(client, core):
    """client-go's metadata client lists protobuf first, and what it can read besides."""
    form = ";as={};g=meta.k8s.io;v=v1"
    client.create(f"{core}/configmaps", named("v1", "ConfigMap", "one", data={"a": "b"}))
    for path, kind in (
        (f"{core}/configmaps/one", "PartialObjectMetadata"),
        (f"{core}/configmaps", "PartialObjectMetadataList"),
    ):
        partial = form.format(kind)
        accept = f"{PROTOBUF}{partial},application/json{partial},application/json"
        assert client.send("GET", path, headers={"Accept": accept}).object["kind"] == kind


@pytest.mark.parametrize("path", ["/version", "/apis", "/api", "/apis/apps", "/apis/apps/v1", "/openapi/v2"])
def test_documents_are_given_to_who_would_rather_have_protobuf(client, path):
    assert client.send("GET", path).code == 200
    assert client.send("GET", path, headers={"Accept": f"{PROTOBUF}, */*"}).code == 200

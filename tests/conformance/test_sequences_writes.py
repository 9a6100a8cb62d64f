"""What clients of upstream's libraries meet when objects go and come again under their hands."""

import pytest
from tests.conformance.api import MERGE, Refused
from tests.conformance.go_api import GoApi


@pytest.fixture
def client(api):
    """The administrator with a typed client."""
    return GoApi(api)


def refused(call, *arguments, **options):
    with pytest.raises(Refused) as caught:
        call(*arguments, **options)
    return caught.value


def config_map(name, **metadata):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **metadata}}


def test_a_leader_goes_on_with_a_lease_that_somebody_deleted(client, namespace):
    path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
    lease = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "leader"},
        "spec": {"holderIdentity": "me", "leaseDurationSeconds": 15},
    }
    held = client.create(path, lease)
    client.delete(f"{path}/leader")
    # The uid is that of a lease that is gone; without it the update makes a new one, whatever version it names.
    gone = refused(client.update, f"{path}/leader", held)
    assert gone.code == 409 and gone.message.endswith(
        f"UID in precondition: {held['metadata']['uid']}, UID in object meta: "
    )
    del held["metadata"]["uid"]
    again = client.update(f"{path}/leader", held)
    assert again["spec"] == held["spec"]
    assert again["metadata"]["resourceVersion"] != held["metadata"]["resourceVersion"]


def test_an_object_that_goes_is_not_mistaken_for_the_next_of_its_name(client, namespace):
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    first = client.create(path, config_map("one", finalizers=["example.com/hold"]))
    marked = client.call("DELETE", f"{path}/one", {"orphanDependents": False})
    assert marked["metadata"]["deletionTimestamp"] and marked["kind"] == "ConfigMap"
    taken = refused(client.create, path, config_map("one"))
    assert (taken.code, taken.message) == (
        409,
        'object is being deleted: configmaps "one" already exists',
    )
    more = {"metadata": {"finalizers": ["example.com/hold", "example.com/more", "example.com/also"]}}
    assert (
        'found new finalizers []string{"example.com/also", "example.com/more"}'
        in refused(client.patch, f"{path}/one", more, content_type=MERGE).message
    )
    let_go = {"metadata": {"uid": first["metadata"]["uid"], "finalizers": None}}
    client.patch(f"{path}/one", let_go, content_type=MERGE)
    second = client.create(path, config_map("one"))
    other = refused(client.patch, f"{path}/one", let_go, content_type=MERGE)
    assert (other.code, other.reason) == (422, "Invalid")
    conditions = {"preconditions": {"uid": first["metadata"]["uid"]}}
    spared = refused(client.call, "DELETE", f"{path}/one", conditions)
    assert spared.message == (
        'Operation cannot be fulfilled on ConfigMap "one": the UID in the precondition '
        f"({first['metadata']['uid']}) does not match the UID in record ({second['metadata']['uid']}). "
        "The object might have been deleted and then recreated"
    )
    stale = {**second, "metadata": {**second["metadata"], "creationTimestamp": "2001-01-01T00:00:00Z"}}
    assert client.update(f"{path}/one", stale) == second

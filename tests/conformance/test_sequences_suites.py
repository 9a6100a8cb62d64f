"""Stories of upstream's default suite that are no conformance: owners among custom resources, nodes and what they may
read, accounts bound to their node, flows, tables in pages, and lists by watching."""

import json
from contextlib import ExitStack, closing

import pytest
from tests.conformance import definitions, samples
from tests.conformance.api import Api, eventually
from tests.conformance.test_conformance_garbage import owner, settle

FLOW = "/apis/flowcontrol.apiserver.k8s.io/v1"
POLICIES = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"
BINDINGS = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings"
TABLE = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
METADATA = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"


@pytest.mark.parametrize("policy", ["Background", "Foreground", "Orphan"])
def test_custom_resources_go_with_their_owner_or_stay(api, core, unique, policy):
    made = definitions.definition(f"{unique}.example.com", scope="Cluster")
    path = definitions.establish(api, made)
    place = definitions.collection(made, "v1")
    above = api.create(place, definitions.custom(made, "v1", "owner"))
    below = definitions.custom(made, "v1", "dependent")
    reference = owner(above, "Foo", f"{unique}.example.com/v1")
    below["metadata"]["ownerReferences"] = [{**reference, "blockOwnerDeletion": True}]
    api.create(place, below)
    api.delete(f"{place}/owner", {"propagationPolicy": policy})
    api.wait_gone(f"{place}/owner")
    if policy == "Orphan":
        settle(api, core)
        assert "ownerReferences" not in api.get(f"{place}/dependent")["metadata"]
    else:
        api.wait_gone(f"{place}/dependent")
    api.delete(path)


@pytest.fixture
def node(acting_as):
    return acting_as("system:node:node-1", "system:nodes")


def test_a_node_sees_what_its_pods_need_and_nothing_else(api, core, node):
    """Whether something is there is not for a node to know."""
    for kind in ("secrets", "configmaps"):
        assert node.refusal("GET", f"{core}/{kind}/foo").code == 403
        api.create(f"{core}/{kind}", {"metadata": {"name": "mine"}})
        refused = node.refusal("GET", f"{core}/{kind}/mine")
        assert refused.code == 403
        assert "no relationship found between node 'node-1' and this object" in refused.message
    volumes = [
        {"name": "secret", "secret": {"secretName": "mine"}},
        {"name": "map", "configMap": {"name": "mine"}},
    ]
    api.create(f"{core}/pods", samples.pod("pause", nodeName="node-1", volumes=volumes))
    for kind in ("secrets", "configmaps"):
        eventually(
            lambda kind=kind: node.send("GET", f"{core}/{kind}/mine").code == 200, f"the node to see {kind}"
        )
    foo = {"metadata": {"name": "foo"}}
    assert node.refusal("POST", "/api/v1/nodes", foo).code == 403
    assert node.refusal("DELETE", "/api/v1/nodes/foo").code == 403


def per_node_policy(namespace, name):
    extra = "authentication.kubernetes.io/node-name"
    rule = {
        "apiGroups": [""],
        "apiVersions": ["v1"],
        "operations": ["CREATE", "UPDATE", "DELETE"],
        "resources": ["configmaps"],
    }
    user = f"system:serviceaccount:{namespace}:default"
    restricted = {"name": "isRestrictedUser", "expression": f'request.userInfo.username == "{user}"'}
    known = f"'{extra}' in request.userInfo.extra"
    variables = [
        {"name": "userNodeName", "expression": f"{known} ? request.userInfo.extra['{extra}'][0] : ''"},
        {
            "name": "objectNodeName",
            "expression": "(request.operation == 'DELETE' ? oldObject : object).?metadata.?name.orValue('')",
        },
    ]
    validations = [
        {"expression": "variables.userNodeName != ''", "message": "no node association found for user"},
        {
            "expression": "variables.userNodeName == variables.objectNodeName",
            "messageExpression": "'this user running on node \\''+variables.userNodeName+'\\' may not modify ConfigMap "
            "\\'' + variables.objectNodeName + '\\''",
        },
    ]
    spec = {
        "failurePolicy": "Fail",
        "matchConstraints": {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
            "resourceRules": [rule],
        },
        "matchConditions": [restricted],
        "variables": variables,
        "validations": validations,
    }
    return {"metadata": {"name": name}, "spec": spec}


@pytest.fixture
def as_account(api, core, control_plane):
    """The namespace's default account, by a token of the given spec."""
    with ExitStack() as stack:

        def enter(**spec):
            review = api.create(
                f"{core}/serviceaccounts/default/token", {"spec": {"expirationSeconds": 600, **spec}}
            )
            headers = {"Authorization": f"Bearer {review['status']['token']}"}
            return stack.enter_context(closing(Api(api.url, control_plane.anonymous_tls(), headers=headers)))

        yield enter


@pytest.fixture
def acting_as(api):
    """Somebody whom the administrator impersonates."""
    with ExitStack() as stack:
        yield lambda *identity: stack.enter_context(closing(api.acting_as(*identity)))


def test_an_account_may_be_kept_to_the_objects_of_its_node(api, core, namespace, unique, as_account):
    api.create(POLICIES, per_node_policy(namespace, unique))
    binding = {"policyName": unique, "validationActions": ["Deny"]}
    api.create(BINDINGS, {"metadata": {"name": unique}, "spec": binding})
    account = {"kind": "ServiceAccount", "name": "default", "namespace": namespace}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "edit"}
    bindings = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/rolebindings"
    api.create(bindings, {"metadata": {"name": "sa"}, "roleRef": role, "subjects": [account]})
    pod = api.create(f"{core}/pods", samples.pod("p", nodeName="node-1"))
    bound = {"kind": "Pod", "apiVersion": "v1", "name": "p", "uid": pod["metadata"]["uid"]}
    mine = as_account(boundObjectRef=bound)
    told = mine.create("/apis/authentication.k8s.io/v1/selfsubjectreviews", {})["status"]["userInfo"]
    assert told["extra"]["authentication.kubernetes.io/node-name"] == ["node-1"]
    maps = f"{core}/configmaps"
    allowed, other = {"metadata": {"name": "node-1"}}, {"metadata": {"name": "unlikely-node"}}
    message = "this user running on node 'node-1' may not modify ConfigMap 'unlikely-node'"
    eventually(
        lambda: message in mine.send("POST", maps, other, query={"dryRun": "All"}).body.decode(), message
    )
    made = mine.create(maps, allowed)
    others = api.create(maps, other)
    mine.update(f"{maps}/node-1", made)
    assert message in mine.refusal("PUT", f"{maps}/unlikely-node", others).message
    mine.delete(f"{maps}/node-1")
    assert message in mine.refusal("DELETE", f"{maps}/unlikely-node").message
    assert (
        "this user running on node 'node-1' may not modify ConfigMap" in mine.refusal("DELETE", maps).message
    )
    nowhere = as_account()
    told = nowhere.create("/apis/authentication.k8s.io/v1/selfsubjectreviews", {})["status"]["userInfo"]
    assert "authentication.kubernetes.io/node-name" not in told.get("extra", {})
    for method, path, body in (("POST", maps, allowed), ("DELETE", f"{maps}/unlikely-node", None)):
        assert "no node association found for user" in nowhere.refusal(method, path, body).message
    for path in (POLICIES, BINDINGS):
        api.delete(f"{path}/{unique}")


def test_requests_are_classified_by_new_levels_and_schemas(api, unique, acting_as):
    limited = {"nominalConcurrencyShares": 1, "limitResponse": {"type": "Reject"}}
    level = api.create(
        f"{FLOW}/prioritylevelconfigurations",
        {"metadata": {"name": unique}, "spec": {"type": "Limited", "limited": limited}},
    )
    rules = {
        "subjects": [{"kind": "User", "user": {"name": "noxu"}}],
        "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
    }
    spec = {
        "matchingPrecedence": 1000,
        "priorityLevelConfiguration": {"name": unique},
        "distinguisherMethod": {"type": "ByUser"},
        "rules": [rules],
    }
    schema = api.create(f"{FLOW}/flowschemas", {"metadata": {"name": unique}, "spec": spec})

    def steady(obj):
        conditions = obj.get("status", {}).get("conditions", [])
        return any(one["type"] == "Dangling" and one["status"] == "False" for one in conditions)

    api.wait_object(f"{FLOW}/flowschemas/{unique}", steady)
    limit = f'apiserver_flowcontrol_nominal_limit_seats{{priority_level="{unique}"}}'
    assert limit in api.send("GET", "/metrics").body.decode()
    names = ("X-Kubernetes-PF-FlowSchema-UID", "X-Kubernetes-PF-PriorityLevel-UID")
    answer = acting_as("noxu").send("GET", "/version")
    assert [answer.headers[name] for name in names] == [schema["metadata"]["uid"], level["metadata"]["uid"]]
    answer = acting_as("foo").send("GET", "/version")
    told = [answer.headers[name] for name in names]
    assert all(told)
    assert told != [schema["metadata"]["uid"], level["metadata"]["uid"]]
    api.delete(f"{FLOW}/flowschemas/{unique}")
    api.delete(f"{FLOW}/prioritylevelconfigurations/{unique}")


def test_a_table_may_be_read_in_pages(api, core):
    for number in range(5):
        template = samples.template({"a": "b"})
        api.create(
            f"{core}/podtemplates", {"metadata": {"name": f"template-{number:04}"}, "template": template}
        )
    first = api.call("GET", f"{core}/podtemplates", query={"limit": 2}, headers=TABLE)
    assert [row["cells"][0] for row in first["rows"]] == ["template-0000", "template-0001"]
    assert first["metadata"]["resourceVersion"]
    again = {"continue": first["metadata"]["continue"]}
    rest = api.call("GET", f"{core}/podtemplates", query=again, headers=TABLE)
    assert [row["cells"][0] for row in rest["rows"]] == [f"template-{number:04}" for number in (2, 3, 4)]
    nodes = api.call("GET", "/api/v1/nodes", headers=TABLE)
    assert nodes["columnDefinitions"][0]["name"] == "Name"
    assert len(nodes["rows"][0]["cells"]) == len(nodes["columnDefinitions"])
    assert nodes["metadata"]["resourceVersion"]


def test_a_pod_that_goes_says_when_and_how_long_it_may_take(api, core):
    chosen = {"labelSelector": "time=now"}
    pod = samples.pod("p", labels={"time": "now"}, terminationGracePeriodSeconds=31)
    since = api.get(f"{core}/pods", **chosen)
    assert since["items"] == []
    with api.watch(f"{core}/pods", resourceVersion=since["metadata"]["resourceVersion"], **chosen) as watch:
        api.create(f"{core}/pods", pod)
        assert watch.next()[0] == "ADDED"
        api.wait_object(f"{core}/pods/p", lambda obj: obj.get("status", {}).get("phase") == "Running")
        api.delete(f"{core}/pods/p", {"gracePeriodSeconds": 30})
        going = watch.until("MODIFIED", lambda obj: "deletionTimestamp" in obj["metadata"])
        assert going["metadata"]["deletionGracePeriodSeconds"] == 30
        gone = watch.until("DELETED")
        assert "deletionTimestamp" in gone["metadata"]
        assert gone["spec"]["terminationGracePeriodSeconds"] == 31


@pytest.mark.parametrize(
    ("accept", "kind"),
    [("application/json", "ConfigMap"), (METADATA, "PartialObjectMetadata"), (TABLE["Accept"], "Table")],
)
def test_a_list_may_be_watched_in_every_form(api, core, accept, kind):
    for name in ("a", "b"):
        api.create(f"{core}/configmaps", {"metadata": {"name": name, "labels": {"list": "me"}}})
    query = {
        "sendInitialEvents": "true",
        "resourceVersionMatch": "NotOlderThan",
        "allowWatchBookmarks": "true",
        "labelSelector": "list=me",
        "watch": "true",
        "timeoutSeconds": "1",
    }
    answer = api.send("GET", f"{core}/configmaps", query=query, headers={"Accept": accept})
    events = [json.loads(line) for line in answer.body.splitlines()]
    assert [event["type"] for event in events[:3]] == ["ADDED", "ADDED", "BOOKMARK"]
    assert {event["object"]["kind"] for event in events} == {kind}
    names = [
        obj["rows"][0]["cells"][0] if kind == "Table" else obj["metadata"]["name"]
        for obj in (event["object"] for event in events[:2])
    ]
    assert names == ["a", "b"]
    end = events[2]["object"]
    told = end["rows"][0]["object"] if kind == "Table" else end
    assert told["metadata"]["annotations"]["k8s.io/initial-events-end"] == "true"
    assert told["metadata"]["resourceVersion"]

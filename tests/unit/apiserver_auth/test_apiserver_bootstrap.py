"""What a cluster is born with, and how a later start mends it; and that nobody grants what he has not."""

import pytest

from mamekube.apiserver import builtin
from mamekube.apiserver.access import escalation
from mamekube.apiserver.access.attributes import Attributes
from mamekube.apiserver.bootstrap import (
    api_services,
    cluster_role_bindings,
    cluster_roles,
    mended_binding,
    mended_role,
    restore,
)
from mamekube.apiserver.flow import flow_control
from mamekube.apiserver.request import User
from mamekube.apiserver.server import ApiServer, ApiServerConfig
from mamekube.foundation.clock import Clock
from mamekube.objects.meta import name_of
from mamekube.objects.status import StatusError
from mamekube.store.memory import MemoryBackend
from mamekube.store.store import Store

CONFIG = ApiServerConfig(advertise_address="192.168.49.1", port=8443)
RBAC = "rbac.authorization.k8s.io"


def by_name(objects):
    return {name_of(obj): obj for obj in objects}


def test_every_default_binding_names_a_default_role():
    roles = by_name(cluster_roles())
    assert {binding["roleRef"]["name"] for binding in cluster_role_bindings()} <= set(roles)


def test_admin_holds_what_edit_holds_and_edit_what_view_holds():
    roles = by_name(cluster_roles())
    for strong, weak in (("admin", "edit"), ("edit", "view")):
        assert escalation.covers(roles[strong]["rules"], roles[weak]["rules"]) == []
        assert escalation.covers(roles[weak]["rules"], roles[strong]["rules"]) != []


def test_an_added_rule_stays_and_a_lost_one_comes_back():
    wanted = by_name(cluster_roles())["system:discovery"]
    own = {"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}
    live = {**wanted, "rules": [own]}
    mended = mended_role(live, wanted)
    assert mended is not None
    assert own in mended["rules"]
    assert escalation.covers(mended["rules"], wanted["rules"]) == []
    assert mended_role(mended, wanted) is None


def test_a_role_that_asks_to_be_left_alone_is():
    wanted = by_name(cluster_roles())["system:discovery"]
    annotations = {"rbac.authorization.kubernetes.io/autoupdate": "false"}
    live = {**wanted, "rules": [], "metadata": {**wanted["metadata"], "annotations": annotations}}
    assert mended_role(live, wanted) is None


def test_a_binding_gets_its_lost_subjects_back():
    wanted = by_name(cluster_role_bindings())["system:discovery"]
    mended = mended_binding({**wanted, "subjects": []}, wanted)
    assert mended is not None
    assert mended["subjects"] == wanted["subjects"]
    assert mended_binding(mended, wanted) is None


def test_every_flow_schema_has_its_level():
    levels = by_name(flow_control.priority_levels())
    schemas = flow_control.flow_schemas()
    assert {schema["spec"]["priorityLevelConfiguration"]["name"] for schema in schemas} == set(levels)
    precedences = [schema["spec"]["matchingPrecedence"] for schema in schemas]
    assert precedences == sorted(precedences)


def test_newer_versions_of_a_group_have_the_higher_priority():
    found = by_name(api_services([("autoscaling", ["v2", "v1"]), ("", ["v1"])]))
    assert (
        found["v2.autoscaling"]["spec"]["versionPriority"]
        > found["v1.autoscaling"]["spec"]["versionPriority"]
    )
    assert "group" not in found["v1."]["spec"]


@pytest.fixture
async def server():
    async with (
        Store(MemoryBackend()) as store,
        ApiServer(CONFIG, store, Clock(), serve_http=False) as server,
    ):
        await server.ready()
        yield server


async def test_a_new_cluster_has_its_namespaces_and_the_kubernetes_service(server):
    client = server.client("root", ("system:masters",))
    namespaces = (await client.list(builtin.NAMESPACES)).items
    assert {name_of(obj) for obj in namespaces} == {
        "default",
        "kube-node-lease",
        "kube-public",
        "kube-system",
    }
    service = await client.get(builtin.SERVICES, "kubernetes", namespace="default")
    assert service["spec"]["clusterIP"] == "10.96.0.1"
    assert service["spec"]["ports"][0]["targetPort"] == 8443
    endpoints = await client.get(builtin.ENDPOINTS, "kubernetes", namespace="default")
    assert endpoints["subsets"][0]["addresses"] == [{"ip": "192.168.49.1"}]
    found = await client.get(builtin.ENDPOINT_SLICES, "kubernetes", namespace="default")
    assert found["endpoints"][0]["addresses"] == ["192.168.49.1"]
    trust = await client.get(
        builtin.CONFIG_MAPS, "extension-apiserver-authentication", namespace="kube-system"
    )
    assert trust["metadata"]["name"] == "extension-apiserver-authentication"


@pytest.mark.parametrize(
    ("user", "verb", "group", "resource", "allowed"),
    [
        (User("system:kube-scheduler"), "create", "", "pods/binding", True),
        (User("system:kube-controller-manager"), "create", "", "serviceaccounts/token", True),
        (
            User("system:serviceaccount:kube-system:deployment-controller"),
            "create",
            "apps",
            "replicasets",
            True,
        ),
        (User("system:serviceaccount:kube-system:deployment-controller"), "get", "", "secrets", False),
        (User("system:node:n1", ("system:nodes",)), "watch", "discovery.k8s.io", "endpointslices", True),
        (
            User("jane", ("system:authenticated",)),
            "create",
            "authorization.k8s.io",
            "selfsubjectaccessreviews",
            True,
        ),
        (User("jane", ("system:authenticated",)), "list", "", "pods", False),
        (User("system:anonymous", ("system:unauthenticated",)), "list", "", "pods", False),
    ],
)
async def test_the_default_roles_let_the_right_ones_in(server, user, verb, group, resource, allowed):
    plural, _, subresource = resource.partition("/")
    question = Attributes(user, verb, group=group, resource=plural, subresource=subresource)
    assert server._authorizer.authorize(question).allowed is allowed


async def test_anonymous_reads_health_and_version_but_not_the_api(server):
    nobody = User("system:anonymous", ("system:unauthenticated",))

    def allowed(path):
        return server._authorizer.authorize(Attributes(nobody, "get", is_resource=False, path=path)).allowed

    assert all(map(allowed, ("/healthz", "/livez", "/readyz", "/version")))
    assert not any(map(allowed, ("/api", "/metrics", "/openapi/v2")))


async def test_a_second_start_writes_nothing():
    async with Store(MemoryBackend()) as store:
        revisions = []
        for _ in range(2):
            async with ApiServer(CONFIG, store, Clock(), serve_http=False) as server:
                await server.ready()
                revisions.append(store.revision)
        assert revisions[0] == revisions[1]


async def test_the_way_to_the_server_comes_back_when_somebody_removes_it(server):
    client = server.client("root", ("system:masters",))
    for resource in (builtin.SERVICES, builtin.ENDPOINTS, builtin.ENDPOINT_SLICES):
        await client.delete(resource, "kubernetes", namespace="default")
    await restore(client, CONFIG)
    service = await client.get(builtin.SERVICES, "kubernetes", namespace="default")
    assert service["spec"]["clusterIP"] == "10.96.0.1"
    endpoints = await client.get(builtin.ENDPOINTS, "kubernetes", namespace="default")
    moved = {**endpoints, "subsets": [{**endpoints["subsets"][0], "addresses": [{"ip": "192.168.49.9"}]}]}
    await client.update(builtin.ENDPOINTS, moved)
    await restore(client, CONFIG)
    endpoints = await client.get(builtin.ENDPOINTS, "kubernetes", namespace="default")
    assert endpoints["subsets"][0]["addresses"] == [{"ip": "192.168.49.1"}]


# Escalation -------------------------------------------------------------------------------------------


async def grant(server, name, rules, user):
    root = server.client("root", ("system:masters",))
    await root.create(builtin.CLUSTER_ROLES, {"metadata": {"name": name}, "rules": rules})
    binding = {
        "metadata": {"name": name},
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": name},
        "subjects": [{"apiGroup": RBAC, "kind": "User", "name": user}],
    }
    await root.create(builtin.CLUSTER_ROLE_BINDINGS, binding)


MANAGE = [
    {"verbs": ["*"], "apiGroups": [RBAC], "resources": ["clusterroles", "clusterrolebindings"]},
    {"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]},
]


async def test_nobody_writes_a_role_with_more_than_he_holds(server):
    rules = [{**MANAGE[0], "verbs": ["create", "update"]}, MANAGE[1]]
    await grant(server, "manager", rules, "jane")
    jane = server.client("jane", ("dev",))
    wanted = {"verbs": ["get", "list"], "apiGroups": [""], "resources": ["pods", "secrets"]}
    with pytest.raises(StatusError) as caught:
        await jane.create(builtin.CLUSTER_ROLES, {"metadata": {"name": "more"}, "rules": [wanted]})
    assert caught.value.message == (
        'clusterroles.rbac.authorization.k8s.io "more" is forbidden: user "jane" (groups=["dev" '
        '"system:authenticated"]) is attempting to grant RBAC permissions not currently held:\n'
        '{APIGroups:[""], Resources:["pods"], Verbs:["list"]}\n'
        '{APIGroups:[""], Resources:["secrets"], Verbs:["get" "list"]}'
    )
    held = {"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}
    await jane.create(builtin.CLUSTER_ROLES, {"metadata": {"name": "same"}, "rules": [held]})


async def test_nobody_binds_to_a_role_with_more_than_he_holds(server):
    rules = [{**MANAGE[0], "verbs": ["create"]}]
    await grant(server, "binder", rules, "jane")
    binding = {
        "metadata": {"name": "b"},
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"apiGroup": RBAC, "kind": "User", "name": "jane"}],
    }
    jane = server.client("jane")
    with pytest.raises(StatusError, match="attempting to grant RBAC permissions not currently held"):
        await jane.create(builtin.CLUSTER_ROLE_BINDINGS, binding)
    missing = {**binding, "roleRef": {**binding["roleRef"], "name": "gone"}}
    with pytest.raises(StatusError, match='"gone" not found'):
        await jane.create(builtin.CLUSTER_ROLE_BINDINGS, missing)


async def test_the_verbs_escalate_and_bind_lift_the_rule(server):
    await grant(server, "trusted", [MANAGE[0]], "jane")
    jane = server.client("jane")
    everything = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}
    await jane.create(builtin.CLUSTER_ROLES, {"metadata": {"name": "all"}, "rules": [everything]})


COVERED = [
    ({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}, True),
    ({"verbs": ["get"], "apiGroups": [""], "resources": ["*"]}, True),
    ({"verbs": ["get"], "apiGroups": [""], "resources": ["*/status"]}, True),
    ({"verbs": ["get"], "apiGroups": ["apps"], "resources": ["*"]}, False),
    ({"verbs": ["get"], "apiGroups": [""], "resources": ["pods/status"], "resourceNames": ["a"]}, False),
    ({"verbs": ["list"], "apiGroups": [""], "resources": ["*"]}, False),
    ({"verbs": ["get"], "nonResourceURLs": ["*"]}, False),
]


@pytest.mark.parametrize(("held", "covered"), COVERED)
def test_a_rule_covers_what_it_allows(held, covered):
    wanted = {"verbs": ["get"], "apiGroups": [""], "resources": ["pods/status"]}
    assert (escalation.covers([held], [wanted]) == []) is covered

"""Who may do what: RBAC, the node authorizer, and the wording of refusals."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mamekube.apiserver.access.attributes import Attributes
from mamekube.apiserver.access.authorization import describe, forbidden
from mamekube.apiserver.access.rbac import RuleTable
from mamekube.apiserver.request import User, parse_request
from mamekube.store.store import Item

ALICE = User("alice", ("dev", "system:authenticated"))
NODE = User("system:node:n1", ("system:nodes", "system:authenticated"))


def attributes(user: User = ALICE, verb: str = "list", resource: str = "pods", **fields) -> Attributes:
    return Attributes(user, verb, resource=resource, **fields)


def role(name, *rules, namespace=""):
    meta = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"metadata": meta, "rules": list(rules)}


def binding(name, role_kind, role_name, *subjects, namespace=""):
    meta = {"name": name, **({"namespace": namespace} if namespace else {})}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": role_kind, "name": role_name}
    return {"metadata": meta, "roleRef": reference, "subjects": list(subjects)}


RBAC = "rbac.authorization.k8s.io"
READ_PODS = {"verbs": ["get", "list"], "apiGroups": [""], "resources": ["pods"]}


@pytest.mark.parametrize(
    ("rule", "question", "allowed"),
    [
        (READ_PODS, ("list", "", "pods", "", ""), True),
        (READ_PODS, ("watch", "", "pods", "", ""), False),
        (READ_PODS, ("get", "", "pods", "log", "p"), False),
        (READ_PODS, ("list", "apps", "pods", "", ""), False),
        ({**READ_PODS, "resourceNames": ["a", "b"]}, ("get", "", "pods", "", "b"), True),
        ({**READ_PODS, "resourceNames": ["a"]}, ("get", "", "pods", "", "b"), False),
        ({**READ_PODS, "resourceNames": ["a"]}, ("list", "", "pods", "", ""), False),
        ({**READ_PODS, "resources": ["*/scale"]}, ("get", "", "pods", "scale", "p"), True),
        ({**READ_PODS, "resources": ["*"]}, ("get", "", "pods", "log", "p"), True),
        ({**READ_PODS, "apiGroups": ["*"]}, ("get", "apps", "pods", "", ""), True),
        ({**READ_PODS, "verbs": ["*"]}, ("impersonate", "", "pods", "", ""), True),
    ],
)
def test_a_rule_allows_what_it_names_and_nothing_else(rule, question, allowed):
    assert RuleTable((rule,)).allows(*question) is allowed


VERBS, GROUPS, RESOURCES, NAMES = (
    ("get", "list", "*"),
    ("", "apps", "*"),
    ("pods", "pods/log", "*/log", "*"),
    ("a", "b"),
)
RULES = st.fixed_dictionaries(
    {
        "verbs": st.lists(st.sampled_from(VERBS), max_size=2),
        "apiGroups": st.lists(st.sampled_from(GROUPS), max_size=2),
        "resources": st.lists(st.sampled_from(RESOURCES), max_size=2),
        "resourceNames": st.lists(st.sampled_from(NAMES), max_size=1),
    }
)


def allows_plainly(rule, verb, group, resource, subresource, name) -> bool:
    """The twin: one rule, read as its documentation reads."""
    whole = f"{resource}/{subresource}" if subresource else resource
    resources = {"*", whole, *([f"*/{subresource}"] if subresource else [])}
    return (
        bool({"*", verb} & set(rule["verbs"]))
        and bool({"*", group} & set(rule["apiGroups"]))
        and bool(resources & set(rule["resources"]))
        and (not rule["resourceNames"] or name in rule["resourceNames"])
    )


@settings(deadline=None)
@given(
    st.lists(RULES, max_size=4),
    st.tuples(
        st.sampled_from(VERBS[:2]),
        st.sampled_from(GROUPS[:2]),
        st.just("pods"),
        st.sampled_from(("", "log")),
        st.sampled_from(("", *NAMES)),
    ),
)
def test_compiled_rules_allow_what_single_rules_allow(rules, question):
    assert RuleTable(rules).allows(*question) is any(allows_plainly(rule, *question) for rule in rules)


@pytest.mark.parametrize(
    ("pattern", "path", "allowed"),
    [
        ("/healthz", "/healthz", True),
        ("/healthz", "/healthz/etcd", False),
        ("/healthz/*", "/healthz/etcd", True),
        ("/api*", "/apis/apps", True),
        ("*", "/metrics", True),
    ],
)
def test_a_path_rule_matches_a_trailing_star(pattern, path, allowed):
    table = RuleTable(({"verbs": ["get"], "nonResourceURLs": [pattern]},))
    assert table.allows_path("get", path) is allowed
    assert not table.allows_path("post", path)


async def test_masters_may_do_everything_and_nobody_else_anything_by_default(authorizer):
    assert authorizer.authorize(attributes(User("root", ("system:masters",)), "delete")).allowed
    assert not authorizer.authorize(attributes()).allowed


async def test_a_binding_counts_from_the_moment_it_is_stored_until_it_is_removed(world, authorizer):
    await world.put("clusterroles", role("reader", READ_PODS), group=RBAC)
    subject = {"kind": "Group", "name": "dev"}
    await world.put("clusterrolebindings", binding("b", "ClusterRole", "reader", subject), group=RBAC)
    assert authorizer.authorize(attributes()).allowed

    await world.remove("clusterrolebindings", "b", group=RBAC)
    assert not authorizer.authorize(attributes()).allowed


async def test_a_role_binding_grants_a_cluster_role_in_its_namespace_only(world, authorizer):
    await world.put("clusterroles", role("reader", READ_PODS), group=RBAC)
    subject = {"kind": "User", "name": "alice"}
    bound = binding("b", "ClusterRole", "reader", subject, namespace="here")
    await world.put("rolebindings", bound, group=RBAC)
    assert authorizer.authorize(attributes(namespace="here")).allowed
    assert not authorizer.authorize(attributes(namespace="there")).allowed
    assert not authorizer.authorize(attributes()).allowed


async def test_a_service_account_subject_is_the_user_of_that_account(world, authorizer):
    await world.put("roles", role("reader", READ_PODS, namespace="here"), group=RBAC)
    subject = {"kind": "ServiceAccount", "name": "robot", "namespace": "there"}
    await world.put("rolebindings", binding("b", "Role", "reader", subject, namespace="here"), group=RBAC)
    robot = User("system:serviceaccount:there:robot")
    assert authorizer.authorize(attributes(robot, namespace="here")).allowed
    explained = authorizer.explain(attributes(robot, namespace="here"))
    assert explained.reason == (
        'RBAC: allowed by RoleBinding "b/here" of Role "reader" to ServiceAccount "robot/there"'
    )


async def test_a_missing_role_is_told_in_the_refusal(world, authorizer):
    subject = {"kind": "User", "name": "alice"}
    await world.put("clusterrolebindings", binding("b", "ClusterRole", "gone", subject), group=RBAC)
    decision = authorizer.authorize(attributes())
    assert decision.reason == 'RBAC: clusterrole.rbac.authorization.k8s.io "gone" not found'


@pytest.mark.parametrize(
    ("question", "text"),
    [
        (
            attributes(namespace="default"),
            'pods is forbidden: User "alice" cannot list resource "pods" in API group "" in the namespace "default"',
        ),
        (
            attributes(verb="get", resource="deployments", group="apps", name="web", subresource="scale"),
            'deployments.apps "web" is forbidden: User "alice" cannot get resource "deployments/scale" '
            'in API group "apps" at the cluster scope',
        ),
        (
            Attributes(ALICE, "get", is_resource=False, path="/foo"),
            'forbidden: User "alice" cannot get path "/foo"',
        ),
    ],
)
def test_refusals_are_worded_as_upstream_words_them(question, text):
    error = forbidden(question)
    assert (error.code, error.reason, error.message) == (403, "Forbidden", text)
    assert text.endswith(describe(question))


async def test_a_request_that_is_refused_raises_forbidden(authorizer):
    request = parse_request("GET", "/api/v1/namespaces/default/pods?limit=500", headers={})
    request.user = ALICE
    with pytest.raises(Exception, match='cannot list resource "pods"') as caught:
        authorizer.authorize_request(request)
    assert caught.value.status["details"] == {"kind": "pods"}


# Nodes ------------------------------------------------------------------------------------------------


def pod(name="p", node="n1", **spec):
    return {
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"nodeName": node, "serviceAccountName": "robot", "containers": [{"name": "c"}], **spec},
    }


SECRET_VOLUME = {"name": "v", "secret": {"secretName": "s"}}
UNRELATED = "no relationship found between node 'n1' and this object"


async def test_a_node_reads_the_secret_of_its_pod_while_the_pod_is_there(world, authorizer):
    question = attributes(NODE, "get", "secrets", namespace="default", name="s")
    assert authorizer.authorize(question).reason == UNRELATED
    await world.put("pods", pod(volumes=[SECRET_VOLUME]))
    assert authorizer.authorize(question).allowed
    await world.remove("pods", "p", namespace="default")
    assert authorizer.authorize(question).reason == UNRELATED


async def test_a_node_does_not_read_what_pods_elsewhere_use(world, authorizer):
    await world.put("pods", pod(node="n2", volumes=[SECRET_VOLUME]))
    question = attributes(NODE, "get", "secrets", namespace="default", name="s")
    assert authorizer.authorize(question).reason == UNRELATED


def reason_of_secret(authorizer):
    """Why node n1 may not read the secret, `""` if it may."""
    decision = authorizer.authorize(attributes(NODE, "get", "secrets", namespace="default", name="s"))
    return "" if decision.allowed else decision.reason


async def test_the_pods_of_a_node_are_decoded_when_it_asks_and_those_of_others_never(world, authorizer):
    await world.put("pods", pod(volumes=[SECRET_VOLUME]))
    await world.put("pods", pod(name="other", node="n2", volumes=[SECRET_VOLUME]))
    decoded = []
    transient = Item.transient

    def note(item):
        decoded.append(item.key)
        return transient(item)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Item, "transient", note)
        for _ in range(2):
            assert reason_of_secret(authorizer) == ""
    assert decoded == ["/registry/core/pods/default/p"]


async def test_a_pod_that_only_wears_the_name_of_a_node_gives_it_nothing(world, authorizer):
    """Whatever looks like the node's name in the bytes of a pod, what counts is where it is bound to."""
    unbound = pod(node="", volumes=[SECRET_VOLUME])
    unbound["metadata"]["labels"] = {"nodeName": "n1"}
    await world.put("pods", unbound)
    elsewhere = pod(name="elsewhere", node="n2", volumes=[SECRET_VOLUME])
    elsewhere["metadata"]["labels"] = {"nodeName": "n1"}
    await world.put("pods", elsewhere)
    assert reason_of_secret(authorizer) == UNRELATED
    await world.put("pods", {**unbound, "spec": {**unbound["spec"], "nodeName": "n1"}})
    assert reason_of_secret(authorizer) == ""
    await world.remove("pods", "p", namespace="default")
    assert reason_of_secret(authorizer) == UNRELATED


async def test_two_pods_with_one_secret_are_counted(world, authorizer):
    for name in ("a", "b"):
        await world.put("pods", pod(name, volumes=[SECRET_VOLUME]))
    await world.remove("pods", "a", namespace="default")
    question = attributes(NODE, "get", "secrets", namespace="default", name="s")
    assert authorizer.authorize(question).allowed


async def test_a_mirror_pod_gives_its_node_nothing(world, authorizer):
    mirror = pod(volumes=[SECRET_VOLUME])
    mirror["metadata"]["annotations"] = {"kubernetes.io/config.mirror": "x"}
    await world.put("pods", mirror)
    assert not authorizer.authorize(attributes(NODE, "get", "secrets", namespace="default", name="s")).allowed


async def test_a_node_reaches_the_volume_behind_its_pods_claim(world, authorizer):
    claim = {"name": "v", "persistentVolumeClaim": {"claimName": "c"}}
    await world.put("pods", pod(volumes=[claim]))
    volume = {
        "metadata": {"name": "pv"},
        "spec": {
            "claimRef": {"namespace": "default", "name": "c"},
            "csi": {"nodePublishSecretRef": {"namespace": "kube-system", "name": "key"}},
        },
    }
    await world.put("persistentvolumes", volume)
    assert authorizer.authorize(attributes(NODE, "get", "persistentvolumes", name="pv")).allowed
    key = attributes(NODE, "get", "secrets", namespace="kube-system", name="key")
    assert authorizer.authorize(key).allowed


NODE_QUESTIONS = [
    (("get", "nodes"), {"name": "n1"}, ""),
    (("get", "nodes"), {"name": "n2"}, "node 'n1' cannot read 'n2', only its own Node object"),
    (("list", "nodes"), {}, "node 'n1' cannot read all nodes, only its own Node object"),
    (("update", "nodes"), {"name": "n1", "subresource": "status"}, ""),
    (("list", "pods"), {"field_selector": "spec.nodeName=n1"}, ""),
    (("list", "pods"), {}, "can only list/watch pods with spec.nodeName field selector"),
    (
        ("watch", "pods"),
        {"field_selector": "spec.nodeName=n2"},
        "can only list/watch pods with spec.nodeName field selector",
    ),
    (("list", "secrets"), {"namespace": "default"}, "No Object name found"),
    (("create", "secrets"), {"namespace": "default"}, "can only read resources of this type"),
    (("list", "services"), {}, ""),
    (("delete", "services"), {}, ""),
]


@pytest.mark.parametrize(("what", "where", "reason"), NODE_QUESTIONS)
async def test_a_node_is_kept_to_itself(authorizer, what, where, reason):
    decision = authorizer.authorize(attributes(NODE, *what, **where))
    assert decision.reason == reason
    assert decision.allowed is (reason == "" and what != ("delete", "services"))


async def test_a_node_keeps_only_its_own_lease(authorizer):
    where = {"group": "coordination.k8s.io", "namespace": "kube-node-lease"}
    assert authorizer.authorize(attributes(NODE, "update", "leases", name="n1", **where)).allowed
    decision = authorizer.authorize(attributes(NODE, "update", "leases", name="n2", **where))
    assert decision.reason == "can only access node lease with the same name as the requesting node"

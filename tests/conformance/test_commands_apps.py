"""The real kubectl on workloads, nodes, roles, certificates and custom kinds, in the steps of upstream's own tests.

Checked is what the server has a share in: what is stored, what a person is shown of it, and the words of refusals.
"""

import base64
import json
import re
from collections import Counter

import pytest
from tests.conformance import definitions, samples

GENERATION = "deprecated.daemonset.template.generation"
CAUSE = "kubernetes.io/change-cause"


def manifest(*objects):
    """One after the other, as kubectl reads them."""
    return "\n".join(json.dumps(obj) for obj in objects)


def daemon_set(name):
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": name},
        "spec": {"selector": {"matchLabels": labels}, "template": samples.template(labels)},
    }


def managers(obj):
    return {entry["manager"] for entry in obj["metadata"]["managedFields"]}


def managed(obj):
    """Who owns what of the object, its status aside."""
    entries = obj["metadata"]["managedFields"]
    return {entry["manager"]: entry["fieldsV1"] for entry in entries if "subresource" not in entry}


def annotation(obj, key):
    return obj["metadata"].get("annotations", {}).get(key)


# Workloads --------------------------------------------------------------------------------------------


def test_a_daemon_set_counts_its_templates_and_keeps_the_causes_of_changes(api, apps, core, kubectl):
    kubectl("apply", "--record", "-f", "-", text=manifest(daemon_set("d")))
    revisions = f"{apps}/controllerrevisions"
    first = api.wait(revisions, lambda items: len(items) == 1)[0]
    assert "kubectl apply" in annotation(first, CAUSE)
    numbered = {"labelSelector": "pod-template-generation=1"}
    api.wait(f"{core}/pods", lambda pods: len(pods) == 2, **numbered)
    kubectl("set", "env", "ds/d", "foo=bar")
    api.wait(revisions, lambda items: len(items) == 2)
    daemons = api.get(f"{apps}/daemonsets/d")
    assert (annotation(daemons, GENERATION), daemons["metadata"]["generation"]) == ("2", 2)
    assert {"kubectl-set", "kube-controller-manager"} <= managers(daemons)
    dry = kubectl("rollout", "undo", "ds", "d", "--dry-run=server")
    assert dry == "daemonset.apps/d rolled back (server dry run)\n"
    assert kubectl("rollout", "undo", "ds", "d", "--to-revision=1") == "daemonset.apps/d rolled back\n"
    api.wait(revisions, lambda items: {entry["revision"] for entry in items} == {2, 3})
    assert annotation(api.get(f"{apps}/daemonsets/d"), GENERATION) == "3"
    lost = kubectl("rollout", "undo", "ds", "d", "--to-revision=1000000", check=False)
    assert lost.stderr == "error: unable to find specified revision 1000000 in history\n"
    history = kubectl("rollout", "history", "ds", "d").splitlines()
    assert all("kubectl apply" in line for line in history[2:4]), history


def test_a_deployment_goes_back_and_forth_and_not_while_it_is_paused(api, apps, kubectl):
    kubectl("create", "deployment", "web", f"--image={samples.IMAGE}")

    def settled(revision):
        path = f"{apps}/deployments/web"
        key = "deployment.kubernetes.io/revision"
        return api.wait_object(path, lambda obj: annotation(obj, key) == revision)

    settled("1")
    skipped = "deployment.apps/web skipped rollback (current template already matches revision 1)\n"
    assert kubectl("rollout", "undo", "deployment/web", "--to-revision=1") == skipped
    kubectl("set", "image", "deployment/web", f"*={samples.IMAGE}-2")
    settled("2")
    kubectl("rollout", "undo", "deployment/web")
    settled("3")
    kubectl("rollout", "pause", "deployment/web")
    refused = kubectl("rollout", "undo", "deployment/web", check=False).stderr
    assert "you cannot rollback a paused deployment" in refused
    kubectl("rollout", "resume", "deployment/web")
    superseded = kubectl("rollout", "status", "deployment/web", "--revision=2", check=False)
    assert superseded.stderr == "error: desired revision (2) is different from the running revision (3)\n"
    sets = api.items(f"{apps}/replicasets", labelSelector="app=web")
    histories = [annotation(obj, "deployment.kubernetes.io/revision-history") for obj in sets]
    assert Counter(histories) == {None: 1, "1": 1}


def test_a_schedule_that_never_comes_is_told_in_an_event(api, core, kubectl):
    kubectl("create", "cronjob", "pi", "--schedule=59 23 31 2 *", f"--image={samples.IMAGE}")
    selector = "involvedObject.kind=CronJob,reason=InvalidSchedule"
    api.wait(f"{core}/events", bool, fieldSelector=selector)
    shown = kubectl("events", "--for=cronjob/pi", "--types=Warning", "--no-headers")
    assert re.search(r"Warning +InvalidSchedule +CronJob/pi +invalid schedule: 59 23 31 2 \* : ", shown)


def test_an_autoscaler_of_the_old_version_has_the_new_ones_status(api, namespace):
    path = "/apis/autoscaling/{}/namespaces/" + namespace + "/horizontalpodautoscalers"
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"}
    api.create(
        path.format("v1"), {"metadata": {"name": "h"}, "spec": {"maxReplicas": 3, "scaleTargetRef": target}}
    )
    assert api.get(path.format("v2") + "/h")["status"] == {"desiredReplicas": 0, "currentMetrics": None}
    assert api.get(path.format("v1") + "/h")["status"] == {"currentReplicas": 0, "desiredReplicas": 0}


def test_what_is_empty_is_not_shown_and_applied_again_changes_nothing(api, core, kubectl):
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        **samples.pod("p", hostNetwork=False, nodeSelector={}),
    }
    pod["metadata"]["annotations"] = {}
    pod["spec"]["containers"][0]["args"] = []
    assert kubectl("apply", "-f", "-", text=manifest(pod)) == "pod/p created\n"
    shown = api.get(f"{core}/pods/p")
    assert "labels" not in shown["metadata"]
    assert not {"hostNetwork", "nodeSelector"} & shown["spec"].keys()
    assert "args" not in shown["spec"]["containers"][0]
    kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", text=manifest(pod))
    applied = api.get(f"{core}/pods/p")
    assert applied["spec"].keys() - {"nodeName"} == shown["spec"].keys() - {"nodeName"}
    kubectl("apply", "--server-side", "-f", "-", text=manifest(pod))
    again = api.get(f"{core}/pods/p")
    assert (again["spec"], managed(again)) == (applied["spec"], managed(applied))


# Pods -------------------------------------------------------------------------------------------------


def test_a_pod_without_a_node_cannot_be_reached(api, core, kubectl):
    api.create(f"{core}/pods", samples.pod("p", nodeSelector={"no": "where"}))
    waiting = "Error from server (BadRequest): pod p does not have a host assigned\n"
    assert kubectl("exec", "p", "--", "date", check=False).stderr == waiting
    assert kubectl("logs", "p") == ""
    missing = kubectl("exec", "deployments/none", "--", "date", check=False).stderr
    assert missing == 'Error from server (NotFound): deployments.apps "none" not found\n'


def test_a_debugging_container_is_added_and_held_to_the_rules_of_the_namespace(api, core, kubectl, namespace):
    enforced = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}
    api.patch(f"/api/v1/namespaces/{namespace}", enforced)
    secured = {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}}
    pod = samples.pod("p", securityContext=secured)
    pod["spec"]["containers"][0]["securityContext"] = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }
    api.create(f"{core}/pods", pod)
    debug = ("debug", "p", "--image=busybox", "--attach=false", "-c")
    kubectl(*debug, "one", "--profile=restricted")
    refused = kubectl(*debug, "two", "--profile=general", check=False).stderr
    assert refused.startswith(
        'Error from server (Forbidden): pods "p" is forbidden: violates PodSecurity "restricted:latest": '
        'allowPrivilegeEscalation != false (container "two" must set'
    )
    containers = api.get(f"{core}/pods/p")["spec"]["ephemeralContainers"]
    assert [entry["name"] for entry in containers] == ["one"]


def test_a_pod_to_debug_a_node_shows_of_its_mounts_what_was_said(api, core, kubectl):
    said = kubectl(
        "debug", "node/node-1", "--image=busybox", "--attach=false", "--profile=general", "--", "true"
    )
    pod = api.items(f"{core}/pods")[0]
    assert pod["metadata"]["name"] in said
    assert pod["spec"]["containers"][0]["volumeMounts"][0] == {"name": "host-root", "mountPath": "/host"}


# Nodes ------------------------------------------------------------------------------------------------


@pytest.fixture
def silent_node(api, unique):
    """A node without a kubelet."""
    path = f"/api/v1/nodes/{unique}"
    api.create("/api/v1/nodes", {"metadata": {"name": unique, "labels": {"silent": unique}}})
    yield unique
    api.delete(path)


def test_a_node_shows_what_its_kubelet_has_not_told_yet(api, silent_node):
    status = api.get(f"/api/v1/nodes/{silent_node}")["status"]
    assert status["daemonEndpoints"] == {"kubeletEndpoint": {"Port": 0}}
    assert (len(status["nodeInfo"]), set(status["nodeInfo"].values())) == (10, {""})


def test_a_node_is_tainted_and_drained_page_by_page(api, core, kubectl, namespace, silent_node):
    path = f"/api/v1/nodes/{silent_node}"
    kubectl("taint", "node", silent_node, "--dry-run=server", "dedicated=foo:PreferNoSchedule")
    assert not any(taint["key"] == "dedicated" for taint in api.get(path)["spec"].get("taints", []))
    kubectl("taint", "node", silent_node, "dedicated:PreferNoSchedule")
    assert {"key": "dedicated", "effect": "PreferNoSchedule"} in api.get(path)["spec"]["taints"]
    assert "kubectl-taint" in managers(api.get(path))
    for name in ("a", "b"):
        api.create(f"{core}/pods", samples.pod(name, labels={"name": name}, nodeName=silent_node))
    drain = ("drain", "--force", "--selector", f"silent={silent_node}")
    pages = kubectl("--v=6", *drain, "--chunk-size=1", "--dry-run=server", check=False)
    asked = re.findall(r"/api/v1/pods\?(\S+)", pages.stderr)
    assert ["continue=" in query for query in asked if "limit=1" in query] == [False, True], pages.stderr
    assert f"evicting pod {namespace}/b (server dry run)" in pages.stdout + pages.stderr
    assert not api.get(path)["spec"].get("unschedulable")
    kubectl(*drain, "--pod-selector", "name in (a)")
    assert api.missing(f"{core}/pods/a")
    assert "deletionTimestamp" not in api.get(f"{core}/pods/b")["metadata"]
    api.delete(f"{core}/pods/b", {"gracePeriodSeconds": 0})
    assert kubectl("uncordon", silent_node) == f"node/{silent_node} uncordoned\n"
    again = kubectl("uncordon", silent_node, "--dry-run=server")
    assert again == f"node/{silent_node} already uncordoned (server dry run)\n"


# Users and roles --------------------------------------------------------------------------------------


def test_roles_are_made_of_what_discovery_knows_and_reconciled_once(api, kubectl, namespace):
    roles = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/roles"
    kubectl("create", "role", "r", "--verb=get,list", "--resource=replicasets.apps/scale,pods/status")
    assert [(rule["apiGroups"], rule["resources"]) for rule in api.get(f"{roles}/r")["rules"]] == [
        ([""], ["pods/status"]),
        (["apps"], ["replicasets/scale"]),
    ]
    unknown = kubectl("create", "role", "x", "--verb=get", "--resource=rs.none/scale", check=False).stderr
    assert unknown == 'the server doesn\'t have a resource type "rs" in group "none"\n'
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": "r", "namespace": namespace},
        "rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}],
    }
    added = kubectl("auth", "reconcile", "-f", "-", text=manifest(role), check=False).stderr
    assert "reconciliation required update\n\tmissing rules added:" in added
    assert kubectl("auth", "reconcile", "-f", "-", text=manifest(role), check=False).stderr == ""
    api.create(roles, {"metadata": {"name": "nothing"}})
    assert api.get(f"{roles}/nothing")["rules"] is None


def test_a_request_for_a_certificate_says_who_asked_and_is_decided_once(api, kubectl, unique, namespace):
    made = kubectl(
        "auth", "whoami", "--as=user1", "--as-group=two", "--as-group=,,,one", "--as-uid=abc", "-o", "json"
    )
    assert json.loads(made)["status"]["userInfo"] == {
        "username": "user1",
        "uid": "abc",
        "groups": ["two", ",,,one", "system:authenticated"],
    }
    path = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
    request = {
        "apiVersion": "certificates.k8s.io/v1",
        "kind": "CertificateSigningRequest",
        "metadata": {"name": unique},
        "spec": {
            "request": base64.b64encode(REQUEST.encode()).decode(),
            "signerName": "example.com/none",
            "usages": ["client auth"],
        },
    }
    asking = api.acting_as("user1", "system:masters")
    assert asking.create(path, request)["spec"]["groups"] == ["system:masters", "system:authenticated"]
    asking.close()
    decided = kubectl("certificate", "deny", "-f", "-", text=manifest(request))
    assert decided == f"certificatesigningrequest.certificates.k8s.io/{unique} denied\n"
    refused = kubectl("certificate", "approve", unique, check=False).stderr
    assert refused == f'error: certificate signing request "{unique}" is already Denied\n'
    assert kubectl("get", "csr", unique, "--no-headers").split()[-1] == "Denied"
    api.delete(f"{path}/{unique}")


REQUEST = """\
-----BEGIN CERTIFICATE REQUEST-----
MIGOMEICAQAwDzENMAsGA1UEAwwEdXNlcjAqMAUGAytlcAMhABsEcPnQtYsMjC1U
1x79/2SJD2lKamIgm2q/lx1aFXw4oAAwBQYDK2VwA0EA0gFfi/7Hy8HG00w25KO6
Zw7s9ETu8iRqv/r7BJ97fFHIqO3v+dKOq8PIpAGfLPxKLlHew/G3fJf3aGkNvMTG
Cw==
-----END CERTIFICATE REQUEST-----
"""


# Custom kinds and discovery ---------------------------------------------------------------------------


def test_a_custom_kind_that_is_called_pod_too_does_not_stand_for_pods(api, kubectl, unique):
    group = f"{unique}.example.com"
    definition = definitions.definition(group)
    definition["spec"]["names"]["shortNames"] = ["pod"]
    path = definitions.establish(api, definition)
    thing = definitions.custom(definition, "v1", "thing")
    name = f"foo.{group}/thing"
    assert kubectl("create", "-f", "-", "-o", "name", text=manifest(thing)).strip() == name
    assert kubectl("get", f"foos.v1.{group}", "-o", "name").strip() == name
    assert kubectl("get", "pod", "-o", "name") == ""
    refused = kubectl("patch", f"foos.{group}/thing", "-p", '{"a":1}', check=False).stderr
    assert refused.startswith("error: application/strategic-merge-patch+json is not supported by")
    api.delete(path)


def test_the_documents_say_what_lists_and_watches_are_for(api):
    document = api.send("GET", "/openapi/v2").body
    for words in (b"list of returned", b"List of services", b"Watch for changes to the described resources"):
        assert words in document, words

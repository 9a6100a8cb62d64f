"""The real kubectl on pods, services, controllers and the like, in the steps of upstream's own tests of its commands.

Checked is what the server has a share in: what is stored, who owns it, and the words of its refusals.
"""

import json
import re

import pytest
from tests.conformance import samples
from tests.conformance.api import STRATEGIC

CONFLICT = (
    "Error from server (Conflict): Operation cannot be fulfilled on {}: the object has been modified; "
    "please apply your changes to the latest version and try again\n"
)


def text(*objects):
    """One after the other, as kubectl reads them."""
    return "\n".join(json.dumps(obj) for obj in objects)


def managers(obj):
    return [entry["manager"] for entry in obj["metadata"]["managedFields"]]


@pytest.fixture
def refusal(kubectl):
    """Run a kubectl that must fail, and answer what it says."""

    def run(*words, text=None):
        done = kubectl(*words, text=text, check=False)
        assert done.returncode == 1, f"kubectl {' '.join(words)}\n{done.stdout}{done.stderr}"
        return done.stderr

    return run


@pytest.fixture
def editor(tmp_path, monkeypatch):
    """Make `kubectl edit` put `new` where `old` stands."""

    def use(old, new):
        script = tmp_path / "editor.sh"
        script.write_text(f'#!/bin/sh\nsed -i "s|{old}|{new}|g" "$1"\n')
        script.chmod(0o755)
        monkeypatch.setenv("KUBE_EDITOR", str(script))

    return use


def test_every_command_leaves_its_name_on_what_it_wrote(api, core, kubectl, editor):
    kubectl("run", "web", f"--image={samples.IMAGE}", "--port=80", "--expose")
    kubectl("label", "pod", "web", "tier=front", "--record")
    kubectl("annotate", "pod", "web", "empty=")
    kubectl("patch", "pod", "web", "-p", '{"spec":{"containers":[{"name":"web","image":"nginx"}]}}')
    editor("image: nginx", "image: nginx:2")
    shown = kubectl("edit", "pod/web", "--output-patch")
    assert (
        'Patch: {"spec":{"$setElementOrder/containers":[{"name":"web"}],"containers":[{"image":"nginx:2"'
        in shown
    )
    pod = api.get(f"{core}/pods/web")
    assert pod["metadata"]["annotations"]["empty"] == ""
    assert "label pod web tier=front" in pod["metadata"]["annotations"]["kubernetes.io/change-cause"]
    assert pod["spec"]["containers"][0]["image"] == "nginx:2"
    commands = {"kubectl-run", "kubectl-label", "kubectl-annotate", "kubectl-edit"}
    assert commands <= set(managers(pod))
    # What the edit changed was all that the patch owned.
    assert "kubectl-patch" not in managers(pod)
    annotated = '{"metadata":{"annotations":{"zone":"work"}}}'
    kubectl(
        "expose", "pod", "web", "--port=1000", "--name=again", "--type=NodePort", f"--overrides={annotated}"
    )
    service = api.get(f"{core}/services/again")
    assert service["metadata"]["annotations"] == {"zone": "work"}
    assert managers(service) == ["kubectl-expose"]


def test_patches_are_refused_in_upstreams_words(api, core, kubectl, refusal):
    api.create(f"{core}/pods", samples.pod("p", labels={"name": "p"}))
    assert refusal("patch", "pod", "p", "-p", '{"metadata":{"labels":"invalid"}}') == (
        'The request is invalid: patch: Invalid value: "map[metadata:map[labels:invalid]]": '
        "cannot restore map from string\n"
    )
    assert kubectl("patch", "pod", "p", "-p", '{"metadata":{"labels":{"name":"p"}}}') == (
        "pod/p patched (no change)\n"
    )
    stale = '{"metadata":{"labels":{"name":"q"},"resourceVersion":"1"}}'
    assert refusal("patch", "pod", "p", "-p", stale) == CONFLICT.format('pods "p"')
    operations = '[{"op":"test","path":"/metadata/labels/name","value":"q"}]'
    assert refusal("patch", "pod", "p", "--type=json", "-p", operations) == (
        "The request is invalid: the server rejected our request due to an error in our request\n"
    )
    unknown = kubectl("patch", "pod", "p", "--type=merge", "-p", '{"patched":"value"}', check=False)
    assert (unknown.stdout, unknown.stderr) == (
        "pod/p patched (no change)\n",
        'Warning: unknown field "patched"\n',
    )


def test_numbers_survive_patches_to_the_last_digit(api, core):
    """Those that a float of 32 bits would round."""
    pod = samples.pod("p", activeDeadlineSeconds=2147483647, restartPolicy="Never")
    pod["spec"]["securityContext"] = {"supplementalGroups": [0, 1000030003, 2147483647]}
    api.create(f"{core}/pods", pod)
    patched = api.patch(f"{core}/pods/p", {"metadata": {"annotations": {"a": "b"}}}, content_type=STRATEGIC)
    assert patched["spec"]["activeDeadlineSeconds"] == 2147483647
    assert patched["spec"]["securityContext"]["supplementalGroups"] == [0, 1000030003, 2147483647]


def test_replace_takes_version_0_for_whatever_is_there(api, namespace, kubectl, refusal):
    obj = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": namespace, "annotations": {"a": "b"}, "resourceVersion": "0"},
    }
    path = f"/api/v1/namespaces/{namespace}"
    assert kubectl("replace", "--dry-run=server", "-f", "-", text=text(obj)) == (
        f"namespace/{namespace} replaced (server dry run)\n"
    )
    assert "annotations" not in api.get(path)["metadata"]
    assert kubectl("replace", "-f", "-", text=text(obj)) == f"namespace/{namespace} replaced\n"
    assert api.get(path)["metadata"]["annotations"] == {"a": "b"}
    obj["metadata"]["resourceVersion"] = "1"
    stale = CONFLICT.format(f'namespaces "{namespace}"')
    assert refusal("replace", "-f", "-", text=text(obj)) == (
        stale.replace("Operation", 'error when replacing "STDIN": Operation')
    )


def test_a_selector_is_set_at_a_version(api, core, kubectl, refusal):
    version = api.create(f"{core}/services", samples.service("s"))["metadata"]["resourceVersion"]
    shown = kubectl("set", "selector", "service", "s", "role=x", "--dry-run=server", "-o", "json")
    assert json.loads(shown)["spec"]["selector"] == {"role": "x"}
    assert api.get(f"{core}/services/s")["spec"]["selector"] == {"a": "b"}
    words = ("set", "selector", "service", "s", "role=x", f"--resource-version={version}")
    assert kubectl(*words) == "service/s selector updated\n"
    assert refusal(*words) == CONFLICT.format('services "s"')
    stored = api.get(f"{core}/services/s")
    assert stored["spec"]["selector"] == {"role": "x"} and "kubectl-set" in managers(stored)


def test_an_object_is_made_again_from_what_was_got(api, core, kubectl):
    """Its uid, version and addresses are those of what is gone."""
    for plural, obj in (("services", samples.service("s")), ("pods", samples.pod("p"))):
        api.create(f"{core}/{plural}", obj)
        name = obj["metadata"]["name"]
        dump = kubectl("get", plural, name, "-o", "yaml")
        kubectl("delete", plural, name, "--now")
        kubectl("create", "-f", "-", text=dump)
        again = api.get(f"{core}/{plural}/{name}")["metadata"]
        assert f"uid: {again['uid']}" not in dump
    assert managers(api.get(f"{core}/services/s")) == ["kubectl-create"]


def test_raw_requests_reach_the_path_they_name(core, kubectl, refusal):
    config_map = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "raw"}, "data": {"k": "1"}}
    path = f"{core}/configmaps"
    assert json.loads(kubectl("create", f"--raw={path}", "-f", "-", text=text(config_map)))["metadata"]["uid"]
    config_map["data"]["k"] = "2"
    replaced = kubectl("replace", f"--raw={path}/raw", "-f", "-", text=text(config_map))
    assert json.loads(replaced)["data"] == {"k": "2"}
    deleted = json.loads(kubectl("delete", f"--raw={path}/raw"))
    assert (deleted["status"], deleted["details"]["kind"]) == ("Success", "configmaps")
    # Raw is raw: kubectl sends YAML as it stands, and calls it JSON.
    assert refusal("create", "--raw=/api/v1/namespaces", "-f", "-", text="apiVersion: v1\nkind: Pod\n") == (
        "Error from server (BadRequest): the object provided is unrecognized (must be of type Namespace): "
        "couldn't get version/kind; json parse error: invalid character 'a' looking for beginning of value "
        "(61706956657273696f6e3a2076310a6b696e643a20506f640a)\n"
    )
    assert refusal("get", f"--raw={path}/raw") == (
        'Error from server (NotFound): configmaps "raw" not found\n'
    )


def test_what_pods_take_from_elsewhere_is_described(api, core, kubectl):
    env = [
        {"name": "ONE", "valueFrom": {"secretKeyRef": {"name": "s", "key": "key-1"}}},
        {"name": "TWO", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "key-2", "optional": True}}},
        {"name": "THREE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
    ]
    pod = samples.pod("p")
    pod["spec"]["containers"][0]["env"] = env
    api.create(f"{core}/pods", pod)
    described = kubectl("describe", "pod", "p", "--show-events=false")
    assert re.search(r"ONE: +<set to the key 'key-1' in secret 's'> +Optional: false\n", described)
    assert re.search(r"TWO: +<set to the key 'key-2' of config map 'c'> +Optional: true\n", described)
    assert re.search(r"THREE: +p \(v1:metadata.name\)\n", described)
    assert "Events:" not in described


def test_budgets_and_quotas_are_made_and_described(api, core, namespace, kubectl):
    budget = ("create", "poddisruptionbudget", "half", "--selector=app=rails")
    assert kubectl(*budget, "--min-available=50%", "--dry-run=server") == (
        "poddisruptionbudget.policy/half created (server dry run)\n"
    )
    kubectl(*budget, "--min-available=50%")
    path = f"/apis/policy/v1/namespaces/{namespace}/poddisruptionbudgets/half"
    api.wait_object(path, lambda obj: "expectedPods" in obj.get("status", {}))
    assert kubectl("get", "pdb").splitlines()[1].split()[:-1] == ["half", "50%", "N/A", "0"]
    kubectl("create", "quota", "q", "--hard=pods=2", "--scopes=BestEffort")
    api.wait_object(f"{core}/resourcequotas/q", lambda obj: "used" in obj.get("status", {}))
    described = kubectl("describe", "pdb,quota")
    assert "Min available:  50%\nSelector:       app=rails\n" in described
    assert re.search(r"^pods +0 +2$", described, re.MULTILINE)
    assert "Matches all pods that do not have resource requirements set." in described


def test_secrets_have_the_type_of_the_command_that_made_them(api, core, kubectl):
    kubectl("create", "secret", "generic", "typed", "--from-literal=key-1=value1", "--type=test-type")
    credentials = ("--docker-username=u", "--docker-password=p", "--docker-email=u@test.com")
    kubectl("create", "secret", "docker-registry", "registry", *credentials)
    given = {"metadata": {"name": "merged"}, "data": {"k1": "djE=", "k2": ""}, "stringData": {"k2": "v2"}}
    api.create(f"{core}/secrets", given)
    rows = [line.split()[:3] for line in kubectl("get", "secrets", "--no-headers").splitlines()]
    assert rows == [
        ["merged", "Opaque", "2"],
        ["registry", "kubernetes.io/dockerconfigjson", "1"],
        ["typed", "test-type", "1"],
    ]
    merged = api.get(f"{core}/secrets/merged")
    assert merged["data"] == {"k1": "djE=", "k2": "djI="} and "stringData" not in merged


def test_controllers_are_scaled_from_the_count_they_have(api, core, kubectl, refusal):
    obj = samples.replication_controller("rc", 0)
    kubectl("create", "-f", "-", text=text(obj))
    assert kubectl("scale", "--current-replicas=0", "--replicas=1", "rc", "rc") == (
        "replicationcontroller/rc scaled\n"
    )
    assert refusal("scale", "--current-replicas=0", "--replicas=2", "rc", "rc") == (
        "error: Expected replicas to be 0, was 1\n"
    )
    kubectl("scale", "--replicas=0", "-f", "-", text=text(obj))
    assert api.get(f"{core}/replicationcontrollers/rc")["spec"]["replicas"] == 0


def test_autoscalers_are_filled_in(api, core, namespace, kubectl):
    obj = samples.replication_controller("rc", 0)
    api.create(f"{core}/replicationcontrollers", obj)
    kubectl("autoscale", "-f", "-", "--max=2", "--save-config", text=text(obj))
    autoscaler = api.get(f"/apis/autoscaling/v1/namespaces/{namespace}/horizontalpodautoscalers/rc")
    assert autoscaler["spec"] == {
        "scaleTargetRef": {"apiVersion": "v1", "kind": "ReplicationController", "name": "rc"},
        "minReplicas": 1,
        "maxReplicas": 2,
        "targetCPUUtilizationPercentage": 80,
    }
    assert "kubectl.kubernetes.io/last-applied-configuration" in autoscaler["metadata"]["annotations"]
    row = kubectl("get", "hpa", "--no-headers").split()
    assert row[:5] == ["rc", "ReplicationController/rc", "cpu:", "<unknown>/80%", "1"]


def test_resources_of_a_template_are_set_and_checked(api, apps, kubectl, refusal):
    api.create(f"{apps}/deployments", samples.deployment("web", 0))
    kubectl("set", "resources", "deployment", "web", "--limits=cpu=200m")
    container = api.get(f"{apps}/deployments/web")["spec"]["template"]["spec"]["containers"][0]
    assert container["resources"] == {"limits": {"cpu": "200m"}}
    assert refusal("set", "resources", "deployment", "web", "--requests=cpu=400m") == (
        'error: failed to patch resources update to pod template Deployment.apps "web" is invalid: '
        'spec.template.spec.containers[0].resources.requests: Invalid value: "400m": '
        "must be less than or equal to cpu limit of 200m\n"
    )


def test_a_job_made_by_hand_from_a_cron_job_is_not_the_cron_jobs(api, namespace, kubectl):
    kubectl("create", "cronjob", "pi", "--schedule=0 0 30 2 *", "--image=perl", "--", "print", "pi")
    kubectl("create", "job", "by-hand", "--from=cronjob/pi")
    batch = f"/apis/batch/v1/namespaces/{namespace}"
    job = api.get(f"{batch}/jobs/by-hand")
    assert job["spec"]["template"]["spec"]["containers"][0]["command"] == ["print", "pi"]
    assert job["metadata"]["annotations"] == {"cronjob.kubernetes.io/instantiate": "manual"}
    (event,) = api.wait(
        f"/api/v1/namespaces/{namespace}/events",
        lambda events: len(events) == 1,
        fieldSelector="reason=UnexpectedJob",
    )
    assert event["message"] == "Saw a job that the controller did not create or forgot: by-hand"
    assert "active" not in api.get(f"{batch}/cronjobs/pi").get("status", {})


def test_a_namespace_is_waited_for_until_it_is_gone(api, kubectl, refusal, unique):
    name = f"{unique}-waited"
    assert kubectl("create", "namespace", name, "--dry-run=server") == (
        f"namespace/{name} created (server dry run)\n"
    )
    kubectl("create", "namespace", name)
    api.create(f"/api/v1/namespaces/{name}/configmaps", {"metadata": {"name": "c"}})
    kubectl("delete", "namespace", name, "--wait=false")
    kubectl("wait", "--for=delete", f"namespace/{name}")
    assert refusal("get", "namespace", name) == (
        f'Error from server (NotFound): namespaces "{name}" not found\n'
    )
    assert refusal("delete", "namespace", "default").endswith(
        'Error from server (Forbidden): namespaces "default" is forbidden: this namespace may not be deleted\n'
    )

"""The real kubectl, with pods that are promises; for their output see tests/cluster/test_conformance_cli.py."""

import json
import re
import socket
import subprocess
import urllib.request
from http.client import HTTPConnection

import pytest
from tests.conformance import samples
from tests.conformance.conftest import Kubectl

IMAGE = samples.IMAGE


@pytest.fixture(params=["kubectl_command", "own_kubectl_command"], ids=["upstream", "own"])
def either_kubectl(request, namespace):
    """The real kubectl, and then the product's own."""
    return Kubectl(request.getfixturevalue(request.param), namespace)


def manifest(obj):
    return json.dumps(obj)


def primary():
    """What upstream's guestbook starts as: a controller of one pod that listens."""
    labels = {"app": "agnhost", "role": "primary"}
    container = {
        "name": "agnhost-primary",
        "image": IMAGE,
        "ports": [{"name": "server", "containerPort": 6379}],
    }
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    return {
        "apiVersion": "v1",
        "kind": "ReplicationController",
        "metadata": {"name": "agnhost-primary", "labels": labels},
        "spec": {"replicas": 1, "selector": labels, "template": template},
    }


def wait_pods(api, core, count, **selectors):
    """So many pods, all of them running and none on its way out."""

    def done(pods):
        return len(pods) == count and all(
            samples.running(pod) and "deletionTimestamp" not in pod["metadata"] for pod in pods
        )

    return api.wait(f"{core}/pods", done, **selectors)


@pytest.mark.conformance("Kubectl, check version v1")
def test_v1_is_an_api_version(either_kubectl):
    assert "v1" in either_kubectl("api-versions").split()


@pytest.mark.conformance("Kubectl, cluster info")
def test_cluster_info_says_where_the_control_plane_runs(either_kubectl, control_plane):
    plain = re.sub(r"\x1b\[[0-9;]*m", "", either_kubectl("cluster-info"))
    assert f"Kubernetes control plane is running at {control_plane.url}" in plain


@pytest.mark.conformance("Kubectl, version")
def test_version_prints_all_of_it(kubectl):
    versions = json.loads(kubectl("version", "-o", "json"))
    fields = {"major", "minor", "gitVersion", "gitCommit", "gitTreeState", "buildDate", "goVersion"}
    for side in ("clientVersion", "serverVersion"):
        assert fields <= versions[side].keys()
    text = kubectl("version")
    assert "Client Version: v" in text
    assert f"Server Version: {versions['serverVersion']['gitVersion']}" in text


def check_lines(text, required):
    """As the suite checks: each entry's words are on one line, and the lines come in this order."""
    lines = text.splitlines()
    for first, *others in required:
        while lines and first not in lines[0]:
            lines.pop(0)
        assert lines, (first, text)
        assert all(word in lines[0] for word in others), (others, lines[0])


LABELLED = [("Labels:", "app=agnhost"), ("role=primary",), ("Annotations:",)]
IN_POD = [
    ("Node:",),
    *LABELLED,
    ("Status:", "Running"),
    ("IP:",),
    ("Controlled By:", "ReplicationController/agnhost-primary"),
    ("Image:", IMAGE),
    ("State:", "Running"),
    ("QoS Class:", "BestEffort"),
]
IN_CONTROLLER = [
    ("Selector:", "app=agnhost,role=primary"),
    *LABELLED,
    ("Replicas:", "1 current", "1 desired"),
    ("Pods Status:", "1 Running", "0 Waiting", "0 Succeeded", "0 Failed"),
    ("Pod Template:",),
    ("Image:", IMAGE),
    ("Events:",),
]
IN_SERVICE = [
    *LABELLED,
    ("Selector:", "app=agnhost", "role=primary"),
    ("Type:", "ClusterIP"),
    ("IP:",),
    ("Port:", "<unset>", "6379/TCP"),
    ("Endpoints:",),
    ("Session Affinity:", "None"),
]
IN_NODE = [
    ("Labels:",),
    ("Annotations:",),
    ("CreationTimestamp:",),
    ("Conditions:",),
    ("Type", "Status", "LastHeartbeatTime", "LastTransitionTime", "Reason", "Message"),
    ("Addresses:",),
    ("Capacity:",),
    ("Version:",),
    ("Kernel Version:",),
    ("OS Image:",),
    ("Container Runtime Version:",),
    ("Kubelet Version:",),
    ("Kube-Proxy Version:",),
    ("Pods:",),
]


@pytest.mark.conformance("Kubectl, describe pod or rc")
def test_describe_tells_what_matters(api, core, either_kubectl, namespace):
    kubectl = either_kubectl
    labels = {"app": "agnhost", "role": "primary"}
    kubectl("create", "-f", "-", text=manifest(primary()))
    ports = [{"port": 6379, "targetPort": "server"}]
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        **samples.service("agnhost-primary", ports=ports, selector=labels),
    }
    service["metadata"]["labels"] = labels
    kubectl("create", "-f", "-", text=manifest(service))
    (pod,) = wait_pods(api, core, 1)
    name = pod["metadata"]["name"]
    text = kubectl("describe", "pod", name)
    check_lines(text, [("Name:", name), ("Namespace:", namespace), *IN_POD])
    api.wait_object(
        f"{core}/replicationcontrollers/agnhost-primary", lambda obj: obj["status"].get("readyReplicas")
    )
    text = kubectl("describe", "rc", "agnhost-primary")
    check_lines(text, [("Name:", "agnhost-primary"), ("Namespace:", namespace), *IN_CONTROLLER])
    assert "Created pod: agnhost-primary-" in text
    text = kubectl("describe", "service", "agnhost-primary")
    check_lines(text, [("Name:", "agnhost-primary"), ("Namespace:", namespace), *IN_SERVICE])
    text = kubectl("describe", "node", pod["spec"]["nodeName"])
    check_lines(text, [("Name:", pod["spec"]["nodeName"]), *IN_NODE])
    text = kubectl("describe", "namespace", namespace)
    check_lines(text, [("Name:", namespace), ("Labels:",), ("Annotations:",), ("Status:", "Active")])
    assert "No resource quota" in text
    assert "No LimitRange" in text


@pytest.mark.conformance("Kubectl, diff Deployment")
def test_diff_finds_another_image(either_kubectl):
    live = samples.deployment("web", 1)
    either_kubectl("create", "-f", "-", text=manifest(live))
    live["spec"]["template"]["spec"]["containers"][0]["image"] = "busybox"
    done = either_kubectl("diff", "-f", "-", text=manifest(live), check=False)
    assert done.returncode == 1
    assert re.search(rf"^-.*image: {re.escape(IMAGE)}$", done.stdout, re.MULTILINE)
    assert re.search(r"^\+.*image: busybox$", done.stdout, re.MULTILINE)


@pytest.mark.conformance("Kubectl, create service, replication controller")
def test_expose_makes_services_of_controllers_and_services(api, core, either_kubectl):
    either_kubectl("create", "-f", "-", text=manifest(primary()))
    (pod,) = wait_pods(api, core, 1)
    for name, source, port in (
        ("rm2", ("rc", "agnhost-primary"), 1234),
        ("rm3", ("service", "rm2"), 2345),
    ):
        either_kubectl("expose", *source, f"--name={name}", f"--port={port}", "--target-port=6379")
        (exposed,) = api.get(f"{core}/services/{name}")["spec"]["ports"]
        assert (exposed["port"], exposed["targetPort"]) == (port, 6379)
        endpoints = api.wait_object(f"{core}/endpoints/{name}", lambda obj: obj.get("subsets"))
        (subset,) = endpoints["subsets"]
        assert [one["port"] for one in subset["ports"]] == [6379]
        assert [one["ip"] for one in subset["addresses"]] == [pod["status"]["podIP"]]


@pytest.mark.conformance("Kubectl, label update")
def test_a_label_comes_and_goes(api, core, either_kubectl):
    either_kubectl("run", "pause", f"--image={IMAGE}", "--labels=name=pause")
    wait_pods(api, core, 1)
    either_kubectl("label", "pods", "pause", "testing-label=testing-label-value")
    assert "testing-label-value" in either_kubectl("get", "pod", "pause", "-L", "testing-label")
    assert either_kubectl("get", "pods", "-l", "testing-label", "-o", "name") == "pod/pause\n"
    either_kubectl("label", "pods", "pause", "testing-label-")
    assert "testing-label-value" not in either_kubectl("get", "pod", "pause", "-L", "testing-label")
    assert either_kubectl("get", "pods", "-l", "testing-label", "-o", "name") == ""


@pytest.mark.conformance("Kubectl, patch to annotate")
def test_pods_of_a_controller_are_annotated(api, core, either_kubectl):
    either_kubectl("create", "-f", "-", text=manifest(primary()))
    for pod in wait_pods(api, core, 1):
        either_kubectl(
            "patch", "pod", pod["metadata"]["name"], "-p", '{"metadata":{"annotations":{"x":"y"}}}'
        )
    assert [pod["metadata"]["annotations"]["x"] for pod in api.items(f"{core}/pods")] == ["y"]


@pytest.mark.conformance("Kubectl, replace")
def test_replace_changes_the_image_of_a_pod(api, core, either_kubectl):
    either_kubectl("run", "e2e-test-httpd-pod", f"--image={IMAGE}", "--labels=run=e2e-test-httpd-pod")
    wait_pods(api, core, 1)
    pod = json.loads(either_kubectl("get", "pod", "e2e-test-httpd-pod", "-o", "json"))
    pod["spec"]["containers"][0]["image"] = "busybox:1.29"
    either_kubectl("replace", "-f", "-", text=manifest(pod))
    assert api.get(f"{core}/pods/e2e-test-httpd-pod")["spec"]["containers"][0]["image"] == "busybox:1.29"
    uid = pod["metadata"]["uid"]
    again = {
        "apiVersion": "v1",
        "kind": "Pod",
        **samples.pod("e2e-test-httpd-pod"),
    }
    either_kubectl("replace", "--force", "-f", "-", text=manifest(again))
    assert api.get(f"{core}/pods/e2e-test-httpd-pod")["metadata"]["uid"] != uid


@pytest.mark.conformance("Kubectl, run pod")
def test_run_makes_a_pod_that_is_not_restarted(api, core, either_kubectl):
    either_kubectl("run", "e2e-test-httpd-pod", "--restart=Never", f"--image={IMAGE}")
    pod = api.get(f"{core}/pods/e2e-test-httpd-pod")
    assert [one["image"] for one in pod["spec"]["containers"]] == [IMAGE]
    assert pod["spec"]["restartPolicy"] == "Never"
    wait_pods(api, core, 1)


@pytest.mark.conformance("Kubectl, server-side dry-run Pod")
def test_a_dry_run_on_the_server_changes_nothing(api, core, either_kubectl):
    either_kubectl("run", "e2e-test-httpd-pod", f"--image={IMAGE}", "--labels=run=e2e-test-httpd-pod")
    patch = '{"spec":{"containers":[{"name":"e2e-test-httpd-pod","image":"busybox"}]}}'
    shown = either_kubectl(
        "patch", "pod", "e2e-test-httpd-pod", "-p", patch, "--dry-run=server", "-o", "json"
    )
    assert json.loads(shown)["spec"]["containers"][0]["image"] == "busybox"
    assert api.get(f"{core}/pods/e2e-test-httpd-pod")["spec"]["containers"][0]["image"] == IMAGE


STATE_TEMPLATE = (
    '{{if (exists . "status" "containerStatuses")}}{{range .status.containerStatuses}}'
    '{{if (and (eq .name "main") (exists . "state" "running"))}}true{{end}}{{end}}{{end}}'
)
IMAGE_TEMPLATE = (
    '{{if (exists . "spec" "containers")}}{{range .spec.containers}}'
    '{{if eq .name "main"}}{{.image}}{{end}}{{end}}{{end}}'
)
REMAINING_TEMPLATE = (
    "go-template={{ range .items }}{{ if not .metadata.deletionTimestamp }}"
    '{{ .metadata.name }}{{ "\\n" }}{{ end }}{{ end }}'
)


@pytest.mark.conformance("Kubectl, replication controller")
def test_a_controller_runs_as_many_pods_as_it_says(api, core, either_kubectl):
    """With the very templates by which the suite looks at the pods."""
    kubectl, controller = either_kubectl, samples.replication_controller("update-demo", 2)
    kubectl("create", "-f", "-", text=manifest(controller))
    wait_pods(api, core, 2)
    names = "--template={{range.items}}{{.metadata.name}} {{end}}"
    pods = kubectl("get", "pods", "-o", "template", names, "-l", "app=update-demo").split()
    assert len(pods) == 2
    for name in pods:
        shown = ("get", "pods", name, "-o", "template")
        assert kubectl(*shown, f"--template={STATE_TEMPLATE}") == "true"
        assert kubectl(*shown, f"--template={IMAGE_TEMPLATE}") == IMAGE
    kubectl("delete", "--grace-period=0", "--force", "-f", "-", text=manifest(controller))
    api.wait(f"{core}/pods", lambda pods: not pods)
    assert kubectl("get", "rc,svc", "-l", "app=update-demo", "--no-headers") == ""
    assert kubectl("get", "pods", "-l", "app=update-demo", "-o", REMAINING_TEMPLATE) == ""


@pytest.mark.conformance("Kubectl, scale replication controller")
def test_a_controller_is_scaled(api, core, either_kubectl):
    either_kubectl("create", "-f", "-", text=manifest(samples.replication_controller("update-demo", 2)))
    wait_pods(api, core, 2)
    for count in (1, 2):
        either_kubectl("scale", "rc", "update-demo", f"--replicas={count}", "--timeout=1m")
        wait_pods(api, core, count)


class UnixConnection(HTTPConnection):
    """HTTP through a socket in the file system."""

    def __init__(self, path):
        super().__init__("localhost")
        self._path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self._path)


@pytest.fixture(params=["kubectl_command", "own_kubectl_command"], ids=["upstream", "own"])
def proxy(request):
    """`kubectl proxy` with some flags; answers the line in which it says where it serves."""
    begun = []
    command = request.getfixturevalue(request.param)

    def start(*flags):
        process = subprocess.Popen([*command, "proxy", *flags], stdout=subprocess.PIPE, text=True)
        begun.append(process)
        return process.stdout.readline()

    yield start
    for process in begun:
        process.terminate()
        process.wait(10)
        process.stdout.close()


@pytest.mark.conformance("Kubectl, proxy port zero")
def test_proxy_finds_a_port(proxy):
    place = re.fullmatch(
        r"Starting to serve on (127\.0\.0\.1:\d+)\n", proxy("--port=0", "--disable-filter=true")
    )
    assert place
    with urllib.request.urlopen(f"http://{place[1]}/api/", timeout=10) as answer:
        assert json.load(answer)["versions"] == ["v1"]


@pytest.mark.conformance("Kubectl, proxy socket")
def test_proxy_serves_on_a_socket(proxy, tmp_path):
    path = str(tmp_path / "socket")
    assert proxy(f"--unix-socket={path}") == f"Starting to serve on {path}\n"
    connection = UnixConnection(path)
    connection.request("GET", "/api/")
    answer = connection.getresponse()
    assert json.load(answer)["versions"] == ["v1"]
    connection.close()


def test_the_parts_of_the_control_plane_are_healthy(either_kubectl):
    told = either_kubectl("get", "componentstatuses")
    lines = [line.split() for line in told.splitlines()]
    assert lines[0] == ["NAME", "STATUS", "MESSAGE", "ERROR"]
    assert lines[1:] == [[name, "Healthy", "ok"] for name in ("scheduler", "controller-manager", "etcd-0")]

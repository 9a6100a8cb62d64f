"""The minikube tutorial, command by command, with the oldest and the newest upstream kubectl.

The tests of this file are one walk: they run in order, on one cluster, in a namespace per kubectl release.
"""

import json
import os
import re
import subprocess

import pytest
from conftest import run

APP = "kubernetes-bootcamp"
IMAGE = "jocatalin/kubernetes-bootcamp"


class Walker:
    """One kubectl release in one namespace of the cluster."""

    def __init__(self, cluster, release, folder):
        self.cluster = cluster
        self.release = release
        self.namespace = os.path.basename(release).replace(".", "-")
        config = folder / "kubeconfig"
        config.write_text(open(cluster.kubeconfig).read())
        self.env = {**cluster.env, "KUBECONFIG": str(config), "HOME": str(folder)}

    def kubectl(self, *words, **options):
        return run(self.release, *words, env=self.env, **options).stdout

    def popen(self, *words):
        return subprocess.Popen(
            [self.release, *words], env=self.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def get(self, *words):
        return json.loads(self.kubectl("get", *words, "-o", "json"))

    def pods(self):
        return self.get("pods", "-l", f"app={APP}")["items"]

    def wait_for_replicas(self, count):
        self.kubectl(
            "wait", f"deployment/{APP}", f"--for=jsonpath={{.status.availableReplicas}}={count}", "--timeout=60s"
        )

    def node_port(self):
        template = "go-template={{(index .spec.ports 0).nodePort}}"
        return self.kubectl("get", f"services/{APP}", "-o", template)

    def curl(self):
        words = ("curl", "-sS", "--max-time", "5", f"{self.cluster.ip}:{self.node_port()}")
        return run(*words).stdout


@pytest.fixture(scope="module")
def walker(cluster, release, tmp_path_factory):
    walker = Walker(cluster, release, tmp_path_factory.mktemp("walk"))
    walker.kubectl("create", "namespace", walker.namespace)
    walker.kubectl("config", "set-context", "--current", f"--namespace={walker.namespace}")
    yield walker
    walker.kubectl("delete", "namespace", walker.namespace, "--timeout=90s")


def columns(text):
    """The header's words, and a list of words for each row (cells of these tables have two blanks between)."""
    header, *rows = [re.split(r"\s{2,}", line.strip()) for line in text.strip().splitlines()]
    return header, rows


def test_01_a_deployment_becomes_available(walker):
    # The tutorial's image comes from the registry, not from what the node was born with.
    for version in ("v1", "v2"):
        walker.cluster.mamekube("image", "rm", f"docker.io/{IMAGE}:{version}", check=False)
    created = walker.kubectl("create", "deployment", APP, f"--image={IMAGE}:v1", "--port=8080")
    assert created == f"deployment.apps/{APP} created\n"
    walker.kubectl("rollout", "status", f"deployment/{APP}", "--timeout=60s")
    header, rows = columns(walker.kubectl("get", "deployments"))
    assert header == ["NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE"]
    assert rows[0][:4] == [APP, "1/1", "1", "1"] and re.fullmatch(r"\d+s", rows[0][4])
    header, rows = columns(walker.kubectl("get", "deployments", "-o", "wide"))
    assert header[5:] == ["CONTAINERS", "IMAGES", "SELECTOR"]
    assert rows[0][5:] == [APP, f"{IMAGE}:v1", f"app={APP}"]


def test_02_scaling_up_gives_every_pod_an_address(walker):
    scaled = walker.kubectl("scale", f"deployments/{APP}", "--replicas=4")
    assert scaled == f"deployment.apps/{APP} scaled\n"
    assert walker.get(f"deployment/{APP}")["spec"]["replicas"] == 4
    walker.wait_for_replicas(4)
    header, rows = columns(walker.kubectl("get", "pods", "-o", "wide"))
    assert header == [
        "NAME", "READY", "STATUS", "RESTARTS", "AGE", "IP", "NODE", "NOMINATED NODE", "READINESS GATES"
    ]  # fmt: skip
    assert len(rows) == 4
    assert all(row[1:4] == ["1/1", "Running", "0"] for row in rows)
    assert len({row[5] for row in rows}) == 4
    assert {row[6] for row in rows} == {walker.cluster.profile}


def test_03_a_killed_container_comes_back(walker):
    pod = walker.pods()[0]
    name = pod["metadata"]["name"]
    container = pod["status"]["containerStatuses"][0]["containerID"].removeprefix("containerd://")
    walker.cluster.mamekube("ssh", "--", "ctr", "-n", "k8s.io", "tasks", "kill", "-s", "SIGKILL", container)
    restarted = "--for=jsonpath={.status.containerStatuses[0].restartCount}"
    walker.kubectl("wait", f"pod/{name}", f"{restarted}=1", "--timeout=60s")
    walker.kubectl("wait", f"pod/{name}", "--for=condition=Ready", "--timeout=60s")
    status = walker.get(f"pod/{name}")["status"]["containerStatuses"][0]
    assert status["lastState"]["terminated"]["exitCode"] == 137
    assert status["containerID"].removeprefix("containerd://") != container
    # A second way: the process itself. The back-off of 10 s lies between.
    identifier = status["containerID"].removeprefix("containerd://")
    script = (
        f"kill -9 $(ctr -n k8s.io tasks ls | awk '$1 == \"{identifier}\" {{print $2}}')"
    )
    walker.cluster.mamekube("ssh", "--", "sh", "-c", script)
    reason = "--for=jsonpath={.status.containerStatuses[0].state.waiting.reason}=CrashLoopBackOff"
    walker.kubectl("wait", f"pod/{name}", reason, "--timeout=30s")
    line = walker.kubectl("get", "pod", name, "--no-headers")
    assert "CrashLoopBackOff" in line and "1 (" in line
    walker.kubectl("wait", f"pod/{name}", f"{restarted}=2", "--timeout=60s")
    walker.kubectl("wait", f"pod/{name}", "--for=condition=Ready", "--timeout=60s")


def test_04_pods_stay_visible_while_they_terminate(walker):
    # A pod that ignores SIGTERM uses its grace period up; meanwhile it is shown as Terminating.
    manifest = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "stubborn"},
        "spec": {
            "terminationGracePeriodSeconds": 3,
            "containers": [
                {
                    "name": "main",
                    "image": f"{IMAGE}:v1",
                    "command": ["sh", "-c", "trap '' TERM; while true; do sleep 1; done"],
                }
            ],
        },
    }
    walker.kubectl("apply", "-f", "-", text_in=json.dumps(manifest))
    walker.kubectl("wait", "pod/stubborn", "--for=condition=Ready", "--timeout=60s")
    walker.kubectl("delete", "pod", "stubborn", "--wait=false")
    line = walker.kubectl("get", "pod", "stubborn", "--no-headers")
    assert "Terminating" in line and "1/1" in line
    walker.kubectl("wait", "pod/stubborn", "--for=delete", "--timeout=30s")
    walker.kubectl("scale", f"deployments/{APP}", "--replicas=1")
    walker.kubectl("wait", f"deployment/{APP}", "--for=jsonpath={.status.replicas}=1", "--timeout=60s")


def test_05_a_service_reaches_every_pod(walker):
    walker.kubectl("scale", f"deployments/{APP}", "--replicas=4")
    walker.wait_for_replicas(4)
    exposed = walker.kubectl("expose", f"deployment/{APP}", "--type=NodePort", "--port", "8080")
    assert exposed == f"service/{APP} exposed\n"
    described = walker.kubectl("describe", f"services/{APP}")
    for label in ("Type:", "IP:", "Port:", "TargetPort:", "NodePort:", "Endpoints:", "Session Affinity:"):
        assert label in described
    names = {pod["metadata"]["name"] for pod in walker.pods()}
    wait_for_endpoints(walker, 4)
    answers = [walker.curl() for _ in range(40)]
    assert {re.search(r"Running on: (\S+)", answer)[1] for answer in answers} == names
    assert all(
        re.fullmatch(r"Hello Kubernetes bootcamp! \| Running on: \S+ \| v=1\n", answer) for answer in answers
    )
    address = walker.get(f"service/{APP}")["spec"]["clusterIP"]
    inside = walker.cluster.mamekube("ssh", "--", "curl", "-sS", "--max-time", "5", f"{address}:8080").stdout
    assert "v=1" in inside


def wait_for_endpoints(walker, count):
    """Follow the service's slices until they hold `count` ready endpoints."""
    label = f"kubernetes.io/service-name={APP}"
    with walker.popen("get", "endpointslices", "-l", label, "-w", "-o", "json", "--request-timeout=60s") as watch:
        decoder, text = json.JSONDecoder(), ""
        for line in watch.stdout:
            text += line
            try:
                found, _ = decoder.raw_decode(text)
            except ValueError:
                continue
            text = ""
            ready = [entry for entry in found.get("endpoints") or () if entry["conditions"].get("ready")]
            if len(ready) == count:
                watch.terminate()
                return
    raise AssertionError(f"never saw {count} ready endpoints")


def test_06_describe_tells_the_deployments_state(walker):
    described = walker.kubectl("describe", "deployments", APP)
    assert "4 desired | 4 updated | 4 total | 4 available | 0 unavailable" in described
    assert re.search(r"StrategyType:\s+RollingUpdate", described)
    assert re.search(r"RollingUpdateStrategy:\s+25% max unavailable, 25% max surge", described)
    assert re.search(r"Available\s+True\s+MinimumReplicasAvailable", described)
    assert re.search(r"Progressing\s+True\s+NewReplicaSetAvailable", described)
    assert re.search(rf"NewReplicaSet:\s+{APP}-\w+ \(4/4 replicas created\)", described)
    assert re.search(
        r"Normal\s+ScalingReplicaSet\s+\S+( \(x\d+ over \S+\))?\s+deployment-controller\s+Scaled up replica set",
        described,
    )


def test_07_a_rolling_update_keeps_its_bounds(walker):
    before = {pod["metadata"]["name"] for pod in walker.pods()}
    with walker.popen("get", "deployment", APP, "-w", "-o", "json", "--request-timeout=120s") as watch:
        updated = walker.kubectl("set", "image", f"deployments/{APP}", f"{APP}={IMAGE}:v2")
        assert updated == f"deployment.apps/{APP} image updated\n"
        walker.kubectl("rollout", "status", f"deployments/{APP}", "--timeout=90s")
        watch.terminate()
        history = read_stream(watch.stdout.read())
    assert history
    for state in history:
        status = state.get("status", {})
        assert status.get("availableReplicas", 0) >= 3, "25 % of four may be unavailable: one"
        assert status.get("replicas", 0) <= 5, "25 % of four may be on top: one"
    assert before.isdisjoint(
        pod["metadata"]["name"] for pod in walker.pods() if not pod["metadata"].get("deletionTimestamp")
    )
    wait_for_endpoints(walker, 4)
    assert "v=2" in walker.curl()
    rollouts = walker.kubectl("rollout", "history", f"deployments/{APP}")
    assert re.findall(r"^(\d+)", rollouts, re.MULTILINE) == ["1", "2"]
    assert "paused" in walker.kubectl("rollout", "pause", f"deployment/{APP}")
    assert "resumed" in walker.kubectl("rollout", "resume", f"deployment/{APP}")


def read_stream(text):
    """The JSON documents of a text that was cut off at its end."""
    decoder, found, position = json.JSONDecoder(), [], 0
    while position < len(text):
        try:
            document, position = decoder.raw_decode(text, position)
        except ValueError:
            break
        found.append(document)
        while position < len(text) and text[position].isspace():
            position += 1
    return found


def test_08_a_broken_image_stops_the_rollout(walker):
    good = {pod["metadata"]["name"]: pod for pod in walker.pods() if not pod["metadata"].get("deletionTimestamp")}
    walker.kubectl("set", "image", f"deployments/{APP}", f"{APP}={IMAGE}:v10")
    reason = "--for=jsonpath={.items[*].status.containerStatuses[0].state.waiting.reason}"
    hash_of_new = newest_hash(walker)
    broken = f"pod-template-hash={hash_of_new}"
    name = first_pod(walker, broken)
    waiting = "--for=jsonpath={.status.containerStatuses[0].state.waiting.reason}"
    assert reason
    walker.kubectl("wait", f"pod/{name}", f"{waiting}=ImagePullBackOff", "--timeout=60s")
    status = walker.get(f"deployment/{APP}")["status"]
    assert status["availableReplicas"] == 3 and status["replicas"] == 5
    assert all("v=2" in walker.curl() for _ in range(5))
    described = walker.kubectl("describe", "pod", name)
    image = f"{IMAGE}:v10"
    assert re.search(rf"Normal\s+Scheduled\s+\S+\s+default-scheduler\s+Successfully assigned \S+/{name}", described)
    assert re.search(rf'Normal\s+Pulling\s+.+kubelet\s+Pulling image "{image}"', described)
    assert re.search(rf'Warning\s+Failed\s+.+kubelet\s+Failed to pull image "{image}": .*not found', described)
    assert re.search(r"Warning\s+Failed\s+.+kubelet\s+Error: ErrImagePull", described)
    assert re.search(rf'Normal\s+BackOff\s+.+kubelet\s+Back-off pulling image "{image}"', described)
    assert set(good) - {pod["metadata"]["name"] for pod in walker.pods()} or len(good) == 4


def newest_hash(walker):
    """The template hash of the revision that the deployment rolls out."""
    deployment = walker.get(f"deployment/{APP}")
    revision = str(int(deployment["metadata"]["annotations"]["deployment.kubernetes.io/revision"]) + 0)
    for _ in range(100):
        for replica_set in walker.get("replicasets", "-l", f"app={APP}")["items"]:
            container = replica_set["spec"]["template"]["spec"]["containers"][0]
            if container["image"].endswith(":v10"):
                return replica_set["metadata"]["labels"]["pod-template-hash"]
    raise AssertionError(f"no replica set of v10 after revision {revision}")


def first_pod(walker, selector):
    for _ in range(100):
        found = walker.get("pods", "-l", selector)["items"]
        if found:
            return found[0]["metadata"]["name"]
    raise AssertionError(f"no pod with {selector}")


def test_09_undo_goes_back_without_touching_the_survivors(walker):
    survivors = {
        pod["metadata"]["uid"]
        for pod in walker.pods()
        if pod["spec"]["containers"][0]["image"].endswith(":v2") and not pod["metadata"].get("deletionTimestamp")
    }
    assert len(survivors) == 3
    undone = walker.kubectl("rollout", "undo", f"deployments/{APP}")
    assert undone == f"deployment.apps/{APP} rolled back\n"
    walker.kubectl("rollout", "status", f"deployments/{APP}", "--timeout=60s")
    after = {
        pod["metadata"]["uid"]: pod for pod in walker.pods() if not pod["metadata"].get("deletionTimestamp")
    }
    assert survivors < set(after) and len(after) == 4
    assert all(
        status["restartCount"] == 0 for pod in after.values() for status in pod["status"]["containerStatuses"]
    )
    assert "v=2" in walker.curl()

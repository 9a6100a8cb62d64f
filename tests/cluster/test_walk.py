"""The minikube tutorial, command by command, with the oldest and the newest upstream kubectl.

The tests of this file are one walk: they run in order, on one cluster, in a namespace per kubectl release.
"""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from tests.cluster.conftest import MAMEKUBE, OWN, run

APP = "kubernetes-bootcamp"
IMAGE = "jocatalin/kubernetes-bootcamp"


class Following(subprocess.Popen):
    """A command that goes on until its block ends, however it ends."""

    def __exit__(self, *error):
        self.terminate()
        super().__exit__(*error)


class Walker:
    """One kubectl in a namespace of its own."""

    def __init__(self, cluster, release, folder):
        self.cluster = cluster
        self.namespace = os.path.basename(release).replace(".", "-").replace(" ", "-")
        config = folder / "kubeconfig"
        config.write_text(Path(cluster.kubeconfig).read_text())
        self.env = {**cluster.env, "KUBECONFIG": str(config), "HOME": str(folder)}
        self.command = (release,) if release != OWN else (MAMEKUBE, "-p", cluster.profile, "kubectl")
        self.kubectl("create", "namespace", self.namespace)
        self.command = (*self.command, "-n", self.namespace)

    def kubectl(self, *words, **options):
        return self.run(*words, **options).stdout

    def run(self, *words, **options):
        return run(*self.command, *words, **{"env": self.env, **options})

    def popen(self, *words):
        return Following(
            [*self.command, *words], env=self.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def get(self, *words):
        return json.loads(self.kubectl("get", *words, "-o", "json"))

    def pods(self):
        return self.get("pods", "-l", f"app={APP}")["items"]

    def wait_for_replicas(self, count):
        self.kubectl(
            "wait",
            f"deployment/{APP}",
            f"--for=jsonpath={{.status.availableReplicas}}={count}",
            "--timeout=60s",
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
    script = f"kill -9 $(ctr -n k8s.io tasks ls | awk '$1 == \"{identifier}\" {{print $2}}')"
    walker.cluster.mamekube("ssh", "--", script)
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
    with walker.popen(
        "get", "endpointslices", "-l", label, "-w", "-o", "json", "--request-timeout=60s"
    ) as watch:
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
    walker.kubectl("set", "image", f"deployments/{APP}", f"{APP}={IMAGE}:v10")
    name = first_pod_of(walker, f"{IMAGE}:v10")
    reason = "--for=jsonpath={.status.containerStatuses[0].state.waiting.reason}=ImagePullBackOff"
    walker.kubectl("wait", f"pod/{name}", reason, "--timeout=60s")
    status = walker.get(f"deployment/{APP}")["status"]
    assert status["availableReplicas"] == 3 and status["replicas"] == 5
    assert all("v=2" in walker.curl() for _ in range(5))
    described = walker.kubectl("describe", "pod", name)
    image = f"{IMAGE}:v10"
    for kind, event, source, message in [
        ("Normal", "Scheduled", "default-scheduler", rf"Successfully assigned \S+/{name} to \S+"),
        ("Normal", "Pulling", "kubelet", rf'Pulling image "{image}"'),
        ("Warning", "Failed", "kubelet", rf'Failed to pull image "{image}": .*not found'),
        ("Warning", "Failed", "kubelet", "Error: ErrImagePull"),
        ("Normal", "BackOff", "kubelet", rf'Back-off pulling image "{image}"'),
    ]:
        assert re.search(rf"{kind}\s+{event}\s+\d+s.*\s{source}\s+{message}", described), described


def first_pod_of(walker, image):
    """The name of the first pod that runs `image`, followed from before there was one."""
    columns = "custom-columns=NAME:.metadata.name,IMAGE:.spec.containers[0].image"
    with walker.popen("get", "pods", "-w", "-o", columns, "--no-headers", "--request-timeout=60s") as watch:
        for line in watch.stdout:
            if line.split()[-1] == image:
                watch.terminate()
                return line.split()[0]
    raise AssertionError(f"no pod ever ran {image}")


def test_09_undo_goes_back_without_touching_the_survivors(walker):
    survivors = {
        pod["metadata"]["uid"]
        for pod in walker.pods()
        if pod["spec"]["containers"][0]["image"].endswith(":v2")
        and not pod["metadata"].get("deletionTimestamp")
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


# And what every reader does in between ------------------------------------------------------------------


@pytest.fixture(scope="module")
def pod(walker):
    """A pod that talks: one line a start, and a shell inside."""
    script = "echo started; echo ready; trap 'exit 0' TERM; while true; do sleep 1; done"
    manifest = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "talker", "labels": {"app": "talker"}},
        "spec": {
            "containers": [
                {
                    "name": "main",
                    "image": f"{IMAGE}:v1",
                    "command": ["sh", "-c", script],
                    "stdin": True,
                    "ports": [{"containerPort": 8080}],
                }
            ]
        },
    }
    walker.kubectl("apply", "-f", "-", text_in=json.dumps(manifest))
    walker.kubectl("wait", "pod/talker", "--for=condition=Ready", "--timeout=60s")
    return "talker"


def test_10_logs(walker, pod):
    # What a container writes to its two streams reaches the log in either order: one line at a time.
    with walker.popen("logs", "-f", pod) as following:
        assert following.stdout.readline() == "started\n"
        assert following.stdout.readline() == "ready\n"
        walker.kubectl("exec", pod, "--", "sh", "-c", "echo to-stderr > /proc/1/fd/2")
        assert following.stdout.readline() == "to-stderr\n"
        walker.kubectl("exec", pod, "--", "sh", "-c", "echo later > /proc/1/fd/1")
        assert following.stdout.readline() == "later\n"
        following.terminate()
    assert walker.kubectl("logs", pod) == "started\nready\nto-stderr\nlater\n"
    assert walker.kubectl("logs", pod, "--tail=1") == "later\n"
    stamped = walker.kubectl("logs", pod, "--timestamps")
    assert re.match(r"\d{4}-\d\d-\d\dT\S+Z started\n", stamped)
    walker.kubectl("exec", pod, "--", "sh", "-c", "kill -9 -1", check=False)


def test_10_exec(walker, pod):
    assert walker.kubectl("exec", pod, "--", "echo", "a b") == "a b\n"
    failed = walker.run("exec", pod, "--", "sh", "-c", "echo oops >&2; exit 3", check=False)
    assert failed.returncode == 3 and "oops" in failed.stderr
    assert walker.kubectl("exec", "-i", pod, "--", "cat", text_in="through\n") == "through\n"


def test_10_exec_with_a_terminal(walker, pod):
    typed = "echo $((6*7)); tty; exit 5\n"
    # `script` gives kubectl a terminal; what is typed there reaches the shell in the container.
    command = f"{' '.join(walker.command)} exec -it {pod} -- sh"
    done = run("script", "-qec", command, "/dev/null", env=walker.env, check=False, text_in=typed)
    assert "42" in done.stdout and "/dev/pts/0" in done.stdout
    assert done.returncode == 5


@pytest.mark.upstream_only
def test_10_attach_and_copy(walker, pod, tmp_path):
    source = tmp_path / "file.txt"
    source.write_text("copied\n" * 1000)
    walker.kubectl("cp", str(source), f"{pod}:/tmp/there.txt")
    walker.kubectl("cp", f"{pod}:/tmp/there.txt", str(tmp_path / "back.txt"))
    assert (tmp_path / "back.txt").read_text() == source.read_text()
    with walker.popen("attach", pod) as attached:
        # Nothing tells when the stream is open: say it again until it was heard.
        for _ in range(10):
            walker.kubectl("exec", pod, "--", "sh", "-c", "echo attached > /proc/1/fd/1")
        heard = attached.stdout.readline()
        if "command prompt" in heard:
            heard = attached.stdout.readline()
        assert heard == "attached\n"


@pytest.fixture
def another_cluster(walker):
    """The link and the route of a cluster whose pods have the same addresses, and which the host prefers."""
    link = "mamedecoy"
    network = walker.get("node", walker.cluster.profile)["spec"]["podCIDR"]
    run("ip", "link", "add", link, "type", "bridge")
    try:
        run("ip", "address", "add", "198.51.100.1/24", "dev", link)
        run("ip", "link", "set", link, "up")
        run("ip", "route", "add", network, "via", "198.51.100.2", "dev", link, "metric", "1")
        yield
    finally:
        run("ip", "link", "delete", link)


@pytest.mark.usefixtures("another_cluster")
@pytest.mark.upstream_only
def test_10_port_forward_and_proxy(walker):
    with walker.popen("port-forward", f"deployment/{APP}", ":8080") as forward:
        port = re.search(r"127\.0\.0\.1:(\d+) -> 8080", forward.stdout.readline())[1]
        for _ in range(3):
            assert "v=2" in run("curl", "-sS", "--max-time", "5", f"127.0.0.1:{port}").stdout
        forward.terminate()
    with walker.popen("proxy", "--port=0") as proxy:
        port = re.search(r":(\d+)", proxy.stdout.readline())[1]
        path = f"api/v1/namespaces/{walker.namespace}/services/{APP}/proxy/"
        assert "v=2" in run("curl", "-sS", "--max-time", "5", f"127.0.0.1:{port}/{path}").stdout
        proxy.terminate()


def test_10_labels_and_selectors(walker, pod):
    assert walker.kubectl("label", "pod", pod, "tier=one") == f"pod/{pod} labeled\n"
    assert walker.kubectl("get", "pods", "-l", "tier in (one,two)", "-o", "name") == f"pod/{pod}\n"
    assert walker.kubectl("get", "pods", "-L", "tier").splitlines()[0].split()[-1] == "TIER"
    assert "deleted" in walker.kubectl("delete", "pods", "-l", "tier=one", "--grace-period=1")


def test_10_apply(walker):
    manifest = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "settings"},
        "data": {"a": "1", "b": "2"},
    }
    apply = ("apply", "-f", "-")
    assert walker.kubectl(*apply, text_in=json.dumps(manifest)) == "configmap/settings created\n"
    assert walker.kubectl(*apply, text_in=json.dumps(manifest)) == "configmap/settings unchanged\n"
    manifest["data"] = {"a": "1", "c": "3"}
    assert walker.kubectl(*apply, text_in=json.dumps(manifest)) == "configmap/settings configured\n"
    assert walker.get("configmap/settings")["data"] == {"a": "1", "c": "3"}
    server_side = walker.kubectl(
        "apply", "--server-side", "--force-conflicts", "-f", "-", text_in=json.dumps(manifest)
    )
    assert server_side == "configmap/settings serverside-applied\n"


@pytest.mark.upstream_only
def test_10_edit(walker, tmp_path):
    walker.kubectl("create", "configmap", "edited", "--from-literal=c=3")
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\nsed -i \'s/c: "3"/c: "4"/\' "$1"\n')
    editor.chmod(0o755)
    env = {**walker.env, "KUBE_EDITOR": str(editor)}
    assert "edited" in walker.kubectl("edit", "configmap", "edited", env=env)
    assert walker.get("configmap/edited")["data"]["c"] == "4"


def test_10_bad_input_is_refused_with_its_field(walker):
    bad = walker.run("scale", f"deployment/{APP}", "--replicas=-1", check=False)
    assert bad.returncode and "must be greater than or equal to 0" in bad.stderr
    typo = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "dta": {}}
    strict = walker.run("apply", "-f", "-", check=False, text_in=json.dumps(typo))
    assert strict.returncode and 'unknown field "dta"' in strict.stderr
    assert "not found" in walker.run("get", "configmap", "x", check=False).stderr


def test_10_discovery(walker):
    resources = walker.kubectl("api-resources")
    assert re.search(r"deployments\s+deploy\s+apps/v1\s+true\s+Deployment", resources)
    assert "is running at" in walker.kubectl("cluster-info")
    assert "v1.36" in walker.kubectl("version", check=True)
    header, rows = columns(walker.kubectl("get", "events"))
    assert header == ["LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"] and rows


@pytest.mark.upstream_only
def test_10_explain_and_top(walker):
    explained = walker.kubectl("explain", "deployment.spec.strategy")
    assert "rollingUpdate" in explained and "FIELD" in explained.upper()
    assert "Metrics API not available" in walker.run("top", "pods", check=False).stderr


def test_10_run_once(walker):
    # The command waits for what is typed: one that only prints may be done before anybody listens.
    words = ("run", "once", f"--image={IMAGE}:v1", "--restart=Never", "--rm", "-i", "--command", "--", "cat")
    ran = walker.kubectl(*words, text_in="once-only\n", timeout_s=90)
    assert "once-only" in ran

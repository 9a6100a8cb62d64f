"""The launcher against the kernel: clusters come up, survive what kills their parts, and go without a trace."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mamekube.cluster import profiles
from mamekube.cluster.failures import Failure

ROOT = Path(__file__).parents[2]
MAMEKUBE = str(ROOT / "mamekube")
PROFILE = "launcher-test"
WAIT_S = 30.0
PROGRAMS = [
    ("control-plane", "mamekube.cluster.server_process"),
    (f"{PROFILE}/system", "mamekube.cluster.node_process"),
    (f"{PROFILE}/system", "containerd --config"),
]
"""Each with the part of the cluster's cgroup that it is in."""


@pytest.fixture(scope="module", autouse=True)
def surroundings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home and a kubeconfig of the tests' own."""
    folder = tmp_path_factory.mktemp("launcher")
    environment = {"MAMEKUBE_HOME": str(folder / "home"), "KUBECONFIG": str(folder / "kubeconfig")}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        yield folder
        run("delete", "--all", code=None)
    assert not (folder / "home").exists()


@pytest.fixture
def cluster() -> Iterator[str]:
    run("start", "-p", PROFILE)
    yield PROFILE
    run("delete", "-p", PROFILE, code=None)


def run(*arguments: str, code: int | None = 0) -> str:
    done = subprocess.run([MAMEKUBE, *arguments], capture_output=True, text=True, timeout=120)
    assert code is None or done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def kubectl(*arguments: str) -> str:
    done = subprocess.run(
        ["kubectl", "--context", PROFILE, *arguments], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def output_of(*command: str) -> list[str]:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def bridge() -> str:
    """The name of the profile's bridge, as long as it has one."""
    try:
        return profiles.load(PROFILE).bridge
    except Failure:
        return "no bridge yet"


def traces(bridge: str) -> list[str]:
    """Everything on the host that a cluster with this bridge could leave behind."""
    mark = profiles.scope(PROFILE)
    return [
        *(name for name in os.listdir("/sys/class/net") if name.startswith(bridge)),
        *(line for line in output_of("ip", "route") if bridge in line),
        *(line for line in output_of("nft", "list", "tables") if mark in line),
        *(line for line in Path("/proc/self/mountinfo").read_text().splitlines() if PROFILE in line),
        *map(str, Path("/sys/fs/cgroup").glob(f"**/{mark}")),
        *(line for line in output_of("ps", "-eo", "args") if f"profiles/{PROFILE}" in line),
        *map(str, profiles.home().glob(f"profiles/{PROFILE}")),
    ]


def processes_of(part: str) -> dict[str, int]:
    """Commands and PIDs in a part of the cluster's cgroup."""
    for hierarchy in ("/sys/fs/cgroup/unified", "/sys/fs/cgroup", "/sys/fs/cgroup/systemd"):
        file = Path(hierarchy, profiles.cgroup_of(PROFILE), part, "cgroup.procs")
        if file.exists():
            pids = [int(word) for word in file.read_text().split()]
            return {Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " "): pid for pid in pids}
    return {}


def pid_of(part: str, words: str) -> int:
    """The PID of the one process whose command line begins with a program and has the words; 0 for none."""
    found = [pid for line, pid in processes_of(part).items() if words in line and "respawn.sh" not in line]
    return found[0] if len(found) == 1 else 0


def start_bootcamp() -> None:
    kubectl("create", "deployment", "app", "--image=jocatalin/kubernetes-bootcamp:v1", "--replicas=2")
    kubectl("rollout", "status", "deployment/app", "--timeout=30s")


def pods() -> list[dict]:
    found: list[dict] = json.loads(kubectl("get", "pods", "-o", "json"))["items"]
    return found


def restarts() -> list[int]:
    return [pod["status"]["containerStatuses"][0]["restartCount"] for pod in pods()]


def containers() -> set[str]:
    return {pod["status"]["containerStatuses"][0]["containerID"] for pod in pods()}


def test_a_started_cluster_says_so_and_kubectl_reaches_it(cluster: str) -> None:
    status = json.loads(run("status", "-p", cluster, "-o", "json"))
    assert status == {
        "Name": cluster,
        "Host": "Running",
        "Kubelet": "Running",
        "APIServer": "Running",
        "Kubeconfig": "Configured",
        "Worker": False,
    }
    node = json.loads(kubectl("get", "node", cluster, "-o", "json"))
    addresses = {item["type"]: item["address"] for item in node["status"]["addresses"]}
    assert addresses["InternalIP"] == run("ip", "-p", cluster).strip()


def test_a_second_start_changes_nothing(cluster: str) -> None:
    def programs() -> list[int]:
        return [pid_of(part, words) for part, words in PROGRAMS]

    before = programs()
    assert all(before)
    run("start", "-p", cluster)
    assert programs() == before


def test_stop_then_start_brings_back_objects_addresses_and_pods(cluster: str) -> None:
    start_bootcamp()
    names = {pod["metadata"]["name"] for pod in pods()}
    address = run("ip", "-p", cluster)
    run("stop", "-p", cluster)
    assert "host: Stopped" in run("status", "-p", cluster, code=3)
    run("start", "-p", cluster)
    assert run("ip", "-p", cluster) == address
    wait_until(lambda: restarts() == [1, 1])
    kubectl("rollout", "status", "deployment/app", "--timeout=30s")
    assert {pod["metadata"]["name"] for pod in pods()} == names


@pytest.mark.parametrize(("part", "program"), PROGRAMS)
def test_a_killed_program_comes_back_and_no_container_restarts(cluster: str, part: str, program: str) -> None:
    start_bootcamp()
    before = containers()
    killed = pid_of(part, program)
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: pid_of(part, program) not in (0, killed))
    wait_until(lambda: run("status", "-p", cluster, code=None).count("Running") == 3)
    kubectl("scale", "deployment/app", "--replicas=3")
    kubectl("rollout", "status", "deployment/app", "--timeout=30s")
    assert before < containers()
    assert restarts() == [0, 0, 0]


def test_what_was_acknowledged_before_a_kill_is_there_after_it(cluster: str) -> None:
    for number in range(20):
        kubectl("create", "configmap", f"c{number}")
    os.kill(pid_of("control-plane", "mamekube.cluster.server_process"), signal.SIGKILL)
    run("start", "-p", cluster)
    assert kubectl("get", "configmaps", "-o", "name").count("configmap/c") == 20


def test_delete_leaves_no_trace_even_of_running_pods(surroundings: Path) -> None:
    run("start", "-p", PROFILE)
    start_bootcamp()
    name = bridge()
    assert len(traces(name)) > 10
    run("delete", "-p", PROFILE)
    assert traces(name) == []
    assert PROFILE not in (surroundings / "kubeconfig").read_text()
    assert not (surroundings / "home").exists()


@pytest.mark.parametrize("delay_s", [0.1, 0.3, 0.6])
def test_delete_leaves_no_trace_of_a_start_that_was_killed(delay_s: float) -> None:
    with subprocess.Popen([MAMEKUBE, "start", "-p", PROFILE], stdout=subprocess.DEVNULL) as start:
        time.sleep(delay_s)  # somewhere in the middle: that is what is tested
        start.kill()
    name = bridge()
    run("delete", "-p", PROFILE)
    assert traces(name) == []


def test_a_start_that_was_killed_is_finished_by_the_next_one(cluster: str) -> None:
    run("delete", "-p", cluster)
    with subprocess.Popen([MAMEKUBE, "start", "-p", cluster], stdout=subprocess.DEVNULL) as start:
        time.sleep(0.3)
        start.kill()
    run("start", "-p", cluster)
    run("status", "-p", cluster)


def test_two_starts_at_once_make_one_cluster() -> None:
    both = [subprocess.Popen([MAMEKUBE, "start", "-p", PROFILE], stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [start.wait(timeout=60) for start in both] == [0, 0]
    assert len([line for line in processes_of("control-plane") if "respawn.sh" in line]) == 1
    run("delete", "-p", PROFILE)


def test_profiles_live_side_by_side(cluster: str) -> None:
    other = f"{cluster}-2"
    run("start", "-p", other, "--keep-context")
    assert run("ip", "-p", other) != run("ip", "-p", cluster)
    assert kubectl("config", "current-context").strip() == cluster
    assert {cluster, other} <= set(run("profile", "list").replace("|", " ").split())
    run("delete", "-p", other)
    run("status", "-p", cluster)


def test_nodes_are_added_and_deleted_while_the_cluster_runs(cluster: str) -> None:
    run("node", "add", "-p", cluster)
    added = f"{cluster}-m02"
    assert f"{added}\t" in run("node", "list", "-p", cluster)
    start_bootcamp()
    assert {pod["spec"]["nodeName"] for pod in pods()} == {cluster, added}
    address = next(pod["status"]["podIP"] for pod in pods() if pod["spec"]["nodeName"] == added)
    assert "v=1" in run("ssh", "-p", cluster, "--", "curl", "-sS", "-m5", f"{address}:8080")
    run("node", "delete", added, "-p", cluster)
    assert added not in kubectl("get", "nodes", "-o", "name")


def test_ssh_is_a_shell_of_the_node_with_its_tools(cluster: str) -> None:
    assert run("ssh", "-p", cluster, "--", "hostname").strip() == cluster
    assert "k8s.io" in run("ssh", "-p", cluster, "--", "ctr", "namespaces", "ls", "-q")
    assert run("ssh", "-p", cluster, "--", "exit 7", code=7) == ""


def test_images_are_built_on_a_nodes_image_and_run(cluster: str, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM jocatalin/kubernetes-bootcamp:v2\nENV VERSION=3\n")
    run("image", "build", "-p", cluster, "-t", "app:v3", str(tmp_path))
    assert "docker.io/library/app:v3" in run("image", "ls", "-p", cluster)
    kubectl("run", "app", "--image=app:v3")
    kubectl("wait", "--for=condition=Ready", "pod/app", "--timeout=30s")
    address = json.loads(kubectl("get", "pod", "app", "-o", "json"))["status"]["podIP"]
    assert "v=3" in run("ssh", "-p", cluster, "--", "curl", "-sS", "-m5", f"{address}:8080")
    run("image", "rm", "-p", cluster, "app:v3")
    assert "app:v3" not in run("image", "ls", "-p", cluster)

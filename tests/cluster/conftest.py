"""Real clusters for tests: started by the launcher, in a home of their own, gone when the tests are.

Everything a test uses is made here: a registry on an address that only this machine has, filled with the
tutorial's images, and one cluster that pulls through it.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from tests.conformance import results

ROOT = Path(__file__).parents[2]
MAMEKUBE = str(ROOT / "mamekube")
REGISTRY_ADDRESS = "198.51.100.77"
"""Of TEST-NET-2, put on the loopback link: nodes reach it over their default route, nobody else does."""
COMMAND_TIMEOUT_S = 180


def run(*words, env=None, check=True, timeout_s=COMMAND_TIMEOUT_S, text_in=None, cwd=None):
    """The finished process. With `check`, a failure shows what the command printed."""
    done = subprocess.run(
        words, capture_output=True, text=True, env=env, timeout=timeout_s, input=text_in, check=False, cwd=cwd
    )
    if check and done.returncode:
        raise AssertionError(f"{' '.join(words)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done


def kubectl_releases():
    """Every upstream kubectl on this machine, oldest first: the one on the PATH and those beside it."""
    found = shutil.which("kubectl")
    assert found, "no kubectl on the PATH: apt-get install kubernetes-client"
    beside = Path(os.path.realpath(found)).parent
    releases = {}
    for path in [Path(os.path.realpath(found)), *beside.glob("kubectl.1.*")]:
        version = json.loads(run(str(path), "version", "--client", "-o", "json").stdout)["clientVersion"]
        releases[int(version["major"]), int(version["minor"].rstrip("+"))] = str(path)
    return [releases[version] for version in sorted(releases)]


OWN = "mamekube kubectl"
"""Stands for the product's own kubectl among the releases."""


def pytest_configure(config):
    results.register(config)
    config.addinivalue_line(
        "markers", "upstream_only: a command that the product's own kubectl does not have"
    )


def pytest_generate_tests(metafunc):
    if "release" in metafunc.fixturenames:
        releases = kubectl_releases()
        chosen = list(dict.fromkeys([releases[0], releases[-1]]))
        if metafunc.definition.get_closest_marker("upstream_only") is None:
            chosen.append(OWN)
        metafunc.parametrize("release", chosen, ids=[Path(path).name for path in chosen], scope="module")


class Cluster:
    """A running profile, and the commands that speak to it."""

    def __init__(self, home, profile):
        self.profile = profile
        self.home = home
        self.kubeconfig = str(home / "kubeconfig")
        self.env = {
            **os.environ,
            "MAMEKUBE_HOME": str(home / "state"),
            "KUBECONFIG": self.kubeconfig,
            "HOME": str(home),
        }

    def mamekube(self, *words, **options):
        return run(MAMEKUBE, "-p", self.profile, *words, env=self.env, **options)

    def start(self, *flags):
        return self.mamekube("start", *flags)

    def delete(self):
        return self.mamekube("delete", check=False)

    @property
    def ip(self):
        return self.mamekube("ip").stdout.strip()


@pytest.fixture(scope="session")
def images(tmp_path_factory):
    """A folder of OCI archives of the tutorial's images, v1 and v2, written by the product."""
    folder = tmp_path_factory.mktemp("images")
    script = "import sys; from mamekube.cluster import images; images.write_tutorial_archives(sys.argv[1])"
    run(sys.executable, "-c", script, str(folder))
    return folder


@pytest.fixture(scope="session")
def registry(tmp_path_factory, images):
    """`HOST:PORT` of a real registry that holds kubernetes-bootcamp v1 and v2."""
    assert shutil.which("docker-registry"), "no registry: apt-get install docker-registry"
    folder = tmp_path_factory.mktemp("registry")
    subprocess.run(["ip", "addr", "add", f"{REGISTRY_ADDRESS}/32", "dev", "lo"], check=False)
    with socket.socket() as probe:
        probe.bind((REGISTRY_ADDRESS, 0))
        port = probe.getsockname()[1]
    address = f"{REGISTRY_ADDRESS}:{port}"
    config = folder / "config.yml"
    config.write_text(
        f"version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {folder}/data}}}}\n"
        f"http: {{addr: '{address}'}}\n"
    )
    log = (folder / "log").open("w")
    process = subprocess.Popen(["docker-registry", "serve", str(config)], stdout=log, stderr=log)
    try:
        wait_for_port(REGISTRY_ADDRESS, port)
        for archive in sorted(images.glob("*.tar")):
            target = f"docker://{address}/jocatalin/kubernetes-bootcamp:{archive.stem}"
            run(
                "skopeo",
                "copy",
                "--insecure-policy",
                "--dest-tls-verify=false",
                f"oci-archive:{archive}",
                target,
            )
        yield address
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)
        log.close()
        subprocess.run(["ip", "addr", "del", f"{REGISTRY_ADDRESS}/32", "dev", "lo"], check=False)


def wait_for_port(host, port, timeout_s=20):
    """A listening socket announces itself to nobody: ask until it answers."""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            socket.create_connection((host, port), timeout=1).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


@pytest.fixture
def make_cluster():
    """A factory of clusters that are deleted after the test, however it ends."""
    made = []

    def make(profile):
        home = Path(tempfile.mkdtemp(prefix="mamekube-test-"))
        cluster = Cluster(home, profile)
        made.append(cluster)
        return cluster

    yield make
    for cluster in made:
        cluster.delete()
        shutil.rmtree(cluster.home, ignore_errors=True)


@pytest.fixture(scope="session")
def cluster(registry):
    """One cluster for all tests that only use it; it pulls from docker.io through the registry."""
    home = Path(tempfile.mkdtemp(prefix="mamekube-test-"))
    cluster = Cluster(home, "walk")
    try:
        cluster.start("--registry-mirror", f"docker.io=http://{registry}")
        yield cluster
    finally:
        cluster.delete()
        shutil.rmtree(home, ignore_errors=True)

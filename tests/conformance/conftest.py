"""What conformance tests stand on: one cluster for all, and a namespace for each."""

import itertools
import shutil
import subprocess
import sys

import pytest
from tests.conformance import definitions, results
from tests.conformance.api import Api
from tests.conformance.control_plane import ControlPlane

from mamekube.apiserver import development

KUBECTL_TIMEOUT_S = 60


def pytest_configure(config):
    results.register(config)


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory):
    with ControlPlane(tmp_path_factory.mktemp("conformance")) as running:
        yield running


@pytest.fixture(scope="session")
def tls(control_plane):
    return control_plane.admin_tls()


@pytest.fixture(scope="session")
def api(control_plane, tls):
    api = Api(control_plane.url, tls)
    yield api
    api.close()


_numbers = itertools.count(1)


@pytest.fixture
def unique():
    """A word that no other test has, for the names of what is in no namespace."""
    return f"c{next(_numbers)}"


@pytest.fixture
def group(unique):
    """A group of the test's own."""
    return f"{unique}.example.com"


@pytest.fixture
def made(api):
    """Establishes definitions, and removes them when the test is over."""
    paths = []

    def make(crd):
        paths.append(definitions.establish(api, crd))
        return paths[-1]

    yield make
    for path in paths:
        api.send("DELETE", path)


@pytest.fixture
def namespace(api, unique):
    """A namespace of the test's own, with its service account; it goes when the test is over."""
    with api.own_namespace(unique) as name:
        yield name


@pytest.fixture
def core(namespace):
    """The path of the core group in the test's namespace."""
    return f"/api/v1/namespaces/{namespace}"


@pytest.fixture
def apps(namespace):
    return f"/apis/apps/v1/namespaces/{namespace}"


@pytest.fixture(scope="session")
def kubeconfig(control_plane):
    """A file that makes kubectl the administrator."""
    return development.write_kubeconfig(control_plane.certificates, server=control_plane.url)


@pytest.fixture(scope="session")
def kubectl_command(kubeconfig, control_plane):
    found = shutil.which("kubectl")
    assert found, "no kubectl on the PATH: apt-get install kubernetes-client"
    return [found, "--kubeconfig", str(kubeconfig), "--cache-dir", str(control_plane.folder / "cache")]


@pytest.fixture(scope="session")
def own_kubectl_command(kubeconfig):
    """The product's own kubectl."""
    main = "import sys; from mamekube.kubectl.main import main; sys.exit(main(sys.argv[1:]))"
    return [sys.executable, "-c", main, "--kubeconfig", str(kubeconfig)]


@pytest.fixture
def kubectl(kubectl_command, namespace):
    """The real kubectl in the test's namespace."""
    return Kubectl(kubectl_command, namespace)


class Kubectl:
    """A kubectl in a namespace; called, it answers its output, or without `check` the finished process."""

    def __init__(self, command, namespace):
        self.command = command
        self._namespace = namespace

    def __call__(self, *words, text=None, check=True):
        done = subprocess.run(
            [*self.command, "-n", self._namespace, *words],
            capture_output=True,
            text=True,
            input=text,
            timeout=KUBECTL_TIMEOUT_S,
            check=False,
        )
        if check:
            assert done.returncode == 0, f"kubectl {' '.join(words)}\n{done.stdout}{done.stderr}"
            return done.stdout
        return done

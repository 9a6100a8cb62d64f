"""What conformance tests stand on: one cluster for all, and a namespace for each."""

import base64
import itertools
import json
import shutil
import ssl
import subprocess
import sys

import pytest
from tests.conformance import results
from tests.conformance.api import Api
from tests.conformance.control_plane import ControlPlane

KUBECTL_TIMEOUT_S = 60


def pytest_configure(config):
    results.register(config)


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory):
    with ControlPlane(tmp_path_factory.mktemp("conformance")) as running:
        yield running


@pytest.fixture(scope="session")
def tls(control_plane):
    """The administrator's end of a connection."""
    context = ssl.create_default_context(cafile=control_plane.certificates / "ca.crt")
    context.load_cert_chain(
        control_plane.certificates / "admin.crt", control_plane.certificates / "admin.key"
    )
    return context


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
def namespace(api, unique):
    """A namespace of the test's own, with its service account; it goes when the test is over."""
    api.create("/api/v1/namespaces", {"metadata": {"name": unique}})
    api.wait_object(f"/api/v1/namespaces/{unique}/serviceaccounts/default", lambda account: True)
    yield unique
    answer = api.send("DELETE", f"/api/v1/namespaces/{unique}")
    assert answer.code in (200, 202, 404, 409), answer.body


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

    def data(name):
        return base64.b64encode((control_plane.certificates / name).read_bytes()).decode()

    cluster = {"server": control_plane.url, "certificate-authority-data": data("ca.crt")}
    user = {"client-certificate-data": data("admin.crt"), "client-key-data": data("admin.key")}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "c",
    }
    path = control_plane.folder / "kubeconfig"
    path.write_text(json.dumps(config))
    return path


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

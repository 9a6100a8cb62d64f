"""What the tests of other people's clients stand on: one cluster that serves HTTPS on loopback, a kubeconfig file
of its administrator, and a namespace for each test. Nothing here is known to a client but that file.
"""

import itertools
import json

import pytest
from tests.clients.manifests import GARDENS, GARDENS_PATH, gardens_definition, is_established
from tests.conformance.api import Api
from tests.conformance.control_plane import ControlPlane

from mamekube.apiserver import development


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory):
    with ControlPlane(tmp_path_factory.mktemp("clients")) as running:
        yield running


@pytest.fixture(scope="session")
def kubeconfig(control_plane):
    return str(development.write_kubeconfig(control_plane.certificates, server=control_plane.url))


@pytest.fixture(scope="session")
def api(control_plane):
    """Plain requests, for what a test needs beside the client that it is about."""
    api = Api(control_plane.url, control_plane.admin_tls())
    yield api
    api.close()


_numbers = itertools.count(1)


@pytest.fixture
def unique():
    """A word that no other test has."""
    return f"t{next(_numbers)}"


@pytest.fixture
def namespace(api, unique):
    """A namespace of the test's own, with its service account; it goes when the test is over."""
    with api.own_namespace(unique) as name:
        yield name


@pytest.fixture(scope="session")
def gardens(api):
    """The custom kind that `manifests` defines, served; answers the path of its objects in a namespace."""
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    api.create(path, gardens_definition())
    api.wait_object(f"{path}/{GARDENS}", is_established)
    return GARDENS_PATH.format


@pytest.fixture
def kubeconfig_with(control_plane, namespace, tmp_path):
    """Write a kubeconfig file of whoever holds a token, and answer its path."""

    def write(token):
        cluster = {
            "server": control_plane.url,
            "certificate-authority": str(control_plane.certificates / "ca.crt"),
        }
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "c", "cluster": cluster}],
            "users": [{"name": "u", "user": {"token": token}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u", "namespace": namespace}}],
            "current-context": "c",
        }
        path = tmp_path / "kubeconfig"
        path.write_text(json.dumps(config))
        return str(path)

    return write

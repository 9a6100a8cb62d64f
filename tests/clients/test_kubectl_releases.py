"""Every kubectl release on the machine says the same of the same server: what upstream's would make it say."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.clients.manifests import config_map, deployment

COMMAND_TIMEOUT_S = 60


def releases():
    """The kubectl on the PATH and those of other releases beside it, by their files' names."""
    found = shutil.which("kubectl")
    assert found, "no kubectl on the PATH: apt-get install kubernetes-client"
    on_path = Path(os.path.realpath(found))
    beside = sorted(on_path.parent.glob("kubectl.1.*"))
    return {path.name: path for path in beside or [on_path]}


def pytest_generate_tests(metafunc):
    if "release" in metafunc.fixturenames:
        found = releases()
        metafunc.parametrize("release", found.values(), ids=found, scope="session")


@pytest.fixture
def kubectl(release, kubeconfig, namespace, control_plane):
    """Run a line of words; answers what it printed."""

    def run(line, *, given=None, code=0):
        words = [release, f"--kubeconfig={kubeconfig}", f"--namespace={namespace}"]
        words.append(f"--cache-dir={control_plane.folder / 'kubectl-cache'}")
        done = subprocess.run(
            [*words, *line.split()],
            input=None if given is None else json.dumps(given),
            capture_output=True,
            text=True,
            timeout=COMMAND_TIMEOUT_S,
            check=False,
        )
        assert done.returncode == code, f"kubectl {line}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    return run


def rows(table):
    """The cells of a printed table."""
    return [re.split(r" {2,}", line.strip()) for line in table.splitlines()]


def test_a_deployment_is_created_seen_changed_and_deleted(kubectl, api, namespace):
    """The commands in the order in which the tutorial needs them."""
    assert kubectl("create deployment web --image=app:v1 --replicas=2") == "deployment.apps/web created\n"
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments/web"
    api.wait_object(path, lambda web: web.get("status", {}).get("availableReplicas") == 2)
    head, row = rows(kubectl("get deployments -o wide"))
    assert head == ["NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE", "CONTAINERS", "IMAGES", "SELECTOR"]
    assert [*row[:4], *row[5:]] == ["web", "2/2", "2", "2", "app", "app:v1", "app=web"]
    head, *pods = rows(kubectl("get pods -o wide"))
    assert head == [
        *("NAME", "READY", "STATUS", "RESTARTS", "AGE"),
        *("IP", "NODE", "NOMINATED NODE", "READINESS GATES"),
    ]
    assert [row[1:4] for row in pods] == [["1/1", "Running", "0"]] * 2
    described = kubectl("describe deployment web")
    for line in (
        r"Replicas: +2 desired \| 2 updated \| 2 total \| 2 available \| 0 unavailable",
        r"StrategyType: +RollingUpdate",
        r"RollingUpdateStrategy: +25% max unavailable, 25% max surge",
        r"  Available +True +MinimumReplicasAvailable",
        r"NewReplicaSet: +web-[0-9a-z]+ \(2/2 replicas created\)",
        r"  Normal  ScalingReplicaSet .* deployment-controller  Scaled up replica set web-[0-9a-z]+ from 0 to 2",
    ):
        assert re.search(f"^{line}", described, re.MULTILINE), f"{line}\n{described}"
    assert kubectl("label deployment web tier=front") == "deployment.apps/web labeled\n"
    assert kubectl("label deployment web tier=front") == "deployment.apps/web not labeled\n"
    assert kubectl("label deployment web tier=back", code=1) == (
        "error: 'tier' already has a value (front), and --overwrite is false\n"
    )
    assert kubectl("get deployments -l tier=front -o name") == "deployment.apps/web\n"
    assert kubectl("scale deployment web --replicas=1") == "deployment.apps/web scaled\n"
    # Releases from 1.34 on go on: from the namespace.
    assert kubectl("delete deployment web").startswith('deployment.apps "web" deleted')
    assert kubectl("get deployment web", code=1) == (
        'Error from server (NotFound): deployments.apps "web" not found\n'
    )


def test_both_kinds_of_apply_create_change_and_leave(kubectl, namespace):
    for option, verb in (("", ""), ("--server-side ", "serverside-applied")):
        name = "server" if option else "client"

        def apply(obj, option=option):
            return kubectl(f"apply {option}-f -", given=obj)

        assert apply(config_map(name, a="1")) == f"configmap/{name} {verb or 'created'}\n"
        assert apply(config_map(name, a="1")) == f"configmap/{name} {verb or 'unchanged'}\n"
        assert apply(config_map(name, b="2")) == f"configmap/{name} {verb or 'configured'}\n"
        assert kubectl(f"get configmap {name} -o jsonpath={{.data}}") == '{"b":"2"}'
    assert kubectl(
        "apply --server-side --field-manager=other -f -", given=config_map("server", b="3"), code=1
    ) == (
        'error: Apply failed with 1 conflict: conflict with "kubectl": .data.b\n'
        "Please review the fields above--they currently have other managers. Here\n"
        "are the ways you can resolve this warning:\n"
        "* If you intend to manage all of these fields, please re-run the apply\n"
        "  command with the `--force-conflicts` flag.\n"
        "* If you do not intend to manage all of the fields, please edit your\n"
        "  manifest to remove references to the fields that should keep their\n"
        "  current managers.\n"
        "* You may co-own fields by updating your manifest to match the existing\n"
        "  value; in this case, you'll become the manager if the other manager(s)\n"
        "  stop managing the field (remove it from their configuration).\n"
        "See https://kubernetes.io/docs/reference/using-api/server-side-apply/#conflicts\n"
    )
    assert kubectl(
        "apply --server-side --force-conflicts --field-manager=other -f -", given=config_map("server", b="3")
    )


def test_fields_are_validated_and_explained(kubectl):
    wrong = deployment("web")
    wrong["spec"]["replica"] = 2
    refusal = kubectl("create -f -", given=wrong, code=1)
    assert 'strict decoding error: unknown field "spec.replica"' in refusal
    explained = kubectl("explain deployment.spec.strategy.rollingUpdate.maxSurge")
    assert re.search(r"^KIND: +Deployment$", explained, re.MULTILINE)
    assert re.search(r"^FIELD: +maxSurge <IntOrString>$", explained, re.MULTILINE)
    assert "The maximum number of pods that can be scheduled above the desired number of" in explained
    recursive = kubectl("explain pod.spec.containers --recursive")
    assert re.search(r"^ +containerPort\t<integer> -required-$", recursive, re.MULTILINE)


def test_values_of_enums_are_explained_and_left_to_the_server_to_check(kubectl):
    explained = kubectl("explain deployment.spec.strategy.type")
    assert 'Possible enum values:\n     - `"Recreate"`\n     - `"RollingUpdate"`\n' in explained
    if "enum:" in kubectl("explain pod.spec.tolerations"):  # releases from 1.30 on show them apart
        assert "<string>\nENUM:\n    Recreate\n    RollingUpdate\n" in explained
        assert "<string>\n  enum: Recreate, RollingUpdate\n" in kubectl("explain deployment.spec.strategy")
    unknown = deployment("web")
    unknown["spec"]["strategy"] = {"type": "Blue"}
    assert "created (dry run)" in kubectl("create --dry-run=client -f -", given=unknown)
    assert "created (dry run)" in kubectl("apply --dry-run=client --validate=true -f -", given=unknown)
    refusal = kubectl("apply --validate=true -f -", given=unknown, code=1)
    assert 'supported values: "Recreate", "RollingUpdate"' in refusal


def test_resources_are_listed(kubectl):
    head, *found = rows(kubectl("api-resources --sort-by=name"))
    assert head == ["NAME", "SHORTNAMES", "APIVERSION", "NAMESPACED", "KIND"]
    assert ["deployments", "deploy", "apps/v1", "true", "Deployment"] in found
    assert ["bindings", "v1", "true", "Binding"] in found
    assert "certificates.k8s.io/v1\n" in kubectl("api-versions")
    names = kubectl("api-resources --api-group=batch --namespaced -o name").splitlines()
    assert sorted(names) == ["cronjobs.batch", "jobs.batch"]


def test_permissions_are_told_and_tokens_given(kubectl, namespace):
    assert kubectl("auth can-i create deployments") == "yes\n"
    account = f"--as=system:serviceaccount:{namespace}:default"
    assert kubectl(f"auth can-i list secrets {account}", code=1) == "no\n"
    assert kubectl(
        "create rolebinding readers --clusterrole=view --serviceaccount=" + f"{namespace}:default"
    ) == ("rolebinding.rbac.authorization.k8s.io/readers created\n")
    assert kubectl(f"auth can-i list pods {account}") == "yes\n"
    assert re.search(
        r"^pods +\[\] +\[\] +\[get list watch\]", kubectl(f"auth can-i --list {account}"), re.MULTILINE
    )
    token = kubectl("create token default --duration=20m")
    assert re.fullmatch(r"[\w-]+\.[\w-]+\.[\w-]+", token)


def test_a_wait_ends_with_what_it_waits_for(kubectl):
    kubectl("create deployment web --image=app:v1")
    assert kubectl("wait deployment web --for=condition=Available --timeout=30s") == (
        "deployment.apps/web condition met\n"
    )
    assert kubectl("rollout status deployment web") == 'deployment "web" successfully rolled out\n'

"""Conformance that needs containers: logs, tokens inside of pods, and a guestbook. With the real kubectl."""

import json
import re
import subprocess
import urllib.parse
from datetime import datetime

import pytest
from tests.cluster.conftest import kubectl_releases, run

IMAGE = "jocatalin/kubernetes-bootcamp:v1"
MOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
NAMESPACE = "conformance"


class Kubectl:
    """The newest kubectl in a namespace of these tests; called, it answers its output."""

    def __init__(self, cluster):
        self.env = cluster.env
        self.command = (kubectl_releases()[-1], "-n", NAMESPACE)

    def __call__(self, *words, **options):
        return run(*self.command, *words, env=self.env, **options).stdout

    def popen(self, *words):
        return subprocess.Popen([*self.command, *words], env=self.env, stdout=subprocess.PIPE, text=True)


@pytest.fixture(scope="module")
def kubectl(cluster):
    kubectl = Kubectl(cluster)
    kubectl("create", "namespace", NAMESPACE)
    yield kubectl
    kubectl("delete", "namespace", NAMESPACE, "--timeout=90s")


def pod(name, script, **spec):
    container = {"name": "main", "image": IMAGE, "command": ["sh", "-c", script], **spec.pop("container", {})}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 0, **spec},
    }


def start(kubectl, obj):
    kubectl("create", "-f", "-", text_in=json.dumps(obj))
    kubectl("wait", f"pod/{obj['metadata']['name']}", "--for=condition=Ready", "--timeout=60s")


# Logs -----------------------------------------------------------------------------------------------------------


@pytest.mark.conformance("Kubectl, logs")
def test_logs_are_read_and_filtered(kubectl):
    """Fifty lines, three seconds later another, and then a stream that `--follow` reads to its end."""
    lines = "for n in $(seq 50); do echo line $n; done; sleep 3; echo the last line; sleep 1000"
    start(kubectl, pod("logs", lines))
    with kubectl.popen("logs", "logs", "main", "--follow") as following:
        whole = "".join(read_until(following.stdout, "the last line\n"))
        following.terminate()
    assert whole == "".join(f"line {n}\n" for n in range(1, 51)) + "the last line\n"
    assert kubectl("logs", "logs", "main") == whole
    assert kubectl("logs", "logs", "main", "--tail=1") == "the last line\n"
    assert kubectl("logs", "logs", "main", "--limit-bytes=1") == "l"
    stamp, _, text = kubectl("logs", "logs", "main", "--tail=1", "--timestamps").partition(" ")
    assert text == "the last line\n"
    assert datetime.fromisoformat(stamp).tzinfo is not None
    assert kubectl("logs", "logs", "main", "--since=24h") == whole
    assert kubectl("logs", "logs", "main", "--since=2s") in ("the last line\n", "")


def read_until(stream, last):
    for line in stream:
        yield line
        if line == last:
            return


# Tokens ---------------------------------------------------------------------------------------------------------


def review(kubectl, token):
    """Who a token is, as the API server says."""
    obj = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}}
    return json.loads(kubectl("create", "-o", "json", "-f", "-", text_in=json.dumps(obj)))["status"]


@pytest.mark.conformance("Service Account Tokens Must AutoMount")
def test_a_pod_finds_its_token_its_authority_and_its_namespace(kubectl):
    kubectl("create", "serviceaccount", "mount-test")
    start(kubectl, pod("mounted", "sleep 1000", serviceAccountName="mount-test"))

    def read(name):
        return kubectl("exec", "mounted", "-c", "main", "--", "cat", f"{MOUNT}/{name}")

    status = review(kubectl, read("token"))
    assert status["authenticated"] is True
    assert status["user"]["username"] == f"system:serviceaccount:{NAMESPACE}:mount-test"
    published = json.loads(kubectl("get", "configmap", "kube-root-ca.crt", "-o", "json"))
    assert read("ca.crt") == published["data"]["ca.crt"]
    assert read("namespace") == NAMESPACE


@pytest.mark.conformance(
    "TokenRequestProjection should mount a projected volume with token using TokenRequest API."
)
def test_a_projected_token_is_mounted(kubectl):
    source = {"serviceAccountToken": {"path": "token", "expirationSeconds": 43200}}
    volume = {"name": "token", "projected": {"sources": [source], "defaultMode": 0o440}}
    mount = {"volumeMounts": [{"name": "token", "mountPath": "/projected"}]}
    start(kubectl, pod("projected", "sleep 1000", volumes=[volume], container=mount))
    inside = ("exec", "projected", "--")
    assert kubectl(*inside, "stat", "-L", "-c", "%a", "/projected/token") == "440\n"
    status = review(kubectl, kubectl(*inside, "cat", "/projected/token"))
    assert status["user"]["username"] == f"system:serviceaccount:{NAMESPACE}:default"
    assert status["user"]["extra"]["authentication.kubernetes.io/pod-name"] == ["projected"]


# The guestbook --------------------------------------------------------------------------------------------------

SERVE = """
mkdir -p /www/cgi-bin
cat >/www/cgi-bin/guestbook <<'EOF'
#!/bin/sh
echo "Content-Type: text/plain"
echo
{script}
EOF
chmod +x /www/cgi-bin/guestbook
exec httpd -f -p {port} -h /www
"""
PRIMARY = """
case "$QUERY_STRING" in
  set=*) echo "${QUERY_STRING#set=}" >>/tmp/entries ;;
  *) cat /tmp/entries 2>/dev/null ;;
esac
"""
REPLICA = "wget -q -O - http://agnhost-primary:6379/cgi-bin/guestbook?get"
FRONTEND = """
case "$QUERY_STRING" in
  set=*) wget -q -O - "http://agnhost-primary:6379/cgi-bin/guestbook?$QUERY_STRING" ;;
  *) wget -q -O - http://agnhost-replica:6379/cgi-bin/guestbook?get ;;
esac
"""


def tier(name, script, *, port, replicas):
    """A deployment that serves a script, and its service."""
    labels = {"app": name}
    container = {
        "name": "main",
        "image": IMAGE,
        "command": ["sh", "-c", SERVE.format(script=script, port=port)],
        "ports": [{"containerPort": port}],
        "readinessProbe": {"tcpSocket": {"port": port}, "periodSeconds": 1},
    }
    template = {
        "metadata": {"labels": labels},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 0},
    }
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template},
    }
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": labels, "ports": [{"port": port}]},
    }
    return [deployment, service]


@pytest.mark.conformance(
    "Kubectl, guestbook application", note="the application is written in the test, in place of agnhost's"
)
def test_a_guestbook_keeps_what_is_written_into_it(kubectl):
    """Frontends write to the primary and read from replicas, found by their services' names."""
    tiers = [
        *tier("agnhost-primary", PRIMARY, port=6379, replicas=1),
        *tier("agnhost-replica", REPLICA, port=6379, replicas=2),
        *tier("frontend", FRONTEND, port=80, replicas=3),
    ]
    manifests = json.dumps({"apiVersion": "v1", "kind": "List", "items": tiers})
    kubectl("create", "-f", "-", text_in=manifests)
    for name in ("agnhost-primary", "agnhost-replica", "frontend"):
        kubectl("rollout", "status", f"deployment/{name}", "--timeout=120s")
    place = f"/api/v1/namespaces/{NAMESPACE}/services/frontend/proxy/cgi-bin/guestbook"
    entry = urllib.parse.quote("TestEntry")
    assert kubectl("get", "--raw", f"{place}?get") == ""
    kubectl("get", "--raw", f"{place}?set={entry}")
    assert kubectl("get", "--raw", f"{place}?get") == "TestEntry\n"
    kubectl("delete", "--grace-period=0", "--force", "-f", "-", text_in=manifests)
    kubectl("wait", "pods", "-l", "app=frontend", "--for=delete", "--timeout=60s")
    assert re.sub(r"\s", "", kubectl("get", "deployments,services", "-o", "name")) == ""

"""What pods are promised, on real containers: each case is a pod that checks itself and ends with what it found.

All pods of the table are created at once and run side by side; a case fails with its pod's log.
"""

import base64
import json

import pytest
from tests.cluster.conftest import kubectl_releases, run

IMAGE = "jocatalin/kubernetes-bootcamp:v1"
NAMESPACE = "promises"


def container(script, **fields):
    return {"name": "main", "image": IMAGE, "command": ["sh", "-ec", script], **fields}


def pod(script, *, spec=None, labels=None, annotations=None, **fields):
    """The spec of a pod that runs `script` once; `fields` are the container's, `spec` the pod's."""
    return {
        "metadata": {"labels": labels or {}, "annotations": annotations or {}},
        "spec": {"restartPolicy": "Never", "containers": [container(script, **fields)], **(spec or {})},
    }


def volume(name, **source):
    return {"name": name, **source}


def mount(name, path, **fields):
    return {"name": name, "mountPath": path, **fields}


def env(name, **source):
    return {"name": name, "valueFrom": source} if source else {"name": name}


def field(path):
    return {"fieldRef": {"fieldPath": path}}


API = """
cd /var/run/secrets/kubernetes.io/serviceaccount
test "$(cat namespace)" = promises
test -s ca.crt && test -s token
"""

CASES = {
    "arguments expand variables": pod(
        'test "$0" = "hello world" && test "$1" = \'$\'"(NAME)"',
        args=["hello $(NAME)", "$$(NAME)"],
        env=[{"name": "NAME", "value": "world"}],
    ),
    "environment from fields, config maps and secrets": pod(
        'test "$POD" = "$HOSTNAME"; test "$NS" = promises; test -n "$IP"; test "$NODE" = walk; test "$COLOR" = blue\n'
        'test "$PASSWORD" = s3cret; test "$ALL_color" = blue; test "$CPU" = 1; test "$ACCOUNT" = default\n'
        'test "$LABEL" = yes; test -z "$OPTIONAL"; test "$HOST_IP" != ""',
        labels={"labelled": "yes"},
        env=[
            env("POD", **field("metadata.name")),
            env("NS", **field("metadata.namespace")),
            env("IP", **field("status.podIP")),
            env("HOST_IP", **field("status.hostIP")),
            env("NODE", **field("spec.nodeName")),
            env("ACCOUNT", **field("spec.serviceAccountName")),
            env("LABEL", **field("metadata.labels['labelled']")),
            env("COLOR", configMapKeyRef={"name": "settings", "key": "color"}),
            env("PASSWORD", secretKeyRef={"name": "keys", "key": "password"}),
            env("OPTIONAL", configMapKeyRef={"name": "none", "key": "none", "optional": True}),
            env("CPU", resourceFieldRef={"resource": "limits.cpu"}),
        ],
        envFrom=[{"configMapRef": {"name": "settings"}, "prefix": "ALL_"}],
        resources={"limits": {"cpu": "500m"}},
    ),
    "service variables": pod('test "$KUBERNETES_SERVICE_HOST" = 10.96.0.1; test "$KUBERNETES_SERVICE_PORT" = 443'),
    "volumes of config maps and secrets": pod(
        'test "$(cat /c/color)" = blue; test "$(cat /c/sub/renamed)" = blue; test "$(cat /s/password)" = s3cret\n'
        'test "$(stat -L -c %a /s/password)" = 400; test "$(cat /one)" = blue; ! touch /c/new 2>/dev/null',
        volumeMounts=[
            mount("c", "/c"),
            mount("s", "/s", readOnly=True),
            mount("c", "/one", subPath="color"),
        ],
        spec={
            "volumes": [
                volume(
                    "c",
                    configMap={
                        "name": "settings",
                        "items": [{"key": "color", "path": "color"}, {"key": "color", "path": "sub/renamed"}],
                    },
                ),
                volume("s", secret={"secretName": "keys", "defaultMode": 0o400}),
            ]
        },
    ),
    "downward API volume": pod(
        'grep -q \'a="b"\' /d/labels; test "$(cat /d/name)" = "$HOSTNAME"; test "$(cat /d/memory)" = 67108864',
        labels={"a": "b"},
        resources={"limits": {"memory": "64Mi"}},
        volumeMounts=[mount("d", "/d")],
        spec={
            "volumes": [
                volume(
                    "d",
                    downwardAPI={
                        "items": [
                            {"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}},
                            {"path": "name", "fieldRef": {"fieldPath": "metadata.name"}},
                            {
                                "path": "memory",
                                "resourceFieldRef": {"containerName": "main", "resource": "limits.memory"},
                            },
                        ]
                    },
                )
            ]
        },
    ),
    "empty directories are shared, and memory ones are tmpfs": pod(
        'test "$(cat /shared/file)" = from-init; grep -q "/memory tmpfs" /proc/mounts; touch /memory/x',
        volumeMounts=[mount("shared", "/shared"), mount("memory", "/memory")],
        spec={
            "initContainers": [
                {
                    **container("echo from-init > /shared/file"),
                    "name": "first",
                    "volumeMounts": [mount("shared", "/shared")],
                }
            ],
            "volumes": [volume("shared", emptyDir={}), volume("memory", emptyDir={"medium": "Memory"})],
        },
    ),
    "init containers run in order before the rest": pod(
        'test "$(cat /shared/order)" = "1\n2"',
        volumeMounts=[mount("shared", "/shared")],
        spec={
            "initContainers": [
                {
                    **container(f"echo {number} >> /shared/order"),
                    "name": f"init-{number}",
                    "volumeMounts": [mount("shared", "/shared")],
                }
                for number in (1, 2)
            ],
            "volumes": [volume("shared", emptyDir={})],
        },
    ),
    "a service account's token and certificate": pod(API),
    "names of services": pod(
        "nslookup kubernetes.default.svc.cluster.local | grep -q 10.96.0.1\n"
        "grep -q 'search promises.svc.cluster.local svc.cluster.local cluster.local' /etc/resolv.conf\n"
        "grep -q 'options ndots:5' /etc/resolv.conf; grep -q 'nameserver 10.96.0.10' /etc/resolv.conf"
    ),
    "host names and host aliases": pod(
        'test "$(hostname)" = custom; grep -q "10.1.2.3.*elsewhere" /etc/hosts; grep -q custom /etc/hosts',
        spec={"hostname": "custom", "hostAliases": [{"ip": "10.1.2.3", "hostnames": ["elsewhere"]}]},
    ),
    "the host's network": pod(
        "ip -4 addr | grep -q 10.96.0.10", spec={"hostNetwork": True, "dnsPolicy": "ClusterFirstWithHostNet"}
    ),
    "users and groups": pod(
        'test "$(id -u)" = 1000; test "$(id -g)" = 2000; id -G | grep -q 3000; id -G | grep -q 4000\n'
        'test "$(stat -c %g /v)" = 3000; ! touch /etc/x 2>/dev/null; touch /v/x',
        securityContext={"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        volumeMounts=[mount("v", "/v")],
        spec={
            "securityContext": {
                "runAsUser": 1000,
                "runAsGroup": 2000,
                "fsGroup": 3000,
                "supplementalGroups": [4000],
            },
            "volumes": [volume("v", emptyDir={})],
        },
    ),
    "a read-only root": pod(
        "! touch /file 2>/dev/null", securityContext={"readOnlyRootFilesystem": True}
    ),
    "capabilities": pod(
        "grep -q 'CapEff:.*0000000000000000' /proc/self/status", securityContext={"capabilities": {"drop": ["ALL"]}}
    ),
    "two containers share the network": pod(
        "n=0; until wget -qO- 127.0.0.1:9999 | grep -q neighbour; do n=$((n+1)); test $n -lt 100; usleep 100000; done",
        spec={
            "initContainers": [
                {
                    **container("mkdir /w; echo neighbour > /w/index.html; httpd -f -p 9999 -h /w"),
                    "name": "sidecar",
                    "restartPolicy": "Always",
                }
            ]
        },
    ),
    "a host path": pod(
        "test -e /host/proc/1/cmdline",
        volumeMounts=[mount("root", "/host", readOnly=True)],
        spec={"volumes": [volume("root", hostPath={"path": "/", "type": "Directory"})]},
    ),
}  # fmt: skip


def slug(name):
    return "".join(letter if letter.isalnum() else "-" for letter in name.lower()).strip("-")[:60].strip("-")


@pytest.fixture(scope="module")
def kubectl(cluster):
    release = kubectl_releases()[-1]

    def call(*words, **options):
        return run(release, "-n", NAMESPACE, *words, env=cluster.env, **options)

    call("create", "namespace", NAMESPACE)
    yield call
    call("delete", "namespace", NAMESPACE, "--timeout=120s")


@pytest.fixture(scope="module")
def created(kubectl):
    """All pods of the table, and what they read."""
    objects = [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "settings"},
            "data": {"color": "blue"},
        },
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "keys"},
            "data": {"password": base64.b64encode(b"s3cret").decode()},
        },
    ]
    for name, template in CASES.items():
        metadata = {**template["metadata"], "name": slug(name)}
        objects.append({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]})
    kubectl("apply", "-f", "-", text_in=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))


@pytest.mark.parametrize("name", CASES)
def test_a_pod_is_promised(kubectl, created, name):
    waited = kubectl(
        "wait", f"pod/{slug(name)}", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=60s", check=False
    )
    if waited.returncode:
        described = kubectl("describe", "pod", slug(name)).stdout
        logs = kubectl("logs", slug(name), "--all-containers", check=False).stdout
        raise AssertionError(f"{logs}\n{described}")


def apply(kubectl, *objects):
    kubectl(
        "apply", "-f", "-", text_in=json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})
    )


def wait(kubectl, subject, condition, timeout_s=60):
    kubectl("wait", subject, f"--for={condition}", f"--timeout={timeout_s}s", timeout_s=timeout_s + 30)


def running(name, script, **fields):
    spec = {"containers": [container(script, **fields)], "terminationGracePeriodSeconds": 1}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": spec,
    }


FOREVER = "trap 'exit 0' TERM; while true; do sleep 1; done"


def test_a_failing_liveness_probe_restarts_the_container(kubectl):
    probe = {"exec": {"command": ["test", "-e", "/alive"]}, "periodSeconds": 1, "failureThreshold": 1}
    alive = running("liveness", f"touch /alive; {FOREVER}", livenessProbe={**probe, "initialDelaySeconds": 1})
    apply(kubectl, alive)
    wait(kubectl, "pod/liveness", "condition=Ready")
    kubectl("exec", "liveness", "--", "rm", "/alive")
    wait(kubectl, "pod/liveness", "jsonpath={.status.containerStatuses[0].restartCount}=1")
    events = kubectl("events", "--for", "pod/liveness").stdout
    assert "Liveness probe failed" in events and "failed liveness probe, will be restarted" in events


def test_readiness_decides_who_gets_traffic(kubectl):
    probe = {"httpGet": {"path": "/ready", "port": 8080}, "periodSeconds": 1, "failureThreshold": 1}
    script = f"mkdir -p /w; httpd -p 8080 -h /w; {FOREVER}"
    apply(kubectl, running("readiness", script, readinessProbe=probe, ports=[{"containerPort": 8080}]))
    wait(kubectl, "pod/readiness", "jsonpath={.status.phase}=Running")
    kubectl("expose", "pod", "readiness", "--port=80", "--target-port=8080")
    wait(kubectl, "pod/readiness", "condition=Ready=false")
    kubectl("exec", "readiness", "--", "touch", "/w/ready")
    wait(kubectl, "pod/readiness", "condition=Ready")
    selector = "kubernetes.io/service-name=readiness"
    name = kubectl("get", "endpointslices", "-l", selector, "-o", "name").stdout.strip()
    wait(kubectl, name, "jsonpath={.endpoints[0].conditions.ready}=true")
    kubectl("exec", "readiness", "--", "rm", "/w/ready")
    wait(kubectl, name, "jsonpath={.endpoints[0].conditions.ready}=false")


def test_hooks_run_around_a_containers_life(kubectl):
    hooks = {
        "postStart": {"exec": {"command": ["sh", "-c", "echo started > /shared/started"]}},
        "preStop": {"exec": {"command": ["sh", "-c", "echo stopping > /shared/stopping"]}},
    }
    hooked = running("hooked", FOREVER, lifecycle=hooks, volumeMounts=[mount("shared", "/shared")])
    watcher = {
        **container("trap : TERM; until test -e /shared/stopping; do usleep 50000; done; exit 7"),
        "name": "watcher",
        "volumeMounts": [mount("shared", "/shared")],
    }
    hooked["spec"]["containers"].append(watcher)
    hooked["spec"]["volumes"] = [volume("shared", emptyDir={})]
    hooked["spec"]["terminationGracePeriodSeconds"] = 10
    hooked["metadata"]["finalizers"] = ["example.com/hold"]
    apply(kubectl, hooked)
    wait(kubectl, "pod/hooked", "condition=Ready")
    assert kubectl("exec", "hooked", "-c", "main", "--", "cat", "/shared/started").stdout == "started\n"
    kubectl("delete", "pod", "hooked", "--wait=false")
    seen = '{.status.containerStatuses[?(@.name=="watcher")].state.terminated.exitCode}'
    wait(kubectl, "pod/hooked", f"jsonpath={seen}=7")
    kubectl("patch", "pod", "hooked", "--type=merge", "-p", '{"metadata":{"finalizers":null}}')
    wait(kubectl, "pod/hooked", "delete")


def test_a_mounted_config_map_follows_its_object(kubectl):
    config_map = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "live"},
        "data": {"value": "old"},
    }
    follower = running(
        "follower",
        "until grep -q new /c/value; do usleep 100000; done; echo updated",
        volumeMounts=[mount("c", "/c")],
    )
    follower["spec"]["volumes"] = [volume("c", configMap={"name": "live"})]
    follower["spec"]["restartPolicy"] = "Never"
    apply(kubectl, config_map, follower)
    wait(kubectl, "pod/follower", "jsonpath={.status.phase}=Running")
    apply(kubectl, {**config_map, "data": {"value": "new"}})
    wait(kubectl, "pod/follower", "jsonpath={.status.phase}=Succeeded", timeout_s=120)


def test_memory_limits_kill_and_say_so(kubectl):
    # One shell variable that doubles until the limit is reached.
    script = "x=aaaaaaaaaaaaaaaa; while true; do x=$x$x; done"
    greedy = running("greedy", script, resources={"limits": {"memory": "32Mi"}})
    greedy["spec"]["restartPolicy"] = "Never"
    apply(kubectl, greedy)
    wait(kubectl, "pod/greedy", "jsonpath={.status.phase}=Failed")
    state = "jsonpath={.status.containerStatuses[0].state.terminated}"
    terminated = json.loads(kubectl("get", "pod", "greedy", "-o", state).stdout)
    assert (terminated["reason"], terminated["exitCode"]) == ("OOMKilled", 137)


def test_jobs_complete_and_their_pods_stay(kubectl):
    kubectl("create", "job", "once", f"--image={IMAGE}", "--", "sh", "-c", "echo done")
    wait(kubectl, "job/once", "condition=Complete")
    assert kubectl("logs", "job/once").stdout == "done\n"


def test_stateful_sets_have_stable_names_and_addresses(kubectl):
    labels = {"app": "stable"}
    script = f"mkdir /w; hostname > /w/index.html; httpd -p 8080 -h /w; {FOREVER}"
    template = {
        "metadata": {"labels": labels},
        "spec": {
            "terminationGracePeriodSeconds": 1,
            "containers": [container(script, ports=[{"containerPort": 8080, "name": "http"}])],
        },
    }
    apply(
        kubectl,
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "stable"},
            "spec": {"clusterIP": "None", "selector": labels, "ports": [{"port": 8080, "name": "http"}]},
        },
        {
            "apiVersion": "apps/v1",
            "kind": "StatefulSet",
            "metadata": {"name": "stable"},
            "spec": {
                "serviceName": "stable",
                "replicas": 2,
                "selector": {"matchLabels": labels},
                "template": template,
            },
        },
    )
    kubectl("rollout", "status", "statefulset/stable", "--timeout=60s")
    asked = kubectl("exec", "stable-0", "--", "wget", "-qO-", "http://stable-1.stable:8080").stdout
    assert asked == "stable-1\n"
    kubectl("delete", "pod", "stable-0")
    wait(kubectl, "statefulset/stable", "jsonpath={.status.readyReplicas}=2")


def test_daemon_sets_run_on_every_node(kubectl):
    labels = {"app": "everywhere"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container(FOREVER)]}}
    template["spec"]["terminationGracePeriodSeconds"] = 1
    apply(
        kubectl,
        {
            "apiVersion": "apps/v1",
            "kind": "DaemonSet",
            "metadata": {"name": "everywhere"},
            "spec": {"selector": {"matchLabels": labels}, "template": template},
        },
    )
    kubectl("rollout", "status", "daemonset/everywhere", "--timeout=60s")


def test_a_pod_that_fits_nowhere_says_why(kubectl):
    huge = running("huge", FOREVER, resources={"requests": {"cpu": "1000"}})
    apply(kubectl, huge)
    wait(kubectl, "pod/huge", "condition=PodScheduled=false")
    events = kubectl("events", "--for", "pod/huge").stdout
    assert "FailedScheduling" in events and "Insufficient cpu" in events

"""From a Deployment to available pods, with real containers: the second time, as upstream's figures are."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterable

from bench import rows
from bench.clusters import Cluster, running

RUNS = 5
IMAGE = "jocatalin/kubernetes-bootcamp:v1"
TIMEOUT_S = 60


def run() -> Iterable[tuple[rows.Row, float]]:
    with running() as cluster:
        _available_s(cluster, 1)
        yield rows.PODS_4, rows.median(lambda: _available_s(cluster, 4), runs=RUNS)
        yield rows.PODS_20, rows.median(lambda: _available_s(cluster, 20), runs=3)


def _available_s(cluster: Cluster, count: int) -> float:
    """Seconds from the request that creates the Deployment to the event that says all pods are available."""
    manifest = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "bench"},
        "spec": {
            "replicas": count,
            "selector": {"matchLabels": {"app": "bench"}},
            "template": {
                "metadata": {"labels": {"app": "bench"}},
                "spec": {
                    "terminationGracePeriodSeconds": 0,
                    "containers": [{"name": "app", "image": IMAGE, "imagePullPolicy": "IfNotPresent"}],
                },
            },
        },
    }
    from mamekube.client.kubeconfig import load_kubeconfig
    from mamekube.kubectl.transport import Api

    config = load_kubeconfig(str(cluster.kubeconfig))
    watcher, api = Api(config), Api(config)
    path = "/apis/apps/v1/namespaces/default/deployments"
    revision = watcher.get(path)["metadata"]["resourceVersion"]
    events = watcher.lines(
        path, query={"watch": "true", "resourceVersion": revision, "timeoutSeconds": TIMEOUT_S}
    )
    began = time.perf_counter()
    api.call("POST", path, body=manifest)
    taken_s = next(
        time.perf_counter() - began
        for event in events
        if (event["object"].get("status") or {}).get("availableReplicas") == count
    )
    watcher.close()
    api.call("DELETE", f"{path}/bench", body={"propagationPolicy": "Foreground"})
    _wait_for_no_pods(cluster)
    return taken_s


def _wait_for_no_pods(cluster: Cluster) -> None:
    command = ["kubectl", "wait", "pod", "-l", "app=bench", "--for=delete", f"--timeout={TIMEOUT_S}s"]
    subprocess.run(command, env=cluster.env, check=True, capture_output=True)

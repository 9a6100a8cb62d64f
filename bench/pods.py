"""From a Deployment to available pods, with real containers: the second time, as upstream's figures are."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterable

from bench import rows
from bench.clusters import ROOT, Cluster, running
from bench.start import processes_of

RUNS = 5
IMAGE = "jocatalin/kubernetes-bootcamp:v1"
TIMEOUT_S = 60


def run() -> Iterable[tuple[rows.Row, float]]:
    with running() as cluster:
        _available_s(cluster, 1)
        for row, count in ((rows.PODS_4, 4), (rows.PODS_20, 20)):
            floor_s = _floor_s(cluster, count)
            yield row, rows.median(lambda count=count: _available_s(cluster, count), runs=RUNS)
            print(f"  the same CRI calls alone, here and now: {floor_s:.2f} s", flush=True)


def _floor_s(cluster: Cluster, count: int) -> float:
    """What containerd alone takes for as many pods, on this machine at this time."""
    return float(cluster.mamekube("ssh", "--", f"cd {ROOT} && {sys.executable} -m bench.cri {count}"))


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
    """Until their objects are gone, and what containerd kept of them: cleaning up is no part of the next run."""
    command = ["kubectl", "wait", "pod", "-l", "app=bench", "--for=delete", f"--timeout={TIMEOUT_S}s"]
    subprocess.run(command, env=cluster.env, check=True, capture_output=True)
    deadline = time.monotonic() + TIMEOUT_S
    while any("shim" in name for name in processes_of(cluster).values()):
        if time.monotonic() > deadline:
            raise TimeoutError("the sandboxes of deleted pods are still there")
        time.sleep(0.2)
    time.sleep(1)

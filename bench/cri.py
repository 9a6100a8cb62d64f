"""The floor under `pods`: the calls to containerd that N pods cost, and nothing else. Runs inside a node.

`mamekube ssh -- python -m bench.cri N` prints seconds: sandboxes and containers of N pods, all at once.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path

from mamekube.kubelet import container_config, resources, sandbox_config
from mamekube.kubelet.cri import CriRuntime

IMAGE = "docker.io/jocatalin/kubernetes-bootcamp:v1"
SOCKET = "/run/containerd/containerd.sock"
RUNS = 5
MEMORY_BYTES = 8 << 30


async def start_pod(runtime: CriRuntime, name: str, logs: Path) -> str:
    """One pod of one container, by the kubelet's own calls; answers the sandbox."""
    container = {"name": "app", "image": IMAGE}
    pod = {
        "metadata": {"name": name, "namespace": "default", "uid": name},
        "spec": {"containers": [container]},
    }
    sandbox = sandbox_config.sandbox_config(
        pod, attempt=0, dns=sandbox_config.Dns(), log_directory=logs, cgroup_parent=""
    )
    sandbox["labels"] = {}  # or the kubelet of the node would end it as an orphan
    identifier = await runtime.run_sandbox(sandbox)
    config = container_config.container_config(
        pod,
        container,
        attempt=0,
        image_ref=IMAGE,
        environment={},
        mounts=[],
        resources=resources.container_resources(pod, container, node_memory_bytes=MEMORY_BYTES),
    )
    config["labels"] = {}
    await runtime.start_container(await runtime.create_container(identifier, config, sandbox))
    return identifier


async def measure(count: int) -> float:
    runtime = CriRuntime(SOCKET)
    await runtime.open()
    taken_s = []
    with tempfile.TemporaryDirectory() as folder:
        for run in range(RUNS):
            began = time.perf_counter()
            starts = (start_pod(runtime, f"cri-{run}-{number}", Path(folder)) for number in range(count))
            sandboxes = await asyncio.gather(*starts)
            taken_s.append(time.perf_counter() - began)
            await asyncio.gather(*(runtime.stop_sandbox(sandbox) for sandbox in sandboxes))
            await asyncio.gather(*(runtime.remove_sandbox(sandbox) for sandbox in sandboxes))
    await runtime.close()
    return statistics.median(taken_s)


if __name__ == "__main__":
    print(f"{asyncio.run(measure(int(sys.argv[1]))):.3f}")

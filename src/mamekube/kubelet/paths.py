"""Where the kubelet keeps what on the node. Layout is upstream's, so that every tool finds its way."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mamekube.objects.meta import Object, name_of, namespace_of, uid_of


@dataclass(frozen=True, slots=True)
class Paths:
    root: Path
    """`/var/lib/kubelet`."""
    logs: Path
    """`/var/log/pods`."""

    def pod(self, uid: str) -> Path:
        return self.root / "pods" / uid

    def volume(self, uid: str, plugin: str, name: str) -> Path:
        """`plugin` such as `kubernetes.io~configmap`."""
        return self.pod(uid) / "volumes" / plugin / name

    def subpath(self, uid: str, volume: str, container: str, index: int) -> Path:
        return self.pod(uid) / "volume-subpaths" / volume / container / str(index)

    def etc_hosts(self, uid: str) -> Path:
        return self.pod(uid) / "etc-hosts"

    def termination_log(self, uid: str, name: str, attempt: int) -> Path:
        return self.pod(uid) / "containers" / name / f"{attempt:08x}"

    def pod_logs(self, pod: Object) -> Path:
        return self.logs / f"{namespace_of(pod)}_{name_of(pod)}_{uid_of(pod)}"

    def container_log(self, pod: Object, name: str, attempt: int) -> Path:
        return self.pod_logs(pod) / name / f"{attempt}.log"

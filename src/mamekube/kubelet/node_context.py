"""What every pod worker of a node shares."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mamekube.client.client import Client
from mamekube.foundation.clock import Clock
from mamekube.kubelet.events import Recorder
from mamekube.kubelet.paths import Paths
from mamekube.kubelet.runtime import Runtime
from mamekube.kubelet.sandbox_config import Dns
from mamekube.objects.meta import Object

if TYPE_CHECKING:
    from mamekube.kubelet.images import Images
    from mamekube.kubelet.volumes.sources import Sources
    from mamekube.kubelet.volumes.volumes import Volumes


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeContext:
    name: str
    ips: tuple[str, ...]
    client: Client
    runtime: Runtime
    clock: Clock
    recorder: Recorder
    paths: Paths
    volumes: Volumes
    sources: Sources
    images: Images
    cluster_dns: Dns
    host_dns: Dns
    cluster_domain: str
    memory_bytes: int
    allocatable: dict[str, str]
    cgroup_parent: Callable[[Object], str]
    services: Callable[[], Iterable[Object]]
    fake: bool
    """Nothing is put on the node's file system."""

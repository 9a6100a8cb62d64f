"""What a container mounts: volumes, subpaths, the hosts file and the file for its termination message."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from mamekube.kubelet import cri_messages as cri
from mamekube.kubelet.environment import ConfigError, expand
from mamekube.objects.meta import Object

HOSTS_HEADER = "# Kubernetes-managed hosts file.\n"
HOSTS_HEADER_HOST = "# Kubernetes-managed hosts file (host network).\n"
HOSTS_BODY = """127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::0\tip6-localnet
fe00::0\tip6-mcastprefix
fe00::1\tip6-allnodes
fe00::2\tip6-allrouters
"""


WRITTEN_BY_THE_KUBELET = ("configMap", "secret", "downwardAPI", "projected")
"""Sources of volumes that containers only read."""


def read_only_volumes(pod: Object) -> frozenset[str]:
    """The names of the pod's volumes that no container may write to, whatever its mount says."""
    volumes = (pod.get("spec") or {}).get("volumes") or ()
    return frozenset(
        volume["name"] for volume in volumes if any(kind in volume for kind in WRITTEN_BY_THE_KUBELET)
    )


def container_mounts(
    container: Mapping[str, Any],
    volumes: Mapping[str, Path],
    environment: Mapping[str, str],
    *,
    read_only: Collection[str] = (),
) -> list[dict[str, Any]]:
    """CRI's mounts for volumeMounts; `volumes` has the directory of each volume, `read_only` names some of them.

    Raises ConfigError.
    """
    result = []
    for mount in container.get("volumeMounts") or []:
        if mount["name"] not in volumes:
            raise ConfigError(
                f'cannot find volume "{mount["name"]}" to mount into container "{container["name"]}"'
            )
        source = volumes[mount["name"]]
        subpath = mount.get("subPath", "")
        if mount.get("subPathExpr"):
            subpath = _expand_subpath(mount["subPathExpr"], environment)
        if subpath:
            source = _inside(source, subpath, mount["name"])
        path = mount["mountPath"]
        result.append(
            {
                "container_path": path if path.startswith("/") else f"/{path}",
                "host_path": str(source),
                "readonly": bool(mount.get("readOnly")) or mount["name"] in read_only,
                "propagation": cri.PROPAGATION.get(mount.get("mountPropagation", "None"), 0),
            }
        )
    return result


def _expand_subpath(expression: str, environment: Mapping[str, str]) -> str:
    expanded = expand(expression, environment)
    if "$(" in expanded:
        raise ConfigError(f"missing value for {expression!r}")
    return expanded


def _inside(volume: Path, subpath: str, name: str) -> Path:
    """The subpath's real place, made where it is missing; a link that leaves the volume is refused."""
    if os.path.isabs(subpath) or ".." in Path(subpath).parts:
        raise ConfigError(f'failed to prepare subPath for volumeMount "{name}" of container')
    root = volume.resolve()
    target = (root / subpath).resolve()
    if root != target and root not in target.parents:
        raise ConfigError(f'failed to prepare subPath for volumeMount "{name}" of container')
    if not target.exists():
        target.mkdir(parents=True, mode=0o755)
    return target


def hosts_file(
    pod: Object, *, ips: Sequence[str], hostname: str, domain: str = "", host_file: str = ""
) -> str:
    """The text of /etc/hosts; `host_file` is the node's own, used in the host's network."""
    spec = pod.get("spec") or {}
    if spec.get("hostNetwork"):
        text = HOSTS_HEADER_HOST + host_file
    else:
        text = HOSTS_HEADER + HOSTS_BODY
        for ip in ips:
            names = f"{hostname}.{domain}\t{hostname}" if domain else hostname
            text += f"{ip}\t{names}\n"
    aliases = spec.get("hostAliases") or []
    if aliases:
        text += "\n# Entries added by HostAliases.\n"
        for alias in aliases:
            text += "\t".join([alias["ip"], *(alias.get("hostnames") or [])]) + "\n"
    return text


def mounts_path(container: Mapping[str, Any], path: str) -> bool:
    return any(mount["mountPath"] == path for mount in container.get("volumeMounts") or [])

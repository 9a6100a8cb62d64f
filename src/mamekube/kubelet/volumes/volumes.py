"""The volumes of a pod on this node: set up before its first container, kept fresh, removed after the last."""

from __future__ import annotations

import asyncio
import os
import shutil
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mamekube.kubelet import api_resources as api
from mamekube.kubelet import downward
from mamekube.kubelet.paths import Paths
from mamekube.kubelet.volumes import atomic_writer, mounting, payloads
from mamekube.kubelet.volumes.payloads import VolumeError
from mamekube.kubelet.volumes.sources import Fetched, Sources
from mamekube.objects.meta import Object, namespace_of, uid_of
from mamekube.objects.quantity import value as whole
from mamekube.objects.status import StatusError

FILE_PLUGINS = {
    "configMap": "kubernetes.io~configmap",
    "secret": "kubernetes.io~secret",
    "downwardAPI": "kubernetes.io~downward-api",
    "projected": "kubernetes.io~projected",
}
IN_MEMORY = ("secret", "projected", "downwardAPI")
EMPTY_DIR_PLUGIN = "kubernetes.io~empty-dir"


class MountFailed(Exception):
    """One or more volumes could not be set up; `messages` are those of the FailedMount events."""

    def __init__(self, messages: list[str]) -> None:
        super().__init__("; ".join(messages))
        self.messages = messages


class Volumes:
    def __init__(self, paths: Paths, sources: Sources) -> None:
        self._paths = paths
        self._sources = sources

    async def set_up(self, pod: Object, facts: downward.Facts) -> dict[str, Path]:
        """The directory of every volume, ready to be mounted. Safe to repeat. Raises MountFailed."""
        volumes = (pod.get("spec") or {}).get("volumes") or []
        results = await asyncio.gather(
            *(self._set_up_one(pod, volume, facts) for volume in volumes), return_exceptions=True
        )
        failures = []
        paths: dict[str, Path] = {}
        for volume, result in zip(volumes, results, strict=True):
            if isinstance(result, (VolumeError, StatusError, OSError, ValueError)):
                failures.append(f'MountVolume.SetUp failed for volume "{volume["name"]}" : {result}')
            elif isinstance(result, BaseException):
                raise result
            else:
                paths[volume["name"]] = result
        if failures:
            raise MountFailed(failures)
        return paths

    async def refresh(self, pod: Object, facts: downward.Facts) -> None:
        """Bring the files of mounted config maps, secrets, fields and tokens up to date."""
        for volume in (pod.get("spec") or {}).get("volumes") or []:
            if any(kind in volume for kind in FILE_PLUGINS):
                try:
                    await self._set_up_one(pod, volume, facts)
                except (VolumeError, StatusError, OSError, ValueError):
                    continue  # what is mounted stays as it is

    async def tear_down(self, pod_uid: str) -> None:
        """Unmount and remove all that belongs to the pod. Safe to repeat."""
        directory = self._paths.pod(pod_uid)
        self._sources.forget(pod_uid)
        if not directory.exists():
            return
        for point in mounting.mounts_below(directory.resolve()):
            mounting.unmount(point)
        shutil.rmtree(directory, ignore_errors=True)

    def has_files(self, pod: Object) -> bool:
        """Whether `refresh` has anything to do for the pod."""
        volumes = (pod.get("spec") or {}).get("volumes") or []
        return any(kind in volume for volume in volumes for kind in FILE_PLUGINS)

    async def _set_up_one(self, pod: Object, volume: Mapping[str, Any], facts: downward.Facts) -> Path:
        for kind, plugin in FILE_PLUGINS.items():
            if kind in volume:
                path = self._paths.volume(uid_of(pod), plugin, volume["name"])
                return await self._set_up_files(pod, volume, path, in_memory=kind in IN_MEMORY, facts=facts)
        if "emptyDir" in volume:
            return self._set_up_empty_dir(pod, volume)
        if "hostPath" in volume:
            return check_host_path(volume["hostPath"])
        if "persistentVolumeClaim" in volume:
            return await self._set_up_claim(pod, volume["persistentVolumeClaim"]["claimName"])
        kind = next((key for key in volume if key != "name"), "unknown")
        raise VolumeError(f"volume type {kind} is not supported by this node")

    async def _set_up_files(
        self, pod: Object, volume: Mapping[str, Any], path: Path, *, in_memory: bool, facts: downward.Facts
    ) -> Path:
        namespace = namespace_of(pod)
        maps, secrets = payloads.references(volume)
        fetched = await self._sources.fetch(
            namespace,
            config_maps=(source.get("name", "") for source in maps),
            secrets=(source.get("name", "") for source in secrets),
        )
        tokens: dict[str, str] = {}
        for source in (volume.get("projected") or {}).get("sources") or []:
            if "serviceAccountToken" in source:
                projection = source["serviceAccountToken"]
                tokens[projection["path"]] = await self._sources.token(pod, projection)
        files = payloads.volume_files(
            pod,
            volume,
            config_map=lambda source: _required(source, fetched, "configmap"),
            secret=lambda source: _required(source, fetched, "secret"),
            token=lambda projection: tokens[projection["path"]],
            facts=facts,
        )
        _make_directory(path, in_memory=in_memory)
        atomic_writer.write(path, files, group=_fs_group(pod))
        return path

    def _set_up_empty_dir(self, pod: Object, volume: Mapping[str, Any]) -> Path:
        path = self._paths.volume(uid_of(pod), EMPTY_DIR_PLUGIN, volume["name"])
        if path.exists():
            return path
        path.mkdir(parents=True)
        source = volume["emptyDir"] or {}
        if source.get("medium") == "Memory":
            mounting.mount_tmpfs(path, size_bytes=whole(source.get("sizeLimit") or 0))
        path.chmod(0o777)
        group = _fs_group(pod)
        if group is not None:
            os.chown(path, -1, group)
            path.chmod(0o2777)
        return path

    async def _set_up_claim(self, pod: Object, name: str) -> Path:
        """A claim bound to a volume that is a directory of this node."""
        claim = await self._sources.get(api.CLAIMS, namespace_of(pod), name)
        if claim is None:
            raise VolumeError(f'persistentvolumeclaim "{name}" not found')
        bound = (claim.get("spec") or {}).get("volumeName", "")
        volume = await self._sources.get(api.VOLUMES, "", bound) if bound else None
        if volume is None:
            raise VolumeError(f"PVC {namespace_of(pod)}/{name} is not bound")
        spec = volume.get("spec") or {}
        if "hostPath" in spec:
            return check_host_path(spec["hostPath"])
        if "local" in spec:
            return check_host_path({"path": spec["local"]["path"], "type": "Directory"})
        raise VolumeError(f'persistentvolume "{bound}" is of a type that this node does not support')


def check_host_path(source: Mapping[str, Any]) -> Path:
    """The path, after the check or creation that `type` asks for. Raises VolumeError."""
    path, kind = Path(source["path"]), source.get("type") or ""
    if kind == "DirectoryOrCreate" and not path.exists():
        path.mkdir(parents=True, mode=0o755)
    if kind == "FileOrCreate" and not path.exists():
        path.touch(mode=0o644)
    expected = {
        "Directory": (stat.S_ISDIR, "a directory"),
        "DirectoryOrCreate": (stat.S_ISDIR, "a directory"),
        "File": (stat.S_ISREG, "a file"),
        "FileOrCreate": (stat.S_ISREG, "a file"),
        "Socket": (stat.S_ISSOCK, "a socket file"),
        "CharDevice": (stat.S_ISCHR, "a character device"),
        "BlockDevice": (stat.S_ISBLK, "a block device"),
    }.get(kind)
    if expected is not None:
        fits, name = expected
        if not path.exists() or not fits(path.stat().st_mode):
            raise VolumeError(f"hostPath type check failed: {path} is not {name}")
    return path


def _make_directory(path: Path, *, in_memory: bool) -> None:
    if path.exists():
        return
    path.mkdir(parents=True)
    if in_memory:
        mounting.mount_tmpfs(path)
    path.chmod(0o755)


def _required(source: Mapping[str, Any], fetched: Fetched, kind: str) -> Object | None:
    name = source.get("name", "")
    found = fetched.config_map(name) if kind == "configmap" else fetched.secret(name)
    if found is None and not source.get("optional"):
        raise VolumeError(f'{kind} "{name}" not found')
    return found


def _fs_group(pod: Object) -> int | None:
    group = ((pod.get("spec") or {}).get("securityContext") or {}).get("fsGroup")
    return int(group) if group is not None else None

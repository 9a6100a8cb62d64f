"""The files of a configMap, secret, downwardAPI or projected volume. Pure: what is fetched is handed in."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mamekube.kubelet import downward
from mamekube.kubelet.volumes.atomic_writer import File
from mamekube.objects.meta import Object

MODE_DEFAULT = 0o644

Files = dict[str, File]


class VolumeError(Exception):
    """The volume cannot be set up yet; the text ends the FailedMount event."""


def config_map_files(obj: Object | None, source: Mapping[str, Any], mode: int) -> Files:
    """`obj` is None where there is no such config map and the source is optional."""
    data: dict[str, bytes] = {}
    for key, text in ((obj or {}).get("data") or {}).items():
        data[key] = text.encode()
    for key, encoded in ((obj or {}).get("binaryData") or {}).items():
        data[key] = base64.b64decode(encoded)
    return _select(data, source, mode, "configmap references non-existent config key: {}")


def secret_files(obj: Object | None, source: Mapping[str, Any], mode: int) -> Files:
    data = {key: base64.b64decode(value) for key, value in ((obj or {}).get("data") or {}).items()}
    return _select(data, source, mode, "references non-existent secret key: {}")


def downward_files(
    pod: Object, items: Sequence[Mapping[str, Any]], mode: int, facts: downward.Facts
) -> Files:
    files: Files = {}
    for item in items:
        if "fieldRef" in item:
            text = downward.field_value(pod, item["fieldRef"]["fieldPath"], facts)
        else:
            reference = item["resourceFieldRef"]
            text = downward.resource_value(pod, {"name": ""}, reference, facts)
        files[item["path"]] = File(text.encode(), item.get("mode", mode))
    return files


def _select(data: Mapping[str, bytes], source: Mapping[str, Any], mode: int, missing: str) -> Files:
    """All keys, or those in `items` under their paths."""
    items = source.get("items")
    if not items:
        return {key: File(content, mode) for key, content in data.items()}
    files: Files = {}
    for item in items:
        if item["key"] in data:
            files[item["path"]] = File(data[item["key"]], item.get("mode", mode))
        elif not source.get("optional"):
            raise VolumeError(missing.format(item["key"]))
    return files


def references(
    volume: Mapping[str, Any],
) -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]]:
    """The config map and secret sources in a volume."""
    maps: list[Mapping[str, Any]] = []
    secrets: list[Mapping[str, Any]] = []
    if "configMap" in volume:
        maps.append(volume["configMap"])
    if "secret" in volume:
        secrets.append({**volume["secret"], "name": volume["secret"].get("secretName", "")})
    for source in (volume.get("projected") or {}).get("sources") or []:
        if "configMap" in source:
            maps.append(source["configMap"])
        if "secret" in source:
            secrets.append(source["secret"])
    return maps, secrets


def volume_files(
    pod: Object,
    volume: Mapping[str, Any],
    *,
    config_map: Callable[[Mapping[str, Any]], Object | None],
    secret: Callable[[Mapping[str, Any]], Object | None],
    token: Callable[[Mapping[str, Any]], str],
    facts: downward.Facts,
) -> Files:
    """The files of one volume; the callables answer what was fetched for a source. Raises VolumeError."""
    if "configMap" in volume:
        source = volume["configMap"]
        return config_map_files(config_map(source), source, source.get("defaultMode", MODE_DEFAULT))
    if "secret" in volume:
        source = {**volume["secret"], "name": volume["secret"].get("secretName", "")}
        return secret_files(secret(source), source, source.get("defaultMode", MODE_DEFAULT))
    if "downwardAPI" in volume:
        source = volume["downwardAPI"]
        mode = source.get("defaultMode", MODE_DEFAULT)
        return downward_files(pod, source.get("items") or [], mode, facts)
    files: Files = {}
    mode = volume["projected"].get("defaultMode", MODE_DEFAULT)
    for source in volume["projected"].get("sources") or []:
        if "configMap" in source:
            files |= config_map_files(config_map(source["configMap"]), source["configMap"], mode)
        elif "secret" in source:
            files |= secret_files(secret(source["secret"]), source["secret"], mode)
        elif "downwardAPI" in source:
            files |= downward_files(pod, source["downwardAPI"].get("items") or [], mode, facts)
        elif "serviceAccountToken" in source:
            projection = source["serviceAccountToken"]
            files[projection["path"]] = File(token(projection).encode(), _token_mode(pod, mode))
    return files


def _token_mode(pod: Object, mode: int) -> int:
    """A token is readable by whoever runs as root alone, or by the group where there is one."""
    spec = pod.get("spec") or {}
    context = spec.get("securityContext") or {}
    users = {
        (container.get("securityContext") or {}).get("runAsUser", context.get("runAsUser"))
        for container in spec.get("containers") or []
    }
    if context.get("fsGroup") is not None or users == {0}:
        return 0o600
    return mode

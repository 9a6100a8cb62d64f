"""Volumes of a pod, and how containers mount them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson

from mamekube.kinds.core import claims
from mamekube.kinds.fields import (
    Found,
    check_no_backsteps,
    check_quantity,
    check_relative,
    check_required,
)
from mamekube.kinds.podspec.environment import VOLUME_FIELDS, validate_field, validate_resource_field
from mamekube.objects import names
from mamekube.objects.fielderrors import duplicate, forbidden, invalid, not_found, not_supported, required

HOST_PATH_TYPES = frozenset(
    ("", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket")
)
PROPAGATIONS = frozenset(("Bidirectional", "HostToContainer", "None"))
FILE_MODE_MAX = 0o777
FILE_MODE = "must be a number between 0 and 0777 (octal), both inclusive"
TOKEN_S_MIN = 600
TOKEN_S_MAX = 1 << 32
SOURCES_KEPT_MAX = 1_000
SOURCES_BYTES_MAX = 2_000
"""Of what volumes are made of and was found right; longer ones are looked at each time."""

_REQUIRED = {
    "persistentVolumeClaim": ("claimName",),
    "nfs": ("server", "path"),
    "csi": ("driver",),
    "gcePersistentDisk": ("pdName",),
    "awsElasticBlockStore": ("volumeID",),
    "gitRepo": ("repository",),
    "glusterfs": ("endpoints", "path"),
    "iscsi": ("targetPortal", "iqn"),
    "rbd": ("image",),
    "cinder": ("volumeID",),
    "azureFile": ("secretName", "shareName"),
    "vsphereVolume": ("volumePath",),
    "local": ("path",),
}


def validate(volumes: Iterable[dict[str, Any]], path: str, found: Found) -> dict[str, Any]:
    """Answers the right ones by name, which is what mounts may refer to."""
    known: dict[str, Any] = {}
    for index, volume in enumerate(volumes):
        volume_path, before = f"{path}[{index}]", len(found)
        validate_sources({key: volume[key] for key in volume if key != "name"}, volume_path, found)
        name = volume.get("name")
        check_required(name, f"{volume_path}.name", names.dns1123_label, found)
        if name in known:
            found.append(duplicate(f"{volume_path}.name", name))
        if len(found) == before and name:
            known[name] = volume
    return known


def validate_sources(sources: dict[str, Any], path: str, found: Found) -> None:
    """Exactly one of the fields that say what a volume is made of.

    What was found right is remembered: every pod has the volume with its token, and all pods of a template the rest.
    """
    text, before = orjson.dumps(sources), len(found)
    if text in _right:
        return
    _validate_sources(sources, path, found)
    if len(found) == before and len(text) <= SOURCES_BYTES_MAX:
        if len(_right) >= SOURCES_KEPT_MAX:
            _right.clear()
        _right.add(text)


_right: set[bytes] = set()


def _validate_sources(sources: dict[str, Any], path: str, found: Found) -> None:
    given = [(field, source) for field, source in sources.items() if source is not None]
    if not given:
        found.append(required(path, "must specify a volume type"))
        return
    for field, _ in given[1:]:
        found.append(forbidden(f"{path}.{field}", "may not specify more than 1 volume type"))
    field, source = given[0]
    source_path = f"{path}.{field}"
    for needed in _REQUIRED.get(field, ()):
        if not source.get(needed):
            found.append(required(f"{source_path}.{needed}"))
    validate_one = _SOURCES.get(field)
    if validate_one is not None:
        validate_one(source, source_path, found)


def _empty_dir(source: dict[str, Any], path: str, found: Found) -> None:
    if source.get("sizeLimit") is not None:
        check_quantity(source["sizeLimit"], f"{path}.sizeLimit", found)


def _host_path(source: dict[str, Any], path: str, found: Found) -> None:
    if not source.get("path"):
        found.append(required(f"{path}.path"))
        return
    check_no_backsteps(source["path"], f"{path}.path", found)
    if (source.get("type") or "") not in HOST_PATH_TYPES:
        found.append(not_supported(f"{path}.type", source["type"], HOST_PATH_TYPES))


def _nfs(source: dict[str, Any], path: str, found: Found) -> None:
    if source.get("path") and not source["path"].startswith("/"):
        found.append(invalid(f"{path}.path", source["path"], "must be an absolute path"))


def _secret(source: dict[str, Any], path: str, found: Found) -> None:
    if not source.get("secretName"):
        found.append(required(f"{path}.secretName"))
    _files(source, path, found)


def _config_map(source: dict[str, Any], path: str, found: Found) -> None:
    if not source.get("name"):
        found.append(required(f"{path}.name"))
    _files(source, path, found)


def _files(source: dict[str, Any], path: str, found: Found) -> None:
    """Keys of a Secret or ConfigMap that become files."""
    _mode(source, "defaultMode", path, found)
    for index, item in enumerate(source.get("items") or ()):
        item_path = f"{path}.items[{index}]"
        if not item.get("key"):
            found.append(required(f"{item_path}.key"))
        _file_path(item, item_path, found)
        _mode(item, "mode", item_path, found)


def _mode(section: dict[str, Any], field: str, path: str, found: Found) -> None:
    mode = section.get(field)
    if mode is not None and not 0 <= mode <= FILE_MODE_MAX:
        found.append(invalid(f"{path}.{field}", mode, FILE_MODE))


def _file_path(item: dict[str, Any], path: str, found: Found) -> None:
    target = item.get("path")
    if not target:
        found.append(required(f"{path}.path"))
        return
    check_relative(target, f"{path}.path", found)
    if target.startswith("..") and not target.startswith("../"):
        found.append(invalid(f"{path}.path", target, "must not start with '..'"))


def _downward(source: dict[str, Any], path: str, found: Found) -> None:
    _mode(source, "defaultMode", path, found)
    for item in source.get("items") or ():
        _downward_item(item, path, found)


def _downward_item(item: dict[str, Any], path: str, found: Found) -> None:
    _file_path(item, path, found)
    field, resource = item.get("fieldRef"), item.get("resourceFieldRef")
    if field is not None:
        validate_field(field, f"{path}.fieldRef", VOLUME_FIELDS, found)
        if resource is not None:
            detail = "fieldRef and resourceFieldRef can not be specified simultaneously"
            found.append(invalid(path, "resource", detail))
    elif resource is not None:
        validate_resource_field(resource, f"{path}.resourceFieldRef", found, volume=True)
    else:
        found.append(required(path, "one of fieldRef and resourceFieldRef is required"))
    _mode(item, "mode", path, found)


def _projected(source: dict[str, Any], path: str, found: Found) -> None:
    _mode(source, "defaultMode", path, found)
    for index, part in enumerate(source.get("sources") or ()):
        part_path = f"{path}.sources[{index}]"
        given = [field for field, value in part.items() if value is not None]
        if len(given) > 1:
            found.append(forbidden(part_path, "may not specify more than 1 volume type"))
        for field in given:
            one, one_path = part[field], f"{part_path}.{field}"
            if field in ("secret", "configMap"):
                if not one.get("name"):
                    found.append(required(f"{one_path}.name"))
                _files(one, one_path, found)
            elif field == "downwardAPI":
                _downward(one, one_path, found)
            elif field == "serviceAccountToken":
                _token(one, one_path, found)


def _token(source: dict[str, Any], path: str, found: Found) -> None:
    seconds = source.get("expirationSeconds")
    if seconds is not None and seconds < TOKEN_S_MIN:
        detail = "may not specify a duration less than 10 minutes"
        found.append(invalid(f"{path}.expirationSeconds", seconds, detail))
    elif seconds is not None and seconds > TOKEN_S_MAX:
        detail = "may not specify a duration larger than 2^32 seconds"
        found.append(invalid(f"{path}.expirationSeconds", seconds, detail))
    _file_path(source, path, found)


def _ephemeral(source: dict[str, Any], path: str, found: Found) -> None:
    template = source.get("volumeClaimTemplate")
    if template is None:
        found.append(required(f"{path}.volumeClaimTemplate"))
    else:
        claims.validate_spec(template.get("spec") or {}, f"{path}.volumeClaimTemplate.spec", found)


_SOURCES = {
    "ephemeral": _ephemeral,
    "emptyDir": _empty_dir,
    "hostPath": _host_path,
    "nfs": _nfs,
    "secret": _secret,
    "configMap": _config_map,
    "downwardAPI": _downward,
    "projected": _projected,
}


def validate_mounts(container: dict[str, Any], known: dict[str, Any], path: str, found: Found) -> None:
    """`volumeMounts` of the container at `path`; `known` are the volumes of the pod by name."""
    devices = container.get("volumeDevices") or ()
    seen = set()
    for index, mount in enumerate(container.get("volumeMounts") or ()):
        mount_path = f"{path}.volumeMounts[{index}]"
        name, target = mount.get("name") or "", mount.get("mountPath") or ""
        if not name:
            found.append(required(f"{mount_path}.name"))
        if name not in known:
            found.append(not_found(f"{mount_path}.name", name))
        if not target:
            found.append(required(f"{mount_path}.mountPath"))
        if target in seen:
            found.append(invalid(f"{mount_path}.mountPath", target, "must be unique"))
        seen.add(target)
        if any(device.get("name") == name for device in devices):
            found.append(invalid(f"{mount_path}.name", name, "must not already exist in volumeDevices"))
        if any(device.get("devicePath") == target for device in devices):
            detail = "must not already exist as a path in volumeDevices"
            found.append(invalid(f"{mount_path}.mountPath", target, detail))
        if mount.get("subPath") or mount.get("subPathExpr"):
            _validate_sub_path(mount, mount_path, f"{path}.volumeMounts", found)
        if mount.get("mountPropagation"):
            _validate_propagation(mount["mountPropagation"], container, mount_path, found)


def _validate_sub_path(mount: dict[str, Any], path: str, list_path: str, found: Found) -> None:
    # Upstream names the list and not the mount here.
    if mount.get("subPath"):
        check_relative(mount["subPath"], f"{list_path}.subPath", found)
    if mount.get("subPathExpr"):
        if mount.get("subPath"):
            detail = "subPathExpr and subPath are mutually exclusive"
            found.append(invalid(f"{path}.subPathExpr", mount["subPathExpr"], detail))
        check_relative(mount["subPathExpr"], f"{list_path}.subPathExpr", found)


def _validate_propagation(value: str, container: dict[str, Any], path: str, found: Found) -> None:
    privileged = (container.get("securityContext") or {}).get("privileged")
    if value not in PROPAGATIONS:
        found.append(not_supported(f"{path}.mountPropagation", value, PROPAGATIONS))
    elif value == "Bidirectional" and not privileged:
        detail = "Bidirectional mount propagation is available only to privileged containers"
        found.append(forbidden(f"{path}.mountPropagation", detail))


def validate_devices(container: dict[str, Any], known: dict[str, Any], path: str, found: Found) -> None:
    names_seen: set[str] = set()
    for index, device in enumerate(container.get("volumeDevices") or ()):
        device_path, name = f"{path}.volumeDevices[{index}]", device.get("name") or ""
        if not name:
            found.append(required(f"{device_path}.name"))
        if name in names_seen:
            found.append(invalid(f"{device_path}.name", name, "must be unique"))
        if name not in known:
            found.append(not_found(f"{device_path}.name", name))
        if not device.get("devicePath"):
            found.append(required(f"{device_path}.devicePath"))
        else:
            check_no_backsteps(device["devicePath"], f"{device_path}.devicePath", found)
        names_seen.add(name)

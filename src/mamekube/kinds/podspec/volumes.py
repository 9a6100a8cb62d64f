"""Volumes of a pod, and how containers mount them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mamekube.kinds.fields import Found, check_no_backsteps, check_relative, check_required
from mamekube.kinds.podspec import volumesources
from mamekube.objects import names
from mamekube.objects.fielderrors import duplicate, forbidden, invalid, not_found, not_supported, required

PROPAGATIONS = frozenset(("Bidirectional", "HostToContainer", "None"))
RECURSIVE_READ_ONLY = frozenset(("Disabled", "Enabled", "IfPossible"))
PORTAL_LENGTH_MAX = 64

_OF_NAMES = frozenset(("iscsi", "ephemeral", "image"))


def validate(
    volumes: Iterable[dict[str, Any]], path: str, found: Found, *, pod_name: str = "", is_pod: bool = False
) -> dict[str, Any]:
    """Answers the right ones by name, which is what mounts may refer to. `pod_name` is empty in templates."""
    known: dict[str, Any] = {}
    made = {f"{pod_name}-{volume.get('name')}" for volume in volumes if volume.get("ephemeral") and pod_name}
    for index, volume in enumerate(volumes):
        volume_path, before = f"{path}[{index}]", len(found)
        volumesources.validate({key: volume[key] for key in volume if key != "name"}, volume_path, found)
        if not _OF_NAMES.isdisjoint(volume):
            _validate_with_name(volume, volume_path, found, pod_name=pod_name, is_pod=is_pod)
        name = volume.get("name")
        check_required(name, f"{volume_path}.name", names.dns1123_label, found)
        if name in known:
            found.append(duplicate(f"{volume_path}.name", name))
        if len(found) == before and name:
            known[name] = volume
        claim = (volume.get("persistentVolumeClaim") or {}).get("claimName") if made else None
        if claim in made:
            detail = "must not reference a PVC that gets created for an ephemeral volume"
            found.append(invalid(f"{volume_path}.persistentVolumeClaim.claimName", claim, detail))
    return known


def _validate_with_name(
    volume: dict[str, Any], path: str, found: Found, *, pod_name: str, is_pod: bool
) -> None:
    """What depends on the names of the volume and its pod, and on whether there is a pod yet."""
    name = volume.get("name") or ""
    iscsi = volume.get("iscsi") or {}
    portal = f"{name}:{iscsi.get('targetPortal') or ''}"
    if iscsi.get("initiatorName") is not None and len(portal) > PORTAL_LENGTH_MAX:
        detail = (
            "Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if "
            "iscsi.initiatorName is specified."
        )
        found.append(invalid(f"{path}.name", name, detail))
    if volume.get("ephemeral") is not None and pod_name and name:
        claim = f"{pod_name}-{name}"
        for message in names.dns1123_subdomain(claim):
            found.append(invalid(f"{path}.name", name, f'PVC name "{claim}": {message}'))
    image = volume.get("image")
    if is_pod and image is not None and not image.get("reference"):
        found.append(required(f"{path}.image.reference"))


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
        if mount.get("mountPropagation") is not None:
            propagation_path = f"{path}.volumeMounts.mountPropagation"
            _validate_propagation(mount["mountPropagation"], container, propagation_path, found)
        if mount.get("recursiveReadOnly") is not None:
            _validate_recursive(mount, f"{path}.volumeMounts.recursiveReadOnly", found)


def _validate_sub_path(mount: dict[str, Any], path: str, list_path: str, found: Found) -> None:
    # Upstream names the list and not the mount here, as for the two below.
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
        found.append(not_supported(path, value, PROPAGATIONS))
    elif value == "Bidirectional" and not privileged:
        detail = "Bidirectional mount propagation is available only to privileged containers"
        found.append(forbidden(path, detail))


def _validate_recursive(mount: dict[str, Any], path: str, found: Found) -> None:
    value = mount["recursiveReadOnly"]
    if value not in RECURSIVE_READ_ONLY:
        found.append(not_supported(path, value, RECURSIVE_READ_ONLY))
    elif value != "Disabled":
        if not mount.get("readOnly"):
            found.append(forbidden(path, "may only be specified when readOnly is true"))
        if mount.get("mountPropagation") not in (None, "None"):
            detail = "may only be specified when mountPropagation is None or not specified"
            found.append(forbidden(path, detail))


def validate_devices(container: dict[str, Any], known: dict[str, Any], path: str, found: Found) -> None:
    names_seen: set[str] = set()
    paths_seen: set[str] = set()
    mounts = {mount.get("name"): mount.get("mountPath") for mount in container.get("volumeMounts") or ()}
    for index, device in enumerate(container.get("volumeDevices") or ()):
        device_path = f"{path}.volumeDevices[{index}]"
        name, target = device.get("name") or "", device.get("devicePath") or ""
        volume = known.get(name)
        if not name:
            found.append(required(f"{device_path}.name"))
        if name in names_seen:
            found.append(invalid(f"{device_path}.name", name, "must be unique"))
        if volume is None:
            found.append(not_found(f"{device_path}.name", name))
        elif volume.get("persistentVolumeClaim") is None and volume.get("ephemeral") is None:
            detail = "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode"
            found.append(invalid(f"{device_path}.name", name, detail))
        _validate_device_path(target, paths_seen, f"{device_path}.devicePath", found)
        if name in mounts:
            found.append(invalid(f"{device_path}.name", name, "must not already exist in volumeMounts"))
        if target in mounts.values():
            detail = "must not already exist as a path in volumeMounts"
            found.append(invalid(f"{device_path}.devicePath", target, detail))
        if name:
            names_seen.add(name)


def _validate_device_path(target: str, seen: set[str], path: str, found: Found) -> None:
    if not target:
        found.append(required(path))
    if target in seen:
        found.append(invalid(path, target, "must be unique"))
    steps: Found = []
    check_no_backsteps(target, path, steps)
    if steps:
        found.append(invalid(path, target, "can not contain backsteps ('..')"))
    else:
        seen.add(target)

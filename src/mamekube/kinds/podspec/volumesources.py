"""What volumes are made of, in pods and in PersistentVolumes: the fields that every source must have."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from mamekube.kinds.core import claims
from mamekube.kinds.fields import (
    Found,
    check,
    check_annotations,
    check_choice,
    check_driver,
    check_labels,
    check_no_backsteps,
    check_quantity,
    check_relative,
)
from mamekube.kinds.podspec import projections
from mamekube.objects import names
from mamekube.objects.fielderrors import forbidden, invalid, not_supported, required

HOST_PATH_TYPES = frozenset(
    ("", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket")
)
PULL_POLICIES = frozenset(("Always", "IfNotPresent", "Never"))
CACHING_MODES = frozenset(("None", "ReadOnly", "ReadWrite"))
DISK_KINDS = frozenset(("Dedicated", "Managed", "Shared"))
MANAGED_DISK = (
    "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}"
)
BLOB_DISK = "https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd"
UNIT_MAX = 255
"""Of partitions and LUNs."""

_INITIATORS = {
    "iqn": re.compile(r"iqn\.\d{4}-\d{2}\.([A-Za-z0-9.-]+)(:[^,;*&$|\s]+)$", re.ASCII),
    "eui": re.compile(r"^eui.[A-Za-z0-9]{16}$"),
    "naa": re.compile(r"^naa.[A-Za-z0-9]{32}$"),
}

# Upstream looks at the sources in these orders: of several, the first is the one.
IN_PODS = (
    "emptyDir",
    "hostPath",
    "gitRepo",
    "gcePersistentDisk",
    "awsElasticBlockStore",
    "secret",
    "nfs",
    "iscsi",
    "glusterfs",
    "flocker",
    "persistentVolumeClaim",
    "rbd",
    "cinder",
    "cephfs",
    "quobyte",
    "downwardAPI",
    "fc",
    "flexVolume",
    "configMap",
    "azureFile",
    "vsphereVolume",
    "photonPersistentDisk",
    "portworxVolume",
    "azureDisk",
    "storageos",
    "projected",
    "scaleIO",
    "csi",
    "ephemeral",
    "image",
)
PERSISTENT = (
    "hostPath",
    "gcePersistentDisk",
    "awsElasticBlockStore",
    "glusterfs",
    "flocker",
    "nfs",
    "rbd",
    "quobyte",
    "cephfs",
    "iscsi",
    "cinder",
    "fc",
    "flexVolume",
    "azureFile",
    "vsphereVolume",
    "photonPersistentDisk",
    "portworxVolume",
    "azureDisk",
    "scaleIO",
    "local",
    "storageos",
    "csi",
)
_REQUIRED = {
    "persistentVolumeClaim": ("claimName",),
    "nfs": ("server", "path"),
    "gcePersistentDisk": ("pdName",),
    "awsElasticBlockStore": ("volumeID",),
    "gitRepo": ("repository",),
    "glusterfs": ("endpoints", "path"),
    "iscsi": ("targetPortal", "iqn"),
    "rbd": ("monitors", "image"),
    "cinder": ("volumeID",),
    "cephfs": ("monitors",),
    "flexVolume": ("driver",),
    "azureFile": ("secretName", "shareName"),
    "azureDisk": ("diskName", "diskURI"),
    "vsphereVolume": ("volumePath",),
    "photonPersistentDisk": ("pdID",),
    "portworxVolume": ("volumeID",),
    "scaleIO": ("gateway", "system", "volumeName"),
    "storageos": ("volumeName",),
    "local": ("path",),
    "secret": ("secretName",),
    "configMap": ("name",),
    "ephemeral": ("volumeClaimTemplate",),
}
_SHOWN_AS = {"gcePersistentDisk": "persistentDisk"}
_SECOND_SHOWN_AS = {"cephfs": "cephFS", "downwardAPI": "downwarAPI"}


def validate(sources: Mapping[str, Any], path: str, found: Found, *, persistent: bool = False) -> None:
    """Exactly one of the fields that say what a volume is made of."""
    order = PERSISTENT if persistent else IN_PODS
    given = [field for field in order if sources.get(field) is not None]
    if not given:
        found.append(required(path, "must specify a volume type"))
        return
    field, *others = given
    source, source_path = sources[field], f"{path}.{_SHOWN_AS.get(field, field)}"
    for needed in _REQUIRED.get(field, ()):
        if not source.get(needed):
            found.append(required(f"{source_path}.{needed}"))
    validate_one = (_PERSISTENT_FORMS if persistent else {}).get(field) or _FORMS.get(field)
    if validate_one is not None:
        validate_one(source, source_path, found)
    for other in others:
        shown = _SECOND_SHOWN_AS.get(other, other)
        found.append(forbidden(f"{path}.{shown}", "may not specify more than 1 volume type"))


def _empty_dir(source: Mapping[str, Any], path: str, found: Found) -> None:
    limit: Found = []
    if source.get("sizeLimit") is not None:
        check_quantity(source["sizeLimit"], f"{path}.sizeLimit", limit)
    if limit:
        found.append(forbidden(f"{path}.sizeLimit", "SizeLimit field must be a valid resource quantity"))


def _host_path(source: Mapping[str, Any], path: str, found: Found) -> None:
    if not source.get("path"):
        found.append(required(f"{path}.path"))
        return
    check_no_backsteps(source["path"], f"{path}.path", found)
    if (source.get("type") or "") not in HOST_PATH_TYPES:
        found.append(not_supported(f"{path}.type", source["type"], HOST_PATH_TYPES))


def _local(source: Mapping[str, Any], path: str, found: Found) -> None:
    check_no_backsteps(source.get("path") or "", f"{path}.path", found)


def _git(source: Mapping[str, Any], path: str, found: Found) -> None:
    check_relative(source.get("directory") or "", f"{path}.directory", found)


def _disk(source: Mapping[str, Any], path: str, found: Found) -> None:
    if not 0 <= (source.get("partition") or 0) <= UNIT_MAX:
        found.append(invalid(f"{path}.partition", source["partition"], names.in_range(1, UNIT_MAX)))


def _nfs(source: Mapping[str, Any], path: str, found: Found) -> None:
    target = source.get("path") or ""
    if not target.startswith("/"):
        found.append(invalid(f"{path}.path", target, "must be an absolute path"))


def _iscsi(source: Mapping[str, Any], path: str, found: Found) -> None:
    name = source.get("iqn")
    if name:
        _initiator(name, f"{path}.iqn", found)
    if not 0 <= (source.get("lun") or 0) <= UNIT_MAX:
        found.append(invalid(f"{path}.lun", source["lun"], names.in_range(0, UNIT_MAX)))
    if (source.get("chapAuthDiscovery") or source.get("chapAuthSession")) and not source.get("secretRef"):
        found.append(required(f"{path}.secretRef"))
    if source.get("initiatorName") is not None:
        _initiator(source["initiatorName"], f"{path}.initiatorname", found)


def _initiator(name: str, path: str, found: Found) -> None:
    form = _INITIATORS.get(name[:3])
    if form is None:
        found.append(invalid(path, name, "must be valid format starting with iqn, eui, or naa"))
    elif not form.search(name):
        found.append(invalid(path, name, "must be valid format"))


def _flocker(source: Mapping[str, Any], path: str, found: Found) -> None:
    name, uid = source.get("datasetName") or "", source.get("datasetUUID") or ""
    if not name and not uid:
        found.append(required(path, "one of datasetName and datasetUUID is required"))
    if name and uid:
        detail = "datasetName and datasetUUID can not be specified simultaneously"
        found.append(invalid(path, "resource", detail))
    if "/" in name:
        found.append(invalid(f"{path}.datasetName", name, "must not contain '/'"))


def _cinder(source: Mapping[str, Any], path: str, found: Found) -> None:
    if source.get("secretRef") is not None and not source["secretRef"].get("name"):
        found.append(required(f"{path}.secretRef.name"))


def _quobyte(source: Mapping[str, Any], path: str, found: Found) -> None:
    registry, detail = (
        source.get("registry") or "",
        "must be a host:port pair or multiple pairs separated by commas",
    )
    if not registry:
        found.append(required(f"{path}.registry", detail))
    elif len(source.get("tenant") or "") >= 65:
        tenant = "must be a UUID and may not exceed a length of 64 characters"
        found.append(required(f"{path}.tenant", tenant))
    else:
        found.extend(
            invalid(f"{path}.registry", registry, detail) for pair in registry.split(",") if ":" not in pair
        )
    if not source.get("volume"):
        found.append(required(f"{path}.volume"))


def _fibre_channel(source: Mapping[str, Any], path: str, found: Found) -> None:
    targets, ids, lun = source.get("targetWWNs"), source.get("wwids"), source.get("lun")
    if not targets and not ids:
        detail = "must specify either targetWWNs or wwids, but not both"
        found.append(required(f"{path}.targetWWNs", detail))
    if targets and ids:
        detail = "targetWWNs and wwids can not be specified simultaneously"
        found.append(invalid(f"{path}.targetWWNs", targets, detail))
    if targets and lun is None:
        found.append(required(f"{path}.lun", "lun is required if targetWWNs is specified"))
    elif targets and lun is not None and not 0 <= lun <= UNIT_MAX:
        found.append(invalid(f"{path}.lun", lun, names.in_range(0, UNIT_MAX)))


def _flex_volume(source: Mapping[str, Any], path: str, found: Found) -> None:
    for key in source.get("options") or ():
        domain = f".{key.partition('/')[0].lower()}"
        if domain.endswith((".kubernetes.io", ".k8s.io")):
            detail = "kubernetes.io and k8s.io namespaces are reserved"
            found.append(invalid(f"{path}.options[{key}]", key, detail))


def _azure_disk(source: Mapping[str, Any], path: str, found: Found) -> None:
    kind, uri = source.get("kind"), source.get("diskURI") or ""
    for field, words in (("cachingMode", CACHING_MODES), ("kind", DISK_KINDS)):
        word = source.get(field)
        if word is not None and word not in words:
            found.append(not_supported(f"{path}.{field}", word, words))
    if kind == "Managed" and not uri.startswith("/subscriptions/"):
        found.append(not_supported(f"{path}.diskURI", uri, (MANAGED_DISK,)))
    elif kind not in (None, "Managed") and not uri.startswith("https://"):
        found.append(not_supported(f"{path}.diskURI", uri, (BLOB_DISK,)))


def _storage_os(source: Mapping[str, Any], path: str, found: Found) -> None:
    for field in ("volumeName", "volumeNamespace"):
        if source.get(field):
            check(source[field], f"{path}.{field}", names.dns1123_label, found)
    _cinder(source, path, found)


def _csi(source: Mapping[str, Any], path: str, found: Found) -> None:
    check_driver(source.get("driver"), f"{path}.driver", found)
    reference = source.get("nodePublishSecretRef")
    if reference is not None and not reference.get("name"):
        found.append(required(f"{path}.nodePublishSecretRef.name"))
    elif reference is not None:
        check(reference["name"], f"{path}.name", names.dns1123_subdomain, found)


def _persistent_csi(source: Mapping[str, Any], path: str, found: Found) -> None:
    check_driver(source.get("driver"), f"{path}.driver", found)
    if not source.get("volumeHandle"):
        found.append(required(f"{path}.volumeHandle"))
    for field in ("controllerPublish", "controllerExpand", "nodePublish", "nodeExpand"):
        reference = source.get(f"{field}SecretRef")
        if reference is None:
            continue
        for part, rule in (("name", names.dns1123_subdomain), ("namespace", names.dns1123_label)):
            part_path = f"{path}.{field}SecretRef.{part}"
            if not reference.get(part):
                found.append(required(part_path))
            else:
                check(reference[part], part_path, rule, found)


def _ephemeral(source: Mapping[str, Any], path: str, found: Found) -> None:
    template = source.get("volumeClaimTemplate")
    if template is None:
        return
    meta, path = template.get("metadata") or {}, f"{path}.volumeClaimTemplate"
    check_annotations(meta.get("annotations"), f"{path}.metadata.annotations", found)
    check_labels(meta.get("labels"), f"{path}.metadata.labels", found)
    for field, value in meta.items():
        if value and field not in ("annotations", "labels"):
            found.append(forbidden(f"{path}.metadata.{field}", "cannot be set"))
    claims.validate_spec(template.get("spec") or {}, f"{path}.spec", found)


def _image(source: Mapping[str, Any], path: str, found: Found) -> None:
    check_choice(source.get("pullPolicy"), f"{path}.pullPolicy", PULL_POLICIES, found)


_FORMS: Mapping[str, Callable[[Mapping[str, Any], str, Found], None]] = {
    "emptyDir": _empty_dir,
    "hostPath": _host_path,
    "gitRepo": _git,
    "gcePersistentDisk": _disk,
    "awsElasticBlockStore": _disk,
    "secret": projections.validate_files,
    "nfs": _nfs,
    "iscsi": _iscsi,
    "flocker": _flocker,
    "cinder": _cinder,
    "quobyte": _quobyte,
    "downwardAPI": projections.validate_downward,
    "fc": _fibre_channel,
    "flexVolume": _flex_volume,
    "configMap": projections.validate_files,
    "azureDisk": _azure_disk,
    "storageos": _storage_os,
    "projected": projections.validate,
    "csi": _csi,
    "ephemeral": _ephemeral,
    "image": _image,
    "local": _local,
}
_PERSISTENT_FORMS = {"csi": _persistent_csi}
"""Of what a PersistentVolume asks more of."""

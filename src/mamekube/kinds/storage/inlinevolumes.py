"""The volume that a VolumeAttachment spells out in place of naming a PersistentVolume."""

from __future__ import annotations

from typing import Any

from mamekube.kinds.core import claims
from mamekube.kinds.core.persistentvolumes import sources_of
from mamekube.kinds.fields import Found
from mamekube.kinds.podspec import volumesources
from mamekube.kinds.podspec.defaults import canonicalize, default_volume_source
from mamekube.objects.fielderrors import forbidden, required

_CONTEXT = "in the context of inline volumes"
NOT_HERE = f"may not be specified {_CONTEXT}"


def default(spec: dict[str, Any]) -> None:
    canonicalize(spec.get("capacity"))
    for name in sources_of(spec):
        default_volume_source(name, spec[name])


def validate(spec: dict[str, Any], path: str, found: Found) -> None:
    found += [forbidden(f"{path}.{field}", NOT_HERE) for field in ("claimRef", "capacity") if spec.get(field)]
    if spec.get("csi") is None:
        found.append(required(f"{path}.csi", f"has to be specified {_CONTEXT}"))
    claims.validate_access_modes(spec, path, found, missing="")
    policy, mode = spec.get("persistentVolumeReclaimPolicy"), spec.get("volumeMode")
    if policy and policy != "Retain":
        detail = f"may only be Retain {_CONTEXT}"
        found.append(forbidden(f"{path}.persistentVolumeReclaimPolicy", detail))
    if spec.get("nodeAffinity") is not None:
        found.append(forbidden(f"{path}.nodeAffinity", NOT_HERE))
    sources = {name: spec[name] for name in sources_of(spec)}
    volumesources.validate(sources, path, found, persistent=True)
    if spec.get("storageClassName"):
        found.append(forbidden(f"{path}.storageClassName", NOT_HERE))
    if mode is not None and mode != "Filesystem":
        detail = f"may not specify volumeMode other than Filesystem {_CONTEXT}"
        found.append(forbidden(f"{path}.volumeMode", detail))

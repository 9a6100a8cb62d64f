"""What a pod names: the objects of its namespace that its containers and volumes are made of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def named(spec: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """(resource, name) of every secret, config map and claim in a pod's spec."""
    for reference in spec.get("imagePullSecrets") or ():
        yield "secrets", reference.get("name", "")
    for field in ("initContainers", "containers", "ephemeralContainers"):
        for container in spec.get(field) or ():
            yield from _by_container(container)
    for volume in spec.get("volumes") or ():
        yield from _by_volume(volume)
    for claim in spec.get("resourceClaims") or ():
        yield "resourceclaims", claim.get("resourceClaimName", "")


def _by_container(container: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for source in container.get("envFrom") or ():
        yield "configmaps", (source.get("configMapRef") or {}).get("name", "")
        yield "secrets", (source.get("secretRef") or {}).get("name", "")
    for variable in container.get("env") or ():
        source = variable.get("valueFrom") or {}
        yield "configmaps", (source.get("configMapKeyRef") or {}).get("name", "")
        yield "secrets", (source.get("secretKeyRef") or {}).get("name", "")


def _by_volume(volume: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield "configmaps", (volume.get("configMap") or {}).get("name", "")
    yield "secrets", (volume.get("secret") or {}).get("secretName", "")
    yield "persistentvolumeclaims", (volume.get("persistentVolumeClaim") or {}).get("claimName", "")
    yield "secrets", ((volume.get("csi") or {}).get("nodePublishSecretRef") or {}).get("name", "")
    for driver in ("flexVolume", "cephfs", "rbd", "scaleIO", "iscsi", "storageos"):
        yield "secrets", ((volume.get(driver) or {}).get("secretRef") or {}).get("name", "")
    yield "secrets", (volume.get("azureFile") or {}).get("secretName", "")
    for source in (volume.get("projected") or {}).get("sources") or ():
        yield "configmaps", (source.get("configMap") or {}).get("name", "")
        yield "secrets", (source.get("secret") or {}).get("name", "")

"""The volumes of a pod, as its description lists them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mamekube.kubectl.describe.writer import Writer

KINDS = {
    "emptyDir": "EmptyDir (a temporary directory that shares a pod's lifetime)",
    "hostPath": "HostPath (bare host directory volume)",
    "secret": "Secret (a volume populated by a Secret)",
    "configMap": "ConfigMap (a volume populated by a ConfigMap)",
    "persistentVolumeClaim": "PersistentVolumeClaim (a reference to a PersistentVolumeClaim in the same namespace)",
    "downwardAPI": "DownwardAPI (a volume populated by information about the pod)",
    "projected": "Projected (a volume that contains injected data from multiple sources)",
    "nfs": "NFS (an NFS mount that lasts the lifetime of a pod)",
    "csi": "CSI (a Container Storage Interface (CSI) volume source)",
    "ephemeral": "EphemeralVolume (an inline specification for a volume that gets created and deleted with the pod)",
}


def describe_volumes(writer: Writer, volumes: Sequence[Mapping[str, Any]], *, prefix: str = "") -> None:
    if not volumes:
        writer.line(0, f"{prefix}Volumes:\t<none>")
        return
    writer.line(0, f"{prefix}Volumes:")
    for volume in volumes:
        writer.line(0, f"{prefix} {volume['name']}:" if prefix else f"  {volume['name']}:")
        kind = next((name for name in KINDS if name in volume), "")
        if not kind:
            writer.line(0, "  <unknown>")
            continue
        writer.line(2, f"Type:\t{KINDS[kind]}")
        for label, value in _details(kind, volume[kind] or {}):
            writer.line(2, f"{label}:\t{value}")


def _details(kind: str, source: Mapping[str, Any]) -> list[tuple[str, str]]:
    match kind:
        case "emptyDir":
            limit = source.get("sizeLimit")
            return [("Medium", source.get("medium", "")), ("SizeLimit", limit if limit else "<unset>")]
        case "hostPath":
            return [("Path", source.get("path", "")), ("HostPathType", source.get("type") or "")]
        case "secret":
            return [
                ("SecretName", source.get("secretName", "")),
                ("Optional", _boolean(source.get("optional"))),
            ]
        case "configMap":
            return [("Name", source.get("name", "")), ("Optional", _boolean(source.get("optional")))]
        case "persistentVolumeClaim":
            return [
                ("ClaimName", source.get("claimName", "")),
                ("ReadOnly", _boolean(source.get("readOnly"))),
            ]
        case "projected":
            return [pair for part in source.get("sources") or () for pair in _projection(part)]
        case "downwardAPI":
            items = [
                f"{(item.get('fieldRef') or {}).get('fieldPath', '')} -> {item['path']}"
                for item in source.get("items") or ()
            ]
            return [("Items", "")] + [("  " + item, "") for item in items]
    return [(name, str(value)) for name, value in source.items()]


def _projection(part: Mapping[str, Any]) -> list[tuple[str, str]]:
    if secret := part.get("secret"):
        return [("SecretName", secret.get("name", "")), ("Optional", _boolean(secret.get("optional")))]
    if "downwardAPI" in part:
        return [("DownwardAPI", "true")]
    if config_map := part.get("configMap"):
        return [
            ("ConfigMapName", config_map.get("name", "")),
            ("Optional", _boolean(config_map.get("optional"))),
        ]
    if token := part.get("serviceAccountToken"):
        return [("TokenExpirationSeconds", str(token.get("expirationSeconds", 3600)))]
    return []


def _boolean(value: bool | None) -> str:
    return "true" if value else "false"

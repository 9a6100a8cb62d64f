"""ServiceAccount: every pod runs as a service account that exists, and finds its token in a volume."""

from __future__ import annotations

import asyncio
import random
from typing import Any

from mamekube.apiserver import builtin
from mamekube.apiserver.access.node_authorizer import MIRROR_ANNOTATION
from mamekube.apiserver.access.tokens import PROJECTED_EXPIRATION_S
from mamekube.apiserver.admission.plugin import Plugin, forbidden
from mamekube.apiserver.writes import CREATE, Reader, Write
from mamekube.objects.meta import Object, annotations_of

MOUNT_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
VOLUME_PREFIX = "kube-api-access-"
DEFAULT = "default"
DEFAULT_TRIES = 10
DEFAULT_TRY_S = 0.15
"""A new namespace gets its default account from a controller: whoever makes a pod at once is kept waiting for it."""
SUFFIX_LETTERS = "bcdfghjklmnpqrstvwxz2456789"


class ServiceAccount(Plugin):
    name = "ServiceAccount"
    operations = frozenset({CREATE})
    resources = frozenset({"pods"})

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def mutate(self, write: Write) -> None:
        pod = write.object or {}
        if MIRROR_ANNOTATION in annotations_of(pod):
            return
        spec: dict[str, Any] = pod.setdefault("spec", {})
        name = spec.get("serviceAccountName") or spec.get("serviceAccount") or DEFAULT
        spec["serviceAccountName"] = spec["serviceAccount"] = name
        account = await self._find(write, name)
        if _wants_token(spec, account):
            mount_token(spec)
        if not spec.get("imagePullSecrets") and account.get("imagePullSecrets"):
            spec["imagePullSecrets"] = [dict(reference) for reference in account["imagePullSecrets"]]

    async def validate(self, write: Write) -> None:
        pod = write.object or {}
        spec = pod.get("spec") or {}
        if MIRROR_ANNOTATION in annotations_of(pod):
            _refuse_mirror(write, spec)
            return
        name = spec.get("serviceAccountName") or ""
        if not name:
            raise forbidden(write, "no service account specified for pod")
        await self._find(write, name)

    async def _find(self, write: Write, name: str) -> Object:
        account = await self._reader.get(builtin.SERVICE_ACCOUNTS, name, namespace=write.namespace)
        for _ in range(DEFAULT_TRIES if account is None and name == DEFAULT else 0):
            await asyncio.sleep(DEFAULT_TRY_S)
            account = await self._reader.get(builtin.SERVICE_ACCOUNTS, name, namespace=write.namespace)
            if account is not None:
                break
        if account is None:
            where = f"{write.namespace}/{name}"
            raise forbidden(
                write, f'error looking up service account {where}: serviceaccount "{name}" not found'
            )
        return account


def mount_token(spec: dict[str, Any]) -> None:
    """Mount the API token into every container that has nothing else at its place."""
    volumes = spec.get("volumes") or []
    name = next((volume["name"] for volume in volumes if _is_token_volume(volume)), "")
    missing = not name
    name = name or VOLUME_PREFIX + "".join(random.choices(SUFFIX_LETTERS, k=5))
    mounted = False
    for container in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ())):
        mounts = container.get("volumeMounts") or []
        if all(mount.get("mountPath") != MOUNT_PATH for mount in mounts):
            mount = {"name": name, "readOnly": True, "mountPath": MOUNT_PATH}
            container["volumeMounts"] = [*mounts, mount]
            mounted = True
    if mounted and missing:
        spec["volumes"] = [*volumes, token_volume(name)]


def token_volume(name: str) -> dict[str, Any]:
    """The projected volume that pods find their token, the cluster's CA and their namespace in."""
    namespace = {"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}
    sources: list[dict[str, Any]] = [
        {"serviceAccountToken": {"expirationSeconds": PROJECTED_EXPIRATION_S, "path": "token"}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [namespace]}},
    ]
    return {"name": name, "projected": {"sources": sources, "defaultMode": 0o644}}


def _is_token_volume(volume: dict[str, Any]) -> bool:
    return str(volume.get("name", "")).startswith(VOLUME_PREFIX) and "projected" in volume


def _wants_token(spec: dict[str, Any], account: Object) -> bool:
    for chosen in (spec.get("automountServiceAccountToken"), account.get("automountServiceAccountToken")):
        if chosen is not None:
            return bool(chosen)
    return True


def _refuse_mirror(write: Write, spec: dict[str, Any]) -> None:
    """A mirror pod stands for a static one, so nothing of the API may be given to it."""
    if spec.get("serviceAccountName"):
        raise forbidden(write, "a mirror pod may not reference service accounts")
    for volume in spec.get("volumes") or ():
        if "secret" in volume:
            raise forbidden(write, "a mirror pod may not reference secrets")
        for source in (volume.get("projected") or {}).get("sources") or ():
            if "serviceAccountToken" in source:
                raise forbidden(write, "a mirror pod may not use ServiceAccountToken volume projections")

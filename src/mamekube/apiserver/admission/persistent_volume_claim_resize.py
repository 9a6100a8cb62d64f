"""PersistentVolumeClaimResize: a claim grows only if it is bound and its storage class lets it."""

from __future__ import annotations

from typing import Any

from mamekube.apiserver import builtin
from mamekube.apiserver.admission.plugin import Plugin, forbidden
from mamekube.apiserver.writes import UPDATE, Reader, Write
from mamekube.objects import quantity
from mamekube.objects.meta import Object


class PersistentVolumeClaimResize(Plugin):
    name = "PersistentVolumeClaimResize"
    operations = frozenset({UPDATE})
    resources = frozenset({"persistentvolumeclaims"})

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def validate(self, write: Write) -> None:
        new, old = write.object or {}, write.old or {}
        if quantity.compare(_size(new), _size(old)) <= 0:
            return
        if (old.get("status") or {}).get("phase") != "Bound":
            raise forbidden(write, "Only bound persistent volume claims can be expanded")
        name = (new.get("spec") or {}).get("storageClassName")
        found = await self._reader.get(builtin.STORAGE_CLASSES, name) if name else None
        if found is None or not found.get("allowVolumeExpansion"):
            raise forbidden(
                write,
                "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc "
                "must support resize",
            )


def _size(claim: Object) -> Any:
    requests = ((claim.get("spec") or {}).get("resources") or {}).get("requests") or {}
    return requests.get("storage") or "0"

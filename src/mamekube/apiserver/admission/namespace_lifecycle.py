"""NamespaceLifecycle: nothing is made in a namespace that does not exist or is going away."""

from __future__ import annotations

from mamekube.apiserver import builtin
from mamekube.apiserver.admission.plugin import Plugin, forbidden
from mamekube.apiserver.writes import CREATE, DELETE, UPDATE, Reader, Write
from mamekube.objects import status

IMMORTAL = frozenset({"default", "kube-system", "kube-public"})
REVIEWS = "localsubjectaccessreviews"


class NamespaceLifecycle(Plugin):
    name = "NamespaceLifecycle"
    operations = frozenset({CREATE, UPDATE, DELETE})

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def mutate(self, write: Write) -> None:
        if write.kind.plural == "namespaces" and not write.kind.group:
            if write.operation == DELETE and write.name in IMMORTAL:
                raise forbidden(write, "this namespace may not be deleted")
            return
        if not write.namespace or write.operation == DELETE or write.kind.plural == REVIEWS:
            return
        namespace = await self._reader.get(builtin.NAMESPACES, write.namespace)
        if namespace is None:
            raise status.not_found(builtin.NAMESPACES, write.namespace)
        if write.operation == CREATE and (namespace.get("status") or {}).get("phase") == "Terminating":
            raise _terminating(write)


def _terminating(write: Write) -> status.StatusError:
    why = f"unable to create new content in namespace {write.namespace} because it is being terminated"
    error = forbidden(write, why)
    error.details["causes"] = [
        {
            "reason": "NamespaceTerminating",
            "message": f"namespace {write.namespace} is being terminated",
            "field": "metadata.namespace",
        }
    ]
    return error

"""What an admission plugin is.

A plugin says as data what it wants to see, so that a write it has no business with never reaches it. It
overrides `mutate`, `validate` or both; a plugin refuses by raising StatusError.
"""

from __future__ import annotations

from collections.abc import Iterable

from mamekube.apiserver.writes import CREATE, UPDATE, Write
from mamekube.foundation.metrics import Family
from mamekube.objects import status
from mamekube.objects.meta import metadata
from mamekube.objects.status import StatusError


class Plugin:
    """One admission plugin. The instance lives as long as the server."""

    name: str = ""
    """Upstream's name of it."""
    operations: frozenset[str] = frozenset({CREATE})
    resources: frozenset[str] | None = None
    """`pods`, `deployments.apps`, `pods/binding`: what it looks at; None: every resource and subresource."""

    @property
    def idle(self) -> bool:
        """Whether it has nothing to do now, whatever is written: nobody has registered anything with it."""
        return False

    async def mutate(self, write: Write) -> None:
        """Change `write.object`, or refuse."""

    async def validate(self, write: Write) -> None:
        """Look at the object as it will be stored, or refuse."""

    def families(self) -> Iterable[Family]:
        """What it counts besides how long it takes, for `/metrics`."""
        return ()

    def wants(self, operation: str, target: str) -> bool:
        return operation in self.operations and (self.resources is None or target in self.resources)


CREATE_AND_UPDATE = frozenset({CREATE, UPDATE})


def target_of(write: Write) -> str:
    """The resource with its subresource, as plugins name it."""
    resource = write.kind.group_resource
    return f"{resource}/{write.subresource}" if write.subresource else resource


def forbidden(write: Write, why: str) -> StatusError:
    """The refusal of an admission plugin: it names the object even before it has a name."""
    given = metadata(write.object or {})
    name = write.name or given.get("name") or given.get("generateName") or "Unknown"
    return status.forbidden(write.kind, str(name), why)

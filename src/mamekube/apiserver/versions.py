"""From what is stored to the version that a request asks for, and back.

Most kinds are served in the version they are stored in, and then nothing here touches the bytes.
"""

from __future__ import annotations

from mamekube.apiserver.documents import Document, Made
from mamekube.apiserver.writes import key_for, prefix_for
from mamekube.kinds.kind import Kind
from mamekube.objects.meta import Object
from mamekube.objects.resource import Resource


def home_of(kind: Kind) -> Resource:
    """The resource under whose keys the kind is stored."""
    return kind.storage or kind


def storage_key(kind: Kind, namespace: str, name: str) -> str:
    return key_for(home_of(kind), namespace=namespace, name=name)


def storage_prefix(kind: Kind, namespace: str = "") -> str:
    return prefix_for(home_of(kind), namespace=namespace)


def shown(kind: Kind, item: Document) -> Document:
    """What is stored, in the version of `kind`."""
    if kind.from_storage is None:
        return item
    return Made(kind.from_storage(item.object))


def stored(kind: Kind, obj: Object) -> Object:
    """An object in the version of `kind`, as it is stored."""
    return obj if kind.to_storage is None else kind.to_storage(obj)

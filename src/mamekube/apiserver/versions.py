"""From what is stored to the version that a request asks for, and back.

Most kinds are served in the version they are stored in, and then nothing here touches the bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mamekube.apiserver.documents import Document, Made
from mamekube.apiserver.formats.fieldvalidation import schema_of
from mamekube.apiserver.writes import key_for, prefix_for
from mamekube.kinds.kind import Kind
from mamekube.objects.meta import Object
from mamekube.objects.resource import Resource
from mamekube.objects.schema import Schema

Find = Callable[[str, str, str], Kind | None]


def home_of(kind: Kind) -> Resource:
    """The resource under whose keys the kind is stored."""
    return kind.storage or kind


def storage_key(kind: Kind, namespace: str, name: str) -> str:
    return key_for(home_of(kind), namespace=namespace, name=name)


def storage_prefix(kind: Kind, namespace: str = "") -> str:
    return prefix_for(home_of(kind), namespace=namespace)


def converts(kind: Kind) -> bool:
    """Whether what is shown may be something else than what is stored."""
    return kind.from_storage is not None or kind.conversion is not None


async def shown(kind: Kind, item: Document) -> Document:
    """What is stored, in the version of `kind`. Raises what a conversion webhook makes of it."""
    if kind.conversion is not None:
        documents: Sequence[Document] = await kind.conversion.shown((item,))
        return documents[0]
    if kind.from_storage is None:
        return item
    return Made(kind.from_storage(item.object))


async def shown_all(kind: Kind, items: Sequence[Document]) -> Sequence[Document]:
    """The same of many at a time, which a webhook converts with one call."""
    if kind.conversion is not None:
        documents: Sequence[Document] = await kind.conversion.shown(items)
        return documents
    if kind.from_storage is None:
        return items
    return [Made(kind.from_storage(item.object)) for item in items]


async def converted(
    kind: Kind, objects: Sequence[Object], api_version: str, find: Find
) -> tuple[Sequence[Object], Schema] | None:
    """Objects in any version of the resource in another one, and the schema there; None where the resource has no
    such version. `find`: the kind of a group, version and plural.
    """
    if kind.conversion is not None:
        found: tuple[Sequence[Object], Schema] | None = await kind.conversion.converted(objects, api_version)
        return found
    to = _sibling(kind, api_version, find)
    if to is None:
        return None
    out = []
    for obj in objects:
        was = _sibling(kind, obj["apiVersion"], find)
        if was is None:
            return None
        out.append((await shown(to, Made(await stored(was, obj)))).object)
    return out, schema_of(to)


def _sibling(kind: Kind, api_version: str, find: Find) -> Kind | None:
    """The same resource in another version."""
    group, _, version = api_version.rpartition("/")
    other = find(group, version, kind.plural)
    same = other is not None and home_of(other).group_resource == home_of(kind).group_resource
    return other if same else None


async def stored(kind: Kind, obj: Object) -> Object:
    """An object in the version of `kind`, as it is stored."""
    if kind.conversion is not None:
        return await kind.conversion.stored(obj)
    return obj if kind.to_storage is None else kind.to_storage(obj)

"""What `kubectl get` prints, and objects of which only the metadata is wanted. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from mamekube.apiserver.documents import Collection, Document, Pieces, encode, in_turns
from mamekube.kinds.kind import Column, Kind
from mamekube.objects import fielderrors
from mamekube.objects.ages import LATER, written
from mamekube.objects.meta import Object, metadata
from mamekube.objects.status import bad_request

NAME_DESCRIPTION = (
    "Name must be unique within a namespace. Is required when creating resources, although some resources may allow "
    "a client to request the generation of an appropriate name automatically. Name is primarily intended for creation "
    "idempotence and configuration definition. Cannot be updated. More info: "
    "https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names"
)
CREATED_DESCRIPTION = (
    "CreationTimestamp is a timestamp representing the server time when this object was created. It is not guaranteed "
    "to be set in happens-before order across separate operations. Clients may not set this value. It is represented "
    "in RFC3339 form and is in UTC."
)
DEFAULT_COLUMNS = (
    Column(name="Name", format="name", description=NAME_DESCRIPTION),
    Column(name="Created At", type="date", description=CREATED_DESCRIPTION),
)
INCLUDES = ("", "Metadata", "Object", "None")


def include_of(value: str) -> str:
    """The `includeObject` parameter. Raises 400."""
    if value not in INCLUDES:
        error = fielderrors.invalid("includeObject", value, "must be 'Metadata', 'Object', 'None', or empty")
        raise bad_request(f"Unable to convert to Table as requested: {error}")
    return value or "Metadata"


def of_objects(
    kind: Kind,
    objects: Iterable[Object],
    list_metadata: dict[str, Any],
    *,
    version: str,
    include: str,
    now_s: float,
    columns: bool = True,
) -> Object:
    """The Table of `objects`. `columns`: with the definitions, which a watch sends once only."""
    return {
        "kind": "Table",
        "apiVersion": f"meta.k8s.io/{version}",
        "metadata": list_metadata,
        "columnDefinitions": _definitions(kind) if columns else None,
        "rows": [_row(kind, obj, version=version, include=include, now_s=now_s) for obj in objects],
    }


async def of_collection(collection: Collection, *, version: str, include: str, now_s: float) -> Pieces:
    """The Table of a list, row by row: the rows of ten thousand pods are never a value as a whole."""
    kind = collection.kind
    table = of_objects(kind, (), collection.metadata, version=version, include=include, now_s=now_s)

    def row(item: Document) -> bytes:
        seed = item.aside
        if seed is None or seed.kind is not kind:
            seed = item.aside = _seed(kind, item)
        if include == "Metadata":
            shown = _partial_json(item, seed.metadata, version)
        else:
            shown = item.value if include == "Object" else b"null"
        cells = written(seed.cells, now_s) if seed.cells else encode(_cells(kind, item.transient(), now_s))
        return b'{"cells":%b,"object":%b}' % (cells, shown)

    return Pieces(encode(table).removesuffix(b"]}"), await in_turns(row, collection.items), b"]}")


def _row(kind: Kind, obj: Object, *, version: str, include: str, now_s: float) -> Object:
    return {"cells": _cells(kind, obj, now_s), "object": _included(obj, include, version)}


def of_status(status: Object, *, version: str) -> Object:
    """The Table of a Status, which a delete may answer."""
    columns = (
        Column(name="Status", description="Status of the operation."),
        Column(name="Reason", description="A machine-readable description of why this operation failed."),
        Column(name="Message", description="A human-readable description of the status of this operation."),
    )
    cells = [status.get("status", ""), status.get("reason", ""), status.get("message", "")]
    return {
        "kind": "Table",
        "apiVersion": f"meta.k8s.io/{version}",
        "metadata": {},
        "columnDefinitions": [_definition(column) for column in columns],
        "rows": [{"cells": cells, "object": status}],
    }


def _definitions(kind: Kind) -> list[Object]:
    return [_definition(column) for column in (kind.columns or DEFAULT_COLUMNS)]


def _definition(column: Column) -> Object:
    return {
        "name": column.name,
        "type": column.type,
        "format": column.format,
        "description": column.description,
        "priority": column.priority,
    }


def _cells(kind: Kind, obj: Object, now_s: float) -> Sequence[Any]:
    if kind.row is not None:
        return kind.row(obj, now_s)
    meta = metadata(obj)
    return [meta.get("name", ""), meta.get("creationTimestamp")]


def _included(obj: Object, include: str, version: str) -> Object | None:
    if include == "None":
        return None
    return obj if include == "Object" else partial(obj, version=version)


def partial(obj: Object, *, version: str) -> Object:
    """The object without everything but its metadata."""
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": f"meta.k8s.io/{version}",
        "metadata": metadata(obj),
    }


class _Seed(NamedTuple):
    """What a row is made of, kept with its item, so that it is decoded for its first table only."""

    kind: Kind
    cells: bytes
    """Their JSON, with ages still to be written; empty where a cell tells more of the time than an age."""
    metadata: tuple[int, int] | None


def _seed(kind: Kind, item: Document) -> _Seed:
    obj = item.transient()
    try:
        cells = encode(_cells(kind, obj, LATER))
    except TypeError:
        cells = b""
    return _Seed(kind, cells, item.metadata_span(obj))


def _partial_json(item: Document, span: tuple[int, int] | None, version: str) -> bytes:
    """`partial` as JSON, with the metadata as it stands in the item."""
    return b'{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/%b","metadata":%b}' % (
        version.encode(),
        item.value[slice(*span)] if span else encode(metadata(item.transient())),
    )


async def partial_collection(collection: Collection, *, version: str) -> Pieces:
    """A list of which only the metadata is wanted, by clients that keep it themselves."""
    head = {
        "kind": "PartialObjectMetadataList",
        "apiVersion": f"meta.k8s.io/{version}",
        "metadata": collection.metadata,
        "items": [],
    }

    def value(item: Document) -> bytes:
        return _partial_json(item, item.metadata_span(item.transient()), version)

    return Pieces(encode(head).removesuffix(b"]}"), await in_turns(value, collection.items), b"]}")

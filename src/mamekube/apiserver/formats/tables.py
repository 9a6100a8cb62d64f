"""What `kubectl get` prints, and objects of which only the metadata is wanted. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, NamedTuple

from mamekube.apiserver.documents import Collection, Document, Pieces, encode, in_turns
from mamekube.kinds import cells
from mamekube.kinds.kind import Column, Kind
from mamekube.objects import fielderrors
from mamekube.objects.ages import LATER, written
from mamekube.objects.meta import Object, metadata
from mamekube.objects.schema import definitions
from mamekube.objects.status import bad_request

STATUS_COLUMNS = (
    Column(name="Status", field="meta.v1.Status.status"),
    Column(name="Reason", field="meta.v1.Status.reason"),
    # Upstream looks for the words on this one under a wrong name.
    Column(name="Message"),
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

    items = collection.items
    if kind.row_order is not None:
        # Of kinds of which there are a few dozen.
        order = kind.row_order
        items = sorted(items, key=lambda item: order(item.transient()))

    def row(item: Document) -> bytes:
        seed = item.aside
        if seed is None or seed.kind is not kind:
            seed = item.aside = _seed(kind, item)
        if include == "Metadata":
            shown = _partial_json(item, seed.metadata, version)
        else:
            shown = item.value if include == "Object" else b"null"
        row_cells = (
            written(seed.cells, now_s) if seed.cells else encode(_cells(kind, item.transient(), now_s))
        )
        return b'{"cells":%b%b,"object":%b}' % (row_cells, seed.conditions, shown)

    return Pieces(encode(table).removesuffix(b"]}"), await in_turns(row, items), b"]}")


def _row(kind: Kind, obj: Object, *, version: str, include: str, now_s: float) -> Object:
    row: Object = {"cells": _cells(kind, obj, now_s)}
    conditions = _conditions(kind, obj)
    if conditions:
        row["conditions"] = conditions
    row["object"] = _included(obj, include, version)
    return row


def of_status(status: Object, *, version: str) -> Object:
    """The Table of a Status, which a delete may answer."""
    shown = [status.get("status", ""), status.get("reason", ""), status.get("message", "")]
    return {
        "kind": "Table",
        "apiVersion": f"meta.k8s.io/{version}",
        "metadata": {},
        "columnDefinitions": [_definition(column) for column in STATUS_COLUMNS],
        "rows": [{"cells": shown, "object": status}],
    }


def _definitions(kind: Kind) -> list[Object]:
    return [_definition(column) for column in (kind.columns or cells.NAME_AND_CREATED)]


def _definition(column: Column) -> Object:
    return {
        "name": column.name,
        "type": column.type,
        "format": column.format,
        "description": _description(column.field) if column.field else column.description,
        "priority": column.priority,
    }


@cache
def _description(field: str) -> str:
    """What the definition of a type says of one of its fields. There are as many as built-in kinds have columns."""
    name, _, field = field.rpartition(".")
    group, _, kind = name.rpartition(".")
    room = "io.k8s.apimachinery.pkg.apis" if group.startswith("meta.") else "io.k8s.api"
    description: str = definitions()[f"{room}.{group}.{kind}"]["properties"][field].get("description", "")
    return description


def _cells(kind: Kind, obj: Object, now_s: float) -> Sequence[Any]:
    if kind.row is not None:
        return kind.row(obj, now_s)
    return cells.name_and_created(obj, now_s)


def _conditions(kind: Kind, obj: Object) -> Sequence[Object]:
    return kind.row_conditions(obj) if kind.row_conditions is not None else ()


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
    conditions: bytes
    """The rest of the row before its object."""


def _seed(kind: Kind, item: Document) -> _Seed:
    obj = item.transient()
    try:
        made = encode(_cells(kind, obj, LATER))
    except TypeError:
        made = b""
    conditions = _conditions(kind, obj)
    rest = b',"conditions":%b' % encode(conditions) if conditions else b""
    return _Seed(kind, made, item.metadata_span(obj), rest)


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

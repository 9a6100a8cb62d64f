"""Which objects a label selector and a field selector select."""

from __future__ import annotations

from collections.abc import Callable

from mamekube.apiserver.documents import Document
from mamekube.apiserver.options import ListOptions
from mamekube.kinds.kind import Kind
from mamekube.objects.meta import Object
from mamekube.objects.status import bad_request

Predicate = Callable[[Document], bool]
ALWAYS = ("metadata.name", "metadata.namespace")


def predicate(kind: Kind, options: ListOptions) -> Predicate | None:
    """What the selectors of `options` say of an object; None where they select everything. Raises 400."""
    labels, fields = options.labels, options.fields
    for term in fields.terms:
        _check_field(kind, term.field)
    if labels.empty and fields.empty:
        return None
    if fields.empty:
        return lambda item: labels.matches(item.object["metadata"].get("labels") or {})

    def matches(item: Document) -> bool:
        obj = item.object
        return labels.matches(obj["metadata"].get("labels") or {}) and fields.matches(
            lambda field: field_value(kind, obj, field)
        )

    return matches


def field_value(kind: Kind, obj: Object, field: str) -> str:
    if field in ALWAYS:
        return str(obj["metadata"].get(field.removeprefix("metadata."), ""))
    return kind.selectable[field](obj)


def _check_field(kind: Kind, field: str) -> None:
    if field in kind.selectable or (field in ALWAYS and (kind.namespaced or field == "metadata.name")):
        return
    if kind.selectable or not isinstance(kind.schema, str):
        raise bad_request(f"field label not supported: {field}")
    raise bad_request(f'"{field}" is not a known field selector: only "metadata.name", "metadata.namespace"')

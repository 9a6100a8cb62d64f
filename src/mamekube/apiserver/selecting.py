"""Which objects a label selector and a field selector select.

Of ten thousand pods a selector may want ten, so as little as possible is decoded: labels are found in the bytes,
and equal ones are judged once; a field that must have some value can have it only where that value is in the bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import orjson

from mamekube.apiserver.documents import Document
from mamekube.apiserver.options import ListOptions
from mamekube.kinds.kind import Kind
from mamekube.objects.meta import Object
from mamekube.objects.selectors import FieldSelector, Selector
from mamekube.objects.status import bad_request

Predicate = Callable[[Document], bool]
ALWAYS = ("metadata.name", "metadata.namespace")
JUDGED_MAX = 1_000
"""Sets of labels whose verdict one predicate remembers."""


def predicate(kind: Kind, options: ListOptions, *, once: bool = False) -> Predicate | None:
    """What the selectors of `options` say of an object; None where they select everything. Raises 400.

    `once`: whatever had to be decoded is not kept, since nobody may look at it again soon.
    """
    labels, fields = options.labels, options.fields
    for term in fields.terms:
        _check_field(kind, term.field)
    if labels.empty and fields.empty:
        return None
    if fields.empty:
        return _by_labels(labels)
    by_fields = _by_fields(kind, fields, once=once)
    if labels.empty:
        return by_fields
    by_labels = _by_labels(labels)
    return lambda item: by_labels(item) and by_fields(item)


def _by_labels(selector: Selector) -> Predicate:
    judged = lru_cache(JUDGED_MAX)(lambda labels: selector.matches(orjson.loads(labels)))
    return lambda item: judged(item.labels)


def _by_fields(kind: Kind, selector: FieldSelector, *, once: bool) -> Predicate:
    traces = [trace for term in selector.terms if not term.negated and (trace := _trace(term.value))]

    def matches(item: Document) -> bool:
        if not item.decoded:
            raw = item.raw
            for trace in traces:
                if trace not in raw:
                    return False
        obj = item.transient() if once else item.object
        return selector.matches(lambda field: field_value(kind, obj, field))

    return matches


def _trace(value: str) -> bytes:
    """What the JSON of every object with this value in some field has in it; empty where that is not sure.

    Numbers and booleans may be counted or left out, but no kind makes up any other text.
    """
    if value in ("", "true", "false") or value.isdecimal() or not value.isascii():
        return b""
    return orjson.dumps(value)[1:-1]


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

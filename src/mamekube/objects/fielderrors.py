"""Errors of validation, one per field, with upstream's reasons and wording (apimachinery's field.Error)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from mamekube.objects.gotext import quoted

REQUIRED = "FieldValueRequired"
INVALID = "FieldValueInvalid"
DUPLICATE = "FieldValueDuplicate"
NOT_SUPPORTED = "FieldValueNotSupported"
FORBIDDEN = "FieldValueForbidden"
NOT_FOUND = "FieldValueNotFound"
TOO_LONG = "FieldValueTooLong"
TOO_MANY = "FieldValueTooMany"
TYPE_INVALID = "FieldValueTypeInvalid"
INTERNAL = "InternalError"


@dataclass(frozen=True, slots=True)
class FieldError:
    """One cause: `field` is a path such as `spec.containers[0].name`; `message` has no path in it."""

    reason: str
    field: str
    message: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}" if self.field else self.message


class Struct(dict[str, Any]):
    """A value that upstream keeps in a structure: shown with its fields in the order in which they stand here.

    Upstream shows some of its internal structures, whose fields are named otherwise than on the wire.
    """


OMITTED = Struct()
"""In place of a value that is not worth showing: the message says only that it is invalid."""


def required(field: str, detail: str = "") -> FieldError:
    return FieldError(REQUIRED, field, _join("Required value", detail))


def invalid(field: str, value: Any, detail: str) -> FieldError:
    shown = "Invalid value" if value is OMITTED else f"Invalid value: {render(value)}"
    return FieldError(INVALID, field, _join(shown, detail))


def type_invalid(field: str, value: Any, detail: str) -> FieldError:
    return FieldError(TYPE_INVALID, field, _join(f"Invalid value: {render(value)}", detail))


def duplicate(field: str, value: Any) -> FieldError:
    return FieldError(DUPLICATE, field, f"Duplicate value: {render(value)}")


def not_supported(field: str, value: Any, supported: Iterable[str]) -> FieldError:
    """`supported` is listed in its own order, and a set in order of its texts, as upstream does."""
    ordered = sorted(supported) if isinstance(supported, (set, frozenset)) else supported
    choices = ", ".join(render(choice) for choice in ordered)
    return FieldError(
        NOT_SUPPORTED, field, _join(f"Unsupported value: {render(value)}", f"supported values: {choices}")
    )


def forbidden(field: str, detail: str) -> FieldError:
    return FieldError(FORBIDDEN, field, _join("Forbidden", detail))


def not_found(field: str, value: Any) -> FieldError:
    return FieldError(NOT_FOUND, field, f"Not found: {render(value)}")


def too_long(field: str, length_max: int) -> FieldError:
    unit = "byte" if length_max == 1 else "bytes"
    return FieldError(TOO_LONG, field, f"Too long: may not be more than {length_max} {unit}")


def too_many(field: str, count: int, count_max: int) -> FieldError:
    unit = "item" if count_max == 1 else "items"
    return FieldError(TOO_MANY, field, f"Too many: {count}: must have at most {count_max} {unit}")


def internal(field: str, detail: str) -> FieldError:
    return FieldError(INTERNAL, field, _join("Internal error", detail))


def render(value: Any) -> str:
    """A value as upstream prints it in messages: text quoted as Go quotes it, anything else as Go's JSON."""
    if isinstance(value, str):
        return quoted(value)
    return json.dumps(_ordered(value), ensure_ascii=False, separators=(",", ":")).translate(_HTML_SAFE)


def summary(errors: Sequence[FieldError]) -> str:
    """All errors as one text: alone as it is, several in brackets, repeated ones once."""
    texts = list(dict.fromkeys(str(error) for error in errors))
    return texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"


def _join(text: str, detail: str) -> str:
    return f"{text}: {detail}" if detail else text


_HTML_SAFE = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})


def _ordered(value: Any) -> Any:
    """Maps sorted as Go sorts them; of a LabelSelector, which is no map, the labels before the expressions."""
    if isinstance(value, Struct):
        return {key: _ordered(item) for key, item in value.items()}
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: (key != "matchLabels", str(key)))
        return {key: _ordered(value[key]) for key in keys}
    if isinstance(value, (list, tuple)):
        return [_ordered(item) for item in value]
    return value

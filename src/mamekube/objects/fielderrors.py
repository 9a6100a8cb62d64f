"""Errors of validation, one per field, with upstream's reasons and wording (apimachinery's field.Error)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

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


def required(field: str, detail: str = "") -> FieldError:
    return FieldError(REQUIRED, field, _join("Required value", detail))


def invalid(field: str, value: Any, detail: str) -> FieldError:
    return FieldError(INVALID, field, _join(f"Invalid value: {render(value)}", detail))


def type_invalid(field: str, value: Any, detail: str) -> FieldError:
    return FieldError(TYPE_INVALID, field, _join(f"Invalid value: {render(value)}", detail))


def duplicate(field: str, value: Any) -> FieldError:
    return FieldError(DUPLICATE, field, f"Duplicate value: {render(value)}")


def not_supported(field: str, value: Any, supported: Iterable[str]) -> FieldError:
    choices = ", ".join(render(choice) for choice in sorted(supported))
    return FieldError(NOT_SUPPORTED, field, _join(f"Unsupported value: {render(value)}", f"supported values: {choices}"))


def forbidden(field: str, detail: str) -> FieldError:
    return FieldError(FORBIDDEN, field, _join("Forbidden", detail))


def not_found(field: str, value: Any) -> FieldError:
    return FieldError(NOT_FOUND, field, f"Not found: {render(value)}")


def too_long(field: str, length_max: int) -> FieldError:
    return FieldError(TOO_LONG, field, f"Too long: may not be more than {length_max} bytes")


def too_many(field: str, count: int, count_max: int) -> FieldError:
    return FieldError(TOO_MANY, field, f"Too many: {count}: must have at most {count_max} items")


def internal(field: str, detail: str) -> FieldError:
    return FieldError(INTERNAL, field, _join("Internal error", detail))


def render(value: Any) -> str:
    """A value as upstream prints it in messages: JSON, with strings quoted."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def summary(errors: Sequence[FieldError]) -> str:
    """All errors as one text: alone as it is, several in brackets, repeated ones once."""
    texts = list(dict.fromkeys(str(error) for error in errors))
    return texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"


def _join(text: str, detail: str) -> str:
    return f"{text}: {detail}" if detail else text

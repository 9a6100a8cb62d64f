"""Named formats: `format.dns1123Label().validate(text)` has a value with the problems where there are some."""

from __future__ import annotations

import base64
import binascii
import re
import uuid
from collections.abc import Callable
from datetime import date

from mamekube.objects import names
from mamekube.objects.cel.errors import EvaluationError
from mamekube.objects.cel.functions import declare
from mamekube.objects.cel.library.kubernetes import is_url
from mamekube.objects.cel.library.standard import parse_timestamp, through
from mamekube.objects.cel.values import NONE, Format, Optional


def _uri(text: str) -> list[str]:
    return [] if is_url(text) else ["invalid URI"]


def _uuid(text: str) -> list[str]:
    try:
        if len(text) == 36:
            uuid.UUID(text)
            return []
    except ValueError:
        pass
    return ["does not match the UUID format"]


def _bytes(text: str) -> list[str]:
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return ["invalid base64"]
    return []


def _date(text: str) -> list[str]:
    try:
        if re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII):
            date.fromisoformat(text)
            return []
    except ValueError:
        pass
    return ["invalid date"]


def _datetime(text: str) -> list[str]:
    try:
        parse_timestamp(text)
    except EvaluationError:
        return ["invalid datetime"]
    return []


def _prefix_of(check: Callable[[str], list[str]]) -> Callable[[str], list[str]]:
    """A prefix may end with what a name may not."""
    return lambda text: check(f"{text[:-1]}a" if text.endswith("-") else text)


FORMATS: dict[str, Callable[[str], list[str]]] = {
    "dns1123Label": names.dns1123_label,
    "dns1123Subdomain": names.dns1123_subdomain,
    "dns1035Label": names.dns1035_label,
    "dns1123LabelPrefix": _prefix_of(names.dns1123_label),
    "dns1123SubdomainPrefix": _prefix_of(names.dns1123_subdomain),
    "dns1035LabelPrefix": _prefix_of(names.dns1035_label),
    "qualifiedName": names.qualified_name,
    "labelValue": names.label_value,
    "uri": _uri,
    "uuid": _uuid,
    "byte": _bytes,
    "date": _date,
    "datetime": _datetime,
}


def _declare(name: str, check: Callable[[str], list[str]]) -> None:
    known = Format(name, check)
    declare(f"format.{name}", "", "kubernetes.NamedFormat")(lambda: known)


for _name, _check in FORMATS.items():
    _declare(_name, _check)


@declare("format.named", "string", "optional_type(kubernetes.NamedFormat)")
def named(name: str) -> Optional:
    return Optional(Format(name, FORMATS[name])) if name in FORMATS else NONE


@declare(
    "validate",
    "kubernetes.NamedFormat, string",
    "optional_type(list(string))",
    member=True,
    cost=lambda known, text: through(text) * 4,
)
def validate(known: Format, text: str) -> Optional:
    problems = known.check(text)
    return Optional(problems) if problems else NONE

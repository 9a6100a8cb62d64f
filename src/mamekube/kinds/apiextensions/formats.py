"""The formats that a schema may ask of a string: what kube-openapi's strfmt knows.

A format that is not known asks for nothing, as upstream.
"""

from __future__ import annotations

import binascii
import ipaddress
import re
from collections.abc import Callable, Mapping
from datetime import date
from urllib.parse import urlsplit

from mamekube.objects import names, quantity

_HEX = "[0-9a-fA-F]"
_UUID = f"{_HEX}{{8}}-?{_HEX}{{4}}-?%s{_HEX}{{3}}-?%s{_HEX}{{3}}-?{_HEX}{{12}}"
_CLOCK = r"\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:[zZ]|[+-]\d{2}:\d{2})?"
_COLOUR = r"\s*(?:0|[1-9]\d?|1\d\d?|2[0-4]\d|25[0-5])\s*"


def _pattern(text: str) -> Callable[[str], bool]:
    compiled = re.compile(text, re.ASCII)
    return lambda value: compiled.fullmatch(value) is not None


def _is_address(version: int) -> Callable[[str], bool]:
    def fits(value: str) -> bool:
        try:
            return ipaddress.ip_address(value).version == version
        except ValueError:
            return False

    return fits


def _is_network(value: str) -> bool:
    if "/" not in value:
        return False
    try:
        ipaddress.ip_interface(value)
    except ValueError:
        return False
    return value.rpartition("/")[2].isdigit()


def _is_date(value: str) -> bool:
    try:
        date.fromisoformat(value)
    except ValueError:
        return False
    return re.fullmatch(r"\d{4}-\d{2}-\d{2}", value) is not None


def _is_time(value: str) -> bool:
    day, separator, clock = value[:10], value[10:11], value[11:]
    if separator not in ("T", "t") or not _is_date(day) or not re.fullmatch(_CLOCK, clock):
        return False
    hours, minutes, seconds = (int(clock[at : at + 2]) for at in (0, 3, 6))
    return hours < 24 and minutes < 60 and seconds < 61


def _is_base64(value: str) -> bool:
    try:
        binascii.a2b_base64(value, strict_mode=True)
    except (binascii.Error, ValueError):
        return False
    return bool(value)


def _is_uri(value: str) -> bool:
    try:
        parts = urlsplit(value)
    except ValueError:
        return False
    return bool(parts.scheme) or value.startswith("/")


def _is_quantity(value: str) -> bool:
    try:
        quantity.parse(value)
    except ValueError:
        return False
    return True


def _is_isbn(*lengths: int) -> Callable[[str], bool]:
    def fits(value: str) -> bool:
        digits = re.sub(r"[\s-]", "", value)
        if len(digits) not in lengths:
            return False
        if len(digits) == 10:
            if not re.fullmatch(r"\d{9}[\dX]", digits):
                return False
            total = sum((10 - at) * (10 if digit == "X" else int(digit)) for at, digit in enumerate(digits))
            return total % 11 == 0
        return digits.isdigit() and sum(int(d) * (1, 3)[at % 2] for at, d in enumerate(digits)) % 10 == 0

    return fits


def _is_card(value: str) -> bool:
    digits = re.sub(r"\D", "", value)
    if not 13 <= len(digits) <= 19:
        return False
    doubled = [int(digit) * (1 + at % 2) for at, digit in enumerate(reversed(digits))]
    return sum(number - 9 if number > 9 else number for number in doubled) % 10 == 0


_UNITS = "ns|us|µs|μs|ms|s|m|h|d|w|nanos?|micros?|millis?|secs?|seconds?|mins?|minutes?|hours?|days?|weeks?"

_FORMATS: Mapping[str, Callable[[str], bool]] = {
    "bsonobjectid": _pattern(f"{_HEX}{{24}}"),
    "uri": _is_uri,
    "email": _pattern(r"[^@\s<>]+@[^@\s<>]+"),
    "hostname": _pattern(
        r"(?=.{1,255}\Z)[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,62})(?:\.[a-zA-Z0-9][a-zA-Z0-9-]{0,62})*\.?"
    ),
    "ipv4": _is_address(4),
    "ipv6": _is_address(6),
    "cidr": _is_network,
    "mac": _pattern(f"(?:{_HEX}{{2}}[:-]){{5}}(?:{_HEX}{{2}})(?:(?:[:-]{_HEX}{{2}}){{2}})?"),
    "uuid": _pattern(_UUID % (_HEX, _HEX)),
    "uuid3": _pattern(_UUID % ("3", _HEX)),
    "uuid4": _pattern(_UUID % ("4", "[89abAB]")),
    "uuid5": _pattern(_UUID % ("5", "[89abAB]")),
    "isbn": _is_isbn(10, 13),
    "isbn10": _is_isbn(10),
    "isbn13": _is_isbn(13),
    "creditcard": _is_card,
    "ssn": _pattern(r"\d{3}[- ]?\d{2}[- ]?\d{4}"),
    "hexcolor": _pattern(f"#?(?:{_HEX}{{3}}|{_HEX}{{6}})"),
    "rgbcolor": _pattern(rf"rgb\({_COLOUR},{_COLOUR},{_COLOUR}\)"),
    "byte": _is_base64,
    "password": lambda value: True,
    "date": _is_date,
    "duration": _pattern(
        rf"-?(?:\d+(?:\.\d*)?|\.\d+)\s*(?:{_UNITS})(?:\s*(?:\d+(?:\.\d*)?|\.\d+)\s*(?:{_UNITS}))*|0"
    ),
    "datetime": _is_time,
    "quantity": _is_quantity,
    "k8s-short-name": lambda value: not names.dns1123_label(value),
    "k8s-long-name": lambda value: not names.dns1123_subdomain(value),
}


_OF_NUMBERS = {"integer": ("int32", "int64"), "number": ("double", "float")}


def known(name: str, kind: str = "string") -> str:
    """The format of values of this type, `""` where nobody knows it and so nothing is asked."""
    if kind not in ("", "string"):
        return name if name in _OF_NUMBERS.get(kind, ()) else ""
    return name if name in _FORMATS or name.replace("-", "") in _FORMATS else ""


def fits(name: str, value: str) -> bool:
    check = _FORMATS.get(name) or _FORMATS[name.replace("-", "")]
    return check(value)

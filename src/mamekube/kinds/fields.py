"""Single fields that kinds share. Each check appends what it finds to `found`, in upstream's wording."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any

from mamekube.objects import names, quantity
from mamekube.objects.fielderrors import FieldError, invalid, not_supported, required, too_long

Found = list[FieldError]

IMMUTABLE = "field is immutable"
NOT_NEGATIVE = "must be greater than or equal to 0"
INT32_MAX = 2**31 - 1
DRIVER_BYTES_MAX = 63
PROTOCOLS = frozenset(("SCTP", "TCP", "UDP"))

_LINK_MULTICAST = tuple(ipaddress.ip_network(text) for text in ("224.0.0.0/24", "ff02::/16"))
_PERCENT = re.compile(r"([0-9]+)%")


def section(holder: dict[str, Any], field: str) -> dict[str, Any]:
    """The object in `field`, made where it is missing or null."""
    made = holder.get(field)
    if made is None:
        made = holder[field] = {}
    return made


def repeated(values: Iterable[Hashable]) -> set[int]:
    """The places of those that stood before already."""
    firsts: dict[Hashable, int] = {}
    return {place for place, value in enumerate(values) if firsts.setdefault(value, place) != place}


def check(text: str, path: str, rule: Callable[[str], list[str]], found: Found) -> None:
    """`text` by a rule of `objects.names`."""
    for message in rule(text):
        found.append(invalid(path, text, message))


def check_required(text: str | None, path: str, rule: Callable[[str], list[str]], found: Found) -> None:
    if not text:
        found.append(required(path))
    else:
        check(text, path, rule, found)


def check_driver(name: str | None, path: str, found: Found) -> None:
    """The name of a driver of volumes or of devices, which may be in capitals."""
    text = name or ""
    if not text:
        found.append(required(path))
    if len(text.encode()) > DRIVER_BYTES_MAX:
        found.append(too_long(path, DRIVER_BYTES_MAX))
    for message in names.dns1123_subdomain(text.lower()):
        found.append(invalid(path, text, message))


def check_not_negative(section: Mapping[str, Any], field: str, path: str, found: Found) -> None:
    """The number `field` of the section at `path`, where it is given."""
    value = section.get(field)
    if value is not None and value < 0:
        found.append(invalid(f"{path}.{field}", value, NOT_NEGATIVE))


def check_choice(value: str | None, path: str, choices: Iterable[str], found: Found) -> None:
    """A word that must be there and be one of `choices`."""
    if not value:
        found.append(required(path))
    elif value not in choices:
        found.append(not_supported(path, value, choices))


def check_immutable(
    new: Mapping[str, Any], old: Mapping[str, Any], field: str, path: str, found: Found
) -> None:
    if new.get(field) != old.get(field):
        found.append(invalid(path, new.get(field), IMMUTABLE))


def shown_pointer(value: Any) -> Any:
    """As upstream shows what it keeps behind a pointer: one that points to nothing as a text."""
    return "null" if value is None else value


def check_domain_path(text: str | None, path: str, found: Found) -> None:
    """`acme.io/foo`: a domain, then what it calls something of its own."""
    if not text:
        found.append(required(path))
        return
    domain, _, rest = text.partition("/")
    if not domain or not rest:
        found.append(invalid(path, text, 'must be a domain-prefixed path (such as "acme.io/foo")'))
        return
    check(domain, path, names.dns1123_subdomain, found)
    check(rest, path, names.http_path, found)


def check_labels(labels: Mapping[str, str] | None, path: str, found: Found) -> None:
    for key, value in (labels or {}).items():
        check(key, path, names.qualified_name, found)
        check(value or "", path, names.label_value, found)


def check_annotations(annotations: Mapping[str, str] | None, path: str, found: Found) -> None:
    for key in annotations or ():
        for message in names.qualified_name(key.lower()):
            found.append(invalid(path, key, message))


def check_port(value: Any, path: str, found: Found) -> None:
    """A port by its number or by its name."""
    if isinstance(value, str):
        check(value, path, names.port_name, found)
    else:
        for message in names.port_number(value or 0):
            found.append(invalid(path, value or 0, message))


def check_public_ip(text: str, path: str, found: Found) -> None:
    """An address at which somebody else may be reached: not of this host, not of this link."""
    address = ipaddress.ip_address(text)
    if address.is_unspecified:
        found.append(invalid(path, text, f"may not be unspecified ({text})"))
    if address.is_loopback:
        found.append(invalid(path, text, "may not be in the loopback range (127.0.0.0/8, ::1/128)"))
    if address.is_link_local:
        detail = "may not be in the link-local range (169.254.0.0/16, fe80::/10)"
        found.append(invalid(path, text, detail))
    if any(address in network for network in _LINK_MULTICAST if network.version == address.version):
        detail = "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)"
        found.append(invalid(path, text, detail))


def check_int_or_percent(value: Any, path: str, found: Found) -> None:
    """`2` or `25%`, not negative."""
    if isinstance(value, str):
        check(value, path, names.percent, found)
    elif value is not None and value < 0:
        found.append(invalid(path, value, NOT_NEGATIVE))


def check_percent_max(value: Any, path: str, found: Found) -> None:
    match = _PERCENT.fullmatch(value) if isinstance(value, str) else None
    if match and int(match.group(1)) > 100:
        found.append(invalid(path, value, "must not be greater than 100%"))


def int_or_percent(value: Any) -> int:
    """The number in `2` or `25%`, 0 where there is none."""
    if isinstance(value, str):
        match = _PERCENT.fullmatch(value)
        return int(match.group(1)) if match else 0
    return value or 0


def check_quantity(value: Any, path: str, found: Found, *, integer: bool = False) -> Any:
    """A quantity that is not negative; answers its amount, None where it is no quantity."""
    try:
        amount = quantity.parse_any(value)
    except ValueError as error:
        found.append(invalid(path, value, str(error)))
        return None
    if amount < 0:
        found.append(invalid(path, str(value), NOT_NEGATIVE))
    elif integer and amount % 1:
        found.append(invalid(path, str(value), "must be an integer"))
    return amount


def check_no_backsteps(text: str, path: str, found: Found) -> None:
    if ".." in text and ".." in text.split("/"):
        found.append(invalid(path, text, "must not contain '..'"))


def check_relative(text: str, path: str, found: Found) -> None:
    """A path that stays below where it starts."""
    if text.startswith("/"):
        found.append(invalid(path, text, "must be a relative path"))
    check_no_backsteps(text, path, found)

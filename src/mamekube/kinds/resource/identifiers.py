"""How drivers, pools, devices and what is known of them are named."""

from __future__ import annotations

import re
from typing import Any

from mamekube.kinds.fields import DRIVER_BYTES_MAX, Found, check, check_driver
from mamekube.objects import names
from mamekube.objects.fielderrors import invalid, required, too_long

DOMAIN_LENGTH_MAX = DRIVER_BYTES_MAX
IDENTIFIER_LENGTH_MAX = 32
KEY_LENGTH_MAX = DOMAIN_LENGTH_MAX + 1 + IDENTIFIER_LENGTH_MAX

_IDENTIFIER = "[A-Za-z_][A-Za-z0-9_]*"
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def check_pool(name: str | None, path: str, found: Found) -> None:
    if not name:
        found.append(required(path))
        return
    if len(name.encode()) > names.SUBDOMAIN_LENGTH_MAX:
        found.append(too_long(path, names.SUBDOMAIN_LENGTH_MAX))
    for part in name.split("/"):
        check(part, path, names.dns1123_subdomain, found)


def check_label(text: Any, path: str, found: Found) -> None:
    check(text or "", path, names.dns1123_label, found)


def check_label_key(text: Any, path: str, found: Found) -> None:
    check(text or "", path, names.qualified_name, found)


def c_identifier(text: str) -> list[str]:
    if re.fullmatch(_IDENTIFIER, text):
        return []
    message = (
        "a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric "
        "characters or '_'"
    )
    return [names.pattern(message, _IDENTIFIER, "my_name", "MY_NAME", "MyName")]


def check_qualified(name: str, path: str, found: Found) -> None:
    """`name`, which is the driver's own, or `domain/name`."""
    domain, slash, rest = name.partition("/")
    if not slash:
        _check_identifier(name, path, found)
    elif "/" in rest:
        found.append(invalid(path, name, "must not contain more than one slash"))
    else:
        if domain:
            check_driver(domain, path, found)
        else:
            found.append(invalid(path, "", "the domain must not be empty"))
        if rest:
            _check_identifier(rest, path, found)
        else:
            found.append(invalid(path, "", "the name must not be empty"))


def check_fully_qualified(name: str, path: str, found: Found) -> None:
    check_qualified(name, path, found)
    if "/" not in name:
        detail = "a fully qualified name must be a domain and a name separated by a slash"
        found.append(invalid(path, name, detail))


def _check_identifier(text: str, path: str, found: Found) -> None:
    if len(text.encode()) > IDENTIFIER_LENGTH_MAX:
        found.append(too_long(path, IDENTIFIER_LENGTH_MAX))
    check(text, path, c_identifier, found)


def check_uid(uid: str, path: str, found: Found) -> None:
    bare = uid[1:-1] if len(uid) == 38 else uid.removeprefix("urn:uuid:")
    if len(uid) not in (32, 36, 38, 45):
        found.append(invalid(path, uid, f"error validating uid: invalid UUID length: {len(uid)}"))
    elif not _UUID.fullmatch(bare) and not (len(uid) == 32 and re.fullmatch("[0-9a-fA-F]{32}", uid)):
        found.append(invalid(path, uid, "error validating uid: invalid UUID format"))
    elif len(uid) != 36 or uid != uid.lower():
        detail = (
            "uid must be in RFC 4122 normalized form, `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx` with lowercase "
            "hexadecimal characters"
        )
        found.append(invalid(path, uid, detail))


def shortened(key: str, length_max: int) -> str:
    """The key of a map as paths show it: cut in the middle where it is longer than keys may be."""
    if len(key) <= length_max:
        return key
    left = length_max - 3
    return f"{key[: (left + 1) // 2]}...{key[len(key) - left // 2 :]}"

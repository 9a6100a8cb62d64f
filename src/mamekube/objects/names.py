"""Rules for names, label keys and values, ports and the like, with apimachinery's wording of what is wrong.

Every function answers a list of messages, empty where the text is fine. A right text costs one regular
expression; the wording is built for wrong ones only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from mamekube.objects.addresses import cidr as cidr
from mamekube.objects.addresses import ip as ip
from mamekube.objects.addresses import is_ip as is_ip

LABEL_LENGTH_MAX = 63
SUBDOMAIN_LENGTH_MAX = 253
QUALIFIED_NAME_LENGTH_MAX = 63
LABEL_VALUE_LENGTH_MAX = 63
PORT_NAME_LENGTH_MAX = 15
PORT_MAX = 65535

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_SEARCH_LABEL = "_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?"
_SEARCH_DOMAIN = rf"{_SEARCH_LABEL}(\.{_SEARCH_LABEL})*"
_LABEL_1035 = "[a-z]([-a-z0-9]*[a-z0-9])?"
_QUALIFIED = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_LABEL_VALUE = f"({_QUALIFIED})?"
_WILDCARD = rf"\*\.{_SUBDOMAIN}"
_CONFIG_KEY = "[-._a-zA-Z0-9]+"
_HTTP_HEADER = "[-A-Za-z0-9]+"
_HTTP_PATH = r"[A-Za-z0-9/\-._~%!$&'()*+,;=:]+"
_PERCENT = "[0-9]+%"

_match_label = re.compile(_LABEL).fullmatch
_match_subdomain = re.compile(_SUBDOMAIN).fullmatch
_match_search = re.compile(_SEARCH_DOMAIN).fullmatch
_match_label_1035 = re.compile(_LABEL_1035).fullmatch
_match_qualified = re.compile(_QUALIFIED).fullmatch
_match_label_value = re.compile(_LABEL_VALUE).fullmatch
_match_wildcard = re.compile(_WILDCARD).fullmatch
_match_config_key = re.compile(_CONFIG_KEY).fullmatch
_match_http_header = re.compile(_HTTP_HEADER).fullmatch
_match_http_path = re.compile(_HTTP_PATH).fullmatch
_match_percent = re.compile(_PERCENT).fullmatch
_match_port_name = re.compile("[-a-z0-9]+").fullmatch


def too_long(length_max: int) -> str:
    return f"must be no more than {length_max} bytes"


def in_range(low: int, high: int) -> str:
    return f"must be between {low} and {high}, inclusive"


def pattern(message: str, expression: str, *examples: str) -> str:
    """apimachinery's RegexError."""
    if not examples:
        return f"{message} (regex used for validation is '{expression}')"
    shown = " or ".join(f"'{example}', " for example in examples)
    return f"{message} (e.g. {shown}regex used for validation is '{expression}')"


def dns1123_label(name: str) -> list[str]:
    if _match_label(name) and len(name) <= LABEL_LENGTH_MAX:
        return []
    errors = [too_long(LABEL_LENGTH_MAX)] if _size(name) > LABEL_LENGTH_MAX else []
    if not _match_label(name):
        if _match_subdomain(name):
            errors.append("must not contain dots")
        else:
            errors.append(
                pattern(
                    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', "
                    "and must start and end with an alphanumeric character",
                    _LABEL,
                    "my-name",
                    "123-abc",
                )
            )
    return errors


def dns1123_subdomain(name: str) -> list[str]:
    if _match_subdomain(name) and len(name) <= SUBDOMAIN_LENGTH_MAX:
        return []
    errors = [too_long(SUBDOMAIN_LENGTH_MAX)] if _size(name) > SUBDOMAIN_LENGTH_MAX else []
    if not _match_subdomain(name):
        errors.append(
            pattern(
                "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', "
                "and must start and end with an alphanumeric character",
                _SUBDOMAIN,
                "example.com",
            )
        )
    return errors


def search_domain(name: str) -> list[str]:
    """Where a resolver looks for short names: a subdomain whose labels may have underscores."""
    errors = [too_long(SUBDOMAIN_LENGTH_MAX)] if _size(name) > SUBDOMAIN_LENGTH_MAX else []
    if not _match_search(name):
        errors.append(
            pattern(
                "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', "
                "and must start and end with an alphanumeric character",
                _SEARCH_DOMAIN,
                "example.com",
            )
        )
    return errors


def dns1035_label(name: str) -> list[str]:
    if _match_label_1035(name) and len(name) <= LABEL_LENGTH_MAX:
        return []
    errors = [too_long(LABEL_LENGTH_MAX)] if _size(name) > LABEL_LENGTH_MAX else []
    if not _match_label_1035(name):
        errors.append(
            pattern(
                "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an "
                "alphabetic character, and end with an alphanumeric character",
                _LABEL_1035,
                "my-name",
                "abc-123",
            )
        )
    return errors


def wildcard_subdomain(name: str) -> list[str]:
    """`*.example.com`."""
    errors = [too_long(SUBDOMAIN_LENGTH_MAX)] if _size(name) > SUBDOMAIN_LENGTH_MAX else []
    if not _match_wildcard(name):
        errors.append(
            pattern(
                "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which "
                "must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric "
                "character",
                _WILDCARD,
                "*.example.com",
            )
        )
    return errors


def path_segment(name: str) -> list[str]:
    """What may stand as a name in a URL path: the rule of RBAC's names, and the least rule of every name."""
    return [f"may not be '{name}'"] if name in (".", "..") else path_segment_prefix(name)


def path_segment_prefix(name: str) -> list[str]:
    return [f"may not contain '{part}'" for part in ("/", "%") if part in name]


_QUALIFIED_MESSAGE = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
    "character"
)
_QUALIFIED_EXAMPLES = ("MyName", "my.name", "123-abc")


def qualified_name(name: str) -> list[str]:
    """`name` or `example.com/name`: label keys, annotation keys, resource names."""
    prefix, slash, rest = name.rpartition("/")
    if _match_qualified(rest) and len(rest) <= QUALIFIED_NAME_LENGTH_MAX:
        if not slash:
            return []
        if _match_subdomain(prefix) and len(prefix) <= SUBDOMAIN_LENGTH_MAX:
            return []
    if name.count("/") > 1:
        return [
            "a valid label key "
            + pattern(_QUALIFIED_MESSAGE, _QUALIFIED, *_QUALIFIED_EXAMPLES)
            + " with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
        ]
    errors = []
    if slash and not prefix:
        errors.append("prefix part must be non-empty")
    elif slash:
        errors += [f"prefix part {message}" for message in dns1123_subdomain(prefix)]
    if not rest:
        errors.append("name part must be non-empty")
    elif _size(rest) > QUALIFIED_NAME_LENGTH_MAX:
        errors.append(f"name part {too_long(QUALIFIED_NAME_LENGTH_MAX)}")
    if not _match_qualified(rest):
        errors.append(f"name part {pattern(_QUALIFIED_MESSAGE, _QUALIFIED, *_QUALIFIED_EXAMPLES)}")
    return errors


def label_value(value: str) -> list[str]:
    if _match_label_value(value) and len(value) <= LABEL_VALUE_LENGTH_MAX:
        return []
    errors = [too_long(LABEL_VALUE_LENGTH_MAX)] if _size(value) > LABEL_VALUE_LENGTH_MAX else []
    if not _match_label_value(value):
        errors.append(
            pattern(
                "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', "
                "and must start and end with an alphanumeric character",
                _LABEL_VALUE,
                "MyValue",
                "my_value",
                "12345",
            )
        )
    return errors


def config_key(key: str) -> list[str]:
    """A key of a ConfigMap's or Secret's data."""
    errors = [too_long(SUBDOMAIN_LENGTH_MAX)] if _size(key) > SUBDOMAIN_LENGTH_MAX else []
    if not _match_config_key(key):
        errors.append(
            pattern(
                "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
                _CONFIG_KEY,
                "key.name",
                "KEY_NAME",
                "key-name",
            )
        )
    return errors + _directory_prefix(key)


def env_name(name: str) -> list[str]:
    """The name of an environment variable: any printable ASCII but `=`."""
    if not name:
        return ["environment variable name must be non-empty"]
    if all(" " <= character <= "~" and character != "=" for character in name):
        return []
    return [
        "a valid environment variable name must consist only of printable ASCII characters other than '='"
    ]


def port_name(name: str) -> list[str]:
    errors = [too_long(PORT_NAME_LENGTH_MAX)] if _size(name) > PORT_NAME_LENGTH_MAX else []
    if not _match_port_name(name):
        errors.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not any("a" <= character <= "z" for character in name):
        errors.append("must contain at least one letter (a-z)")
    if "--" in name:
        errors.append("must not contain consecutive hyphens")
    if name and (name[0] == "-" or name[-1] == "-"):
        errors.append("must not begin or end with a hyphen")
    return errors


def port_number(port: int) -> list[str]:
    return [] if 1 <= port <= PORT_MAX else [in_range(1, PORT_MAX)]


def percent(text: str) -> list[str]:
    if _match_percent(text):
        return []
    message = "a valid percent string must be a numeric string followed by an ending '%'"
    return [pattern(message, _PERCENT, "1%", "93%")]


def http_header(name: str) -> list[str]:
    if _match_http_header(name):
        return []
    message = "a valid HTTP header must consist of alphanumeric characters or '-'"
    return [pattern(message, _HTTP_HEADER, "X-Header-Name")]


def http_path(path: str) -> list[str]:
    return [] if _match_http_path(path) else [pattern("Invalid path", _HTTP_PATH)]


def _directory_prefix(key: str) -> list[str]:
    if key in (".", ".."):
        return [f"must not be '{key}'"]
    return ["must not start with '..'"] if key.startswith("..") else []


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


RULES: Mapping[str, Callable[[str], list[str]]] = {
    "subdomain": dns1123_subdomain,
    "label": dns1123_label,
    "path": path_segment,
}
"""By `Kind.name_rule`."""


def object_name(rule: str, name: str, *, prefix: bool = False) -> list[str]:
    """What is wrong with an object's name; `prefix`: with a generateName, which may end in dashes."""
    if not prefix:
        return RULES[rule](name)
    if rule == "path":
        return path_segment_prefix(name)
    # Upstream puts a letter in place of a dash at the end and of what stands before it.
    return RULES[rule](f"{name[:-2]}a" if len(name) > 1 and name.endswith("-") else name)

"""Names of signers: `example.com/own-signer`, a domain and a path."""

from __future__ import annotations

from collections.abc import Callable

from mamekube.kinds.fields import Found
from mamekube.objects import names
from mamekube.objects.fielderrors import invalid, required, too_long

PATH_LENGTH_MAX = names.SUBDOMAIN_LENGTH_MAX + names.LABEL_LENGTH_MAX + 1
"""A namespace and the name of an object in it."""
LENGTH_MAX = names.SUBDOMAIN_LENGTH_MAX + PATH_LENGTH_MAX + 1


def validate(name: str, path: str, found: Found) -> None:
    """Upstream's ValidateSignerName: it shows the part of the name that is wrong."""
    if not name:
        found.append(required(path))
        return
    parts = name.split("/")
    if len(parts) != 2:
        detail = "must be a fully qualified domain and path of the form 'example.com/signer-name'"
        found.append(invalid(path, name, detail))
        return
    domain, rest = parts
    if len(domain) > names.SUBDOMAIN_LENGTH_MAX:
        found.append(too_long(path, names.SUBDOMAIN_LENGTH_MAX))
    _validate_labels(domain, names.dns1123_label, path, found)
    if "." not in domain:
        detail = "should be a domain with at least two segments separated by dots"
        found.append(invalid(path, domain, detail))
    _validate_labels(rest, names.dns1123_subdomain, path, found)
    if len(name) > LENGTH_MAX:
        found.append(too_long(path, LENGTH_MAX))


def _validate_labels(text: str, rule: Callable[[str], list[str]], path: str, found: Found) -> None:
    """Stops at the first label that is wrong: the others are rarely wrong in another way."""
    for label in text.split("."):
        errors = rule(label)
        if errors:
            found += [invalid(path, text, f'validating label "{label}": {error}') for error in errors]
            return

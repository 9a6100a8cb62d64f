"""Where a webhook is, as registrations and definitions say it: may it stand there? Upstream's rules and wording."""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Mapping
from typing import Any

from mamekube.kinds.certificates import pkcs10
from mamekube.kinds.fields import Found
from mamekube.objects import names, urls
from mamekube.objects.fielderrors import invalid, render, required

_FORM = "; desired format: https://host[/path]"


def validate_client(config: Mapping[str, Any] | None, path: str, found: Found) -> None:
    """A `clientConfig`, which is at a URL or a Service; the bundle is judged by `ca_problem`."""
    url, service = (config or {}).get("url"), (config or {}).get("service")
    if (url is None) == (service is None):
        found.append(required(path, "exactly one of url or service is required"))
    elif url is not None:
        validate_url(url, f"{path}.url", found)
    elif service is not None:
        validate_service(service, f"{path}.service", found)


def validate_url(text: str, path: str, found: Found) -> None:
    try:
        url = urls.parse(text)
    except ValueError as error:
        shown = render(text.partition("#")[0])
        found.append(required(path, f"url must be a valid URL: parse {shown}: {error}{_FORM}"))
        return
    if url.scheme != "https":
        found.append(invalid(path, url.scheme, f"'https' is the only allowed URL scheme{_FORM}"))
    if not url.host:
        found.append(invalid(path, "", f"host must be provided{_FORM}"))
    if url.user is not None:
        found.append(invalid(path, url.user, "user information is not permitted in the URL"))
    if url.fragment:
        found.append(invalid(path, url.fragment, "fragments are not permitted in the URL"))
    if url.query:
        found.append(invalid(path, url.query, "query parameters are not permitted in the URL"))


def validate_service(service: Mapping[str, Any], path: str, found: Found) -> None:
    # Upstream takes the one for the other: a missing name is told of as a missing namespace.
    for field, said in (("name", "namespace"), ("namespace", "name")):
        if not service.get(said):
            found.append(required(f"{path}.{field}", f"service {field} is required"))
    port = service.get("port") or 0
    problems = names.port_number(port)
    if problems:
        found.append(invalid(f"{path}.port", port, f"port is not valid: {', '.join(problems)}"))
    if service.get("path") not in (None, "", "/"):
        _validate_path(service["path"], f"{path}.path", found)


def _validate_path(text: str, path: str, found: Found) -> None:
    if text == "//":
        found.append(invalid(path, text, "segment[0] may not be empty"))
        return
    if not text.startswith("/"):
        found.append(invalid(path, text, "must start with a '/'"))
    for index, segment in enumerate(text[1:].removesuffix("/").split("/")):
        if not segment:
            found.append(invalid(path, text, f"segment[{index}] may not be empty"))
            continue
        found += [
            invalid(path, text, f"segment[{index}]: {problem}")
            for problem in names.dns1123_subdomain(segment)
        ]


def ca_problem(bundle: str) -> str:
    """Why nobody could be trusted by this bundle (PEM in base64, as it stands in a `caBundle`), or nothing."""
    # The library that reads certificates is loaded by the first bundle.
    from cryptography import x509

    try:
        rest = b64decode(bundle)
    except binascii.Error:
        rest = b""
    problem = "unable to parse bytes as PEM block"
    for block in pkcs10.blocks(rest):
        problem = "no valid certificate authority data seen"
        if block.type != "CERTIFICATE" or block.has_headers:
            continue
        try:
            x509.load_der_x509_certificate(block.content)
        except ValueError:
            problem = "failed to parse certificate: x509: malformed certificate"
            continue
        return ""
    return f"unable to load root certificates: {problem}"

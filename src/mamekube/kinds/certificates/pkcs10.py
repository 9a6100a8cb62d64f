"""What is in the PEM of a certificate request and of the certificate that answers it, as far as validation asks.

The library that reads certificates is loaded by the first request: most clusters never see one.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

_LINE = re.compile(rb"^-----(BEGIN|END) ([^\n-]*)-----[ \t\r]*$", re.MULTILINE)
_HEADER = re.compile(rb"^[^:\n]+:", re.MULTILINE)


class Block(NamedTuple):
    type: str
    content: bytes
    has_headers: bool


def blocks(pem: bytes) -> Iterator[Block]:
    """The blocks that can be read; text around them, and blocks that are no base64, do not count (RFC 7468)."""
    begin: re.Match[bytes] | None = None
    for line in _LINE.finditer(pem):
        if line[1] == b"BEGIN":
            begin = line
            continue
        if begin is not None and begin[2] == line[2]:
            inside = pem[begin.end() : line.start()].removeprefix(b"\n")
            head, parted, body = inside.partition(b"\n\n")
            has_headers = bool(parted) and _HEADER.match(head) is not None
            with suppress(ValueError):
                content = b64decode(b"".join((body if has_headers else inside).split()), validate=True)
                yield Block(line[2].decode("utf-8", "replace"), content, has_headers)
        begin = None


def fault(encoded: str) -> str:
    """What is wrong with the base64 of a PEM request; empty where its signature is its own key's."""
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import rsa

    first = next(blocks(_decoded(encoded)), None)
    if first is None or first.type != "CERTIFICATE REQUEST":
        return "PEM block type must be CERTIFICATE REQUEST"
    try:
        request = x509.load_der_x509_csr(first.content)
        if request.is_signature_valid:
            return ""
        is_rsa = isinstance(request.public_key(), rsa.RSAPublicKey)
    except UnsupportedAlgorithm:
        return "x509: cannot verify signature: algorithm unimplemented"
    except (ValueError, InvalidSignature) as error:
        return f"asn1: structure error: {error}"
    return "crypto/rsa: verification error" if is_rsa else "x509: ECDSA verification failure"


def certificates_fault(encoded: str) -> str:
    """What is wrong with the base64 of PEM certificates; empty where there are none or all can be read."""
    from cryptography import x509

    if not encoded:
        return ""
    found = 0
    for block in blocks(_decoded(encoded)):
        if block.type != "CERTIFICATE":
            return f'only CERTIFICATE PEM blocks are allowed, found "{block.type}"'
        if block.has_headers:
            return "no PEM block headers are permitted"
        found += 1
        if not block.content:
            return "found CERTIFICATE PEM block containing 0 certificates"
        try:
            x509.load_der_x509_certificate(block.content)
        except ValueError as error:
            return f"x509: malformed certificate: {error}"
    return "" if found else "must contain at least one CERTIFICATE PEM block"


def _decoded(encoded: str) -> bytes:
    try:
        return b64decode(encoded)
    except ValueError:
        return b""

"""JSON Web Tokens (RFC 7519) signed by one key, RS256 or ES256: made, verified, published as a JWK.

The signing library is loaded on first use, since a server that starts signs nothing.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any


class InvalidToken(Exception):
    """The token is no good. The text is for whoever runs the server, not for the bearer."""


class SigningKey:
    """One RSA or P-256 key pair, out of PEM."""

    def __init__(self, pem: bytes) -> None:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ec, rsa

        key = serialization.load_pem_private_key(pem, password=None)
        if isinstance(key, rsa.RSAPrivateKey):
            self.algorithm = "RS256"
        elif isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1):
            self.algorithm = "ES256"
        else:
            raise ValueError("the service-account key must be an RSA key or an ECDSA key on P-256")
        self._private: Any = key
        self._public: Any = key.public_key()
        public = self._public.public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self.id = _encode(sha256(public).digest())

    def sign(self, claims: Mapping[str, Any]) -> str:
        header = _encode_json({"alg": self.algorithm, "kid": self.id})
        signed = f"{header}.{_encode_json(claims)}"
        return f"{signed}.{_encode(self._signature(signed.encode()))}"

    def verify(self, token: str) -> dict[str, Any]:
        """The claims, if the signature is this key's. The algorithm is ours, never the token's choice."""
        from cryptography.exceptions import InvalidSignature

        head, _, tail = token.partition(".")
        header = _decode_json(head)
        if header.get("alg") != self.algorithm or "crit" in header:
            raise InvalidToken("unexpected signing algorithm")
        if header.get("kid") not in (None, "", self.id):
            raise InvalidToken("unknown key")
        signed, _, signature = token.rpartition(".")
        if tail.count(".") != 1:
            raise InvalidToken("not a JWT")
        try:
            self._check(signed.encode(), _decode(signature))
        except InvalidSignature:
            raise InvalidToken("invalid signature") from None
        return unverified_claims(token)

    def jwk(self) -> dict[str, str]:
        numbers = self._public.public_numbers()
        common = {"use": "sig", "kid": self.id, "alg": self.algorithm}
        if self.algorithm == "RS256":
            return {**common, "kty": "RSA", "n": _encode_int(numbers.n), "e": _encode_int(numbers.e)}
        x, y = (_encode(number.to_bytes(32, "big")) for number in (numbers.x, numbers.y))
        return {**common, "kty": "EC", "crv": "P-256", "x": x, "y": y}

    def _signature(self, data: bytes) -> bytes:
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec, padding
        from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

        if self.algorithm == "RS256":
            return bytes(self._private.sign(data, padding.PKCS1v15(), hashes.SHA256()))
        r, s = decode_dss_signature(self._private.sign(data, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    def _check(self, data: bytes, signature: bytes) -> None:
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec, padding
        from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

        if self.algorithm == "RS256":
            self._public.verify(signature, data, padding.PKCS1v15(), hashes.SHA256())
            return
        if len(signature) != 64:
            raise InvalidToken("invalid signature")
        r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
        self._public.verify(encode_dss_signature(r, s), data, ec.ECDSA(hashes.SHA256()))


def unverified_claims(token: str) -> dict[str, Any]:
    """What a token says of itself. Raises InvalidToken for what is none."""
    parts = token.split(".")
    if len(parts) != 3:
        raise InvalidToken("not a JWT")
    return _decode_json(parts[1])


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _encode_json(value: Mapping[str, Any]) -> str:
    return _encode(json.dumps(value, separators=(",", ":")).encode())


def _encode_int(number: int) -> str:
    return _encode(number.to_bytes((number.bit_length() + 7) // 8, "big"))


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise InvalidToken("not base64url") from None


def _decode_json(text: str) -> dict[str, Any]:
    try:
        value = json.loads(_decode(text))
    except (ValueError, RecursionError):
        raise InvalidToken("not JSON") from None
    if not isinstance(value, dict):
        raise InvalidToken("not a JSON object")
    return value

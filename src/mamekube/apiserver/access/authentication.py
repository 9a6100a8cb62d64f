"""Who sends a request: client certificates, bearer tokens, a trusted proxy, or nobody.

The order is upstream's: request header, client certificate, bearer token. A credential that is no good is
refused (401) and never taken for no credential. `impersonate` then lets the permitted act as somebody else.
"""

from __future__ import annotations

import base64
import binascii
import csv
import re
import ssl
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from hmac import compare_digest
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from mamekube.apiserver import builtin
from mamekube.apiserver.access.attributes import Attributes
from mamekube.apiserver.access.authorization import Authorizer, forbidden
from mamekube.apiserver.access.legacy_tokens import GROUP_ALL
from mamekube.apiserver.access.tokens import Tokens
from mamekube.apiserver.request import ANONYMOUS, User
from mamekube.apiserver.writes import Reader
from mamekube.foundation.clock import Clock, parse_time
from mamekube.foundation.jwt import InvalidToken
from mamekube.objects.meta import Object
from mamekube.objects.status import StatusError, unauthorized

AUTHENTICATED = "system:authenticated"
UNAUTHENTICATED = "system:unauthenticated"

BOOTSTRAP_TOKEN = re.compile(r"([a-z0-9]{6})\.([a-z0-9]{16})\Z")
BOOTSTRAP_GROUP = "system:bootstrappers"
BOOTSTRAP_EXTRA_GROUP = re.compile(r"system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]\Z")
BOOTSTRAP_SECRET_TYPE = "bootstrap.kubernetes.io/token"

PROXY_NAMES = ("front-proxy-client", "aggregator")
"""Common names that may speak for others with the request-header CA's certificate."""

CERTIFICATES_KEPT_MAX = 2000
"""Connections whose certificate has been read. Beyond it they are read again."""

Certificate = Mapping[str, Any]
"""A verified peer certificate as `ssl.SSLSocket.getpeercert()` answers it."""


class Authenticator:
    """Tells users by their credentials. TLS has verified the certificate against the configured CAs already."""

    def __init__(
        self,
        *,
        tokens: Tokens,
        reader: Reader,
        clock: Clock,
        client_ca_file: str = "",
        requestheader_ca_file: str = "",
        proxy_names: Sequence[str] = PROXY_NAMES,
        token_file: str = "",
        anonymous: bool = True,
    ) -> None:
        self._tokens = tokens
        self._reader = reader
        self._clock = clock
        self._proxy_names = frozenset(proxy_names)
        self._anonymous = anonymous
        self._client_issuers = _subjects(client_ca_file)
        self._proxy_issuers = _subjects(requestheader_ca_file)
        self._certificates: dict[int, tuple[Certificate, User | None, float]] = {}
        """By identity; the entry keeps the certificate alive, so an identity is never taken by another one."""
        self._static = _read_token_file(token_file) if token_file else {}

    async def authenticate(
        self,
        *,
        certificate: Certificate | None,
        headers: Mapping[str, str],
        query: Mapping[str, list[str]] | None = None,
    ) -> User:
        """The user. Raises 401 for a credential that is no good, or for none where anonymity is off."""
        if certificate:
            user = self._from_proxy(certificate, headers) or self._known(certificate)
            if user is not None:
                return user
        token = _bearer_token(headers)
        if token is not None:
            return await self._from_token(token)
        if not self._anonymous:
            raise unauthorized()
        return ANONYMOUS

    async def review(self, token: str, audiences: Sequence[str]) -> tuple[User, tuple[str, ...]]:
        """Whose token it is, and for which of `audiences`. Raises InvalidToken (TokenReview)."""
        if self._tokens.is_ours(token):
            verified = await self._tokens.verify(token, audiences=audiences)
            return with_authenticated(verified.user), verified.audiences
        user = self._static.get(token) or await self._from_bootstrap(token)
        if user is None:
            raise InvalidToken("invalid bearer token")
        own = tuple(audience for audience in audiences if audience in self._tokens.audiences)
        if audiences and not own:
            raise InvalidToken("invalid bearer token")
        return with_authenticated(user), own or self._tokens.audiences

    async def _from_token(self, token: str) -> User:
        known = self._static.get(token)
        if known is not None:
            return known
        try:
            user, _ = await self.review(token, ())
        except InvalidToken:
            raise unauthorized() from None
        return user

    def _known(self, certificate: Certificate) -> User | None:
        """The user of a certificate. A connection shows the same object with every request, so it is read once;
        that it has not expired is looked at every time, as connections may last."""
        known = self._certificates.get(id(certificate))
        if known is None or known[0] is not certificate:
            if len(self._certificates) >= CERTIFICATES_KEPT_MAX:
                self._certificates.clear()
            known = (certificate, self._from_certificate(certificate), _expiry_s(certificate))
            self._certificates[id(certificate)] = known
        if known[2] < self._clock.now():
            raise unauthorized()
        return known[1]

    def _from_certificate(self, certificate: Certificate) -> User | None:
        if self._proxy_issuers and _name(certificate.get("issuer")) not in self._client_issuers:
            # With two CAs trusted for the connection, the issuer must be the one for clients.
            return None
        subject = list(_attributes(certificate.get("subject")))
        name = next((value for key, value in reversed(subject) if key == "commonName"), "")
        if not name:
            return None
        groups = tuple(value for key, value in subject if key == "organizationName")
        return with_authenticated(User(name, groups))

    def _from_proxy(self, certificate: Certificate, headers: Mapping[str, str]) -> User | None:
        """A user named by a front proxy, which only the request-header CA's certificate entitles to do so."""
        if not self._proxy_issuers or "X-Remote-User" not in headers:
            return None
        if _name(certificate.get("issuer")) not in self._proxy_issuers:
            return None
        subject = dict(_attributes(certificate.get("subject")))
        if self._proxy_names and subject.get("commonName") not in self._proxy_names:
            return None
        name = headers["X-Remote-User"].strip()
        if not name:
            return None
        extra = _extra(headers, "x-remote-extra-")
        groups = tuple(_values(headers, "X-Remote-Group"))
        return with_authenticated(User(name, groups, headers.get("X-Remote-Uid", ""), extra))

    async def _from_bootstrap(self, token: str) -> User | None:
        """The user of a bootstrap token: a Secret in kube-system, made by `kubeadm token create` or by hand."""
        match = BOOTSTRAP_TOKEN.match(token)
        if match is None:
            return None
        identity, secret_part = match.groups()
        name = f"bootstrap-token-{identity}"
        secret = await self._reader.get(builtin.SECRETS, name, namespace="kube-system")
        if secret is None or secret.get("type") != BOOTSTRAP_SECRET_TYPE:
            return None
        if secret["metadata"].get("deletionTimestamp"):
            return None
        data = _texts(secret)
        if data.get("token-id") != identity or data.get("usage-bootstrap-authentication") != "true":
            return None
        if not compare_digest(data.get("token-secret", ""), secret_part) or self._is_past(data):
            return None
        extra = [group.strip() for group in data.get("auth-extra-groups", "").split(",") if group.strip()]
        if not all(BOOTSTRAP_EXTRA_GROUP.match(group) for group in extra):
            return None
        return User(f"system:bootstrap:{identity}", tuple(sorted({BOOTSTRAP_GROUP, *extra})))

    def _is_past(self, data: Mapping[str, str]) -> bool:
        """Whether the token has expired; an expiration that cannot be read is past."""
        if "expiration" not in data:
            return False
        try:
            return parse_time(data["expiration"]) <= self._clock.now()
        except ValueError:
            return True


def with_authenticated(user: User) -> User:
    """The user, in the group of everybody who showed a credential."""
    if AUTHENTICATED in user.groups or UNAUTHENTICATED in user.groups:
        return user
    return replace(user, groups=(*user.groups, AUTHENTICATED))


def impersonate(user: User, headers: Mapping[str, str], authorizer: Authorizer) -> User:
    """The user to act as, if the headers name one. Raises 403 where `user` may not.

    Each part of the identity needs the verb `impersonate` of its own: on users or serviceaccounts, groups,
    uids, and userextras.
    """
    name = headers.get("Impersonate-User", "")
    if not name:
        for key in headers:
            if key[0] in "Ii" and key.lower().startswith("impersonate-"):
                raise StatusError(
                    500, "InternalError", "Internal error occurred: requested impersonation without a user"
                )
        return user
    groups = tuple(_values(headers, "Impersonate-Group"))
    uid = headers.get("Impersonate-Uid", "")
    extra = _extra(headers, "impersonate-extra-")

    account = _service_account(name)
    if account is not None:
        _require(user, authorizer, resource="serviceaccounts", namespace=account[0], name=account[1])
    else:
        _require(user, authorizer, resource="users", name=name)
    for group in groups:
        _require(user, authorizer, resource="groups", name=group)
    for key, values in extra.items():
        for value in values:
            _require(
                user,
                authorizer,
                group="authentication.k8s.io",
                resource="userextras",
                subresource=key,
                name=value,
            )
    if uid:
        _require(user, authorizer, group="authentication.k8s.io", resource="uids", name=uid)

    if account is not None and not groups:
        groups = (GROUP_ALL, f"{GROUP_ALL}:{account[0]}")
    return _assumed(User(name, groups, uid, extra))


def _assumed(user: User) -> User:
    if user.name != ANONYMOUS.name:
        return with_authenticated(user)
    if AUTHENTICATED in user.groups or UNAUTHENTICATED in user.groups:
        return user
    return replace(user, groups=(*user.groups, UNAUTHENTICATED))


def _require(
    user: User,
    authorizer: Authorizer,
    *,
    resource: str,
    name: str,
    group: str = "",
    namespace: str = "",
    subresource: str = "",
) -> None:
    attributes = Attributes(
        user,
        "impersonate",
        group=group,
        version="v1" if group else "",
        resource=resource,
        subresource=subresource,
        namespace=namespace,
        name=name,
    )
    decision = authorizer.authorize(attributes)
    if not decision.allowed:
        raise forbidden(attributes, decision.reason)


def _service_account(user_name: str) -> tuple[str, str] | None:
    parts = user_name.split(":")
    if len(parts) == 4 and parts[:2] == ["system", "serviceaccount"] and parts[2] and parts[3]:
        return parts[2], parts[3]
    return None


def _attributes(name: Any) -> Iterable[tuple[str, str]]:
    for part in name or ():
        yield from part


def _expiry_s(certificate: Certificate) -> float:
    """Seconds since the epoch; never, where the certificate as shown does not say."""
    text = certificate.get("notAfter")
    return float(ssl.cert_time_to_seconds(text)) if text else float("inf")


def _name(name: Any) -> frozenset[tuple[str, str]]:
    return frozenset(_attributes(name))


def _subjects(ca_file: str) -> frozenset[frozenset[tuple[str, str]]]:
    """The distinguished names of the CAs in a PEM file."""
    if not ca_file:
        return frozenset()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_verify_locations(ca_file)
    return frozenset(_name(certificate["subject"]) for certificate in context.get_ca_certs())


def _values(headers: Mapping[str, str], key: str) -> list[str]:
    """Every value of a header, in order; a plain mapping holds one."""
    every: Callable[..., list[str]] | None = getattr(headers, "getall", None)
    if every is not None:
        return list(every(key, ()))
    return [headers[key]] if key in headers else []


def _extra(headers: Mapping[str, str], prefix: str) -> dict[str, tuple[str, ...]]:
    keys = dict.fromkeys(key for key in headers if key.lower().startswith(prefix))
    return {unquote(key[len(prefix) :].lower()): tuple(_values(headers, key)) for key in keys}


def _bearer_token(headers: Mapping[str, str]) -> str | None:
    """The token that was sent: as a header, or by browsers, which cannot set any, as a WebSocket subprotocol."""
    authorization = headers.get("Authorization", "").strip()
    if authorization[:7].lower() == "bearer ":
        # Between the two is one space: who sends more has sent no token, as upstream has it.
        return authorization.split(" ", 2)[1] or None
    prefix = "base64url.bearer.authorization.k8s.io."
    for protocol in headers.get("Sec-WebSocket-Protocol", "").split(","):
        if protocol.strip().startswith(prefix):
            return _decoded(protocol.strip()[len(prefix) :])
    return None


def _texts(secret: Object) -> dict[str, str]:
    """The data of a Secret, as text."""
    return {key: _decoded(value) for key, value in (secret.get("data") or {}).items()}


def _decoded(text: str) -> str:
    """Text out of base64, ordinary or for URLs, padded or not; `""` for what is neither."""
    try:
        return base64.b64decode(
            text + "=" * (-len(text) % 4), altchars=b"-_" if "-" in text or "_" in text else None
        ).decode()
    except (binascii.Error, ValueError):
        return ""


def _read_token_file(path: str) -> dict[str, User]:
    """`token,user,uid,"group1,group2"` per line. Raises ValueError for a line with fewer than three parts."""
    users: dict[str, User] = {}
    with Path(path).open(newline="") as lines:
        for row in csv.reader(lines):
            if not row:
                continue
            if len(row) < 3:
                raise ValueError(f"{path}: a line must have at least 3 columns (token, user name, user uid)")
            groups = tuple(group.strip() for group in row[3].split(",")) if len(row) > 3 else ()
            users[row[0].strip()] = with_authenticated(User(row[1].strip(), groups, row[2].strip()))
    return users

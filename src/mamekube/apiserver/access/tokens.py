"""Service-account tokens: signed, bound to objects, and verified against what exists now.

A token is a JWT (RFC 7519) signed with the cluster's service-account key, RS256 or ES256. Its claims are
upstream's. A token is good only while its account, and the pod, secret or node it is bound to, exist with the
same uid, so deleting a pod revokes its tokens at once: signatures are remembered, existence never is.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mamekube.apiserver import builtin
from mamekube.apiserver.access.legacy_tokens import LEGACY_ISSUER, LegacyTokens, account_user
from mamekube.apiserver.request import User
from mamekube.apiserver.writes import Reader
from mamekube.foundation.clock import Clock, format_time
from mamekube.foundation.jwt import InvalidToken, SigningKey, unverified_claims
from mamekube.objects import fielderrors, status
from mamekube.objects.fielderrors import FieldError
from mamekube.objects.meta import Object, name_of, uid_of
from mamekube.objects.resource import Resource

EXPIRATION_DEFAULT_S = 3600
EXPIRATION_MIN_S = 600
EXPIRATION_MAX_S = 1 << 32
PROJECTED_EXPIRATION_S = 3607
"""What admission asks for in pods: a request for exactly this, bound to a pod, is extended."""
EXTENDED_EXPIRATION_S = 365 * 24 * 3600
"""Clients that read a projected token only once keep working for a year, as upstream's do by default."""
NOT_BEFORE_LEEWAY_S = 60
DELETION_LEEWAY_S = 60
"""A pod's token outlives its deletionTimestamp by this much, so that it can finish what it does."""

VERIFIED_KEPT_MAX = 10_000
TOKEN_REQUESTS = Resource(
    group="authentication.k8s.io", version="v1", plural="tokenrequests", kind="TokenRequest", namespaced=True
)


@dataclass(frozen=True, slots=True)
class Verified:
    """A token that is good now: whose it is, and for which of the audiences asked for."""

    user: User
    audiences: tuple[str, ...]


class Tokens:
    """Issues and verifies. `issuer` is the API server's own audience unless `audiences` says otherwise."""

    def __init__(
        self,
        key_file: str,
        *,
        issuer: str,
        reader: Reader,
        clock: Clock,
        audiences: Sequence[str] = (),
        jwks_uri: str = "",
    ) -> None:
        self.issuer = issuer
        self.audiences = tuple(audiences) or (issuer,)
        self.jwks_uri = jwks_uri or f"{issuer.rstrip('/')}/openid/v1/jwks"
        self._key_file = key_file
        self._reader = reader
        self._clock = clock
        self._loaded: SigningKey | None = None
        self.legacy = LegacyTokens(reader, clock)
        self._signed: dict[str, dict[str, Any]] = {}
        """Claims of tokens whose signature was good: that part of the answer cannot change."""

    async def request(self, body: Object, *, namespace: str, name: str) -> Object:
        """Answer a TokenRequest for the service account. Raises StatusError."""
        spec = dict(body.get("spec") or {})
        spec.setdefault("audiences", [])
        if not spec["audiences"]:
            spec["audiences"] = list(self.audiences)
        if spec.get("expirationSeconds") is None:
            spec["expirationSeconds"] = EXPIRATION_DEFAULT_S
        _check_names(body, namespace, name)
        account = await self._reader.get(builtin.SERVICE_ACCOUNTS, name, namespace=namespace)
        if account is None:
            raise status.not_found(builtin.SERVICE_ACCOUNTS, name)
        _check_spec(spec)
        bound = await self._bind(spec.get("boundObjectRef"), namespace, name)
        now_s = int(self._clock.now())
        token = self.issue(account, spec, bound=bound, now_s=now_s)
        return {
            "kind": "TokenRequest",
            "apiVersion": "authentication.k8s.io/v1",
            "metadata": {"name": name, "namespace": namespace, "creationTimestamp": format_time(now_s)},
            "spec": spec,
            "status": {"token": token, "expirationTimestamp": format_time(now_s + spec["expirationSeconds"])},
        }

    def issue(self, account: Object, spec: Mapping[str, Any], *, bound: Mapping[str, Any], now_s: int) -> str:
        """A signed token for `account`. `bound` holds the claims about pod, node or secret."""
        namespace, name = account["metadata"]["namespace"], name_of(account)
        private: dict[str, Any] = {"namespace": namespace, **bound}
        private["serviceaccount"] = {"name": name, "uid": uid_of(account)}
        expires_s = spec["expirationSeconds"]
        own = set(spec["audiences"]) <= set(self.audiences)
        if "pod" in bound and expires_s == PROJECTED_EXPIRATION_S and own:
            private["warnafter"] = now_s + expires_s
            expires_s = EXTENDED_EXPIRATION_S
        claims = {
            "aud": list(spec["audiences"]),
            "exp": now_s + expires_s,
            "iat": now_s,
            "iss": self.issuer,
            "jti": str(uuid.uuid4()),
            "kubernetes.io": private,
            "nbf": now_s,
            "sub": f"system:serviceaccount:{namespace}:{name}",
        }
        return self._key().sign(claims)

    def is_ours(self, token: str) -> bool:
        """Whether the token claims to come from this cluster: then nobody else may accept it."""
        if token in self._signed:
            return True
        try:
            return unverified_claims(token).get("iss") in (self.issuer, LEGACY_ISSUER)
        except InvalidToken:
            return False

    async def verify(self, token: str, *, audiences: Sequence[str] = ()) -> Verified:
        """Who bears the token. `audiences` are those acceptable, the API server's own if none are given."""
        claims = self._signed.get(token)
        if claims is None and not self._key_file:
            raise InvalidToken("this API server verifies no service-account tokens")
        if claims is None:
            claims = self._key().verify(token)
            if claims.get("iss") not in (self.issuer, LEGACY_ISSUER):
                raise InvalidToken("invalid issuer")
            if len(self._signed) >= VERIFIED_KEPT_MAX:
                self._signed.clear()
            self._signed[token] = claims
        legacy = claims["iss"] == LEGACY_ISSUER
        wanted = tuple(audiences) or self.audiences
        presented = claims.get("aud") or (self.audiences if legacy else ())
        presented = [presented] if isinstance(presented, str) else presented
        matching = tuple(audience for audience in wanted if audience in presented)
        if not matching:
            raise InvalidToken(
                f"token audiences {presented!r} is invalid for the target audiences {wanted!r}"
            )
        if legacy:
            return Verified(await self.legacy.user(token, claims), matching)
        self._check_times(claims)
        return Verified(await self._user(claims), matching)

    def discovery(self) -> dict[str, Any]:
        """The OpenID provider's configuration (`/.well-known/openid-configuration`)."""
        return {
            "issuer": self.issuer,
            "jwks_uri": self.jwks_uri,
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [self._key().algorithm],
        }

    def jwks(self) -> dict[str, Any]:
        """The public keys (`/openid/v1/jwks`)."""
        return {"keys": [self._key().jwk()]}

    async def _bind(
        self, reference: Mapping[str, Any] | None, namespace: str, account: str
    ) -> dict[str, Any]:
        """The claims for the object a token is to be bound to, after looking that it is there."""
        if not reference:
            return {}
        kind, name = reference.get("kind", ""), reference.get("name", "")
        resource = _BINDABLE.get((reference.get("apiVersion", ""), kind))
        if resource is None:
            group, _, version = str(reference.get("apiVersion", "")).rpartition("/")
            raise status.bad_request(f"cannot bind token to object of type {group}/{version}, Kind={kind}")
        obj = await self._reader.get(resource, name, namespace=namespace if resource.namespaced else "")
        if obj is None:
            raise status.not_found(resource, name)
        if kind == "Pod" and (obj.get("spec") or {}).get("serviceAccountName") != account:
            raise status.bad_request(
                f'cannot bind token for serviceaccount "{account}" to pod running with different '
                "serviceaccount name."
            )
        uid = reference.get("uid") or ""
        if uid and uid != uid_of(obj):
            why = (
                f"the UID in the bound object reference ({uid}) does not match the UID in record. "
                "The object might have been deleted and then recreated"
            )
            raise status.conflict(Resource(group="", version="v1", plural=kind, kind=kind), name, why)
        claims = {kind.lower(): {"name": name, "uid": uid_of(obj)}}
        node_name = (obj.get("spec") or {}).get("nodeName") if kind == "Pod" else ""
        if node_name:
            node = await self._reader.get(builtin.NODES, node_name)
            claims["node"] = {"name": node_name, **({"uid": uid_of(node)} if node else {})}
        return claims

    def _check_times(self, claims: Mapping[str, Any]) -> None:
        now_s = self._clock.now()
        try:
            if now_s > float(claims["exp"]):
                raise InvalidToken("service account token has expired")
            if now_s + NOT_BEFORE_LEEWAY_S < float(claims.get("nbf", 0)):
                raise InvalidToken("service account token is not valid yet")
        except (KeyError, TypeError, ValueError):
            raise InvalidToken("service account token has no valid times") from None

    async def _user(self, claims: Mapping[str, Any]) -> User:
        private = claims.get("kubernetes.io")
        if not isinstance(private, dict) or not isinstance(private.get("serviceaccount"), dict):
            raise InvalidToken("service account claims are missing")
        namespace, account = str(private.get("namespace", "")), private["serviceaccount"]
        name, uid = str(account.get("name", "")), str(account.get("uid", ""))
        user_name = f"system:serviceaccount:{namespace}:{name}"
        if claims.get("sub") != user_name:
            raise InvalidToken("sub claim is invalid")
        await self._exists(builtin.SERVICE_ACCOUNTS, "service account", namespace, account)
        extra = {"authentication.kubernetes.io/credential-id": (f"JTI={claims.get('jti', '')}",)}
        for field, resource in _BOUND_CLAIMS:
            reference = private.get(field)
            if not reference:
                continue
            if not isinstance(reference, dict):
                raise InvalidToken(f"{field} claim is invalid")
            if field != "node" or "pod" not in private:  # a pod's node is told, not required
                home = namespace if resource.namespaced else ""
                await self._exists(resource, field, home, reference)
            if field != "secret":
                for part in ("name", "uid"):
                    if reference.get(part):
                        extra[f"authentication.kubernetes.io/{field}-{part}"] = (str(reference[part]),)
        return account_user(namespace, name, uid, extra)

    async def _exists(
        self, resource: Resource, what: str, namespace: str, reference: Mapping[str, Any]
    ) -> None:
        obj = await self._reader.get(resource, str(reference.get("name", "")), namespace=namespace)
        if obj is None or uid_of(obj) != reference.get("uid"):
            raise InvalidToken(f"{what} does not exist or has another uid: token has been invalidated")
        deleted = obj["metadata"].get("deletionTimestamp")
        if deleted and deleted < format_time(self._clock.now() - DELETION_LEEWAY_S):
            raise InvalidToken(f"{what} has been deleted: token has been invalidated")

    def _key(self) -> SigningKey:
        if not self._key_file:
            raise status.unavailable("this API server has no key for service-account tokens")
        if self._loaded is None:
            self._loaded = SigningKey(Path(self._key_file).read_bytes())
        return self._loaded


_BINDABLE = {("v1", "Pod"): builtin.PODS, ("v1", "Secret"): builtin.SECRETS, ("v1", "Node"): builtin.NODES}
_BOUND_CLAIMS = (("secret", builtin.SECRETS), ("pod", builtin.PODS), ("node", builtin.NODES))


def _check_names(body: Object, namespace: str, name: str) -> None:
    metadata = body.get("metadata") or {}
    errors: list[FieldError] = []
    if metadata.get("name") not in (None, "", name):
        errors.append(
            fielderrors.invalid(
                "metadata.name", metadata["name"], "must match the service account name if specified"
            )
        )
    elif metadata.get("namespace") not in (None, "", namespace):
        errors.append(
            fielderrors.invalid(
                "metadata.namespace",
                metadata["namespace"],
                "must match the service account namespace if specified",
            )
        )
    if errors:
        raise status.invalid(TOKEN_REQUESTS, name, errors)


def _check_spec(spec: Mapping[str, Any]) -> None:
    seconds = spec["expirationSeconds"]
    errors: list[FieldError] = []
    path = "spec.expirationSeconds"
    if seconds < EXPIRATION_MIN_S:
        errors.append(fielderrors.invalid(path, seconds, "may not specify a duration less than 10 minutes"))
    if seconds > EXPIRATION_MAX_S:
        errors.append(
            fielderrors.invalid(path, seconds, "may not specify a duration larger than 2^32 seconds")
        )
    if errors:
        raise status.invalid(TOKEN_REQUESTS, "", errors)  # a request has no name of its own

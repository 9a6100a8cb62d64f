"""Legacy service-account tokens: those kept in Secrets of type `kubernetes.io/service-account-token`.

They have no end and no audience. Such a token is good while its Secret holds it and its account has the same uid, and
is not good any more once the Secret is marked `kubernetes.io/legacy-token-invalid-since`. A Secret whose token is
used says so by a label with the day, so that people find those that nobody needs.
"""

from __future__ import annotations

import base64
import logging
from collections.abc import Mapping
from dataclasses import replace
from hmac import compare_digest
from typing import Any

from mamekube.apiserver import builtin
from mamekube.apiserver.request import User
from mamekube.apiserver.writes import Reader
from mamekube.client.client import Client
from mamekube.foundation.clock import Clock, format_time
from mamekube.foundation.jwt import InvalidToken
from mamekube.foundation.lifecycle import Component
from mamekube.foundation.workqueue import WorkQueue
from mamekube.objects.meta import Object, being_deleted, labels_of, name_of, uid_of
from mamekube.objects.status import StatusError

log = logging.getLogger(__name__)

LEGACY_ISSUER = "kubernetes/serviceaccount"
GROUP_ALL = "system:serviceaccounts"
CLAIM_PREFIX = "kubernetes.io/serviceaccount/"
LAST_USED_LABEL = "kubernetes.io/legacy-token-last-used"
INVALID_SINCE_LABEL = "kubernetes.io/legacy-token-invalid-since"
TRACKING_NAME = "kube-apiserver-legacy-service-account-token-tracking"
LEGACY_ANNOTATION = "authentication.k8s.io/legacy-token"
DAY_S = 24 * 3600
INVALIDATED = "Token has been invalidated"

_CLAIMS = (
    ("namespace", "namespace"),
    ("secret.name", "secretName"),
    ("service-account.name", "serviceAccountName"),
    ("service-account.uid", "serviceAccountUID"),
)
"""(claim, how upstream calls it when it is missing), in the order in which they are looked for."""


def account_user(
    namespace: str, name: str, uid: str, extra: Mapping[str, tuple[str, ...]] | None = None
) -> User:
    """The user that a service account is."""
    groups = (GROUP_ALL, f"{GROUP_ALL}:{namespace}")
    return User(f"system:serviceaccount:{namespace}:{name}", groups, uid, extra or {})


class LegacyTokens:
    """Judges the claims of tokens whose signature is good, and notes which are used."""

    def __init__(self, reader: Reader, clock: Clock) -> None:
        self._reader = reader
        self._clock = clock
        self.used: WorkQueue[tuple[str, str, str]] = WorkQueue()
        """(namespace, name, uid) of Secrets whose label is of another day."""

    async def user(self, token: str, claims: Mapping[str, Any]) -> User:
        """Whose token it is. Raises InvalidToken."""
        found = _claims(claims)
        namespace, name, uid = (
            found[key] for key in ("namespace", "service-account.name", "service-account.uid")
        )
        user = account_user(namespace, name, uid)
        if claims.get("sub") != user.name:
            raise InvalidToken("sub claim is invalid" if claims.get("sub") else "sub claim is missing")
        secret = await self._reader.get(builtin.SECRETS, found["secret.name"], namespace=namespace)
        if secret is None or being_deleted(secret):
            raise InvalidToken(INVALIDATED)
        kept = (secret.get("data") or {}).get("token") or ""
        if not compare_digest(base64.b64decode(kept), token.encode()):
            raise InvalidToken("Token does not match server's copy")
        account = await self._reader.get(builtin.SERVICE_ACCOUNTS, name, namespace=namespace)
        if account is None:
            raise InvalidToken(f'serviceaccounts "{name}" not found')
        if being_deleted(account):
            raise InvalidToken(f"ServiceAccount {namespace}/{name} has been deleted")
        if uid_of(account) != uid:
            raise InvalidToken(f"ServiceAccount UID ({uid_of(account)}) does not match claim ({uid})")
        self._check_valid(secret, f"{namespace}/{name}")
        self._note_use(secret)
        return replace(user, notes={LEGACY_ANNOTATION: user.name})

    def _check_valid(self, secret: Object, account: str) -> None:
        invalid_since = labels_of(secret).get(INVALID_SINCE_LABEL)
        if not invalid_since:
            return
        namespace, name = secret["metadata"]["namespace"], name_of(secret)
        raise InvalidToken(
            f"the token in secret {namespace}/{name} for service account {account} has been marked invalid. Use tokens "
            "from the TokenRequest API or manually created secret-based tokens, or remove the "
            f"'{INVALID_SINCE_LABEL}' label from the secret to temporarily allow use of this token"
        )

    def _note_use(self, secret: Object) -> None:
        """Another server's clock may be a day ahead of ours: its label is as good."""
        now_s = self._clock.now()
        if labels_of(secret).get(LAST_USED_LABEL) not in (day(now_s), day(now_s + DAY_S)):
            self.used.add((secret["metadata"]["namespace"], name_of(secret), uid_of(secret)))


def _claims(claims: Mapping[str, Any]) -> dict[str, str]:
    found = {}
    for claim, name in _CLAIMS:
        value = claims.get(CLAIM_PREFIX + claim)
        if not value or not isinstance(value, str):
            raise InvalidToken(f"{name} claim is missing")
        found[claim] = value
    return found


def day(now_s: float) -> str:
    """`2026-03-01`, in UTC."""
    return format_time(now_s)[:10]


class LegacyTokenTracking(Component):
    """Dates the Secrets whose tokens are used, and tells by a ConfigMap since when that has been done."""

    def __init__(self, tokens: LegacyTokens, client: Client, clock: Clock) -> None:
        super().__init__()
        self._used = tokens.used
        self._client = client
        self._clock = clock

    async def start(self) -> None:
        self.spawn(self._run(), name="legacy-token-tracking")

    async def _run(self) -> None:
        while True:
            key = await self._used.take()
            try:
                await self._date(*key)
            finally:
                self._used.done(key)

    async def _date(self, namespace: str, name: str, uid: str) -> None:
        patch = {"metadata": {"uid": uid, "labels": {LAST_USED_LABEL: day(self._clock.now())}}}
        try:
            await self._client.patch(builtin.SECRETS, name, patch, namespace=namespace)
        except StatusError as error:
            # It says so again when it is used again.
            log.warning("cannot note the use of the token in %s/%s: %s", namespace, name, error.message)


def tracking(now_s: float) -> Object:
    """The ConfigMap that tells since when uses have been noted. It is made once and never changed."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": TRACKING_NAME, "namespace": "kube-system"},
        "data": {"since": day(now_s)},
    }

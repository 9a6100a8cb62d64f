"""Service-account tokens in Secrets: the old kind, made by whoever creates a Secret of that type."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from mamekube.controllers.resources import SECRETS, SERVICE_ACCOUNTS
from mamekube.controllers.runtime import Context, Controller, Watch, itself
from mamekube.foundation.jwt import SigningKey
from mamekube.objects.meta import (
    Object,
    annotations_of,
    key_of,
    make_key,
    metadata,
    name_of,
    namespace_of,
    uid_of,
)
from mamekube.objects.status import StatusError, is_reason

TYPE = "kubernetes.io/service-account-token"
ACCOUNT_NAME = "kubernetes.io/service-account.name"
ACCOUNT_UID = "kubernetes.io/service-account.uid"
ISSUER = "kubernetes/serviceaccount"
CLAIM_PREFIX = "kubernetes.io/serviceaccount/"
BY_ACCOUNT = "account"


def account_key(secret: Object) -> str:
    """The key of the account that a Secret names; empty where it names none."""
    name = annotations_of(secret).get(ACCOUNT_NAME)
    return make_key(namespace_of(secret), name) if name else ""


def belongs(secret: Object, account: Object | None) -> bool:
    """Whether the account is the one that the Secret was made for, and not another one of that name."""
    uid = annotations_of(secret).get(ACCOUNT_UID)
    return account is not None and uid in (None, "", uid_of(account))


def claims_of(secret: Object, account: Object) -> Mapping[str, Any]:
    """What the token says. It never ends, and is for nobody in particular."""
    namespace, name = namespace_of(account), name_of(account)
    return {
        "iss": ISSUER,
        f"{CLAIM_PREFIX}namespace": namespace,
        f"{CLAIM_PREFIX}secret.name": name_of(secret),
        f"{CLAIM_PREFIX}service-account.name": name,
        f"{CLAIM_PREFIX}service-account.uid": uid_of(account),
        "sub": f"system:serviceaccount:{namespace}:{name}",
    }


def plan(
    secret: Object, account: Object, *, root_ca: str, sign: Callable[[Mapping[str, Any]], str]
) -> Object | None:
    """The Secret to write; None where nothing is missing. A token that is there is kept."""
    data = dict(secret.get("data") or {})
    if root_ca:
        data["ca.crt"] = _encoded(root_ca)
    if not data.get("namespace"):
        data["namespace"] = _encoded(namespace_of(secret))
    if not data.get("token"):
        data["token"] = _encoded(sign(claims_of(secret, account)))
    annotations = {
        **annotations_of(secret),
        ACCOUNT_NAME: name_of(account),
        ACCOUNT_UID: uid_of(account),
    }
    if data == (secret.get("data") or {}) and annotations == annotations_of(secret):
        return None
    return {**secret, "metadata": {**metadata(secret), "annotations": annotations}, "data": data}


def without_secret(account: Object, secret_name: str) -> Object | None:
    """The account without its mention of a Secret; None where it does not mention it."""
    mentioned = account.get("secrets") or []
    kept = [reference for reference in mentioned if reference.get("name") != secret_name]
    return {**account, "secrets": kept} if len(kept) < len(mentioned) else None


def _encoded(text: str) -> str:
    return b64encode(text.encode()).decode()


def _indexed(secret: Object) -> Iterable[str]:
    key = account_key(secret)
    return (key,) if key else ()


def _secrets(controller: Controller, account: Object) -> Iterable[str]:
    """The Secrets of an account."""
    return [key_of(secret) for secret in controller.cache(SECRETS).by_index(BY_ACCOUNT, key_of(account))]


def _remember(controller: ServiceAccountTokenController, event: str, secret: Object) -> None:
    if event == "DELETED":
        controller.gone[key_of(secret)] = account_key(secret)


class ServiceAccountTokenController(Controller):
    """Duty: a Secret of type `kubernetes.io/service-account-token` holds a token of the account that it names, and
    goes with it. An account does not mention a Secret that is gone.

    Woken by these Secrets and by their accounts.
    Invariant: no Secret is removed before the API itself, and not the cache alone, has said that its account is gone.
    """

    name = "serviceaccount-token-controller"
    account = ""
    watches = (
        Watch(
            resource=SECRETS,
            keys=itself,
            field_selector=f"type={TYPE}",
            indexes={BY_ACCOUNT: _indexed},
            observe=_remember,
        ),
        Watch(resource=SERVICE_ACCOUNTS, keys=_secrets, matters=lambda old, new: uid_of(old) != uid_of(new)),
    )

    def __init__(self, context: Context, *, key_file: str, root_ca: str) -> None:
        super().__init__(context)
        self._key_file = key_file
        self._root_ca = root_ca
        self._key: SigningKey | None = None
        self.gone: dict[str, str] = {}
        """Keys of Secrets that were removed -> their accounts' keys, until these were looked at."""

    async def reconcile(self, key: str) -> float | None:
        secret = self.cache(SECRETS).get(key)
        if secret is None:
            await self._forget(key)
            return None
        self.gone.pop(key, None)
        account = self.cache(SERVICE_ACCOUNTS).get(account_key(secret))
        if not belongs(secret, account):
            account = await self._live_account(secret)
        if account is None or not belongs(secret, account):
            await self._remove(secret)
            return None
        wanted = plan(secret, account, root_ca=self._root_ca, sign=self._sign)
        if wanted is not None:
            await self.client.update(SECRETS, wanted)
        return None

    def _sign(self, claims: Mapping[str, Any]) -> str:
        """The key is read when the first Secret asks for it: most clusters have none."""
        self._key = self._key or SigningKey(Path(self._key_file).read_bytes())
        return self._key.sign(claims)

    async def _live_account(self, secret: Object) -> Object | None:
        try:
            name = annotations_of(secret).get(ACCOUNT_NAME, "")
            return await self.client.get(SERVICE_ACCOUNTS, name, namespace=namespace_of(secret))
        except StatusError as error:
            if is_reason(error, "NotFound"):
                return None
            raise

    async def _remove(self, secret: Object) -> None:
        try:
            await self.client.delete(
                SECRETS, name_of(secret), namespace=namespace_of(secret), uid=uid_of(secret)
            )
        except StatusError as error:
            if not is_reason(error, "NotFound", "Conflict"):
                raise

    async def _forget(self, key: str) -> None:
        account = self.cache(SERVICE_ACCOUNTS).get(self.gone.get(key, ""))
        wanted = without_secret(account, key.rpartition("/")[2]) if account is not None else None
        if wanted is not None:
            await self.client.update(SERVICE_ACCOUNTS, wanted)
        self.gone.pop(key, None)

"""Bootstrap tokens: secrets by which new nodes and the cluster come to trust each other.

A token that has expired is removed. One that may be used for signing signs the ConfigMap `cluster-info`, so that
whoever knows the token can tell that what anybody may read there is the cluster's own word.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Iterable

import orjson

from mamekube.controllers.resources import CONFIG_MAPS, SECRETS
from mamekube.controllers.runtime import Controller, Watch, always, itself
from mamekube.foundation.clock import parse_time
from mamekube.objects.meta import Object, key_of, name_of, namespace_of, uid_of
from mamekube.objects.status import StatusError, is_reason

TYPE = "bootstrap.kubernetes.io/token"
ONLY_TOKENS = f"type={TYPE}"
NAME_PREFIX = "bootstrap-token-"
NAMESPACE = "kube-system"
CLUSTER_INFO = "kube-public/cluster-info"
KUBECONFIG = "kubeconfig"
SIGNATURE_PREFIX = "jws-kubeconfig-"


def field(secret: Object, name: str) -> str:
    """A field of the token; empty where it is absent or no text."""
    try:
        return b64decode((secret.get("data") or {}).get(name) or "").decode()
    except ValueError:
        return ""


def expires_s(secret: Object) -> float | None:
    """When the token expires, in seconds since the epoch: long ago, if that cannot be read; None if never."""
    text = field(secret, "expiration")
    if not text:
        return None
    try:
        return parse_time(text)
    except ValueError:
        return 0.0


def signing_tokens(secrets: Iterable[Object], *, now_s: float) -> dict[str, str]:
    """Token id -> its secret part, of the tokens that may sign."""
    tokens = {}
    for secret in secrets:
        identity, part, end_s = field(secret, "token-id"), field(secret, "token-secret"), expires_s(secret)
        named = name_of(secret) == NAME_PREFIX + identity and namespace_of(secret) == NAMESPACE
        alive = end_s is None or end_s > now_s
        if named and part and alive and field(secret, "usage-bootstrap-signing") == "true":
            tokens[identity] = part
    return tokens


def signature(content: str, *, identity: str, secret: str) -> str:
    """A detached JSON Web Signature (RFC 7515, appendix F) with the secret part as its key."""
    header = _encode(orjson.dumps({"alg": "HS256", "kid": identity}))
    payload = _encode(content.encode())
    mac = hmac.new(secret.encode(), f"{header}.{payload}".encode(), hashlib.sha256).digest()
    return f"{header}..{_encode(mac)}"


def _encode(octets: bytes) -> str:
    return urlsafe_b64encode(octets).rstrip(b"=").decode()


def plan(config_map: Object, tokens: dict[str, str]) -> Object | None:
    """The signed ConfigMap to write; None where the signatures are right, or there is nothing to sign."""
    data = config_map.get("data") or {}
    if KUBECONFIG not in data:
        return None
    signed = {key: value for key, value in data.items() if not key.startswith(SIGNATURE_PREFIX)}
    for identity, secret in tokens.items():
        signed[SIGNATURE_PREFIX + identity] = signature(data[KUBECONFIG], identity=identity, secret=secret)
    return None if signed == data else {**config_map, "data": signed}


def _cluster_info(controller: Controller, config_map: Object) -> Iterable[str]:
    if key_of(config_map) == CLUSTER_INFO:
        yield CLUSTER_INFO


def _token(controller: Controller, secret: Object) -> Iterable[str]:
    return itself(controller, secret) if namespace_of(secret) == NAMESPACE else ()


class TokenCleaner(Controller):
    """Duty: remove bootstrap tokens when they expire.

    Woken by them, and by their time.
    """

    name = "token-cleaner-controller"
    account = "token-cleaner"
    watches = (Watch(resource=SECRETS, keys=_token, field_selector=ONLY_TOKENS),)

    async def reconcile(self, key: str) -> float | None:
        secret = self.cache(SECRETS).get(key)
        end_s = expires_s(secret) if secret is not None else None
        if secret is None or end_s is None:
            return None
        left_s = end_s - self.clock.now()
        if left_s > 0:
            return left_s
        try:
            await self.client.delete(SECRETS, name_of(secret), namespace=NAMESPACE, uid=uid_of(secret))
        except StatusError as error:
            if not is_reason(error, "NotFound"):
                raise
        return None


class BootstrapSigner(Controller):
    """Duty: `cluster-info` in kube-public carries a signature of each token that may sign, and no other.

    Woken by it and by the tokens. One that expires is removed by the TokenCleaner, which wakes this too.
    """

    name = "bootstrap-signer-controller"
    account = "bootstrap-signer"
    watches = (
        Watch(resource=CONFIG_MAPS, keys=_cluster_info),
        Watch(resource=SECRETS, keys=always(CLUSTER_INFO), field_selector=ONLY_TOKENS),
    )

    async def reconcile(self, key: str) -> float | None:
        config_map = self.cache(CONFIG_MAPS).get(key)
        if config_map is None:
            return None
        wanted = plan(config_map, signing_tokens(self.cache(SECRETS).list(), now_s=self.clock.now()))
        if wanted is not None:
            await self.client.update(CONFIG_MAPS, wanted)
        return None

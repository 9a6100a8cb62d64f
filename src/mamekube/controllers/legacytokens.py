"""Tokens in Secrets that were once made for every account: those that nobody uses are marked, and later removed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from mamekube.controllers.resources import CONFIG_MAPS, PODS, SECRETS, SERVICE_ACCOUNTS
from mamekube.controllers.runtime import Controller, Watch, nobody
from mamekube.controllers.serviceaccounttoken import TYPE, account_key, belongs
from mamekube.foundation.clock import format_time, parse_time
from mamekube.objects.meta import Object, being_deleted, labels_of, metadata, name_of, namespace_of, uid_of
from mamekube.objects.podreferences import named
from mamekube.objects.status import StatusError, is_reason

LAST_USED = "kubernetes.io/legacy-token-last-used"
INVALID_SINCE = "kubernetes.io/legacy-token-invalid-since"
TRACKING = "kube-apiserver-legacy-service-account-token-tracking"
DAY_S = 24 * 3600.0
UNUSED_S = 365 * DAY_S
"""After so long without use a token is marked, and after as long again it goes. Upstream:
--legacy-service-account-token-clean-up-period."""
MARK, REMOVE, KEEP = "mark", "remove", "keep"


def day(time_s: float) -> str:
    return format_time(time_s)[:10]


def is_day(text: str | None) -> bool:
    try:
        parse_time(f"{text}T00:00:00Z")
    except ValueError:
        return False
    return True


def decide(secret: Object, account: Object | None, *, mounted: bool, now_s: float) -> str:
    """What becomes of a Secret that holds a token.

    Only tokens that were made for the account by itself go, which it lists; where that cannot be told, they stay.
    """
    since_s, labels = now_s - UNUSED_S, labels_of(secret)
    if being_deleted(secret) or parse_time(metadata(secret)["creationTimestamp"]) >= since_s:
        return KEEP
    used, invalid = labels.get(LAST_USED), labels.get(INVALID_SINCE)
    if used is not None and (not is_day(used) or used >= day(since_s)):
        return KEEP
    if account is None or not belongs(secret, account) or mounted:
        return KEEP
    if name_of(secret) not in {reference.get("name") for reference in account.get("secrets") or ()}:
        return KEEP
    if invalid is None or not is_day(invalid):
        return MARK
    return KEEP if invalid >= day(since_s) else REMOVE


def mounted_secrets(pods: Iterable[Object]) -> dict[str, set[str]]:
    """Namespace -> names of the Secrets that its pods name."""
    found: dict[str, set[str]] = defaultdict(set)
    for pod in pods:
        found[namespace_of(pod)] |= {name for resource, name in named(pod["spec"]) if resource == "secrets"}
    return found


class LegacyTokenCleaner(Controller):
    """Duty: mark tokens that nobody has used for a year, and remove them a year after.

    Looks once a day.
    Invariant: nothing is done before the API server has noted for a year which tokens are used.
    """

    name = "legacy-serviceaccount-token-cleaner-controller"
    account = "legacy-service-account-token-cleaner"
    watches = (
        Watch(resource=SECRETS, keys=nobody, field_selector=f"type={TYPE}"),
        Watch(resource=SERVICE_ACCOUNTS, keys=nobody),
        Watch(resource=PODS, keys=nobody),
    )
    initial = ("tokens",)
    workers = 1

    async def reconcile(self, key: str) -> float | None:
        now_s = self.clock.now()
        if await self._tracked_s() + UNUSED_S > now_s:
            return DAY_S
        mounted = mounted_secrets(self.cache(PODS).list())
        for secret in self.cache(SECRETS).list():
            account = self.cache(SERVICE_ACCOUNTS).get(account_key(secret))
            used = name_of(secret) in mounted.get(namespace_of(secret), ())
            await self._carry_out(decide(secret, account, mounted=used, now_s=now_s), secret, now_s)
        return DAY_S

    async def _tracked_s(self) -> float:
        """Since when uses are noted for certain: the day after the one that the API server wrote down."""
        tracking = await self.client.get(CONFIG_MAPS, TRACKING, namespace="kube-system")
        return parse_time(f"{(tracking.get('data') or {}).get('since')}T00:00:00Z") + DAY_S

    async def _carry_out(self, decision: str, secret: Object, now_s: float) -> None:
        name, namespace = name_of(secret), namespace_of(secret)
        try:
            if decision == MARK:
                described = {"uid": uid_of(secret), "labels": {INVALID_SINCE: day(now_s)}}
                await self.client.patch(SECRETS, name, {"metadata": described}, namespace=namespace)
            elif decision == REMOVE:
                seen = metadata(secret)["resourceVersion"]
                await self.client.delete(SECRETS, name, namespace=namespace, revision=seen)
        except StatusError as error:
            if not is_reason(error, "Conflict", "NotFound"):
                raise

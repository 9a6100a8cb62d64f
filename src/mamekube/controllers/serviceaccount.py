"""The `default` ServiceAccount that every namespace has."""

from __future__ import annotations

from collections.abc import Iterable

from mamekube.controllers.podcontrol import namespace_terminating
from mamekube.controllers.resources import NAMESPACES, SERVICE_ACCOUNTS
from mamekube.controllers.runtime import Controller, Watch, itself
from mamekube.objects.meta import Object, being_deleted, name_of, namespace_of
from mamekube.objects.status import StatusError, is_reason

DEFAULT = "default"


def _namespace(controller: Controller, account: Object) -> Iterable[str]:
    if name_of(account) == DEFAULT:
        yield namespace_of(account)


class ServiceAccountController(Controller):
    """Duty: a ServiceAccount `default` in each active namespace.

    Woken by namespaces, and by the disappearance of such an account.
    Invariant: an account that exists is never changed.
    """

    name = "service-account-controller"
    account = "service-account-controller"
    watches = (
        Watch(resource=NAMESPACES, keys=itself),
        Watch(resource=SERVICE_ACCOUNTS, keys=_namespace, matters=lambda old, new: False),
    )

    async def reconcile(self, key: str) -> float | None:
        namespace = self.cache(NAMESPACES).get(key)
        if namespace is None or being_deleted(namespace):
            return None
        if self.cache(SERVICE_ACCOUNTS).get(f"{key}/{DEFAULT}") is not None:
            return None
        account = {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": DEFAULT, "namespace": key},
        }
        try:
            await self.client.create(SERVICE_ACCOUNTS, account, namespace=key)
        except StatusError as error:
            if not is_reason(error, "AlreadyExists") and not namespace_terminating(error):
                raise
        return None

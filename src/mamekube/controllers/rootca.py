"""The ConfigMap `kube-root-ca.crt`, from which pods learn whom to trust."""

from __future__ import annotations

from collections.abc import Iterable

from mamekube.controllers.podcontrol import namespace_terminating
from mamekube.controllers.resources import CONFIG_MAPS, NAMESPACES
from mamekube.controllers.runtime import Context, Controller, Watch, itself
from mamekube.objects.meta import Object, annotations_of, being_deleted, metadata, name_of, namespace_of
from mamekube.objects.status import StatusError, is_reason

NAME = "kube-root-ca.crt"
DESCRIPTION = "kubernetes.io/description"
DESCRIPTION_TEXT = (
    "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the "
    "internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes "
    "clusters."
)
"""What upstream writes there, for people who find the ConfigMap and wonder."""


def _namespace(controller: Controller, config_map: Object) -> Iterable[str]:
    if name_of(config_map) == NAME:
        yield namespace_of(config_map)


def plan(namespace: str, current: Object | None, *, root_ca: str) -> Object | None:
    """The ConfigMap to write; None where the current one is right."""
    data = {"ca.crt": root_ca}
    if current is not None:
        described = annotations_of(current).get(DESCRIPTION) == DESCRIPTION_TEXT
        if current.get("data") == data and described:
            return None
    annotations = {**annotations_of(current or {}), DESCRIPTION: DESCRIPTION_TEXT}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            **metadata(current or {}),
            "name": NAME,
            "namespace": namespace,
            "annotations": annotations,
        },
        "data": data,
    }


class RootCaPublisher(Controller):
    """Duty: the cluster's root certificate in a ConfigMap of each active namespace.

    Woken by namespaces and by these ConfigMaps, so that whoever changes one gets the right one back.
    """

    name = "root-ca-certificate-publisher-controller"
    account = "root-ca-cert-publisher"
    watches = (
        Watch(resource=NAMESPACES, keys=itself),
        Watch(resource=CONFIG_MAPS, keys=_namespace),
    )

    def __init__(self, context: Context, *, root_ca: str) -> None:
        super().__init__(context)
        self.root_ca = root_ca

    async def reconcile(self, key: str) -> float | None:
        namespace = self.cache(NAMESPACES).get(key)
        if namespace is None or being_deleted(namespace):
            return None
        current = self.cache(CONFIG_MAPS).get(f"{key}/{NAME}")
        wanted = plan(key, current, root_ca=self.root_ca)
        if wanted is None:
            return None
        try:
            if current is None:
                await self.client.create(CONFIG_MAPS, wanted, namespace=key)
            else:
                await self.client.update(CONFIG_MAPS, wanted)
        except StatusError as error:
            if not is_reason(error, "AlreadyExists") and not namespace_terminating(error):
                raise
        return None

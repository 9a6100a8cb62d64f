"""Which container of a pod a request means."""

from __future__ import annotations

from mamekube.apiserver.api import Api
from mamekube.apiserver.request import Request
from mamekube.objects.meta import Object
from mamekube.objects.status import bad_request

PARTS = ("initContainers", "containers", "ephemeralContainers")


async def pod_of(api: Api, request: Request) -> Object:
    """The pod that the request names. Raises 404."""
    kind = api.registry.find("", "v1", "pods")
    assert kind is not None, "every registry has pods"
    return (await api.resources.find(kind, request.namespace, request.name)).object


def container_of(pod: Object, asked: str) -> str:
    """The container asked for, or the only one. Raises 400."""
    spec, name = pod["spec"], pod["metadata"]["name"]
    names = {part: [container["name"] for container in spec.get(part) or ()] for part in PARTS}
    if asked:
        if any(asked in listed for listed in names.values()):
            return asked
        raise bad_request(f"container {asked} is not valid for pod {name}")
    if len(names["containers"]) == 1:
        return names["containers"][0]
    if not names["containers"]:
        raise bad_request(f"a container name must be specified for pod {name}")
    message = (
        f"a container name must be specified for pod {name}, choose one of: [{' '.join(names['containers'])}]"
    )
    if names["initContainers"]:
        message += f" or one of the init containers: [{' '.join(names['initContainers'])}]"
    if names["ephemeralContainers"]:
        message += f" or one of the ephemeral containers: [{' '.join(names['ephemeralContainers'])}]"
    raise bad_request(message)

"""Who may use the kubelet's port: the API server's client, and whoever a SubjectAccessReview allows."""

from __future__ import annotations

from mamekube.client.client import Client
from mamekube.foundation.clock import Clock
from mamekube.kubelet import api_resources as api
from mamekube.kubelet.http_server import Refused, Request
from mamekube.objects.status import StatusError

MASTERS = "system:masters"
ALLOWED_S, DENIED_S = 300.0, 30.0
"""How long an answer holds. Upstream: --authorization-webhook-cache-*-ttl of the kubelet."""
ENTRIES_MAX = 1000
SUBRESOURCES = {
    "stats": "stats",
    "metrics": "metrics",
    "logs": "log",
    "configz": "configz",
    "healthz": "healthz",
    "pods": "pods",
}
VERBS = {"GET": "get", "HEAD": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


class Access:
    def __init__(self, client: Client, clock: Clock, *, node_name: str) -> None:
        self._client = client
        self._clock = clock
        self._node_name = node_name
        self._answers: dict[tuple[str, ...], tuple[float, bool]] = {}

    async def check(self, request: Request) -> None:
        """Raises Refused 403."""
        if MASTERS in request.groups:
            return
        verb = VERBS.get(request.method, "get")
        subresource = SUBRESOURCES.get(request.path[0], "proxy")
        key = (request.user, *request.groups, verb, subresource)
        until_s, allowed = self._answers.get(key, (0.0, False))
        if self._clock.now() >= until_s:
            allowed = await self._ask(request, verb, subresource)
            if len(self._answers) >= ENTRIES_MAX:
                self._answers.clear()
            self._answers[key] = (self._clock.now() + (ALLOWED_S if allowed else DENIED_S), allowed)
        if not allowed:
            raise Refused(
                403,
                f"Forbidden (user={request.user}, verb={verb}, resource=nodes, subresource(s)=[{subresource}])\n",
            )

    async def _ask(self, request: Request, verb: str, subresource: str) -> bool:
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "metadata": {},
            "spec": {
                "user": request.user,
                "groups": [*request.groups, "system:authenticated"],
                "resourceAttributes": {
                    "verb": verb,
                    "version": "v1",
                    "resource": "nodes",
                    "subresource": subresource,
                    "name": self._node_name,
                },
            },
        }
        try:
            answer = await self._client.create(api.ACCESS_REVIEWS, review)
        except StatusError as error:
            raise Refused(500, f"Authorization error: {error.message}\n") from error
        return bool((answer.get("status") or {}).get("allowed"))

"""Who may have devices with the rights of an administrator, and who may say what was allocated and how it fares.

Upstream asks where it validates a claim, so refusals are errors of fields.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mamekube.apiserver import builtin
from mamekube.apiserver.access.attributes import Attributes
from mamekube.apiserver.access.authorization import Authorizer, forbidden
from mamekube.apiserver.admission.plugin import CREATE_AND_UPDATE, Plugin
from mamekube.apiserver.writes import CREATE, Reader, Write
from mamekube.kinds.resource.allocations import device_key
from mamekube.objects import fielderrors, names, status
from mamekube.objects.fielderrors import FieldError
from mamekube.objects.meta import Object, labels_of, name_of

GROUP = "resource.k8s.io"
CLAIMS = f"resourceclaims.{GROUP}"
TEMPLATES = f"resourceclaimtemplates.{GROUP}"
ADMIN_LABEL = "resource.kubernetes.io/admin-access"
NODE_NAME = "authentication.kubernetes.io/node-name"
ACCOUNT = "system:serviceaccount:"


class ResourceClaimAccess(Plugin):
    name = "ResourceClaimAccess"
    operations = CREATE_AND_UPDATE
    resources = frozenset({CLAIMS, TEMPLATES, f"{CLAIMS}/status"})

    def __init__(self, reader: Reader, authorizer: Authorizer) -> None:
        self._reader = reader
        self._authorizer = authorizer

    async def validate(self, write: Write) -> None:
        new, old = write.object or {}, write.old or {}
        if write.subresource == "status":
            errors = await self._as_administrator(write, _results_path(new) if not _results_path(old) else "")
            errors += self._check_status(write, _status(new), _status(old))
        elif write.operation == CREATE:
            errors = await self._as_administrator(write, _requests_path(new))
        else:
            return
        if errors:
            raise status.invalid(write.kind, name_of(new), errors)

    async def _as_administrator(self, write: Write, path: str) -> list[FieldError]:
        """`path`: where such access is asked for first, empty where it is not."""
        if not path:
            return []
        namespace = await self._reader.get(builtin.NAMESPACES, write.namespace)
        if labels_of(namespace or {}).get(ADMIN_LABEL) == "true":
            return []
        detail = (
            f"admin access to devices requires the `{ADMIN_LABEL}: true` label on the containing namespace"
        )
        return [fielderrors.forbidden(path, detail)]

    def _check_status(self, write: Write, new: Mapping[str, Any], old: Mapping[str, Any]) -> list[FieldError]:
        """Schedulers say what is allocated for whom, drivers how their own devices fare."""
        verb = write.verb
        asked = Attributes(
            write.user, verb, group=GROUP, version=write.kind.version, resource="resourceclaims"
        )
        errors = []
        if any(
            (new.get(field) or None) != (old.get(field) or None) for field in ("allocation", "reservedFor")
        ):
            refusal = self._refusal([asked._replace(subresource="binding")])
            if refusal:
                errors.append(
                    fielderrors.forbidden(
                        "status",
                        "changing status.allocation or status.reservedFor requires "
                        f'resource="resourceclaims/binding", verb="{verb}" permission: {refusal}',
                    )
                )
        node = _node_of(new)
        verbs = [f"associated-node:{verb}"] if node and node == _node_of_user(write) else []
        verbs.append(f"arbitrary-node:{verb}")
        for driver in _changed_drivers(new, old):
            of_driver = asked._replace(subresource="driver", namespace=write.namespace, name=driver)
            refusal = self._refusal([of_driver._replace(verb=one) for one in verbs])
            if refusal:
                detail = (
                    f'changing status.devices requires resource="resourceclaims/driver", '
                    f'verb="[{" ".join(verbs)}]" permission: {refusal}'
                )
                errors.append(fielderrors.forbidden("status.devices", detail))
        return errors

    def _refusal(self, ways: Sequence[Attributes]) -> str:
        """Why none of the ways is open; empty where one is."""
        decisions = [self._authorizer.authorize(way) for way in ways]
        if any(decision.allowed for decision in decisions):
            return ""
        return forbidden(ways[0], decisions[0].reason).message


def _status(claim: Object) -> Mapping[str, Any]:
    return claim.get("status") or {}


def _requests_path(obj: Object) -> str:
    spec = obj.get("spec") or {}
    # A template has the spec of a claim within its own; upstream names the place in the claim.
    devices = (spec.get("spec") or spec).get("devices") or {}
    wanted = [request.get("exactly") or {} for request in devices.get("requests") or ()]
    return _first(wanted, "spec.devices.requests")


def _results_path(claim: Object) -> str:
    devices = (_status(claim).get("allocation") or {}).get("devices") or {}
    return _first(devices.get("results") or (), "status.allocation.devices.results")


def _first(items: Iterable[Mapping[str, Any]], path: str) -> str:
    for index, item in enumerate(items):
        if item.get("adminAccess"):
            return f"{path}[{index}].adminAccess"
    return ""


def _changed_drivers(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[str]:
    before, after = (
        {device_key(device): device for device in told.get("devices") or ()} for told in (old, new)
    )
    changed = {key[0] for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
    return sorted(changed)


def _node_of(claim_status: Mapping[str, Any]) -> str:
    """The one node that an allocation is for, empty where it is not for one alone."""
    selector = (claim_status.get("allocation") or {}).get("nodeSelector") or {}
    terms: list[Any] = selector.get("nodeSelectorTerms") or []
    if len(terms) != 1 or terms[0].get("matchExpressions"):
        return ""
    fields: list[Any] = terms[0].get("matchFields") or []
    if len(fields) != 1 or (fields[0].get("key"), fields[0].get("operator")) != ("metadata.name", "In"):
        return ""
    values: list[str] = fields[0].get("values") or []
    return values[0] if len(values) == 1 else ""


def _node_of_user(write: Write) -> str:
    """The node on which the pod of a service account runs, as its token says."""
    nodes: tuple[str, ...] = write.user.extra.get(NODE_NAME, ())
    if not write.user.name.startswith(ACCOUNT) or len(nodes) != 1 or names.dns1123_subdomain(nodes[0]):
        return ""
    return nodes[0]

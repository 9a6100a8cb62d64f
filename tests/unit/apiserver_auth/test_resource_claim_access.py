"""Who may ask for devices with an administrator's rights, and who may write the status of a claim."""

from typing import Any

import pytest

from mamekube.apiserver.admission.resource_claims import ResourceClaimAccess
from mamekube.apiserver.request import User
from mamekube.apiserver.writes import UPDATE
from mamekube.objects.status import StatusError

GROUP = "resource.k8s.io"
RBAC = "rbac.authorization.k8s.io"
SCHEDULER = User("system:kube-scheduler", ("system:authenticated",))
DRIVER = User(
    "system:serviceaccount:gpu:driver",
    ("system:authenticated",),
    "",
    {"authentication.kubernetes.io/node-name": ("n1",)},
)
ASKING = {"devices": {"requests": [{"name": "a"}, {"name": "b", "exactly": {"adminAccess": True}}]}}
LABEL = (
    "Forbidden: admin access to devices requires the `resource.kubernetes.io/admin-access: true` label on the "
    "containing namespace"
)
ON_N1 = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n1"]}]}
ALLOCATED = {"allocation": {"nodeSelector": {"nodeSelectorTerms": [ON_N1]}}}
DEVICE = {"driver": "gpu.example.com", "pool": "p", "device": "d"}


@pytest.fixture
async def plugin(world, authorizer):
    await world.put("namespaces", {"metadata": {"name": "plain"}})
    await world.put(
        "namespaces",
        {"metadata": {"name": "admin", "labels": {"resource.kubernetes.io/admin-access": "true"}}},
    )
    return ResourceClaimAccess(world.reader, authorizer)


@pytest.fixture
def grant(world):
    async def give(user: str, namespace: str, resource: str, verb: str) -> None:
        """By a role: `namespace` empty for the whole cluster."""
        kind = "Role" if namespace else "ClusterRole"
        meta = {"name": "granted", **({"namespace": namespace} if namespace else {})}
        rule = {"apiGroups": [GROUP], "resources": [resource], "verbs": [verb]}
        await world.put(f"{kind.lower()}s", {"metadata": meta, "rules": [rule]}, group=RBAC)
        subject = {"kind": "User", "name": user, "apiGroup": RBAC}
        reference = {"apiGroup": RBAC, "kind": kind, "name": "granted"}
        binding = {"metadata": dict(meta), "subjects": [subject], "roleRef": reference}
        await world.put(f"{kind.lower()}bindings", binding, group=RBAC)

    return give


async def refused(plugin: ResourceClaimAccess, write: Any) -> str:
    try:
        await plugin.validate(write)
    except StatusError as error:
        assert (error.code, error.reason) == (422, "Invalid")
        return error.message
    return ""


@pytest.mark.parametrize(
    ("plural", "spec"), [("resourceclaims", ASKING), ("resourceclaimtemplates", {"spec": ASKING})]
)
async def test_only_labelled_namespaces_have_administrators_of_devices(world, plugin, plural, spec) -> None:
    def asked(namespace: str) -> Any:
        obj = {"metadata": {"name": "c", "namespace": namespace}, "spec": spec}
        return world.write(plural, obj, group=GROUP)

    assert await refused(plugin, asked("admin")) == ""
    message = await refused(plugin, asked("plain"))
    assert message.endswith(f'"c" is invalid: spec.devices.requests[1].adminAccess: {LABEL}')


def status_write(world: Any, new: Any, old: Any, user: User, namespace: str = "plain") -> Any:
    meta = {"name": "c", "namespace": namespace}
    new, old = ({"metadata": meta, "status": told} for told in (new, old))
    return world.write(
        "resourceclaims",
        new,
        group=GROUP,
        operation=UPDATE,
        old=old,
        subresource="status",
        user=user,
        verb="update",
    )


async def test_such_access_is_granted_where_it_may_be_asked_for(world, plugin, grant) -> None:
    await grant(SCHEDULER.name, "", "resourceclaims/binding", "update")
    new = {"allocation": {"devices": {"results": [{"adminAccess": True}]}}}
    assert await refused(plugin, status_write(world, new, {}, SCHEDULER, "admin")) == ""
    message = await refused(plugin, status_write(world, new, {}, SCHEDULER))
    assert message.endswith(f"status.allocation.devices.results[0].adminAccess: {LABEL}")
    assert await refused(plugin, status_write(world, new, new, SCHEDULER)) == ""


async def test_whoever_allocates_or_reserves_may_bind(world, plugin, grant) -> None:
    write = status_write(world, ALLOCATED, {}, SCHEDULER)
    assert await refused(plugin, write) == (
        'ResourceClaim.resource.k8s.io "c" is invalid: status: Forbidden: changing status.allocation or '
        'status.reservedFor requires resource="resourceclaims/binding", verb="update" permission: '
        'resourceclaims.resource.k8s.io is forbidden: User "system:kube-scheduler" cannot update resource '
        '"resourceclaims/binding" in API group "resource.k8s.io" at the cluster scope'
    )
    assert await refused(plugin, status_write(world, ALLOCATED, ALLOCATED, SCHEDULER)) == ""
    await grant(SCHEDULER.name, "", "resourceclaims/binding", "update")
    assert await refused(plugin, write) == ""


async def test_a_driver_tells_of_its_own_devices_on_its_own_node(world, plugin, grant) -> None:
    told, other = ({**ALLOCATED, "devices": [{**DEVICE, "data": {"a": number}}]} for number in (1, 2))
    write = status_write(world, told, ALLOCATED, DRIVER)
    message = await refused(plugin, write)
    assert (
        'status.devices: Forbidden: changing status.devices requires resource="resourceclaims/driver", '
        'verb="[associated-node:update arbitrary-node:update]" permission: resourceclaims.resource.k8s.io '
        '"gpu.example.com" is forbidden: User "system:serviceaccount:gpu:driver" cannot associated-node:update '
        'resource "resourceclaims/driver" in API group "resource.k8s.io" in the namespace "plain"'
    ) in message
    await grant(DRIVER.name, "plain", "resourceclaims/driver", "associated-node:update")
    assert await refused(plugin, write) == ""
    assert await refused(plugin, status_write(world, other, told, DRIVER)) == ""
    assert await refused(plugin, status_write(world, told, told, DRIVER)) == ""
    anywhere = {"devices": told["devices"]}
    assert "arbitrary-node:update]" in await refused(plugin, status_write(world, anywhere, {}, DRIVER))

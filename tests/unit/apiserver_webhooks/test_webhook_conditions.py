"""matchConditions of webhooks."""

from __future__ import annotations

import pytest
from tests.unit.apiserver_webhooks.hooks import MUTATING, VALIDATING, StartHook, add_label, deny, register

from mamekube.client.client import Client
from mamekube.objects.meta import Object, labels_of
from mamekube.objects.resource import Resource
from mamekube.objects.status import StatusError

CONFIG_MAPS = Resource(group="", version="v1", plural="configmaps", kind="ConfigMap")
NOT_SKIPPED = [{"name": "not-skipped", "expression": "object.metadata.name != 'skip-me'"}]
BROKEN = [{"name": "broken", "expression": "object.data['missing'] == 'x'"}]


async def create(client: Client, name: str) -> Object:
    return await client.create(
        CONFIG_MAPS, {"metadata": {"name": name, "namespace": "default"}, "data": {"a": "b"}}
    )


async def test_a_webhook_sees_only_what_its_conditions_let_through(
    client: Client, start_hook: StartHook
) -> None:
    hook = await start_hook(add_label("seen"))
    await register(client, MUTATING, hook, matchConditions=NOT_SKIPPED)
    assert labels_of(await create(client, "skip-me")) == {}
    assert labels_of(await create(client, "other")) == {"seen": "yes"}


async def test_a_condition_without_a_value_refuses_the_write(client: Client, start_hook: StartHook) -> None:
    hook = await start_hook()
    await register(client, VALIDATING, hook, matchConditions=BROKEN)
    with pytest.raises(StatusError, match=r'configmaps "one" is forbidden: .*no such key: missing'):
        await create(client, "one")
    assert hook.requests == []


async def test_a_condition_without_a_value_is_ignored_with_the_failure_policy(
    client: Client, start_hook: StartHook
) -> None:
    hook = await start_hook(deny)
    await register(client, VALIDATING, hook, matchConditions=BROKEN, failurePolicy="Ignore")
    await create(client, "one")
    assert hook.requests == []


@pytest.mark.parametrize("resource", [MUTATING, VALIDATING], ids=["mutating", "validating"])
async def test_a_condition_that_does_not_compile_is_refused_at_once(
    client: Client, start_hook: StartHook, resource: Resource
) -> None:
    bad = [{"name": "bad", "expression": "object.metadata.namespace == "}]
    with pytest.raises(StatusError, match="compilation failed"):
        await register(client, resource, await start_hook(), matchConditions=bad)

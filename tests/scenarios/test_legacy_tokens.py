"""A token that nobody uses, over two years: marked after one, gone after two."""

from __future__ import annotations

import asyncio
from functools import partial

from mamekube.apiserver.server import ApiServer, ApiServerConfig
from mamekube.cluster.server_process import controller_client
from mamekube.controllers.controllers import Controllers, ControllersConfig
from mamekube.controllers.legacytokens import DAY_S, INVALID_SINCE, UNUSED_S, is_day
from mamekube.controllers.resources import SECRETS, SERVICE_ACCOUNTS
from mamekube.foundation.clock import Clock
from mamekube.store.memory import MemoryBackend
from mamekube.store.store import Store

A_YEAR_S = UNUSED_S + 2 * DAY_S


async def happens(api: ApiServer, clock: Clock, event: str, since: str):
    """The Secret as of this event, with controllers that take it to be so late."""
    controllers = Controllers(
        api.client("system:kube-controller-manager"),
        clock,
        config=ControllersConfig(),
        client_for=partial(controller_client, api),
    )
    admin = api.client("admin", ("system:masters",))
    watch = admin.watch(SECRETS, namespace="default", revision=since)
    async with asyncio.timeout(20), controllers, watch as events:
        async for seen in events:
            if seen.type == event and INVALID_SINCE in seen.object["metadata"].get("labels", {}):
                return seen.object
    raise AssertionError("the watch ended")


async def test_an_unused_token_is_marked_after_a_year_and_gone_after_two():
    store = Store(MemoryBackend())
    async with store, ApiServer(ApiServerConfig(), store, Clock(), serve_http=False) as api:
        await api.ready()
        admin = api.client("admin", ("system:masters",))
        account = {"metadata": {"name": "robot"}, "secrets": [{"name": "robot-token"}]}
        await admin.create(SERVICE_ACCOUNTS, account, namespace="default")
        secret = {
            "metadata": {
                "name": "robot-token",
                "annotations": {"kubernetes.io/service-account.name": "robot"},
            },
            "type": "kubernetes.io/service-account-token",
        }
        made = await admin.create(SECRETS, secret, namespace="default")
        for years, event in ((1, "MODIFIED"), (2, "DELETED")):
            clock = Clock(offset_s=years * A_YEAR_S)
            made = await happens(api, clock, event, made["metadata"]["resourceVersion"])
            assert is_day(made["metadata"]["labels"][INVALID_SINCE])

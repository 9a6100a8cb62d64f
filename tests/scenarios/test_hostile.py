"""The same rollouts when requests fail, answers get lost and watches lag, all at random with a named seed."""

from __future__ import annotations

import asyncio
import random
from contextlib import asynccontextmanager

import pytest
from tests.scenarios.cluster import run

from mamekube.controllers.resources import DEPLOYMENTS, PODS, REPLICA_SETS, SERVICES
from mamekube.objects.status import StatusError

SEEDS = (1, 2)
"""Two for every day; more when something in the controllers' core has changed."""


class Hostile:
    """A client whose writes fail (`refused` of them before, `lost` of them after they are done) and whose watches
    tell everything up to `lag_s` late, still in order."""

    def __init__(self, client, chance, *, refused=0.0, lost=0.0, lag_s=0.0):
        self._client, self._chance = client, chance
        self._refused, self._lost, self._lag_s = refused, lost, lag_s
        self.get, self.list = client.get, client.list

    def _worse(self, verb):
        method = getattr(self._client, verb)

        async def attempt(*arguments, **options):
            if self._chance.random() < self._refused:
                raise StatusError(500, "InternalError", "refused for the test")
            answer = await method(*arguments, **options)
            if self._chance.random() < self._lost:
                raise StatusError(504, "Timeout", "lost for the test")
            return answer

        return attempt

    def __getattr__(self, verb):
        return self._worse(verb)

    @asynccontextmanager
    async def watch(self, *arguments, **options):
        async with self._client.watch(*arguments, **options) as events:
            yield self._late(events)

    async def _late(self, events):
        async for event in events:
            if self._lag_s:
                await asyncio.sleep(self._chance.random() * self._lag_s)
            yield event


def hostile(seed, **faults):
    chance = random.Random(seed)
    return lambda client: Hostile(client, chance, **faults)


class Census:
    """What was wanted and what there was, at every revision.

    Surge and availability are promises about sizes: a pod whose deletion is refused for a while is still there, but no
    ReplicaSet may ever have more pods than it was ever told to have.
    """

    def __init__(self, cluster):
        self.most_wanted = 0
        self.overdone = []
        self._pods = cluster.pods
        self._sets = cluster.informers.informer(REPLICA_SETS).cache
        self._largest = {}
        cluster.informers.informer(PODS).subscribe(self._count)
        cluster.informers.informer(REPLICA_SETS).subscribe(self._count)

    def _count(self, event, old, new):
        sizes = {entry["metadata"]["uid"]: entry["spec"]["replicas"] for entry in self._sets.list()}
        self.most_wanted = max(self.most_wanted, sum(sizes.values()))
        for uid, size in sizes.items():
            self._largest[uid] = max(size, self._largest.get(uid, 0))
        alive = {}
        for pod in self._pods.list():
            if not pod["metadata"].get("deletionTimestamp"):
                uid = pod["metadata"]["ownerReferences"][0]["uid"]
                alive[uid] = alive.get(uid, 0) + 1
        self.overdone += [uid for uid, count in alive.items() if count > self._largest.get(uid, count)]


async def walk(cluster):
    """Deploy, scale, update, break, undo, scale down."""
    await cluster.deploy(replicas=6)
    await cluster.until(cluster.rolled_out, "v1")
    await cluster.scale(8)
    await cluster.until(cluster.rolled_out, "scaled up")
    await cluster.set_image("app:v2")
    await cluster.until(cluster.rolled_out, "v2")
    await cluster.set_image("app:v10")
    await cluster.settle(20)
    await cluster.set_image("app:v2")
    await cluster.until(cluster.rolled_out, "undone")
    await cluster.scale(3)
    await cluster.until(cluster.rolled_out, "scaled down")
    await cluster.settle(30)
    assert await cluster.images() == {"app:v2": 3}
    assert len(await cluster.list(REPLICA_SETS)) == 3


@pytest.mark.parametrize("seed", SEEDS)
def test_a_lagging_watch_never_makes_too_many_pods(seed):
    async def scenario(cluster):
        census = Census(cluster)
        await walk(cluster)
        # 8 replicas and a quarter of them on top.
        assert census.most_wanted == 10
        assert census.overdone == []

    run(scenario, wrap=hostile(seed, lag_s=0.3))


@pytest.mark.parametrize("seed", SEEDS)
def test_refused_writes_are_repeated_and_never_overdone(seed):
    async def scenario(cluster):
        census = Census(cluster)
        await walk(cluster)
        assert census.most_wanted == 10
        assert census.overdone == []

    run(scenario, wrap=hostile(seed, refused=0.2, lag_s=0.05))


@pytest.mark.parametrize("seed", SEEDS)
def test_lost_answers_delay_and_never_leave_litter(seed):
    async def scenario(cluster):
        await cluster.create(
            SERVICES,
            {"metadata": {"name": "web"}, "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}},
        )
        await walk(cluster)
        await cluster.admin.delete(DEPLOYMENTS, "web", namespace="default")
        await cluster.settle(60)
        assert await cluster.list(REPLICA_SETS) == []
        assert await cluster.list(PODS) == []

    run(scenario, wrap=hostile(seed, refused=0.1, lost=0.2, lag_s=0.1))

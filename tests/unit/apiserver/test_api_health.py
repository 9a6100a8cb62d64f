"""Health: the checks by name, and what a store that fails makes of them."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest
from tests.unit.apiserver.conftest import ADMIN_TOKEN, Web

from mamekube.apiserver.server import ApiServer, ApiServerConfig
from mamekube.foundation.clock import Clock
from mamekube.store.backend import StoreFailed
from mamekube.store.memory import MemoryBackend
from mamekube.store.store import Store

CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
REQUIRED = [
    "ping",
    "log",
    "etcd",
    "autoregister-completion",
    *(
        f"poststarthook/{hook}"
        for hook in (
            "start-apiserver-admission-initializer",
            "generic-apiserver-start-informers",
            "start-apiextensions-informers",
            "start-apiextensions-controllers",
            "crd-informer-synced",
            "bootstrap-controller",
            "start-system-namespaces-controller",
            "scheduling/bootstrap-system-priority-classes",
            "start-cluster-authentication-info-controller",
            "start-kube-aggregator-informers",
            "apiservice-registration-controller",
            "apiservice-status-local-available-controller",
            "apiservice-status-remote-available-controller",
            "kube-apiserver-autoregistration",
            "apiservice-openapi-controller",
        )
    ),
]
"""What upstream's end-to-end tests look for."""


class Disk(MemoryBackend):
    """A backend whose disk can be taken away."""

    def __init__(self) -> None:
        super().__init__()
        self.full = self.gone = False

    async def create(self, *, key, value):
        if self.full:
            raise StoreFailed("disk I/O error")
        return await super().create(key=key, value=value)

    async def get(self, *, key, revision=0):
        if self.gone:
            raise StoreFailed("no such disk")
        return await super().get(key=key, revision=revision)


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture
async def ill(tmp_path, disk) -> AsyncIterator[Web]:
    """A server on such a disk."""
    tokens = tmp_path / "tokens.csv"
    tokens.write_text(f'{ADMIN_TOKEN},admin,1,"system:masters"\n')
    api = ApiServer(ApiServerConfig(port=0, token_file=str(tokens)), Store(disk), Clock())
    async with api.api.store, api, aiohttp.ClientSession() as session:
        await api.ready()
        yield Web(f"http://127.0.0.1:{api.port}", session)


async def test_every_check_can_be_asked_alone(web):
    verbose = (await web.send("GET", "/readyz?verbose")).body.splitlines()
    names = [line.removeprefix("[+]").removesuffix(" ok") for line in verbose[:-1]]
    assert {"ping", "etcd", "informer-sync", "poststarthook/rbac/bootstrap-roles", "shutdown"} <= set(names)
    for name in names:
        answer = await web.send("GET", f"/readyz/{name}")
        assert (answer.code, answer.body) == (200, "ok"), name
        assert "X-Content-Type-Options" not in answer.headers
    assert (await web.send("GET", "/livez/shutdown")).code == 404
    assert (await web.send("GET", "/livez/")).code == 404


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/healthz"])
async def test_health_consists_of_what_upstream_requires_of_every_cluster(web, path):
    lines = (await web.send("GET", f"{path}?verbose=1")).body.splitlines()
    assert {f"[+]{name} ok" for name in REQUIRED} - set(lines) == set()
    assert ("[+]informer-sync ok" in lines) == (path == "/readyz")


async def test_checks_are_left_out_by_name(web):
    lines = (await web.send("GET", "/livez?verbose&exclude=etcd&exclude=nothing")).body.splitlines()
    assert "[+]etcd excluded: ok" in lines
    assert lines[-2:] == [
        'warn: some health checks cannot be excluded: no matches for "nothing"',
        "livez check passed",
    ]


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/healthz"])
async def test_a_store_that_does_not_answer_is_ill_health(ill, disk, path):
    disk.gone = True
    answer = await ill.send("GET", path)
    assert answer.code == 500
    assert "[-]etcd failed: reason withheld\n" in answer.body
    assert answer.body.endswith(f"{path[1:]} check failed\n")
    alone = await ill.send("GET", f"{path}/etcd")
    assert (alone.code, alone.body) == (
        500,
        "internal server error: error getting data from etcd: no such disk\n",
    )
    assert (await ill.send("GET", f"{path}?exclude=etcd&exclude=etcd-readiness")).code == 200


async def test_a_disk_that_takes_no_writes_is_ill_health_until_it_does_again(ill, disk):
    disk.full = True
    assert (await ill.send("POST", CONFIG_MAPS, {"metadata": {"name": "a"}})).code == 500
    assert (await ill.send("GET", "/readyz")).code == 500
    disk.full = False
    assert (await ill.send("POST", CONFIG_MAPS, {"metadata": {"name": "a"}})).code == 201
    assert (await ill.send("GET", "/readyz")).code == 200
    metrics = (await ill.send("GET", "/metrics/slis")).body
    assert 'kubernetes_healthchecks_total{name="etcd",status="error",type="readyz"} 1\n' in metrics
    assert 'kubernetes_healthcheck{name="etcd",type="readyz"} 1\n' in metrics

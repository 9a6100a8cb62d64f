"""kill -9 of a server under writes: what was acknowledged is there, and the next start needs no help."""

import asyncio
import csv
import os
import signal
import ssl
import sys
from pathlib import Path

import aiohttp
from tests.unit.apiserver_hostile.site import CONFIGMAPS, GUARD_S, config_map

ACKNOWLEDGED_MIN = 150
CLIENTS = 8


class Process:
    """A server of its own, with its store on disk."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def __aenter__(self):
        self.process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "mamekube.apiserver", "--dir", str(self.folder), "--port", "0"),
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": ":".join(sys.path)},
        )
        assert self.process.stdout is not None
        line = (await self.process.stdout.readline()).decode()
        self.url = line.split(",")[0].removeprefix("serving on ")
        context = ssl.create_default_context(cafile=str(self.folder / "ca.crt"))
        with (self.folder / "tokens.csv").open() as lines:
            token = next(csv.reader(lines))[0]
        self.session = aiohttp.ClientSession(
            headers={"Authorization": f"Bearer {token}"}, connector=aiohttp.TCPConnector(ssl=context)
        )
        return self

    async def __aexit__(self, *_):
        await self.session.close()
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGKILL)
        await self.process.wait()
        self.process._transport.close()


async def write(server, worker, acknowledged, enough):
    """Create, and update every third, until the server is gone."""
    number = 0
    try:
        while True:
            name = f"w{worker}-{number}"
            path = f"{server.url}{CONFIGMAPS}"
            async with server.session.post(path, json=config_map(name, k="1")) as answer:
                assert answer.status == 201
                acknowledged[name] = {"k": "1"}
            if number % 3 == 0:
                # Under way: either value may be found until the second is acknowledged.
                del acknowledged[name]
                async with server.session.put(f"{path}/{name}", json=config_map(name, k="2")) as answer:
                    assert answer.status == 200
                    acknowledged[name] = {"k": "2"}
            if len(acknowledged) >= ACKNOWLEDGED_MIN:
                enough.set()
            number += 1
    except aiohttp.ClientError:
        return


async def test_a_killed_server_loses_nothing_that_it_acknowledged(tmp_path):
    acknowledged: dict[str, dict] = {}
    async with asyncio.timeout(GUARD_S * 1.5):
        for round_ in range(2):
            enough = asyncio.Event()
            async with Process(tmp_path) as server:
                found = await listed(server)
                assert {name: found.get(name) for name in acknowledged} == acknowledged
                if round_ == 0:
                    writers = [
                        asyncio.create_task(write(server, worker, acknowledged, enough))
                        for worker in range(CLIENTS)
                    ]
                    await enough.wait()
                    server.process.send_signal(signal.SIGKILL)
                    await asyncio.gather(*writers)
                    assert len(acknowledged) >= ACKNOWLEDGED_MIN
                else:
                    async with server.session.post(
                        f"{server.url}{CONFIGMAPS}", json=config_map("after")
                    ) as answer:
                        assert answer.status == 201


async def listed(server) -> dict[str, dict]:
    async with server.session.get(f"{server.url}{CONFIGMAPS}") as answer:
        assert answer.status == 200
        items = (await answer.json())["items"]
        return {item["metadata"]["name"]: item.get("data") for item in items}

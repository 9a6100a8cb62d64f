"""What a start does not pay for: modules that only some requests need."""

import subprocess
import sys

SERVE = """
import asyncio, sys
import mamekube.cluster.server_process
from mamekube.apiserver.server import ApiServer, ApiServerConfig
from mamekube.foundation.clock import Clock
from mamekube.store.memory import MemoryBackend
from mamekube.store.store import Store

async def ask(port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /readyz HTTP/1.1\\r\\nHost: a\\r\\nConnection: close\\r\\n\\r\\n")
    answer = await reader.read()
    writer.close()
    return answer

async def main():
    store = Store(MemoryBackend())
    api = ApiServer(ApiServerConfig(port=0), store, Clock())
    async with store, api:
        await api.ready()
        assert (await ask(api.port)).endswith(b"ok"), "not ready"
    print(*sys.modules)

asyncio.run(main())
"""


def test_a_plain_cluster_is_ready_without_an_http_client_or_yaml():
    done = subprocess.run([sys.executable, "-c", SERVE], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "httptools" in loaded
    assert not loaded & {"aiohttp", "multidict", "yarl", "yaml", "prometheus_client"}

"""`python -m mamekube.apiserver --dir DIR`: an API server alone, with its store, certificates and kubeconfig in DIR."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

from mamekube.apiserver import development
from mamekube.apiserver.server import ApiServer
from mamekube.foundation.clock import Clock
from mamekube.foundation.lifecycle import begin, settle
from mamekube.store.memory import MemoryBackend
from mamekube.store.sqlite import SqliteBackend
from mamekube.store.store import Store


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m mamekube.apiserver", description=__doc__)
    parser.add_argument("--dir", type=Path, required=True, help="where everything is kept")
    parser.add_argument("--address", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=6443)
    parser.add_argument("--memory", action="store_true", help="keep objects in memory only")
    arguments = parser.parse_args()
    begin()
    arguments.dir.mkdir(parents=True, exist_ok=True)
    import uvloop

    uvloop.run(serve(arguments.dir, arguments.address, arguments.port, memory=arguments.memory))


async def serve(directory: Path, address: str, port: int, *, memory: bool) -> None:
    config = development.prepare(directory, address=address, port=port)
    backend = MemoryBackend() if memory else SqliteBackend(directory / "store.db")
    store = Store(backend)
    server = ApiServer(config, store, Clock())
    async with store, server:
        await server.ready()
        settle()
        print(
            f"serving on https://{address}:{server.port}, kubeconfig in {directory / 'kubeconfig'}",
            flush=True,
        )
        await asyncio.gather(store.wait(), server.wait())


if __name__ == "__main__":
    main()

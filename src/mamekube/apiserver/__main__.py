"""`python -m mamekube.apiserver --dir DIR`: an API server alone, with its store, certificates and kubeconfig in DIR."""

from __future__ import annotations

import argparse
import asyncio
import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from mamekube.apiserver import development
from mamekube.apiserver.server import REQUESTS_VERBOSITY, ApiServer
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
    parser.add_argument("--audit-policy-file", default="", help="what is noted in the audit log")
    parser.add_argument("--audit-log-path", default="", help="where; - is standard output")
    parser.add_argument("--audit-log-maxsize", type=int, default=0, metavar="MEGABYTES", help="default: 100")
    parser.add_argument("--audit-log-maxage", type=int, default=0, metavar="DAYS", help="of old files")
    parser.add_argument("--audit-log-maxbackup", type=int, default=0, metavar="COUNT", help="of old files")
    parser.add_argument("-v", type=int, default=2, dest="verbosity", help="from 3 on: every request")
    arguments = parser.parse_args()
    if arguments.audit_policy_file:
        _check_policy(parser, arguments.audit_policy_file)
    if arguments.verbosity >= REQUESTS_VERBOSITY:
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    begin()
    arguments.dir.mkdir(parents=True, exist_ok=True)
    import uvloop

    settings = {
        "audit_policy_file": arguments.audit_policy_file,
        "audit_log_file": arguments.audit_log_path,
        "audit_log_megabytes_max": arguments.audit_log_maxsize,
        "audit_log_days_max": arguments.audit_log_maxage,
        "audit_log_backups_max": arguments.audit_log_maxbackup,
        "verbosity": arguments.verbosity,
    }
    work = serve(arguments.dir, arguments.address, arguments.port, memory=arguments.memory, settings=settings)
    uvloop.run(work)


def _check_policy(parser: argparse.ArgumentParser, path: str) -> None:
    """End with one line where the server could not use it."""
    from mamekube.apiserver.auditing.audit_policy import InvalidPolicy, read_policy

    try:
        read_policy(path)
    except (InvalidPolicy, OSError) as error:
        parser.error(f"failed to load audit policy {path}: {error}")


async def serve(
    directory: Path, address: str, port: int, *, memory: bool, settings: Mapping[str, Any]
) -> None:
    config = replace(development.prepare(directory, address=address, port=port), **settings)
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

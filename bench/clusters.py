"""A cluster for a benchmark: its own home and kubeconfig, deleted in the end."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROFILE = "bench"


class Cluster:
    """Runs `mamekube` for one profile."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.kubeconfig = home / "kubeconfig"
        self.env = {
            **os.environ,
            "MAMEKUBE_HOME": str(home / "state"),
            "KUBECONFIG": str(self.kubeconfig),
            "HOME": str(home),
        }

    def mamekube(self, *words: str) -> str:
        command = [str(ROOT / "mamekube"), "-p", PROFILE, *words]
        return subprocess.run(command, env=self.env, check=True, capture_output=True, text=True).stdout


@contextlib.contextmanager
def home() -> Iterator[Cluster]:
    """A place for a cluster; whatever was started in it is deleted."""
    folder = Path(tempfile.mkdtemp(prefix="mamekube-bench-"))
    cluster = Cluster(folder)
    try:
        yield cluster
    finally:
        subprocess.run(
            [str(ROOT / "mamekube"), "-p", PROFILE, "delete"],
            env=cluster.env,
            check=False,
            capture_output=True,
        )
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def running() -> Iterator[Cluster]:
    """A started cluster."""
    with home() as cluster:
        cluster.mamekube("start")
        yield cluster

"""Which conformance tests passed: noted with every run, for the page of `report`.

A run notes the tests that it ran into `build/conformance.json` and leaves what earlier runs noted of others.
"""

from __future__ import annotations

import fcntl
import json
from pathlib import Path
from typing import Any

import pytest

FILE = Path(__file__).parents[2] / "build" / "conformance.json"
MARKER = "conformance"


def register(config: pytest.Config) -> None:
    """Make the marker known, and let this run note its results."""
    config.addinivalue_line(
        "markers", "conformance(name, note=''): checks the behaviour of that name in conformance-v1.36.json"
    )
    if not config.pluginmanager.has_plugin("conformance results"):
        config.pluginmanager.register(Notes(), "conformance results")


class Notes:
    """A plugin of pytest: the worst outcome of each test with the marker."""

    def __init__(self) -> None:
        self.passed: dict[str, bool] = {}

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Any:
        outcome = yield
        if item.get_closest_marker(MARKER) is None:
            return
        report = outcome.get_result()
        test = item.nodeid.partition("[")[0]
        good = report.passed
        self.passed[test] = self.passed.get(test, True) and good

    def pytest_sessionfinish(self) -> None:
        if not self.passed:
            return
        FILE.parent.mkdir(exist_ok=True)
        with FILE.open("a+") as file:
            # Where tests run in several processes, each notes its own.
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            noted = {**json.loads(file.read() or "{}"), **self.passed}
            file.truncate(0)
            file.write(json.dumps(noted, indent=1, sort_keys=True) + "\n")


def read() -> dict[str, bool]:
    """Test -> whether it passed when it was last run."""
    return json.loads(FILE.read_text()) if FILE.exists() else {}

"""The page `docs/conformance.md`: which test checks which of upstream's conformance behaviours.

    pytest tests/conformance; pytest tests/cluster/test_conformance_cli.py
    python -m tests.conformance.report

The tests say by the marker `conformance` what they check; whether they passed is read from what the last runs noted
(see `results`). A behaviour that no test checks, or whose tests did not all pass, is open.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.conformance import results

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "conformance.md"
NAMES = ROOT / "tests" / "data" / "conformance-v1.36.json"
SOURCES = ("tests/conformance/test_*.py", "tests/cluster/test_conformance_*.py")
SIGS = ("sig-api-machinery", "sig-auth", "sig-cli", "sig-architecture", "sig-instrumentation")
"""The owners upstream of the behaviours that the page is about."""
PASSES, OPEN = "passes", "open"

HEAD = """# Conformance

The behaviours of Kubernetes v1.36 that its conformance suite describes for the API, authentication and `kubectl`, and
the test of this project that checks each through the public API. Most run in seconds against a control plane with two
nodes without containers (`pytest tests/conformance`); what needs containers runs on a real node
(`pytest tests/cluster/test_conformance_cli.py`). Tests say by a marker what they check. This page is written by
`python -m tests.conformance.report` from the markers and from what the last runs noted in `build/conformance.json`.

Tests in files named `test_sequences_…` send what the suite itself sends, in its order and in its encodings (protobuf
where its clients have types compiled in), and check what it checks. Where the suite runs a webhook, a conversion or
another API server from its images, a server of the tests answers in their place, behind a Service of type
ExternalName.

A behaviour is *open* where no test checks it or one that does failed. {passing} of {total} pass.
"""


@dataclass(frozen=True, slots=True)
class Behaviour:
    codename: str
    testname: str
    release: str
    sig: str


@dataclass(frozen=True, slots=True)
class Check:
    """One marker: a test, the name of the behaviour it checks, and what it does differently from upstream."""

    test: str
    name: str
    note: str


def behaviours() -> list[Behaviour]:
    """All that upstream's conformance suite has."""
    return [Behaviour(**row) for row in json.loads(NAMES.read_text())]


def checks() -> list[Check]:
    """The markers in the sources, without importing them."""
    return [
        Check(f"{path.relative_to(ROOT)}::{node.name}", name, note)
        for pattern in SOURCES
        for path in sorted(ROOT.glob(pattern))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for name, note in _markers(node)
    ]


def _markers(node: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterable[tuple[str, str]]:
    for decorator in node.decorator_list:
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "pytest.mark.conformance":
            notes = [ast.literal_eval(word.value) for word in decorator.keywords if word.arg == "note"]
            yield ast.literal_eval(decorator.args[0]), notes[0] if notes else ""


def find(name: str, known: Iterable[Behaviour]) -> list[Behaviour]:
    """The behaviours of that testname or codename; a good name has exactly one."""
    return [one for one in known if name in (one.testname, one.codename)]


def render(
    known: Iterable[Behaviour],
    tests: Iterable[Check],
    passed: Mapping[str, bool],
    *,
    sigs: tuple[str, ...] = SIGS,
) -> str:
    """The page."""
    known, tests = list(known), list(tests)
    by_codename: dict[str, list[Check]] = {}
    for check in tests:
        (behaviour,) = find(check.name, known)
        by_codename.setdefault(behaviour.codename, []).append(check)
    parts, passing, total = [], 0, 0
    for sig in sigs:
        rows = [one for one in known if one.sig == sig]
        states = [_state(by_codename.get(one.codename, []), passed) for one in rows]
        passing, total = passing + states.count(PASSES), total + len(rows)
        parts.append(f"\n## {sig}: {states.count(PASSES)} of {len(rows)}\n")
        parts.append("| behaviour | since | test | |\n|---|---|---|---|")
        parts += [
            _row(one, by_codename.get(one.codename, []), state)
            for one, state in zip(rows, states, strict=True)
        ]
    return HEAD.format(passing=passing, total=total) + "\n".join(parts) + "\n"


def _state(tests: list[Check], passed: Mapping[str, bool]) -> str:
    return PASSES if tests and all(passed.get(check.test) for check in tests) else OPEN


def _row(behaviour: Behaviour, tests: list[Check], state: str) -> str:
    title = behaviour.codename.removeprefix(f"[{behaviour.sig}] ").replace(" [Conformance]", "")
    cells = []
    for check in tests:
        path, _, name = check.test.partition("::")
        note = f" ({check.note})" if check.note else ""
        cells.append(f"[`{name}`](../{path}){note}")
    return f"| {title} | {behaviour.release.split(',')[0]} | {', '.join(cells)} | {state} |"


def states(page: str, tests: Iterable[Check]) -> dict[str, bool]:
    """Test -> whether the page says that it passes."""
    passing = {
        found
        for line in page.splitlines()
        if line.endswith(f" {PASSES} |")
        for found in re.findall(r"\[`(\w+)`\]", line)
    }
    return {check.test: check.test.partition("::")[2] in passing for check in tests}


def main() -> None:
    page = render(behaviours(), checks(), results.read())
    PAGE.write_text(page)
    print(next(line for line in page.splitlines() if line.startswith("A behaviour is *open*")))


if __name__ == "__main__":
    main()

"""House rules that no linter knows, over every file of the product and its tests."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PRODUCT = sorted((ROOT / "src").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
LINES_PER_FILE_MAX = 900
LINES_PER_FUNCTION_MAX = 80

BANNED = {
    r"\btime\.sleep\(": "blocks the event loop: await asyncio.sleep (the launcher has none)",
    r"\bdatetime\.(now|utcnow)\(": "reads the machine's clock: take a foundation.clock.Clock",
    r"\bexcept\s*:": "catches cancellation: name the exceptions",
    r"\bos\.system\(": "needs a shell: asyncio.create_subprocess_exec or subprocess.run",
    r"\bshell=True": "needs a shell: pass the words",
    r"\byaml\.(unsafe_load|full_load|UnsafeLoader|Loader\b)": "builds arbitrary objects: a safe loader",
    r"\bpickle\.loads?\(": "runs what it reads",
    r"\b(TODO|FIXME|XXX|HACK)\b": "unfinished: do it, or open an issue",
}


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("pattern", BANNED, ids=list(BANNED.values()))
def test_banned_calls_stay_out(pattern):
    found = [
        f"{relative(path)}:{number}"
        for path in PRODUCT
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if re.search(pattern, line) and not ("sleep" in pattern and "cluster" in path.parts)
    ]
    assert not found, BANNED[pattern]


def test_files_stay_readable():
    long = {relative(path): len(path.read_text().splitlines()) for path in PRODUCT}
    assert not {path: lines for path, lines in long.items() if lines > LINES_PER_FILE_MAX}


def test_functions_stay_readable():
    long = []
    for path in PRODUCT:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > LINES_PER_FUNCTION_MAX:
                    long.append(f"{relative(path)}:{node.lineno} {node.name}: {length} lines")
    assert not long


def test_every_module_says_what_it_is_for():
    silent = [
        relative(path)
        for path in PRODUCT
        if path.read_text().strip() and not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert not silent


def test_no_module_is_dead():
    """A module that nothing imports is run by name, or found by a table: the registry of kinds, kubectl's commands."""
    text = "\n".join(path.read_text() for path in [*PRODUCT, *TESTS, *(ROOT / "bench").rglob("*.py")])
    dead = []
    for path in PRODUCT:
        if path.stem in ("__init__", "__main__") or "kinds" in path.parts or "commands" in path.parts:
            continue
        module = ".".join(path.relative_to(ROOT / "src").with_suffix("").parts)
        package, _, name = module.rpartition(".")
        imported = re.search(rf"{re.escape(module)}\b", text) or re.search(
            rf"from {re.escape(package)} import [^\n]*\b{name}\b", text
        )
        multiline = re.search(rf"from {re.escape(package)} import \([^)]*\b{name}\b", text)
        if not imported and not multiline:
            dead.append(module)
    assert not dead


def test_words_that_say_nothing_name_no_module():
    vague = {"utils", "util", "helpers", "helper", "manager", "base", "common", "misc"}
    assert not [relative(path) for path in PRODUCT if vague & set(path.with_suffix("").parts[-2:])]


def test_every_room_has_a_page():
    rooms = {path.name for path in (ROOT / "src" / "mamekube").iterdir() if path.is_dir()}
    architecture = (ROOT / "docs" / "architecture.md").read_text()
    missing = [room for room in rooms - {"__pycache__"} if f"**{room}**" not in architecture]
    assert not missing


@pytest.mark.parametrize("room", ["apiserver", "controllers", "kubelet"])
def test_the_page_of_a_large_room_names_all_that_is_in_it(room):
    page = (ROOT / "docs" / f"{room}.md").read_text()
    named = {word.strip("/").removesuffix(".py") for word in re.findall(r"`([\w./]+)`", page)}
    there = {path.stem for path in (ROOT / "src" / "mamekube" / room).iterdir()}
    assert not there - named - {"__init__", "__pycache__"}


def test_every_decision_is_in_the_index():
    folder = ROOT / "docs" / "decisions"
    index = (folder / "README.md").read_text()
    pages = sorted(path for path in folder.glob("*.md") if path.name != "README.md")
    lines = [f"* [{page.name[:4]}]({page.name}) {page.read_text().splitlines()[0][2:]}" for page in pages]
    assert [int(page.name[:4]) for page in pages] == list(range(1, len(pages) + 1))
    assert index.splitlines()[-len(lines) :] == lines


def test_links_of_the_documentation_lead_somewhere():
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")]
    broken = [
        f"{relative(page)}: {target}"
        for page in pages
        for target in re.findall(r"\]\(([^)#\s]+)", page.read_text())
        if "://" not in target and not (page.parent / target).exists()
    ]
    assert not broken

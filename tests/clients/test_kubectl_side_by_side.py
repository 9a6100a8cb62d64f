"""The product's own kubectl says what upstream's newest release says, character by character, of the same server.

Each script runs twice, line by line: upstream's in one namespace and ours in another. What both print must be the
same once what cannot be is put aside: names of namespaces, times, versions of objects and files of a moment.
"""

import contextlib
import io
import os
import re
import shlex
import subprocess
from dataclasses import dataclass, field

import pytest
from tests.clients.kubectl_scripts import FILES, SCRIPTS
from tests.clients.test_kubectl_releases import releases

from mamekube.kubectl import main

COMMAND_TIMEOUT_S = 60
THRIFTY = {"GOGC": "off", "GOMAXPROCS": "1"}
"""A process that ends at once need not tidy up, nor use the other core."""
ASIDE = (
    (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UID"),
    (r'(resourceVersion"?:) ?"\d+"', r"\1 VERSION"),
    (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?( ?Z| \+0000)?", "TIME"),
    (r"kubectl\.1\.\d+", "kubectl"),
    (r"(LIVE|MERGED|edit)-[a-z0-9_]+", r"\1-N"),
    (r"10\.\d+\.\d+\.\d+", "ADDRESS"),
    # Releases from 1.34 on say where from.
    (r"( deleted) from \S+ namespace", r"\1"),
    # The last part of a pod's name.
    (r"\b(daemons|set)-[a-z0-9]{5}\b", r"\1-POD"),
)


@dataclass
class Side:
    """One of the two, with its namespace and its files."""

    namespace: str
    folder: object
    kubeconfig: str
    node: str
    environment: dict[str, str] = field(default_factory=dict)

    def run(self, line):
        """What a line of a script prints, as it is compared."""
        line, _, given = self.filled_in(line).partition(" <<< ")
        words = shlex.split(line)
        # A namespace would be one more thing for `config` to set.
        place = [] if words[0] == "config" else ["-n", self.namespace]
        code, out, err = self.call([f"--kubeconfig={self.kubeconfig}", *place, *words], given)
        return [f"exit code {code}", *self.aside(out), "--", *self.aside(err), "--", *self.seen()]

    def seen(self):
        """What the editor was given."""
        file = self.folder / "seen"
        if not file.exists():
            return []
        text = file.read_text()
        file.unlink()
        return self.aside(text)

    def filled_in(self, text):
        for name, value in (("@NS", self.namespace), ("@DIR", str(self.folder)), ("@NODE", self.node)):
            text = text.replace(name, value)
        return text

    def aside(self, text):
        text = text.replace(str(self.folder), "DIR").replace(self.namespace, "NS").replace(self.node, "NODE")
        for pattern, replacement in ASIDE:
            text = re.sub(pattern, replacement, text)
        return text.splitlines()


class Upstream(Side):
    def call(self, words, given):
        newest = max(
            releases().items(), key=lambda item: [int(part) for part in re.findall(r"\d+", item[0])]
        )[1]
        done = subprocess.run(
            [newest, f"--cache-dir={self.folder.parent / 'cache'}", *words],
            input=given,
            capture_output=True,
            text=True,
            env={**os.environ, **THRIFTY, "TMPDIR": str(self.folder), **self.environment},
            timeout=COMMAND_TIMEOUT_S,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr


class Own(Side):
    def call(self, words, given):
        out, err = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr("sys.stdin", io.StringIO(given))
            patched.setattr("tempfile.tempdir", str(self.folder))
            for name, value in self.environment.items():
                patched.setenv(name, value)
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                code = main.main(words)
        return code, out.getvalue(), err.getvalue()


@pytest.fixture
def sides(api, unique, kubeconfig, tmp_path):
    """Both kubectls, each with a namespace and a folder of files of its own."""
    with contextlib.ExitStack() as stack:
        found = []
        for kind, word, node in ((Upstream, "upstreams", "node-1"), (Own, "our-own", "node-2")):
            namespace = stack.enter_context(api.own_namespace(f"{unique}-{word}"))
            folder = tmp_path / word
            folder.mkdir()
            side = kind(namespace, folder, kubeconfig, node)
            for name, text in FILES.items():
                (folder / name).write_text(side.filled_in(text))
                (folder / name).chmod(0o755)
            found.append(side)
        yield found


@pytest.mark.parametrize("name", SCRIPTS)
def test_both_print_the_same(sides, name):
    for line in SCRIPTS[name]:
        if line.startswith("$"):
            variable, _, value = line[1:].partition("=")
            for side in sides:
                side.environment[variable] = value.replace("@DIR", str(side.folder))
            continue
        upstream, own = (side.run(line) for side in sides)
        assert own == upstream, line

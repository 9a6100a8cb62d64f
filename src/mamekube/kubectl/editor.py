"""The user's editor: `$KUBE_EDITOR`, `$EDITOR` or vi, on a file of its own."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path

from mamekube.kubectl.failures import Failure

VARIABLES = ("KUBE_EDITOR", "EDITOR")
DEFAULT_EDITOR = "vi"


def launch(text: str, suffix: str) -> tuple[str, Path]:
    """Let the user edit `text`; what it is then, and the file that holds it, which the caller removes."""
    descriptor, name = tempfile.mkstemp(prefix="kubectl-edit-", suffix=suffix)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    path = Path(name)
    try:
        _run(path)
        return path.read_text(encoding="utf-8"), path
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def command(editor: str, path: Path) -> tuple[list[str], str]:
    """The words that start the editor, and how messages show it."""
    if not any(quote in editor for quote in "\"'\\"):
        words = editor.split(" ")
        return [*words, str(path)], editor
    shell = os.environ.get("SHELL") or "/bin/bash"
    return [shell, "-c", f"{editor} {json.dumps(str(path))}"], f"{shell} -c {editor}"


def _run(path: Path) -> None:
    editor = next((os.environ[name] for name in VARIABLES if os.environ.get(name)), DEFAULT_EDITOR)
    words, shown = command(editor, path)
    try:
        done = subprocess.run(words, check=False)
    except OSError:
        raise Failure(f'error: unable to launch the editor "{shown}"') from None
    if done.returncode:
        raise Failure(f'error: there was a problem with the editor "{shown}"')

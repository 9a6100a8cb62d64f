"""kubectl diff: what apply would change, as `diff` shows it; 0 for nothing, 1 for something, more for a failure."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from pathlib import Path

from mamekube.kubectl import goyaml
from mamekube.kubectl.commands import apply
from mamekube.kubectl.commands.writing import typed
from mamekube.kubectl.failures import Failure
from mamekube.kubectl.flags import Flag
from mamekube.kubectl.output import visible
from mamekube.kubectl.session import Session
from mamekube.kubectl.targets import FILE_FLAGS, Target, manifest_targets, placed_manifest
from mamekube.kubectl.transport import refusal
from mamekube.objects.meta import Object

FLAGS = (
    *FILE_FLAGS,
    Flag("field-manager"),
    Flag("force-conflicts", "bool"),
    Flag("server-side", "bool"),
    Flag("selector", short="l"),
    Flag("show-managed-fields", "bool"),
    Flag("concurrency", "int"),
)
MASK, MASK_BEFORE, MASK_AFTER = "***", "*** (before)", "*** (after)"
SAFE_ARGUMENT = re.compile(r"[a-zA-Z0-9-=]+")


def run(session: Session) -> int:
    if session.words:
        raise Failure(
            f"error: Unexpected args: [{' '.join(session.words)}]\nSee 'kubectl diff -h' for help and examples"
        )
    if not session.flag("filename"):
        raise Failure("error: must specify one of -f and -k")
    with (
        tempfile.TemporaryDirectory(prefix="LIVE-") as live_folder,
        tempfile.TemporaryDirectory(prefix="MERGED-") as merged_folder,
    ):
        for target in manifest_targets(session):
            live = _live(session, target)
            merged = typed(target, apply.merged(session, target, placed_manifest(target), live))
            live, merged = masked(live, merged)
            name = _file_name(target)
            _write(session, Path(live_folder, name), live)
            _write(session, Path(merged_folder, name), merged)
        session.out.flush()
        return _show(session, live_folder, merged_folder)


def _live(session: Session, target: Target) -> Object | None:
    answer = session.api.request("GET", target.path)
    if answer.code == 404:
        return None
    if answer.code >= 400:
        raise refusal(answer, asked=f"GET {target.path}")
    return typed(target, answer.json())


def _file_name(target: Target) -> str:
    resource = target.found.resource
    parts = (resource.group, resource.version, resource.kind, target.namespace, target.name)
    return ".".join(parts).removeprefix(".")


def _write(session: Session, path: Path, obj: Object | None) -> None:
    shown = "" if obj is None else goyaml.dump(visible(obj, not session.flag("show-managed-fields")))
    path.write_text(shown)


def masked(live: Object | None, merged: Object) -> tuple[Object | None, Object]:
    """Both sides, with a Secret's values hidden so that it still shows which of them differ."""
    if (merged.get("apiVersion"), merged.get("kind")) != ("v1", "Secret"):
        return live, merged
    before = (live or {}).get("data") or {}
    after = merged.get("data") or {}
    changed = {key for key in before.keys() & after.keys() if before[key] != after[key]}
    if before:
        live = {
            **(live or {}),
            "data": {key: MASK_BEFORE if key in changed else MASK for key in before},
        }
    if after:
        merged = {**merged, "data": {key: MASK_AFTER if key in changed else MASK for key in after}}
    return live, merged


def _show(session: Session, live_folder: str, merged_folder: str) -> int:
    chosen = os.environ.get("KUBECTL_EXTERNAL_DIFF", "")
    program, *arguments = chosen.split(" ") if chosen else ("diff", "-u", "-N")
    # What is no plain option would let the variable name further files.
    kept = [argument for argument in arguments if SAFE_ARGUMENT.fullmatch(argument)]
    words = [program, *kept, live_folder, merged_folder] if not chosen else [
        program, live_folder, merged_folder, *kept
    ]  # fmt: skip
    try:
        done = subprocess.run(words, capture_output=True, check=False)
    except OSError as error:
        raise Failure(
            f'error: failed to run "{program}": executable file not found in $PATH'
            if isinstance(error, FileNotFoundError)
            else f'error: failed to run "{program}": {error.strerror}'
        ) from None
    session.out.write(done.stdout.decode(errors="replace"))
    session.err.write(done.stderr.decode(errors="replace"))
    if done.returncode > 1:
        raise Failure(
            f'error: failed to run "{program}": exit status {done.returncode}', code=done.returncode
        )
    return done.returncode

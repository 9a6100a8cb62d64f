"""kubectl edit: objects in the user's editor; what was changed is patched, what is refused is opened again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mamekube.kubectl import editor, goyaml
from mamekube.kubectl.commands.writing import WRITE_FLAGS, patch, report, typed
from mamekube.kubectl.failures import Failure
from mamekube.kubectl.flags import Flag
from mamekube.kubectl.output import json_text, visible
from mamekube.kubectl.schemas import built_in_schema
from mamekube.kubectl.session import Session
from mamekube.kubectl.targets import (
    RESOURCES_NEEDED,
    SELECTION_FLAGS,
    Target,
    invalid,
    manifests_in,
    resolve_named,
    target_of,
)
from mamekube.kubectl.threeway import three_way_patch
from mamekube.objects.meta import Object, name_of, uid_of

MANAGER = "kubectl-edit"
FLAGS = (
    *SELECTION_FLAGS,
    *(flag for flag in WRITE_FLAGS if flag.name != "dry-run"),
    Flag("output-patch", "bool"),
    Flag("save-config", "bool"),
    Flag("subresource"),
)
HEADER = """\
# Please edit the object below. Lines beginning with a '#' will be ignored,
# and an empty file will abort the edit. If an error occurs while saving this file will be
# reopened with the relevant failures.
#
"""


@dataclass(slots=True)
class Outcome:
    """What became of one round of edits."""

    reasons: list[tuple[str, list[str]]] = field(default_factory=list)
    """Why the file is opened again: a line, and lines under it."""
    lost: int = 0
    """How many objects were not there any more."""
    retryable: int = 0
    """How many failed for other reasons than what they say."""


def run(session: Session) -> int:
    subresource = session.flag("subresource", "")
    originals = []
    for target in resolve_named(session, session.words, usage=RESOURCES_NEEDED, bare_type_is_all=True):
        live = typed(target, session.api.get(target.path_of(subresource)))
        originals.append((target, visible(live, True)))
    if not originals:
        raise Failure("error: edit cancelled, no objects found")
    return _Editing(session, originals).run()


class _Editing:
    """Rounds through the editor, until the server takes what was saved or the user gives up."""

    def __init__(self, session: Session, originals: Sequence[tuple[Target, Object]]) -> None:
        self._session = session
        self._originals = originals
        self._json = session.flag("output") == "json"
        if session.flag("output", "yaml") not in ("json", "yaml"):
            raise Failure(
                f'error: unable to match a printer suitable for the output format "{session.flag("output")}", '
                "allowed formats are: json,yaml"
            )
        self._file: Path | None = None

    def run(self) -> int:
        original = self._shown()
        previous, outcome = "", Outcome()
        while True:
            again = bool(outcome.reasons)
            text = self._header(outcome) + (_without_comments(previous) if again else original)
            try:
                edited, file = editor.launch(text, ".json" if self._json else ".yaml")
            except Failure:
                self._preserve()
                raise
            if again and _content(previous) == _content(edited):
                self._remove_file()
                self._file = file
                self._preserve()
                raise Failure("error: Edit cancelled, no valid changes were saved.")
            self._remove_file()
            self._file, previous = file, edited
            if problem := _problem(edited):
                outcome = self._invalid(problem)
                continue
            if _content(original) == _content(edited):
                self._remove_file()
                self._session.warn("Edit cancelled, no changes made.")
                return 0
            outcome = self._save(edited)
            if outcome.reasons:
                continue
            return self._end(outcome)

    def _shown(self) -> str:
        objects = [obj for _, obj in self._originals]
        whole = (
            objects[0]
            if len(objects) == 1
            else {"apiVersion": "v1", "kind": "List", "metadata": {}, "items": objects}
        )
        if self._json:
            return json_text(whole)
        return goyaml.dump(whole)

    def _header(self, outcome: Outcome) -> str:
        if self._json:
            return ""
        lines = []
        for head, others in outcome.reasons:
            lines.append(f"# {_commented(head)}{':' if others else ''}\n")
            lines += [f"# * {_commented(other)}\n" for other in others]
            lines.append("#\n")
        return HEADER + "".join(lines)

    def _invalid(self, problem: str) -> Outcome:
        """What cannot be read is told of as if the first object were wrong."""
        target, _ = self._originals[0]
        self._session.warn(f'error: {target.found.resource.group_resource} "{target.name}" is invalid')
        text = f'<nil>: Invalid value: "The edited file failed validation": {problem}'
        return Outcome([(f'{target.found.resource.group_resource} "{target.name}" was not valid', [text])])

    def _save(self, edited: str) -> Outcome:
        """Patch every object that was changed."""
        outcome = Outcome()
        try:
            updated = [target_of(self._session, manifest) for manifest in manifests_in(edited, "edited-file")]
        except Failure as failure:
            if "does not match the namespace" in failure.text:
                self._preserve()
                raise
            return Outcome([(f"The edited file had a syntax error: {failure.message}", [])])
        try:
            for target in updated:
                self._save_one(target, outcome)
        except Failure:
            self._preserve()
            raise
        return outcome

    def _save_one(self, target: Target, outcome: Outcome) -> None:
        after = target.manifest or {}
        before = next((obj for _, obj in self._originals if uid_of(obj) == uid_of(after)), None)
        if before is None:
            raise Failure(
                f'error: no original object found for {target.display()} with uid "{uid_of(after)}"'
            )
        if before == after:
            report(self._session, target, after, "skipped")
            return
        change = three_way_patch(before, after, before)
        if change.keys() & {"apiVersion", "kind"} or "name" in (change.get("metadata") or {}):
            raise Failure("error: At least one of apiVersion, kind and name was changed")
        if self._session.flag("output-patch"):
            self._session.out.write(f"Patch: {json_text(change, indent=None)}")
        try:
            patched = self._send(target, change)
        except Failure as failure:
            self._session.warn(_told(target, failure, outcome))
            return
        report(self._session, target, patched, "edited")

    def _send(self, target: Target, change: Any) -> Object:
        return patch(
            self._session,
            target,
            change,
            manager=MANAGER,
            kind="strategic" if built_in_schema(target.found.resource) else "merge",
            subresource=self._session.flag("subresource", ""),
            validated=True,
        )

    def _end(self, outcome: Outcome) -> int:
        if outcome.retryable:
            self._session.warn(f"You can run `kubectl replace -f {self._file}` to try this update again.")
            return 1
        if outcome.lost:
            self._session.warn(f'The edits you made on deleted resources have been saved to "{self._file}"')
            return 1
        self._remove_file()
        return 0

    def _preserve(self) -> None:
        if self._file is not None:
            self._session.warn(f'A copy of your changes has been stored to "{self._file}"')

    def _remove_file(self) -> None:
        if self._file is not None:
            self._file.unlink(missing_ok=True)
            self._file = None


def _told(target: Target, failure: Failure, outcome: Outcome) -> str:
    """Note what to do about a refusal, and say it."""
    subject = f'{target.found.resource.group_resource} "{name_of(target.manifest or {})}"'
    if failure.reason == "Invalid":
        causes = (failure.status.get("details") or {}).get("causes") or ()
        lines = [f"{cause.get('field', '')}: {cause.get('message', '')}" for cause in causes]
        outcome.reasons.append((f"{subject} was not valid", lines))
        return f"error: {subject} is invalid"
    if failure.reason == "NotFound":
        outcome.lost += 1
        return f"error: {subject} could not be found on the server"
    outcome.retryable += 1
    return f"error: {subject} could not be patched: {failure.message}"


def _problem(text: str) -> str:
    """Why the text is no object; empty where it is one."""
    try:
        # Lines are counted as they are without the header.
        content = goyaml.load(_without_comments(text))
    except goyaml.YamlError as error:
        return str(error)
    return invalid(content)


def _content(text: str) -> Any:
    """What a text says, apart from its comments; the text itself where that is nothing."""
    try:
        return goyaml.load(text)
    except goyaml.YamlError:
        return _without_comments(text)


def _without_comments(text: str) -> str:
    return "".join(line for line in text.splitlines(keepends=True) if not line.lstrip().startswith("#"))


def _commented(text: str) -> str:
    return text.replace("\n", "\n# ")

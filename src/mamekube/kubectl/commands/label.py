"""kubectl label and kubectl annotate: `KEY=VALUE` sets, `KEY-` removes."""

from __future__ import annotations

from typing import Any

from mamekube.kubectl.commands.writing import WRITE_FLAGS, dry_run, patch, report
from mamekube.kubectl.failures import Failure
from mamekube.kubectl.flags import Flag
from mamekube.kubectl.output import json_text
from mamekube.kubectl.session import Session
from mamekube.kubectl.targets import SELECTION_FLAGS, Target, resolve_named
from mamekube.objects.meta import Object, metadata

FLAGS = (
    *SELECTION_FLAGS,
    *(flag for flag in WRITE_FLAGS if flag.name != "validate"),
    Flag("overwrite", "bool"),
    Flag("list", "bool"),
    Flag("local", "bool"),
    Flag("resource-version"),
)
USAGE = "error: one or more resources must be specified as <resource> <name> or <resource>/<name>"
MANAGERS = {"labels": "kubectl-label", "annotations": "kubectl-annotate"}
Changes = dict[str, str | None]


def run_label(session: Session) -> int:
    return _run(session, "labels")


def run_annotate(session: Session) -> int:
    return _run(session, "annotations")


def _run(session: Session, field: str) -> int:
    words = [word for word in session.words if "=" in word or (word.endswith("-") and len(word) > 1)]
    resources = [word for word in session.words if word not in words]
    if not words and not session.flag("list"):
        raise Failure(f"error: at least one {field[:-1]} update is required")
    changes = _changes(words, field)
    targets = resolve_named(session, resources, usage=USAGE)
    failed = False
    for target in targets:
        try:
            live = (target.manifest or {}) if session.flag("local") else session.api.get(target.path)
            if session.flag("list"):
                _list(session, target, live, field, several=len(targets) > 1)
            else:
                _change(session, target, live, field, changes)
        except Failure as failure:
            session.warn(failure.text)
            failed = True
    return 1 if failed else 0


def _changes(words: list[str], field: str) -> Changes:
    changes: Changes = {}
    for word in words:
        key, equals, value = word.partition("=")
        key = key if equals else word[:-1]
        if key in changes and (changes[key] is None) is bool(equals):
            raise Failure(
                "error: can not both modify and remove a label in the same command"
                if field == "labels"
                else "error: can not both modify and remove the following annotation(s) in the same command: "
                f"{key}"
            )
        changes[key] = value if equals else None
    return changes


def _list(session: Session, target: Target, live: Object, field: str, *, several: bool) -> None:
    if several:
        session.print(
            f"Listing {field} for {target.found.resource.kind}.{target.found.resource.group}/{target.name}:"
        )
    for key, value in sorted((metadata(live).get(field) or {}).items()):
        session.print(f"{' ' if several else ''}{key}={value}")


def _change(session: Session, target: Target, live: Object, field: str, changes: Changes) -> None:
    current: dict[str, Any] = metadata(live).get(field) or {}
    if not session.flag("overwrite"):
        _refuse_overwriting(current, field, changes)
    done = "annotated"
    if field == "labels":
        for key, value in changes.items():
            if value is None and key not in current:
                session.print(f'label "{key}" not found.')
    after = {key: value for key, value in {**current, **changes}.items() if value is not None}
    if field == "labels":
        done = label_outcome(metadata(live).get("labels"), after, overwrite=bool(session.flag("overwrite")))
    if after == current:
        report(session, target, live, done)
        return
    if session.flag("local") or dry_run(session) == "client":
        live = {**live, "metadata": {**metadata(live), field: after}}
    else:
        body: Object = {"metadata": {field: changes}}
        if session.flag("resource-version"):
            body["metadata"]["resourceVersion"] = session.flag("resource-version")
        live = patch(session, target, body, manager=MANAGERS[field], kind="merge")
    report(session, target, live, done)


def label_outcome(before: Any, after: Any, *, overwrite: bool) -> str:
    """Upstream compares the bytes of the object: fewer of them are labels removed, and none at all is no label."""
    if before == after:
        return "not labeled"
    shrunk = before is not None and len(json_text(after)) < len(json_text(before))
    return "unlabeled" if shrunk and not overwrite else "labeled"


def _refuse_overwriting(current: dict[str, Any], field: str, changes: Changes) -> None:
    taken = [
        f"'{key}' already has a value ({current[key]})"
        for key, value in changes.items()
        if value is not None and key in current and current[key] != value
    ]
    if not taken:
        return
    if field == "annotations":
        raise Failure(
            "error: --overwrite is false but found the following declared annotation(s): " + "; ".join(taken)
        )
    texts = [f"{text}, and --overwrite is false" for text in taken]
    raise Failure(f"error: {texts[0]}" if len(texts) == 1 else "\n".join(texts))

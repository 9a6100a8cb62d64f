"""kubectl label and kubectl annotate: `KEY=VALUE` sets, `KEY-` removes."""

from __future__ import annotations

from typing import Any

from mamekube.kubectl.commands.writing import WRITE_FLAGS, dry_run, patch, report
from mamekube.kubectl.failures import Failure
from mamekube.kubectl.flags import Flag
from mamekube.kubectl.session import Session
from mamekube.kubectl.targets import SELECTION_FLAGS, Target, resolve_named
from mamekube.objects.meta import metadata

FLAGS = (
    *SELECTION_FLAGS,
    *(flag for flag in WRITE_FLAGS if flag.name != "validate"),
    Flag("overwrite", "bool"),
    Flag("list", "bool"),
    Flag("resource-version"),
)


def run_label(session: Session) -> int:
    return _run(session, field="labels", done="labeled", undone="unlabeled", manager="kubectl-label")


def run_annotate(session: Session) -> int:
    return _run(
        session, field="annotations", done="annotated", undone="annotated", manager="kubectl-annotate"
    )


def _run(session: Session, *, field: str, done: str, undone: str, manager: str) -> int:
    changes = [word for word in session.words if "=" in word or (word.endswith("-") and len(word) > 1)]
    resources = [word for word in session.words if word not in changes]
    if not changes and not session.flag("list"):
        raise Failure(f"error: at least one {field[:-1]} update is required")
    wanted: dict[str, str | None] = {}
    for change in changes:
        key, equals, value = change.partition("=")
        wanted[key if equals else change[:-1]] = value if equals else None
    failed = False
    for target in resolve_named(session, resources, usage="error: one or more resources must be specified as "
                                "<resource> <name> or <resource>/<name>"):  # fmt: skip
        try:
            _change(session, target, field, wanted, done=done, undone=undone, manager=manager)
        except Failure as failure:
            session.warn(failure.text)
            failed = True
    return 1 if failed else 0


def _change(
    session: Session,
    target: Target,
    field: str,
    wanted: dict[str, str | None],
    *,
    done: str,
    undone: str,
    manager: str,
) -> None:
    live = session.api.get(target.path)
    current: dict[str, Any] = metadata(live).get(field) or {}
    if session.flag("list"):
        for key, value in sorted(current.items()):
            session.print(f"{key}={value}")
        return
    if not session.flag("overwrite"):
        for key, value in wanted.items():
            if value is not None and key in current and current[key] != value:
                raise Failure(
                    f"error: '{key}' already has a value ({current[key]}), and --overwrite is false"
                )
    for key, value in wanted.items():
        if value is None and key not in current:
            session.print(f'{field[:-1]} "{key}" not found.')
    after = {key: value for key, value in {**current, **wanted}.items() if value is not None}
    if after == current:
        report(session, target, live, f"not {done}")
        return
    if dry_run(session) != "client":
        body = {"metadata": {field: wanted}}
        live = patch(session, target, body, manager=manager, kind="merge")
    report(session, target, live, undone if all(value is None for value in wanted.values()) else done)

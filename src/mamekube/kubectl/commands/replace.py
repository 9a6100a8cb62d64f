"""kubectl replace: whole objects from files; `--force` deletes them first and creates them anew."""

from __future__ import annotations

import json
from typing import Any

from mamekube.kubectl.commands import delete
from mamekube.kubectl.commands.apply import annotated
from mamekube.kubectl.commands.writing import WRITE_FLAGS, create, dry_run, report, write_query
from mamekube.kubectl.failures import Failure, during
from mamekube.kubectl.flags import Flag
from mamekube.kubectl.session import Session
from mamekube.kubectl.targets import FILE_FLAGS, Target, manifest_targets, placed_manifest
from mamekube.objects.meta import Object, metadata

MANAGER = "kubectl-replace"
FLAGS = (
    *FILE_FLAGS,
    *WRITE_FLAGS,
    Flag("force", "bool"),
    Flag("grace-period", "int"),
    Flag("cascade", bare="background"),
    Flag("timeout", "duration"),
    Flag("wait", "bool"),
    Flag("save-config", "bool"),
    Flag("subresource"),
    Flag("raw"),
)


def run(session: Session) -> int:
    if not session.flag("filename"):
        raise Failure("error: must specify one of -f and -k")
    if session.flag("grace-period", -1) >= 0 and not session.flag("force"):
        raise Failure("error: --grace-period must have --force specified")
    if session.flag("timeout") and not session.flag("force"):
        raise Failure("error: --timeout must have --force specified")
    if session.flag("raw"):
        return _replace_raw(session)
    targets = list(manifest_targets(session, verb="replace"))
    failed = False
    if session.flag("force"):
        _delete(session, targets)
    for target in targets:
        try:
            _replace(session, target)
        except Failure as failure:
            session.warn(failure.text)
            failed = True
    return 1 if failed else 0


def _delete(session: Session, targets: list[Target]) -> None:
    """What is to be created anew must be gone first, however long that takes."""
    options: dict[str, Any] = {"propagationPolicy": delete.POLICIES[session.flag("cascade", "background")]}
    if (grace_s := session.flag("grace-period", -1)) >= 0:
        # A pod that is not waited for could still run when its successor starts.
        options["gracePeriodSeconds"] = max(1, grace_s)
    delete.delete_all(session, targets, options, ignore_missing=True, wait=True)


def _replace(session: Session, target: Target) -> None:
    manifest = placed_manifest(target)
    if session.flag("save-config"):
        manifest = annotated(manifest)
    if session.flag("force"):
        replaced: Object = create(session, target, manifest, manager=MANAGER)
    elif dry_run(session) == "client":
        replaced = manifest
    else:
        try:
            replaced = _put(session, target, manifest)
        except Failure as failure:
            raise during(failure, f'error when replacing "{target.source}"') from None
    report(session, target, replaced, "replaced")


def _put(session: Session, target: Target, manifest: Object) -> Object:
    """PUT the manifest; one that names no version replaces whatever there is."""
    path = target.path_of(session.flag("subresource", ""))
    if not metadata(manifest).get("resourceVersion"):
        answer = session.api.request("GET", path)
        # What cannot be read may still be written, and the refusal to write it is the one to tell.
        if answer.code < 400:
            version = metadata(answer.json()).get("resourceVersion", "")
            manifest = {**manifest, "metadata": {**metadata(manifest), "resourceVersion": version}}
    replaced: Object = session.api.call("PUT", path, query=write_query(session, MANAGER), body=manifest)
    return replaced


def _replace_raw(session: Session) -> int:
    files = session.flag("filename")
    if len(files) != 1:
        raise Failure(
            "error: --raw can only use a single local file or stdin\n"
            "See 'kubectl replace -h' for help and examples"
        )
    answer = session.api.call(
        "PUT", session.flag("raw"), body=session.read_input(files[0]).encode(), escaped=True
    )
    session.out.write(json.dumps(answer, separators=(",", ":")) + "\n")
    return 0

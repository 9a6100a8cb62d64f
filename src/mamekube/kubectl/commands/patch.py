"""kubectl patch: fields of an object, as a strategic, merge or JSON patch says; on the server or on a file."""

from __future__ import annotations

import json
from typing import Any

from mamekube.kubectl import goyaml
from mamekube.kubectl.commands.writing import WRITE_FLAGS, dry_run, patch, report
from mamekube.kubectl.failures import Failure, during
from mamekube.kubectl.flags import Flag
from mamekube.kubectl.schemas import built_in_schema
from mamekube.kubectl.session import Session
from mamekube.kubectl.targets import FILE_FLAGS, RESOURCES_NEEDED, Target, resolve_named
from mamekube.objects.meta import Object
from mamekube.objects.patches import json_patch, merge_patch, strategic
from mamekube.objects.status import StatusError

MANAGER = "kubectl-patch"
TYPES = ("json", "merge", "strategic")
FLAGS = (
    *FILE_FLAGS,
    *(flag for flag in WRITE_FLAGS if flag.name != "validate"),
    Flag("patch", short="p"),
    Flag("patch-file"),
    Flag("type"),
    Flag("local", "bool"),
    Flag("subresource"),
)


def run(session: Session) -> int:
    _check(session)
    body = _body(session)
    failed = False
    for target in resolve_named(session, session.words, usage=RESOURCES_NEEDED):
        try:
            _patch(session, target, body)
        except Failure as failure:
            session.warn(failure.text)
            failed = True
    return 1 if failed else 0


def _check(session: Session) -> None:
    if session.flag("patch") and session.flag("patch-file"):
        raise Failure("error: cannot specify --patch and --patch-file together")
    if not session.flag("patch") and not session.flag("patch-file"):
        raise Failure("error: must specify --patch or --patch-file containing the contents of the patch")
    if session.flag("local") and session.words:
        raise Failure("error: cannot specify --local and server resources")
    if session.flag("local") and dry_run(session) == "server":
        raise Failure("error: cannot specify --local and --dry-run=server - did you mean --dry-run=client?")
    if _kind(session) not in TYPES:
        raise Failure(f'error: --type must be one of [{" ".join(TYPES)}], not "{session.flag("type")}"')


def _kind(session: Session) -> str:
    return str(session.flag("type") or "strategic").lower()


def _body(session: Session) -> Any:
    text = session.flag("patch")
    if not text:
        try:
            text = session.read_input(session.flag("patch-file"))
        except Failure:
            path = session.flag("patch-file")
            raise Failure(
                f"error: unable to read patch file: open {path}: no such file or directory"
            ) from None
    if text.lstrip().startswith("{"):
        try:
            return json.loads(text)
        except ValueError:
            # It is for the server to say what is wrong with it.
            return text.encode()
    try:
        return goyaml.load(text)
    except goyaml.YamlError as error:
        shown = json.dumps(session.flag("patch", ""), ensure_ascii=False)
        raise Failure(f"error: unable to parse {shown}: {error}") from None


def _patch(session: Session, target: Target, body: Any) -> None:
    if session.flag("local"):
        before = target.manifest or {}
        _report(session, target, before, _patched_here(session, target, before, body))
        return
    before = session.api.get(target.path_of(session.flag("subresource", "")))
    if dry_run(session) == "client":
        after = _patched_here(session, target, before, body)
    else:
        kind, subresource = _kind(session), session.flag("subresource", "")
        try:
            after = patch(session, target, body, manager=MANAGER, kind=kind, subresource=subresource)
        except Failure as failure:
            if failure.reason == "UnsupportedMediaType":
                resource = target.found.resource
                version = f"{resource.group}/{resource.version}".removeprefix("/")
                raise during(failure, f"{MEDIA_TYPES[kind]} is not supported by {version}") from None
            raise
    _report(session, target, before, after)


MEDIA_TYPES = {
    "strategic": "application/strategic-merge-patch+json",
    "merge": "application/merge-patch+json",
    "json": "application/json-patch+json",
}


def _report(session: Session, target: Target, before: Object, after: Object) -> None:
    """Upstream's patch does not say that it ran dry."""
    done = "patched" if before != after else "patched (no change)"
    report(session, target, after, done, marks_dry_run=False)


def _patched_here(session: Session, target: Target, before: Object, body: Any) -> Object:
    """What the server would make of it, as far as this program knows."""
    kind, resource = _kind(session), target.found.resource
    if kind != "json" and not isinstance(body, dict):
        raise Failure("error: invalid JSON document")
    try:
        if kind == "json":
            patched: Object = json_patch.apply(before, body)
            return patched
        if kind == "merge":
            merged: Object = merge_patch.apply(before, body)
            return merged
        schema = built_in_schema(resource)
        if schema is None:
            raise Failure(
                f"error: strategic merge patch is not supported for {resource.api_version}, "
                f"Kind={resource.kind} locally, try --type merge"
            )
        return strategic.apply(before, body, schema)
    except (json_patch.PatchError, StatusError) as error:
        raise Failure(f"error: {error.__cause__ or error}") from None

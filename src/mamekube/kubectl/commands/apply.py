"""kubectl apply: three-way merge against the last applied configuration, or server-side."""

from __future__ import annotations

import json
from typing import Any

from mamekube.kubectl.commands.writing import WRITE_FLAGS, create, dry_run, report, write_query
from mamekube.kubectl.failures import Failure, during
from mamekube.kubectl.flags import Flag
from mamekube.kubectl.output import json_text
from mamekube.kubectl.schemas import built_in_schema
from mamekube.kubectl.session import Session
from mamekube.kubectl.targets import FILE_FLAGS, Target, manifest_targets, placed_manifest
from mamekube.kubectl.threeway import three_way_patch
from mamekube.kubectl.transport import refusal
from mamekube.objects.meta import Object, annotations_of, metadata

MANAGER = "kubectl-client-side-apply"
SERVER_SIDE_MANAGER = "kubectl"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
FLAGS = (
    *FILE_FLAGS,
    *WRITE_FLAGS,
    Flag("server-side", "bool"),
    Flag("force-conflicts", "bool"),
    Flag("selector", short="l"),
)


def run(session: Session) -> int:
    if not session.flag("filename"):
        raise Failure("error: must specify one of -f and -k")
    if session.flag("server-side") and dry_run(session) == "client":
        raise Failure(
            "error: --dry-run=client doesn't work with --server-side (did you mean --dry-run=server instead?)"
        )
    failed = False
    for target in manifest_targets(session):
        if not target.name and metadata(target.manifest or {}).get("generateName"):
            raise Failure(
                f"error: from {metadata(target.manifest or {})['generateName']}: cannot use generate name with apply"
            )
        try:
            if session.flag("server-side"):
                _apply_on_server(session, target, placed_manifest(target))
            else:
                _apply(session, target, placed_manifest(target))
        except Failure as failure:
            session.warn(failure.text)
            failed = True
    return 1 if failed else 0


def _apply_on_server(session: Session, target: Target, manifest: Object) -> None:
    query = write_query(session, SERVER_SIDE_MANAGER)
    query["force"] = "true" if session.flag("force-conflicts") else "false"
    applied = session.api.call(
        "PATCH", target.path, query=query, body=manifest, content_type="application/apply-patch+yaml"
    )
    report(session, target, applied, "serverside-applied")


def _apply(session: Session, target: Target, manifest: Object) -> None:
    reading = (
        f"error when retrieving current configuration of:\n{_described(target)}\nfrom server for: "
        f'"{target.source}"'
    )
    try:
        answer = session.api.request("GET", target.path)
    except Failure as failure:
        raise during(failure, reading) from None
    if answer.code == 404:
        try:
            created = create(session, target, annotated(manifest), manager=MANAGER)
        except Failure as failure:
            raise during(failure, f'error when creating "{target.source}"') from None
        report(session, target, created, "created")
        return
    if answer.code >= 400:
        raise during(refusal(answer), reading)
    live: Object = answer.json()
    recorded = annotations_of(live).get(LAST_APPLIED)
    if recorded is None:
        session.warn(
            f"Warning: resource {target.found.resource.plural}/{target.name} is missing the {LAST_APPLIED} annotation "
            "which is required by kubectl apply. kubectl apply should only be used on resources created declaratively "
            "by either kubectl create --save-config or kubectl apply. The missing annotation will be patched "
            "automatically."
        )
    try:
        patch = _three_way(recorded, annotated(manifest), live)
    except Failure as failure:
        doing = f'error when patching "{target.source}"'
        raise during(
            during(failure, doing),
            f'error when applying patch:\n\nto:\n{_described(target)}\nfor: "{target.source}"',
        ) from None
    if not patch:
        report(session, target, live, "unchanged")
        return
    try:
        configured = _patch(session, target, live, patch)
    except Failure as failure:
        text = json_text(patch, indent=None).rstrip()
        raise during(
            failure,
            f'error when applying patch:\n{text}\nto:\n{_described(target)}\nfor: "{target.source}"',
        ) from None
    report(session, target, configured, "configured")


def _three_way(recorded: str | None, wanted: Object, live: Object) -> dict[str, Any]:
    """The patch since `recorded`, which anybody may have written. Raises Failure where it is no object."""
    try:
        applied = json.loads(recorded) if recorded else {}
    except ValueError:
        applied = None
    if not isinstance(applied, dict):
        current = json_text(live, indent=None)
        raise Failure(
            f"error: creating patch with:\noriginal:\n{recorded}\nmodified:\n{json_text(wanted, indent=None)}\n"
            f"current:\n{current}\nfor:: invalid JSON document"
        )
    return three_way_patch(applied, wanted, live)


def _described(target: Target) -> str:
    resource = target.found.resource
    version = f"{resource.group}/{resource.version}"
    return (
        f'Resource: "{version}, Resource={resource.plural}", GroupVersionKind: "{version}, Kind={resource.kind}"\n'
        f'Name: "{target.name}", Namespace: "{target.namespace}"'
    )


def _patch(session: Session, target: Target, live: Object, patch: Any) -> Object:
    if dry_run(session) == "client":
        return live
    return _send_patch(session, target, patch, write_query(session, MANAGER))


def _send_patch(session: Session, target: Target, patch: Any, query: dict[str, Any]) -> Object:
    kind = "strategic-merge-patch" if built_in_schema(target.found.resource) else "merge-patch"
    patched: Object = session.api.call(
        "PATCH", target.path, query=query, body=patch, content_type=f"application/{kind}+json"
    )
    return patched


def merged(session: Session, target: Target, manifest: Object, live: Object | None) -> Object:
    """What the object would be after apply, by a dry run; `live` is None where there is none yet."""
    manager = SERVER_SIDE_MANAGER if session.flag("server-side") else MANAGER
    query = {"fieldManager": session.flag("field-manager", manager), "dryRun": "All"}
    outcome: Object
    if session.flag("server-side"):
        query["force"] = "true" if session.flag("force-conflicts") else "false"
        outcome = session.api.call(
            "PATCH", target.path, query=query, body=manifest, content_type="application/apply-patch+yaml"
        )
        return outcome
    if live is None:
        collection = target.found.resource.path(namespace=target.namespace)
        outcome = session.api.call("POST", collection, query=query, body=manifest)
        return outcome
    recorded = annotations_of(live).get(LAST_APPLIED)
    patch = _three_way(recorded, _bare(manifest), live)
    return _send_patch(session, target, patch, query) if patch else live


def _bare(manifest: Object) -> Object:
    """The manifest without the annotation that tells of it."""
    annotations = {key: value for key, value in annotations_of(manifest).items() if key != LAST_APPLIED}
    return {**manifest, "metadata": {**metadata(manifest), "annotations": annotations}}


def annotated(manifest: Object) -> Object:
    """The manifest with itself, as it was given, in its annotation."""
    bare = _bare(manifest)
    text = json_text(bare, indent=None)
    annotations = {**annotations_of(bare), LAST_APPLIED: text}
    return {**bare, "metadata": {**metadata(bare), "annotations": annotations}}

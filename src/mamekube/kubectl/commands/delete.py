"""kubectl delete: objects by name, file or selector; waits until they are gone."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any

from mamekube.kubectl.commands.writing import dry_run
from mamekube.kubectl.failures import Failure, during
from mamekube.kubectl.flags import Flag
from mamekube.kubectl.session import Session
from mamekube.kubectl.targets import RESOURCES_NEEDED, SELECTION_FLAGS, Target, kind_name, resolve_named
from mamekube.kubectl.transport import refusal
from mamekube.objects.meta import metadata, uid_of

FLAGS = (
    *SELECTION_FLAGS,
    Flag("dry-run", bare="unchanged"),
    Flag("output", short="o"),
    Flag("wait", "bool"),
    Flag("now", "bool"),
    Flag("force", "bool"),
    Flag("grace-period", "int"),
    Flag("cascade", bare="background"),
    Flag("ignore-not-found", "bool"),
    Flag("timeout", "duration"),
)
POLICIES = {"background": "Background", "foreground": "Foreground", "orphan": "Orphan"}


def run(session: Session) -> int:
    targets = resolve_named(session, session.words, usage=RESOURCES_NEEDED)
    if not targets:
        session.print("No resources found")
        return 0
    options = _options(session)
    if session.flag("force") and options.get("gracePeriodSeconds") == 0:
        session.warn(
            "Warning: Immediate deletion does not wait for confirmation that the running resource has been "
            "terminated. The resource may continue to run on the cluster indefinitely."
        )
    if session.flag("namespace") and not all(target.found.resource.namespaced for target in targets):
        session.warn("Warning: deleting cluster-scoped resources, not scoped to the provided namespace")
    wait = session.flag("wait", True) and dry_run(session) == "none"
    return delete_all(
        session,
        targets,
        options,
        ignore_missing=bool(session.flag("ignore-not-found")),
        wait=wait and options.get("gracePeriodSeconds") != 0,
    )


def delete_all(
    session: Session,
    targets: Sequence[Target],
    options: dict[str, Any],
    *,
    ignore_missing: bool,
    wait: bool,
) -> int:
    """Delete the objects, and perhaps wait until they are gone; the exit code."""
    deleted: list[tuple[Target, str]] = []
    failed = False
    for target in targets:
        try:
            uid = _delete(session, target, options, ignore_missing=ignore_missing)
        except Failure as failure:
            told = during(failure, f'error when deleting "{target.source}"') if target.source else failure
            session.warn(told.text)
            failed = True
            continue
        if uid is not None:
            deleted.append((target, uid))
    if wait:
        _wait_until_gone(session, deleted)
    return 1 if failed else 0


def _options(session: Session) -> dict[str, Any]:
    cascade = session.flag("cascade", "background")
    if cascade not in POLICIES:
        raise Failure(
            f'error: invalid cascade value ({cascade}). Must be "background", "foreground", or "orphan"'
        )
    options: dict[str, Any] = {"propagationPolicy": POLICIES[cascade]}
    grace_s = 1 if session.flag("now") else session.flag("grace-period", -1)
    if session.flag("force") and grace_s < 0:
        grace_s = 0
    elif grace_s == 0 and not session.flag("force"):
        # kubectl waits one second rather than leave a container running that nobody knows of.
        grace_s = 1
    if grace_s >= 0:
        options["gracePeriodSeconds"] = grace_s
    return options


def _delete(session: Session, target: Target, options: dict[str, Any], *, ignore_missing: bool) -> str | None:
    """Delete one object; its uid, or None where it was not there and need not be."""
    query = {"dryRun": "All"} if dry_run(session) == "server" else {}
    answer = session.api.request("GET", target.path)
    if dry_run(session) != "client" and answer.code < 400:
        answer = session.api.request("DELETE", target.path, query=query, body=json.dumps(options).encode())
    if answer.code == 404 and ignore_missing:
        return None
    if answer.code >= 400:
        raise refusal(answer)
    if session.flag("output") == "name":
        session.print(target.display())
    else:
        forced = " force" if session.flag("force") and options.get("gracePeriodSeconds") == 0 else ""
        suffix = {"client": " (dry run)", "server": " (server dry run)"}.get(dry_run(session), "")
        place = f" from {target.namespace} namespace" if target.namespace else ""
        session.print(f'{kind_name(target.found)} "{target.name}"{forced} deleted{place}{suffix}')
    document = answer.json()
    return uid_of(document) or (document.get("details") or {}).get("uid", "")


def _wait_until_gone(session: Session, deleted: list[tuple[Target, str]]) -> None:
    timeout_s = session.flag("timeout", 0.0)
    deadline = time.monotonic() + timeout_s if timeout_s > 0 else None
    for target, uid in deleted:
        if not wait_until_gone(session, target, uid, deadline):
            raise Failure(
                f"error: timed out waiting for the condition on {target.found.resource.plural}/{target.name}"
            )


def wait_until_gone(session: Session, target: Target, uid: str, deadline: float | None) -> bool:
    """Watch until the object is gone or another one; False where the deadline passed first."""
    collection = target.found.resource.path(namespace=target.namespace)
    while True:
        query: dict[str, Any] = {"fieldSelector": f"metadata.name={target.name}"}
        listed = session.api.get(collection, query=query)
        if not listed["items"] or (uid and uid_of(listed["items"][0]) != uid):
            return True
        query |= {"watch": "true", "resourceVersion": metadata(listed)["resourceVersion"]}
        if deadline is not None:
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                return False
            query["timeoutSeconds"] = max(1, int(left_s + 0.999))
        for event in session.api.lines(collection, query=query):
            if event["type"] == "DELETED":
                session.api.close()
                return True
        session.api.close()

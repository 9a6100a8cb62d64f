"""kubectl certificate approve and deny: what becomes of a request for a certificate."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from mamekube.kubectl.commands.writing import WRITE_FLAGS, report
from mamekube.kubectl.failures import Failure
from mamekube.kubectl.flags import Flag
from mamekube.kubectl.session import Session
from mamekube.kubectl.targets import FILE_FLAGS, Target, resolve
from mamekube.objects.meta import Object

FLAGS = (
    *FILE_FLAGS,
    *(flag for flag in WRITE_FLAGS if flag.name not in ("validate", "dry-run", "field-manager")),
    Flag("force", "bool"),
)
KIND = "certificatesigningrequests"
TRIES_MAX = 10


def run_approve(session: Session) -> int:
    return _run(session, "Approved", "approve")


def run_deny(session: Session) -> int:
    return _run(session, "Denied", "deny")


def _run(session: Session, decision: str, verb: str) -> int:
    if not session.words and not session.flag("filename"):
        raise Failure("error: one or more CSRs must be specified as <name> or -f <filename>")
    failed = False
    for target in _targets(session):
        try:
            if target.found.resource.plural == KIND:
                _decide(session, target, decision, verb)
        except Failure as failure:
            session.warn(failure.text)
            failed = True
    return 1 if failed else 0


def _targets(session: Session) -> list[Target]:
    if session.flag("filename"):
        return resolve(session, (), usage="")
    return [
        target
        for word in session.words
        for target in resolve(session, [word] if "/" in word else [KIND, word], usage="")
    ]


def _decide(session: Session, target: Target, decision: str, verb: str) -> None:
    for left in reversed(range(TRIES_MAX)):
        request = session.api.get(target.path)
        if not _changed(request, target.name, decision, verb, force=bool(session.flag("force"))):
            break
        try:
            request = session.api.call("PUT", f"{target.path}/approval", body=request)
            break
        except Failure as failure:
            # Somebody else wrote first: the decision is one about what is there now.
            if failure.reason != "Conflict" or not left:
                raise
    report(session, target, request, decision.lower())


def _changed(request: Object, name: str, decision: str, verb: str, *, force: bool) -> bool:
    """Put the decision into the request, unless it is there."""
    status: dict[str, Any] = request.setdefault("status", {})
    conditions = status.setdefault("conditions", [])
    for condition in conditions:
        other = {"Approved": "Denied", "Denied": "Approved"}[decision]
        if condition["type"] == other:
            raise Failure(f'error: certificate signing request "{name}" is already {other}')
    if any(condition["type"] == decision for condition in conditions):
        if not force:
            return False
        conditions[:] = [condition for condition in conditions if condition["type"] != decision]
    conditions.append(
        {
            "type": decision,
            "status": "True",
            "reason": f"Kubectl{verb.capitalize()}",
            "message": f"This CSR was {decision.lower()} by kubectl certificate {verb}.",
            "lastUpdateTime": datetime.fromtimestamp(time.time(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
    )
    return True

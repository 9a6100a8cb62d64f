"""kubectl scale: another number of replicas, through the scale subresource."""

from __future__ import annotations

from mamekube.kubectl.commands.writing import WRITE_FLAGS, dry_run, patch, report
from mamekube.kubectl.failures import Failure
from mamekube.kubectl.flags import Flag
from mamekube.kubectl.session import Session
from mamekube.kubectl.targets import SELECTION_FLAGS, resolve_named

FLAGS = (
    *SELECTION_FLAGS,
    *(flag for flag in WRITE_FLAGS if flag.name != "validate"),
    Flag("replicas", "int"),
    Flag("current-replicas", "int"),
    Flag("resource-version"),
    Flag("timeout", "duration"),
)


def run(session: Session) -> int:
    if not session.arguments.given("replicas"):
        raise Failure('error: required flag(s) "replicas" not set')
    replicas = session.flag("replicas")
    if replicas < 0:
        raise Failure(
            "error: The --replicas=COUNT flag is required, and COUNT must be greater than or equal to 0"
        )
    for target in resolve_named(
        session, session.words, usage="error: one or more resources must be specified"
    ):
        path = target.path_of("scale")
        try:
            current = session.api.get(path)
        except Failure as failure:
            if "(NotFound)" not in failure.text:
                raise
            text = failure.text.removeprefix("Error from server (NotFound): ")
            raise Failure(f"error: no objects passed to scale {text}") from None
        expected = session.flag("current-replicas", -1)
        if expected >= 0 and current["spec"].get("replicas", 0) != expected:
            raise Failure(
                f"error: Expected replicas to be {expected}, was {current['spec'].get('replicas', 0)}"
            )
        if dry_run(session) != "client":
            body = {"spec": {"replicas": replicas}}
            patch(session, target, body, manager="kubectl", kind="merge", subresource="scale")
        report(session, target, session.api.get(target.path) if session.flag("output") else {}, "scaled")
    return 0

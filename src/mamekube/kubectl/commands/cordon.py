"""kubectl cordon and uncordon: whether the scheduler may put new pods on a node."""

from __future__ import annotations

from collections.abc import Sequence

from mamekube.kubectl.commands.writing import dry_run, report
from mamekube.kubectl.failures import Failure
from mamekube.kubectl.flags import Flag
from mamekube.kubectl.session import Session
from mamekube.kubectl.targets import Target, resolve
from mamekube.objects.meta import Object, name_of

FLAGS = (Flag("dry-run", bare="unchanged"), Flag("selector", short="l"))


def run_cordon(session: Session) -> int:
    cordon(session, nodes_of(session, "cordon"), True)
    return 0


def run_uncordon(session: Session) -> int:
    cordon(session, nodes_of(session, "uncordon"), False)
    return 0


def nodes_of(session: Session, command: str) -> list[tuple[Target, Object]]:
    """The nodes that words or a selector name, as they are."""
    hint = f"See 'kubectl {command} -h' for help and examples"
    selector = session.flag("selector")
    if not session.words and not selector:
        raise Failure(f"error: USAGE: {command} NODE [flags]\n{hint}")
    if session.words and selector:
        raise Failure(f"error: cannot specify both a node name and a --selector option\n{hint}")
    found = session.discovery.find("nodes")
    if selector:
        listed = session.api.get(Target(found, "").path, query={"labelSelector": selector})
        return [(Target(found, "", name_of(node)), node) for node in listed["items"]]
    targets = [
        target
        for word in session.words
        for target in resolve(session, [word] if "/" in word else ["nodes", word], usage="")
    ]
    nodes = [(target, session.api.get(target.path)) for target in targets]
    for target, _ in nodes:
        if target.found.resource.kind != "Node":
            resource = target.found.resource
            named = f"{resource.group}/{resource.version}, Resource={resource.plural}"
            raise Failure(f'error: error: expected resource of type node, got "{named}"')
    return nodes


def cordon(session: Session, nodes: Sequence[tuple[Target, Object]], desired: bool) -> None:
    """Have the nodes refuse new pods, or take them again; says what became of each."""
    verb = "cordon" if desired else "uncordon"
    for target, node in nodes:
        if bool((node.get("spec") or {}).get("unschedulable")) is desired:
            report(session, target, node, f"already {verb}ed")
            continue
        try:
            if dry_run(session) != "client":
                _patch(session, target, desired)
        except Failure as failure:
            session.warn(f'error: unable to {verb} node "{target.name}": {failure.message}')
            continue
        report(session, target, node, f"{verb}ed")


def _patch(session: Session, target: Target, desired: bool) -> None:
    session.api.call(
        "PATCH",
        target.path,
        query={"dryRun": "All"} if dry_run(session) == "server" else {},
        body={"spec": {"unschedulable": True if desired else None}},
        content_type="application/strategic-merge-patch+json",
    )

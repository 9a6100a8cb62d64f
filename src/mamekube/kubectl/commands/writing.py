"""What the commands that write have in common: dry run, field manager, and how they say what they did."""

from __future__ import annotations

from typing import Any

from mamekube.kubectl.failures import Failure
from mamekube.kubectl.flags import Flag
from mamekube.kubectl.output import OUTPUT_FLAGS, chosen_format, printer
from mamekube.kubectl.session import Session
from mamekube.kubectl.targets import Target, kind_name
from mamekube.objects.meta import Object, name_of

WRITE_FLAGS = (
    Flag("dry-run", bare="unchanged"),
    *OUTPUT_FLAGS,
    Flag("field-manager"),
    Flag("show-managed-fields", "bool"),
    Flag("validate", bare="strict"),
)


def dry_run(session: Session) -> str:
    """none, client or server."""
    mode = session.flag("dry-run", "none")
    if mode not in ("none", "client", "server"):
        raise Failure(f'error: Invalid dry-run value ({mode}). Must be "none", "server", or "client".')
    return str(mode)


def write_query(session: Session, manager: str, *, validated: bool = True) -> dict[str, Any]:
    """The query of a create, update or patch request."""
    query: dict[str, Any] = {"fieldManager": session.flag("field-manager", manager)}
    if dry_run(session) == "server":
        query["dryRun"] = "All"
    if validated:
        mode = str(session.flag("validate", "strict")).lower()
        query["fieldValidation"] = {"true": "Strict", "strict": "Strict", "warn": "Warn"}.get(mode, "Ignore")
    return query


def report(session: Session, target: Target, obj: Object, done: str, *, marks_dry_run: bool = True) -> None:
    """`deployment.apps/web scaled`, or the object in the format that was asked for."""
    output = chosen_format(session)
    if output and output != "name":
        session.out.write(printer(session, output)(typed(target, obj)))
        return
    whole = isinstance(obj.get("metadata") or {}, dict)
    name = f"{kind_name(target.found)}/{(name_of(obj) or target.name) if whole else '<unknown>'}"
    if output == "name":
        session.print(name)
        return
    session.print(f"{name} {done}{dry_run_mark(session) if marks_dry_run else ''}")


def dry_run_mark(session: Session) -> str:
    return {"client": " (dry run)", "server": " (server dry run)"}.get(dry_run(session), "")


def typed(target: Target, obj: Object) -> Object:
    resource = target.found.resource
    return {"apiVersion": resource.api_version, "kind": resource.kind, **obj}


def create(session: Session, target: Target, obj: Object, *, manager: str) -> Object:
    """POST the object, unless this is a dry run on the client."""
    if dry_run(session) == "client":
        return obj
    collection = target.found.resource.path(namespace=target.namespace)
    created: Object = session.api.call("POST", collection, query=write_query(session, manager), body=obj)
    return created


def patch(
    session: Session,
    target: Target,
    body: Any,
    *,
    manager: str,
    kind: str = "strategic",
    subresource: str = "",
    validated: bool = False,
) -> Object:
    """PATCH one object."""
    content_type = {
        "strategic": "application/strategic-merge-patch+json",
        "merge": "application/merge-patch+json",
        "json": "application/json-patch+json",
        "apply": "application/apply-patch+yaml",
    }[kind]
    path = target.path_of(subresource)
    query = write_query(session, manager, validated=validated)
    patched: Object = session.api.call("PATCH", path, query=query, body=body, content_type=content_type)
    return patched

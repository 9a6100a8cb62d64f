"""kubectl wait: until a condition holds, a field has a value, or the object is gone."""

from __future__ import annotations

import time

from mamekube.kubectl.commands.delete import wait_until_gone
from mamekube.kubectl.commands.rollout import next_state
from mamekube.kubectl.failures import Failure
from mamekube.kubectl.flags import Flag
from mamekube.kubectl.session import Session
from mamekube.kubectl.targets import SELECTION_FLAGS, Target, resolve_named
from mamekube.objects import jsonpath
from mamekube.objects.conditions import conditions_of
from mamekube.objects.meta import Object, metadata, uid_of

FLAGS = (*SELECTION_FLAGS, Flag("for"), Flag("timeout", "duration"), Flag("output", short="o"))
TIMEOUT_DEFAULT_S = 30.0


def run(session: Session) -> int:
    condition = session.flag("for", "")
    name, _, argument = condition.partition("=")
    if name not in ("condition", "jsonpath", "delete", "create"):
        raise Failure(f'error: unrecognized condition: "{condition}"')
    if name == "jsonpath":
        _check_path(argument)
    timeout_s = session.flag("timeout", TIMEOUT_DEFAULT_S)
    deadline = time.monotonic() + (timeout_s if timeout_s >= 0 else 7 * 24 * 3600)
    try:
        targets = resolve_named(
            session, session.words, usage="error: arguments must consist of a resource and a name"
        )
    except Failure as failure:
        if name == "delete" and "(NotFound)" in failure.text:
            return 0
        raise
    if not targets and name != "delete":
        raise Failure("error: no matching resources found")
    failed = False
    for target in targets:
        if name == "delete":
            met = _gone(session, target, deadline)
        else:
            met = _until(session, target, name, argument, deadline)
        if met:
            session.print(f"{target.display()} condition met")
        else:
            session.warn(
                f"error: timed out waiting for the condition on {target.found.resource.plural}/{target.name}"
            )
            failed = True
    return 1 if failed else 0


def _gone(session: Session, target: Target, deadline: float) -> bool:
    answer = session.api.request("GET", target.path)
    if answer.code == 404:
        return True
    return wait_until_gone(session, target, uid_of(answer.json()), deadline)


def _until(session: Session, target: Target, name: str, argument: str, deadline: float) -> bool:
    live = session.api.get(target.path)
    while not _holds(live, name, argument):
        try:
            live = next_state(session, target, live, deadline)
        except Failure as failure:
            if "timed out" in failure.text:
                return False
            raise
    return True


def _holds(live: Object, name: str, argument: str) -> bool:
    if name == "create":
        return True
    if name == "condition":
        kind, _, wanted = argument.partition("=")
        for condition in conditions_of(live):
            if condition["type"].lower() == kind.lower():
                seen = condition.get("observedGeneration", metadata(live).get("generation", 0))
                fresh = seen >= metadata(live).get("generation", 0)
                return fresh and condition["status"].lower() == (wanted or "true").lower()
        return False
    path, _, wanted = _split_path(argument)
    try:
        found = jsonpath.find(path, live)
    except jsonpath.JSONPathError:
        # An item that is not there yet.
        return False
    if not found:
        return False
    return not wanted or jsonpath.text_of(found[0]) == wanted


def _check_path(argument: str) -> None:
    try:
        jsonpath.steps_of(_split_path(argument)[0])
    except ValueError as error:
        raise Failure(f"error: {error}") from None


def _split_path(argument: str) -> tuple[str, str, str]:
    """`{.path}=value`: the last `=` outside the braces divides."""
    end = argument.rfind("}") + 1
    if end and argument.startswith("{"):
        return argument[:end], "=", argument[end:].removeprefix("=")
    return argument.partition("=")

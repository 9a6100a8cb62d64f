"""kubectl exec and attach: a process in a container, with this terminal as its own; port-forward: its ports here."""

from __future__ import annotations

import sys

from mamekube.kubectl.commands.logs import default_container, pod_of
from mamekube.kubectl.failures import Failure
from mamekube.kubectl.flags import Flag
from mamekube.kubectl.session import Session
from mamekube.objects.meta import name_of, namespace_of

FLAGS = (
    Flag("container", short="c"),
    Flag("stdin", "bool", short="i"),
    Flag("tty", "bool", short="t"),
    Flag("quiet", "bool", short="q"),
    Flag("pod-running-timeout"),
)
PORT_FORWARD_FLAGS = (Flag("address", "list"), Flag("pod-running-timeout"))


def run_exec(session: Session) -> int:
    command = session.arguments.after_dashes
    words = session.words
    if command is None:
        words, command = words[:1], words[1:]
    if not words:
        raise Failure("error: pod, type/name or --filename must be specified")
    if not command:
        raise Failure("error: you must specify at least one command for the container")
    return _run(session, words[0], "exec", list(command))


def run_attach(session: Session) -> int:
    if not session.words:
        raise Failure("error: at least 1 argument is required for attach")
    return _run(session, session.words[0], "attach", [])


def _run(session: Session, word: str, verb: str, command: list[str]) -> int:
    from mamekube.kubectl import streams

    pod = pod_of(session, word)
    phase = (pod.get("status") or {}).get("phase")
    if phase in ("Succeeded", "Failed"):
        raise Failure(
            f"error: cannot {verb} into a container in a completed pod; current phase is {phase}"
            if verb == "exec"
            else f"error: cannot attach a container in a completed pod; current phase is {phase}"
        )
    container = session.flag("container") or default_container(session, pod)
    stdin, tty = bool(session.flag("stdin")), bool(session.flag("tty"))
    if tty and not (stdin and sys.stdin.isatty()):
        session.warn("Unable to use a TTY - input is not a terminal or the right kind of file")
        tty = False
    path = f"/api/v1/namespaces/{namespace_of(pod)}/pods/{name_of(pod)}/{verb}"
    query = [("container", container), *(("command", part) for part in command)]
    query += [("stdin", "true")] if stdin else []
    query += [("stdout", "true")]
    query += [("tty", "true")] if tty else [("stderr", "true")]
    code, message = streams.run_command(session.config, path, query, stdin=stdin, tty=tty)
    if message and code:
        session.warn(message)
    return code


def run_port_forward(session: Session) -> int:
    from mamekube.kubectl import streams

    if len(session.words) < 2:
        raise Failure(
            "error: TYPE/NAME and list of ports are required for port-forward\n"
            "See 'kubectl port-forward -h' for help and examples"
        )
    pod = pod_of(session, session.words[0])
    if (pod.get("status") or {}).get("phase") != "Running":
        raise Failure(
            f"error: unable to forward port because pod is not running. Current status="
            f"{(pod.get('status') or {}).get('phase')}"
        )
    pairs = [_ports(word) for word in session.words[1:]]
    path = f"/api/v1/namespaces/{namespace_of(pod)}/pods/{name_of(pod)}/portforward"
    addresses = session.flag("address", ["127.0.0.1"])
    return streams.forward_ports(session.config, path, pairs, addresses=addresses, say=session.print)


def _ports(word: str) -> tuple[int, int]:
    local, colon, remote = word.partition(":")
    try:
        target = int(remote if colon else local)
        return (int(local) if local else 0), target
    except ValueError:
        raise Failure(
            f"error: error parsing local port '{local}': strconv.ParseUint: parsing \"{local}\": invalid syntax"
        ) from None

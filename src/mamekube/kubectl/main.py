"""`mamekube kubectl`: finds the command, reads its flags, runs it, and turns failures into exit codes."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from mamekube.kubectl.failures import Failure
from mamekube.kubectl.flags import Arguments, Flag, parse
from mamekube.kubectl.session import GLOBAL_FLAGS, Session


@dataclass(frozen=True, slots=True)
class Command:
    """Where a command is, and what it is for."""

    module: str
    function: str
    flags: str
    summary: str
    stops_at_words: bool = False
    """Whether everything after the first word belongs to the container's command."""


COMMANDS = {
    "annotate": Command("label", "run_annotate", "FLAGS", "Update the annotations on a resource"),
    "api-resources": Command(
        "about", "run_api_resources", "API_RESOURCES_FLAGS", "Print the supported API resources"
    ),
    "api-versions": Command("about", "run_api_versions", "VERSION_FLAGS", "Print the supported API versions"),
    "apply": Command("apply", "run", "FLAGS", "Apply a configuration to a resource by file name or stdin"),
    "attach": Command("exec", "run_attach", "FLAGS", "Attach to a running container"),
    "cluster-info": Command("about", "run_cluster_info", "VERSION_FLAGS", "Display cluster information"),
    "config": Command("about", "run_config", "VERSION_FLAGS", "Show the kubeconfig's current context"),
    "create": Command("create", "run", "FLAGS", "Create a resource from a file or from stdin"),
    "delete": Command(
        "delete", "run", "FLAGS", "Delete resources by file names, stdin, resources and names, or selector"
    ),
    "describe": Command(
        "describe", "run", "FLAGS", "Show details of a specific resource or group of resources"
    ),
    "exec": Command("exec", "run_exec", "FLAGS", "Execute a command in a container"),
    "expose": Command("expose", "run", "FLAGS", "Expose pods as a new Kubernetes service"),
    "get": Command("get", "run", "FLAGS", "Display one or many resources"),
    "label": Command("label", "run_label", "FLAGS", "Update the labels on a resource"),
    "logs": Command("logs", "run", "FLAGS", "Print the logs for a container in a pod"),
    "port-forward": Command("exec", "run_port_forward", "PORT_FORWARD_FLAGS", "Forward local ports to a pod"),
    "rollout": Command("rollout", "run", "FLAGS", "Manage the rollout of a resource"),
    "run": Command("run", "run", "FLAGS", "Run a particular image on the cluster"),
    "scale": Command("scale", "run", "FLAGS", "Set a new size for a deployment or replica set"),
    "set": Command("set", "run", "FLAGS", "Set specific features on objects"),
    "version": Command(
        "about", "run_version", "VERSION_FLAGS", "Print the client and server version information"
    ),
    "wait": Command("wait", "run", "FLAGS", "Wait for a condition on one or many resources"),
}


def main(arguments: Sequence[str]) -> int:
    """Run one command line; answers the exit code."""
    try:
        return _run(list(arguments))
    except Failure as failure:
        sys.stdout.flush()
        sys.stderr.write(f"{failure.text}\n")
        return failure.code
    except BrokenPipeError:
        return 141
    except KeyboardInterrupt:
        return 130
    finally:
        sys.stdout.flush()


def _run(words: list[str]) -> int:
    before, name, after = _split(words)
    if not name or name in ("help", "--help", "-h"):
        print(_help())
        return 0
    command = COMMANDS.get(name)
    if command is None:
        raise Failure(f'error: unknown command "{name}" for "kubectl"')
    module = importlib.import_module(f"mamekube.kubectl.commands.{command.module}")
    flags = (*getattr(module, command.flags), *GLOBAL_FLAGS)
    arguments = parse(after, flags)
    arguments.flags = {**before.flags, **arguments.flags}
    if arguments["help"]:
        print(_command_help(name, command, flags))
        return 0
    code: int = getattr(module, command.function)(Session(arguments))
    return code


def _split(words: list[str]) -> tuple[Arguments, str, list[str]]:
    """Global flags before the command, the command's name, and the rest."""
    arguments = parse(words, GLOBAL_FLAGS, interspersed=False)
    if not arguments.words:
        return arguments, "help" if arguments["help"] or not words else "", []
    name, *rest = arguments.words
    if arguments.after_dashes is not None:
        rest += ["--", *arguments.after_dashes]
    return arguments, name, rest


def _help() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name.ljust(width)}  {command.summary}" for name, command in COMMANDS.items()]
    return (
        "kubectl controls the Kubernetes cluster manager.\n\nCommands:\n"
        + "\n".join(lines)
        + '\n\nUse "kubectl <command> --help" for the flags of a command.'
    )


def _command_help(name: str, command: Command, flags: Sequence[Flag]) -> str:
    texts = []
    for flag in sorted({flag.name: flag for flag in flags}.values(), key=lambda flag: flag.name):
        short = f"-{flag.short}, " if flag.short else "    "
        texts.append(f"    {short}--{flag.name} ({flag.kind})")
    return f"{command.summary}.\n\nOptions:\n" + "\n".join(texts)

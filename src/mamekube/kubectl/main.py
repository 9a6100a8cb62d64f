"""`mamekube kubectl`: finds the command, reads its flags, runs it, and turns failures into exit codes."""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from mamekube.client.kubeconfig import KubeconfigError
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
    failure_code: int = 1
    """The least exit code of a failure, where 1 says something else."""


COMMANDS = {
    "annotate": Command("label", "run_annotate", "FLAGS", "Update the annotations on a resource"),
    "api-resources": Command(
        "about", "run_api_resources", "API_RESOURCES_FLAGS", "Print the supported API resources"
    ),
    "api-versions": Command("about", "run_api_versions", "VERSION_FLAGS", "Print the supported API versions"),
    "apply": Command("apply", "run", "FLAGS", "Apply a configuration to a resource by file name or stdin"),
    "attach": Command("exec", "run_attach", "FLAGS", "Attach to a running container"),
    "auth can-i": Command("cani", "run", "FLAGS", "Check whether an action is allowed"),
    "auth reconcile": Command(
        "reconcile",
        "run",
        "FLAGS",
        "Reconciles rules for RBAC role, role binding, cluster role, and cluster role binding objects",
    ),
    "auth whoami": Command("whoami", "run", "FLAGS", "Check self subject attributes"),
    "autoscale": Command(
        "autoscale",
        "run",
        "FLAGS",
        "Auto-scale a deployment, replica set, stateful set, or replication controller",
    ),
    "certificate approve": Command(
        "certificate", "run_approve", "FLAGS", "Approve a certificate signing request"
    ),
    "certificate deny": Command("certificate", "run_deny", "FLAGS", "Deny a certificate signing request"),
    "cluster-info": Command("about", "run_cluster_info", "VERSION_FLAGS", "Display cluster information"),
    "config current-context": Command(
        "config", "run_current_context", "FLAGS", "Display the current-context"
    ),
    "config delete-cluster": Command(
        "config", "run_delete_cluster", "FLAGS", "Delete the specified cluster from the kubeconfig"
    ),
    "config delete-context": Command(
        "config", "run_delete_context", "FLAGS", "Delete the specified context from the kubeconfig"
    ),
    "config delete-user": Command(
        "config", "run_delete_user", "FLAGS", "Delete the specified user from the kubeconfig"
    ),
    "config get-clusters": Command(
        "config", "run_get_clusters", "FLAGS", "Display clusters defined in the kubeconfig"
    ),
    "config get-contexts": Command(
        "config", "run_get_contexts", "CONTEXTS_FLAGS", "Describe one or many contexts"
    ),
    "config get-users": Command(
        "config", "run_get_users", "FLAGS", "Display users defined in the kubeconfig"
    ),
    "config rename-context": Command(
        "config", "run_rename_context", "FLAGS", "Rename a context from the kubeconfig file"
    ),
    "config set": Command("config", "run_set", "FLAGS", "Set an individual value in a kubeconfig file"),
    "config set-cluster": Command(
        "config", "run_set_cluster", "SET_CLUSTER_FLAGS", "Set a cluster entry in kubeconfig"
    ),
    "config set-context": Command(
        "config", "run_set_context", "SET_CONTEXT_FLAGS", "Set a context entry in kubeconfig"
    ),
    "config set-credentials": Command(
        "config", "run_set_credentials", "SET_CREDENTIALS_FLAGS", "Set a user entry in kubeconfig"
    ),
    "config unset": Command("config", "run_unset", "FLAGS", "Unset an individual value in a kubeconfig file"),
    "config use": Command(
        "config", "run_use_context", "FLAGS", "Set the current-context in a kubeconfig file"
    ),
    "config use-context": Command(
        "config", "run_use_context", "FLAGS", "Set the current-context in a kubeconfig file"
    ),
    "config view": Command(
        "config",
        "run_view",
        "VIEW_FLAGS",
        "Display merged kubeconfig settings or a specified kubeconfig file",
    ),
    "cordon": Command("cordon", "run_cordon", "FLAGS", "Mark node as unschedulable"),
    "cp": Command("cp", "run", "FLAGS", "Copy files and directories to and from containers"),
    "create": Command("create", "run", "FLAGS", "Create a resource from a file or from stdin"),
    "delete": Command(
        "delete", "run", "FLAGS", "Delete resources by file names, stdin, resources and names, or selector"
    ),
    "describe": Command(
        "describe", "run", "FLAGS", "Show details of a specific resource or group of resources"
    ),
    "diff": Command(
        "diff", "run", "FLAGS", "Diff the live version against a would-be applied version", failure_code=2
    ),
    "drain": Command("drain", "run", "FLAGS", "Drain node in preparation for maintenance"),
    "edit": Command("edit", "run", "FLAGS", "Edit a resource on the server"),
    "events": Command("events", "run", "FLAGS", "List events"),
    "exec": Command("exec", "run_exec", "FLAGS", "Execute a command in a container"),
    "explain": Command("explain", "run", "FLAGS", "Get documentation for a resource"),
    "expose": Command("expose", "run", "FLAGS", "Expose pods as a new Kubernetes service"),
    "get": Command("get", "run", "FLAGS", "Display one or many resources"),
    "label": Command("label", "run_label", "FLAGS", "Update the labels on a resource"),
    "logs": Command("logs", "run", "FLAGS", "Print the logs for a container in a pod"),
    "patch": Command("patch", "run", "FLAGS", "Update fields of a resource"),
    "port-forward": Command(
        "exec", "run_port_forward", "PORT_FORWARD_FLAGS", "Forward one or more local ports to a pod"
    ),
    "proxy": Command("proxy", "run", "FLAGS", "Run a proxy to the Kubernetes API server"),
    "replace": Command("replace", "run", "FLAGS", "Replace a resource by file name or stdin"),
    "rollout": Command("rollout", "run", "FLAGS", "Manage the rollout of a resource"),
    "run": Command("run", "run", "FLAGS", "Run a particular image on the cluster"),
    "scale": Command("scale", "run", "FLAGS", "Set a new size for a deployment or replica set"),
    "set": Command("set", "run", "FLAGS", "Set specific features on objects"),
    "taint": Command("taint", "run", "FLAGS", "Update the taints on one or more nodes"),
    "top node": Command("top", "run_nodes", "NODE_FLAGS", "Display resource (CPU/memory) usage of nodes"),
    "top nodes": Command("top", "run_nodes", "NODE_FLAGS", "Display resource (CPU/memory) usage of nodes"),
    "top pod": Command("top", "run_pods", "POD_FLAGS", "Display resource (CPU/memory) usage of pods"),
    "top pods": Command("top", "run_pods", "POD_FLAGS", "Display resource (CPU/memory) usage of pods"),
    "uncordon": Command("cordon", "run_uncordon", "FLAGS", "Mark node as schedulable"),
    "version": Command(
        "about", "run_version", "VERSION_FLAGS", "Print the client and server version information"
    ),
    "wait": Command("wait", "run", "FLAGS", "Wait for a condition on one or many resources"),
}
GROUPS = {
    "auth": "Inspect authorization",
    "certificate": "Modify certificate resources",
    "config": "Modify kubeconfig files",
    "top": "Display resource (CPU/memory) usage",
}
"""The first words of commands of two."""


def main(arguments: Sequence[str]) -> int:
    """Run one command line; answers the exit code."""
    try:
        code = _run(list(arguments))
        sys.stdout.flush()
        return code
    except Failure as failure:
        sys.stdout.flush()
        sys.stderr.write(f"{failure.text}\n")
        return failure.code
    except BrokenPipeError:
        return _unheard()
    except KeyboardInterrupt:
        return 130
    except KubeconfigError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    except OSError as error:
        what = f"{error.filename}: " if error.filename else ""
        sys.stderr.write(f"error: {what}{(error.strerror or str(error)).lower()}\n")
        return 1


def _unheard() -> int:
    """Nobody reads what is printed: what is left of it goes nowhere, so that the end of the process is quiet."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 128 + signal.SIGPIPE


def _run(words: list[str]) -> int:
    before, name, after = _split(words)
    if not name or name in ("help", "--help", "-h"):
        print(_help())
        return 0
    if name in GROUPS:
        between, inner, rest = _split(after, group=name)
        if inner and f"{name} {inner}" in COMMANDS:
            before.flags |= between.flags
            name, after = f"{name} {inner}", rest
        elif name not in COMMANDS:
            if inner and inner != "help":
                raise Failure(
                    f"error: unknown command \"{inner}\"\nSee 'kubectl {name} -h' for help and examples"
                )
            print(_group_help(name))
            return 0
    command = COMMANDS.get(name)
    if command is None:
        raise Failure(f'error: unknown command "{name}" for "kubectl"')
    try:
        return _call(name, command, before, after)
    except Failure as failure:
        failure.code = max(failure.code, command.failure_code)
        raise


def _call(name: str, command: Command, before: Arguments, after: list[str]) -> int:
    module = importlib.import_module(f"mamekube.kubectl.commands.{command.module}")
    flags = (*getattr(module, command.flags), *GLOBAL_FLAGS)
    arguments = parse(after, flags, command=name)
    arguments.flags = {**before.flags, **arguments.flags}
    if arguments["help"]:
        print(_command_help(name, command, flags))
        return 0
    with contextlib.closing(Session(arguments)) as session:
        code: int = getattr(module, command.function)(session)
    return code


def _split(words: list[str], *, group: str = "") -> tuple[Arguments, str, list[str]]:
    """Global flags before the command, the command's name, and the rest."""
    try:
        arguments = parse(words, GLOBAL_FLAGS, interspersed=False, command=group)
    except Failure:
        # Before its name only flags can stand that all commands have; a group that is a command has its own.
        if group in COMMANDS:
            return Arguments(), "", words
        raise
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


def _group_help(group: str) -> str:
    inner = {name.partition(" ")[2]: one for name, one in COMMANDS.items() if name.startswith(f"{group} ")}
    width = max(map(len, inner))
    lines = [f"  {name.ljust(width)}   {command.summary}" for name, command in inner.items()]
    return (
        f"{GROUPS[group]}.\n\nAvailable Commands:\n"
        + "\n".join(lines)
        + f'\n\nUse "kubectl {group} <command> --help" for more information about a given command.'
    )


def _command_help(name: str, command: Command, flags: Sequence[Flag]) -> str:
    texts = []
    for flag in sorted({flag.name: flag for flag in flags}.values(), key=lambda flag: flag.name):
        short = f"-{flag.short}, " if flag.short else "    "
        texts.append(f"    {short}--{flag.name} ({flag.kind})")
    return f"{command.summary}.\n\nOptions:\n" + "\n".join(texts)

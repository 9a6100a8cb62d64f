"""The `mamekube` command: its arguments, and which function answers each.

Only the arguments are here. Everything that takes long to import is imported where it is used, so that every
command begins at once.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import NoReturn

from mamekube.cluster import commands, output
from mamekube.cluster.failures import FAILURE, HOST_ERROR, INTERRUPTED, NEEDS_ROOT, USAGE, Failure
from mamekube.cluster.profiles import DEFAULT_NAME, KUBERNETES_VERSION

DESCRIPTION = "A complete Kubernetes in Python: clusters of real containers on this machine."


class Parser(argparse.ArgumentParser):
    """A parser whose refusals are one line, and end with minikube's code for a usage error."""

    def error(self, message: str) -> NoReturn:
        raise Failure(USAGE, message[:1].upper() + message[1:], advice=f'See "{self.prog} --help"')


def main() -> None:
    """The entry point: ends the process with the command's exit code."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command; answer its exit code."""
    try:
        return _dispatch(list(arguments))
    except Failure as failure:
        output.failure(str(failure))
        return failure.code
    except KeyboardInterrupt:
        output.failure("Interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        return FAILURE
    except PermissionError as error:
        output.failure(f'{error.filename or "This"} is not permitted. Use "sudo"')
        return NEEDS_ROOT
    except OSError as error:
        output.failure(f"{error.filename or 'The system'}: {error.strerror or error}")
        return HOST_ERROR


def _dispatch(arguments: list[str]) -> int:
    kubectl = _kubectl_arguments(arguments)
    if kubectl is not None:
        profile, rest = kubectl
        return commands.kubectl(profile, rest)
    rest = []
    if "--" in arguments:
        at = arguments.index("--")
        arguments, rest = arguments[:at], arguments[at + 1 :]
    parser = build_parser()
    parsed = parser.parse_args(arguments)
    if rest and parsed.run is not commands.ssh:
        parser.error(f"unexpected arguments: {' '.join(rest)}")
    if not parsed.run:
        parser.print_help()
        return 0
    parsed.rest = rest + getattr(parsed, "words", [])
    result: int = parsed.run(parsed)
    return result


def _kubectl_arguments(arguments: list[str]) -> tuple[str, list[str]] | None:
    """Profile and kubectl's own arguments, where the command is `kubectl`: all that follows it is kubectl's."""
    profile, at = DEFAULT_NAME, 0
    while at < len(arguments) and arguments[at].startswith("-"):
        if arguments[at] in ("-p", "--profile") and at + 1 < len(arguments):
            profile = arguments[at + 1]
            at += 2
        elif arguments[at].startswith("--profile="):
            profile = arguments[at].partition("=")[2]
            at += 1
        elif arguments[at] in ("-v", "--verbose"):
            at += 1
        else:
            return None
    if arguments[at : at + 1] != ["kubectl"]:
        return None
    rest = arguments[at + 1 :]
    return profile, rest[1:] if rest[:1] == ["--"] else rest


def build_parser() -> Parser:
    parser = Parser(prog="mamekube", description=DESCRIPTION)
    parser.add_argument(
        "-p", "--profile", default=DEFAULT_NAME, help="the cluster's name (default: %(default)s)"
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="say when each step was reached")
    parser.set_defaults(run=None)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("-p", "--profile", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    common.add_argument(
        "-v", "--verbose", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS
    )
    subparsers = parser.add_subparsers(metavar="COMMAND", parser_class=Parser)

    def add(name: str, answer: object, summary: str, *, under: object = subparsers) -> Parser:
        made: Parser = under.add_parser(name, help=summary, description=summary, parents=[common])  # type: ignore[attr-defined]
        made.set_defaults(run=answer)
        return made

    _add_life_commands(add)
    _add_access_commands(add)
    _add_groups(add)
    return parser


def _add_life_commands(add) -> None:  # type: ignore[no-untyped-def]
    start = add("start", commands.start, "Start a cluster, or bring a stopped one back")
    start.add_argument("-n", "--nodes", type=_positive, default=0, help="how many nodes (default: 1)")
    start.add_argument(
        "--registry-mirror",
        action="append",
        default=[],
        metavar="REGISTRY=URL",
        help="pull the images of a registry from here instead: docker.io=http://HOST:PORT (repeatable)",
    )
    start.add_argument(
        "--extra-config",
        action="append",
        default=[],
        metavar="apiserver.FLAG=VALUE",
        help="a flag of the API server: apiserver.audit-policy-file=FILE (repeatable)",
    )
    start.add_argument("--kubernetes-version", default=KUBERNETES_VERSION, help="default: %(default)s")
    start.add_argument("--wait-timeout", type=_duration, default=360.0, help="default: 6m0s")
    start.add_argument("--keep-context", action="store_true", help="leave kubectl's current context as it is")
    add("stop", commands.stop, "Stop a cluster; its objects and files stay")
    delete = add("delete", commands.delete, "Delete a cluster and everything of it")
    delete.add_argument("--all", action="store_true", help="delete every profile")
    status = add("status", commands.status, "Show what runs; the exit code has a bit for each that does not")
    _add_output(status, "text", "json")


def _add_access_commands(add) -> None:  # type: ignore[no-untyped-def]
    address = add("ip", commands.ip, "Print the address of a node")
    address.add_argument("-n", "--node", default="", help="default: the control plane")
    ssh = add("ssh", commands.ssh, "Enter a node, or run a command in it: mamekube ssh -- ps aux")
    ssh.add_argument("-n", "--node", default="", help="default: the control plane")
    ssh.add_argument("words", nargs="*", metavar="COMMAND")
    add("kubectl", commands.ssh, "Run kubectl on the cluster: mamekube kubectl -- get pods")
    service = add("service", commands.service, "Print the URL of a service with a node port")
    service.add_argument("name")
    service.add_argument("-n", "--namespace", default="default")
    service.add_argument("--url", action="store_true", help="print the URL alone")
    logs = add("logs", commands.logs, "Print the logs of the cluster's processes")
    logs.add_argument(
        "-n", "--length", type=_positive, default=60, help="lines of each (default: %(default)s)"
    )
    logs.add_argument("-f", "--follow", action="store_true")
    version = add("version", commands.version, "Print the version")
    version.add_argument("--short", action="store_true")
    _add_output(version, "text", "json")


def _add_groups(add) -> None:  # type: ignore[no-untyped-def]
    image = _group(add, "image", "Manage the images of the nodes")
    load = add(
        "load", commands.image_load, "Load archives or images of a local store into every node", under=image
    )
    load.add_argument("images", nargs="+", metavar="FILE|NAME")
    listing = add("ls", commands.image_ls, "List images", under=image)
    _add_output(listing, "text", "short", "json", "table")
    removal = add("rm", commands.image_rm, "Remove images from every node", under=image)
    removal.add_argument("images", nargs="+", metavar="NAME")
    build = add("build", commands.image_build, "Build an image from a Dockerfile, and load it", under=image)
    build.add_argument("folder", metavar="DIR")
    build.add_argument("-t", "--tag", required=True)
    build.add_argument("-f", "--file", default="", help="the Dockerfile (default: DIR/Dockerfile)")
    build.add_argument("--build-arg", action="append", default=[], metavar="NAME=VALUE")
    profile = _group(add, "profile", "Manage profiles")
    _add_output(add("list", commands.profile_list, "List all profiles", under=profile), "table", "json")
    node = _group(add, "node", "Manage the nodes of a cluster")
    addition = add("add", commands.node_add, "Add a node", under=node)
    addition.add_argument("--fake", action="store_true", help="without containers: for tests and for scale")
    add("list", commands.node_list, "List nodes and their addresses", under=node)
    deletion = add("delete", commands.node_delete, "Delete a node", under=node)
    deletion.add_argument("name")


def _group(add, name: str, summary: str) -> object:  # type: ignore[no-untyped-def]
    parser = add(name, None, summary)
    return parser.add_subparsers(metavar="COMMAND", parser_class=Parser, required=True)


def _add_output(parser: Parser, *formats: str) -> None:
    parser.add_argument("-o", "--output", choices=formats, default=formats[0])


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return int(text)


def _duration(text: str) -> float:
    """Seconds of Go's notation for durations: `90s`, `6m0s`, `1h`."""
    import re

    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|h|m|s)", text)
    if "".join(number + unit for number, unit in parts) != text or not parts:
        raise argparse.ArgumentTypeError(f"{text!r} is not a duration such as 90s or 6m0s")
    return sum(float(number) * {"h": 3600, "m": 60, "s": 1, "ms": 0.001}[unit] for number, unit in parts)


if __name__ == "__main__":
    main()

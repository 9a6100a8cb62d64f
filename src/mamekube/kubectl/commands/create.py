"""kubectl create: from files, or a deployment, namespace, configmap, secret or service account by flags."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Sequence

from mamekube.kubectl.commands.apply import annotated
from mamekube.kubectl.commands.writing import WRITE_FLAGS, create, report
from mamekube.kubectl.failures import Failure, during
from mamekube.kubectl.flags import Flag
from mamekube.kubectl.session import Session
from mamekube.kubectl.targets import (
    FILE_FLAGS,
    Target,
    kind_name,
    manifest_targets,
    placed_manifest,
    target_of,
)
from mamekube.objects.meta import Object

MANAGER = "kubectl-create"
FLAGS = (
    *FILE_FLAGS,
    *WRITE_FLAGS,
    Flag("image", "list"),
    Flag("port", "int"),
    Flag("replicas", "int", short="r"),
    Flag("from-literal", "array"),
    Flag("from-file", "array"),
    Flag("from-env-file", "array"),
    Flag("type"),
    Flag("save-config", "bool"),
)


def run(session: Session) -> int:
    if session.flag("filename"):
        failed = False
        for target in manifest_targets(session, verb="create"):
            try:
                _create(session, target)
            except Failure as failure:
                session.warn(failure.text)
                failed = True
        return 1 if failed else 0
    if not session.words:
        raise Failure("error: must specify one of -f and -k")
    kind, *arguments = session.words
    maker = MAKERS.get(kind)
    if maker is None:
        raise Failure(
            f"error: unknown command \"{' '.join(session.words)}\"\nSee 'kubectl create -h' for help and examples"
        )
    _create(session, target_of(session, maker(session, arguments)))
    return 0


def _create(session: Session, target: Target) -> None:
    manifest = placed_manifest(target)
    if session.flag("save-config"):
        manifest = annotated(manifest)
    try:
        created = create(session, target, manifest, manager=MANAGER)
    except Failure as failure:
        if target.source:
            raise during(failure, f'error when creating "{target.source}"') from None
        if kind_name(target.found) == "namespace":
            raise
        text = failure.text.partition("): ")[2] or failure.text
        raise Failure(f"error: failed to create {manifest['kind'].lower()}: {text}") from None
    report(session, target, created, "created")


def _name(arguments: Sequence[str], command: str) -> str:
    if len(arguments) != 1:
        raise Failure(
            f"error: exactly one NAME is required, got {len(arguments)}\nSee 'kubectl create {command} -h' for help "
            "and examples"
        )
    return arguments[0]


def _deployment(session: Session, arguments: Sequence[str]) -> Object:
    images = session.flag("image", [])
    if not images:
        raise Failure('error: required flag(s) "image" not set')
    name = _name(arguments, "deployment")
    command = session.arguments.after_dashes
    containers = []
    for image in images:
        container: Object = {"name": container_name(image), "image": image, "resources": {}}
        if command:
            container["command"] = list(command)
        if session.flag("port"):
            container["ports"] = [{"containerPort": session.flag("port")}]
        containers.append(container)
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "replicas": session.flag("replicas", 1),
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": containers}},
        },
    }


def container_name(image: str) -> str:
    """The name that kubectl gives a container of this image: the image's own, without path, tag and digest."""
    return image.rpartition("/")[2].partition(":")[0].partition("@")[0]


def _namespace(session: Session, arguments: Sequence[str]) -> Object:
    name = _name(arguments, "namespace")
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def _service_account(session: Session, arguments: Sequence[str]) -> Object:
    name = _name(arguments, "serviceaccount")
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}}


def _config_map(session: Session, arguments: Sequence[str]) -> Object:
    name = _name(arguments, "configmap")
    data: dict[str, str] = {}
    binary: dict[str, str] = {}
    for key, value in _pairs(session):
        try:
            data[key] = value.decode()
        except UnicodeDecodeError:
            binary[key] = base64.b64encode(value).decode()
    obj: Object = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}
    return obj | ({"data": data} if data else {}) | ({"binaryData": binary} if binary else {})


def _secret(session: Session, arguments: Sequence[str]) -> Object:
    if not arguments or arguments[0] != "generic":
        raise Failure(
            "error: unknown kind of secret: only generic is supported\nSee 'kubectl create secret -h'"
        )
    name = _name(arguments[1:], "secret generic")
    data = {key: base64.b64encode(value).decode() for key, value in _pairs(session)}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name},
        "type": session.flag("type", "Opaque"),
        "data": data,
    }


def _pairs(session: Session) -> list[tuple[str, bytes]]:
    """Keys and values of --from-literal, --from-file and --from-env-file."""
    pairs = []
    for literal in session.flag("from-literal", []):
        key, equals, value = literal.partition("=")
        if not equals or not key:
            raise Failure(f"error: invalid literal source {literal}, expected key=value")
        pairs.append((key, value.encode()))
    for source in session.flag("from-file", []):
        key, equals, path = source.partition("=")
        pairs += [(key, _read(path))] if equals else _files(source)
    for path in session.flag("from-env-file", []):
        for line in _lines(path):
            if line.strip() and not line.lstrip().startswith("#"):
                key, _, value = line.partition("=")
                pairs.append((key.strip(), value.encode()))
    keys = [key for key, _ in pairs]
    twice = next((key for key in keys if keys.count(key) > 1), None)
    if twice is not None:
        raise Failure(f'error: cannot add key "{twice}", another key by that name already exists in Data')
    return pairs


def _lines(path: str) -> list[str]:
    """The lines of a file of variables, which must be text."""
    lines = []
    for number, line in enumerate(_read(path).splitlines(), 1):
        try:
            lines.append(line.decode())
        except UnicodeDecodeError:
            shown = " ".join(map(str, line))
            raise Failure(
                f"error: env file {path} contains invalid utf8 bytes at line {number}: [{shown}]"
            ) from None
    return lines


def _files(path: str) -> list[tuple[str, bytes]]:
    if not os.path.isdir(path):
        return [(os.path.basename(path), _read(path))]
    names = sorted(name for name in os.listdir(path) if os.path.isfile(os.path.join(path, name)))
    return [(name, _read(os.path.join(path, name))) for name in names]


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise Failure(f"error: error reading {path}: {error.strerror}") from None


MAKERS: dict[str, Callable[[Session, Sequence[str]], Object]] = {
    "deployment": _deployment,
    "deploy": _deployment,
    "namespace": _namespace,
    "ns": _namespace,
    "serviceaccount": _service_account,
    "sa": _service_account,
    "configmap": _config_map,
    "cm": _config_map,
    "secret": _secret,
}

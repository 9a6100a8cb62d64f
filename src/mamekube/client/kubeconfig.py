"""kubeconfig files: where the server is, and the credentials for it.

Read as clientcmd reads them: `$KUBECONFIG` may name several files, of which the first that says something wins;
`~/.kube/config` otherwise. Changes keep whatever else a file holds and replace it in one step, under the lock that
kubectl takes.
"""

from __future__ import annotations

import base64
import fcntl
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

DEFAULT_SERVER = "http://localhost:8080"
"""Where kubectl looks when nothing is configured."""

EMPTY: dict[str, Any] = {"apiVersion": "v1", "kind": "Config", "preferences": {}}

_FILE_FIELDS = ("certificate-authority", "client-certificate", "client-key", "tokenFile")


class KubeconfigError(ValueError):
    """A kubeconfig that says too little, or nothing that can be read."""


@dataclass(slots=True)
class ClientConfig:
    """How to reach one API server as one user. Certificates and keys are PEM."""

    server: str
    ca_data: bytes = b""
    client_certificate_data: bytes = b""
    client_key_data: bytes = b""
    token: str = ""
    insecure: bool = False
    namespace: str = ""
    tls_server_name: str = ""
    impersonated: tuple[tuple[str, str], ...] = ()
    """Headers by which kubectl asks as somebody else (`--as`); the programs' own client sends none."""


def load_kubeconfig(
    path: str | None = None, *, context: str = "", cluster: str = "", user: str = ""
) -> ClientConfig:
    """The configuration of `context`, or of the current one; with another cluster or user where those are named.

    Raises KubeconfigError, or OSError where `path` or a file it names cannot be read.
    """
    if path:
        files = [read_file(Path(path))]
    else:
        files = [read_file(file) for file in default_paths() if file.exists()]
    config = merge(files)
    name = context or config.get("current-context") or ""
    if not name and not config["clusters"]:
        return ClientConfig(server=DEFAULT_SERVER)
    if cluster or user:
        chosen = {"cluster": cluster, "user": user}
        config["contexts"][name] = {
            **config["contexts"].get(name, {}),
            **{field: value for field, value in chosen.items() if value},
        }
    return _client_config(config, name)


def default_paths() -> list[Path]:
    """The files of `$KUBECONFIG`, or `~/.kube/config`."""
    listed = os.environ.get("KUBECONFIG", "")
    paths = [Path(part) for part in listed.split(os.pathsep) if part]
    return paths or [Path.home() / ".kube" / "config"]


def merge(configs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One configuration of many: the first that has a name, or a current context, decides.

    `clusters`, `users` and `contexts` become maps by name.
    """
    merged: dict[str, Any] = {"clusters": {}, "users": {}, "contexts": {}}
    for config in configs:
        if not merged.get("current-context") and config.get("current-context"):
            merged["current-context"] = config["current-context"]
        for plural, singular in (("clusters", "cluster"), ("users", "user"), ("contexts", "context")):
            for entry in config.get(plural) or ():
                merged[plural].setdefault(entry["name"], entry.get(singular) or {})
    return merged


def add_context(
    name: str,
    *,
    cluster: Mapping[str, Any],
    user: Mapping[str, Any],
    namespace: str = "",
    make_current: bool = True,
    path: str | os.PathLike[str] | None = None,
) -> None:
    """Put a cluster, a user and a context, all called `name`, into a kubeconfig file, and make it if need be.

    Without `path` it is the file of `$KUBECONFIG` that has such a context, or the first one there is.
    """
    context = {"cluster": name, "user": name, **({"namespace": namespace} if namespace else {})}

    def change(config: dict[str, Any]) -> None:
        put_entry(config, "clusters", {"name": name, "cluster": dict(cluster)})
        put_entry(config, "users", {"name": name, "user": dict(user)})
        put_entry(config, "contexts", {"name": name, "context": context})
        if make_current or not config.get("current-context"):
            config["current-context"] = name

    change_file(Path(path) if path else file_with("contexts", name), change)


def remove_context(name: str, *, path: str | os.PathLike[str] | None = None) -> None:
    """Take the cluster, the user and the context called `name` out of every kubeconfig file that has them."""

    def change(config: dict[str, Any]) -> None:
        for plural in ("clusters", "users", "contexts"):
            if config.get(plural):
                config[plural] = [entry for entry in config[plural] if entry.get("name") != name]
        if config.get("current-context") == name:
            config["current-context"] = ""

    for file in [Path(path)] if path else default_paths():
        if file.exists() and _mentions(read_file(file), name):
            change_file(file, change)


def _client_config(config: Mapping[str, Any], name: str) -> ClientConfig:
    context = config["contexts"].get(name)
    if context is None:
        raise KubeconfigError(f'context "{name}" does not exist' if name else "no context is set")
    cluster = config["clusters"].get(context.get("cluster", ""))
    if cluster is None:
        raise KubeconfigError(f'cluster "{context.get("cluster", "")}" does not exist')
    user = config["users"].get(context.get("user", ""), {})
    for refused in ("exec", "auth-provider"):
        if user.get(refused):
            raise KubeconfigError(f'user "{context["user"]}": {refused} credentials are not supported')
    return ClientConfig(
        server=(cluster.get("server") or DEFAULT_SERVER).rstrip("/"),
        ca_data=_data(cluster, "certificate-authority"),
        client_certificate_data=_data(user, "client-certificate"),
        client_key_data=_data(user, "client-key"),
        token=_token(user),
        insecure=bool(cluster.get("insecure-skip-tls-verify")),
        namespace=context.get("namespace") or "",
        tls_server_name=cluster.get("tls-server-name") or "",
    )


def _data(entry: Mapping[str, Any], field: str) -> bytes:
    """What `field-data` holds, or else the file that `field` names."""
    inline = entry.get(f"{field}-data")
    if inline:
        try:
            return base64.b64decode("".join(str(inline).split()), validate=True)
        except ValueError:
            raise KubeconfigError(f"{field}-data is no base64") from None
    return Path(entry[field]).read_bytes() if entry.get(field) else b""


def _token(user: Mapping[str, Any]) -> str:
    if user.get("tokenFile"):
        return Path(user["tokenFile"]).read_text().strip()
    return user.get("token") or ""


def read_file(path: Path, *, absolute: bool = True) -> dict[str, Any]:
    """The content of one file, paths in it made absolute. Raises KubeconfigError and OSError."""
    config = _parse(path)
    if not absolute:
        return config
    for plural, singular in (("clusters", "cluster"), ("users", "user")):
        for entry in config.get(plural) or ():
            values = entry.get(singular) or {}
            for field in _FILE_FIELDS:
                if values.get(field):
                    values[field] = str(path.parent / values[field])
    return config


def _parse(path: Path) -> dict[str, Any]:
    text = path.read_bytes()
    try:
        config = orjson.loads(text)
    except ValueError:
        config = _parse_yaml(path, text)
    if config is None:
        return {}
    if problem := _shape_problem(config):
        raise KubeconfigError(f'error loading config file "{path}": {problem}')
    return dict(config)


def _shape_problem(config: Any) -> str:
    """What is no list, map or text where there must be one; empty where all is as it must be."""
    if not isinstance(config, dict):
        return "not an object"
    for plural, singular in (("clusters", "cluster"), ("users", "user"), ("contexts", "context")):
        entries = config.get(plural) or []
        if not isinstance(entries, list):
            return f"{plural} is no list"
        for index, entry in enumerate(entries):
            if not isinstance(entry, dict):
                return f"{plural}[{index}] is no map"
            if not isinstance(entry.setdefault("name", ""), str):
                return f"{plural}[{index}].name is no text"
            if not isinstance(entry.get(singular) or {}, dict):
                return f"{plural}[{index}].{singular} is no map"
    return ""


def _parse_yaml(path: Path, text: bytes) -> Any:
    import yaml  # 20 ms, which programs with a file of JSON do without

    try:
        return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError as error:
        raise KubeconfigError(f'error loading config file "{path}": {error}') from error


def file_with(plural: str, name: str) -> Path:
    """The file of `$KUBECONFIG` that has an entry of this name, or the first one there is."""
    paths = default_paths()
    existing = [path for path in paths if path.exists()]
    for path in existing:
        if any(entry.get("name") == name for entry in _parse(path).get(plural) or ()):
            return path
    return existing[0] if existing else paths[-1]


def _mentions(config: Mapping[str, Any], name: str) -> bool:
    entries = [entry for plural in ("clusters", "users", "contexts") for entry in config.get(plural) or ()]
    return config.get("current-context") == name or any(entry.get("name") == name for entry in entries)


def put_entry(config: dict[str, Any], plural: str, entry: dict[str, Any]) -> None:
    """Replace the entry of that name where it stands, or add it."""
    entries = list(config.get(plural) or ())
    places = [index for index, old in enumerate(entries) if old.get("name") == entry["name"]]
    if places:
        entries[places[0]] = entry
    else:
        entries.append(entry)
    config[plural] = entries


def change_file(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Let `change` have the content of a file, and replace the file by what it makes of it."""
    import yaml

    dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    path.parent.mkdir(parents=True, exist_ok=True)
    with _locked(path):
        config = _parse(path) if path.exists() else {}
        config = config or dict(EMPTY)
        change(config)
        _replace(Path(os.path.realpath(path)), yaml.dump(config, Dumper=dumper, sort_keys=True))


def _replace(path: Path, text: str) -> None:
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            before = path.stat()
            os.chmod(temporary, before.st_mode & 0o7777)
            os.chown(temporary, before.st_uid, before.st_gid)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold `PATH.lock`, as kubectl does, which gives up where it exists.

    Programs of this product wait for each other instead, by a lock on the folder that ends with its holder.
    """
    lock = Path(f"{path}.lock")
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        try:
            os.close(os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except FileExistsError:
            raise KubeconfigError(f"{lock} is held; remove it if no other program uses it") from None
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)
    finally:
        os.close(folder)

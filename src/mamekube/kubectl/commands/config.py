"""kubectl config: the clusters, users and contexts of kubeconfig files, shown and changed."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mamekube.client.kubeconfig import (
    change_file,
    default_paths,
    file_with,
    merge,
    put_entry,
    read_file,
)
from mamekube.kubectl import goyaml, tabs
from mamekube.kubectl.failures import Failure
from mamekube.kubectl.flags import Flag
from mamekube.kubectl.output import OUTPUT_FLAGS, chosen_format, printer
from mamekube.kubectl.session import Session

FLAGS: tuple[Flag, ...] = ()
VIEW_FLAGS = (
    *OUTPUT_FLAGS,
    *(Flag(name, "bool") for name in ("raw", "minify", "flatten", "merge", "show-managed-fields")),
)
CONTEXTS_FLAGS = (Flag("output", short="o"), Flag("no-headers", "bool"))
SET_CONTEXT_FLAGS = (Flag("current", "bool"),)
SET_CLUSTER_FLAGS = (
    *(Flag(name) for name in ("tls-server-name", "certificate-authority", "proxy-url")),
    Flag("embed-certs", "bool"),
)
SET_CREDENTIALS_FLAGS = (
    *(Flag(name) for name in ("client-certificate", "client-key", "username", "password")),
    Flag("embed-certs", "bool"),
)
SINGULAR = {"clusters": "cluster", "contexts": "context", "users": "user"}
ALWAYS = {"clusters": ("server",), "contexts": ("cluster", "user"), "users": ()}
"""Fields that are shown even where they are empty."""
OMITTED, REDACTED = "DATA+OMITTED", "REDACTED"
HIDDEN = {
    "certificate-authority-data": OMITTED,
    "client-certificate-data": OMITTED,
    "client-key-data": OMITTED,
    "token": REDACTED,
    "password": REDACTED,
}
BYTES = ("certificate-authority", "client-certificate", "client-key")
"""Fields that name a file, which `-data` fields hold."""
FILES = {"clusters": ("certificate-authority",), "users": ("client-certificate", "client-key")}
FIELDS = (
    *("server", "tls-server-name", "insecure-skip-tls-verify"),
    *("certificate-authority", "certificate-authority-data", "proxy-url", "disable-compression"),
    *("cluster", "user", "namespace"),
    *("client-certificate", "client-certificate-data", "client-key", "client-key-data"),
    *("token", "tokenFile", "username", "password"),
)
"""The fields of clusters, contexts and users, in the order in which JSON shows them."""
Config = dict[str, Any]


def _paths(session: Session) -> list[Path]:
    return [Path(session.flag("kubeconfig"))] if session.flag("kubeconfig") else default_paths()


def _merged(session: Session, *, absolute: bool = False) -> Config:
    """All files as one; clusters, contexts and users are maps by name, paths as they stand or absolute."""
    try:
        return merge([read_file(path, absolute=absolute) for path in _paths(session) if path.exists()])
    except (OSError, ValueError) as error:
        raise Failure(f"error: {error}") from None


def _file(session: Session, plural: str, name: str) -> Path:
    """The file in which an entry is changed."""
    return _paths(session)[0] if session.flag("kubeconfig") else file_with(plural, name)


def _current(session: Session) -> str:
    return str(session.flag("context") or _merged(session).get("current-context") or "")


# What there is ----------------------------------------------------------------------------------------


def run_view(session: Session) -> int:
    if session.words:
        raise Failure(
            f"error: unexpected arguments: [{' '.join(session.words)}]\n"
            "See 'kubectl config view -h' for help and examples"
        )
    config = _merged(session, absolute=bool(session.flag("flatten")))
    name = session.flag("context") or config.get("current-context") or ""
    if session.flag("minify"):
        config = _minified(config, name)
    hides = not session.flag("raw")
    if session.flag("flatten"):
        config = {**config, **{plural: _each(config[plural], _flat) for plural in SINGULAR}}
    if hides and not session.flag("flatten"):
        config = {**config, **{plural: _each(config[plural], _redacted) for plural in SINGULAR}}
    whole: Config = {
        "kind": "Config",
        "apiVersion": "v1",
        "preferences": {},
        "clusters": _listed(config, "clusters"),
        "users": _listed(config, "users"),
        "contexts": _listed(config, "contexts"),
        "current-context": config.get("current-context") or "",
    }
    output = chosen_format(session) or "yaml"
    if output == "json":
        session.print(json.dumps(whole, indent=4, ensure_ascii=False))
    elif output == "yaml":
        session.out.write(goyaml.dump(whole))
    else:
        session.out.write(printer(session, output)(whole))
    return 0


def _listed(config: Config, plural: str) -> list[Any] | None:
    """The entries as files have them; nothing at all where there are none."""
    always = dict.fromkeys(ALWAYS[plural], "")
    listed = []
    for name, entry in sorted(config[plural].items()):
        shown = sorted(
            (always | entry).items(),
            key=lambda item: FIELDS.index(item[0]) if item[0] in FIELDS else len(FIELDS),
        )
        listed.append({"name": name, SINGULAR[plural]: dict(shown)})
    return listed or None


def _each(entries: Mapping[str, Any], change: Callable[[Config], Config]) -> Config:
    return {name: change(dict(entry)) for name, entry in entries.items()}


def _redacted(entry: Config) -> Config:
    return {field: HIDDEN.get(field, value) for field, value in entry.items()}


def _flat(entry: Config) -> Config:
    """The entry with the content of the files that it names."""
    for field in BYTES:
        if entry.get(field):
            content = Path(entry.pop(field)).read_bytes()
            entry[f"{field}-data"] = base64.b64encode(content).decode()
    return entry


def _minified(config: Config, name: str) -> Config:
    """What the context in use needs."""
    if not name:
        raise Failure("error: current-context must exist in order to minify")
    if name not in config["contexts"]:
        raise Failure(f"error: cannot locate context {name}")
    context = config["contexts"][name]
    minified = {"current-context": name, "contexts": {name: context}}
    for plural in ("clusters", "users"):
        used = context.get(SINGULAR[plural])
        if used and used not in config[plural]:
            raise Failure(f"error: cannot locate {SINGULAR[plural]} {used}")
        minified[plural] = {used: config[plural][used]} if used else {}
    return minified


def run_get_contexts(session: Session) -> int:
    output = session.flag("output", "")
    if output not in ("", "name"):
        raise Failure(
            f"error: --output {output} is not available in kubectl config get-contexts; resetting to default "
            "output format"
        )
    config = _merged(session)
    names = session.words or sorted(config["contexts"])
    known = [name for name in names if name in config["contexts"]]
    if output == "name":
        for name in known:
            session.print(name)
    else:
        rows = [] if session.flag("no-headers") else [["CURRENT", "NAME", "CLUSTER", "AUTHINFO", "NAMESPACE"]]
        for name in known:
            context = config["contexts"][name]
            mark = "*" if name == config.get("current-context") else ""
            rows.append(
                [mark, name, *(context.get(field) or "" for field in ("cluster", "user", "namespace"))]
            )
        session.out.write(tabs.table(rows) if rows else "")
    unknown = [f"context {name} not found" for name in names if name not in config["contexts"]]
    if unknown:
        raise Failure(f"error: {unknown[0]}" if len(unknown) == 1 else "\n".join(unknown))
    return 0


def run_get_clusters(session: Session) -> int:
    return _names(session, "clusters")


def run_get_users(session: Session) -> int:
    return _names(session, "users")


def _names(session: Session, plural: str) -> int:
    entries = _merged(session)[plural]
    for line in ("NAME", *sorted(entries)):
        session.print(line)
    return 0


def run_current_context(session: Session) -> int:
    name = _merged(session).get("current-context")
    if not name:
        raise Failure("error: current-context is not set")
    session.print(name)
    return 0


# Changes ----------------------------------------------------------------------------------------------


def run_use_context(session: Session) -> int:
    name = _one_name(session)
    if not name:
        raise Failure("error: empty context names are not allowed")
    if name not in _merged(session)["contexts"]:
        raise Failure(f'error: no context exists with the name: "{name}"')
    _set_current(session, name)
    session.print(f'Switched to context "{name}".')
    return 0


def _one_name(session: Session) -> str:
    if len(session.words) != 1:
        raise Failure(f"error: Unexpected args: [{' '.join(session.words)}]")
    return session.words[0]


def _set_current(session: Session, name: str) -> None:
    def change(config: Config) -> None:
        config["current-context"] = name

    holding = [path for path in _paths(session) if path.exists() and read_file(path).get("current-context")]
    change_file(holding[0] if holding else _file(session, "contexts", name), change)


def run_set_context(session: Session) -> int:
    name = session.words[0] if session.words else ""
    if len(session.words) > 1:
        raise Failure(f"error: Unexpected args: [{' '.join(session.words)}]")
    if session.flag("current"):
        if name:
            raise Failure("error: you cannot specify both a context name and --current")
        name = _merged(session).get("current-context") or ""
        if not name:
            raise Failure("error: no current context is set")
    elif not name:
        raise Failure("error: you must specify a non-empty context name or --current")
    fields = {"cluster": "", "user": ""}
    known = _merged(session)["contexts"].get(name)
    given = {
        field: session.flag(field)
        for field in ("cluster", "user", "namespace")
        if session.flag(field) is not None
    }
    _put(session, "contexts", name, {**fields, **(known or {}), **given})
    session.print(f'Context "{name}" {"modified" if known is not None else "created"}.')
    return 0


def run_set_cluster(session: Session) -> int:
    name = _one_name(session)
    given = {
        field: session.flag(field)
        for field in ("server", "tls-server-name", "proxy-url")
        if session.flag(field)
    }
    if session.arguments.given("insecure-skip-tls-verify"):
        given["insecure-skip-tls-verify"] = session.flag("insecure-skip-tls-verify")
    known = dict(_merged(session)["clusters"].get(name) or {})
    _put(session, "clusters", name, _with_files(session, "clusters", name, {**known, **given}))
    session.print(f'Cluster "{name}" set.')
    return 0


def run_set_credentials(session: Session) -> int:
    name = _one_name(session)
    given = {field: session.flag(field) for field in ("token", "username", "password") if session.flag(field)}
    known = dict(_merged(session)["users"].get(name) or {})
    entry = _with_files(session, "users", name, {**known, **given})
    _put(session, "users", name, entry)
    session.print(f'User "{name}" set.')
    return 0


def _with_files(session: Session, plural: str, name: str, entry: Config) -> Config:
    """The entry with the files that flags name, or with what they hold."""
    folder = _file(session, plural, name).absolute().parent
    for field in FILES[plural]:
        if not session.flag(field):
            continue
        path = Path(session.flag(field)).absolute()
        entry.pop(f"{field}-data", None)
        entry.pop(field, None)
        if session.flag("embed-certs") and not path.exists():
            raise Failure(
                f"error: could not stat {field} file {session.flag(field)}: stat {path}: no such file or directory"
            )
        if session.flag("embed-certs"):
            entry[f"{field}-data"] = base64.b64encode(path.read_bytes()).decode()
        else:
            # Files beside the kubeconfig move with it.
            entry[field] = str(path.relative_to(folder) if path.is_relative_to(folder) else path)
    return entry


def _put(session: Session, plural: str, name: str, entry: Config) -> None:
    kept = {field: value for field, value in entry.items() if value or field in ("cluster", "user")}

    def change(config: Config) -> None:
        put_entry(config, plural, {"name": name, SINGULAR[plural]: kept})

    change_file(_file(session, plural, name), change)


def run_rename_context(session: Session) -> int:
    if len(session.words) != 2:
        raise Failure(f"error: Unexpected args: [{' '.join(session.words)}]")
    before, after = session.words
    contexts = _merged(session)["contexts"]
    path = _file(session, "contexts", before)
    if before not in contexts:
        raise Failure(f'error: cannot rename the context "{before}", it\'s not in {path}')
    if after in contexts:
        raise Failure(
            f'error: cannot rename the context "{before}", the context "{after}" already exists in {path}'
        )

    def change(config: Config) -> None:
        for entry in config.get("contexts") or ():
            if entry["name"] == before:
                entry["name"] = after
        if config.get("current-context") == before:
            config["current-context"] = after

    change_file(path, change)
    session.print(f'Context "{before}" renamed to "{after}".')
    return 0


def run_delete_context(session: Session) -> int:
    return _delete(session, "contexts")


def run_delete_cluster(session: Session) -> int:
    return _delete(session, "clusters")


def run_delete_user(session: Session) -> int:
    return _delete(session, "users")


def _delete(session: Session, plural: str) -> int:
    name, config = _one_name(session), _merged(session)
    path = _file(session, plural, name)
    if name not in config[plural]:
        raise Failure(f"error: cannot delete {SINGULAR[plural]} {name}, not in {path}")
    if plural == "contexts" and config.get("current-context") == name:
        session.warn(
            'warning: this removed your active context, use "kubectl config use-context" to select a different one'
        )
    _remove(session, plural, name)
    session.print(f"deleted {SINGULAR[plural]} {name} from {path}")
    return 0


def _remove(session: Session, plural: str, name: str) -> None:
    def change(config: Config) -> None:
        config[plural] = [entry for entry in config.get(plural) or () if entry.get("name") != name]

    change_file(_file(session, plural, name), change)


# Single properties ------------------------------------------------------------------------------------


def run_set(session: Session) -> int:
    if len(session.words) != 2:
        raise Failure(f"error: Unexpected args: [{' '.join(session.words)}]")
    path, value = session.words
    if path == "current-context":
        _set_current(session, value)
    else:
        plural, name, field = _property(path)
        if not field:
            raise Failure(f"error: unable to parse {path}: it names no field that can be set")
        known = dict(_merged(session)[plural].get(name) or {})
        boolean = (
            {"true": True, "false": False}
            if field in ("insecure-skip-tls-verify", "disable-compression")
            else {}
        )
        _put(session, plural, name, {**known, field: boolean.get(value, value)})
    session.print(f'Property "{path}" set.')
    return 0


def run_unset(session: Session) -> int:
    path = _one_name(session)
    if path == "current-context":
        _set_current(session, "")
    else:
        plural, name, field = _property(path)
        if not field:
            _remove(session, plural, name)
        elif name in (entries := _merged(session)[plural]):
            kept = {key: value for key, value in entries[name].items() if key != field}
            _put(session, plural, name, kept)
    session.print(f'Property "{path}" unset.')
    return 0


def _property(path: str) -> tuple[str, str, str]:
    """`contexts.NAME.namespace`, where a name may have dots: the list, the entry and its field, if one is named."""
    plural, _, rest = path.partition(".")
    if plural not in SINGULAR or not rest:
        raise Failure(f"error: unable to locate path {path}")
    name, _, field = rest.rpartition(".")
    return (plural, name, field) if name and field in FIELDS else (plural, rest, "")

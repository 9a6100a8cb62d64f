"""What every command of one run shares: its flags, the server, the namespace, and where it prints."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any, TextIO

from mamekube.client.kubeconfig import ClientConfig, load_kubeconfig
from mamekube.kubectl.discovery import Discovery
from mamekube.kubectl.failures import Failure
from mamekube.kubectl.flags import Arguments, Flag
from mamekube.kubectl.transport import Api
from mamekube.objects import durations

GLOBAL_FLAGS = (
    Flag("namespace", short="n"),
    Flag("kubeconfig"),
    Flag("context"),
    Flag("cluster"),
    Flag("user"),
    Flag("as"),
    Flag("as-group", "array"),
    Flag("as-uid"),
    Flag("cache-dir"),
    Flag("server", short="s"),
    Flag("token"),
    Flag("insecure-skip-tls-verify", "bool"),
    Flag("request-timeout", default="0"),
    Flag("v", "int", short="v"),
    Flag("help", "bool", short="h"),
)


class Session:
    """One run of the command line."""

    def __init__(self, arguments: Arguments, *, out: TextIO | None = None, err: TextIO | None = None) -> None:
        self.arguments = arguments
        self.out = out or sys.stdout
        self.err = err or sys.stderr

    @property
    def words(self) -> list[str]:
        return self.arguments.words

    def flag(self, name: str, default: Any = None) -> Any:
        return self.arguments.get(name, default)

    def print(self, text: str = "") -> None:
        self.out.write(f"{text}\n")

    def warn(self, text: str) -> None:
        self.err.write(f"{text}\n")

    @cached_property
    def config(self) -> ClientConfig:
        try:
            config = load_kubeconfig(
                self.flag("kubeconfig"),
                context=self.flag("context", ""),
                cluster=self.flag("cluster", ""),
                user=self.flag("user", ""),
            )
        except FileNotFoundError as error:
            raise Failure(f"error: stat {error.filename}: no such file or directory") from None
        except ValueError as error:
            raise Failure(f"error: {error}") from None
        server = self.flag("server") or config.server
        config.server = server if "://" in server else f"http://{server}"
        if self.arguments.given("token"):
            config.token = self.flag("token")
        if self.flag("insecure-skip-tls-verify"):
            config.insecure = True
        if self.arguments.given("as"):
            config.impersonated = self._impersonated()
        elif self.flag("as-group") or self.flag("as-uid"):
            raise Failure("error: requesting uid, groups or user-extra without impersonating a user")
        return config

    def _impersonated(self) -> tuple[tuple[str, str], ...]:
        """The headers of requests that are another's."""
        uid = self.flag("as-uid")
        return (
            ("Impersonate-User", self.flag("as")),
            *((("Impersonate-Uid", uid),) if uid else ()),
            *(("Impersonate-Group", group) for group in self.flag("as-group", ())),
        )

    @cached_property
    def api(self) -> Api:
        return Api(
            self.config,
            on_warning=lambda text: self.warn(f"Warning: {text}"),
            timeout_s=_timeout_s(self.flag("request-timeout", "0")),
        )

    def close(self) -> None:
        """End the connection, if there was one."""
        if "api" in self.__dict__:
            self.api.close()

    @cached_property
    def discovery(self) -> Discovery:
        return Discovery(self.api)

    @property
    def namespace(self) -> str:
        """The namespace that commands without -A work in."""
        return self.flag("namespace") or self.config.namespace or "default"

    def read_input(self, path: str) -> str:
        """The text of a file, or of standard input for `-`."""
        try:
            if path == "-":
                return sys.stdin.read()
            with open(path, encoding="utf-8") as file:
                return file.read()
        except FileNotFoundError:
            raise Failure(f'error: the path "{path}" does not exist') from None
        except UnicodeDecodeError as error:
            raise Failure(f"error: {path} is no text in UTF-8: {error}") from None


def _timeout_s(text: str) -> float:
    """Of one request; 0 for none. Raises Failure."""
    try:
        return float(text) if text.isdecimal() else durations.parse_s(text)
    except ValueError:
        raise Failure(
            "error: Invalid timeout value. Timeout must be a single integer in seconds, or an integer followed by a "
            "corresponding time unit (e.g. 1s | 2m | 3h)"
        ) from None


def manifest_paths(names: Sequence[str], *, recursive: bool) -> Iterable[str]:
    """The files that -f names: a folder stands for its manifests."""
    for name in names:
        if not os.path.isdir(name):
            yield name
            continue
        for folder, folders, files in os.walk(name):
            folders.sort()
            yield from (
                os.path.join(folder, file)
                for file in sorted(files)
                if file.endswith((".json", ".yaml", ".yml"))
            )
            if not recursive:
                break

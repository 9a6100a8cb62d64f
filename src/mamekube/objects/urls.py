"""URLs as Go's net/url takes them apart, with its words for what is wrong with them: users see these in refusals."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_PORT = re.compile(r"(?::[0-9]*)?")
_HEX = re.compile(r"%[0-9A-Fa-f]{2}")
_USER = re.compile(r"[A-Za-z0-9\-._:~!$&'()*+,;=%@]*")
_PATH = re.compile(r"[A-Za-z0-9\-_.~!$&'()*+,;=:@/\[\]%]*")
_NOT_IN_HOST = re.compile(r"[^A-Za-z0-9\-_.~!$&'()*+,;=:\[\]<>\"%\x80-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Url:
    """The parts of a URL. `user` is None where there is no `@`, which is not the same as nobody's name."""

    scheme: str = ""
    user: str | None = None
    host: str = ""
    path: str = ""
    query: str = ""
    fragment: str = ""
    raw_path: str = ""
    """As it was written."""

    @property
    def escaped_path(self) -> str:
        """As it was written where that may stand in a URL."""
        return self.raw_path if _PATH.fullmatch(self.raw_path) else quote(self.path, safe="$&+,/:;=@")

    @property
    def hostname(self) -> str:
        if self.host.startswith("["):
            return self.host[1:].partition("]")[0]
        return self.host.partition(":")[0]

    @property
    def port(self) -> str:
        return self.host.rpartition("]")[2].partition(":")[2]


def parse(text: str) -> Url:
    """Raises ValueError in Go's words, without the `parse "…": ` that Go puts before them."""
    whole, _, fragment = text.partition("#")
    if _CONTROL.search(whole):
        raise ValueError("net/url: invalid control character in URL")
    scheme, rest = _split_scheme(whole)
    rest, _, query = rest.partition("?")
    if not rest.startswith("/"):
        if scheme:
            return Url(scheme=scheme, query=query, fragment=_unescaped(fragment))
        if ":" in rest.partition("/")[0]:
            raise ValueError("first path segment in URL cannot contain colon")
    user, host = None, ""
    if rest.startswith("//") and (scheme or not rest.startswith("///")):
        authority, slash, below = rest[2:].partition("/")
        user, host = _split_authority(authority)
        rest = slash + below
    path = _unescaped(rest)
    return Url(scheme, user, host, path, query, _unescaped(fragment), rest)


def parse_absolute(text: str) -> Url:
    """What may stand in the first line of a request: a URL with a scheme, or an absolute path. Raises as `parse`."""
    if not text:
        raise ValueError("empty url")
    found = parse(text)
    if not found.scheme and not text.startswith("/"):
        raise ValueError("invalid URI for request")
    return found


def _split_scheme(text: str) -> tuple[str, str]:
    if text.startswith(":"):
        raise ValueError("missing protocol scheme")
    found = _SCHEME.match(text)
    return (found[1].lower(), text[found.end() :]) if found else ("", text)


def _split_authority(authority: str) -> tuple[str | None, str]:
    user, at, host = authority.rpartition("@")
    if host.startswith("[") and "]" not in host:
        raise ValueError("missing ']' in host")
    port = host.rpartition("]")[2]
    port = port if host.startswith("[") else port[port.rfind(":") :] if ":" in port else ""
    if not _PORT.fullmatch(port):
        raise ValueError(f'invalid port "{port}" after host')
    host = _unescaped_host(host)
    if at and not _USER.fullmatch(user):
        raise ValueError("net/url: invalid userinfo")
    if at:
        _unescaped(user)
    return (user if at else None), host


def _unescaped_host(host: str) -> str:
    for found in re.finditer("%", host):
        # Only what is no ASCII may be written in this way here.
        escape = host[found.start() : found.start() + 3]
        if not _HEX.fullmatch(escape) or (escape != "%25" and int(escape[1], 16) < 8):
            raise ValueError(f'invalid URL escape "{escape}"')
    if wrong := _NOT_IN_HOST.search(host):
        raise ValueError(f'invalid character "{_shown(wrong[0])}" in host name')
    return unquote(host)


def _unescaped(text: str) -> str:
    for found in re.finditer("%", text):
        escape = text[found.start() : found.start() + 3]
        if not _HEX.fullmatch(escape):
            raise ValueError(f'invalid URL escape "{escape}"')
    return unquote(text)


def _shown(character: str) -> str:
    return {'"': '\\"', "\\": "\\\\"}.get(character, character)

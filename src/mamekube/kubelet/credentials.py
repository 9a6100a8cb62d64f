"""Registry credentials out of pull secrets. Pure."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

import orjson

from mamekube.objects.meta import Object

DOCKER_HUB = "docker.io"
DOCKER_HUB_ALIASES = ("index.docker.io", "registry-1.docker.io", "docker.io")


class InvalidImageName(ValueError):
    """The text of the container's image is no reference."""


def normalize(image: str) -> str:
    """`image` with the tag `latest` where it has neither tag nor digest. Raises InvalidImageName."""
    import re

    match = re.fullmatch(
        r"(?:(?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?|\[[0-9a-fA-F:]+\])(?::[0-9]+)?/)?"
        r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*)*"
        r"(:[\w][\w.-]{0,127})?(@[A-Za-z][\w+.-]*:[0-9a-fA-F]{32,})?",
        image,
    )
    if match is None:
        upper = image.lower() != image and re.fullmatch(r"[\w./:@-]+", image)
        why = "repository name must be lowercase" if upper else "reference format"
        text = f"invalid reference format: {why}" if upper else "invalid reference format"
        raise InvalidImageName(f'couldn\'t parse image name "{image}": {text}')
    return image if match[1] or match[2] else f"{image}:latest"


def registry_path(image: str) -> str:
    """`docker.io/library/nginx`: registry and repository, without tag and digest."""
    name = image.split("@")[0]
    head, _, tail = name.rpartition("/")
    name = f"{head}/{tail.split(':')[0]}" if head else tail.split(":")[0]
    first = name.split("/")[0]
    if "/" not in name:
        return f"{DOCKER_HUB}/library/{name}"
    if "." not in first and ":" not in first and first != "localhost":
        return f"{DOCKER_HUB}/{name}"
    return name


def find(image: str, secrets: Iterable[Object]) -> list[dict[str, str]]:
    """CRI AuthConfigs that fit the image, the most specific first."""
    path = registry_path(image)
    found: list[tuple[str, dict[str, str]]] = []
    for secret in secrets:
        for server, entry in _entries(secret).items():
            pattern = _pattern(server)
            if _fits(pattern, path):
                found.append((pattern, _auth(entry)))
    found.sort(key=lambda pair: -len(pair[0]))
    return [auth for _, auth in found]


def _entries(secret: Object) -> Mapping[str, Any]:
    data = secret.get("data") or {}
    try:
        if ".dockerconfigjson" in data:
            entries = orjson.loads(base64.b64decode(data[".dockerconfigjson"])).get("auths") or {}
        elif ".dockercfg" in data:
            entries = orjson.loads(base64.b64decode(data[".dockercfg"]))
        else:
            return {}
    except (ValueError, AttributeError):
        return {}
    return entries if isinstance(entries, dict) else {}


def _pattern(server: str) -> str:
    bare = server.removeprefix("https://").removeprefix("http://").rstrip("/")
    bare = bare.removesuffix("/v1").removesuffix("/v2")
    host, _, rest = bare.partition("/")
    if host in DOCKER_HUB_ALIASES:
        host = DOCKER_HUB
    return f"{host}/{rest}" if rest else host


def _fits(pattern: str, path: str) -> bool:
    host, _, prefix = pattern.partition("/")
    image_host, _, repository = path.partition("/")
    if host.count(".") != image_host.count(".") or not fnmatchcase(image_host, host):
        return False
    return not prefix or repository == prefix or repository.startswith(prefix + "/")


def _auth(entry: Mapping[str, Any]) -> dict[str, str]:
    username, password = entry.get("username", ""), entry.get("password", "")
    if not username and entry.get("auth"):
        try:
            username, _, password = base64.b64decode(entry["auth"]).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            username = password = ""
    result = {"username": username, "password": password}
    if entry.get("identitytoken"):
        result["identity_token"] = entry["identitytoken"]
    return result

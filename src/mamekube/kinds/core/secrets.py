"""`Secret` of `v1`."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.core import data as keyed
from mamekube.kinds.fields import Found, check_immutable
from mamekube.kinds.kind import Column, Kind
from mamekube.objects.fielderrors import invalid, required
from mamekube.objects.meta import Object, annotations_of

COLUMNS = (cells.NAME, Column(name="Type"), Column(name="Data"), cells.AGE)

OPAQUE = "Opaque"


def default(secret: Object) -> None:
    if not secret.get("type"):
        secret["type"] = OPAQUE
    # What is written in plain text is kept encoded, and never given back as it came.
    plain = secret.pop("stringData", None)
    if plain:
        data = secret.get("data")
        if data is None:
            data = secret["data"] = {}
        for key, text in plain.items():
            data[key] = b64encode((text or "").encode()).decode()


def row(secret: Object, now_s: float) -> list[Any]:
    return [
        cells.name(secret),
        secret.get("type") or "",
        len(secret.get("data") or ()),
        cells.age(secret, now_s),
    ]


ACCOUNT_NAME = "kubernetes.io/service-account.name"
REDACTED = "<secret contents redacted>"

_REQUIRED_KEYS = {
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
}
_DOCKER_KEYS = {
    "kubernetes.io/dockercfg": ".dockercfg",
    "kubernetes.io/dockerconfigjson": ".dockerconfigjson",
}


def validate(secret: Object) -> Found:
    found: Found = []
    content, kind = secret.get("data") or {}, secret.get("type") or ""
    keyed.validate_keys(content, "data", found)
    size = sum(keyed.decoded_size(value or "") for value in content.values())
    keyed.validate_size(size, "data", found)
    if kind == "kubernetes.io/service-account-token" and not annotations_of(secret).get(ACCOUNT_NAME):
        found.append(required(f"metadata.annotations[{ACCOUNT_NAME}]"))
    if kind == "kubernetes.io/basic-auth" and not ("username" in content or "password" in content):
        found.append(required("data[username]"))
        found.append(required("data[password]"))
    for key in _REQUIRED_KEYS.get(kind, ()):
        if key not in content:
            found.append(required(f"data[{key}]"))
    if kind in _DOCKER_KEYS:
        _validate_docker(content, _DOCKER_KEYS[kind], found)
    return found


def _validate_docker(content: dict[str, str], key: str, found: Found) -> None:
    path = f"data[{key}]"
    if key not in content:
        found.append(required(path))
        return
    try:
        json.loads(b64decode(content[key] or ""))
    except ValueError:
        found.append(invalid(path, REDACTED, "invalid character in JSON"))


def validate_update(new: Object, old: Object) -> Found:
    found: Found = []
    check_immutable(new, old, "type", "type", found)
    keyed.validate_immutable(new, old, ("data",), found)
    return found


def prepare_update(new: Object, old: Object) -> None:
    # An update may leave out the type, which it could not change anyway.
    if not new.get("type"):
        new["type"] = old.get("type") or OPAQUE


KIND = Kind(
    group="",
    version="v1",
    plural="secrets",
    singular="secret",
    kind="Secret",
    schema="io.k8s.api.core.v1.Secret",
    default=default,
    columns=COLUMNS,
    row=row,
    selectable={"type": lambda obj: obj.get("type") or ""},
    validate=validate,
    validate_update=validate_update,
    prepare_update=prepare_update,
)

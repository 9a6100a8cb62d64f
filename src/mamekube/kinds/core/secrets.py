"""`Secret` of `v1`."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.core import data as keyed
from mamekube.kinds.fields import Found, check_immutable
from mamekube.kinds.kind import Column, Kind
from mamekube.objects.fielderrors import invalid, render, required
from mamekube.objects.meta import Object, annotations_of

COLUMNS = (
    cells.NAME,
    Column(name="Type", field="core.v1.Secret.type"),
    Column(name="Data", field="core.v1.Secret.data"),
    cells.AGE,
)

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
        if key not in content or (kind == "kubernetes.io/ssh-auth" and not content[key]):
            found.append(required(f"data[{key}]"))
    if kind in _DOCKER_KEYS:
        _validate_docker(content, _DOCKER_KEYS[kind], found)
    return found


def _validate_docker(content: dict[str, str], key: str, found: Found) -> None:
    path = f"data[{key}]"
    if key not in content:
        found.append(required(path))
        return
    problem = _json_problem(b64decode(content[key] or ""))
    if problem:
        found.append(invalid(path, REDACTED, problem))


def _json_problem(text: bytes) -> str:
    """What Go's decoder says of a text that is to be a JSON object."""
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        if error.pos >= len(error.doc.rstrip()):
            return "unexpected end of JSON input"
        character = error.doc[error.pos]
        shown = {"'": "'\\''", '"': "'\"'"}.get(character) or f"'{render(character)[1:-1]}'"
        return f"invalid character {shown} {_WHERE.get(error.msg, 'looking for beginning of value')}"
    except ValueError:
        return "invalid character 'ÿ' looking for beginning of value"
    if value is None or isinstance(value, dict):
        return ""
    kinds = {list: "array", str: "string", bool: "bool"}
    return f"json: cannot unmarshal {kinds.get(type(value), 'number')} into Go value of type map[string]interface {{}}"


_WHERE = {
    "Expecting property name enclosed in double quotes": "looking for beginning of object key string",
    "Expecting ':' delimiter": "after object key",
    "Expecting ',' delimiter": "after object key:value pair",
    "Extra data": "after top-level value",
}
"""Where Go says a character is wrong, by what Python says of it."""


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

"""`Secret` of `v1`."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.kind import Column, Kind
from mamekube.objects.meta import Object

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
)

"""`ServiceAccount` of `v1`."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.kind import Column, Kind
from mamekube.objects.meta import Object

COLUMNS = (cells.NAME, Column(name="Secrets"), cells.AGE)


def row(account: Object, now_s: float) -> list[Any]:
    return [cells.name(account), len(account.get("secrets") or ()), cells.age(account, now_s)]


KIND = Kind(
    group="",
    version="v1",
    plural="serviceaccounts",
    singular="serviceaccount",
    kind="ServiceAccount",
    short_names=("sa",),
    schema="io.k8s.api.core.v1.ServiceAccount",
    subresources=("token",),
    columns=COLUMNS,
    row=row,
)

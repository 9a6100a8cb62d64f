"""`ServiceAccount` of `v1`."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.kind import Column, Kind
from mamekube.objects.meta import Object, annotations_of

COLUMNS = (cells.NAME, Column(name="Secrets", field="core.v1.ServiceAccount.secrets"), cells.AGE)


def row(account: Object, now_s: float) -> list[Any]:
    return [cells.name(account), len(account.get("secrets") or ()), cells.age(account, now_s)]


MOUNTABLE_ONLY = "kubernetes.io/enforce-mountable-secrets"


def warn(new: Object, old: Object | None) -> list[str]:
    if MOUNTABLE_ONLY not in annotations_of(new) or (
        old is not None and MOUNTABLE_ONLY in annotations_of(old)
    ):
        return []
    detail = "deprecated in v1.32+; prefer separate namespaces to isolate access to mounted secrets"
    return [f"metadata.annotations[{MOUNTABLE_ONLY}]: {detail}"]


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
    warnings=warn,
)

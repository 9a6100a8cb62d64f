"""`namespaces/finalize`: the only way to change `spec.finalizers`, whose end is the namespace's end."""

from __future__ import annotations

from mamekube.apiserver.strategy import Strategy
from mamekube.kinds.kind import Kind
from mamekube.objects.fielderrors import FieldError
from mamekube.objects.meta import Object


def _prepare(kind: Kind, new: Object, old: Object, now_s: float) -> None:
    new["status"] = old.get("status") or {}


def _validate(kind: Kind, new: Object, old: Object) -> list[FieldError]:
    return []


STRATEGY = Strategy("finalize", _prepare, _validate)

"""`certificatesigningrequests/approval`: the conditions Approved and Denied, and nothing else."""

from __future__ import annotations

from typing import Any

from mamekube.apiserver.strategy import Strategy
from mamekube.kinds.kind import Kind
from mamekube.objects.fielderrors import FieldError
from mamekube.objects.meta import Object

DECISIONS = ("Approved", "Denied")


def _prepare(kind: Kind, new: Object, old: Object) -> None:
    new["spec"] = old.get("spec") or {}
    before = old.get("status") or {}
    decided = [condition for condition in _conditions(new) if condition.get("type") in DECISIONS]
    others = [condition for condition in _conditions(old) if condition.get("type") not in DECISIONS]
    new["status"] = {**before, "conditions": [*others, *decided]}


def _conditions(request: Object) -> list[dict[str, Any]]:
    return (request.get("status") or {}).get("conditions") or []


def _validate(kind: Kind, new: Object, old: Object) -> list[FieldError]:
    return kind.validate(new) + kind.validate_status(new, old)


STRATEGY = Strategy("approval", _prepare, _validate)

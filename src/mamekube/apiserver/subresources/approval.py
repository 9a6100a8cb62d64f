"""`certificatesigningrequests/approval`: conditions, and nothing else; the only way to approve and to deny."""

from __future__ import annotations

from mamekube.apiserver.strategy import Strategy
from mamekube.kinds.certificates import certificatesigningrequests
from mamekube.kinds.kind import Kind
from mamekube.objects.fielderrors import FieldError
from mamekube.objects.meta import Object


def _prepare(kind: Kind, new: Object, old: Object, now_s: float) -> None:
    certificatesigningrequests.prepare_approval(new, old, now_s)


def _validate(kind: Kind, new: Object, old: Object) -> list[FieldError]:
    return certificatesigningrequests.validate_approval(new, old)


STRATEGY = Strategy("approval", _prepare, _validate)

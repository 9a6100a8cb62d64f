"""`pods/ephemeralcontainers`: containers are added to a running pod, for debugging it; none is changed or removed."""

from __future__ import annotations

from mamekube.apiserver.strategy import Strategy
from mamekube.kinds import differences
from mamekube.kinds.kind import Kind
from mamekube.kinds.podspec.podannotations import MIRROR
from mamekube.objects.fielderrors import FieldError, forbidden
from mamekube.objects.meta import Object, annotations_of

FIELD = "ephemeralContainers"


def _prepare(kind: Kind, new: Object, old: Object, now_s: float) -> None:
    containers = (new.get("spec") or {}).get(FIELD)
    new["spec"] = {**old["spec"]}
    if containers:
        new["spec"][FIELD] = containers
    new["status"] = old.get("status") or {}
    meta = {key: value for key, value in old["metadata"].items() if key != "managedFields"}
    if "managedFields" in new["metadata"]:
        meta["managedFields"] = new["metadata"]["managedFields"]
    new["metadata"] = meta


def _validate(kind: Kind, new: Object, old: Object) -> list[FieldError]:
    errors = kind.validate(new)
    if MIRROR in annotations_of(old):
        return [forbidden("[]", "static pods do not support ephemeral containers")]
    after = {container.get("name"): container for container in new["spec"].get(FIELD) or ()}
    for container in old["spec"].get(FIELD) or ():
        name = container.get("name")
        if name not in after:
            errors.append(
                forbidden(f"spec.{FIELD}", f'existing ephemeral containers "{name}" may not be removed\n')
            )
        elif after[name] != container:
            errors.append(
                forbidden(
                    f"spec.{FIELD}",
                    f'existing ephemeral containers "{name}" may not be changed\n'
                    f"{differences.text(after[name], container)}",
                )
            )
    return errors


STRATEGY = Strategy("ephemeralcontainers", _prepare, _validate)

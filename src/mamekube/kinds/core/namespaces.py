"""`Namespace` of `v1`."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.fields import Found, check, section
from mamekube.kinds.kind import Column, Kind
from mamekube.objects import names
from mamekube.objects.fielderrors import invalid
from mamekube.objects.meta import Object, being_deleted

NAME_LABEL = "kubernetes.io/metadata.name"
FINALIZER = "kubernetes"

COLUMNS = (
    cells.NAME,
    Column(name="Status", description="The status of the namespace"),
    cells.AGE,
)


def default(namespace: Object) -> None:
    metadata = section(namespace, "metadata")
    if metadata.get("name"):
        labels = metadata.get("labels")
        if labels is None:
            labels = metadata["labels"] = {}
        labels[NAME_LABEL] = metadata["name"]
    status = namespace.get("status")
    if status and not status.get("phase"):
        status["phase"] = "Active"


def prepare_create(namespace: Object) -> None:
    """It is Active, and its own finalizer keeps it until everything in it is gone."""
    # A name that the server chose came after the defaults.
    default(namespace)
    namespace["status"] = {"phase": "Active"}
    spec = namespace.get("spec")
    if spec is None:
        spec = namespace["spec"] = {}
    finalizers = spec.get("finalizers") or []
    if FINALIZER not in finalizers:
        spec["finalizers"] = [*finalizers, FINALIZER]


def prepare_update(new: Object, old: Object) -> None:
    """The finalizers change through the `finalize` subresource only."""
    new["spec"] = old.get("spec") or {}


def row(namespace: Object, now_s: float) -> list[Any]:
    return [
        cells.name(namespace),
        cells.status_of(namespace).get("phase") or "",
        cells.age(namespace, now_s),
    ]


STANDARD_FINALIZERS = frozenset((FINALIZER, "foregroundDeletion", "orphan"))
NOT_STANDARD = "name is neither a standard finalizer name nor is it fully qualified"


def validate(namespace: Object) -> Found:
    found: Found = []
    for finalizer in cells.spec_of(namespace).get("finalizers") or ():
        check(finalizer or "", "spec.finalizers", names.qualified_name, found)
        if "/" not in finalizer and finalizer not in STANDARD_FINALIZERS:
            found.append(invalid("spec.finalizers", finalizer, NOT_STANDARD))
    return found


def validate_status(new: Object, old: Object) -> Found:
    """Its phase says whether it is being deleted, and nothing else."""
    phase, wanted = cells.status_of(new).get("phase") or "", "Terminating"
    if not being_deleted(new):
        wanted = "Active"
    if phase == wanted:
        return []
    is_empty = "is empty" if wanted == "Active" else "is not empty"
    return [invalid("status.Phase", phase, f"may only be '{wanted}' if `deletionTimestamp` {is_empty}")]


KIND = Kind(
    group="",
    version="v1",
    plural="namespaces",
    singular="namespace",
    kind="Namespace",
    namespaced=False,
    short_names=("ns",),
    verbs=("create", "delete", "get", "list", "patch", "update", "watch"),
    schema="io.k8s.api.core.v1.Namespace",
    has_status=True,
    subresources=("finalize",),
    name_rule="label",
    default=default,
    prepare_create=prepare_create,
    prepare_update=prepare_update,
    columns=COLUMNS,
    row=row,
    selectable={"status.phase": lambda obj: cells.status_of(obj).get("phase") or ""},
    validate=validate,
    validate_status=validate_status,
)

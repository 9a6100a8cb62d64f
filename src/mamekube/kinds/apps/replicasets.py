"""`ReplicaSet` of `apps/v1`."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import cells, selectors
from mamekube.kinds.apps import workloads
from mamekube.kinds.fields import Found, check_not_negative, section
from mamekube.kinds.kind import Column, Kind, Scale
from mamekube.kinds.podspec import validation, warnings
from mamekube.kinds.podspec.defaults import default_template
from mamekube.objects.meta import Object

COLUMNS = (
    cells.NAME,
    Column(name="Desired", field="apps.v1.ReplicaSetSpec.replicas", type="integer"),
    Column(name="Current", field="apps.v1.ReplicaSetStatus.replicas", type="integer"),
    Column(name="Ready", field="apps.v1.ReplicaSetStatus.readyReplicas", type="integer"),
    cells.AGE,
    cells.CONTAINERS,
    cells.IMAGES,
    Column(name="Selector", field="apps.v1.ReplicaSetSpec.selector", priority=1),
)


def default(replica_set: Object) -> None:
    spec = section(replica_set, "spec")
    default_template(spec.get("template"))
    if spec.get("replicas") is None:
        spec["replicas"] = 1


def prepare_create(replica_set: Object) -> None:
    replica_set["status"] = {"replicas": 0}


def row(replica_set: Object, now_s: float) -> list[Any]:
    spec, status = cells.spec_of(replica_set), cells.status_of(replica_set)
    return [
        cells.name(replica_set),
        cells.count(spec, "replicas"),
        cells.count(status, "replicas"),
        cells.count(status, "readyReplicas"),
        cells.age(replica_set, now_s),
        *cells.container_cells(spec.get("template")),
        cells.selector_or_none(spec.get("selector")),
    ]


def validate(replica_set: Object) -> Found:
    found: Found = []
    spec = cells.spec_of(replica_set)
    check_not_negative(spec, "replicas", "spec", found)
    check_not_negative(spec, "minReadySeconds", "spec", found)
    if workloads.validate_selector(spec, found, empty="deployment"):
        template = spec.get("template") or {}
        selectors.validate_template_labels(spec.get("selector"), template, "spec.template", found)
        validation.validate_template(template, "spec.template", found)
        validation.validate_long_running(template, "spec.template", found, owner="ReplicaSet")
    return found


def validate_status(new: Object, old: Object) -> Found:
    status = cells.status_of(new)
    counts = ("fullyLabeledReplicas", "readyReplicas", "availableReplicas")
    found = workloads.validate_counts(
        status, ("replicas", *counts, "observedGeneration", "terminatingReplicas")
    )
    pairs = (*((field, "replicas") for field in counts), ("availableReplicas", "readyReplicas"))
    workloads.validate_at_most(status, pairs, found)
    return found


KIND = Kind(
    group="apps",
    version="v1",
    plural="replicasets",
    singular="replicaset",
    kind="ReplicaSet",
    short_names=("rs",),
    categories=("all",),
    schema="io.k8s.api.apps.v1.ReplicaSet",
    has_status=True,
    counts_generation=True,
    scale=Scale(),
    default=default,
    prepare_create=prepare_create,
    columns=COLUMNS,
    row=row,
    selectable={"status.replicas": lambda obj: str(cells.count(cells.status_of(obj), "replicas"))},
    validate=validate,
    validate_update=workloads.validate_selector_update,
    validate_status=validate_status,
    warnings=warnings.of_workload("spec", "template"),
)

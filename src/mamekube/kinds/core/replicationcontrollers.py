"""`ReplicationController` of `v1`."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.apps import workloads
from mamekube.kinds.fields import Found, check_not_negative, section
from mamekube.kinds.kind import Column, Kind, Scale
from mamekube.kinds.podspec import validation, warnings
from mamekube.kinds.podspec.defaults import default_template
from mamekube.kinds.selectors import MISMATCH
from mamekube.objects.fielderrors import invalid, required
from mamekube.objects.meta import Object

COLUMNS = (
    cells.NAME,
    Column(name="Desired", field="core.v1.ReplicationControllerSpec.replicas", type="integer"),
    Column(name="Current", field="core.v1.ReplicationControllerStatus.replicas", type="integer"),
    Column(name="Ready", field="core.v1.ReplicationControllerStatus.readyReplicas", type="integer"),
    cells.AGE,
    cells.CONTAINERS,
    cells.IMAGES,
    Column(name="Selector", field="core.v1.ReplicationControllerSpec.selector", priority=1),
)


def default(controller: Object) -> None:
    spec = section(controller, "spec")
    template = spec.get("template")
    default_template(template)
    labels = ((template or {}).get("metadata") or {}).get("labels")
    if labels:
        if not spec.get("selector"):
            spec["selector"] = dict(labels)
        metadata = section(controller, "metadata")
        if not metadata.get("labels"):
            metadata["labels"] = dict(labels)
    if spec.get("replicas") is None:
        spec["replicas"] = 1


def prepare_create(controller: Object) -> None:
    controller["status"] = {"replicas": 0}


def row(controller: Object, now_s: float) -> list[Any]:
    spec, status = cells.spec_of(controller), cells.status_of(controller)
    return [
        cells.name(controller),
        cells.count(spec, "replicas"),
        cells.count(status, "replicas"),
        cells.count(status, "readyReplicas"),
        cells.age(controller, now_s),
        *cells.container_cells(spec.get("template")),
        cells.labels_text(spec.get("selector")),
    ]


def validate(controller: Object) -> Found:
    found: Found = []
    spec = cells.spec_of(controller)
    check_not_negative(spec, "minReadySeconds", "spec", found)
    selector, template = spec.get("selector") or {}, spec.get("template")
    if not selector:
        found.append(required("spec.selector"))
    check_not_negative(spec, "replicas", "spec", found)
    if template is None:
        found.append(required("spec.template"))
        return found
    labels = (template.get("metadata") or {}).get("labels") or {}
    if any(labels.get(key) != value for key, value in selector.items()):
        found.append(invalid("spec.template.metadata.labels", labels, MISMATCH))
    validation.validate_template(template, "spec.template", found)
    validation.validate_long_running(template, "spec.template", found, owner="ReplicationController")
    return found


def validate_status(new: Object, old: Object) -> Found:
    status = cells.status_of(new)
    counts = ("fullyLabeledReplicas", "readyReplicas", "availableReplicas")
    found = workloads.validate_counts(status, ("replicas", *counts, "observedGeneration"))
    pairs = (*((field, "replicas") for field in counts), ("availableReplicas", "readyReplicas"))
    workloads.validate_at_most(status, pairs, found)
    return found


KIND = Kind(
    group="",
    version="v1",
    plural="replicationcontrollers",
    singular="replicationcontroller",
    kind="ReplicationController",
    short_names=("rc",),
    categories=("all",),
    schema="io.k8s.api.core.v1.ReplicationController",
    has_status=True,
    counts_generation=True,
    scale=Scale(),
    default=default,
    prepare_create=prepare_create,
    columns=COLUMNS,
    row=row,
    selectable={"status.replicas": lambda obj: str(cells.count(cells.status_of(obj), "replicas"))},
    validate=validate,
    validate_status=validate_status,
    warnings=warnings.of_template("spec", "template"),
)

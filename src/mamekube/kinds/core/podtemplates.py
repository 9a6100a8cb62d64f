"""`PodTemplate` of `v1`."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.fields import Found
from mamekube.kinds.kind import Column, Kind
from mamekube.kinds.podspec import validation, warnings
from mamekube.kinds.podspec.defaults import default_template
from mamekube.objects.meta import Object

COLUMNS = (
    cells.NAME,
    Column(name="Containers", description="Names of each container in the template."),
    Column(name="Images", description="Images referenced by each container in the template."),
    Column(name="Pod Labels", description="The labels for the pod template."),
)


def default(pod_template: Object) -> None:
    default_template(pod_template.get("template"))


def row(pod_template: Object, now_s: float) -> list[Any]:
    template = pod_template.get("template") or {}
    labels = (template.get("metadata") or {}).get("labels")
    return [cells.name(pod_template), *cells.container_cells(template), cells.labels_text(labels)]


def validate(pod_template: Object) -> Found:
    found: Found = []
    validation.validate_template(pod_template.get("template") or {}, "template", found)
    return found


KIND = Kind(
    group="",
    version="v1",
    plural="podtemplates",
    singular="podtemplate",
    kind="PodTemplate",
    schema="io.k8s.api.core.v1.PodTemplate",
    counts_generation=True,
    default=default,
    columns=COLUMNS,
    row=row,
    validate=validate,
    warnings=warnings.of_template("template"),
)

"""`Job` of `batch/v1`."""

from __future__ import annotations

from typing import Any

from mamekube.foundation.clock import parse_time
from mamekube.kinds import cells
from mamekube.kinds.batch import jobspec
from mamekube.kinds.batch.jobspec import default_job_spec
from mamekube.kinds.fields import Found, section
from mamekube.kinds.kind import Column, Kind
from mamekube.kinds.podspec import warnings
from mamekube.objects import conditions
from mamekube.objects.ages import since
from mamekube.objects.meta import Object, being_deleted

NAME_LABEL = "batch.kubernetes.io/job-name"
UID_LABEL = "batch.kubernetes.io/controller-uid"
OLD_NAME_LABEL = "job-name"
OLD_UID_LABEL = "controller-uid"

COLUMNS = (
    cells.NAME,
    Column(name="Status", description="Status of the job."),
    Column(name="Completions"),
    Column(name="Duration", description="Time required to complete the job."),
    cells.AGE,
    cells.CONTAINERS,
    cells.IMAGES,
    cells.SELECTOR,
)


def default(job: Object) -> None:
    spec = section(job, "spec")
    default_job_spec(spec)
    labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels")
    metadata = section(job, "metadata")
    if labels and not metadata.get("labels"):
        metadata["labels"] = dict(labels)


def prepare_create(job: Object) -> None:
    """Its pods are told by its own uid, unless the client sees to that itself."""
    job["status"] = {}
    spec, metadata = cells.spec_of(job), job.get("metadata") or {}
    template, uid = spec.get("template"), metadata.get("uid")
    if spec.get("manualSelector") or template is None or not uid:
        return
    labels = section(template, "metadata").get("labels") or {}
    name = metadata.get("name") or ""
    for label, value in ((NAME_LABEL, name), (OLD_NAME_LABEL, name), (UID_LABEL, uid), (OLD_UID_LABEL, uid)):
        # A label that the client has set already is refused by validation, not overwritten.
        labels.setdefault(label, value)
    template["metadata"]["labels"] = labels
    selector = spec.get("selector") or {}
    match_labels = selector.get("matchLabels") or {}
    match_labels.setdefault(UID_LABEL, uid)
    spec["selector"] = {**selector, "matchLabels": match_labels}


def row(job: Object, now_s: float) -> list[Any]:
    spec = cells.spec_of(job)
    return [
        cells.name(job),
        _status_text(job),
        _completions_text(job),
        _duration_text(job, now_s),
        cells.age(job, now_s),
        *cells.container_cells(spec.get("template")),
        cells.selector_or_none(spec.get("selector")),
    ]


def _status_text(job: Object) -> str:
    if conditions.is_true(job, "Complete"):
        return "Complete"
    if conditions.is_true(job, "Failed"):
        return "Failed"
    if being_deleted(job):
        return "Terminating"
    if conditions.is_true(job, "Suspended"):
        return "Suspended"
    return "FailureTarget" if conditions.is_true(job, "FailureTarget") else "Running"


def _completions_text(job: Object) -> str:
    spec, succeeded = cells.spec_of(job), cells.count(cells.status_of(job), "succeeded")
    if spec.get("completions") is not None:
        return f"{succeeded}/{spec['completions']}"
    parallelism = cells.count(spec, "parallelism")
    return f"{succeeded}/1 of {parallelism}" if parallelism > 1 else f"{succeeded}/1"


def _duration_text(job: Object, now_s: float) -> str:
    status = cells.status_of(job)
    if not status.get("startTime"):
        return ""
    end_s = parse_time(status["completionTime"]) if status.get("completionTime") else now_s
    return since(status["startTime"], end_s)


def validate(job: Object) -> Found:
    found: Found = []
    spec = cells.spec_of(job)
    jobspec.validate_selector(spec, found)
    jobspec.validate_job_spec(spec, "spec", found)
    return found


def validate_update(new: Object, old: Object) -> Found:
    found: Found = []
    jobspec.validate_update(cells.spec_of(new), cells.spec_of(old), found)
    return found


def prepare_update(new: Object, old: Object) -> None:
    # The labels and selector that were made at creation need not be sent again.
    after, before = cells.spec_of(new), cells.spec_of(old)
    if after.get("selector") is None and before.get("selector") is not None:
        after["selector"] = before["selector"]


KIND = Kind(
    group="batch",
    version="v1",
    plural="jobs",
    singular="job",
    kind="Job",
    categories=("all",),
    schema="io.k8s.api.batch.v1.Job",
    has_status=True,
    counts_generation=True,
    default=default,
    prepare_create=prepare_create,
    columns=COLUMNS,
    row=row,
    selectable={"status.successful": lambda obj: str(cells.count(cells.status_of(obj), "succeeded"))},
    validate=validate,
    validate_update=validate_update,
    prepare_update=prepare_update,
    warnings=warnings.of_template("spec", "template"),
)

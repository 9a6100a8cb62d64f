"""`Job` of `batch/v1`."""

from __future__ import annotations

from typing import Any

from mamekube.foundation.clock import parse_time
from mamekube.kinds import cells, selectors
from mamekube.kinds.batch import jobspec, jobstatus
from mamekube.kinds.batch.jobspec import default_job_spec
from mamekube.kinds.fields import Found, section
from mamekube.kinds.kind import Column, Kind
from mamekube.kinds.podspec import warnings
from mamekube.objects import conditions, names
from mamekube.objects.ages import since
from mamekube.objects.fielderrors import invalid, required
from mamekube.objects.meta import Object, being_deleted, metadata

NAME_LABEL = "batch.kubernetes.io/job-name"
UID_LABEL = "batch.kubernetes.io/controller-uid"
OLD_NAME_LABEL = "job-name"
OLD_UID_LABEL = "controller-uid"

COLUMNS = (
    cells.NAME,
    Column(name="Status", description="Status of the job."),
    Column(name="Completions", field="batch.v1.JobStatus.succeeded"),
    Column(name="Duration", description="Time required to complete the job."),
    cells.AGE,
    cells.CONTAINERS,
    cells.IMAGES,
    Column(name="Selector", field="batch.v1.JobSpec.selector", priority=1),
)


def default(job: Object) -> None:
    spec = section(job, "spec")
    default_job_spec(spec)
    labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels")
    described = section(job, "metadata")
    if labels and not described.get("labels"):
        described["labels"] = dict(labels)


def prepare_create(job: Object) -> None:
    """Its pods are told by its own uid, unless the client sees to that itself."""
    job["status"] = {}
    spec = cells.spec_of(job)
    template, uid = spec.get("template"), metadata(job).get("uid")
    if spec.get("manualSelector") or template is None or not uid:
        return
    labels = section(template, "metadata").get("labels") or {}
    name = cells.name(job)
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
    spec, name = cells.spec_of(job), cells.name(job)
    if not spec.get("manualSelector") and spec.get("selector") is not None:
        _validate_made_selector(job, spec, found)
    jobspec.validate_job_spec(spec, "spec", found)
    jobspec.validate_selector(spec, found)
    completions = spec.get("completions") or 0
    if spec.get("completionMode") == "Indexed" and completions > 0:
        hostname = f"{name}-{completions - 1}"
        if names.dns1123_label(hostname):
            detail = f"will not able to create pod with invalid DNS label: {hostname}"
            found.append(invalid("metadata.name", name, detail))
    return found


def _validate_made_selector(job: Object, spec: dict[str, Any], found: Found) -> None:
    """The labels and the selector that tell its pods must be those that were made for it."""
    uid, name = metadata(job).get("uid") or "", cells.name(job)
    if not uid:
        found.append(required("metadata.uid"))
    expected = {OLD_UID_LABEL: uid, OLD_NAME_LABEL: name, UID_LABEL: uid, NAME_LABEL: name}
    labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels") or {}
    for label, value in expected.items():
        path, detail = f"spec.template.metadata.labels[{label}]", f"must be '{value}'"
        if label not in labels:
            found.append(required(path, detail))
        elif labels[label] != value:
            found.append(invalid(path, labels, detail))
    if selectors.matches(spec["selector"], expected) is False:
        found.append(invalid("spec.selector", spec["selector"], "`selector` not auto-generated"))


def validate_update(new: Object, old: Object) -> Found:
    found: Found = []
    active = cells.count(cells.status_of(old), "active")
    jobspec.validate_update(cells.spec_of(new), cells.spec_of(old), found, active=active)
    return found


_of_template = warnings.of_template("spec", "template")


def warn(new: Object, old: Object | None) -> list[str]:
    said = warnings.of_name(new, old)
    if old is None or cells.spec_of(new) != cells.spec_of(old):
        said += jobspec.warnings_of(cells.spec_of(new))
    return said + _of_template(new, old)


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
    validate_status=jobstatus.validate,
    prepare_update=prepare_update,
    warnings=warn,
)

"""The JobSpec, which Jobs have and CronJobs carry as a template."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mamekube.kinds import cells, selectors
from mamekube.kinds.batch import jobpolicies
from mamekube.kinds.fields import (
    IMMUTABLE,
    Found,
    check_domain_path,
    check_not_negative,
    shown_pointer,
)
from mamekube.kinds.podspec import validation
from mamekube.kinds.podspec.defaults import default_template
from mamekube.objects.fielderrors import invalid, not_supported, required, too_long

BACKOFF_LIMIT = 6
INT32_MAX = 2**31 - 1
COMPLETION_MODES = ("NonIndexed", "Indexed")
REPLACEMENT_POLICIES = ("Failed", "TerminatingOrFailed")

INDEXED_MAX = 100_000
"""Of an indexed Job: pods at once, and indexes that fail. Its status names them."""
COMPLETIONS_HIGH = 100_000
HIGH_MAX = 10_000
"""The same where there are more completions than that, each with a backoff limit of its own."""
MANAGED_BY_BYTES_MAX = 63

_COUNTS = (
    "parallelism",
    "completions",
    "activeDeadlineSeconds",
    "backoffLimit",
    "ttlSecondsAfterFinished",
    "backoffLimitPerIndex",
    "maxFailedIndexes",
)


def default_job_spec(spec: dict[str, Any]) -> None:
    """What upstream fills in for a Job, which is more than for a template of one."""
    default_template(spec.get("template"))
    if spec.get("completions") is None and spec.get("parallelism") is None:
        spec["completions"] = 1
    if spec.get("parallelism") is None:
        spec["parallelism"] = 1
    if spec.get("backoffLimit") is None:
        spec["backoffLimit"] = BACKOFF_LIMIT if spec.get("backoffLimitPerIndex") is None else INT32_MAX
    if not spec.get("completionMode"):
        spec["completionMode"] = "NonIndexed"
    if spec.get("suspend") is None:
        spec["suspend"] = False
    if spec.get("manualSelector") is None:
        spec["manualSelector"] = False
    policy = spec.get("podFailurePolicy")
    if not spec.get("podReplacementPolicy"):
        spec["podReplacementPolicy"] = "TerminatingOrFailed" if policy is None else "Failed"
    for rule in (policy or {}).get("rules") or ():
        for pattern in rule.get("onPodConditions") or ():
            if not pattern.get("status"):
                pattern["status"] = "True"


def validate_job_spec(spec: dict[str, Any], path: str, found: Found) -> None:
    """What Jobs and templates of Jobs have in common."""
    for field in _COUNTS:
        check_not_negative(spec, field, path, found)
    if spec.get("maxFailedIndexes") is not None and spec.get("backoffLimitPerIndex") is None:
        found.append(required(f"{path}.backoffLimitPerIndex", "when maxFailedIndexes is specified"))
    manager = spec.get("managedBy")
    if manager is not None:
        check_domain_path(manager, f"{path}.managedBy", found)
        if len(manager.encode()) > MANAGED_BY_BYTES_MAX:
            found.append(too_long(f"{path}.managedBy", MANAGED_BY_BYTES_MAX))
    _validate_mode(spec, path, found)
    if spec.get("podFailurePolicy") is not None:
        jobpolicies.validate_failure_policy(spec, f"{path}.podFailurePolicy", found)
    _validate_success_policy(spec, f"{path}.successPolicy", found)
    _validate_replacement(spec, f"{path}.podReplacementPolicy", found)
    template = spec.get("template") or {}
    validation.validate_template(template, f"{path}.template", found)
    _validate_restart_policy(spec, template, f"{path}.template.spec.restartPolicy", found)


def _validate_mode(spec: dict[str, Any], path: str, found: Found) -> None:
    mode = spec.get("completionMode")
    if mode is not None and mode not in COMPLETION_MODES:
        found.append(not_supported(f"{path}.completionMode", mode, COMPLETION_MODES))
    if mode == "Indexed":
        _validate_indexed(spec, path, found)
    elif mode in (None, "NonIndexed"):
        for field in ("backoffLimitPerIndex", "maxFailedIndexes"):
            if spec.get(field) is not None:
                detail = "requires indexed completion mode"
                found.append(invalid(f"{path}.{field}", spec[field], detail))


def _validate_indexed(spec: dict[str, Any], path: str, found: Found) -> None:
    completions, failed = spec.get("completions"), spec.get("maxFailedIndexes")
    parallelism, bound = spec.get("parallelism") or 0, "must be less than or equal to"
    if completions is None:
        found.append(required(f"{path}.completions", "when completion mode is Indexed"))
    if parallelism > INDEXED_MAX:
        detail = f"{bound} {INDEXED_MAX} when completion mode is Indexed"
        found.append(invalid(f"{path}.parallelism", parallelism, detail))
    if completions is not None and failed is not None and failed > completions:
        found.append(invalid(f"{path}.maxFailedIndexes", failed, f"{bound} completions"))
    if failed is not None and failed > INDEXED_MAX:
        found.append(invalid(f"{path}.maxFailedIndexes", failed, f"{bound} {INDEXED_MAX}"))
    if (completions or 0) <= COMPLETIONS_HIGH or spec.get("backoffLimitPerIndex") is None:
        return
    detail = f"{bound} {HIGH_MAX} when completions are above {COMPLETIONS_HIGH} and used with backoff limit per index"
    if failed is None:
        missing = f"must be specified when completions is above {COMPLETIONS_HIGH}"
        found.append(required(f"{path}.maxFailedIndexes", missing))
    if parallelism > HIGH_MAX:
        found.append(invalid(f"{path}.parallelism", parallelism, detail))
    if failed is not None and failed > HIGH_MAX:
        found.append(invalid(f"{path}.maxFailedIndexes", failed, detail))


def _validate_success_policy(spec: dict[str, Any], path: str, found: Found) -> None:
    policy = spec.get("successPolicy")
    if policy is None:
        return
    if spec.get("completionMode") != "Indexed":
        shown = jobpolicies.shown_success_policy(policy)
        found.append(invalid(path, shown, "requires indexed completion mode"))
    else:
        completions = spec.get("completions") or 0
        jobpolicies.validate_success_policy(policy, path, found, completions=completions)


def _validate_replacement(spec: dict[str, Any], path: str, found: Found) -> None:
    policy = spec.get("podReplacementPolicy")
    supported = REPLACEMENT_POLICIES if spec.get("podFailurePolicy") is None else ("Failed",)
    if policy is not None and policy not in supported:
        found.append(not_supported(path, policy, supported))


def _validate_restart_policy(spec: dict[str, Any], template: dict[str, Any], path: str, found: Found) -> None:
    policy = (template.get("spec") or {}).get("restartPolicy")
    if not policy or policy == "Always":
        found.append(required(path, 'valid values: "OnFailure", "Never"'))
    elif policy not in ("OnFailure", "Never"):
        found.append(not_supported(path, policy, ("OnFailure", "Never")))
    elif spec.get("podFailurePolicy") is not None and policy != "Never":
        detail = 'only "Never" is supported when podFailurePolicy is specified'
        found.append(invalid(path, policy, detail))


def warnings_of(spec: dict[str, Any]) -> list[str]:
    high = cells.count(spec, "completions") > COMPLETIONS_HIGH and cells.count(spec, "parallelism") > HIGH_MAX
    if spec.get("completionMode") != "Indexed" or not high:
        return []
    return [
        "In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher than 10^4, "
        "Kubernetes might not be able to track completedIndexes when a big number of indexes fail"
    ]


def validate_selector(spec: dict[str, Any], found: Found) -> None:
    selector = spec.get("selector")
    if selector is None:
        found.append(required("spec.selector"))
    else:
        selectors.validate(selector, "spec.selector", found)
    selectors.validate_template_labels(selector, spec.get("template") or {}, "spec.template", found)


def validate_update(after: dict[str, Any], before: dict[str, Any], found: Found, *, active: int = 0) -> None:
    """`active`: how many pods still ran when the Job was last seen."""
    _validate_completions(after, before, found)
    _check_fixed(after, before, "selector", found)
    template, old_template = after.get("template") or {}, before.get("template") or {}
    if before.get("suspend") and not active:
        old_template = _with_placement(old_template, template)
    if template != old_template:
        found.append(invalid("spec.template", template, IMMUTABLE))
    _check_fixed(after, before, "completionMode", found)
    _check_fixed(after, before, "podFailurePolicy", found, show=jobpolicies.shown_failure_policy)
    for field in ("backoffLimitPerIndex", "managedBy"):
        _check_fixed(after, before, field, found)
    _check_fixed(after, before, "successPolicy", found, show=jobpolicies.shown_success_policy)


def _check_fixed(
    after: dict[str, Any],
    before: dict[str, Any],
    field: str,
    found: Found,
    *,
    show: Callable[[dict[str, Any]], Any] | None = None,
) -> None:
    value = after.get(field)
    if value != before.get(field):
        shown = show(value) if show and value is not None else shown_pointer(value)
        found.append(invalid(f"spec.{field}", shown, IMMUTABLE))


def _validate_completions(after: dict[str, Any], before: dict[str, Any], found: Found) -> None:
    """Those of an indexed Job may follow its parallelism."""
    completions = after.get("completions")
    if after.get("completionMode") != "Indexed":
        _check_fixed(after, before, "completions", found)
    elif completions not in (None, before.get("completions"), after.get("parallelism")):
        detail = "can only be modified in tandem with spec.parallelism"
        found.append(invalid("spec.completions", completions, detail))


_PLACEMENT = ("nodeSelector", "tolerations", "schedulingGates")


def _with_placement(template: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """The template with everything of `other` that may change while a Job is suspended and none of its pods run."""
    spec, other_spec = dict(template.get("spec") or {}), other.get("spec") or {}
    for field in _PLACEMENT:
        _take(spec, other_spec, field)
    _take_node_affinity(spec, other_spec)
    for field in ("containers", "initContainers"):
        if spec.get(field):
            spec[field] = _with_resources(spec[field], other_spec.get(field) or [])
    made = {**template, "spec": spec}
    metadata, other_metadata = dict(template.get("metadata") or {}), other.get("metadata") or {}
    for field in ("annotations", "labels"):
        _take(metadata, other_metadata, field)
    _put(made, "metadata", metadata if metadata or "metadata" in other else None)
    return made


def _take_node_affinity(spec: dict[str, Any], other_spec: dict[str, Any]) -> None:
    affinity, other = dict(spec.get("affinity") or {}), other_spec.get("affinity")
    _put(affinity, "nodeAffinity", (other or {}).get("nodeAffinity"))
    _put(spec, "affinity", affinity if affinity or other is not None else None)


def _with_resources(containers: list[dict[str, Any]], others: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same containers with the requests and limits of the others, one by one."""
    made = [dict(container) for container in containers]
    for container, other in zip(made, others, strict=False):
        resources, other_resources = dict(container.get("resources") or {}), other.get("resources")
        for field in ("limits", "requests"):
            _take(resources, other_resources or {}, field)
        _put(container, "resources", resources if resources or other_resources is not None else None)
    return made


def _take(section: dict[str, Any], other: dict[str, Any], field: str) -> None:
    _put(section, field, other.get(field))


def _put(section: dict[str, Any], field: str, value: Any) -> None:
    if value is None:
        section.pop(field, None)
    else:
        section[field] = value

"""The JobSpec, which Jobs have and CronJobs carry as a template."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import selectors
from mamekube.kinds.fields import Found, check_choice, check_immutable, check_not_negative
from mamekube.kinds.podspec import validation
from mamekube.kinds.podspec.defaults import default_template
from mamekube.objects.fielderrors import invalid, not_supported, required

BACKOFF_LIMIT = 6
INT32_MAX = 2**31 - 1
COMPLETION_MODES = ("NonIndexed", "Indexed")
REPLACEMENT_POLICIES = ("Failed", "TerminatingOrFailed")

_COUNTS = (
    "parallelism",
    "completions",
    "activeDeadlineSeconds",
    "backoffLimit",
    "ttlSecondsAfterFinished",
    "backoffLimitPerIndex",
    "maxFailedIndexes",
)
_IMMUTABLE = ("selector", "podFailurePolicy", "backoffLimitPerIndex", "managedBy", "successPolicy")


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
    mode = spec.get("completionMode")
    if mode is not None and mode not in COMPLETION_MODES:
        found.append(not_supported(f"{path}.completionMode", mode, COMPLETION_MODES))
    if mode == "Indexed" and spec.get("completions") is None:
        detail = f"when completion mode is {mode}"
        found.append(required(f"{path}.completions", detail))
    replacement = spec.get("podReplacementPolicy")
    if replacement is not None:
        check_choice(replacement, f"{path}.podReplacementPolicy", REPLACEMENT_POLICIES, found)
    template = spec.get("template") or {}
    validation.validate_template(template, f"{path}.template", found)
    policy = (template.get("spec") or {}).get("restartPolicy") or ""
    policy_path = f"{path}.template.spec.restartPolicy"
    if policy == "Always":
        found.append(required(policy_path, 'valid values: "OnFailure", "Never"'))
    elif spec.get("podFailurePolicy") is not None and policy != "Never":
        detail = 'only "Never" is supported when podFailurePolicy is specified'
        found.append(invalid(policy_path, policy, detail))


def validate_selector(spec: dict[str, Any], found: Found) -> None:
    selector = spec.get("selector")
    if selector is None:
        found.append(required("spec.selector"))
        return
    selectors.validate(selector, "spec.selector", found)
    selectors.validate_template_labels(selector, spec.get("template") or {}, "spec.template", found)


def validate_update(after: dict[str, Any], before: dict[str, Any], found: Found) -> None:
    for field in _IMMUTABLE:
        check_immutable(after, before, field, f"spec.{field}", found)
    check_immutable(after, before, "completionMode", "spec.completionMode", found)
    # The number of completions of an indexed Job may follow its parallelism.
    elastic = after.get("completionMode") == "Indexed" and after.get("completions") == after.get(
        "parallelism"
    )
    if not elastic:
        check_immutable(after, before, "completions", "spec.completions", found)
    if not before.get("suspend") or _scheduling(after) == _scheduling(before):
        check_immutable(after, before, "template", "spec.template", found)


_SCHEDULING_FIELDS = ("nodeSelector", "affinity", "tolerations", "schedulingGates")


def _scheduling(spec: dict[str, Any]) -> list[Any]:
    """What of the template may change while the Job is suspended."""
    template = spec.get("template") or {}
    pod_spec, metadata = template.get("spec") or {}, template.get("metadata") or {}
    return [
        *(pod_spec.get(field) for field in _SCHEDULING_FIELDS),
        metadata.get("labels"),
        metadata.get("annotations"),
    ]

"""What a Job's `podFailurePolicy` says of a failed pod. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mamekube.objects.conditions import conditions_of
from mamekube.objects.meta import Object, key_of


@dataclass(frozen=True, slots=True)
class Verdict:
    """The action of the first rule that matches: FailJob, Ignore, Count or FailIndex."""

    action: str
    message: str


def judge(policy: Mapping[str, Any] | None, pod: Object) -> Verdict | None:
    """None where no rule matches: then the failure counts."""
    for position, rule in enumerate((policy or {}).get("rules") or ()):
        message = None
        if rule.get("onExitCodes"):
            message = _by_exit_code(rule["onExitCodes"], pod)
        elif rule.get("onPodConditions"):
            message = _by_condition(rule["onPodConditions"], pod)
        if message is not None:
            return Verdict(rule["action"], f"{message} matching {rule['action']} rule at index {position}")
    return None


def _by_exit_code(requirement: Mapping[str, Any], pod: Object) -> str | None:
    for entry in _container_statuses(pod):
        ended = (entry.get("state") or {}).get("terminated")
        code = (ended or {}).get("exitCode", 0)
        if ended is None or code == 0:
            continue
        if requirement.get("containerName") not in (None, entry.get("name")):
            continue
        if (code in requirement["values"]) == (requirement["operator"] == "In"):
            return f"Container {entry.get('name')} for pod {key_of(pod)} failed with exit code {code}"
    return None


def _by_condition(patterns: list[Mapping[str, Any]], pod: Object) -> str | None:
    for condition in conditions_of(pod):
        for pattern in patterns:
            if condition["type"] == pattern["type"] and condition["status"] == pattern.get("status", "True"):
                return f"Pod {key_of(pod)} has condition {condition['type']}"
    return None


def _container_statuses(pod: Object) -> Iterator[Mapping[str, Any]]:
    status = pod.get("status") or {}
    yield from status.get("initContainerStatuses") or ()
    yield from status.get("containerStatuses") or ()

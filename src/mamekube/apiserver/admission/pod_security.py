"""PodSecurity: namespaces say by label which Pod Security Standard their pods have to keep.

`enforce` refuses pods. `warn` warns about pods and about whatever has a pod template. `audit` is for the audit
log, which does not change an answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from mamekube.apiserver import builtin
from mamekube.apiserver.admission.plugin import CREATE_AND_UPDATE, Plugin, forbidden
from mamekube.apiserver.admission.pod_security_checks import Subject, Violation, subject_of, violations
from mamekube.apiserver.writes import CREATE, UPDATE, Reader, Write
from mamekube.objects import fielderrors, status
from mamekube.objects.fielderrors import FieldError
from mamekube.objects.meta import Object, annotations_of, labels_of, metadata, name_of

PREFIX = "pod-security.kubernetes.io/"
LEVELS = ("privileged", "baseline", "restricted")
VERSION = re.compile(r"v1\.(0|[1-9][0-9]*)\Z")
NEWEST = 1 << 30

TEMPLATES: Mapping[str, tuple[str, ...]] = {
    "podtemplates": ("template",),
    "replicationcontrollers": ("spec", "template"),
    "replicasets.apps": ("spec", "template"),
    "deployments.apps": ("spec", "template"),
    "daemonsets.apps": ("spec", "template"),
    "statefulsets.apps": ("spec", "template"),
    "jobs.batch": ("spec", "template"),
    "cronjobs.batch": ("spec", "jobTemplate", "spec", "template"),
}
PODS_WARNED_MAX = 3000
"""Pods looked at when a namespace becomes stricter, as upstream."""


class Policy(NamedTuple):
    level: str
    version: str

    def __str__(self) -> str:
        return f"{self.level}:{self.version}"

    @property
    def minor(self) -> int:
        match = VERSION.match(self.version)
        return int(match[1]) if match else NEWEST


class PodSecurity(Plugin):
    name = "PodSecurity"
    operations = CREATE_AND_UPDATE
    resources = frozenset({"pods", "pods/ephemeralcontainers", "namespaces", *TEMPLATES})

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def validate(self, write: Write) -> None:
        if write.kind.plural == "namespaces":
            await self._check_namespace(write)
            return
        namespace = await self._reader.get(builtin.NAMESPACES, write.namespace)
        labels = labels_of(namespace or {})
        if not any(label.startswith(PREFIX) for label in labels):
            return
        if write.kind.plural == "pods":
            _check_pod(write, labels)
        else:
            _warn(write, labels, _template(write))

    async def _check_namespace(self, write: Write) -> None:
        """Refuse labels that say nothing; warn of pods that a stricter level would not let in."""
        new, old = labels_of(write.object or {}), labels_of(write.old or {})
        errors = label_errors(new)
        if errors and label_errors(old) != errors:
            raise status.invalid(write.kind, name_of(write.object or {}), errors)
        policy, before = policy_of(new, "enforce"), policy_of(old, "enforce")
        stricter = LEVELS.index(policy.level) > LEVELS.index(before.level) or policy.version != before.version
        if write.operation != UPDATE or policy == before or policy.level == "privileged" or not stricter:
            return
        pods = list(await self._reader.list(builtin.PODS, namespace=name_of(write.object or {})))
        texts = _summary(pods[:PODS_WARNED_MAX], policy)
        if texts:
            write.warnings.append(
                f'existing pods in namespace "{name_of(write.object or {})}" violate the new PodSecurity enforce '
                f'level "{policy}"'
            )
            write.warnings.extend(texts)


def policy_of(labels: Mapping[str, str], mode: str) -> Policy:
    """What a namespace asks for. A level that does not exist is taken for the strictest."""
    level = labels.get(f"{PREFIX}{mode}", "privileged")
    version = labels.get(f"{PREFIX}{mode}-version", "latest")
    return Policy(level if level in LEVELS else "restricted", version)


def label_errors(labels: Mapping[str, str]) -> list[FieldError]:
    errors: list[FieldError] = []
    for mode in ("enforce", "audit", "warn"):
        level, version = f"{PREFIX}{mode}", f"{PREFIX}{mode}-version"
        if level in labels and labels[level] not in LEVELS:
            errors.append(
                fielderrors.invalid(
                    f"metadata.labels[{level}]", labels[level], f"must be one of {', '.join(LEVELS)}"
                )
            )
        if version in labels and labels[version] != "latest" and not VERSION.match(labels[version]):
            errors.append(
                fielderrors.invalid(
                    f"metadata.labels[{version}]", labels[version], 'must be "latest" or "v1.x"'
                )
            )
    return errors


def _check_pod(write: Write, labels: Mapping[str, str]) -> None:
    pod = write.object or {}
    if write.operation == UPDATE and not write.subresource and not _changes_images(pod, write.old or {}):
        return
    policy = policy_of(labels, "enforce")
    found = violations(subject_of(pod), policy.level, minor=policy.minor)
    if found:
        raise forbidden(write, f'violates PodSecurity "{policy}": {_text(found)}')
    if write.operation == CREATE or write.subresource:
        _warn(write, labels, subject_of(pod))


def _warn(write: Write, labels: Mapping[str, str], subject: Subject | None) -> None:
    if subject is None:
        return
    policy = policy_of(labels, "warn")
    found = violations(subject, policy.level, minor=policy.minor)
    if found:
        write.warnings.append(f'would violate PodSecurity "{policy}": {_text(found)}')


def _template(write: Write) -> Subject | None:
    """The pod template; None where an update leaves it as it was."""
    new, old = (_at(obj, TEMPLATES[write.kind.group_resource]) for obj in (write.object, write.old))
    if new is None or new == old:
        return None
    return Subject(annotations_of(new), new.get("spec") or {})


def _at(obj: Object | None, path: Iterable[str]) -> Any:
    value: Any = obj
    for key in path:
        value = (value or {}).get(key)
    return value


def _changes_images(new: Object, old: Object) -> bool:
    """The part of a pod's spec that an update may change and that matters here."""

    def images(pod: Object) -> list[Any]:
        return [(container["name"], container.get("image")) for container in subject_of(pod).containers]

    return images(new) != images(old)


def _summary(pods: Iterable[Object], policy: Policy) -> list[str]:
    """One text for each set of reasons, with the first pod that has it and how many others do."""
    groups: dict[str, list[str]] = {}
    for pod in pods:
        found = violations(subject_of(pod), policy.level, minor=policy.minor)
        if found:
            reasons = ", ".join(violation.reason for violation in found)
            groups.setdefault(reasons, []).append(str(metadata(pod).get("name", "")))
    texts: list[str] = []
    for reasons, names in groups.items():
        others = len(names) - 1
        more = f" (and {others} other {'pod' if others == 1 else 'pods'})" if others else ""
        texts.append(f"{min(names)}{more}: {reasons}")
    return sorted(texts)


def _text(found: Iterable[Violation]) -> str:
    return ", ".join(map(str, found))

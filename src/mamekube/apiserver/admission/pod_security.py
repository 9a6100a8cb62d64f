"""PodSecurity: namespaces say by label which Pod Security Standard their pods have to keep.

`enforce` refuses pods. `warn` warns about pods and about whatever has a pod template; `audit` says the same to the
audit log, which changes no answer.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

from mamekube.apiserver import builtin
from mamekube.apiserver.admission.plugin import CREATE_AND_UPDATE, Plugin, forbidden
from mamekube.apiserver.admission.pod_security_checks import SECCOMP_PREFIX, Subject, subject_of, violations
from mamekube.apiserver.auditing import audit
from mamekube.apiserver.writes import UPDATE, Reader, Write
from mamekube.foundation.metrics import Family
from mamekube.objects import fielderrors, owners, status
from mamekube.objects.fielderrors import FieldError
from mamekube.objects.meta import Object, annotations_of, labels_of, metadata, name_of

PREFIX = "pod-security.kubernetes.io/"
MODES = ("enforce", "audit", "warn")
LEVELS = ("privileged", "baseline", "restricted")
ENFORCED_ANNOTATION = f"{PREFIX}enforce-policy"
VIOLATIONS_ANNOTATION = f"{PREFIX}audit-violations"
EVALUATION_LABELS = (
    "decision",
    "policy_level",
    "policy_version",
    "mode",
    "request_operation",
    "resource",
    "subresource",
)
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


PRIVILEGED = Policy("privileged", "latest")


class Policies(NamedTuple):
    """What a namespace asks for, by mode."""

    enforce: Policy
    audit: Policy
    warn: Policy


class PodSecurity(Plugin):
    name = "PodSecurity"
    operations = CREATE_AND_UPDATE
    resources = frozenset({"pods", "pods/ephemeralcontainers", "pods/resize", "namespaces", *TEMPLATES})

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._evaluations: Counter[tuple[str, ...]] = Counter()

    def families(self) -> Iterator[Family]:
        evaluations = Family(
            "pod_security_evaluations_total",
            "counter",
            "Number of policy evaluations that occurred, not counting ignored or exempt requests.",
            labels=EVALUATION_LABELS,
        )
        for labels, count in self._evaluations.items():
            evaluations.add(labels, count)
        yield evaluations

    def _count(self, write: Write, mode: str, policy: Policy, decision: str) -> None:
        resource = "pod" if write.kind.plural == "pods" else "controller"
        self._evaluations[decision, *policy, mode, write.operation.lower(), resource, write.subresource] += 1

    async def validate(self, write: Write) -> None:
        if write.kind.plural == "namespaces":
            await self._check_namespace(write)
            return
        namespace = await self._reader.get(builtin.NAMESPACES, write.namespace)
        labels = labels_of(namespace or {})
        enforced = write.kind.plural == "pods"
        if not any(label.startswith(PREFIX) for label in labels):
            if enforced:
                self._note_privileged(write)
            return
        self._check(write, labels, enforced=enforced)

    def _check(self, write: Write, labels: Mapping[str, str], *, enforced: bool) -> None:
        """Refuse, note and warn. Templates are never refused: their pods will be."""
        policies, errors = policies_of(labels), label_errors(labels)
        modes = policies if enforced else policies[1:]
        if not errors and all(policy.level == "privileged" for policy in modes):
            if enforced:
                self._note_privileged(write)
            return
        subject = subject_of(write.object or {}) if enforced else _template(write)
        if subject is None or (enforced and write.operation == UPDATE and not _matters(write)):
            return
        if errors:
            audit.annotate(f"{PREFIX}error", f"Failed to parse policy: {fielderrors.summary(errors)}")

        @cache
        def found(policy: Policy) -> str:
            return ", ".join(map(str, violations(subject, policy.level, minor=policy.minor)))

        if enforced:
            audit.annotate(ENFORCED_ANNOTATION, str(policies.enforce))
            decision = "deny" if found(policies.enforce) else "allow"
            self._count(write, "enforce", policies.enforce, decision)
        if found(policies.audit):
            text = f'would violate PodSecurity "{policies.audit}": {found(policies.audit)}'
            audit.annotate(VIOLATIONS_ANNOTATION, text)
            self._count(write, "audit", policies.audit, "deny")
        if enforced and found(policies.enforce):
            raise forbidden(write, f'violates PodSecurity "{policies.enforce}": {found(policies.enforce)}')
        if found(policies.warn):
            self._count(write, "warn", policies.warn, "deny")
            write.warnings.append(f'would violate PodSecurity "{policies.warn}": {found(policies.warn)}')

    def _note_privileged(self, write: Write) -> None:
        audit.annotate(ENFORCED_ANNOTATION, str(PRIVILEGED))
        self._count(write, "enforce", PRIVILEGED, "allow")

    async def _check_namespace(self, write: Write) -> None:
        """Refuse labels that say nothing; warn of pods that a stricter level would not let in."""
        new, old = labels_of(write.object or {}), labels_of(write.old or {})
        errors = label_errors(new)
        if errors and label_errors(old) != errors:
            raise status.invalid(write.kind, name_of(write.object or {}), errors)
        policy, before = policies_of(new).enforce, policies_of(old).enforce
        stricter = LEVELS.index(policy.level) > LEVELS.index(before.level) or policy.version != before.version
        if write.operation != UPDATE or policy == before or policy.level == "privileged" or not stricter:
            return
        pods = list(await self._reader.list(builtin.PODS, namespace=name_of(write.object or {})))
        if len(pods) > PODS_WARNED_MAX:
            write.warnings.append(
                f"new PodSecurity enforce level only checked against the first {PODS_WARNED_MAX} of {len(pods)} "
                "existing pods"
            )
        texts = _summary(_first_of_each_controller(pods)[:PODS_WARNED_MAX], policy)
        if texts:
            write.warnings.append(
                f'existing pods in namespace "{name_of(write.object or {})}" violate the new PodSecurity enforce '
                f'level "{policy}"'
            )
            write.warnings.extend(texts)


def policies_of(labels: Mapping[str, str]) -> Policies:
    """What the labels of a namespace say. A level that does not exist is enforced as the strictest, and is no
    reason to warn or to note anything. Who says only what is enforced is warned of the same, as far as templates go.
    """
    enforce, audited, warn = (_policy_of(labels, mode) for mode in MODES)
    explicit = f"{PREFIX}enforce" in labels and f"{PREFIX}warn" not in labels
    if explicit and LEVELS.index(enforce.level) > LEVELS.index(warn.level):
        version = warn.version if f"{PREFIX}warn-version" in labels else enforce.version
        warn = Policy(enforce.level, version)
    return Policies(enforce, audited, warn)


def _policy_of(labels: Mapping[str, str], mode: str) -> Policy:
    level = labels.get(f"{PREFIX}{mode}", "privileged")
    version = labels.get(f"{PREFIX}{mode}-version", "latest")
    if level not in LEVELS:
        level = "restricted" if mode == "enforce" else "privileged"
    return Policy(level, version if VERSION.match(version) else "latest")


def label_errors(labels: Mapping[str, str]) -> list[FieldError]:
    errors: list[FieldError] = []
    for mode in MODES:
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


def _template(write: Write) -> Subject | None:
    """The pod template, where there is one."""
    template = _at(write.object, TEMPLATES[write.kind.group_resource])
    return Subject(annotations_of(template), template.get("spec") or {}) if template else None


def _at(obj: Object | None, path: Iterable[str]) -> Any:
    value: Any = obj
    for key in path:
        value = (value or {}).get(key)
    return value


def _matters(write: Write) -> bool:
    """Whether an update touches what may be changed in a pod and matters here: images, seccomp profiles of old,
    ephemeral containers."""
    new, old = write.object or {}, write.old or {}
    after, before = (subject_of(pod) for pod in (new, old))
    for field in ("containers", "initContainers"):
        if len(after.spec.get(field) or ()) != len(before.spec.get(field) or ()):
            return True
    images = {container["name"]: container.get("image") for container in before.containers}
    for container in after.containers:
        name, key = container["name"], f"{SECCOMP_PREFIX}{container['name']}"
        if name not in images or container.get("image") != images[name]:
            return True
        if after.annotations.get(key) != before.annotations.get(key):
            return True
    return False


def _first_of_each_controller(pods: Iterable[Object]) -> list[Object]:
    """One pod of each controller before the others, which will hardly tell more."""
    first: list[Object] = []
    others: list[Object] = []
    seen: set[str] = set()
    for pod in pods:
        controller = owners.controller_of(pod)
        uid = str(controller["uid"]) if controller else ""
        (others if uid in seen else first).append(pod)
        if uid:
            seen.add(uid)
    return first + others


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

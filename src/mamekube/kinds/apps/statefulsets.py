"""`StatefulSet` of `apps/v1`."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import cells, selectors
from mamekube.kinds.apps import workloads
from mamekube.kinds.fields import (
    Found,
    check,
    check_int_or_percent,
    check_not_negative,
    check_percent_max,
    int_or_percent,
    section,
)
from mamekube.kinds.kind import Column, Kind, Scale
from mamekube.kinds.podspec import validation, warnings
from mamekube.kinds.podspec.defaults import default_claim_spec, default_template
from mamekube.objects import names
from mamekube.objects.fielderrors import forbidden, invalid, not_supported, required
from mamekube.objects.meta import Object

COLUMNS = (
    cells.NAME,
    Column(name="Ready", description="Number of the pod with ready state"),
    cells.AGE,
    cells.CONTAINERS,
    cells.IMAGES,
)


def default(stateful_set: Object) -> None:
    spec = section(stateful_set, "spec")
    default_template(spec.get("template"))
    if not spec.get("podManagementPolicy"):
        spec["podManagementPolicy"] = "OrderedReady"
    strategy = section(spec, "updateStrategy")
    if not strategy.get("type"):
        strategy["type"] = "RollingUpdate"
        # Upstream fills in the partition of a strategy that it chose itself, too.
        section(strategy, "rollingUpdate")
    rolling = strategy.get("rollingUpdate")
    if strategy["type"] == "RollingUpdate" and rolling is not None:
        for field, value in (("partition", 0), ("maxUnavailable", 1)):
            if rolling.get(field) is None:
                rolling[field] = value
    retention = section(spec, "persistentVolumeClaimRetentionPolicy")
    for field in ("whenDeleted", "whenScaled"):
        if not retention.get(field):
            retention[field] = "Retain"
    if spec.get("replicas") is None:
        spec["replicas"] = 1
    if spec.get("revisionHistoryLimit") is None:
        spec["revisionHistoryLimit"] = 10
    for claim in spec.get("volumeClaimTemplates") or ():
        claim.setdefault("apiVersion", "v1")
        claim.setdefault("kind", "PersistentVolumeClaim")
        default_claim_spec(section(claim, "spec"))
        claim.setdefault("status", {"phase": "Pending"})


def prepare_create(stateful_set: Object) -> None:
    stateful_set["status"] = {"replicas": 0, "availableReplicas": 0}


def row(stateful_set: Object, now_s: float) -> list[Any]:
    spec, status = cells.spec_of(stateful_set), cells.status_of(stateful_set)
    return [
        cells.name(stateful_set),
        f"{cells.count(status, 'readyReplicas')}/{cells.count(spec, 'replicas')}",
        cells.age(stateful_set, now_s),
        *cells.container_cells(spec.get("template")),
    ]


RETENTION = ("Retain", "Delete")
UPDATABLE = (
    "replicas",
    "ordinals",
    "template",
    "updateStrategy",
    "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
)


def validate(stateful_set: Object) -> Found:
    found: Found = []
    spec = cells.spec_of(stateful_set)
    policy = spec.get("podManagementPolicy")
    if not policy:
        found.append(required("spec.podManagementPolicy"))
    elif policy not in ("OrderedReady", "Parallel"):
        detail = "must be 'OrderedReady' or 'Parallel'"
        found.append(invalid("spec.podManagementPolicy", policy, detail))
    _validate_strategy(spec.get("updateStrategy") or {}, "spec.updateStrategy", found)
    _validate_retention(spec.get("persistentVolumeClaimRetentionPolicy") or {}, found)
    for field in ("replicas", "minReadySeconds"):
        check_not_negative(spec, field, "spec", found)
    check_not_negative(spec.get("ordinals") or {}, "start", "spec.ordinals", found)
    template = spec.get("template") or {}
    if workloads.validate_selector(spec, found, empty="statefulset", malformed=""):
        selectors.validate_template_labels(spec.get("selector"), template, "spec.template", found)
        # Volumes of claim templates are not in the template, so its mounts are checked where pods are made.
        validation.validate_template(_with_claims(spec, template), "spec.template", found)
    validation.validate_long_running(template, "spec.template", found, owner="StatefulSet")
    return found


def validate_create(stateful_set: Object) -> Found:
    """A name of its service that is no label does not hinder what was made with it."""
    found: Found = []
    service = cells.spec_of(stateful_set).get("serviceName")
    if service:
        check(service, "spec.serviceName", names.dns1123_label, found)
    return found


def _with_claims(spec: dict[str, Any], template: dict[str, Any]) -> dict[str, Any]:
    claims = [
        {"name": claim["metadata"]["name"], "persistentVolumeClaim": {"claimName": claim["metadata"]["name"]}}
        for claim in spec.get("volumeClaimTemplates") or ()
        if (claim.get("metadata") or {}).get("name")
    ]
    if not claims:
        return template
    pod_spec = template.get("spec") or {}
    claimed = {claim["name"] for claim in claims}
    own = [volume for volume in pod_spec.get("volumes") or () if volume.get("name") not in claimed]
    return {**template, "spec": {**pod_spec, "volumes": [*own, *claims]}}


def _validate_strategy(strategy: dict[str, Any], path: str, found: Found) -> None:
    kind, rolling = strategy.get("type"), strategy.get("rollingUpdate")
    if not kind:
        found.append(required(path))
    elif kind == "OnDelete":
        if rolling is not None:
            detail = "only allowed for updateStrategy 'RollingUpdate'"
            found.append(invalid(f"{path}.rollingUpdate", rolling, detail))
    elif kind == "RollingUpdate":
        _validate_rolling_update(rolling or {}, f"{path}.rollingUpdate", found)
    else:
        found.append(invalid(path, strategy, "must be 'RollingUpdate' or 'OnDelete'"))


def _validate_rolling_update(rolling: dict[str, Any], path: str, found: Found) -> None:
    check_not_negative(rolling, "partition", path, found)
    unavailable = rolling.get("maxUnavailable")
    if unavailable is not None:
        check_int_or_percent(unavailable, f"{path}.maxUnavailable", found)
        if not int_or_percent(unavailable):
            found.append(invalid(f"{path}.maxUnavailable", unavailable, "cannot be 0"))
        check_percent_max(unavailable, f"{path}.maxUnavailable", found)


def _validate_retention(policy: dict[str, Any], found: Found) -> None:
    for field in ("whenDeleted", "whenScaled"):
        value = policy.get(field)
        if value and value not in RETENTION:
            path = f"spec.persistentVolumeClaimRetentionPolicy.{field}"
            found.append(not_supported(path, value, RETENTION))


def validate_update(new: Object, old: Object) -> Found:
    after, before = cells.spec_of(new), cells.spec_of(old)
    fixed = {*after, *before} - {*UPDATABLE}
    if all(after.get(field) == before.get(field) for field in fixed):
        return []
    listed = ", ".join(f"'{field}'" for field in UPDATABLE[:-1])
    detail = f"updates to statefulset spec for fields other than {listed} and '{UPDATABLE[-1]}' are forbidden"
    return [forbidden("spec", detail)]


def validate_status(new: Object, old: Object) -> Found:
    status = cells.status_of(new)
    counts = ("readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas")
    found = workloads.validate_counts(status, ("replicas", *counts, "observedGeneration", "collisionCount"))
    pairs = (*((field, "replicas") for field in counts), ("availableReplicas", "readyReplicas"))
    workloads.validate_at_most(status, pairs, found, prefix="status.")
    workloads.validate_collisions(new, old, found)
    return found


_of_template = warnings.of_template("spec", "template")


def warn(new: Object, old: Object | None) -> list[str]:
    said, limit = _of_template(new, old), cells.spec_of(new).get("revisionHistoryLimit")
    if limit is not None and limit < 0 and (old is None or cells.spec_of(new) != cells.spec_of(old)):
        said.append(
            "spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= 0 is recommended"
        )
    return said


KIND = Kind(
    group="apps",
    version="v1",
    plural="statefulsets",
    singular="statefulset",
    kind="StatefulSet",
    short_names=("sts",),
    categories=("all",),
    schema="io.k8s.api.apps.v1.StatefulSet",
    has_status=True,
    counts_generation=True,
    scale=Scale(),
    default=default,
    prepare_create=prepare_create,
    columns=COLUMNS,
    row=row,
    name_rule="label",
    validate=validate,
    validate_create=validate_create,
    validate_update=validate_update,
    validate_status=validate_status,
    warnings=warn,
)

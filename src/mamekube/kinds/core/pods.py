"""`Pod` of `v1`."""

from __future__ import annotations

from mamekube.kinds.fields import Found
from mamekube.kinds.kind import Kind
from mamekube.kinds.podspec import podannotations, rows, scheduling, statuses, updates, warnings
from mamekube.kinds.podspec.defaults import default_pod
from mamekube.kinds.podspec.qos import qos_class
from mamekube.kinds.podspec.validation import validate_pod
from mamekube.objects.fielderrors import forbidden
from mamekube.objects.meta import Object, annotations_of, labels_of

FINISHED = ("Succeeded", "Failed")


def prepare_create(pod: Object) -> None:
    """A new pod is Pending, whatever the client says of its status."""
    spec = pod.get("spec") or {}
    scheduling.merge_label_keys(spec, labels_of(pod))
    pod["status"] = {"phase": "Pending", "qosClass": qos_class(spec)}
    if spec.get("schedulingGates"):
        pod["status"]["conditions"] = [
            {
                "type": "PodScheduled",
                "status": "False",
                "lastProbeTime": None,
                "lastTransitionTime": None,
                "reason": "SchedulingGated",
                "message": "Scheduling is blocked due to non-empty scheduling gates",
            }
        ]


def grace_period_s(pod: Object, asked_s: int | None) -> int:
    spec, status = pod.get("spec") or {}, pod.get("status") or {}
    if not spec.get("nodeName") or status.get("phase") in FINISHED:
        return 0
    period_s = asked_s if asked_s is not None else spec.get("terminationGracePeriodSeconds") or 0
    return 1 if period_s < 0 else period_s


def _pod_ip(pod: Object) -> str:
    status = pod.get("status") or {}
    addresses = status.get("podIPs")
    return (addresses[0].get("ip") if addresses else status.get("podIP")) or ""


def validate_create(pod: Object) -> Found:
    spec = pod.get("spec") or {}
    found: Found = []
    if spec.get("ephemeralContainers"):
        found.append(forbidden("spec.ephemeralContainers", "cannot be set on create"))
    if spec.get("nodeName") and spec.get("schedulingGates"):
        detail = "cannot be set until all schedulingGates have been cleared"
        found.append(forbidden("spec.nodeName", detail))
    if annotations_of(pod):
        podannotations.validate_fields(annotations_of(pod), spec, "spec", found)
    return found


KIND = Kind(
    group="",
    version="v1",
    plural="pods",
    singular="pod",
    kind="Pod",
    short_names=("po",),
    categories=("all",),
    schema="io.k8s.api.core.v1.Pod",
    has_status=True,
    status_resets=(("metadata", "deletionTimestamp"), ("metadata", "ownerReferences")),
    counts_generation=True,
    subresources=(
        "attach",
        "binding",
        "ephemeralcontainers",
        "eviction",
        "exec",
        "log",
        "portforward",
        "proxy",
        "resize",
    ),
    default=default_pod,
    prepare_create=prepare_create,
    grace_period_s=grace_period_s,
    columns=rows.COLUMNS,
    row=rows.row,
    row_conditions=rows.row_conditions,
    selectable={
        "spec.nodeName": lambda pod: (pod.get("spec") or {}).get("nodeName") or "",
        "spec.restartPolicy": lambda pod: (pod.get("spec") or {}).get("restartPolicy") or "",
        "spec.schedulerName": lambda pod: (pod.get("spec") or {}).get("schedulerName") or "",
        "spec.serviceAccountName": lambda pod: (pod.get("spec") or {}).get("serviceAccountName") or "",
        "spec.hostNetwork": lambda pod: "true" if (pod.get("spec") or {}).get("hostNetwork") else "false",
        "status.phase": lambda pod: (pod.get("status") or {}).get("phase") or "",
        "status.podIP": _pod_ip,
        "status.nominatedNodeName": lambda pod: (pod.get("status") or {}).get("nominatedNodeName") or "",
    },
    validate=validate_pod,
    validate_update=updates.validate,
    prepare_status=statuses.keep_old,
    validate_status=statuses.validate_status,
    validate_create=validate_create,
    warnings=warnings.of_pod,
)

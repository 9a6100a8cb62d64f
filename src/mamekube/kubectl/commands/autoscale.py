"""kubectl autoscale: an autoscaler for what can be scaled."""

from __future__ import annotations

from typing import Any

from mamekube.kubectl.commands.apply import annotated
from mamekube.kubectl.commands.writing import WRITE_FLAGS, create, dry_run, report
from mamekube.kubectl.failures import Failure
from mamekube.kubectl.flags import Flag
from mamekube.kubectl.session import Session
from mamekube.kubectl.targets import FILE_FLAGS, RESOURCES_NEEDED, Target, resolve_named, target_of
from mamekube.objects.meta import Object

MANAGER = "kubectl-autoscale"
FLAGS = (
    *FILE_FLAGS,
    *(flag for flag in WRITE_FLAGS if flag.name != "validate"),
    *(Flag(name, "int") for name in ("min", "max", "cpu-percent")),
    *(Flag(name) for name in ("cpu", "memory", "name")),
    Flag("save-config", "bool"),
)


def run(session: Session) -> int:
    low, high = session.flag("min", -1), session.flag("max", -1)
    if not session.arguments.given("max"):
        raise Failure('error: required flag(s) "max" not set')
    if high < 1:
        raise Failure(f"error: --max=MAXPODS is required and must be at least 1, max: {high}")
    if high < low:
        raise Failure(
            f"error: --max=MAXPODS must be larger or equal to --min=MINPODS, max: {high}, min: {low}"
        )
    failed = False
    for target in resolve_named(session, session.words, usage=RESOURCES_NEEDED):
        try:
            _autoscale(session, target)
        except Failure as failure:
            session.warn(failure.text)
            failed = True
    return 1 if failed else 0


def _autoscale(session: Session, target: Target) -> None:
    session.api.get(target.path)
    resource = target.found.resource
    if session.api.request("GET", f"{target.path}/scale").code >= 400:
        raise Failure(
            f"error: cannot autoscale a {resource.kind}: could not find scale subresource for "
            f"{resource.group}/{resource.version}, Resource={resource.plural} in discovery information"
        )
    autoscaler = _autoscaler(session, target)
    if session.flag("save-config"):
        autoscaler = annotated(autoscaler)
    made = target_of(session, autoscaler)
    created = create(session, made, autoscaler, manager=MANAGER)
    report(session, made, created, "autoscaled")


def _autoscaler(session: Session, target: Target) -> Object:
    resource = target.found.resource
    spec: dict[str, Any] = {
        "maxReplicas": session.flag("max"),
        "scaleTargetRef": {
            "apiVersion": resource.api_version,
            "kind": resource.kind,
            "name": target.name,
        },
    }
    if session.flag("min", -1) > 0:
        spec["minReplicas"] = session.flag("min")
    if metrics := _metrics(session):
        spec["metrics"] = metrics
    metadata: dict[str, Any] = {"name": session.flag("name") or target.name}
    if target.namespace and dry_run(session) != "client":
        metadata["namespace"] = target.namespace
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": metadata,
        "spec": spec,
        "status": {"currentMetrics": None, "desiredReplicas": 0},
    }


def _metrics(session: Session) -> list[Object]:
    """`--cpu=80%` and `--cpu=500m`, the same for memory, and `--cpu-percent=80` of old."""
    wanted = {"cpu": session.flag("cpu"), "memory": session.flag("memory")}
    if session.flag("cpu-percent", -1) > 0 and not wanted["cpu"]:
        wanted["cpu"] = f"{session.flag('cpu-percent')}%"
    metrics = []
    for name, text in wanted.items():
        if not text:
            continue
        target: dict[str, Any] = {"type": "AverageValue", "averageValue": text}
        if text.endswith("%"):
            if not text[:-1].isdigit() or int(text[:-1]) < 1:
                raise Failure(f"error: invalid percentage value for --{name}: {text}")
            target = {"type": "Utilization", "averageUtilization": int(text[:-1])}
        metrics.append({"type": "Resource", "resource": {"name": name, "target": target}})
    return metrics

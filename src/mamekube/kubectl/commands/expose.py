"""kubectl expose: a Service for the pods behind a deployment, replica set, pod or another service."""

from __future__ import annotations

from typing import Any

from mamekube.kubectl.commands.writing import WRITE_FLAGS, create, report
from mamekube.kubectl.failures import Failure
from mamekube.kubectl.flags import Flag
from mamekube.kubectl.session import Session
from mamekube.kubectl.targets import FILE_FLAGS, Target, resolve, target_of
from mamekube.objects.meta import Object, labels_of

FLAGS = (
    *FILE_FLAGS,
    *WRITE_FLAGS,
    Flag("type"),
    Flag("port"),
    Flag("target-port"),
    Flag("protocol"),
    Flag("name"),
    Flag("selector"),
    Flag("labels", short="l"),
    Flag("cluster-ip"),
    Flag("external-ip"),
    Flag("load-balancer-ip"),
    Flag("session-affinity"),
)
USAGE = (
    "error: You must provide one or more resources by argument or filename.\n"
    "Example resource specifications include:\n   '-f rsrc.yaml'\n   '--filename=rsrc.json'\n"
    "   '<resource> <name>'\n   '<resource>'"
)
EXPOSABLE = ("Pod", "Service", "Deployment", "ReplicaSet", "ReplicationController")


def run(session: Session) -> int:
    for target in resolve(session, session.words, usage=USAGE):
        if target.found.resource.kind not in EXPOSABLE:
            raise Failure(f"error: cannot expose a {target.found.resource.group_kind}")
        live = session.api.get(target.path)
        manifest = _service(session, target, live)
        service = target_of(session, manifest)
        report(session, service, create(session, service, manifest, manager="kubectl-expose"), "exposed")
    return 0


def _service(session: Session, target: Target, live: Object) -> Object:
    selector = _pairs(session.flag("selector")) if session.flag("selector") else _selector(target, live)
    if not selector:
        raise Failure(
            f"error: couldn't retrieve selectors via --selector flag or introspection: the "
            f"{target.found.resource.kind.lower()} has no labels and cannot be exposed"
        )
    spec: dict[str, Any] = {"selector": selector, "ports": _ports(session, live)}
    for flag, field in (
        ("type", "type"),
        ("cluster-ip", "clusterIP"),
        ("load-balancer-ip", "loadBalancerIP"),
        ("session-affinity", "sessionAffinity"),
    ):
        if session.flag(flag):
            spec[field] = session.flag(flag)
    if session.flag("external-ip"):
        spec["externalIPs"] = session.flag("external-ip").split(",")
    labels = _pairs(session.flag("labels")) if session.flag("labels") else dict(labels_of(live))
    name = session.flag("name") or target.name
    metadata = {"name": name, "namespace": target.namespace} | ({"labels": labels} if labels else {})
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}


def _selector(target: Target, live: Object) -> dict[str, str]:
    kind = target.found.resource.kind
    if kind == "Pod":
        return dict(labels_of(live))
    selector = live["spec"].get("selector") or {}
    if kind in ("Service", "ReplicationController"):
        return dict(selector)
    if selector.get("matchExpressions"):
        raise Failure(
            "error: couldn't retrieve selectors via --selector flag or introspection: couldn't convert expressions - "
            f'"{selector["matchExpressions"]}" to map-based selector format'
        )
    return dict(selector.get("matchLabels") or {})


def _ports(session: Session, live: Object) -> list[dict[str, Any]]:
    protocol = session.flag("protocol")
    target_port = session.flag("target-port")
    numbers = [text for text in (session.flag("port") or "").split(",") if text]
    found: list[tuple[int, str]] = []
    if numbers:
        found = [(_number(text), protocol or "TCP") for text in numbers]
    else:
        found = [(number, protocol or name) for number, name in _ports_of(live)]
        if not found:
            raise Failure("error: couldn't find port via --port flag or introspection")
    ports = []
    for position, (number, name) in enumerate(found, 1):
        port: dict[str, Any] = {"protocol": name, "port": number}
        port["targetPort"] = _int_or_text(target_port) if target_port else number
        if len(found) > 1:
            port["name"] = f"port-{position}"
        ports.append(port)
    return ports


def _ports_of(live: Object) -> list[tuple[int, str]]:
    spec = live["spec"]
    if live.get("kind") == "Service":
        return [(port["port"], port.get("protocol", "TCP")) for port in spec.get("ports") or ()]
    pod_spec = spec.get("template", {}).get("spec", spec)
    return [
        (port["containerPort"], port.get("protocol", "TCP"))
        for container in pod_spec.get("containers") or ()
        for port in container.get("ports") or ()
    ]


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise Failure(f'error: strconv.Atoi: parsing "{text}": invalid syntax') from None


def _int_or_text(text: str) -> int | str:
    return int(text) if text.isdigit() else text


def _pairs(text: str) -> dict[str, str]:
    pairs = {}
    for part in text.split(","):
        key, equals, value = part.partition("=")
        if not equals or not key:
            raise Failure(f"error: unexpected label spec: {part}")
        pairs[key] = value
    return pairs

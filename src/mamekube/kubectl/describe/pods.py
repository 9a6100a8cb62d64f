"""Descriptions of pods and pod templates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mamekube.kubectl.describe.volumes import describe_volumes
from mamekube.kubectl.describe.writer import Writer, when
from mamekube.objects.meta import Object, annotations_of, labels_of, metadata, name_of, namespace_of
from mamekube.objects.owners import controller_of
from mamekube.objects.selectors import from_label_selector


def describe_pod(writer: Writer, pod: Object) -> None:
    spec, status = pod["spec"], pod.get("status") or {}
    writer.line(0, f"Name:\t{name_of(pod)}")
    writer.line(0, f"Namespace:\t{namespace_of(pod)}")
    if spec.get("priority") is not None:
        writer.line(0, f"Priority:\t{spec['priority']}")
    if spec.get("priorityClassName"):
        writer.line(0, f"Priority Class Name:\t{spec['priorityClassName']}")
    if spec.get("runtimeClassName"):
        writer.line(0, f"Runtime Class Name:\t{spec['runtimeClassName']}")
    if spec.get("serviceAccountName"):
        writer.line(0, f"Service Account:\t{spec['serviceAccountName']}")
    writer.line(0, f"Node:\t{_node(spec, status)}")
    if status.get("startTime"):
        writer.line(0, f"Start Time:\t{when(status['startTime'])}")
    writer.mapping("Labels", labels_of(pod))
    writer.annotations("Annotations", annotations_of(pod))
    _status(writer, pod, status)
    writer.line(0, f"IP:\t{status.get('podIP', '')}")
    _addresses(writer, status)
    if owner := controller_of(pod):
        writer.line(0, f"Controlled By:\t{owner['kind']}/{owner['name']}")
    if status.get("nominatedNodeName"):
        writer.line(0, f"NominatedNodeName:\t{status['nominatedNodeName']}")
    initial = status.get("initContainerStatuses") or ()
    if spec.get("initContainers"):
        _containers(writer, "Init Containers", spec["initContainers"], initial)
    _containers(writer, "Containers", spec["containers"], status.get("containerStatuses") or ())
    if spec.get("ephemeralContainers"):
        statuses = status.get("ephemeralContainerStatuses") or ()
        _containers(writer, "Ephemeral Containers", spec["ephemeralContainers"], statuses)
    if status.get("conditions"):
        writer.line(0, "Conditions:")
        writer.line(1, "Type\tStatus")
        for condition in status["conditions"]:
            writer.line(1, f"{condition['type']} \t{condition['status']} ")
    describe_volumes(writer, spec.get("volumes") or ())
    writer.line(0, f"QoS Class:\t{status.get('qosClass', '')}")
    writer.mapping("Node-Selectors", spec.get("nodeSelector"))
    describe_tolerations(writer, spec.get("tolerations") or ())
    _spread(writer, spec.get("topologySpreadConstraints") or ())


def _node(spec: Mapping[str, Any], status: Mapping[str, Any]) -> str:
    if not spec.get("nodeName"):
        return "<none>"
    return f"{spec['nodeName']}/{status.get('hostIP', '')}"


def _status(writer: Writer, pod: Object, status: Mapping[str, Any]) -> None:
    if deleted := metadata(pod).get("deletionTimestamp"):
        import time

        from mamekube.objects.ages import since

        writer.line(0, f"Status:\tTerminating (lasts {since(deleted, time.time())})")
        writer.line(0, f"Termination Grace Period:\t{metadata(pod).get('deletionGracePeriodSeconds')}s")
    else:
        writer.line(0, f"Status:\t{status.get('phase', '')}")
    if status.get("reason"):
        writer.line(0, f"Reason:\t{status['reason']}")
    if status.get("message"):
        writer.line(0, f"Message:\t{status['message']}")


def _addresses(writer: Writer, status: Mapping[str, Any]) -> None:
    addresses = status.get("podIPs") or ()
    if not addresses:
        writer.line(0, "IPs:\t<none>")
        return
    writer.line(0, "IPs:")
    for entry in addresses:
        writer.line(1, f"IP:\t{entry['ip']}")


# Containers -------------------------------------------------------------------------------------------


def _containers(
    writer: Writer,
    label: str,
    containers: Sequence[Object],
    statuses: Sequence[Object],
    *,
    in_template: bool = False,
) -> None:
    writer.line(1 if in_template else 0, f"{label}:")
    by_name = {status["name"]: status for status in statuses}
    for container in containers:
        status = by_name.get(container["name"])
        writer.line(1, f"{' ' if in_template else ''}{container['name']}:")
        if status is not None:
            writer.line(2, f"Container ID:\t{status.get('containerID', '')}")
        writer.line(2, f"Image:\t{container.get('image', '')}")
        if status is not None:
            writer.line(2, f"Image ID:\t{status.get('imageID', '')}")
        _ports(writer, container)
        _words(writer, "Command", container.get("command"))
        _words(writer, "Args", container.get("args"))
        if status is not None:
            _state(writer, "State", status.get("state") or {})
            if status.get("lastState"):
                _state(writer, "Last State", status["lastState"])
            writer.line(2, f"Ready:\t{'True' if status.get('ready') else 'False'}")
            writer.line(2, f"Restart Count:\t{status.get('restartCount', 0)}")
        for name in ("limits", "requests"):
            if amounts := (container.get("resources") or {}).get(name):
                writer.line(2, f"{name.capitalize()}:")
                for resource, amount in sorted(amounts.items()):
                    writer.line(3, f"{resource}:\t{amount}")
        for kind in ("liveness", "readiness", "startup"):
            if container.get(f"{kind}Probe"):
                writer.line(2, f"{kind.capitalize()}:\t{probe_text(container[f'{kind}Probe'])}")
        _environment(writer, container)
        _mounts(writer, container)


def _ports(writer: Writer, container: Object) -> None:
    ports = container.get("ports") or ()
    texts = [f"{port['containerPort']}/{port.get('protocol', 'TCP')}" for port in ports]
    texts = [
        f"{text} ({port['name']})" if port.get("name") else text
        for text, port in zip(texts, ports, strict=True)
    ]
    hosts = [f"{port.get('hostPort', 0)}/{port.get('protocol', 'TCP')}" for port in ports]
    hosts = [
        f"{text} ({port['name']})" if port.get("name") else text
        for text, port in zip(hosts, ports, strict=True)
    ]
    plural = "s" if len(ports) > 1 else ""
    writer.line(2, f"Port{plural}:\t{', '.join(texts) or '<none>'}")
    writer.line(2, f"Host Port{plural}:\t{', '.join(hosts) or '<none>'}")


def _words(writer: Writer, label: str, words: Sequence[str] | None) -> None:
    if not words:
        return
    writer.line(2, f"{label}:")
    for word in words:
        for line in word.split("\n"):
            writer.line(3, line)


def _state(writer: Writer, label: str, state: Mapping[str, Any]) -> None:
    if running := state.get("running"):
        writer.line(2, f"{label}:\tRunning")
        writer.line(3, f"Started:\t{when(running.get('startedAt'))}")
    elif (terminated := state.get("terminated")) is not None:
        writer.line(2, f"{label}:\tTerminated")
        for name in ("reason", "message"):
            if terminated.get(name):
                writer.line(3, f"{name.capitalize()}:\t{terminated[name]}")
        writer.line(3, f"Exit Code:\t{terminated.get('exitCode', 0)}")
        if terminated.get("signal"):
            writer.line(3, f"Signal:\t{terminated['signal']}")
        writer.line(3, f"Started:\t{when(terminated.get('startedAt'))}")
        writer.line(3, f"Finished:\t{when(terminated.get('finishedAt'))}")
    else:
        writer.line(2, f"{label}:\tWaiting")
        if (state.get("waiting") or {}).get("reason"):
            writer.line(3, f"Reason:\t{state['waiting']['reason']}")


def probe_text(probe: Mapping[str, Any]) -> str:
    """`http-get http://:8080/ delay=0s timeout=1s period=10s #success=1 #failure=3`."""
    numbers = (
        f"delay={probe.get('initialDelaySeconds', 0)}s timeout={probe.get('timeoutSeconds', 1)}s "
        f"period={probe.get('periodSeconds', 10)}s #success={probe.get('successThreshold', 1)} "
        f"#failure={probe.get('failureThreshold', 3)}"
    )
    if "exec" in probe:
        return f"exec [{' '.join(probe['exec'].get('command') or ())}] {numbers}"
    if get := probe.get("httpGet"):
        scheme, path = get.get("scheme", "HTTP").lower(), get.get("path", "")
        path = path if path.startswith("/") else f"/{path}"
        return f"http-get {scheme}://{get.get('host', '')}:{get['port']}{path} {numbers}"
    if socket := probe.get("tcpSocket"):
        return f"tcp-socket {socket.get('host', '')}:{socket['port']} {numbers}"
    if grpc := probe.get("grpc"):
        return f"grpc <pod>:{grpc['port']} {grpc.get('service') or ''} {numbers}"
    return f"unknown {numbers}"


def _environment(writer: Writer, container: Object) -> None:
    if container.get("envFrom"):
        writer.line(2, "Environment Variables from:")
        for source in container["envFrom"]:
            kind, field = (
                ("ConfigMap", "configMapRef") if "configMapRef" in source else ("Secret", "secretRef")
            )
            reference = source.get(field) or {}
            prefix = f" with prefix '{source['prefix']}'" if source.get("prefix") else ""
            optional = "true" if reference.get("optional") else "false"
            writer.line(3, f"{reference.get('name', '')}\t{kind}{prefix}\tOptional: {optional}")
    variables = container.get("env") or ()
    if not variables:
        writer.line(2, "Environment:\t<none>")
        return
    writer.line(2, "Environment:")
    for variable in variables:
        source = variable.get("valueFrom")
        if source is None:
            lines = str(variable.get("value", "")).split("\n")
            writer.line(3, f"{variable['name']}:\t{lines[0]}")
            for line in lines[1:]:
                writer.line(3, f"\t{line}")
        else:
            writer.line(3, f"{variable['name']}:\t{_source_text(source)}")


def _source_text(source: Mapping[str, Any]) -> str:
    if field := source.get("fieldRef"):
        return f" ({field.get('apiVersion', 'v1')}:{field['fieldPath']})"
    if resource := source.get("resourceFieldRef"):
        return f" ({resource['resource']})"
    for kind, field_name in (("secret", "secretKeyRef"), ("config map", "configMapKeyRef")):
        if reference := source.get(field_name):
            optional = "true" if reference.get("optional") else "false"
            return (
                f"<set to the key '{reference['key']}' of {kind} '{reference['name']}'>\tOptional: {optional}"
            )
    return ""


def _mounts(writer: Writer, container: Object) -> None:
    mounts = sorted(container.get("volumeMounts") or (), key=lambda mount: str(mount["mountPath"]))
    if not mounts:
        writer.line(2, "Mounts:\t<none>")
        return
    writer.line(2, "Mounts:")
    for mount in mounts:
        flags = ["ro" if mount.get("readOnly") else "rw"]
        if mount.get("subPath"):
            flags.append(f'path="{mount["subPath"]}"')
        writer.line(3, f"{mount['mountPath']} from {mount['name']} ({','.join(flags)})")


# Templates --------------------------------------------------------------------------------------------


def write_template(writer: Writer, template: Object) -> None:
    """The `Pod Template:` part of a workload's description."""
    writer.line(0, "Pod Template:")
    spec = template.get("spec") or {}
    writer.mapping("  Labels", labels_of(template))
    if annotations_of(template):
        writer.annotations("  Annotations", annotations_of(template))
    if spec.get("serviceAccountName"):
        writer.line(0, f"  Service Account:\t{spec['serviceAccountName']}")
    if spec.get("initContainers"):
        _template_containers(writer, "Init Containers", spec["initContainers"])
    _template_containers(writer, "Containers", spec.get("containers") or ())
    describe_volumes(writer, spec.get("volumes") or (), prefix="  ")
    if spec.get("priorityClassName"):
        writer.line(0, f"  Priority Class Name:\t{spec['priorityClassName']}")
    writer.mapping("  Node-Selectors", spec.get("nodeSelector"))
    describe_tolerations(writer, spec.get("tolerations") or (), prefix="  ")


def _template_containers(writer: Writer, label: str, containers: Sequence[Object]) -> None:
    _containers(writer, label, containers, (), in_template=True)


def describe_template(template: Object) -> str:
    """A pod template alone, as `rollout history --revision` shows it."""
    writer = Writer()
    write_template(writer, template)
    return writer.text()


def describe_tolerations(
    writer: Writer, tolerations: Sequence[Mapping[str, Any]], *, prefix: str = ""
) -> None:
    writer.block(f"{prefix}Tolerations", sorted(_toleration_text(toleration) for toleration in tolerations))


def _toleration_text(toleration: Mapping[str, Any]) -> str:
    text = str(toleration.get("key", ""))
    if toleration.get("value"):
        text += f"={toleration['value']}"
    if toleration.get("effect"):
        text += f":{toleration['effect']}"
    if toleration.get("operator") == "Exists" and not toleration.get("value"):
        text += f"{' ' if text else ''}op=Exists"
    if toleration.get("tolerationSeconds") is not None:
        text += f" for {toleration['tolerationSeconds']}s"
    return text


def _spread(writer: Writer, constraints: Sequence[Mapping[str, Any]]) -> None:
    if not constraints:
        return
    texts = []
    for constraint in sorted(constraints, key=lambda entry: str(entry["topologyKey"])):
        text = (
            f"{constraint['topologyKey']}:{constraint['whenUnsatisfiable']} when max skew "
            f"{constraint['maxSkew']} is exceeded"
        )
        if constraint.get("labelSelector"):
            text += f" for selector {from_label_selector(constraint['labelSelector'])}"
        texts.append(text)
    writer.block("Topology Spread Constraints", texts)

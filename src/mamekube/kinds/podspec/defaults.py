"""What upstream fills in where a pod or a pod template leaves something out (SetDefaults of core/v1).

All functions change what they are given and are idempotent. A JSON null counts as left out.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mamekube.kinds.fields import section
from mamekube.kinds.podspec.statuses import default_status
from mamekube.objects import quantity

DEFAULT_SCHEDULER = "default-scheduler"
TERMINATION_MESSAGE_PATH = "/dev/termination-log"
GRACE_PERIOD_S = 30
FILE_MODE = 0o644
TOKEN_EXPIRATION_S = 3600

_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_HOOKS = ("postStart", "preStop")


def default_pod(pod: dict[str, Any]) -> None:
    """A Pod: its spec as in a template, and what upstream fills in for pods only."""
    spec, status = pod.get("spec"), pod.get("status")
    if status:
        default_status(status)
    if spec is None:
        return
    default_pod_spec(spec)
    if spec.get("enableServiceLinks") is None:
        spec["enableServiceLinks"] = True
    for containers in (spec.get("containers"), spec.get("initContainers")):
        for container in containers or ():
            _default_requests(container["resources"])
            if spec.get("hostNetwork"):
                _default_host_ports(container)


def default_template(template: dict[str, Any] | None) -> None:
    if template is None:
        return
    metadata = template.get("metadata")
    if metadata is None:
        template["metadata"] = {}
    elif metadata.get("creationTimestamp", "") is None:
        del metadata["creationTimestamp"]
    if template.get("spec") is None:
        template["spec"] = {}
    default_pod_spec(template["spec"])


def default_pod_spec(spec: dict[str, Any]) -> None:
    if not spec.get("restartPolicy"):
        spec["restartPolicy"] = "Always"
    if not spec.get("dnsPolicy"):
        spec["dnsPolicy"] = "ClusterFirst"
    if not spec.get("schedulerName"):
        spec["schedulerName"] = DEFAULT_SCHEDULER
    if spec.get("terminationGracePeriodSeconds") is None:
        spec["terminationGracePeriodSeconds"] = GRACE_PERIOD_S
    if spec.get("securityContext") is None:
        spec["securityContext"] = {}
    mirror_service_account(spec)
    for field in ("containers", "initContainers", "ephemeralContainers"):
        for container in spec.get(field) or ():
            default_container(container)
    for volume in spec.get("volumes") or ():
        default_volume(volume)
    for overhead in (spec.get("overhead"), *_resource_lists(spec.get("resources"))):
        canonicalize(overhead)


def mirror_service_account(spec: dict[str, Any]) -> None:
    """`serviceAccount` is the old name of `serviceAccountName`, and is written wherever that one is."""
    name = spec.get("serviceAccountName") or spec.get("serviceAccount")
    if name:
        spec["serviceAccountName"] = spec["serviceAccount"] = name


def default_container(container: dict[str, Any]) -> None:
    if not container.get("imagePullPolicy"):
        container["imagePullPolicy"] = pull_policy(container.get("image") or "")
    if not container.get("terminationMessagePath"):
        container["terminationMessagePath"] = TERMINATION_MESSAGE_PATH
    if not container.get("terminationMessagePolicy"):
        container["terminationMessagePolicy"] = "File"
    resources = container.get("resources")
    if resources is None:
        container["resources"] = {}
    else:
        for amounts in _resource_lists(resources):
            canonicalize(amounts)
    for port in container.get("ports") or ():
        if not port.get("protocol"):
            port["protocol"] = "TCP"
    for variable in container.get("env") or ():
        source = variable.get("valueFrom")
        if source is not None:
            _default_env_source(source)
    for field in _PROBES:
        probe = container.get(field)
        if probe is not None:
            default_probe(probe)
    lifecycle = container.get("lifecycle")
    if lifecycle is not None:
        for field in _HOOKS:
            _default_handler(lifecycle.get(field) or {})


def pull_policy(image: str) -> str:
    """`Always` for an image whose tag is or would be `latest`, else `IfNotPresent`."""
    name, _, digest = image.partition("@")
    tag = name.rpartition("/")[2].partition(":")[2]
    return "Always" if image and (tag == "latest" or not (tag or digest)) else "IfNotPresent"


def default_probe(probe: dict[str, Any]) -> None:
    for field, value in (
        ("timeoutSeconds", 1),
        ("periodSeconds", 10),
        ("successThreshold", 1),
        ("failureThreshold", 3),
    ):
        if not probe.get(field):
            probe[field] = value
    _default_handler(probe)
    grpc = probe.get("grpc")
    if grpc is not None and grpc.get("service") is None:
        grpc["service"] = ""


def _default_handler(handler: dict[str, Any]) -> None:
    request = handler.get("httpGet")
    if request is not None:
        if not request.get("path"):
            request["path"] = "/"
        if not request.get("scheme"):
            request["scheme"] = "HTTP"


def _default_env_source(source: dict[str, Any]) -> None:
    field = source.get("fieldRef")
    if field is not None and not field.get("apiVersion"):
        field["apiVersion"] = "v1"
    resource = source.get("resourceFieldRef")
    if resource is not None:
        _default_divisor(resource)
    file_key = source.get("fileKeyRef")
    if file_key is not None and file_key.get("optional") is None:
        file_key["optional"] = False


def _default_divisor(reference: dict[str, Any]) -> None:
    # The divisor is no pointer upstream, so it is written even where it was left out.
    divisor = reference.get("divisor")
    reference["divisor"] = "0" if divisor is None else canonical_or_same(divisor)


_VOLUME_DEFAULTS: dict[str, dict[str, Any]] = {
    "secret": {"defaultMode": FILE_MODE},
    "configMap": {"defaultMode": FILE_MODE},
    "downwardAPI": {"defaultMode": FILE_MODE},
    "projected": {"defaultMode": FILE_MODE},
    "hostPath": {"type": ""},
    "iscsi": {"iscsiInterface": "default"},
    "rbd": {"pool": "rbd", "user": "admin", "keyring": "/etc/ceph/keyring"},
    "azureDisk": {"cachingMode": "ReadWrite", "fsType": "ext4", "readOnly": False, "kind": "Shared"},
    "scaleIO": {"storageMode": "ThinProvisioned", "fsType": "xfs"},
}


def default_volume(volume: dict[str, Any]) -> None:
    source_name = next((key for key, value in volume.items() if key != "name" and value is not None), None)
    if source_name is None:
        volume["emptyDir"] = {}
        return
    default_volume_source(source_name, volume[source_name])


def default_volume_source(name: str, source: dict[str, Any]) -> None:
    """`name` is the field that the source stands in: `secret`, `hostPath`, …"""
    for field, value in _VOLUME_DEFAULTS.get(name, {}).items():
        if source.get(field) is None:
            source[field] = value
    if name == "projected":
        for part in source.get("sources") or ():
            token = part.get("serviceAccountToken")
            if token is not None and token.get("expirationSeconds") is None:
                token["expirationSeconds"] = TOKEN_EXPIRATION_S
            _default_downward_items((part.get("downwardAPI") or {}).get("items"))
    elif name == "downwardAPI":
        _default_downward_items(source.get("items"))
    elif name == "emptyDir":
        if source.get("sizeLimit") is not None:
            source["sizeLimit"] = canonical_or_same(source["sizeLimit"])
    elif name == "image":
        if not source.get("pullPolicy"):
            source["pullPolicy"] = pull_policy(source.get("reference") or "")
    elif name == "ephemeral":
        default_claim_spec((source.get("volumeClaimTemplate") or {}).get("spec") or {})


def default_claim_spec(spec: dict[str, Any]) -> None:
    """The spec of a PersistentVolumeClaim."""
    if not spec.get("volumeMode"):
        spec["volumeMode"] = "Filesystem"
    if spec.get("resources") is None:
        spec["resources"] = {}
    for amounts in _resource_lists(spec["resources"]):
        canonicalize(amounts)


def _default_downward_items(items: Iterable[dict[str, Any]] | None) -> None:
    for item in items or ():
        _default_env_source(item)


def _resource_lists(resources: dict[str, Any] | None) -> tuple[dict[str, Any] | None, ...]:
    return (resources.get("limits"), resources.get("requests")) if resources else ()


def canonicalize(amounts: dict[str, Any] | None) -> None:
    """Write every quantity of a ResourceList in its one canonical way."""
    for name, amount in (amounts or {}).items():
        amounts[name] = canonical_or_same(amount)  # type: ignore[index]


def canonical_or_same(amount: Any) -> Any:
    try:
        return quantity.canonical(amount if type(amount) is str else str(amount))
    except ValueError:
        # Validation says what is wrong with it.
        return amount


def _default_requests(resources: dict[str, Any]) -> None:
    limits = resources.get("limits")
    if not limits:
        return
    requests = section(resources, "requests")
    for name, amount in limits.items():
        requests.setdefault(name, amount)


def _default_host_ports(container: dict[str, Any]) -> None:
    for port in container.get("ports") or ():
        if not port.get("hostPort"):
            port["hostPort"] = port.get("containerPort")

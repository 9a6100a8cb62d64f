"""The flow schemas and priority levels that every cluster is born with, as upstream defines them."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

from mamekube.kinds.flowcontrol import mandatory
from mamekube.objects.meta import Object

API_VERSION = "flowcontrol.apiserver.k8s.io/v1"
AUTO_UPDATE = {"apf.kubernetes.io/autoupdate-spec": "true"}

NODES = "system:nodes"
EVERYBODY = ("system:unauthenticated", "system:authenticated")
CONTROLLER_MANAGER = "system:kube-controller-manager"
SCHEDULER = "system:kube-scheduler"

_QUEUED: Sequence[tuple[str, int, int, int, int]] = (
    # name, nominal shares, lendable percent, queues, hand size
    ("system", 30, 33, 64, 6),
    ("node-high", 40, 25, 64, 6),
    ("leader-election", 10, 0, 16, 4),
    ("workload-high", 40, 50, 128, 6),
    ("workload-low", 100, 90, 128, 6),
    ("global-default", 20, 50, 128, 6),
)
QUEUE_LENGTH_MAX = 50


def priority_levels() -> list[Object]:
    """The mandatory levels `exempt` and `catch-all`, and the suggested ones."""
    specs = deepcopy(mandatory.PRIORITY_LEVELS)
    for name, shares, lendable, queues, hand_size in _QUEUED:
        queuing = {"queues": queues, "handSize": hand_size, "queueLengthLimit": QUEUE_LENGTH_MAX}
        limited = {
            "nominalConcurrencyShares": shares,
            "lendablePercent": lendable,
            "limitResponse": {"type": "Queue", "queuing": queuing},
        }
        specs[name] = {"type": "Limited", "limited": limited}
    return [_object("PriorityLevelConfiguration", name, spec) for name, spec in specs.items()]


def flow_schemas() -> list[Object]:
    """The mandatory schemas `exempt` and `catch-all`, and the suggested ones."""
    kube_system = [_account("kube-system", "*")]
    endpoints = [
        _rule(["get", "create", "update"], "", ["endpoints", "configmaps"], ["kube-system"]),
        _rule(["get", "create", "update"], "coordination.k8s.io", ["leases"], ["*"]),
    ]
    node_high = [
        _rule(["*"], "", ["nodes", "nodes/status"], ["*"], cluster=True),
        _rule(["*"], "coordination.k8s.io", ["leases"], ["*"]),
    ]
    endpoint_rules = [
        _rule(["get", "create", "update"], "", ["endpoints"], ["*"]),
        _rule(["get", "create", "update"], "discovery.k8s.io", ["endpointslices"], ["*"]),
    ]
    endpoint_users = [
        *_users(CONTROLLER_MANAGER),
        _account("kube-system", "endpoint-controller"),
        _account("kube-system", "endpointslicemirroring-controller"),
    ]
    leaders = [*_users(CONTROLLER_MANAGER, SCHEDULER), *kube_system]
    health = [{"verbs": ["get"], "nonResourceURLs": ["/healthz", "/readyz", "/livez"]}]
    return [
        _mandatory("exempt"),
        _schema("probes", "exempt", 2, "", _groups(*EVERYBODY), resources=[], paths=health),
        _schema("system-leader-election", "leader-election", 100, "ByUser", leaders, endpoints, []),
        _schema("endpoint-controller", "workload-high", 150, "ByUser", endpoint_users, endpoint_rules, []),
        _schema(
            "workload-leader-election",
            "leader-election",
            200,
            "ByUser",
            kube_system,
            _anywhere(endpoints),
            [],
        ),
        _schema("system-node-high", "node-high", 400, "ByUser", _groups(NODES), node_high, []),
        _schema("system-nodes", "system", 500, "ByUser", _groups(NODES)),
        _schema("kube-controller-manager", "workload-high", 800, "ByNamespace", _users(CONTROLLER_MANAGER)),
        _schema("kube-scheduler", "workload-high", 800, "ByNamespace", _users(SCHEDULER)),
        _schema("kube-system-service-accounts", "workload-high", 900, "ByNamespace", kube_system),
        _schema("service-accounts", "workload-low", 9000, "ByUser", _groups("system:serviceaccounts")),
        _schema("global-default", "global-default", 9900, "ByUser", _groups(*EVERYBODY)),
        _mandatory("catch-all"),
    ]


def dangling_condition(schema: Object, now: str, *, found: bool = True) -> dict[str, Any]:
    """The status condition of a schema: whether its level exists."""
    level = schema["spec"]["priorityLevelConfiguration"]["name"]
    text = f'This FlowSchema references the PriorityLevelConfiguration object named "{level}" '
    return {
        "type": "Dangling",
        "status": "False" if found else "True",
        "lastTransitionTime": now,
        "reason": "Found" if found else "NotFound",
        "message": text + ("and it exists" if found else "but there is no such object"),
    }


_ALL_RESOURCES = [
    {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "clusterScope": True, "namespaces": ["*"]}
]
_ALL_PATHS = [{"verbs": ["*"], "nonResourceURLs": ["*"]}]


def _mandatory(name: str) -> Object:
    return _object("FlowSchema", name, deepcopy(mandatory.FLOW_SCHEMAS[name]))


def _schema(
    name: str,
    level: str,
    precedence: int,
    distinguisher: str,
    subjects: list[Object],
    resources: list[Object] = _ALL_RESOURCES,
    paths: list[Object] = _ALL_PATHS,
) -> Object:
    rules: dict[str, Any] = {"subjects": subjects}
    if resources:
        rules["resourceRules"] = resources
    if paths:
        rules["nonResourceRules"] = paths
    spec: dict[str, Any] = {"priorityLevelConfiguration": {"name": level}, "matchingPrecedence": precedence}
    if distinguisher:
        spec["distinguisherMethod"] = {"type": distinguisher}
    spec["rules"] = [rules]
    return _object("FlowSchema", name, spec)


def _object(kind: str, name: str, spec: dict[str, Any]) -> Object:
    metadata = {"name": name, "annotations": dict(AUTO_UPDATE)}
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": spec}


def _rule(
    verbs: list[str], group: str, resources: list[str], namespaces: list[str], *, cluster: bool = False
) -> Object:
    rule: Object = {"verbs": verbs, "apiGroups": [group], "resources": resources}
    if cluster:
        rule["clusterScope"] = True
    rule["namespaces"] = namespaces
    return rule


def _anywhere(rules: list[Object]) -> list[Object]:
    return [{**rule, "namespaces": ["*"]} for rule in rules]


def _groups(*names: str) -> list[Object]:
    return [{"kind": "Group", "group": {"name": name}} for name in names]


def _users(*names: str) -> list[Object]:
    return [{"kind": "User", "user": {"name": name}} for name in names]


def _account(namespace: str, name: str) -> Object:
    return {"kind": "ServiceAccount", "serviceAccount": {"namespace": namespace, "name": name}}

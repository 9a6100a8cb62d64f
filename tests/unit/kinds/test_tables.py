"""One row of each kind that has a table of its own, cell by cell."""

from typing import Any

import pytest

from mamekube.foundation.clock import parse_time
from mamekube.kinds.registry import builtin_registry

BORN = "2026-01-01T00:00:00Z"
NOW_S = parse_time(BORN) + 3 * 3600 + 360
AGE = "3h6m"
TEMPLATE = {"spec": {"containers": [{"name": "a", "image": "x:1"}, {"name": "b", "image": "y:2"}]}}
SELECTOR = {
    "matchLabels": {"app": "x"},
    "matchExpressions": [
        {"key": "a", "operator": "In", "values": ["2", "1"]},
        {"key": "z", "operator": "Exists"},
    ],
}
SELECTED = "a in (1,2),app=x,z"
NODE_STATUS = {
    "conditions": [{"type": "Ready", "status": "True"}],
    "nodeInfo": {"kubeletVersion": "v1.36.0", "osImage": "Debian", "kernelVersion": "6.1"},
    "addresses": [{"type": "Hostname", "address": "n"}, {"type": "InternalIP", "address": "192.168.49.2"}],
}
CPU_TARGET = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}
CPU_NOW = {"name": "cpu", "current": {"averageUtilization": 12}}
EVENT = {
    "involvedObject": {"kind": "Pod", "name": "p", "fieldPath": "spec.containers{c}"},
    "type": "Warning",
    "reason": "BackOff",
    "message": " again \n",
    "source": {"component": "kubelet", "host": "n"},
    "firstTimestamp": BORN,
    "lastTimestamp": "2026-01-01T03:05:00Z",
    "count": 4,
}

ROWS: list[tuple[str, dict[str, Any], list[Any]]] = [
    (
        "apps/v1/deployments",
        {
            "spec": {"replicas": 4, "template": TEMPLATE, "selector": SELECTOR},
            "status": {"readyReplicas": 3, "updatedReplicas": 2, "availableReplicas": 1},
        },
        ["x", "3/4", 2, 1, AGE, "a,b", "x:1,y:2", SELECTED],
    ),
    (
        "apps/v1/replicasets",
        {"spec": {"replicas": 4, "template": TEMPLATE}, "status": {"replicas": 3, "readyReplicas": 2}},
        ["x", 4, 3, 2, AGE, "a,b", "x:1,y:2", "<none>"],
    ),
    (
        "apps/v1/daemonsets",
        {
            "spec": {"template": {"spec": {"nodeSelector": {"b": "2", "a": "1"}}}},
            "status": {"numberReady": 1},
        },
        ["x", 0, 0, 1, 0, 0, "a=1,b=2", AGE, "", "", "<none>"],
    ),
    ("apps/v1/statefulsets", {"spec": {"replicas": 2}}, ["x", "0/2", AGE, "", ""]),
    (
        "apps/v1/controllerrevisions",
        {
            "revision": 3,
            "metadata": {
                "ownerReferences": [
                    {"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "d", "controller": True}
                ]
            },
        },
        ["x", "daemonset.apps/d", 3, AGE],
    ),
    ("v1/namespaces", {"status": {"phase": "Active"}}, ["x", "Active", AGE]),
    ("v1/configmaps", {"data": {"a": ""}, "binaryData": {"b": ""}}, ["x", 2, AGE]),
    ("v1/secrets", {"type": "Opaque", "data": {"a": ""}}, ["x", "Opaque", 1, AGE]),
    ("v1/serviceaccounts", {}, ["x", 0, AGE]),
    ("v1/limitranges", {}, ["x", BORN]),
    ("rbac.authorization.k8s.io/v1/roles", {}, ["x", BORN]),
    ("apiextensions.k8s.io/v1/customresourcedefinitions", {}, ["x", BORN]),
    (
        "v1/resourcequotas",
        {"status": {"hard": {"pods": "4", "limits.cpu": "2000m"}, "used": {"pods": "1"}}},
        ["x", "pods: 1/4", "limits.cpu: 0/2", AGE],
    ),
    (
        "v1/endpoints",
        {
            "subsets": [
                {
                    "addresses": [{"ip": f"10.0.0.{n}"} for n in (1, 2, 3, 4)],
                    "ports": [{"port": 80}, {"port": 81}],
                }
            ]
        },
        ["x", "10.0.0.1:80,10.0.0.2:80,10.0.0.3:80 + 5 more...", AGE],
    ),
    ("v1/endpoints", {}, ["x", "<none>", AGE]),
    (
        "discovery.k8s.io/v1/endpointslices",
        {
            "addressType": "IPv4",
            "ports": [{"port": 80}, {"name": "web"}, {}],
            "endpoints": [{"addresses": ["10.0.0.1"]}, {"addresses": ["10.0.0.2"]}],
        },
        ["x", "IPv4", "80,web,*", "10.0.0.1,10.0.0.2", AGE],
    ),
    ("discovery.k8s.io/v1/endpointslices", {"addressType": "IPv4"}, ["x", "IPv4", "<unset>", "<unset>", AGE]),
    (
        "v1/nodes",
        {
            "metadata": {
                "labels": {"node-role.kubernetes.io/worker": "", "node-role.kubernetes.io/control-plane": ""}
            },
            "spec": {"unschedulable": True},
            "status": NODE_STATUS,
        },
        [
            "x",
            "Ready,SchedulingDisabled",
            "control-plane,worker",
            AGE,
            "v1.36.0",
            "192.168.49.2",
            "<none>",
            "Debian",
            "6.1",
            "<unknown>",
        ],
    ),
    (
        "v1/nodes",
        {"status": {"conditions": [{"type": "Ready", "status": "Unknown"}]}},
        ["x", "NotReady", "<none>", AGE, "", "<none>", "<none>", "<unknown>", "<unknown>", "<unknown>"],
    ),
    (
        "v1/events",
        EVENT,
        [
            "60s",
            "Warning",
            "BackOff",
            "pod/p",
            "spec.containers{c}",
            "kubelet, n",
            "again",
            AGE,
            4,
            "x",
        ],
    ),
    (
        "v1/events",
        {
            "involvedObject": {"kind": "Node"},
            "eventTime": "2026-01-01T00:06:00.000000Z",
            "reportingComponent": "s",
        },
        ["3h", "", "", "node", "", "s", "", "3h", 1, "x"],
    ),
    (
        "events.k8s.io/v1/events",
        {
            "regarding": {"kind": "Pod", "name": "p"},
            "note": "n",
            "eventTime": BORN,
            "series": {"count": 7, "lastObservedTime": "2026-01-01T03:05:59.000000Z"},
        },
        ["1s", "", "", "pod/p", "", "", "n", AGE, 7, "x"],
    ),
    (
        "batch/v1/jobs",
        {
            "spec": {"completions": 3},
            "status": {
                "succeeded": 3,
                "startTime": BORN,
                "completionTime": "2026-01-01T00:00:42Z",
                "conditions": [{"type": "Complete", "status": "True"}],
            },
        },
        ["x", "Complete", "3/3", "42s", AGE, "", "", "<none>"],
    ),
    ("batch/v1/jobs", {"spec": {"parallelism": 2}}, ["x", "Running", "0/1 of 2", "", AGE, "", "", "<none>"]),
    (
        "batch/v1/cronjobs",
        {"spec": {"schedule": "@daily", "suspend": False}, "status": {"active": [{}]}},
        ["x", "@daily", "<none>", "False", 1, "<none>", AGE, "", "", "<none>"],
    ),
    (
        "policy/v1/poddisruptionbudgets",
        {"spec": {"minAvailable": "50%"}, "status": {"disruptionsAllowed": 1}},
        ["x", "50%", "N/A", 1, AGE],
    ),
    (
        "networking.k8s.io/v1/ingresses",
        {
            "spec": {"rules": [{"host": "a"}, {"host": "b"}, {"host": "c"}, {"host": "d"}], "tls": [{}]},
            "status": {"loadBalancer": {"ingress": [{"ip": "1.1.1.1"}]}},
        },
        ["x", "<none>", "a,b,c + 1 more...", "1.1.1.1", "80, 443", AGE],
    ),
    ("networking.k8s.io/v1/ingresses", {"spec": {"rules": [{}]}}, ["x", "<none>", "*", "", "80", AGE]),
    (
        "networking.k8s.io/v1/ingressclasses",
        {"spec": {"controller": "a.b/c", "parameters": {"apiGroup": "g", "kind": "K", "name": "n"}}},
        ["x", "a.b/c", "K.g/n", AGE],
    ),
    ("networking.k8s.io/v1/networkpolicies", {"spec": {"podSelector": {}}}, ["x", "<none>", AGE]),
    (
        "networking.k8s.io/v1/ipaddresses",
        {"spec": {"parentRef": {"resource": "services", "namespace": "default", "name": "kubernetes"}}},
        # An age that upstream has no column for.
        ["x", "services/default/kubernetes", AGE],
    ),
    ("networking.k8s.io/v1/servicecidrs", {"spec": {"cidrs": ["10.96.0.0/12"]}}, ["x", "10.96.0.0/12", AGE]),
    (
        "v1/persistentvolumes",
        {
            "spec": {
                "capacity": {"storage": "1024Mi"},
                "accessModes": ["ReadWriteMany", "ReadWriteOnce"],
                "persistentVolumeReclaimPolicy": "Retain",
                "claimRef": {"namespace": "ns", "name": "c"},
            },
            "status": {"phase": "Bound"},
        },
        ["x", "1Gi", "RWO,RWX", "Retain", "Bound", "ns/c", "", "<unset>", "", AGE, "<unset>"],
    ),
    (
        "v1/persistentvolumeclaims",
        {
            "spec": {"volumeName": "v", "storageClassName": "fast", "volumeMode": "Filesystem"},
            "status": {"phase": "Bound", "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOncePod"]},
        },
        ["x", "Bound", "v", "1Gi", "RWOP", "fast", "<unset>", AGE, "Filesystem"],
    ),
    (
        "storage.k8s.io/v1/storageclasses",
        {
            "provisioner": "p",
            "metadata": {"annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
        },
        ["x (default)", "p", "Delete", "Immediate", False, AGE],
    ),
    ("scheduling.k8s.io/v1/priorityclasses", {"value": 7}, ["x", 7, False, AGE, ""]),
    ("coordination.k8s.io/v1/leases", {"spec": {"holderIdentity": "me"}}, ["x", "me", AGE]),
    (
        "rbac.authorization.k8s.io/v1/rolebindings",
        {
            "roleRef": {"kind": "Role", "name": "r"},
            "subjects": [
                {"kind": "User", "name": "u"},
                {"kind": "User", "name": "w"},
                {"kind": "ServiceAccount", "namespace": "ns", "name": "s"},
            ],
        },
        ["x", "Role/r", AGE, "u, w", "", "ns/s"],
    ),
    (
        "certificates.k8s.io/v1/certificatesigningrequests",
        {
            "spec": {"signerName": "a.b/c", "username": "me", "expirationSeconds": 86400},
            "status": {"conditions": [{"type": "Approved"}], "certificate": "x"},
        },
        ["x", AGE, "a.b/c", "me", "24h", "Approved,Issued"],
    ),
    (
        "apiregistration.k8s.io/v1/apiservices",
        {
            "spec": {"service": {"namespace": "ns", "name": "s"}},
            "status": {"conditions": [{"type": "Available", "status": "False", "reason": "Why"}]},
        },
        ["x", "ns/s", "False (Why)", AGE],
    ),
    (
        "autoscaling/v2/horizontalpodautoscalers",
        {
            "spec": {
                "scaleTargetRef": {"kind": "Deployment", "name": "d"},
                "minReplicas": 1,
                "maxReplicas": 5,
                "metrics": [{"type": "Resource", "resource": CPU_TARGET}, {"type": "Odd"}, {"type": "Odd"}],
            },
            "status": {"currentReplicas": 2, "currentMetrics": [{"type": "Resource", "resource": CPU_NOW}]},
        },
        ["x", "Deployment/d", "cpu: 12%/80%, <unknown type> + 1 more...", "1", 5, 2, AGE],
    ),
    (
        "autoscaling/v1/horizontalpodautoscalers",
        {
            "spec": {
                "scaleTargetRef": {"kind": "Deployment", "name": "d"},
                "targetCPUUtilizationPercentage": 50,
            }
        },
        ["x", "Deployment/d", "cpu: <unknown>/50%", "<unset>", 0, 0, AGE],
    ),
    (
        "admissionregistration.k8s.io/v1/validatingadmissionpolicybindings",
        {"spec": {"policyName": "p", "paramRef": {"name": "n"}}},
        ["x", "p", "*/n", AGE],
    ),
    (
        "flowcontrol.apiserver.k8s.io/v1/prioritylevelconfigurations",
        {"spec": {"type": "Limited", "limited": {"nominalConcurrencyShares": 5}}},
        ["x", "Limited", 5, "<none>", "<none>", "<none>", AGE],
    ),
    ("resource.k8s.io/v1/resourceclaims", {"status": {"allocation": {}}}, ["x", "allocated", AGE]),
    (
        "v1/componentstatuses",
        {"conditions": [{"type": "Healthy", "status": "True", "message": "ok"}]},
        ["x", "Healthy", "ok", ""],
    ),
]


@pytest.mark.parametrize(("resource", "obj", "cells"), ROWS, ids=[case[0] for case in ROWS])
def test_row(resource: str, obj: dict[str, Any], cells: list[Any]) -> None:
    group_version, _, plural = resource.rpartition("/")
    group, _, version = group_version.rpartition("/")
    kind = builtin_registry().find(group, version, plural)
    assert kind is not None and kind.row is not None
    metadata = {"name": "x", "creationTimestamp": BORN, **obj.get("metadata", {})}
    assert list(kind.row({**obj, "metadata": metadata}, NOW_S)) == cells

"""The rows of nodes, storage, access and admission, branch by branch."""

from typing import Any

import pytest
from tests.unit.kinds.tables import AGE, BORN, kind_of, row_of

SELECTOR = {
    "matchLabels": {"b": "2", "a": "1"},
    "matchExpressions": [{"key": "c", "operator": "In", "values": ["y", "x"]}],
}
SELECTOR_IN_GO = (
    "&LabelSelector{MatchLabels:map[string]string{a: 1,b: 2,},MatchExpressions:[]LabelSelectorRequirement"
    "{LabelSelectorRequirement{Key:c,Operator:In,Values:[y x],},},}"
)
DELETED = {"metadata": {"deletionTimestamp": BORN}}


@pytest.mark.parametrize(
    ("made", "cells"),
    [
        ({}, ["Unknown", "<none>"]),
        ({"spec": {"unschedulable": True}}, ["Unknown,SchedulingDisabled", "<none>"]),
        ({"status": {"conditions": [{"type": "Odd", "status": "True"}]}}, ["Unknown", "<none>"]),
        ({"status": {"conditions": [{"type": "Ready", "status": "False"}]}}, ["NotReady", "<none>"]),
        (
            {"metadata": {"labels": {"kubernetes.io/role": "b", "node-role.kubernetes.io/a": "no"}}},
            ["Unknown", "a,b"],
        ),
        (
            {"metadata": {"labels": {"kubernetes.io/role": "", "node-role.kubernetes.io/": ""}}},
            ["Unknown", "<none>"],
        ),
        (
            {"metadata": {"labels": {"kubernetes.io/role": "a", "node-role.kubernetes.io/a": ""}}},
            ["Unknown", "a"],
        ),
    ],
)
def test_status_and_roles_of_a_node(made: dict[str, Any], cells: list[str]) -> None:
    assert row_of("v1/nodes", made)[1:3] == cells


CLASS_ANNOTATION = "volume.beta.kubernetes.io/storage-class"


@pytest.mark.parametrize(
    ("made", "cells"),
    [
        ({}, ["0", "", "", "", "", "", "<unset>", "", AGE, "<unset>"]),
        (
            {
                "spec": {"claimRef": {}, "volumeMode": "Block", "storageClassName": "s"},
                "status": {"phase": "Released", "reason": "why"},
            },
            ["0", "", "", "Released", "/", "s", "<unset>", "why", AGE, "Block"],
        ),
        (
            {
                "metadata": {"annotations": {CLASS_ANNOTATION: ""}, "deletionTimestamp": BORN},
                "spec": {
                    "storageClassName": "s",
                    "volumeAttributesClassName": "gold",
                    "accessModes": ["ReadOnlyMany", "ReadWriteOnce", "ReadOnlyMany"],
                },
                "status": {"phase": "Available"},
            },
            ["0", "RWO,ROX", "", "Terminating", "", "", "gold", "", AGE, "<unset>"],
        ),
    ],
)
def test_row_of_a_volume(made: dict[str, Any], cells: list[Any]) -> None:
    assert row_of("v1/persistentvolumes", made)[1:] == cells


@pytest.mark.parametrize(
    ("made", "cells"),
    [
        (
            # What is asked for is not told, only what there is.
            {
                "spec": {"accessModes": ["ReadWriteOnce"], "volumeAttributesClassName": ""},
                "status": {
                    "phase": "Lost",
                    "capacity": {"storage": "4Gi"},
                    "accessModes": ["ReadWriteOnce"],
                },
            },
            ["Lost", "", "", "", "", "", AGE, "<unset>"],
        ),
        (
            {"spec": {"volumeName": "v", "volumeMode": "Block"}, "status": {"phase": "Bound"}, **DELETED},
            ["Terminating", "v", "0", "", "", "<unset>", AGE, "Block"],
        ),
    ],
)
def test_row_of_a_claim(made: dict[str, Any], cells: list[Any]) -> None:
    assert row_of("v1/persistentvolumeclaims", made)[1:] == cells


ROWS: list[tuple[str, dict[str, Any], list[Any]]] = [
    (
        "storage.k8s.io/v1/storageclasses",
        {
            "provisioner": "p",
            "reclaimPolicy": "Retain",
            "volumeBindingMode": "WaitForFirstConsumer",
            "allowVolumeExpansion": True,
            "metadata": {"annotations": {"storageclass.beta.kubernetes.io/is-default-class": "true"}},
        },
        ["x (default)", "p", "Retain", "WaitForFirstConsumer", True, AGE],
    ),
    ("storage.k8s.io/v1/volumeattributesclasses", {"driverName": "d"}, ["x", "d", AGE]),
    ("storage.k8s.io/v1/csidrivers", {}, ["x", True, False, False, "<unset>", False, "<none>", AGE]),
    (
        "storage.k8s.io/v1/csidrivers",
        {
            "spec": {
                "attachRequired": False,
                "podInfoOnMount": True,
                "storageCapacity": True,
                "requiresRepublish": True,
                "tokenRequests": [{"audience": "a"}, {"audience": ""}],
                "volumeLifecycleModes": ["Persistent", "Ephemeral"],
            }
        },
        ["x", False, True, True, "a,", True, "Persistent,Ephemeral", AGE],
    ),
    (
        "storage.k8s.io/v1/csidrivers",
        {"spec": {"tokenRequests": []}},
        ["x", True, False, False, "", False, "<none>", AGE],
    ),
    ("storage.k8s.io/v1/csinodes", {"spec": {"drivers": [{}, {}]}}, ["x", 2, AGE]),
    ("storage.k8s.io/v1/csistoragecapacities", {"storageClassName": "s"}, ["x", "s", "<unset>"]),
    ("storage.k8s.io/v1/csistoragecapacities", {"capacity": "1024Mi"}, ["x", "", "1Gi"]),
    (
        "storage.k8s.io/v1/volumeattachments",
        {
            "spec": {"attacher": "a", "nodeName": "n", "source": {"persistentVolumeName": "v"}},
            "status": {"attached": True},
        },
        ["x", "a", "v", "n", True, AGE],
    ),
    ("storage.k8s.io/v1/volumeattachments", {"spec": {"source": {}}}, ["x", "", "", "", False, AGE]),
    ("node.k8s.io/v1/runtimeclasses", {"handler": "h"}, ["x", "h", AGE]),
    ("coordination.k8s.io/v1/leases", {}, ["x", "", AGE]),
    (
        "scheduling.k8s.io/v1/priorityclasses",
        {"value": -2, "globalDefault": True, "preemptionPolicy": "Never"},
        ["x", -2, True, AGE, "Never"],
    ),
    (
        "rbac.authorization.k8s.io/v1/clusterrolebindings",
        {
            "roleRef": {"kind": "ClusterRole", "name": "r"},
            "subjects": [
                {"kind": "Group", "name": "g"},
                {"kind": "ServiceAccount", "name": "s"},
                {"kind": "Group", "name": "h"},
                {"kind": "Odd", "name": "o"},
            ],
        },
        ["x", "ClusterRole/r", AGE, "", "g, h", "/s"],
    ),
    ("certificates.k8s.io/v1/certificatesigningrequests", {}, ["x", AGE, "<none>", "", "<none>", "Pending"]),
    (
        "certificates.k8s.io/v1/certificatesigningrequests",
        {
            "spec": {"expirationSeconds": 0},
            "status": {"conditions": [{"type": "Approved"}, {"type": "Denied"}, {"type": "Failed"}]},
        },
        ["x", AGE, "<none>", "", "0s", "Denied,Failed"],
    ),
    (
        "certificates.k8s.io/v1/certificatesigningrequests",
        {"status": {"conditions": [{"type": "Odd"}], "certificate": "c"}},
        ["x", AGE, "<none>", "", "<none>", "Pending,Issued"],
    ),
    ("apiregistration.k8s.io/v1/apiservices", {}, ["x", "Local", "Unknown", AGE]),
    (
        "apiregistration.k8s.io/v1/apiservices",
        {"status": {"conditions": [{"type": "Available", "status": "False"}]}},
        ["x", "Local", "False", AGE],
    ),
    (
        "apiregistration.k8s.io/v1/apiservices",
        {"status": {"conditions": [{"type": "Available", "status": "True", "reason": "Local"}]}},
        ["x", "Local", "True", AGE],
    ),
    (
        "admissionregistration.k8s.io/v1/validatingadmissionpolicies",
        {"spec": {"validations": [{}, {}], "paramKind": {"apiVersion": "g/v1", "kind": "K"}}},
        ["x", 2, "g/v1/K", AGE],
    ),
    (
        "admissionregistration.k8s.io/v1/mutatingadmissionpolicies",
        {"spec": {"mutations": [{}]}},
        ["x", 1, "<unset>", AGE],
    ),
    (
        "admissionregistration.k8s.io/v1/validatingadmissionpolicybindings",
        {"spec": {"policyName": "p", "paramRef": {"name": "n", "namespace": "ns"}}},
        ["x", "p", "ns/n", AGE],
    ),
    (
        "admissionregistration.k8s.io/v1/mutatingadmissionpolicybindings",
        {"spec": {"policyName": "p", "paramRef": {"selector": SELECTOR}}},
        ["x", "p", SELECTOR_IN_GO, AGE],
    ),
    (
        "admissionregistration.k8s.io/v1/validatingadmissionpolicybindings",
        {"spec": {"policyName": "p", "paramRef": {"selector": {}}}},
        [
            "x",
            "p",
            "&LabelSelector{MatchLabels:map[string]string{},MatchExpressions:[]LabelSelectorRequirement{},}",
            AGE,
        ],
    ),
    (
        "admissionregistration.k8s.io/v1/mutatingwebhookconfigurations",
        {"webhooks": [{}, {}]},
        ["x", 2, AGE],
    ),
    ("admissionregistration.k8s.io/v1/validatingwebhookconfigurations", {}, ["x", 0, AGE]),
    ("flowcontrol.apiserver.k8s.io/v1/flowschemas", {}, ["x", "", 0, "<none>", AGE, "?"]),
    (
        "flowcontrol.apiserver.k8s.io/v1/flowschemas",
        {
            "spec": {"priorityLevelConfiguration": {"name": "l"}, "distinguisherMethod": {"type": "ByUser"}},
            "status": {"conditions": [{"type": "Dangling", "status": "True"}]},
        },
        ["x", "l", 0, "ByUser", AGE, "True"],
    ),
    (
        "flowcontrol.apiserver.k8s.io/v1/prioritylevelconfigurations",
        {
            "spec": {
                "type": "Limited",
                "limited": {
                    "limitResponse": {"queuing": {"queues": 8, "handSize": 3, "queueLengthLimit": 40}}
                },
            }
        },
        ["x", "Limited", 0, 8, 3, 40, AGE],
    ),
    (
        "flowcontrol.apiserver.k8s.io/v1/prioritylevelconfigurations",
        {"spec": {"type": "Exempt", "exempt": {"nominalConcurrencyShares": 3}}},
        ["x", "Exempt", "<none>", "<none>", "<none>", "<none>", AGE],
    ),
    ("resource.k8s.io/v1/resourceclaims", {}, ["x", "pending", AGE]),
    ("resource.k8s.io/v1/resourceclaims", DELETED, ["x", "deleted", AGE]),
    (
        "resource.k8s.io/v1/resourceclaims",
        {"status": {"allocation": {}, "reservedFor": [{}]}, **DELETED},
        ["x", "deleted,allocated,reserved", AGE],
    ),
    (
        "resource.k8s.io/v1/resourceslices",
        {"spec": {"nodeName": "n", "driver": "d", "pool": {"name": "p"}}},
        ["x", "n", "d", "p", AGE],
    ),
    ("resource.k8s.io/v1/deviceclasses", {}, ["x", AGE]),
    ("resource.k8s.io/v1/resourceclaimtemplates", {}, ["x", AGE]),
    (
        "v1/componentstatuses",
        {"conditions": [{"type": "Healthy", "status": "False", "message": "m", "error": "e"}]},
        ["x", "Unhealthy", "m", "e"],
    ),
    ("v1/componentstatuses", {"conditions": [{"type": "Odd"}]}, ["x", "Unknown", "", ""]),
    (
        "v1/resourcequotas",
        {"status": {"hard": {"limits": "1", "limits.memory": "1Gi", "b": "2", "a": "1"}}},
        ["x", "a: 0/1, b: 0/2, limits: 0/1", "limits.memory: 0/1Gi", AGE],
    ),
]


@pytest.mark.parametrize(("resource", "made", "cells"), ROWS)
def test_row_of_another_kind(resource: str, made: dict[str, Any], cells: list[Any]) -> None:
    assert row_of(resource, made) == cells


@pytest.mark.parametrize(
    ("made", "cells"),
    [
        ({}, ["<unknown>", "", "<unknown>", 1]),
        ({"firstTimestamp": BORN}, [AGE, "", AGE, 1]),
        ({"lastTimestamp": BORN}, [AGE, "", "<unknown>", 1]),
        ({"firstTimestamp": BORN, "eventTime": "2026-01-01T03:05:00.000000Z"}, [AGE, "", AGE, 1]),
        ({"series": {"count": 9}, "count": 2, "lastTimestamp": BORN}, ["<unknown>", "", "<unknown>", 9]),
        ({"source": {"component": "c"}, "reportingInstance": "i"}, ["<unknown>", "c, i", "<unknown>", 1]),
        ({"source": {"host": "h"}, "reportingComponent": "r"}, ["<unknown>", "r, h", "<unknown>", 1]),
    ],
)
def test_when_and_from_where_an_event_came(made: dict[str, Any], cells: list[Any]) -> None:
    last, _, _, _, _, source, _, first, count, _ = row_of("v1/events", made)
    assert [last, source, first, count] == cells


def test_flow_schemas_stand_in_the_order_in_which_they_are_tried() -> None:
    order = kind_of("flowcontrol.apiserver.k8s.io/v1/flowschemas").row_order
    assert order is not None
    made = [("c", 5), ("b", 1), ("a", 5)]
    schemas = [{"metadata": {"name": name}, "spec": {"matchingPrecedence": p}} for name, p in made]
    assert [schema["metadata"]["name"] for schema in sorted(schemas, key=order)] == ["b", "a", "c"]

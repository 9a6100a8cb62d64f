"""Kinds of other groups that upstream asks every verb of, asked by a typed client."""

import pytest
from tests.conformance import lifecycle
from tests.conformance.go_api import GoApi
from tests.conformance.lifecycle import Resource

CONTAINER = {"name": "c", "image": "registry.k8s.io/pause:3.10"}
POD_SPEC = {"containers": [CONTAINER], "restartPolicy": "OnFailure"}
TEMPLATE = {"metadata": {"labels": {"app": "e2e"}}, "spec": {"containers": [CONTAINER]}}
CLAIM = {"devices": {"requests": [{"name": "req-0", "exactly": {"deviceClassName": "dra.example.com"}}]}}
BACKEND = {"service": {"name": "default-backend", "port": {"number": 8080}}}
PATHS = [{"path": "/", "pathType": "ImplementationSpecific", "backend": BACKEND}]

NAMESPACED = [
    Resource(group="", plural="configmaps", kind="ConfigMap", field="data", spec={"a": "b"}),
    Resource(group="", plural="secrets", kind="Secret", field="data", spec={"a": "Yg=="}),
    Resource(group="", plural="podtemplates", kind="PodTemplate", field="template", spec=TEMPLATE),
    Resource(
        group="",
        plural="limitranges",
        kind="LimitRange",
        spec={"limits": [{"type": "Container", "min": {"cpu": "50m"}, "max": {"cpu": "1"}}]},
    ),
    Resource(
        group="",
        plural="endpoints",
        kind="Endpoints",
        field="subsets",
        spec=[
            {"addresses": [{"ip": "10.0.0.24"}], "ports": [{"name": "http", "port": 80, "protocol": "TCP"}]}
        ],
    ),
    Resource(group="", plural="services", kind="Service", spec={"ports": [{"name": "http", "port": 80}]}),
    Resource(
        group="",
        plural="persistentvolumeclaims",
        kind="PersistentVolumeClaim",
        spec={
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}},
            "storageClassName": "e2e-none",
        },
    ),
    Resource(
        group="",
        plural="replicationcontrollers",
        kind="ReplicationController",
        spec={"replicas": 0, "selector": {"app": "e2e"}, "template": TEMPLATE},
    ),
    Resource(
        group="apps",
        plural="controllerrevisions",
        kind="ControllerRevision",
        field="",
        spec={"data": {"spec": {"template": {"$patch": "replace"}}}, "revision": 2},
    ),
    Resource(
        group="apps",
        plural="daemonsets",
        kind="DaemonSet",
        spec={
            "selector": {"matchLabels": {"app": "e2e"}},
            "template": {**TEMPLATE, "spec": {**TEMPLATE["spec"], "nodeSelector": {"no": "where"}}},
        },
    ),
    Resource(
        group="apps",
        plural="statefulsets",
        kind="StatefulSet",
        spec={
            "replicas": 0,
            "serviceName": "x",
            "selector": {"matchLabels": {"app": "e2e"}},
            "template": TEMPLATE,
        },
    ),
    Resource(
        group="apps",
        plural="replicasets",
        kind="ReplicaSet",
        spec={"replicas": 0, "selector": {"matchLabels": {"app": "e2e"}}, "template": TEMPLATE},
    ),
    Resource(
        group="apps",
        plural="deployments",
        kind="Deployment",
        spec={"replicas": 0, "selector": {"matchLabels": {"app": "e2e"}}, "template": TEMPLATE},
    ),
    Resource(
        group="batch",
        plural="cronjobs",
        kind="CronJob",
        spec={
            "schedule": "* */1 * * ?",
            "concurrencyPolicy": "Allow",
            "jobTemplate": {"spec": {"parallelism": 1, "completions": 1, "template": {"spec": POD_SPEC}}},
        },
        subresources=("status",),
    ),
    Resource(
        group="batch",
        plural="jobs",
        kind="Job",
        spec={"suspend": True, "template": {"spec": POD_SPEC}},
        subresources=("status",),
    ),
    Resource(
        group="discovery.k8s.io",
        plural="endpointslices",
        kind="EndpointSlice",
        field="",
        spec={"addressType": "IPv4", "endpoints": [{"addresses": ["1.2.3.4", "5.6.7.8"]}]},
    ),
    Resource(
        group="networking.k8s.io",
        plural="ingresses",
        kind="Ingress",
        spec={"defaultBackend": BACKEND, "rules": [{"host": "foo.bar.com", "http": {"paths": PATHS}}]},
        subresources=("status",),
    ),
    Resource(
        group="networking.k8s.io",
        plural="networkpolicies",
        kind="NetworkPolicy",
        spec={"podSelector": {"matchLabels": {"pod-name": "x"}}, "policyTypes": ["Ingress", "Egress"]},
    ),
    Resource(
        group="autoscaling",
        version="v2",
        plural="horizontalpodautoscalers",
        kind="HorizontalPodAutoscaler",
        spec={
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "x"},
            "minReplicas": 1,
            "maxReplicas": 3,
        },
    ),
    Resource(
        group="rbac.authorization.k8s.io",
        plural="roles",
        kind="Role",
        field="rules",
        spec=[{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}],
    ),
    Resource(
        group="rbac.authorization.k8s.io",
        plural="rolebindings",
        kind="RoleBinding",
        field="",
        spec={
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
            "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": "default"}],
        },
    ),
    Resource(
        group="policy",
        plural="poddisruptionbudgets",
        kind="PodDisruptionBudget",
        spec={"minAvailable": "20%", "selector": {"matchLabels": {"foo": "bar"}}},
        subresources=("status",),
    ),
    Resource(
        group="coordination.k8s.io",
        plural="leases",
        kind="Lease",
        spec={"holderIdentity": "holder", "leaseDurationSeconds": 30, "leaseTransitions": 0},
    ),
    Resource(
        group="storage.k8s.io",
        plural="csistoragecapacities",
        kind="CSIStorageCapacity",
        field="",
        spec={"storageClassName": "e2e.example.com"},
    ),
    Resource(
        group="resource.k8s.io",
        plural="resourceclaims",
        kind="ResourceClaim",
        spec=CLAIM,
        subresources=("status",),
    ),
    Resource(
        group="resource.k8s.io",
        plural="resourceclaimtemplates",
        kind="ResourceClaimTemplate",
        spec={"spec": CLAIM},
    ),
]
CLUSTER = [
    Resource(
        group="",
        plural="persistentvolumes",
        kind="PersistentVolume",
        spec={
            "accessModes": ["ReadWriteOnce"],
            "capacity": {"storage": "2Gi"},
            "hostPath": {"path": "/tmp/e2e"},
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": "e2e-none2",
        },
    ),
    Resource(
        group="networking.k8s.io",
        plural="ingressclasses",
        kind="IngressClass",
        spec={"controller": "example.com/controller"},
    ),
    Resource(
        group="networking.k8s.io",
        plural="ipaddresses",
        kind="IPAddress",
        spec={
            "parentRef": {"group": "mygroup", "resource": "myresources", "namespace": "foo", "name": "bar"}
        },
        names=("255.255.255.255", "fe80::42:1dff:fe84:f9e2", "fe80::42:1dff:fe84:f9e3"),
    ),
    Resource(
        group="node.k8s.io",
        plural="runtimeclasses",
        kind="RuntimeClass",
        field="handler",
        spec="test-handler",
    ),
    Resource(
        group="storage.k8s.io",
        plural="csidrivers",
        kind="CSIDriver",
        spec={
            "attachRequired": False,
            "podInfoOnMount": True,
            "volumeLifecycleModes": ["Persistent", "Ephemeral"],
        },
    ),
    Resource(
        group="storage.k8s.io",
        plural="csinodes",
        kind="CSINode",
        spec={"drivers": [{"name": "e2e.example.com", "nodeID": "n", "topologyKeys": ["zone"]}]},
    ),
    Resource(
        group="storage.k8s.io",
        plural="storageclasses",
        kind="StorageClass",
        field="provisioner",
        spec="e2e-fake-provisioner",
    ),
    Resource(
        group="storage.k8s.io",
        plural="volumeattachments",
        kind="VolumeAttachment",
        spec={
            "attacher": "e2e-test.storage.k8s.io",
            "nodeName": "n",
            "source": {"persistentVolumeName": "pv"},
        },
        subresources=("status",),
    ),
    Resource(
        group="storage.k8s.io",
        plural="volumeattributesclasses",
        kind="VolumeAttributesClass",
        field="",
        spec={"driverName": "e2e-fake-provisioner", "parameters": {"foo": "bar"}},
    ),
    Resource(
        group="scheduling.k8s.io", plural="priorityclasses", kind="PriorityClass", field="value", spec=100
    ),
    Resource(
        group="rbac.authorization.k8s.io",
        plural="clusterroles",
        kind="ClusterRole",
        field="rules",
        spec=[{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}],
    ),
    Resource(
        group="resource.k8s.io",
        plural="deviceclasses",
        kind="DeviceClass",
        spec={"selectors": [{"cel": {"expression": "false"}}]},
    ),
    Resource(
        group="resource.k8s.io",
        plural="resourceslices",
        kind="ResourceSlice",
        spec={
            "driver": "dra.example.com",
            "pool": {"name": "cluster", "generation": 1, "resourceSliceCount": 1},
            "nodeName": "no-such-node",
        },
    ),
]


def plural(resource):
    return resource.plural


@pytest.mark.conformance("ConfigMap lifecycle")
@pytest.mark.conformance("ConfigMap Update")
@pytest.mark.conformance("Secret patching")
@pytest.mark.conformance("PodTemplate lifecycle")
@pytest.mark.conformance("PodTemplate, delete a collection")
@pytest.mark.conformance("PodTemplate, replace")
@pytest.mark.conformance("Service, deletes a collection of services")
@pytest.mark.conformance("ControllerRevision, resource lifecycle")
@pytest.mark.conformance("DaemonSet, list and delete a collection of DaemonSets")
@pytest.mark.conformance("StatefulSet, list, patch and delete a collection of StatefulSets")
@pytest.mark.conformance("ReplicaSet, list and delete a collection of ReplicaSets")
@pytest.mark.conformance("CronJob API Operations")
@pytest.mark.conformance("EndpointSlice API")
@pytest.mark.conformance("Ingress API")
@pytest.mark.conformance("PodDisruptionBudget: list and delete collection")
@pytest.mark.conformance("PodDisruptionBudget: create, update, patch, and delete object")
@pytest.mark.conformance("CSIStorageCapacity API")
@pytest.mark.conformance("CRUD operations for resourceclaims")
@pytest.mark.conformance("CRUD operations for resourceclaimtemplates")
@pytest.mark.parametrize("resource", NAMESPACED, ids=plural)
def test_what_is_in_namespaces_takes_every_verb(api, namespace, unique, resource):
    client = GoApi(api)
    lifecycle.check_discovery(client, resource)
    lifecycle.check_verbs(client, resource, unique, namespace=namespace)


@pytest.mark.conformance("IngressClass API")
@pytest.mark.conformance("IPAddress API")
@pytest.mark.conformance("RuntimeClass API")
@pytest.mark.conformance("CSIDriver, lifecycle")
@pytest.mark.conformance("CSINode, lifecycle")
@pytest.mark.conformance("StorageClass, lifecycle")
@pytest.mark.conformance("VolumeAttachment, lifecycle")
@pytest.mark.conformance("VolumeAttributesClass, lifecycle")
@pytest.mark.conformance("CRUD operations for deviceclasses")
@pytest.mark.conformance("CRUD operations for resoureslices")
@pytest.mark.parametrize("resource", CLUSTER, ids=plural)
def test_what_is_in_no_namespace_takes_every_verb(api, unique, resource):
    client = GoApi(api)
    lifecycle.check_discovery(client, resource)
    lifecycle.check_verbs(client, resource, unique)

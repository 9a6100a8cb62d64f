"""One object of every kind that can be made, and a change of it: data for tests that ask all kinds alike."""

from __future__ import annotations

import base64
import functools
from dataclasses import dataclass, field
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Object = dict[str, Any]

NAMESPACE = "every-kind"


def pod(**spec: Any) -> Object:
    return {"containers": [{"name": "main", "image": "busybox"}], **spec}


def template(label: str, **spec: Any) -> Object:
    return {"metadata": {"labels": {"app": label}}, "spec": pod(**spec)}


def workload(**spec: Any) -> Object:
    return {"spec": {"selector": {"matchLabels": {"app": "a"}}, "template": template("a"), **spec}}


def condition(status: str) -> Object:
    """A condition as all kinds want it since metav1.Condition is there."""
    dated = {"lastTransitionTime": "2026-01-01T00:00:00Z", "reason": "Tested", "message": ""}
    return {"conditions": [{"type": "Tested", "status": status, **dated}]}


def loose(status: str) -> Object:
    """A condition as older kinds take it."""
    return {"conditions": [{"type": "Tested", "status": status}]}


def balanced(address: str, **more: Any) -> Object:
    return {"loadBalancer": {"ingress": [{"ip": address, **more}]}}


@functools.cache
def signing_request() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tested")])
    made = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    return base64.b64encode(made.public_bytes(serialization.Encoding.PEM)).decode()


@dataclass(frozen=True, kw_only=True)
class Sample:
    """`path` is that of the collection, `{}` the namespace."""

    path: str
    kind: str
    body: Object = field(default_factory=dict)
    name: str = "a"
    statuses: tuple[Object, Object] | None = None
    """Two that differ, for kinds with the subresource."""
    change: Object = field(default_factory=dict)
    """A merge patch of the spec, whether or not an update would be let through with it."""

    @property
    def api_version(self) -> str:
        parts = self.path.split("/")
        return parts[2] if parts[1] == "api" else f"{parts[2]}/{parts[3]}"

    @property
    def resource(self) -> str:
        """The name of the group and resource, as rules and lists of exceptions have it."""
        group = self.api_version.rpartition("/")[0]
        plural = self.path.rpartition("/")[2]
        return f"{plural}.{group}" if group else plural

    def collection(self) -> str:
        return self.path.format(NAMESPACE)

    def object(self, **metadata: Any) -> Object:
        named = {"name": self.name} if "generateName" not in metadata else {}
        about = {"metadata": {**named, **metadata}}
        return {"apiVersion": self.api_version, "kind": self.kind, **about, **self.body}


TARGET = {"scaleTargetRef": {"kind": "Thing", "name": "a"}, "maxReplicas": 3}
HOOK = {
    "name": "hook.example.com",
    "clientConfig": {"service": {"namespace": "none", "name": "none"}},
    "rules": [
        {"operations": ["CREATE"], "apiGroups": ["none"], "apiVersions": ["v1"], "resources": ["none"]}
    ],
    "failurePolicy": "Ignore",
    "sideEffects": "None",
    "admissionReviewVersions": ["v1"],
}
MATCHES_NOTHING = {
    "resourceRules": [
        {
            "apiGroups": ["apps"],
            "apiVersions": ["v1"],
            "operations": ["CREATE"],
            "resources": ["deployments"],
            "resourceNames": ["none"],
        }
    ]
}
MUTATION = {"expression": "Object{metadata: Object.metadata{labels: {'a': 'b'}}}"}
BINDING = {"policyName": "none", "paramRef": {"name": "none", "parameterNotFoundAction": "Deny"}}
REQUESTED = {"deviceClassName": "a", "allocationMode": "ExactCount", "count": 1}
REQUEST: Object = {"name": "one", "exactly": REQUESTED}
ROLE = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "none"}
ADMISSION = "/apis/admissionregistration.k8s.io/v1"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
NETWORKING = "/apis/networking.k8s.io/v1"
STORAGE = "/apis/storage.k8s.io/v1"
RESOURCE = "/apis/resource.k8s.io/v1"
FLOW = "/apis/flowcontrol.apiserver.k8s.io/v1"
IN = "namespaces/{}"
OTHER_IMAGE = {"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "other"}]}}}}

SAMPLES = (
    Sample(path=f"/api/v1/{IN}/configmaps", kind="ConfigMap", body={"data": {"a": "b"}}),
    Sample(
        path=f"/api/v1/{IN}/services",
        kind="Service",
        body={"spec": {"type": "LoadBalancer", "ports": [{"port": 80}], "selector": {"a": "b"}}},
        statuses=(balanced("127.0.0.1", ipMode="VIP"), balanced("127.0.0.2", ipMode="VIP")),
        change={"spec": {"type": "ClusterIP"}},
    ),
    Sample(path=f"/api/v1/{IN}/podtemplates", kind="PodTemplate", body={"template": template("a")}),
    Sample(
        path=f"/api/v1/{IN}/pods",
        kind="Pod",
        body={"spec": pod()},
        statuses=(loose("True"), loose("False")),
        change={"spec": {"containers": [{"name": "main", "image": "other"}]}},
    ),
    Sample(
        path=f"/api/v1/{IN}/endpoints",
        kind="Endpoints",
        body={"subsets": [{"addresses": [{"ip": "192.168.3.1"}], "ports": [{"port": 8000}]}]},
    ),
    Sample(
        path=f"/api/v1/{IN}/resourcequotas",
        kind="ResourceQuota",
        body={"spec": {"hard": {"requests.cpu": "500"}}},
        statuses=({"used": {"requests.cpu": "5"}}, {"used": {"requests.cpu": "25"}}),
        change={"spec": {"hard": {"requests.cpu": "600"}}},
    ),
    Sample(path=f"/api/v1/{IN}/limitranges", kind="LimitRange", body={"spec": {"limits": [{"type": "Pod"}]}}),
    Sample(
        path="/api/v1/namespaces",
        kind="Namespace",
        statuses=(loose("True"), loose("False")),
        change={"spec": {"finalizers": ["other"]}},
    ),
    Sample(
        path="/api/v1/nodes",
        kind="Node",
        body={"spec": {"unschedulable": True}},
        statuses=(loose("True"), loose("False")),
        change={"spec": {"unschedulable": False}},
    ),
    Sample(
        path="/api/v1/persistentvolumes",
        kind="PersistentVolume",
        body={
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "capacity": {"storage": "3M"},
                "hostPath": {"path": "/tmp/test"},
            }
        },
        statuses=({"message": "one"}, {"message": "two"}),
        change={"spec": {"capacity": {"storage": "23M"}}},
    ),
    Sample(
        path=f"/api/v1/{IN}/events",
        kind="Event",
        body={"involvedObject": {"namespace": NAMESPACE}, "message": "tested"},
    ),
    Sample(
        path=f"/api/v1/{IN}/persistentvolumeclaims",
        kind="PersistentVolumeClaim",
        body={"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "2M"}}}},
        statuses=(loose("True"), loose("False")),
        change={"spec": {"resources": {"requests": {"storage": "21M"}}}},
    ),
    Sample(path=f"/api/v1/{IN}/serviceaccounts", kind="ServiceAccount", body={"secrets": [{"name": "a"}]}),
    Sample(path=f"/api/v1/{IN}/secrets", kind="Secret", body={"data": {"key": "ZGF0YQ=="}}),
    Sample(
        path=f"/api/v1/{IN}/replicationcontrollers",
        kind="ReplicationController",
        body={"spec": {"selector": {"app": "a"}, "template": template("a")}},
        statuses=(loose("True"), loose("False")),
        change=OTHER_IMAGE,
    ),
    *(
        Sample(
            path=f"/apis/apps/v1/{IN}/{plural}",
            kind=kind,
            body=workload(),
            statuses=(loose("True"), loose("False")),
            change=OTHER_IMAGE,
        )
        for plural, kind in (
            ("daemonsets", "DaemonSet"),
            ("deployments", "Deployment"),
            ("replicasets", "ReplicaSet"),
            ("statefulsets", "StatefulSet"),
        )
    ),
    Sample(
        path=f"/apis/apps/v1/{IN}/controllerrevisions",
        kind="ControllerRevision",
        body={"data": {"spec": {"replicas": 0}}, "revision": 0},
    ),
    *(
        Sample(
            path=f"/apis/autoscaling/{version}/{IN}/horizontalpodautoscalers",
            kind="HorizontalPodAutoscaler",
            name=version,
            body={"spec": TARGET},
            statuses=({"currentReplicas": 5}, {"currentReplicas": 25}),
            change={"spec": {"maxReplicas": 23}},
        )
        for version in ("v1", "v2")
    ),
    Sample(
        path=f"/apis/batch/v1/{IN}/jobs",
        kind="Job",
        body={"spec": {"template": {"spec": pod(restartPolicy="Never")}}},
        statuses=(loose("True"), loose("False")),
        change=OTHER_IMAGE,
    ),
    Sample(
        path=f"/apis/batch/v1/{IN}/cronjobs",
        kind="CronJob",
        body={
            "spec": {
                "schedule": "* * * * *",
                "jobTemplate": {"spec": {"template": template("a", restartPolicy="Never")}},
            }
        },
        statuses=(
            {"lastScheduleTime": "2026-01-01T00:00:00Z"},
            {"lastScheduleTime": "2026-01-02T00:00:00Z"},
        ),
        change={"spec": {"schedule": "1 * * * *"}},
    ),
    Sample(
        path="/apis/certificates.k8s.io/v1/certificatesigningrequests",
        kind="CertificateSigningRequest",
        body={"spec": {"signerName": "example.com/tested", "usages": ["any"], "request": signing_request()}},
        statuses=(loose("True"), loose("False")),
    ),
    Sample(
        path=f"/apis/coordination.k8s.io/v1/{IN}/leases",
        kind="Lease",
        body={"spec": {"holderIdentity": "a", "leaseDurationSeconds": 5}},
    ),
    Sample(
        path=f"/apis/discovery.k8s.io/v1/{IN}/endpointslices",
        kind="EndpointSlice",
        body={"addressType": "IPv4", "ports": [], "endpoints": []},
    ),
    Sample(
        path=f"/apis/events.k8s.io/v1/{IN}/events",
        kind="Event",
        name="b",
        body={
            "regarding": {"namespace": NAMESPACE},
            "eventTime": "2026-01-01T00:00:00.000000Z",
            "reportingInstance": "a",
            "reportingController": "example.com/tested",
            "action": "Tested",
            "reason": "Tested",
            "type": "Normal",
        },
    ),
    Sample(
        path=f"{NETWORKING}/{IN}/ingresses",
        kind="Ingress",
        body={"spec": {"defaultBackend": {"service": {"name": "a", "port": {"number": 5000}}}}},
        statuses=(balanced("127.0.0.1"), balanced("127.0.0.2")),
        change={"spec": {"defaultBackend": {"service": {"name": "b"}}}},
    ),
    Sample(
        path=f"{NETWORKING}/ingressclasses",
        kind="IngressClass",
        body={"spec": {"controller": "example.com/tested"}},
    ),
    Sample(
        path=f"{NETWORKING}/{IN}/networkpolicies",
        kind="NetworkPolicy",
        body={"spec": {"podSelector": {"matchLabels": {"a": "b"}}}},
    ),
    Sample(
        path=f"{NETWORKING}/ipaddresses",
        kind="IPAddress",
        name="192.168.1.3",
        body={"spec": {"parentRef": {"resource": "services", "name": "a", "namespace": "b"}}},
    ),
    Sample(
        path=f"{NETWORKING}/servicecidrs",
        kind="ServiceCIDR",
        body={"spec": {"cidrs": ["192.168.0.0/16", "fd00:1::/120"]}},
        statuses=(condition("True"), condition("False")),
    ),
    Sample(
        path=f"/apis/policy/v1/{IN}/poddisruptionbudgets",
        kind="PodDisruptionBudget",
        body={"spec": {"selector": {"matchLabels": {"a": "b"}}}},
        statuses=({"currentHealthy": 5}, {"currentHealthy": 25}),
        change={"spec": {"selector": {"matchLabels": {"a": "c"}}}},
    ),
    Sample(
        path=f"{FLOW}/flowschemas",
        kind="FlowSchema",
        body={"spec": {"priorityLevelConfiguration": {"name": "a"}}},
        statuses=(loose("True"), loose("False")),
        change={"spec": {"priorityLevelConfiguration": {"name": "b"}}},
    ),
    Sample(
        path=f"{FLOW}/prioritylevelconfigurations",
        kind="PriorityLevelConfiguration",
        body={
            "spec": {
                "type": "Limited",
                "limited": {"nominalConcurrencyShares": 3, "limitResponse": {"type": "Reject"}},
            }
        },
        statuses=(loose("True"), loose("False")),
        change={"spec": {"limited": {"nominalConcurrencyShares": 23}}},
    ),
    Sample(
        path=f"{STORAGE}/volumeattachments",
        kind="VolumeAttachment",
        body={"spec": {"attacher": "a", "nodeName": "a", "source": {"persistentVolumeName": "a"}}},
        statuses=({"attached": True}, {"attached": False}),
        change={"spec": {"nodeName": "b"}},
    ),
    Sample(
        path=f"{STORAGE}/volumeattributesclasses",
        kind="VolumeAttributesClass",
        body={"driverName": "example.com/tested", "parameters": {"a": "b"}},
    ),
    Sample(path=f"{STORAGE}/storageclasses", kind="StorageClass", body={"provisioner": "a"}),
    Sample(
        path=f"{STORAGE}/{IN}/csistoragecapacities",
        kind="CSIStorageCapacity",
        body={"storageClassName": "a"},
    ),
    Sample(
        path=f"{STORAGE}/csinodes",
        kind="CSINode",
        body={"spec": {"drivers": [{"name": "a", "nodeID": "a", "topologyKeys": ["example.com/a"]}]}},
    ),
    Sample(path=f"{STORAGE}/csidrivers", kind="CSIDriver", body={"spec": {"attachRequired": True}}),
    Sample(
        path=f"{RBAC}/{IN}/roles",
        kind="Role",
        body={"rules": [{"apiGroups": [""], "resources": ["events"], "verbs": ["watch"]}]},
    ),
    Sample(
        path=f"{RBAC}/clusterroles",
        kind="ClusterRole",
        body={"rules": [{"nonResourceURLs": ["/version"], "verbs": ["get"]}]},
    ),
    Sample(path=f"{RBAC}/{IN}/rolebindings", kind="RoleBinding", body={"roleRef": ROLE}),
    Sample(path=f"{RBAC}/clusterrolebindings", kind="ClusterRoleBinding", body={"roleRef": ROLE}),
    *(
        Sample(path=f"{ADMISSION}/{kind.lower()}s", kind=kind, body={"webhooks": [HOOK]})
        for kind in ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration")
    ),
    Sample(
        path=f"{ADMISSION}/validatingadmissionpolicies",
        kind="ValidatingAdmissionPolicy",
        body={"spec": {"matchConstraints": MATCHES_NOTHING, "validations": [{"expression": "true"}]}},
        statuses=(condition("True"), condition("False")),
        change={"spec": {"failurePolicy": "Ignore"}},
    ),
    Sample(
        path=f"{ADMISSION}/validatingadmissionpolicybindings",
        kind="ValidatingAdmissionPolicyBinding",
        body={"spec": {**BINDING, "validationActions": ["Deny"]}},
    ),
    Sample(
        path=f"{ADMISSION}/mutatingadmissionpolicies",
        kind="MutatingAdmissionPolicy",
        body={
            "spec": {
                "matchConstraints": MATCHES_NOTHING,
                "reinvocationPolicy": "IfNeeded",
                "mutations": [{"patchType": "ApplyConfiguration", "applyConfiguration": MUTATION}],
            }
        },
    ),
    Sample(
        path=f"{ADMISSION}/mutatingadmissionpolicybindings",
        kind="MutatingAdmissionPolicyBinding",
        body={"spec": BINDING},
    ),
    Sample(path="/apis/scheduling.k8s.io/v1/priorityclasses", kind="PriorityClass", body={"value": 1000}),
    Sample(
        path="/apis/apiregistration.k8s.io/v1/apiservices",
        kind="APIService",
        name="v1.local.example.com",
        body={
            "spec": {
                "group": "local.example.com",
                "version": "v1",
                "groupPriorityMinimum": 100,
                "versionPriority": 10,
            }
        },
        statuses=(loose("True"), loose("False")),
        change={"spec": {"versionPriority": 11}},
    ),
    Sample(
        path="/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
        kind="CustomResourceDefinition",
        name="as.example.com",
        body={
            "spec": {
                "scope": "Cluster",
                "group": "example.com",
                "names": {"kind": "A", "plural": "as"},
                "versions": [
                    {
                        "name": "v1",
                        "storage": True,
                        "served": True,
                        "schema": {"openAPIV3Schema": {"type": "object"}},
                    }
                ],
            }
        },
        statuses=(loose("True"), loose("False")),
        change={"spec": {"scope": "Namespaced"}},
    ),
    Sample(path="/apis/node.k8s.io/v1/runtimeclasses", kind="RuntimeClass", body={"handler": "a"}),
    Sample(path=f"{RESOURCE}/deviceclasses", kind="DeviceClass", body={"spec": {}}),
    Sample(
        path=f"{RESOURCE}/{IN}/resourceclaims",
        kind="ResourceClaim",
        body={"spec": {"devices": {"requests": [REQUEST]}}},
        statuses=(
            {"allocation": {}, "reservedFor": [{"resource": "pods", "name": "a", "uid": "a"}]},
            {"allocation": {}, "reservedFor": [{"resource": "pods", "name": "b", "uid": "a"}]},
        ),
        change={"spec": {"devices": {"requests": [{**REQUEST, "exactly": {**REQUESTED, "count": 2}}]}}},
    ),
    Sample(
        path=f"{RESOURCE}/{IN}/resourceclaimtemplates",
        kind="ResourceClaimTemplate",
        body={"spec": {"spec": {"devices": {"requests": [REQUEST]}}}},
    ),
    Sample(
        path=f"{RESOURCE}/resourceslices",
        kind="ResourceSlice",
        body={
            "spec": {
                "nodeName": "a",
                "driver": "example.com",
                "pool": {"name": "a", "resourceSliceCount": 1, "generation": 0},
            }
        },
    ),
    *(
        Sample(
            path=f"/apis/tested.example.com/{version}/pandas",
            kind="Panda",
            name=version,
            body={"spec": {"replicas": 1}},
            statuses=(loose("True"), loose("False")),
            change={"spec": {"replicas": 2}},
        )
        for version in ("v1", "v2")
    ),
    Sample(path=f"/apis/tested.example.com/v1/{IN}/foxes", kind="Fox", body={"color": "red"}),
)

ANYTHING = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}


def _definition(plural: str, kind: str, scope: str, versions: list[Object]) -> Object:
    spec = {"group": "tested.example.com", "scope": scope, "names": {"plural": plural, "kind": kind}}
    return {"metadata": {"name": f"{plural}.tested.example.com"}, "spec": {**spec, "versions": versions}}


DEFINITIONS = (
    _definition(
        "pandas",
        "Panda",
        "Cluster",
        [
            {
                "name": version,
                "served": True,
                "storage": version == "v1",
                "schema": ANYTHING,
                "subresources": {"status": {}},
            }
            for version in ("v1", "v2")
        ],
    ),
    _definition(
        "foxes",
        "Fox",
        "Namespaced",
        [{"name": "v1", "served": True, "storage": True, "schema": ANYTHING}],
    ),
)
"""Of the custom resources among the samples."""

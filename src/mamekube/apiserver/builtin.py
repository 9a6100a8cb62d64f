"""The resources that the API server itself reads and writes, by name: enough to find them in the store."""

from __future__ import annotations

from mamekube.objects.resource import Resource

RBAC_GROUP = "rbac.authorization.k8s.io"


def _core(plural: str, kind: str, *, namespaced: bool = True) -> Resource:
    return Resource(group="", version="v1", plural=plural, kind=kind, namespaced=namespaced)


def _rbac(plural: str, kind: str, *, namespaced: bool) -> Resource:
    return Resource(group=RBAC_GROUP, version="v1", plural=plural, kind=kind, namespaced=namespaced)


def _cluster(group: str, plural: str, kind: str) -> Resource:
    return Resource(group=group, version="v1", plural=plural, kind=kind, namespaced=False)


CONFIG_MAPS = _core("configmaps", "ConfigMap")
ENDPOINTS = _core("endpoints", "Endpoints")
LIMIT_RANGES = _core("limitranges", "LimitRange")
NAMESPACES = _core("namespaces", "Namespace", namespaced=False)
NODES = _core("nodes", "Node", namespaced=False)
PERSISTENT_VOLUME_CLAIMS = _core("persistentvolumeclaims", "PersistentVolumeClaim")
PERSISTENT_VOLUMES = _core("persistentvolumes", "PersistentVolume", namespaced=False)
PODS = _core("pods", "Pod")
RESOURCE_QUOTAS = _core("resourcequotas", "ResourceQuota")
SECRETS = _core("secrets", "Secret")
SERVICE_ACCOUNTS = _core("serviceaccounts", "ServiceAccount")
SERVICES = _core("services", "Service")

CLUSTER_ROLES = _rbac("clusterroles", "ClusterRole", namespaced=False)
CLUSTER_ROLE_BINDINGS = _rbac("clusterrolebindings", "ClusterRoleBinding", namespaced=False)
ROLES = _rbac("roles", "Role", namespaced=True)
ROLE_BINDINGS = _rbac("rolebindings", "RoleBinding", namespaced=True)

MUTATING_WEBHOOKS = _cluster(
    "admissionregistration.k8s.io", "mutatingwebhookconfigurations", "MutatingWebhookConfiguration"
)
VALIDATING_WEBHOOKS = _cluster(
    "admissionregistration.k8s.io", "validatingwebhookconfigurations", "ValidatingWebhookConfiguration"
)
MUTATING_POLICIES = _cluster(
    "admissionregistration.k8s.io", "mutatingadmissionpolicies", "MutatingAdmissionPolicy"
)
MUTATING_POLICY_BINDINGS = _cluster(
    "admissionregistration.k8s.io", "mutatingadmissionpolicybindings", "MutatingAdmissionPolicyBinding"
)
VALIDATING_POLICIES = _cluster(
    "admissionregistration.k8s.io", "validatingadmissionpolicies", "ValidatingAdmissionPolicy"
)
VALIDATING_POLICY_BINDINGS = _cluster(
    "admissionregistration.k8s.io", "validatingadmissionpolicybindings", "ValidatingAdmissionPolicyBinding"
)
API_SERVICES = _cluster("apiregistration.k8s.io", "apiservices", "APIService")
FLOW_SCHEMAS = _cluster("flowcontrol.apiserver.k8s.io", "flowschemas", "FlowSchema")
INGRESS_CLASSES = _cluster("networking.k8s.io", "ingressclasses", "IngressClass")
IP_ADDRESSES = _cluster("networking.k8s.io", "ipaddresses", "IPAddress")
PRIORITY_CLASSES = _cluster("scheduling.k8s.io", "priorityclasses", "PriorityClass")
PRIORITY_LEVELS = _cluster(
    "flowcontrol.apiserver.k8s.io", "prioritylevelconfigurations", "PriorityLevelConfiguration"
)
RUNTIME_CLASSES = _cluster("node.k8s.io", "runtimeclasses", "RuntimeClass")
SERVICE_CIDRS = _cluster("networking.k8s.io", "servicecidrs", "ServiceCIDR")
STORAGE_CLASSES = _cluster("storage.k8s.io", "storageclasses", "StorageClass")
VOLUME_ATTACHMENTS = _cluster("storage.k8s.io", "volumeattachments", "VolumeAttachment")
ENDPOINT_SLICES = Resource(
    group="discovery.k8s.io", version="v1", plural="endpointslices", kind="EndpointSlice", namespaced=True
)

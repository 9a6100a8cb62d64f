"""The resources that controllers read and write, by the names the code uses for them.

Plain `Resource` records and not the kinds' own: a controller knows what a resource is called, and nothing of how
the API server defaults, validates or prints it. A test compares every record with the registry.
"""

from __future__ import annotations

from mamekube.objects.resource import Resource


def _resource(group: str, version: str, plural: str, kind: str, *, namespaced: bool = True) -> Resource:
    return Resource(group=group, version=version, plural=plural, kind=kind, namespaced=namespaced)


CONFIG_MAPS = _resource("", "v1", "configmaps", "ConfigMap")
ENDPOINTS = _resource("", "v1", "endpoints", "Endpoints")
NAMESPACES = _resource("", "v1", "namespaces", "Namespace", namespaced=False)
NODES = _resource("", "v1", "nodes", "Node", namespaced=False)
PERSISTENT_VOLUME_CLAIMS = _resource("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim")
PERSISTENT_VOLUMES = _resource("", "v1", "persistentvolumes", "PersistentVolume", namespaced=False)
PODS = _resource("", "v1", "pods", "Pod")
REPLICATION_CONTROLLERS = _resource("", "v1", "replicationcontrollers", "ReplicationController")
RESOURCE_QUOTAS = _resource("", "v1", "resourcequotas", "ResourceQuota")
SECRETS = _resource("", "v1", "secrets", "Secret")
SERVICE_ACCOUNTS = _resource("", "v1", "serviceaccounts", "ServiceAccount")
SERVICES = _resource("", "v1", "services", "Service")

CONTROLLER_REVISIONS = _resource("apps", "v1", "controllerrevisions", "ControllerRevision")
DAEMON_SETS = _resource("apps", "v1", "daemonsets", "DaemonSet")
DEPLOYMENTS = _resource("apps", "v1", "deployments", "Deployment")
REPLICA_SETS = _resource("apps", "v1", "replicasets", "ReplicaSet")
STATEFUL_SETS = _resource("apps", "v1", "statefulsets", "StatefulSet")

SUBJECT_ACCESS_REVIEWS = _resource(
    "authorization.k8s.io", "v1", "subjectaccessreviews", "SubjectAccessReview", namespaced=False
)

CRON_JOBS = _resource("batch", "v1", "cronjobs", "CronJob")
JOBS = _resource("batch", "v1", "jobs", "Job")

CERTIFICATE_SIGNING_REQUESTS = _resource(
    "certificates.k8s.io", "v1", "certificatesigningrequests", "CertificateSigningRequest", namespaced=False
)
LEASES = _resource("coordination.k8s.io", "v1", "leases", "Lease")
ENDPOINT_SLICES = _resource("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice")
IP_ADDRESSES = _resource("networking.k8s.io", "v1", "ipaddresses", "IPAddress", namespaced=False)
SERVICE_CIDRS = _resource("networking.k8s.io", "v1", "servicecidrs", "ServiceCIDR", namespaced=False)
POD_DISRUPTION_BUDGETS = _resource("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget")
CLUSTER_ROLES = _resource("rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", namespaced=False)
API_SERVICES = _resource("apiregistration.k8s.io", "v1", "apiservices", "APIService", namespaced=False)
CUSTOM_RESOURCE_DEFINITIONS = _resource(
    "apiextensions.k8s.io",
    "v1",
    "customresourcedefinitions",
    "CustomResourceDefinition",
    namespaced=False,
)

"""`ClusterRoleBinding` of `rbac.authorization.k8s.io/v1`."""

from __future__ import annotations

from mamekube.kinds.kind import Kind
from mamekube.kinds.rbac import bindings

KIND = Kind(
    group="rbac.authorization.k8s.io",
    version="v1",
    plural="clusterrolebindings",
    singular="clusterrolebinding",
    kind="ClusterRoleBinding",
    namespaced=False,
    schema="io.k8s.api.rbac.v1.ClusterRoleBinding",
    name_rule="path",
    default=bindings.default,
    columns=bindings.columns("clusterRoleBinding"),
    row=bindings.row,
    validate=bindings.validate_cluster_role_binding,
    validate_update=bindings.validate_update,
)

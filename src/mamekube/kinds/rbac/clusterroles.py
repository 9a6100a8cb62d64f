"""`ClusterRole` of `rbac.authorization.k8s.io/v1`."""

from __future__ import annotations

from mamekube.kinds import cells
from mamekube.kinds.kind import Kind
from mamekube.kinds.rbac import rules

KIND = Kind(
    group="rbac.authorization.k8s.io",
    version="v1",
    plural="clusterroles",
    singular="clusterrole",
    kind="ClusterRole",
    namespaced=False,
    schema="io.k8s.api.rbac.v1.ClusterRole",
    name_rule="path",
    default=rules.default,
    columns=cells.NAME_AND_CREATED,
    row=cells.name_and_created,
    validate=rules.validate_cluster_role,
)

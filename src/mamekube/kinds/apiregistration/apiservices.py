"""`APIService` of `apiregistration.k8s.io/v1`."""

from __future__ import annotations

from mamekube.kinds.kind import Kind

KIND = Kind(
    group="apiregistration.k8s.io",
    version="v1",
    plural="apiservices",
    singular="apiservice",
    kind="APIService",
    namespaced=False,
    categories=("api-extensions",),
    schema="io.k8s.kube-aggregator.pkg.apis.apiregistration.v1.APIService",
    has_status=True,
    name_rule="path",
)

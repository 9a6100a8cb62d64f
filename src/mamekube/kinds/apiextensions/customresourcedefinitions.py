"""`CustomResourceDefinition` of `apiextensions.k8s.io/v1`."""

from __future__ import annotations

from mamekube.kinds import cells
from mamekube.kinds.kind import Kind

KIND = Kind(
    group="apiextensions.k8s.io",
    version="v1",
    plural="customresourcedefinitions",
    singular="customresourcedefinition",
    kind="CustomResourceDefinition",
    namespaced=False,
    short_names=("crd", "crds"),
    categories=("api-extensions",),
    schema="io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition",
    has_status=True,
    counts_generation=True,
    columns=cells.NAME_AND_CREATED,
    row=cells.name_and_created,
)

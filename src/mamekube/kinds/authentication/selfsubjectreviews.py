"""`SelfSubjectReview` of `authentication.k8s.io/v1`."""

from __future__ import annotations

from mamekube.kinds.kind import Kind

KIND = Kind(
    group="authentication.k8s.io",
    version="v1",
    plural="selfsubjectreviews",
    singular="selfsubjectreview",
    kind="SelfSubjectReview",
    namespaced=False,
    verbs=("create",),
    schema="io.k8s.api.authentication.v1.SelfSubjectReview",
)

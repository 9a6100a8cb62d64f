"""`SubjectAccessReview` of `authorization.k8s.io/v1`."""

from __future__ import annotations

from mamekube.kinds.kind import Kind

KIND = Kind(
    group="authorization.k8s.io",
    version="v1",
    plural="subjectaccessreviews",
    singular="subjectaccessreview",
    kind="SubjectAccessReview",
    namespaced=False,
    verbs=("create",),
    schema="io.k8s.api.authorization.v1.SubjectAccessReview",
)

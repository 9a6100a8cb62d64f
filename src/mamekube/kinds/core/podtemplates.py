"""`PodTemplate` of `v1`."""

from __future__ import annotations

from mamekube.kinds.kind import Kind

KIND = Kind(
    group="",
    version="v1",
    plural="podtemplates",
    singular="podtemplate",
    kind="PodTemplate",
    schema="io.k8s.api.core.v1.PodTemplate",
    counts_generation=True,
)

"""`PersistentVolumeClaim` of `v1`."""

from __future__ import annotations

from mamekube.kinds.kind import Kind

KIND = Kind(
    group="",
    version="v1",
    plural="persistentvolumeclaims",
    singular="persistentvolumeclaim",
    kind="PersistentVolumeClaim",
    short_names=("pvc",),
    schema="io.k8s.api.core.v1.PersistentVolumeClaim",
    has_status=True,
)

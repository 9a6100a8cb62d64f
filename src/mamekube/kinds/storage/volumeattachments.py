"""`VolumeAttachment` of `storage.k8s.io/v1`."""

from __future__ import annotations

from mamekube.kinds.kind import Kind

KIND = Kind(
    group="storage.k8s.io",
    version="v1",
    plural="volumeattachments",
    singular="volumeattachment",
    kind="VolumeAttachment",
    namespaced=False,
    schema="io.k8s.api.storage.v1.VolumeAttachment",
    has_status=True,
)

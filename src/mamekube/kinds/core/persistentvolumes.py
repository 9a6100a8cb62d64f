"""`PersistentVolume` of `v1`."""

from __future__ import annotations

from mamekube.kinds.kind import Kind

KIND = Kind(
    group="",
    version="v1",
    plural="persistentvolumes",
    singular="persistentvolume",
    kind="PersistentVolume",
    namespaced=False,
    short_names=("pv",),
    schema="io.k8s.api.core.v1.PersistentVolume",
    has_status=True,
)

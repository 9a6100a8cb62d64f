"""`IPAddress` of `networking.k8s.io/v1`."""

from __future__ import annotations

from mamekube.kinds.kind import Kind

KIND = Kind(
    group="networking.k8s.io",
    version="v1",
    plural="ipaddresses",
    singular="ipaddress",
    kind="IPAddress",
    namespaced=False,
    short_names=("ip",),
    schema="io.k8s.api.networking.v1.IPAddress",
    name_rule="path",
)

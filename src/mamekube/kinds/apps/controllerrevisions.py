"""`ControllerRevision` of `apps/v1`."""

from __future__ import annotations

from mamekube.kinds.kind import Kind

KIND = Kind(
    group="apps",
    version="v1",
    plural="controllerrevisions",
    singular="controllerrevision",
    kind="ControllerRevision",
    schema="io.k8s.api.apps.v1.ControllerRevision",
)

"""Which fields of the built-in types are absent while they are empty, as Go's `omitempty` has it.

A client may write `hostNetwork: false`, `labels: {}` or `tolerations: []`; upstream decodes that to what it would be
without, and nobody sees it again. Of scalars it is so where the protobuf encoding cannot tell zero from absent either;
of lists and maps it is the rule.
"""

from __future__ import annotations

from mamekube.apiserver.formats import protobuf
from mamekube.objects import schema
from mamekube.objects.schema import Schema

SHOWN_EMPTY: dict[str, frozenset[str]] = {
    "io.k8s.api.autoscaling.v2.HorizontalPodAutoscalerStatus": frozenset({"currentMetrics"}),
    "io.k8s.api.core.v1.ContainerImage": frozenset({"names"}),
    "io.k8s.api.core.v1.ProjectedVolumeSource": frozenset({"sources"}),
    "io.k8s.api.discovery.v1.EndpointSlice": frozenset({"endpoints", "ports"}),
    "io.k8s.api.rbac.v1.ClusterRole": frozenset({"rules"}),
    "io.k8s.api.rbac.v1.Role": frozenset({"rules"}),
    schema.OBJECT_META: frozenset({"managedFields"}),  # an empty list asks for all managers to be forgotten
}
"""Lists and maps that need not be there, and yet are not the same as absent while they are empty."""

COLLECTIONS = frozenset({schema.LIST, schema.MAP})
SCALARS = frozenset({schema.STRING, schema.BOOL, schema.INT32, schema.INT64})
NONE: frozenset[str] = frozenset()


def of(struct: Schema) -> frozenset[str]:
    """The names of the fields of `struct` that are absent while they are empty."""
    if struct.custom or not struct.name or struct.type != schema.OBJECT:
        return NONE
    known = _KNOWN.get(struct.name)
    if known is None:
        known = _KNOWN[struct.name] = _omitted(struct)
    return known


_KNOWN: dict[str, frozenset[str]] = {}


def _omitted(struct: Schema) -> frozenset[str]:
    shown = SHOWN_EMPTY.get(struct.name, NONE)
    numbered = protobuf.fields_of(struct.name).values() if protobuf.is_message(struct.name) else ()
    zero_is_absent = {field.name for field in numbered if field.form == "some"}
    return frozenset(
        name
        for name, field in struct.fields.items()
        if not field.required
        and name not in shown
        and (field.type in COLLECTIONS or (field.type in SCALARS and name in zero_is_absent))
    )

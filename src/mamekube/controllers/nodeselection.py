"""Whether a pod's node selector and required node affinity allow a node. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mamekube.objects.meta import Object, labels_of, name_of
from mamekube.objects.selectors import from_expression, from_labels


def matches_node(spec: Mapping[str, Any], node: Object) -> bool:
    """`spec` is a pod's. Preferences do not count."""
    if spec.get("nodeName") and spec["nodeName"] != name_of(node):
        return False
    if not from_labels(spec.get("nodeSelector")).matches(labels_of(node)):
        return False
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    if required is None:
        return True
    return any(_term_matches(term, node) for term in required.get("nodeSelectorTerms") or ())


def _term_matches(term: Mapping[str, Any], node: Object) -> bool:
    """All expressions of a term together; a term without any matches nothing."""
    expressions, fields = term.get("matchExpressions") or (), term.get("matchFields") or ()
    if not expressions and not fields:
        return False
    labels = labels_of(node)
    named = {"metadata.name": name_of(node)}
    return all(from_expression(entry).matches(labels) for entry in expressions) and all(
        from_expression(entry).matches(named) for entry in fields
    )

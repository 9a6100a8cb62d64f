"""The schemas of built-in kinds: only they have merge rules, so only they take strategic merge patches."""

from __future__ import annotations

from mamekube.objects.resource import Resource
from mamekube.objects.schema import Schema, builtin_schema, definitions


def built_in_schema(resource: Resource) -> Schema | None:
    """The schema of a kind of Kubernetes itself; None for a custom one."""
    if "." in resource.group and not resource.group.endswith(".k8s.io"):
        return None
    package = resource.group.partition(".")[0] or "core"
    ending = f".{package}.{resource.version}.{resource.kind}"
    name = next((name for name in definitions() if name.endswith(ending)), None)
    return builtin_schema(name) if name else None

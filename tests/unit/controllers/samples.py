"""Objects for tests of controllers, as small as they can be."""

from __future__ import annotations

from typing import Any

NOW_S = 1_767_225_600.0
NOW = "2026-01-01T00:00:00Z"
Object = dict[str, Any]


def deployment(name: str = "web", *, replicas: int = 4, image: str = "app:v1", **spec: Any) -> Object:
    template = {
        "metadata": {"labels": {"app": name}},
        "spec": {"containers": [{"name": "app", "image": image}]},
    }
    return {
        "metadata": {"name": name, "namespace": "default", "uid": f"uid-{name}", "generation": 1},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": template,
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"},
            },
            "progressDeadlineSeconds": 600,
            "revisionHistoryLimit": 10,
            **spec,
        },
        "status": {},
    }


def pod(
    name: str, *, node: str = "n1", phase: str = "Running", ready_since: str = "", **fields: Any
) -> Object:
    status: Object = {"phase": phase, "podIP": fields.pop("ip", "10.244.0.1")}
    if ready_since:
        status["conditions"] = [{"type": "Ready", "status": "True", "lastTransitionTime": ready_since}]
    metadata = {"name": name, "namespace": "default", "uid": f"uid-{name}", "creationTimestamp": NOW}
    return {
        "metadata": {**metadata, **fields.pop("metadata", {})},
        "spec": {"nodeName": node, **fields.pop("spec", {})},
        "status": {**status, **fields.pop("status", {})},
    }

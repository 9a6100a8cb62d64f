"""Objects that many tests create, as small as they may be."""

from __future__ import annotations

from typing import Any

Object = dict[str, Any]

IMAGE = "registry.k8s.io/pause:3.10"


def pod(name: str, *, labels: Object | None = None, requests: Object | None = None, **spec: Any) -> Object:
    container: Object = {"name": "main", "image": IMAGE}
    if requests:
        container["resources"] = {"requests": requests, "limits": requests}
    return {
        "metadata": {"name": name, "labels": labels or {}},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 0, **spec},
    }


def template(labels: Object) -> Object:
    spec = {"containers": [{"name": "main", "image": IMAGE}], "terminationGracePeriodSeconds": 0}
    return {"metadata": {"labels": labels}, "spec": spec}


def replication_controller(name: str, replicas: int) -> Object:
    labels = {"app": name}
    spec = {"replicas": replicas, "selector": labels, "template": template(labels)}
    return {"apiVersion": "v1", "kind": "ReplicationController", "metadata": {"name": name}, "spec": spec}


def replica_set(name: str, replicas: int) -> Object:
    return {**deployment(name, replicas), "kind": "ReplicaSet"}


def deployment(name: str, replicas: int, *, labels: Object | None = None) -> Object:
    labels = labels or {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": template(labels),
        },
    }


def service(name: str, **spec: Any) -> Object:
    return {"metadata": {"name": name}, "spec": {"ports": [{"port": 80}], "selector": {"a": "b"}, **spec}}


def running(obj: Object) -> bool:
    return obj.get("status", {}).get("phase") == "Running"

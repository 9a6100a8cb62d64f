"""What the kubelet says about pods, with the reference upstream gives: the pod, and the container in its spec."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from mamekube.objects.meta import Object, name_of, namespace_of, revision_of, uid_of

NORMAL, WARNING = "Normal", "Warning"


class Recorder(Protocol):
    """`client.events.Recorder`: writes events in the background, and never fails."""

    def event(self, about: Mapping[str, Any], type: str, reason: str, message: str) -> None:
        """`about` is an ObjectReference; `type` is Normal or Warning."""
        ...


class PodEvents:
    """The events of one pod."""

    def __init__(self, recorder: Recorder, pod: Object) -> None:
        self._recorder = recorder
        self._pod = pod

    def normal(self, reason: str, message: str, container: Mapping[str, Any] | None = None) -> None:
        self._recorder.event(reference(self._pod, container), NORMAL, reason, message)

    def warning(self, reason: str, message: str, container: Mapping[str, Any] | None = None) -> None:
        self._recorder.event(reference(self._pod, container), WARNING, reason, message)


def reference(pod: Object, container: Mapping[str, Any] | None = None) -> dict[str, Any]:
    result = {
        "kind": "Pod",
        "namespace": namespace_of(pod),
        "name": name_of(pod),
        "uid": uid_of(pod),
        "apiVersion": "v1",
        "resourceVersion": revision_of(pod),
    }
    if container is not None:
        result["fieldPath"] = field_path(pod, container["name"])
    return result


def field_path(pod: Object, name: str) -> str:
    for group in ("containers", "initContainers", "ephemeralContainers"):
        if any(one["name"] == name for one in (pod.get("spec") or {}).get(group) or []):
            return f"spec.{group}{{{name}}}"
    return ""

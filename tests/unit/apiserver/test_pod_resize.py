"""What a resize of a pod may change, and in which words it is refused for anything else."""

import copy
from typing import Any

import pytest

from mamekube.apiserver.strategy import prepare_update, validate_update
from mamekube.apiserver.subresources.resize import STRATEGY
from mamekube.kinds.core.pods import KIND

SPEC = {
    "containers": [
        {"name": "a", "image": "i:1", "resources": {"requests": {"cpu": "1"}, "limits": {"cpu": "2"}}},
        {"name": "b", "image": "i:1"},
    ],
    "initContainers": [
        {"name": "i", "image": "i:1"},
        {"name": "s", "image": "i:1", "restartPolicy": "Always"},
    ],
}


def made(annotations: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    metadata = {"name": "p", "namespace": "default", "generation": 1, "annotations": annotations or {}}
    pod = {"metadata": metadata, "spec": {**copy.deepcopy(SPEC), **spec}, "status": {"qosClass": "Burstable"}}
    KIND.default(pod)
    return pod


def resized(old: dict[str, Any], **changes: Any) -> tuple[dict[str, Any], list[str]]:
    """The new pod and what is wrong with it; `changes` are resources by container, or fields of the spec."""
    new = copy.deepcopy(old)
    for field in ("containers", "initContainers"):
        for container in new["spec"][field]:
            if container["name"] in changes:
                container["resources"] = changes[container["name"]]
    new["spec"].update({field: value for field, value in changes.items() if len(field) > 1})
    prepare_update(STRATEGY, KIND, new, old, now_s=0.0)
    return new, [str(error) for error in validate_update(STRATEGY, KIND, new, old)]


def test_cpu_and_memory_change_and_nothing_else_is_touched() -> None:
    wanted = {"requests": {"cpu": "2", "memory": "1Mi"}, "limits": {"cpu": "3"}}
    new, errors = resized(made(), a=wanted, hostname="other", s={"requests": {"cpu": "1"}})
    assert errors == []
    assert (new["spec"]["containers"][0]["resources"], new["metadata"]["generation"]) == (wanted, 2)
    assert "hostname" not in new["spec"]


@pytest.mark.parametrize(
    ("old", "changes", "expected"),
    [
        (
            made(),
            {"a": {"requests": {"cpu": "1"}}},
            ["spec.containers[0].resources.limits: Forbidden: resource limits cannot be removed"],
        ),
        (
            made(),
            {"b": {"requests": {"ephemeral-storage": "1"}}},
            ["spec: Forbidden: only cpu and memory resources are mutable"],
        ),
        (
            made(),
            {"i": {"requests": {"cpu": "1"}}},
            ["spec: Forbidden: resources for non-sidecar init containers are immutable"],
        ),
        (
            made(),
            {"s": {"requests": {"ephemeral-storage": "1"}}},
            [
                "spec.initContainers[1]: Forbidden: only cpu and memory resources for init or sidecar containers are "
                "mutable"
            ],
        ),
        (
            made(),
            {"containers": made()["spec"]["containers"][::-1]},
            [
                f"spec.containers[{index}].name: Forbidden: containers may not be renamed or reordered on resize"
                for index in (0, 1)
            ],
        ),
        (
            made(),
            {"containers": made()["spec"]["containers"][:1]},
            ["spec.containers: Forbidden: containers may not be added or removed on resize"],
        ),
        (
            made({"kubernetes.io/config.mirror": "1"}, nodeName="n"),
            {"a": {"requests": {"cpu": "2"}, "limits": {"cpu": "2"}}},
            ["[]: Forbidden: static pods cannot be resized"],
        ),
        (
            made(os={"name": "windows"}),
            {"a": {"requests": {"cpu": "2"}, "limits": {"cpu": "2"}}},
            ["[]: Forbidden: windows pods cannot be resized"],
        ),
    ],
)
def test_a_resize_is_refused_for(old: dict[str, Any], changes: dict[str, Any], expected: list[str]) -> None:
    assert resized(old, **changes)[1] == expected

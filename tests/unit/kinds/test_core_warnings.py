"""What volumes, claims, nodes and service accounts are warned of."""

from typing import Any

import pytest

from mamekube.kinds.core import nodes, persistentvolumeclaims, persistentvolumes, serviceaccounts
from mamekube.kinds.kind import Kind

OLD_CLASS = "volume.beta.kubernetes.io/storage-class"
USE_FIELD = (
    f'metadata.annotations[{OLD_CLASS}]: deprecated since v1.8; use "storageClassName" attribute instead'
)
OLD_ZONE = "failure-domain.beta.kubernetes.io/zone"
TERM = "spec.nodeAffinity.required.nodeSelectorTerms[1].matchExpressions[0].key"


def made(annotations: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "x", "annotations": annotations or {}}, "spec": spec}


def placed(*keys: str) -> dict[str, Any]:
    terms = [{"matchExpressions": [{"key": key, "operator": "Exists"}]} for key in keys]
    return made(nodeAffinity={"required": {"nodeSelectorTerms": terms}})


CASES = [
    (persistentvolumes.KIND, made(csi={}, persistentVolumeReclaimPolicy="Delete"), []),
    (persistentvolumes.KIND, made({OLD_CLASS: "a"}), [USE_FIELD]),
    (persistentvolumes.KIND, made(persistentVolumeReclaimPolicy="Recycle"),
     ["spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the recommended approach "
      "is to use dynamic provisioning."]),
    (persistentvolumes.KIND, placed("topology.kubernetes.io/zone", OLD_ZONE),
     [f'{TERM}: {OLD_ZONE} is deprecated since v1.17; use "topology.kubernetes.io/zone" instead']),
    (persistentvolumes.KIND, made(rbd={}), ["spec.rbd: deprecated in v1.28, non-functional in v1.31+"]),
    (persistentvolumes.KIND, made(storageos={}), ["spec.storageOS: deprecated in v1.22, non-functional in v1.25+"]),
    (persistentvolumeclaims.KIND, made(resources={"requests": {"storage": "1Gi"}}), []),
    (persistentvolumeclaims.KIND,
     made({OLD_CLASS: "a"}, resources={"limits": {"storage": "1500m"}, "requests": {"storage": "0.5"}}),
     [USE_FIELD,
      'spec.resources.requests[storage]: fractional byte value "500m" is invalid, must be an integer',
      'spec.resources.limits[storage]: fractional byte value "1500m" is invalid, must be an integer']),
    (nodes.KIND, made(providerID="a"), []),
    (nodes.KIND, made(configSource={}, externalID="a"),
     ["spec.configSource: the feature is removed",
      "spec.externalID: this field is deprecated, and is unused by Kubernetes"]),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "obj", "expected"), CASES)
def test_it_is_warned_of(kind: Kind, obj: dict[str, Any], expected: list[str]) -> None:
    assert kind.warnings(obj, None) == kind.warnings(obj, obj) == expected


def test_a_service_account_is_warned_once_of_keeping_its_pods_from_other_secrets() -> None:
    keeping = made({"kubernetes.io/enforce-mountable-secrets": "true"})
    expected = [
        "metadata.annotations[kubernetes.io/enforce-mountable-secrets]: deprecated in v1.32+; prefer separate "
        "namespaces to isolate access to mounted secrets"
    ]
    warnings = serviceaccounts.KIND.warnings
    assert warnings(keeping, None) == warnings(keeping, made()) == expected
    assert warnings(keeping, keeping) == warnings(made(), None) == []

"""What a PersistentVolume or its claim says that is deprecated or hardly meant: texts for the `Warning` header."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.podspec.warnings import DEPRECATED_LABELS
from mamekube.objects import quantity
from mamekube.objects.meta import Object, annotations_of

CLASS_ANNOTATION = "volume.beta.kubernetes.io/storage-class"
DEPRECATED_ANNOTATION = 'deprecated since v1.8; use "storageClassName" attribute instead'
DEPRECATED_SOURCES = {
    "cephfs": "deprecated in v1.28, non-functional in v1.31+",
    "photonPersistentDisk": "deprecated in v1.11, non-functional in v1.16+",
    "scaleIO": "deprecated in v1.16, non-functional in v1.22+",
    "storageos": "deprecated in v1.22, non-functional in v1.25+",
    "glusterfs": "deprecated in v1.25, non-functional in v1.26+",
    "rbd": "deprecated in v1.28, non-functional in v1.31+",
}
_SHOWN = {"storageos": "storageOS"}
"""As upstream spells it here."""


def of_volume(new: Object, old: Object | None) -> list[str]:
    spec, said = cells.spec_of(new), _of_annotations(new)
    if spec.get("persistentVolumeReclaimPolicy") == "Recycle":
        said.append(
            "spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the recommended "
            "approach is to use dynamic provisioning."
        )
    wanted = (spec.get("nodeAffinity") or {}).get("required") or {}
    path = "spec.nodeAffinity.required.nodeSelectorTerms"
    for index, term in enumerate(wanted.get("nodeSelectorTerms") or ()):
        for place, expression in enumerate(term.get("matchExpressions") or ()):
            key = expression.get("key")
            if key in DEPRECATED_LABELS:
                said.append(
                    f"{path}[{index}].matchExpressions[{place}].key: {key} is {DEPRECATED_LABELS[key]}"
                )
    for source, text in DEPRECATED_SOURCES.items():
        if spec.get(source) is not None:
            said.append(f"spec.{_SHOWN.get(source, source)}: {text}")
    return said


def of_claim(new: Object, old: Object | None) -> list[str]:
    resources, said = cells.spec_of(new).get("resources") or {}, _of_annotations(new)
    for field in ("requests", "limits"):
        amount = (resources.get(field) or {}).get("storage")
        if amount is not None and _is_fraction(amount):
            shown = quantity.canonical(str(amount))
            detail = f'fractional byte value "{shown}" is invalid, must be an integer'
            said.append(f"spec.resources.{field}[storage]: {detail}")
    return said


def _of_annotations(obj: Object) -> list[str]:
    if CLASS_ANNOTATION not in annotations_of(obj):
        return []
    return [f"metadata.annotations[{CLASS_ANNOTATION}]: {DEPRECATED_ANNOTATION}"]


def _is_fraction(amount: Any) -> bool:
    try:
        return bool(quantity.parse_any(amount) % 1)
    except ValueError:
        return False

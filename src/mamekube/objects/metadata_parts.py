"""What labels, annotations, owners and finalizers may be: of every object, and of resources inside of objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mamekube.objects import names
from mamekube.objects.fielderrors import FieldError, invalid, too_long

FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"

CONTROLLERS_TOLD_MAX = 10
"""Of owners that may not be controllers, too. Upstream tells of all, and shows all owners each time."""
ANNOTATIONS_BYTES_MAX = 256 * 1024
FIELD_MANAGER_LENGTH_MAX = 128
SUBRESOURCE_LENGTH_MAX = 256


def validate(meta: Mapping[str, Any]) -> list[FieldError]:
    errors: list[FieldError] = []
    if meta.get("labels"):
        errors += _validate_labels(meta["labels"])
    if meta.get("annotations"):
        errors += _validate_annotations(meta["annotations"])
    if meta.get("ownerReferences"):
        errors += _validate_owners(meta["ownerReferences"])
    if meta.get("finalizers"):
        errors += _validate_finalizers(meta["finalizers"])
    return errors


def _validate_labels(labels: Mapping[str, str]) -> list[FieldError]:
    errors = []
    for key, value in labels.items():
        errors += [invalid("metadata.labels", key, problem) for problem in names.qualified_name(key)]
        errors += [invalid("metadata.labels", value, problem) for problem in names.label_value(value)]
    return errors


def _validate_annotations(annotations: Mapping[str, str]) -> list[FieldError]:
    errors = []
    size = 0
    for key, value in annotations.items():
        errors += [
            invalid("metadata.annotations", key, problem) for problem in names.qualified_name(key.lower())
        ]
        size += len(key.encode()) + len(value.encode())
    if size > ANNOTATIONS_BYTES_MAX:
        errors.append(too_long("metadata.annotations", ANNOTATIONS_BYTES_MAX))
    return errors


def _validate_owners(owners: Sequence[Mapping[str, Any]]) -> list[FieldError]:
    """Upstream's paths do not say which of them it is."""
    path = "metadata.ownerReferences"
    errors: list[FieldError] = []
    first, others = "", 0
    for owner in owners:
        api_version = owner.get("apiVersion") or ""
        if api_version.count("/") > 1 or not api_version.rpartition("/")[2]:
            errors.append(invalid(f"{path}.apiVersion", api_version, "version must not be empty"))
        errors += [
            invalid(f"{path}.{key}", "", "must not be empty")
            for key in ("kind", "name", "uid")
            if not owner.get(key)
        ]
        if owner.get("kind") == "Event" and api_version == "v1":
            errors.append(invalid(path, dict(owner), "/v1, Kind=Event is disallowed from being an owner"))
        if owner.get("controller"):
            name = f"{owner.get('kind', '')}/{owner.get('name', '')}"
            if not first:
                first = name
            elif others < CONTROLLERS_TOLD_MAX:
                others += 1
                detail = (
                    "Only one reference can have Controller set to true. "
                    f'Found "true" in references for {first} and {name}'
                )
                errors.append(invalid(path, list(owners), detail))
    return errors


def _validate_finalizers(finalizers: Sequence[str]) -> list[FieldError]:
    errors: list[FieldError] = []
    for finalizer in finalizers:
        errors += [
            invalid("metadata.finalizers", finalizer, text) for text in names.qualified_name(finalizer)
        ]
    if ORPHAN in finalizers and FOREGROUND in finalizers:
        detail = f"finalizer {ORPHAN} and {FOREGROUND} cannot be both set"
        errors.append(invalid("metadata.finalizers", list(finalizers), detail))
    return errors


def validate_managed_fields(entries: Sequence[Mapping[str, Any]]) -> list[FieldError]:
    """Of entries that can be read: who else wrote them is dropped before."""
    errors: list[FieldError] = []
    for index, entry in enumerate(entries):
        manager, subresource = entry.get("manager") or "", entry.get("subresource") or ""
        if _is_plain(manager) and len(subresource) <= SUBRESOURCE_LENGTH_MAX:
            continue
        path = f"metadata.managedFields[{index}]"
        errors += field_manager_errors(manager, f"{path}.manager")
        if len(subresource) > SUBRESOURCE_LENGTH_MAX:
            errors.append(too_long(f"{path}.subresource", SUBRESOURCE_LENGTH_MAX))
    return errors


def field_manager_errors(manager: str, path: str) -> list[FieldError]:
    """Lengths and positions are counted in bytes, as Go counts them."""
    if _is_plain(manager):
        return []
    errors = []
    if len(_encoded(manager)) > FIELD_MANAGER_LENGTH_MAX:
        errors.append(too_long(path, FIELD_MANAGER_LENGTH_MAX))
    position = 0
    for character in manager:
        if not character.isprintable():
            detail = f"invalid character U+{ord(character):04X} (at position {position})"
            errors.append(invalid(path, manager, detail))
        position += len(_encoded(character))
    return errors


def _is_plain(manager: str) -> bool:
    return len(manager) <= FIELD_MANAGER_LENGTH_MAX and manager.isascii() and manager.isprintable()


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")

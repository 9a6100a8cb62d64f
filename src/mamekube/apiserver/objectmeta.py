"""Checks of the metadata that every object has, with apimachinery's rules and wording. Pure."""

from __future__ import annotations

import random
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import orjson

from mamekube.foundation.clock import Clock, format_time
from mamekube.kinds.kind import Kind
from mamekube.objects import fielderrors, metadata_parts, names
from mamekube.objects.fielderrors import FieldError, forbidden, invalid, required
from mamekube.objects.meta import Object, metadata
from mamekube.objects.metadata_parts import FOREGROUND, ORPHAN

STANDARD_FINALIZERS = frozenset({FOREGROUND, ORPHAN, "kubernetes"})
ANY_FINALIZER = frozenset(
    {
        "admissionregistration.k8s.io",
        "apiextensions.k8s.io",
        "apiregistration.k8s.io",
        "coordination.k8s.io",
    }
)
"""Groups of built-in kinds in which finalizers need not be standard or name a domain."""

REPEATED_OWNERS = (
    ".metadata.ownerReferences contains duplicate entries{when}; API server dedups owner references in 1.20+, and may "
    "reject such requests as early as 1.24; please fix your requests; duplicate UID(s) observed: {uids}"
)
"""Upstream: DuplicateOwnerReferencesWarningFormat."""

GENERATED_NAME_PREFIX_MAX = 58
SUFFIX_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
"""Without vowels and look-alikes, so that no word comes out."""


def make_uid() -> str:
    """A random UUID (version 4). It need not be hard to guess, only never the same twice."""
    digits = f"{random.getrandbits(128) & ~(0xF << 76 | 3 << 62) | 4 << 76 | 2 << 62:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


@lru_cache(maxsize=8)
def _whole_second(seconds: int) -> str:
    return format_time(seconds)


def timestamp(clock: Clock) -> str:
    """Now, as `metav1.Time`. Written out once a second, for all the objects that are made in it."""
    return _whole_second(int(clock.now()))


def generate_name(prefix: str) -> str:
    """A name with five random characters after `prefix`, which is cut where it would grow too long."""
    return prefix[:GENERATED_NAME_PREFIX_MAX] + "".join(random.choices(SUFFIX_LETTERS, k=5))


def validate(kind: Kind, obj: Object) -> list[FieldError]:
    """The metadata of a new object."""
    meta = metadata(obj)
    errors: list[FieldError] = []
    name = meta.get("name", "")
    generate = meta.get("generateName", "")
    if generate:
        problems = names.object_name(kind.name_rule, generate, prefix=True)
        errors += [invalid("metadata.generateName", generate, problem) for problem in problems]
    if not name:
        errors.append(required("metadata.name", "name or generateName is required"))
    else:
        errors += [
            invalid("metadata.name", name, problem) for problem in names.object_name(kind.name_rule, name)
        ]
    errors += _validate_namespace(kind, meta.get("namespace", ""))
    if meta.get("generation", 0) < 0:
        errors.append(
            invalid("metadata.generation", meta["generation"], "must be greater than or equal to 0")
        )
    return errors + _validate_parts(meta) + _validate_standard(kind, meta)


def _validate_parts(meta: Mapping[str, Any]) -> list[FieldError]:
    errors = metadata_parts.validate(meta)
    managed = meta.get("managedFields")
    return errors + metadata_parts.validate_managed_fields(managed) if managed else errors


def _validate_standard(kind: Kind, meta: Mapping[str, Any]) -> list[FieldError]:
    """Built-in kinds know which finalizers have no domain."""
    finalizers = meta.get("finalizers")
    if not finalizers or not isinstance(kind.schema, str) or kind.group in ANY_FINALIZER:
        return []
    detail = "name is neither a standard finalizer name nor is it fully qualified"
    return [
        invalid(f"metadata.finalizers[{index}]", finalizer, detail)
        for index, finalizer in enumerate(finalizers)
        if "/" not in finalizer and finalizer not in STANDARD_FINALIZERS
    ]


def _validate_namespace(kind: Kind, namespace: str) -> list[FieldError]:
    if not kind.namespaced:
        return [forbidden("metadata.namespace", "not allowed on this type")] if namespace else []
    if not namespace:
        return [required("metadata.namespace")]
    return [invalid("metadata.namespace", namespace, problem) for problem in names.dns1123_label(namespace)]


def validate_update(kind: Kind, new: Object, old: Object) -> list[FieldError]:
    """What an update may not change in metadata. Both are whole objects."""
    after, before = metadata(new), metadata(old)
    errors: list[FieldError] = []
    generate = after.get("generateName")
    if generate:
        problems = names.path_segment_prefix(generate)
        errors += [invalid("metadata.generateName", generate, problem) for problem in problems]
    errors += _validate_parts(after)
    if before.get("deletionTimestamp"):
        added = set(after.get("finalizers") or ()) - set(before.get("finalizers") or ())
        if added:
            listed = ", ".join(fielderrors.render(name) for name in sorted(added))
            errors.append(
                forbidden(
                    "metadata.finalizers",
                    "no new finalizers can be added if the object is being deleted, "
                    f"found new finalizers []string{{{listed}}}",
                )
            )
    if after.get("generation", 0) < before.get("generation", 0):
        errors.append(invalid("metadata.generation", after.get("generation", 0), "must not be decremented"))
    for key, absent in _IMMUTABLE:
        if after.get(key, absent) != before.get(key, absent):
            errors.append(invalid(f"metadata.{key}", after.get(key, absent), "field is immutable"))
    return errors + _validate_standard(kind, after)


_IMMUTABLE: tuple[tuple[str, Any], ...] = (
    ("name", ""),
    ("namespace", ""),
    ("uid", ""),
    ("creationTimestamp", None),
    ("deletionTimestamp", None),
    ("deletionGracePeriodSeconds", None),
)


SYSTEM_FIELDS = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink")


def wipe_system_fields(meta: dict[str, Any]) -> None:
    """Take out of a new object what only the server says, before admission sees it."""
    for key in SYSTEM_FIELDS:
        meta.pop(key, None)


def drop_repeated_owners(obj: Object, warnings: list[str], *, after_admission: bool = False) -> None:
    """Leave of owner references that are the same all over the first, and warn of the others' uids."""
    meta = obj["metadata"]
    owners = meta.get("ownerReferences")
    if not owners or len(owners) < 2:
        return
    left: dict[bytes, Object] = {}
    repeated = []
    for owner in owners:
        text = orjson.dumps(owner, option=orjson.OPT_SORT_KEYS)
        if text in left:
            repeated.append(owner.get("uid", ""))
        else:
            left[text] = owner
    if repeated:
        meta["ownerReferences"] = list(left.values())
        when = " after mutating admission happens" if after_admission else ""
        warnings.append(REPEATED_OWNERS.format(when=when, uids=", ".join(repeated)))


def kept_from_old(new: Object, old: Object) -> None:
    """Carry over what every object keeps through its updates, where the new one leaves it out or may not say."""
    after, before = new["metadata"], metadata(old)
    if not after.get("uid") and before.get("uid"):
        after["uid"] = before["uid"]
    for key in ("creationTimestamp", "deletionTimestamp"):
        if before.get(key):
            after[key] = before[key]
    if before.get("deletionGracePeriodSeconds") is not None:
        after.setdefault("deletionGracePeriodSeconds", before["deletionGracePeriodSeconds"])
    if before.get("generation") is not None:
        after["generation"] = before["generation"]
    else:
        after.pop("generation", None)
    after.pop("selfLink", None)

"""`CSIDriver` of `storage.k8s.io/v1`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.fields import IMMUTABLE, Found, section
from mamekube.kinds.kind import Column, Kind
from mamekube.objects.fielderrors import duplicate, invalid, not_supported
from mamekube.objects.meta import Object, metadata

COLUMNS = (
    cells.NAME,
    Column(name="AttachRequired", field="storage.v1.CSIDriverSpec.attachRequired", type="boolean"),
    Column(name="PodInfoOnMount", field="storage.v1.CSIDriverSpec.podInfoOnMount", type="boolean"),
    Column(name="StorageCapacity", field="storage.v1.CSIDriverSpec.storageCapacity", type="boolean"),
    Column(name="TokenRequests", field="storage.v1.CSIDriverSpec.tokenRequests"),
    Column(name="RequiresRepublish", field="storage.v1.CSIDriverSpec.requiresRepublish", type="boolean"),
    Column(name="Modes", field="storage.v1.CSIDriverSpec.volumeLifecycleModes"),
    cells.AGE,
)

_DEFAULTS: dict[str, Any] = {
    "attachRequired": True,
    "podInfoOnMount": False,
    "storageCapacity": False,
    "fsGroupPolicy": "ReadWriteOnceWithFSType",
    "requiresRepublish": False,
    "seLinuxMount": False,
}


def default(driver: Object) -> None:
    spec = section(driver, "spec")
    for field, value in _DEFAULTS.items():
        if spec.get(field) is None:
            spec[field] = value
    if not spec.get("volumeLifecycleModes"):
        spec["volumeLifecycleModes"] = ["Persistent"]


def row(driver: Object, now_s: float) -> list[Any]:
    spec = cells.spec_of(driver)
    tokens = spec.get("tokenRequests")
    return [
        cells.name(driver),
        spec.get("attachRequired") is not False,
        bool(spec.get("podInfoOnMount")),
        bool(spec.get("storageCapacity")),
        cells.UNSET if tokens is None else ",".join(token.get("audience") or "" for token in tokens),
        bool(spec.get("requiresRepublish")),
        ",".join(spec.get("volumeLifecycleModes") or ()) or cells.NONE,
        cells.age(driver, now_s),
    ]


LIFECYCLE_MODES = ("Persistent", "Ephemeral")
GROUP_POLICIES = frozenset(("ReadWriteOnceWithFSType", "File", "None"))
TOKEN_EXPIRATION_S_MIN = 600
TOKEN_EXPIRATION_S_MAX = 2**32
UPDATE_PERIOD_S_MIN = 10


def validate(driver: Object) -> Found:
    found: Found = []
    spec = cells.spec_of(driver)
    policy, tokens = spec.get("fsGroupPolicy"), spec.get("tokenRequests") or ()
    if policy is not None and policy not in GROUP_POLICIES:
        found.append(not_supported("spec.fsGroupPolicy", policy, GROUP_POLICIES))
    _validate_tokens(tokens, found)
    for mode in spec.get("volumeLifecycleModes") or ():
        if mode not in LIFECYCLE_MODES:
            found.append(not_supported("spec.volumeLifecycleModes", mode, LIFECYCLE_MODES))
    period = spec.get("nodeAllocatableUpdatePeriodSeconds")
    if period is not None and period < UPDATE_PERIOD_S_MIN:
        detail = f"must be greater than or equal to {UPDATE_PERIOD_S_MIN} seconds"
        found.append(invalid("spec.nodeAllocatableUpdatePeriodSeconds", period, detail))
    secret = spec.get("serviceAccountTokenInSecrets")
    if secret is not None and not tokens:
        detail = "serviceAccountTokenInSecrets is set but no tokenRequests are specified"
        found.append(invalid("spec.serviceAccountTokenInSecrets", secret, detail))
    return found


def _validate_tokens(tokens: Sequence[dict[str, Any]], found: Found) -> None:
    seen = set()
    for index, token in enumerate(tokens):
        path, audience = f"spec.tokenRequests[{index}]", token.get("audience") or ""
        seconds = token.get("expirationSeconds")
        if audience in seen:
            found.append(duplicate(f"{path}.audience", audience))
            continue
        seen.add(audience)
        if seconds is not None and seconds < TOKEN_EXPIRATION_S_MIN:
            detail = "may not specify a duration less than 10 minutes"
            found.append(invalid(f"{path}.expirationSeconds", seconds, detail))
        if seconds is not None and seconds > TOKEN_EXPIRATION_S_MAX:
            detail = "may not specify a duration larger than 2^32 seconds"
            found.append(invalid(f"{path}.expirationSeconds", seconds, detail))


def prepare_update(new: Object, old: Object) -> None:
    """The generation counts the changes of the spec, from none."""
    if cells.spec_of(new) != cells.spec_of(old):
        section(new, "metadata")["generation"] = cells.count(metadata(old), "generation") + 1


def validate_update(new: Object, old: Object) -> Found:
    after, before = cells.spec_of(new), cells.spec_of(old)
    return [
        invalid(f"spec.{shown}", after.get(field), IMMUTABLE)
        for field, shown in (
            ("attachRequired", "attachedRequired"),
            ("volumeLifecycleModes", "volumeLifecycleModes"),
        )
        if after.get(field) != before.get(field)
    ]


KIND = Kind(
    group="storage.k8s.io",
    version="v1",
    plural="csidrivers",
    singular="csidriver",
    kind="CSIDriver",
    namespaced=False,
    schema="io.k8s.api.storage.v1.CSIDriver",
    default=default,
    columns=COLUMNS,
    row=row,
    prepare_update=prepare_update,
    validate=validate,
    validate_update=validate_update,
)

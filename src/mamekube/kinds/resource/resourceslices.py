"""`ResourceSlice` of `resource.k8s.io/v1`."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.fields import IMMUTABLE, Found, check_driver, shown_pointer
from mamekube.kinds.kind import Column, Kind
from mamekube.kinds.podspec.scheduling import validate_node_selector
from mamekube.kinds.resource import devices
from mamekube.kinds.resource.configurations import capitals_warning
from mamekube.kinds.resource.identifiers import check_pool
from mamekube.kinds.resource.lists import check_set
from mamekube.objects.fielderrors import invalid, required
from mamekube.objects.meta import Object

COLUMNS = (
    cells.NAME,
    Column(name="Node", field="resource.v1.ResourceSliceSpec.nodeName"),
    Column(name="Driver", field="resource.v1.ResourceSliceSpec.driver"),
    Column(name="Pool", field="resource.v1.ResourcePool.name"),
    cells.AGE,
)

DEVICES_MAX = 128
DEMANDING_DEVICES_MAX = 64
"""Where one of them has taints or takes of shared counters."""
COUNTER_SETS_MAX = 8


def default(resource_slice: Object) -> None:
    spec = cells.spec_of(resource_slice)
    for device in spec.get("devices") or ():
        devices.default_device(device)
    for counters in spec.get("sharedCounters") or ():
        devices.default_counters(counters)


def prepare_create(resource_slice: Object) -> None:
    for device in cells.spec_of(resource_slice).get("devices") or ():
        devices.drop_disabled(device, {})


def prepare_update(new: Object, old: Object) -> None:
    before = _by_name(cells.spec_of(old))
    for device in cells.spec_of(new).get("devices") or ():
        devices.drop_disabled(device, before.get(_name(device), {}))


def row(resource_slice: Object, now_s: float) -> list[Any]:
    spec = cells.spec_of(resource_slice)
    return [
        cells.name(resource_slice),
        spec.get("nodeName") or "",
        spec.get("driver") or "",
        (spec.get("pool") or {}).get("name") or "",
        cells.age(resource_slice, now_s),
    ]


def validate_create(resource_slice: Object) -> Found:
    return _validate(cells.spec_of(resource_slice), None)


def validate_update(new: Object, old: Object) -> Found:
    return _validate(cells.spec_of(new), cells.spec_of(old))


def _validate(spec: dict[str, Any], old: dict[str, Any] | None) -> Found:
    found: Found = []
    check_driver(spec.get("driver"), "spec.driver", found)
    _check_pool(spec.get("pool") or {}, found)
    if old is not None:
        _check_unchanged(spec, old, found)
    _check_nodes(spec, found)
    if spec.get("sharedCounters") is not None and spec.get("devices") is not None:
        found.append(invalid("spec", "", "only one of `sharedCounters` or `devices` is allowed"))
    _check_devices(spec, old, found)
    check_set(
        spec.get("sharedCounters"),
        "spec.sharedCounters",
        found,
        most=COUNTER_SETS_MAX,
        each=devices.check_counters,
        key=_name,
    )
    return found


def _check_pool(pool: dict[str, Any], found: Found) -> None:
    check_pool(pool.get("name"), "spec.pool.name", found)
    slices, generation = cells.count(pool, "resourceSliceCount"), cells.count(pool, "generation")
    if slices <= 0:
        found.append(invalid("spec.pool.resourceSliceCount", slices, "must be greater than zero"))
    if generation < 0:
        found.append(invalid("spec.pool.generation", generation, "must be greater than or equal to zero"))


def _check_unchanged(spec: dict[str, Any], old: dict[str, Any], found: Found) -> None:
    pools = [(section.get("pool") or {}).get("name") or "" for section in (spec, old)]
    if pools[0] != pools[1]:
        found.append(invalid("spec.pool.name", pools[0], IMMUTABLE))
    for field in ("driver", "nodeName"):
        if spec.get(field) != old.get(field):
            found.append(invalid(f"spec.{field}", shown_pointer(spec.get(field)), IMMUTABLE))


def _check_nodes(spec: dict[str, Any], found: Found) -> None:
    """Exactly one way to say which nodes can reach the devices."""
    given = []
    name, selector = spec.get("nodeName"), spec.get("nodeSelector")
    if name:
        given.append("`nodeName`")
        devices.check_node_name(name, "spec.nodeName", found)
    elif name is not None:
        found.append(invalid("spec.nodeName", name, "must be either unset or set to a non-empty string"))
    if selector is not None:
        given.append("`nodeSelector`")
        validate_node_selector(selector, "spec.nodeSelector", found)
        terms = selector.get("nodeSelectorTerms")
        if len(terms or ()) != 1:
            detail = "must have exactly one node selector term"
            found.append(invalid("spec.nodeSelector.nodeSelectorTerms", terms, detail))
    for field in ("allNodes", "perDeviceNodeSelection"):
        if spec.get(field):
            given.append(f"`{field}`")
        elif spec.get(field) is not None:
            found.append(invalid(f"spec.{field}", spec[field], devices.TRUE_OR_UNSET))
    detail = "exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required"
    if not given:
        found.append(required("spec", detail))
    elif len(given) > 1:
        shown = f"{{{', '.join(given)}}}"
        found.append(invalid("spec", shown, f"{detail}, but multiple fields are set"))


def _check_devices(spec: dict[str, Any], old: dict[str, Any] | None, found: Found) -> None:
    offered, before = spec.get("devices") or [], _by_name(old or {})
    chooses = bool(spec.get("perDeviceNodeSelection"))
    demanding = any(device.get("taints") or device.get("consumesCounters") for device in offered)

    def check_device(device: dict[str, Any], path: str, found: Found) -> None:
        devices.check_device(device, path, found, old=before.get(_name(device)), chooses_nodes=chooses)

    most = DEMANDING_DEVICES_MAX if demanding else DEVICES_MAX
    check_set(offered, "spec.devices", found, most=most, each=check_device, key=_name)


def _name(item: dict[str, Any]) -> str:
    return item.get("name") or ""


def _by_name(spec: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {_name(device): device for device in reversed(spec.get("devices") or [])}


def warnings(new: Object, old: Object | None) -> list[str]:
    warning = capitals_warning(cells.spec_of(new).get("driver") or "", "spec.driver")
    return [warning] if warning else []


KIND = Kind(
    group="resource.k8s.io",
    version="v1",
    plural="resourceslices",
    singular="resourceslice",
    kind="ResourceSlice",
    namespaced=False,
    schema="io.k8s.api.resource.v1.ResourceSlice",
    counts_generation=True,
    default=default,
    prepare_create=prepare_create,
    prepare_update=prepare_update,
    columns=COLUMNS,
    row=row,
    selectable={
        "spec.nodeName": lambda obj: cells.spec_of(obj).get("nodeName") or "",
        "spec.driver": lambda obj: cells.spec_of(obj).get("driver") or "",
    },
    validate_create=validate_create,
    validate_update=validate_update,
    warnings=warnings,
)

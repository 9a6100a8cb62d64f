"""The devices that a driver offers in a slice, and the counters that they share."""

from __future__ import annotations

import re
from typing import Any

from mamekube.kinds.fields import Found, check
from mamekube.kinds.podspec.defaults import canonical_or_same
from mamekube.kinds.podspec.scheduling import validate_node_selector
from mamekube.kinds.resource.capacities import check_capacity, default_policy
from mamekube.kinds.resource.expressions import ENTRIES_MAX, VALUE_LENGTH_MAX
from mamekube.kinds.resource.identifiers import KEY_LENGTH_MAX, check_label, check_qualified
from mamekube.kinds.resource.lists import check_list, check_map, check_set
from mamekube.kinds.resource.tolerations import TAINTS_MAX, check_binding_conditions, check_taint
from mamekube.objects import names
from mamekube.objects.fielderrors import invalid, required, too_long

CONSUMPTIONS_MAX = 2
COUNTERS_MAX = 32
SCALARS = ("bool", "int", "string", "version")
LISTS = ("bools", "ints", "strings", "versions")
TRUE_OR_UNSET = "must be either unset or set to true"

_NUMBER = "(0|[1-9][0-9]*)"
_LABEL = "(0|[1-9][0-9]*|[0-9]*[a-zA-Z-][0-9a-zA-Z-]*)"
_BUILD = "[0-9a-zA-Z-]+"
_SEMANTIC_VERSION = re.compile(
    rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(-{_LABEL}(\.{_LABEL})*)?(\+{_BUILD}(\.{_BUILD})*)?"
)


def default_device(device: dict[str, Any]) -> None:
    for capacity in (device.get("capacity") or {}).values():
        capacity["value"] = canonical_or_same(capacity.get("value", "0"))
        default_policy(capacity.get("requestPolicy") or {})
    for consumption in device.get("consumesCounters") or ():
        default_counters(consumption)


def default_counters(holder: dict[str, Any]) -> None:
    for counter in (holder.get("counters") or {}).values():
        counter["value"] = canonical_or_same(counter.get("value", "0"))


def drop_disabled(device: dict[str, Any], old: dict[str, Any]) -> None:
    """What is behind gates that are closed where it was not used before."""
    if not old.get("nodeAllocatableResourceMappings"):
        device.pop("nodeAllocatableResourceMappings", None)
    for attribute in (device.get("attributes") or {}).values():
        for field in LISTS:
            attribute.pop(field, None)


def check_device(
    device: dict[str, Any], path: str, found: Found, *, old: dict[str, Any] | None, chooses_nodes: bool
) -> None:
    """`chooses_nodes`: whether each device of the slice says which nodes have it."""
    check_label(device.get("name"), f"{path}.name", found)
    attributes, capacity = device.get("attributes") or {}, device.get("capacity") or {}
    count = len(attributes) + len(capacity)
    if count > ENTRIES_MAX:
        detail = f"the total number of attributes and capacities must not exceed {ENTRIES_MAX}"
        found.append(invalid(path, count, detail))
    check_map(
        attributes,
        f"{path}.attributes",
        found,
        check_key=check_qualified,
        each=_check_attribute,
        key_length_max=KEY_LENGTH_MAX,
    )
    shared = bool(device.get("allowMultipleAllocations"))

    def check_one(entry: dict[str, Any], at: str, found: Found) -> None:
        check_capacity(entry, at, found, shared=shared)

    if old is None or (old.get("capacity") or {}) != capacity:
        check_map(
            capacity,
            f"{path}.capacity",
            found,
            check_key=check_qualified,
            each=check_one,
            key_length_max=KEY_LENGTH_MAX,
        )
    taints = device.get("taints") or []
    if old is None or (old.get("taints") or []) != taints:
        check_list(taints, f"{path}.taints", found, most=TAINTS_MAX, each=check_taint)
    check_set(
        device.get("consumesCounters"),
        f"{path}.consumesCounters",
        found,
        most=CONSUMPTIONS_MAX,
        each=_check_consumption,
        key=lambda consumption: consumption.get("counterSet") or "",
    )
    _check_nodes(device, path, found, chooses_nodes=chooses_nodes)
    check_binding_conditions(device, path, found)


def _check_attribute(attribute: dict[str, Any], path: str, found: Found) -> None:
    given = [field for field in (*SCALARS, *LISTS) if attribute.get(field) is not None]
    for field in given:
        value = attribute[field]
        if field in LISTS and not value:
            found.append(invalid(f"{path}.{field}", value, "must not be empty if specified"))
        texts = {f"{path}.{field}": value} if field in SCALARS else {}
        if field in LISTS:
            texts = {f"{path}.{field}[{index}]": item for index, item in enumerate(value)}
        for at, text in texts.items():
            _check_text(text, at, found, version=field.startswith("version"))
    if not given:
        found.append(invalid(path, "", "exactly one value must be specified"))
    elif len(given) > 1:
        found.append(invalid(path, attribute, "exactly one value must be specified"))


def _check_text(value: Any, path: str, found: Found, *, version: bool) -> None:
    if not isinstance(value, str):
        return
    if version and not _SEMANTIC_VERSION.fullmatch(value):
        found.append(invalid(path, value, "must be a string compatible with semver.org spec 2.0.0"))
    if len(value.encode()) > VALUE_LENGTH_MAX:
        found.append(too_long(path, VALUE_LENGTH_MAX))


def _check_consumption(consumption: dict[str, Any], path: str, found: Found) -> None:
    check_counters(consumption, path, found, name="counterSet")


def check_counters(holder: dict[str, Any], path: str, found: Found, *, name: str = "name") -> None:
    """Counters that devices share, or what one device takes of them; `name` names the set."""
    if not holder.get(name):
        found.append(required(f"{path}.{name}"))
    else:
        check_label(holder[name], f"{path}.{name}", found)
    if not holder.get("counters"):
        found.append(required(f"{path}.counters"))
        return
    check_map(
        holder["counters"],
        f"{path}.counters",
        found,
        check_key=check_label,
        most=COUNTERS_MAX,
        key_length_max=names.LABEL_LENGTH_MAX,
    )


def check_node_name(name: str, path: str, found: Found) -> None:
    check(name, path, names.dns1123_subdomain, found)


def _check_nodes(device: dict[str, Any], path: str, found: Found, *, chooses_nodes: bool) -> None:
    name, selector, everywhere = (device.get(field) for field in ("nodeName", "nodeSelector", "allNodes"))
    if not chooses_nodes:
        if name is not None or selector is not None or everywhere is not None:
            detail = (
                "`nodeName`, `nodeSelector` and `allNodes` can only be set if `perDeviceNodeSelection` is set to "
                "true in the ResourceSlice spec"
            )
            found.append(invalid(path, "null", detail))
        return
    given = []
    if name:
        given.append("`nodeName`")
        check_node_name(name, f"{path}.nodeName", found)
    elif name is not None:
        found.append(invalid(f"{path}.nodeName", name, "must not be empty"))
    if selector is not None:
        given.append("`nodeSelector`")
        validate_node_selector(selector, f"{path}.nodeSelector", found)
    if everywhere:
        given.append("`allNodes`")
    elif everywhere is not None:
        found.append(invalid(f"{path}.allNodes", everywhere, TRUE_OR_UNSET))
    detail = (
        "exactly one of `nodeName`, `nodeSelector`, or `allNodes` is required when `perDeviceNodeSelection` is set "
        "to true in the ResourceSlice spec"
    )
    if not given:
        found.append(required(path, detail))
    elif len(given) > 1:
        found.append(invalid(path, f"{{{', '.join(given)}}}", detail))

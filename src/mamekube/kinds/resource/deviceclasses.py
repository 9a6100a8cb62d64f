"""`DeviceClass` of `resource.k8s.io/v1`."""

from __future__ import annotations

from typing import Any

from mamekube.kinds import cells
from mamekube.kinds.fields import Found
from mamekube.kinds.kind import Kind
from mamekube.kinds.podspec.resources import is_extended
from mamekube.kinds.resource.configurations import CONFIGURATIONS_MAX, check_configuration, driver_warnings
from mamekube.kinds.resource.expressions import check_selectors
from mamekube.kinds.resource.lists import check_list
from mamekube.objects import names
from mamekube.objects.fielderrors import invalid
from mamekube.objects.meta import Object


def validate_create(device_class: Object) -> Found:
    return _validate(cells.spec_of(device_class), {})


def validate_update(new: Object, old: Object) -> Found:
    return _validate(cells.spec_of(new), cells.spec_of(old))


def _validate(spec: dict[str, Any], old: dict[str, Any]) -> Found:
    """What stays as it was is not held to rules that came later."""
    found: Found = []
    selectors, configurations = spec.get("selectors") or [], spec.get("config") or []
    same = selectors == (old.get("selectors") or [])
    check_selectors(selectors, "spec.selectors", found, stored=same)
    stored = configurations == (old.get("config") or [])

    def check_one(configuration: dict[str, Any], path: str, found: Found) -> None:
        check_configuration(configuration, path, found, stored=stored)

    check_list(configurations, "spec.config", found, most=CONFIGURATIONS_MAX, each=check_one)
    extended = spec.get("extendedResourceName")
    if extended is not None and (not is_extended(extended) or names.qualified_name(f"requests.{extended}")):
        detail = "must be a valid extended resource name"
        found.append(invalid("spec.extendedResourceName", extended, detail))
    return found


def warnings(new: Object, old: Object | None) -> list[str]:
    return driver_warnings(cells.spec_of(new).get("config") or (), "spec.config")


KIND = Kind(
    group="resource.k8s.io",
    version="v1",
    plural="deviceclasses",
    singular="deviceclass",
    kind="DeviceClass",
    namespaced=False,
    schema="io.k8s.api.resource.v1.DeviceClass",
    counts_generation=True,
    columns=cells.NAME_AND_AGE,
    row=cells.name_and_age,
    validate_create=validate_create,
    validate_update=validate_update,
    warnings=warnings,
)

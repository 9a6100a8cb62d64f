"""What drivers are told about devices in words of their own: any JSON object, up to a size."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson

from mamekube.kinds.fields import Found, check_driver
from mamekube.objects.fielderrors import invalid, required, too_long

CONFIGURATIONS_MAX = 32
PARAMETERS_BYTES_MAX = 10 * 1024


def check_configuration(
    configuration: dict[str, Any], path: str, found: Found, *, stored: bool = False
) -> None:
    """`stored`: it may go on being larger than new ones may be."""
    opaque = configuration.get("opaque")
    if opaque is None:
        found.append(required(f"{path}.opaque"))
        return
    check_driver(opaque.get("driver"), f"{path}.opaque.driver", found)
    check_object(opaque.get("parameters"), f"{path}.opaque.parameters", found, stored=stored)


def check_object(value: Any, path: str, found: Found, *, stored: bool = False) -> None:
    if value is None:
        found.append(required(path))
    elif not stored and len(orjson.dumps(value)) > PARAMETERS_BYTES_MAX:
        found.append(too_long(path, PARAMETERS_BYTES_MAX))
    elif not isinstance(value, dict):
        found.append(invalid(path, "<value omitted>", "must be a valid JSON object"))


def driver_warnings(configurations: Iterable[dict[str, Any]], path: str) -> list[str]:
    drivers = ((entry.get("opaque") or {}).get("driver") or "" for entry in configurations)
    return [
        warning
        for index, driver in enumerate(drivers)
        if (warning := capitals_warning(driver, f"{path}[{index}].opaque.driver"))
    ]


def capitals_warning(driver: str, path: str) -> str:
    """Empty where all letters are small."""
    if driver == driver.lower():
        return ""
    return f'{path}: driver names should be lowercase; "{driver}" contains uppercase characters'

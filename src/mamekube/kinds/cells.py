"""What the tables of several kinds share: common columns, and texts of labels, selectors, containers and lists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mamekube.kinds.kind import Column
from mamekube.objects import quantity
from mamekube.objects.ages import since
from mamekube.objects.meta import Object

NONE = "<none>"
UNSET = "<unset>"

NAME = Column(name="Name", field="meta.v1.ObjectMeta.name", format="name")
AGE = Column(name="Age", field="meta.v1.ObjectMeta.creationTimestamp")
CONTAINERS = Column(name="Containers", description="Names of each container in the template.", priority=1)
IMAGES = Column(name="Images", description="Images referenced by each container in the template.", priority=1)

NAME_AND_AGE = (NAME, AGE)
NAME_AND_CREATED = (
    NAME,
    Column(name="Created At", field="meta.v1.ObjectMeta.creationTimestamp", type="date"),
)
"""The table of built-in kinds that have no columns of their own."""


def name_and_created(obj: Object, now_s: float) -> list[Any]:
    return [name(obj), (obj.get("metadata") or {}).get("creationTimestamp")]


def name_and_age(obj: Object, now_s: float) -> list[Any]:
    """The row of a kind without columns of its own."""
    return [name(obj), age(obj, now_s)]


def name(obj: Object) -> str:
    return (obj.get("metadata") or {}).get("name") or ""


def age(obj: Object, now_s: float) -> str:
    return since((obj.get("metadata") or {}).get("creationTimestamp"), now_s)


def spec_of(obj: Object) -> dict[str, Any]:
    return obj.get("spec") or {}


def status_of(obj: Object) -> dict[str, Any]:
    return obj.get("status") or {}


def count(section: Mapping[str, Any], field: str) -> int:
    """A number of the object, 0 where it is not written."""
    return section.get(field) or 0


def labels_text(labels: Mapping[str, str] | None) -> str:
    if not labels:
        return NONE
    return ",".join(sorted(f"{key}={value}" for key, value in labels.items()))


def selector_text(selector: Mapping[str, Any] | None, *, invalid: str = "<error>") -> str:
    """A LabelSelector on one line, `""` for one that selects everything or nothing; `invalid` for what is none."""
    if not selector:
        return ""
    parts = [(key, f"{key}={value}") for key, value in (selector.get("matchLabels") or {}).items()]
    for expression in selector.get("matchExpressions") or ():
        key = expression.get("key") or ""
        text = _requirement_text(key, expression.get("operator"), expression.get("values") or ())
        if not text:
            return invalid
        parts.append((key, text))
    parts.sort(key=lambda part: part[0])
    return ",".join(text for _, text in parts)


def _requirement_text(key: str, operator: str | None, values: Sequence[str]) -> str:
    """`""` for what requires nothing that can be told."""
    if operator in ("In", "NotIn"):
        return f"{key} {operator.lower()} ({','.join(sorted(values))})" if values else ""
    if values:
        return ""
    return {"Exists": key, "DoesNotExist": f"!{key}"}.get(operator or "", "")


def selector_or_none(selector: Mapping[str, Any] | None) -> str:
    return selector_text(selector) or NONE


def given(value: str | None, otherwise: str) -> str:
    """A text that may be left out, which is not the same as empty."""
    return otherwise if value is None else value


def container_cells(template: Mapping[str, Any] | None) -> tuple[str, str]:
    """`(names, images)` of the containers of a pod template."""
    containers = ((template or {}).get("spec") or {}).get("containers") or ()
    return (
        ",".join(container.get("name") or "" for container in containers),
        ",".join(container.get("image") or "" for container in containers),
    )


def list_text(items: Sequence[str], *, shown_max: int = 3) -> str:
    """The first few of a list, `<unset>` of an empty one."""
    if len(items) > shown_max:
        return f"{','.join(items[:shown_max])} + {len(items) - shown_max} more..."
    return ",".join(items) or UNSET


def load_balancer_text(status: Mapping[str, Any] | None) -> str:
    """The addresses that a load balancer gave out, in order of text."""
    ingress = (status or {}).get("ingress") or ()
    return ",".join(sorted({item.get("ip") or item.get("hostname") or "" for item in ingress} - {""}))


_ACCESS_MODES = (
    ("ReadWriteOnce", "RWO"),
    ("ReadOnlyMany", "ROX"),
    ("ReadWriteMany", "RWX"),
    ("ReadWriteOncePod", "RWOP"),
)


def access_modes_text(modes: Sequence[str] | None) -> str:
    return ",".join(short for mode, short in _ACCESS_MODES if mode in (modes or ()))


def quantity_text(value: Any) -> str:
    """A quantity in canonical form, `0` where there is none, and what is no quantity as it is."""
    if value is None:
        return "0"
    try:
        return quantity.canonical(str(value))
    except ValueError:
        return str(value)


def boolean_text(value: bool | None) -> str:
    return UNSET if value is None else "True" if value else "False"

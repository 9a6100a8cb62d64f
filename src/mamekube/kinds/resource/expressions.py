"""The CEL expressions that select devices."""

from __future__ import annotations

from typing import Any

from mamekube.kinds.fields import Found
from mamekube.kinds.resource.identifiers import DOMAIN_LENGTH_MAX, IDENTIFIER_LENGTH_MAX
from mamekube.kinds.resource.lists import check_list
from mamekube.objects import cel
from mamekube.objects.cel.types import BOOL, DYN, STRING, Type, map_of, object_type
from mamekube.objects.fielderrors import forbidden, invalid, required, too_long

SELECTORS_MAX = 32
EXPRESSION_BYTES_MAX = 10 * 1024
COST_MAX = 1_000_000
ENTRIES_MAX = 32
"""Of the attributes and capacities of one device."""
VALUE_LENGTH_MAX = 64

DEVICE = object_type(
    "kubernetes.DRADevice",
    {
        "driver": STRING,
        "attributes": map_of(STRING, map_of(STRING, DYN)),
        "capacity": map_of(STRING, map_of(STRING, Type("kubernetes.Quantity"))),
        "allowMultipleAllocations": BOOL,
    },
)


def check_selectors(
    selectors: list[dict[str, Any]] | None, path: str, found: Found, *, stored: bool = False
) -> None:
    """`stored`: nothing was changed, so they compiled once."""

    def check_one(selector: dict[str, Any], at: str, found: Found) -> None:
        chosen = selector.get("cel")
        if chosen is None:
            found.append(required(f"{at}.cel"))
        elif not stored:
            _check_expression(chosen.get("expression") or "", f"{at}.cel.expression", found)

    check_list(selectors, path, found, most=SELECTORS_MAX, each=check_one)


def _check_expression(expression: str, path: str, found: Found) -> None:
    if len(expression.encode()) > EXPRESSION_BYTES_MAX:
        found.append(too_long(path, EXPRESSION_BYTES_MAX))
        return
    variables = {"device": DEVICE}
    try:
        program = cel.compile(expression, variables=variables, binds=True)
        if program.type not in (BOOL, DYN):
            detail = f"must evaluate to bool or the unknown type, not {program.type}"
            found.append(invalid(path, expression, detail))
        elif cel.estimate(expression, variables=variables, size_of=_size_at, binds=True) > COST_MAX:
            found.append(forbidden(path, "too complex, exceeds cost limit"))
    except cel.CelCompileError as error:
        found.append(invalid(path, expression, f"{error.step}: {error}"))


def _size_at(path: tuple[str, ...]) -> int | None:
    """How large what stands at a path from `device` can be."""
    steps = path[1:]
    if not steps:
        return 0
    root, depth = steps[0], len(steps)
    if root == "driver":
        return DOMAIN_LENGTH_MAX if depth == 1 else None
    if root not in ("attributes", "capacity") or depth > 3:
        return None
    if steps[-1] == "@keys":
        return DOMAIN_LENGTH_MAX if depth == 2 else IDENTIFIER_LENGTH_MAX
    if depth < 3:
        return ENTRIES_MAX
    return VALUE_LENGTH_MAX if root == "attributes" else 0

"""Kubernetes' own values: URLs, quantities, semantic versions, the authorizer, JSON pointers."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs

from mamekube.objects import quantity as quantities
from mamekube.objects import urls
from mamekube.objects.cel.errors import EvaluationError
from mamekube.objects.cel.functions import declare
from mamekube.objects.cel.library.standard import through
from mamekube.objects.cel.values import INT_MAX, INT_MIN, Quantity, Semver, Url, checked_int, compare

# URLs ---------------------------------------------------------------------------------------------------


@declare("url", "string", "kubernetes.URL", cost=through)
def url(text: str) -> Url:
    try:
        urls.parse_absolute(text)
    except ValueError as error:
        problem = f'parse "{text}": {error}'
        raise EvaluationError(f"URL parse error during conversion from string: {problem}") from None
    return Url(text)


@declare("isURL", "string", "bool", cost=through)
def is_url(text: str) -> bool:
    try:
        urls.parse_absolute(text)
    except ValueError:
        return False
    return True


def _declare_part(name: str, read: Callable[[urls.Url], str]) -> None:
    declare(name, "kubernetes.URL", "string", member=True)(lambda found: read(urls.parse(found.text)))


_declare_part("getScheme", lambda parts: parts.scheme)
_declare_part("getHost", lambda parts: parts.host)
_declare_part("getHostname", lambda parts: parts.hostname)
_declare_part("getPort", lambda parts: parts.port)
_declare_part("getEscapedPath", lambda parts: parts.escaped_path)


@declare("getQuery", "kubernetes.URL", "map(string, list(string))", member=True)
def query(found: Url) -> dict[str, list[str]]:
    return parse_qs(urls.parse(found.text).query, keep_blank_values=True)


# Quantities ---------------------------------------------------------------------------------------------

_Q = "kubernetes.Quantity"


@declare("quantity", "string", _Q, cost=through)
def quantity(text: str) -> Quantity:
    try:
        return Quantity(*quantities.amount_and_style(text))
    except quantities.QuantityError as error:
        raise EvaluationError(str(error)) from None


@declare("isQuantity", "string", "bool", cost=through)
def is_quantity(text: str) -> bool:
    try:
        quantities.parse(text)
    except quantities.QuantityError:
        return False
    return True


declare("sign", _Q, "int", member=True)(lambda found: (found.amount > 0) - (found.amount < 0))
declare("isGreaterThan", f"{_Q}, {_Q}", "bool", member=True)(lambda one, other: one.amount > other.amount)
declare("isLessThan", f"{_Q}, {_Q}", "bool", member=True)(lambda one, other: one.amount < other.amount)
declare("compareTo", f"{_Q}, {_Q}", "int", member=True)(compare)
declare("asApproximateFloat", _Q, "double", member=True)(lambda found: float(found.amount))


@declare("isInteger", _Q, "bool", member=True)
def is_integer(found: Quantity) -> bool:
    whole = found.amount == found.amount.to_integral_value()
    return whole and INT_MIN <= found.amount <= INT_MAX


@declare("asInteger", _Q, "int", member=True)
def as_integer(found: Quantity) -> int:
    if not is_integer(found):
        raise EvaluationError("cannot convert value to integer")
    return int(found.amount)


@declare("add", f"{_Q}, {_Q}", _Q, member=True)
def add(one: Quantity, other: Quantity) -> Quantity:
    return Quantity(one.amount + other.amount, one.style)


@declare("sub", f"{_Q}, {_Q}", _Q, member=True)
def sub(one: Quantity, other: Quantity) -> Quantity:
    return Quantity(one.amount - other.amount, one.style)


@declare("add", f"{_Q}, int", _Q, member=True)
def add_whole(one: Quantity, other: int) -> Quantity:
    return Quantity(one.amount + Decimal(other), one.style)


@declare("sub", f"{_Q}, int", _Q, member=True)
def sub_whole(one: Quantity, other: int) -> Quantity:
    return Quantity(one.amount - Decimal(other), one.style)


# Versions -----------------------------------------------------------------------------------------------

_V = "kubernetes.Semver"
_NUMBER = r"(?:0|[1-9][0-9]*)"
_PART = rf"(?:{_NUMBER}|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
_SEMVER = re.compile(
    rf"({_NUMBER})\.({_NUMBER})\.({_NUMBER})(?:-({_PART}(?:\.{_PART})*))?(?:\+([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?",
    re.ASCII,
)


@declare("semver", "string", _V, cost=through)
@declare("semver", "string, bool", _V, cost=through)
def semver(text: str, normalize: bool = False) -> Semver:
    match = _SEMVER.fullmatch(_normalized(text) if normalize else text)
    if match is None:
        raise EvaluationError(_semver_problem(text))
    release = tuple(int(number) for number in match.groups()[:3])
    before = tuple((match.group(4) or "").split(".")) if match.group(4) else ()
    return Semver((release[0], release[1], release[2]), before, match.group(5) or "")


def _semver_problem(text: str) -> str:
    if not text:
        return "Version string empty"
    if text.count(".") < 2:
        return "No Major.Minor.Patch elements found"
    return f"Invalid character(s) found in version {text!r}"


def _normalized(text: str) -> str:
    """Without a leading v and leading zeros, with all three numbers."""
    core, rest = re.match(r"v?([^-+]*)(.*)", text, re.DOTALL).groups()  # type: ignore[union-attr]
    numbers = core.split(".")
    numbers = [re.sub(r"^0+(?=[0-9])", "", number) for number in numbers] + ["0"] * (3 - len(numbers))
    return ".".join(numbers) + rest


@declare("isSemver", "string", "bool", cost=through)
@declare("isSemver", "string, bool", "bool", cost=through)
def is_semver(text: str, normalize: bool = False) -> bool:
    return _SEMVER.fullmatch(_normalized(text) if normalize else text) is not None


declare("major", _V, "int", member=True)(lambda found: checked_int(found.release[0]))
declare("minor", _V, "int", member=True)(lambda found: checked_int(found.release[1]))
declare("patch", _V, "int", member=True)(lambda found: checked_int(found.release[2]))
declare("isGreaterThan", f"{_V}, {_V}", "bool", member=True)(lambda one, other: compare(one, other) > 0)
declare("isLessThan", f"{_V}, {_V}", "bool", member=True)(lambda one, other: compare(one, other) < 0)
declare("compareTo", f"{_V}, {_V}", "int", member=True)(compare)


# The authorizer -----------------------------------------------------------------------------------------
# Its values are made by whoever binds the variable `authorizer`; they have these methods.

CHECK_COST = 350_000
"""Upstream's: three checks fit into one expression."""

_A = "kubernetes.authorization."
for _name, _params, _result in (
    ("path", "Authorizer, string", "PathCheck"),
    ("group", "Authorizer, string", "GroupCheck"),
    ("serviceAccount", "Authorizer, string, string", "Authorizer"),
    ("resource", "GroupCheck, string", "ResourceCheck"),
    ("subresource", "ResourceCheck, string", "ResourceCheck"),
    ("namespace", "ResourceCheck, string", "ResourceCheck"),
    ("name", "ResourceCheck, string", "ResourceCheck"),
    ("fieldSelector", "ResourceCheck, string", "ResourceCheck"),
    ("labelSelector", "ResourceCheck, string", "ResourceCheck"),
):
    _types = ", ".join(part if part == "string" else _A + part for part in _params.split(", "))

    def _refine(value: Any, *texts: str, _method: str = _name) -> Any:
        return value.refine(_method, *texts)

    declare(_name, _types, _A + _result, member=True)(_refine)

for _receiver in ("PathCheck", "ResourceCheck"):
    declare("check", f"{_A}{_receiver}, string", f"{_A}Decision", member=True, cost=lambda *_: CHECK_COST)(
        lambda value, verb: value.check(verb)
    )
declare("allowed", f"{_A}Decision", "bool", member=True)(lambda decision: decision.allowed)
declare("reason", f"{_A}Decision", "string", member=True)(lambda decision: decision.reason)
declare("errored", f"{_A}Decision", "bool", member=True)(lambda decision: bool(decision.error))
declare("error", f"{_A}Decision", "string", member=True)(lambda decision: decision.error)


# JSON patches -------------------------------------------------------------------------------------------


@declare("jsonpatch.escapeKey", "string", "string", cost=through)
def escape_key(text: str) -> str:
    return text.replace("~", "~0").replace("/", "~1")

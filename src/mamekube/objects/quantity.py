"""Resource quantities: `100m`, `1.5Gi`, `2e3`, exactly as apimachinery's `resource.Quantity` reads and writes them."""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, localcontext
from typing import Any

from mamekube.foundation.remembering import short_texts

PATTERN = r"^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$"
FORMAT_MESSAGE = f"quantities must match the regular expression '{PATTERN}'"
SUFFIX_MESSAGE = "unable to parse quantity's suffix"

_BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_NUMBER = re.compile(r"([+-]?)(\d*)(?:\.(\d*))?")
_SCALE_MIN = Decimal("1e-9")
_AMOUNT_MAX = Decimal(2**63 - 1)
_DIGITS = 60


class QuantityError(ValueError):
    """A text that is no quantity."""


@short_texts(maxsize=4096)
def parse(text: str) -> Decimal:
    """The amount of a quantity. Raises QuantityError, whose text is upstream's message."""
    return _parts(text)[0]


def amount_and_style(text: str) -> tuple[Decimal, str]:
    """The amount, and the format it is written in: decimal, binary or exponent. Raises QuantityError."""
    return _parts(text)


def parse_any(value: Any) -> Decimal:
    """The amount of what stands in JSON: text or a number."""
    return parse(str(value))


def value(text: Any) -> int:
    """Whole units, rounded up (towards positive infinity)."""
    return int(parse_any(text).to_integral_value(ROUND_CEILING))


def milli_value(text: Any) -> int:
    """Thousandths, rounded up: the usual measure of CPU."""
    with localcontext() as context:
        context.prec = _DIGITS
        return int((parse_any(text) * 1000).to_integral_value(ROUND_CEILING))


@short_texts(maxsize=4096)
def canonical(text: str) -> str:
    """The one way to write this amount in the format that `text` is in: `1000m` is `1`, `1024Ki` is `1Mi`."""
    amount, style = _parts(text)
    return render(amount, style)


def render(amount: Decimal, style: str = "decimal") -> str:
    """`amount` with the largest suffix that leaves a whole number; `style` is decimal, binary or exponent."""
    with localcontext() as context:
        context.prec = _DIGITS
        if amount == 0:
            return "0"
        if style == "binary":
            # Amounts below 1Ki or with a fraction of bytes have no binary suffix.
            if abs(amount) < 1024 or amount != amount.to_integral_value():
                style = "decimal"
            else:
                return _render_binary(int(amount))
        mantissa, exponent = amount, 0
        while exponent > -9 and mantissa != mantissa.to_integral_value():
            exponent -= 3
            mantissa *= 1000
        whole = int(mantissa.to_integral_value(ROUND_CEILING if amount > 0 else ROUND_FLOOR))
        while exponent < 18 and whole % 1000 == 0:
            exponent += 3
            whole //= 1000
        if style == "exponent":
            return f"{whole}e{exponent}" if exponent else str(whole)
        return f"{whole}{_suffix(exponent)}"


def add(first: Any, second: Any) -> str:
    """The sum, in the format of the first (of the second, where the first is zero)."""
    amount, style = _parts(str(first))
    other, other_style = _parts(str(second))
    with localcontext() as context:
        context.prec = _DIGITS
        return render(amount + other, other_style if amount == 0 else style)


def subtract(first: Any, second: Any) -> str:
    """The difference, in the format of the first."""
    amount, style = _parts(str(first))
    other, other_style = _parts(str(second))
    with localcontext() as context:
        context.prec = _DIGITS
        return render(amount - other, other_style if amount == 0 else style)


def compare(first: Any, second: Any) -> int:
    """-1, 0 or 1."""
    left, right = parse_any(first), parse_any(second)
    return (left > right) - (left < right)


def _parts(text: str) -> tuple[Decimal, str]:
    if not text:
        raise QuantityError(FORMAT_MESSAGE)
    match = _NUMBER.match(text)
    assert match is not None, "the pattern matches the empty text"
    sign, whole, fraction = match.groups()
    if not whole and not fraction:
        raise QuantityError(FORMAT_MESSAGE)
    scale, style = _scale(text[match.end() :])
    with localcontext() as context:
        context.prec = _DIGITS
        amount = Decimal(f"{sign}{whole or 0}.{fraction or 0}") * scale
        # Anything smaller than a billionth is rounded away from zero, and nothing exceeds an int64.
        amount = max(-_AMOUNT_MAX, min(_AMOUNT_MAX, amount))
        rounding = ROUND_FLOOR if amount < 0 else ROUND_CEILING
        amount = amount.quantize(_SCALE_MIN, rounding=rounding)
        return amount.normalize(), style


def _scale(suffix: str) -> tuple[Decimal, str]:
    if suffix in _BINARY:
        return Decimal(1024 ** _BINARY[suffix]), "binary"
    if suffix in _DECIMAL:
        return Decimal(10) ** _DECIMAL[suffix], "decimal"
    if re.fullmatch(r"[eE][-+]?\d{1,9}", suffix):
        exponent = int(suffix[1:])
        return Decimal(10) ** max(-30, min(30, exponent)), "exponent"
    if re.fullmatch(r"[eEinumkKMGTP]*[-+]?[0-9]*", suffix):
        raise QuantityError(SUFFIX_MESSAGE)
    raise QuantityError(FORMAT_MESSAGE)


def _render_binary(amount: int) -> str:
    power = 0
    while power < 6 and amount % 1024 == 0:
        amount //= 1024
        power += 1
    return f"{amount}{next((name for name, value in _BINARY.items() if value == power), '')}"


def _suffix(exponent: int) -> str:
    return next(name for name, value in _DECIMAL.items() if value == exponent)

"""Money as integer minor units, prices as scaled integers; decimals exist only at the edges."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_EVEN, Context, Decimal
from functools import lru_cache

# Decimal places of each currency a wallet may have (ISO 4217).
CURRENCY_SCALES = {"USD": 2, "EUR": 2, "GBP": 2}
DEFAULT_CURRENCY = "USD"

_AMOUNT = re.compile(r"\d{1,15}(\.\d+)?\Z", re.ASCII)
MINOR_MAX = 2**63 - 1
# Wide enough that no price which a feed may send is rounded before it is rounded to its scale.
_EXACT = Context(prec=200, rounding=ROUND_HALF_EVEN)


class AmountShapeError(ValueError):
    """The text is not an amount."""


class AmountPrecisionError(ValueError):
    """The amount has more decimals than its currency."""


def parse_amount(text: str, currency: str) -> int:
    """Return an amount in minor units.

    :param text: digits with an optional fraction, such as ``10`` or ``10.50``
    :raises AmountShapeError: when it is no amount
    :raises AmountPrecisionError: when it has more decimals than the currency
    """
    if not _AMOUNT.match(text):
        raise AmountShapeError(text)
    scale = CURRENCY_SCALES[currency]
    whole, _, fraction = text.partition(".")
    # "10.500" is worth the same as "10.50" but claims a precision that the currency does not have.
    if len(fraction) > scale:
        raise AmountPrecisionError(text)
    return int(whole + fraction.ljust(scale, "0"))


def format_minor(amount_minor: int, currency: str) -> str:
    """Format minor units as a decimal text in the currency's scale."""
    return format_scaled(amount_minor, CURRENCY_SCALES[currency])


# Prices and stakes come again and again, in one document and in the next.
@lru_cache(maxsize=65_536)
def format_scaled(value: int, scale: int) -> str:
    """Format an integer of 10**-scale units as a decimal text with exactly ``scale`` places."""
    sign, digits = ("-", str(-value)) if value < 0 else ("", str(value))
    if scale == 0:
        return sign + digits
    digits = digits.rjust(scale + 1, "0")
    return f"{sign}{digits[:-scale]}.{digits[-scale:]}"


def optional_scaled(value: int | None, scale: int) -> str | None:
    """Format a scaled integer that may be missing."""
    return None if value is None else format_scaled(value, scale)


def mid(bid: Decimal, ask: Decimal) -> Decimal:
    """Return the exact middle of two prices."""
    return _EXACT.divide(_EXACT.add(bid, ask), Decimal(2))


def scale_half_even(value: Decimal, scale: int) -> int:
    """Round a decimal half-even to ``scale`` places, once, and return it as a scaled integer."""
    return int(_EXACT.quantize(_EXACT.scaleb(value, scale), Decimal(1)))

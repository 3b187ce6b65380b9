"""Risk limits of an installation as a document: soft values warn, hard ones refuse. Pure.

Amounts are decimal text in the currency of the wallet that a signal trades on, and each wallet is judged by itself:
what is lost on demo stops nothing on real.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from functools import lru_cache
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct, field

from kernel.clock import parse_rfc3339

_SOME = r"^(?!0+(\.0+)?\Z)"
Amount = Annotated[str, Meta(pattern=_SOME + r"[0-9]{1,12}(\.[0-9]{1,2})?\Z")]
Percent = Annotated[str, Meta(pattern=_SOME + r"[0-9]{1,3}(\.[0-9]{1,4})?\Z")]
Factor = Percent
CurrencyCode = Annotated[str, Meta(pattern=r"^[A-Z0-9]{2,12}\Z")]
_Words = Annotated[str, Meta(pattern=r"^[^\x00-\x1f\x7f\ud800-\udfff]{0,80}\Z")]

NEWS_MAX = 100
DOCUMENT_BYTES_MAX = 32 * 1024
# Beyond this a bucket's refill would be shorter than the clock's millisecond can tell well.
PER_MINUTE_MAX = 6_000


class _Part(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """A part of the document."""


class SameExpiry(_Part, frozen=True):
    """The most that may stand on expiries which lie close together."""

    stake: Amount
    within_s: Annotated[int, Meta(ge=0, le=86_400)] = 60


class CoolDown(_Part, frozen=True):
    """A strategy pauses after so many losses in a row."""

    losses: Annotated[int, Meta(ge=1, le=1_000)]
    pause_s: Annotated[int, Meta(ge=1, le=31 * 86_400)]


class NewsWindow(_Part, frozen=True):
    """A time without new orders on symbols of some currencies, or on all; instants as RFC 3339, the end left out."""

    from_: str = field(name="from")
    to: str
    currencies: Annotated[list[CurrencyCode], Meta(max_length=40)] = []
    name: _Words = ""

    @property
    def from_ms(self) -> int:
        """Return its beginning."""
        return _instant_ms(self.from_)

    @property
    def to_ms(self) -> int:
        """Return its end."""
        return _instant_ms(self.to)


class Bounds(_Part, frozen=True):
    """One value of each limit, in the order of the checks; None is no limit.

    :param balance_percent: of the wallet's balance, for one order
    :param desk: open stakes of all the owner's installations
    :param correlated: net open stake on one currency, calls against puts
    :param orders_per_minute: a bucket of so many, for each key
    :param martingale: how many times the lost stake the next one of the strategy may be
    :param price_drift: percent of the signal's own price
    """

    stake_min: Amount | None = None
    stake_max: Amount | None = None
    stake_step: Amount | None = None
    balance_percent: Percent | None = None
    open_strategy: Amount | None = None
    open_symbol: Amount | None = None
    open_currency: Amount | None = None
    open_direction: Amount | None = None
    desk: Amount | None = None
    correlated: Amount | None = None
    same_expiry: SameExpiry | None = None
    open_options: Annotated[int, Meta(ge=1, le=100_000)] | None = None
    orders_per_minute: Annotated[int, Meta(ge=1, le=PER_MINUTE_MAX)] | None = None
    loss_day: Amount | None = None
    loss_week: Amount | None = None
    loss_month: Amount | None = None
    drawdown: Amount | None = None
    cool_down: CoolDown | None = None
    martingale: Factor | None = None
    min_payout: Annotated[int, Meta(ge=1, le=100)] | None = None
    price_drift: Percent | None = None
    news: Annotated[list[NewsWindow], Meta(max_length=NEWS_MAX)] | None = None


class Limits(_Part, frozen=True):
    """What an installation is held to; nothing unless it is said."""

    soft: Bounds = Bounds()
    hard: Bounds = Bounds()


NO_BOUNDS, NO_LIMITS = Bounds(), Limits()
# In the order of the checks.
NAMES: tuple[str, ...] = Bounds.__struct_fields__
STOPS = ("loss_day", "loss_week", "loss_month", "drawdown")


class LimitsInvalid(ValueError):
    """A document is none.

    :param path: where, such as ``hard.stake_min``
    """

    def __init__(self, path: str, message: str) -> None:
        super().__init__(message)
        self.path = path


_WHERE = re.compile(r"^(?P<message>.*) - at `\$\.?(?P<path>[^`]*)`\Z")


def limits_parsed(document: Any) -> Limits:
    """Return the limits that decoded JSON describes.

    :raises LimitsInvalid: with the place that is wrong
    """
    try:
        limits = msgspec.convert(document, Limits)
    except msgspec.ValidationError as error:
        found = _WHERE.match(str(error))
        raise LimitsInvalid(found["path"] if found else "", found["message"] if found else str(error)) from None
    for path, message in _contradictions(limits):
        raise LimitsInvalid(path, message)
    if len(msgspec.json.encode(limits)) > DOCUMENT_BYTES_MAX:
        raise LimitsInvalid("", f"The document is larger than {DOCUMENT_BYTES_MAX} bytes.")
    return limits


@lru_cache(maxsize=4_096)
def limits_stored(text: str) -> Limits:
    """Return the limits of a stored document; most installations keep theirs for long."""
    return msgspec.json.decode(text, type=Limits)


def minor(amount: str) -> int:
    """Return an amount in minor units: every currency of a wallet has two decimals."""
    whole, _, fraction = amount.partition(".")
    return int(whole + fraction.ljust(2, "0"))


def _contradictions(limits: Limits) -> Iterator[tuple[str, str]]:
    for side, bounds in (("soft", limits.soft), ("hard", limits.hard)):
        if bounds.stake_min and bounds.stake_max and Decimal(bounds.stake_min) > Decimal(bounds.stake_max):
            yield f"{side}.stake_min", "must not be above stake_max"
        for number, window in enumerate(bounds.news or ()):
            try:
                backwards = window.to_ms <= window.from_ms
            except ValueError as error:
                yield f"{side}.news[{number}]", str(error)
                continue
            if backwards:
                yield f"{side}.news[{number}].to", "must lie after from"


@lru_cache(maxsize=4_096)
def _instant_ms(text: str) -> int:
    return parse_rfc3339(text)

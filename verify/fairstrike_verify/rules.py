"""The rules of entry and settlement, written again from their words (docs/rules): pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fairstrike_verify.members import DECIMAL
from fairstrike_verify.receipt import Receipt, Terms
from fairstrike_verify.sealing import Tick

LAST_TICK = "last_tick/1"
NEXT_TICK = "next_tick/1"
TRIMMED_MEAN = "trimmed_mean_10s/1"
WINDOW_MS = 10_000


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an order ends by its rule."""

    state: str
    reason: str | None
    payout: int
    tick: Tick | None = None
    close_price: int | None = None


def entry_refund(terms: Terms, tick: Tick | None) -> str | None:
    """Return why the tick that follows an order under ``next_tick/1`` does not open it; None when it does."""
    assert terms.entry_until_ms is not None
    if tick is None or tick.at_ms > terms.entry_until_ms:
        return "no_entry_tick"
    if tick.revision != terms.revision:
        return "revision"
    return "price_moved" if drifted(terms, tick.price) else None


def drifted(terms: Terms, price: int) -> bool:
    """Whether an opening price lies further from the expected one than the client allowed."""
    if terms.expected_price is None or terms.max_price_drift is None:
        return False
    (expected, expected_places), (drift, drift_places) = terms.expected_price, terms.max_price_drift
    places = max(terms.price_scale, expected_places, drift_places)
    apart: int = price * 10 ** (places - terms.price_scale) - expected * 10 ** (places - expected_places)
    width: int = drift * 10 ** (places - drift_places)
    return abs(apart) > width


def outcome_of(receipt: Receipt, *, open_price: int, tick: Tick | None, window: Sequence[Tick]) -> Outcome:
    """Return how a receipt's order ends; the first line that applies decides, in the order of the published table.

    :param tick: the last tick with a time at or before the expiry
    :param window: the ticks of the ten seconds up to the expiry; read under ``trimmed_mean_10s/1`` only
    """
    order, terms, evidence = receipt.order, receipt.terms, receipt.evidence
    assert evidence is not None
    trimmed = order.settlement_rule == TRIMMED_MEAN
    tick = (window[-1] if window else None) if trimmed else tick
    counted = window if trimmed else [one for one in (tick,) if one is not None]
    if evidence.emergency_revision is not None:
        return _refunded(receipt, tick, "revision")
    if evidence.feed_closed:
        return _refunded(receipt, tick, "feed_closed")
    if tick is None:
        return _refunded(receipt, None, "no_tick")
    if order.expires_ms - tick.at_ms > terms.max_tick_age_ms:
        return _refunded(receipt, tick, "stale_tick")
    if any(one.revision != terms.revision for one in counted):
        return _refunded(receipt, tick, "revision")
    close_price = trimmed_mean([one.price for one in window]) if trimmed else tick.price
    return _decided(receipt, tick, close_price - open_price, close_price)


def _refunded(receipt: Receipt, tick: Tick | None, reason: str) -> Outcome:
    # A price of another revision may have another scale: it is no closing price of this order.
    price = tick.price if tick is not None and tick.revision == receipt.terms.revision else None
    return Outcome("refunded", reason, receipt.order.stake[0], tick, price)


def _decided(receipt: Receipt, tick: Tick, moved: int, close_price: int) -> Outcome:
    stake = receipt.order.stake[0]
    if moved == 0:
        return Outcome("tied", None, stake, tick, close_price)
    if (moved > 0) is (receipt.order.direction == "up"):
        return Outcome("won", None, stake + stake * receipt.order.payout_percent // 100, tick, close_price)
    return Outcome("lost", None, 0, tick, close_price)


def trimmed_mean(prices: Sequence[int]) -> int:
    """Return the mean without the floor(3n/10) highest and lowest of n prices, rounded half to even."""
    dropped = 3 * len(prices) // 10
    kept = sorted(prices)[dropped : len(prices) - dropped]
    mean, rest = divmod(sum(kept), len(kept))
    return mean + (2 * rest > len(kept) or (2 * rest == len(kept) and mean % 2 == 1))


def price_of_quote(tick: Tick, places: int) -> int | None:
    """Return the middle of bid and ask, rounded half to even; None for a trade or what is no decimal."""
    if not (DECIMAL.fullmatch(tick.bid) and DECIMAL.fullmatch(tick.ask)):
        return None
    (bid_whole, _, bid_part), (ask_whole, _, ask_part) = tick.bid.partition("."), tick.ask.partition(".")
    finest = max(len(bid_part), len(ask_part), places)
    # Twice the middle, in units of the finest scale.
    twice = int(bid_whole + bid_part.ljust(finest, "0")) + int(ask_whole + ask_part.ljust(finest, "0"))
    unit: int = 2 * 10 ** (finest - places)
    price, rest = divmod(twice, unit)
    return price + (2 * rest > unit or (2 * rest == unit and price % 2 == 1))

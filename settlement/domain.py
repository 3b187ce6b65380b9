"""Entry and outcome of an order: pure functions of its frozen terms and the admitted tick log (rules, 2 to 4)."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import msgspec

from trading.domain import TRIMMED_MEAN, Direction, OrderState, price_drifted, profit_of_win

TRIMMED_WINDOW_MS = 10_000


class Refund(StrEnum):
    """Why a stake is returned; there are no other reasons."""

    NO_ENTRY_TICK = "no_entry_tick"
    PRICE_MOVED = "price_moved"
    FEED_CLOSED = "feed_closed"
    NO_TICK = "no_tick"
    STALE_TICK = "stale_tick"
    REVISION = "revision"


class Tick(msgspec.Struct, frozen=True, gc=False):
    """One admitted tick."""

    seq: int
    at_ms: int
    price: int
    revision: int


class EntryTerms(msgspec.Struct, frozen=True, gc=False):
    """What ``next_tick/1`` froze at acceptance: the tick after ``after_seq`` opens the order if it comes in time."""

    after_seq: int
    until_ms: int
    revision: int
    price_scale: int
    expected_price: str | None = None
    max_price_drift: str | None = None


class Entry(msgspec.Struct, frozen=True, gc=False):
    """How an order entered: with an opening tick, or not at all and why."""

    tick: Tick | None
    refund: Refund | None = None


class Terms(msgspec.Struct, frozen=True, gc=False):
    """What an order froze at acceptance and entry; instants in Unix milliseconds, prices scaled integers."""

    direction: Direction
    stake: int
    payout_percent: int
    expires_at_ms: int
    max_tick_age_ms: int
    revision: int
    open_price: int
    settlement_rule: str = "last_tick/1"


class Evidence(msgspec.Struct, frozen=True, gc=False):
    """What the log says about an expiry.

    :param tick: the last admitted tick with a time at or before the expiry
    :param window: prices of the ticks of the last 10 s before the expiry; only ``trimmed_mean_10s/1`` reads them
    :param window_revisions: the revisions of those ticks
    :param feed_closed: whether the feed's last word at the expiry was that this market is closed
    :param emergency: whether an emergency revision took effect after acceptance and at or before the expiry
    """

    tick: Tick | None
    window: tuple[int, ...] = ()
    window_revisions: frozenset[int] = frozenset()
    feed_closed: bool = False
    emergency: bool = False


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """How an order ends; ``payout`` is what is credited, stake included, in minor units."""

    state: OrderState
    payout: int
    tick: Tick | None
    reason: Refund | None = None
    close_price: int | None = None

    @property
    def tick_price(self) -> int | None:
        """The evidence tick's price; None where that tick belongs to another revision than the order."""
        return None if self.tick is None or self.close_price is None else self.tick.price


def entry(*, terms: EntryTerms, tick: Tick | None) -> Entry:
    """Decide the entry of an order under ``next_tick/1``.

    :param tick: the admitted tick that follows ``after_seq``, or None when none has come by the time it is decided
    """
    if tick is None or tick.at_ms > terms.until_ms:
        return Entry(None, Refund.NO_ENTRY_TICK)
    if tick.revision != terms.revision:
        return Entry(None, Refund.REVISION)
    if price_drifted(tick.price, scale=terms.price_scale, expected=terms.expected_price, drift=terms.max_price_drift):
        return Entry(tick, Refund.PRICE_MOVED)
    return Entry(tick)


def outcome(*, terms: Terms, evidence: Evidence) -> Outcome:
    """Decide a due order under its settlement rule. Same arguments, same answer, for ever."""
    tick = evidence.tick
    trimmed = terms.settlement_rule == TRIMMED_MEAN
    if trimmed and not evidence.window:
        tick = None
    if evidence.emergency:
        return _refunded(terms, tick, Refund.REVISION)
    if evidence.feed_closed:
        return _refunded(terms, tick, Refund.FEED_CLOSED)
    if tick is None:
        return _refunded(terms, None, Refund.NO_TICK)
    if terms.expires_at_ms - tick.at_ms > terms.max_tick_age_ms:
        return _refunded(terms, tick, Refund.STALE_TICK)
    if tick.revision != terms.revision or (trimmed and evidence.window_revisions != {terms.revision}):
        return _refunded(terms, tick, Refund.REVISION)
    return _decided(terms, tick, trimmed_mean(evidence.window) if trimmed else tick.price)


def trimmed_mean(prices: Sequence[int]) -> int:
    """Return the mean without the floor(3n/10) highest and lowest of n prices, rounded half to even.

    The rule of the last ten seconds follows the settlement of short currency options at a regulated exchange.
    """
    dropped = 3 * len(prices) // 10
    kept = sorted(prices)[dropped : len(prices) - dropped]
    mean, rest = divmod(sum(kept), len(kept))
    rounds_up = 2 * rest > len(kept) or (2 * rest == len(kept) and mean % 2 == 1)
    return mean + rounds_up


def _decided(terms: Terms, tick: Tick, close_price: int) -> Outcome:
    moved = close_price - terms.open_price
    if moved == 0:
        return Outcome(OrderState.TIED, terms.stake, tick, close_price=close_price)
    if (moved > 0) is (terms.direction is Direction.UP):
        payout = terms.stake + profit_of_win(terms.stake, terms.payout_percent)
        return Outcome(OrderState.WON, payout, tick, close_price=close_price)
    return Outcome(OrderState.LOST, 0, tick, close_price=close_price)


def _refunded(terms: Terms, tick: Tick | None, reason: Refund) -> Outcome:
    # A price of another revision may have another scale: it is no closing price of this order.
    comparable = tick is not None and tick.revision == terms.revision
    return Outcome(OrderState.REFUNDED, terms.stake, tick, reason, tick.price if tick and comparable else None)

"""The outcome of an order: a pure function of its frozen terms and the admitted tick log (rules, section 3)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from trading.domain import Direction, OrderState, profit_of_win


class Refund(StrEnum):
    """Why a stake is returned; there are no other reasons."""

    NO_TICK = "no_tick"
    STALE_TICK = "stale_tick"
    REVISION = "revision"


@dataclass(frozen=True, slots=True)
class Terms:
    """What an order froze at acceptance and entry; instants in Unix milliseconds, prices scaled integers."""

    direction: Direction
    stake: int
    payout_percent: int
    expires_at_ms: int
    max_tick_age_ms: int
    revision: int
    open_price: int


@dataclass(frozen=True, slots=True)
class Tick:
    """One admitted tick."""

    seq: int
    at_ms: int
    price: int
    revision: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an order ends; ``payout`` is what is credited, stake included, in minor units."""

    state: OrderState
    payout: int
    tick: Tick | None
    reason: Refund | None = None


def outcome(*, terms: Terms, evidence: Tick | None) -> Outcome:
    """Decide a due order under ``last_tick/1``. Same arguments, same answer, for ever.

    :param evidence: the last admitted tick with a time at or before the expiry
    """
    if evidence is None:
        return _refunded(terms, None, Refund.NO_TICK)
    if terms.expires_at_ms - evidence.at_ms > terms.max_tick_age_ms:
        return _refunded(terms, evidence, Refund.STALE_TICK)
    if evidence.revision != terms.revision:
        return _refunded(terms, evidence, Refund.REVISION)
    moved = evidence.price - terms.open_price
    if moved == 0:
        return Outcome(OrderState.TIED, terms.stake, evidence)
    if (moved > 0) is (terms.direction is Direction.UP):
        return Outcome(OrderState.WON, terms.stake + profit_of_win(terms.stake, terms.payout_percent), evidence)
    return Outcome(OrderState.LOST, 0, evidence)


def _refunded(terms: Terms, evidence: Tick | None, reason: Refund) -> Outcome:
    return Outcome(OrderState.REFUNDED, terms.stake, evidence, reason)

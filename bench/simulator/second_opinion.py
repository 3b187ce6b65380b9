"""Admission, entry and outcome once more, written from ``docs/rules``: slow, plain, and without the product's code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

GRACE_MS, FUTURE_MS, CANDIDATE_MS, SILENCE_MS = 2_000, 500, 10_000, 60_000
IDS_MS = 4_000


@dataclass(slots=True)
class AdmissionOpinion:
    """Judges every tick of one symbol by its whole history."""

    scale: int
    admitted: list[tuple[int, Any, Any, int]] = field(default_factory=list)
    _known: set[tuple[int, Any, Any, int]] = field(default_factory=set)
    _ids: dict[tuple[object, str], int] = field(default_factory=dict)
    _recv_ms: int = 0
    _candidate: tuple[int, int, int] | None = None

    def judged(self, tick: Any, watermark_ms: int, term: object) -> str:
        """Return ``admitted`` or the reason of the refusal, in the order of the rules.

        :param watermark_ms: where the watermark stood when the batch was judged
        :param term: source ids are remembered by one parser
        """
        numbers = [number for number in (tick.bid, tick.ask, tick.last) if number is not None]
        if not all(number.is_finite() for number in numbers):
            return "not_finite"
        if any(number <= 0 for number in numbers):
            return "not_positive"
        if any(number >= 10 ** (19 - self.scale) for number in numbers):
            return "out_of_range"
        # Python rounds a half to the even neighbour, as the rule does.
        price = round(sum(map(Fraction, numbers)) / len(numbers) * 10**self.scale)
        key = (tick.src_ms, tick.bid, tick.ask, price)
        known_ms = self._ids.get((term, tick.source_id))
        if key in self._known or (known_ms is not None and known_ms >= tick.recv_ms - IDS_MS):
            return "duplicate"
        if self.admitted and tick.src_ms < self.admitted[-1][0]:
            return "out_of_order"
        if tick.src_ms <= watermark_ms or tick.recv_ms - tick.src_ms > GRACE_MS:
            return "late"
        if tick.src_ms - tick.recv_ms > FUTURE_MS:
            return "future"
        if self._is_outlier(tick, price):
            self._candidate = (price, tick.recv_ms, tick.packet)
            return "outlier"
        self._candidate = None
        self.admitted.append(key)
        self._known.add(key)
        self._recv_ms = tick.recv_ms
        self._ids[term, tick.source_id] = tick.recv_ms
        return "admitted"

    def _is_outlier(self, tick: Any, price: int) -> bool:
        if not self.admitted or tick.recv_ms - self._recv_ms > SILENCE_MS:
            return False
        if not _apart(price, self.admitted[-1][3]):
            return False
        if self._candidate is None:
            return True
        level, at_ms, packet = self._candidate
        confirmed = packet != tick.packet and tick.recv_ms - at_ms <= CANDIDATE_MS and not _apart(price, level)
        return not confirmed


def _apart(price: int, level: int) -> bool:
    return abs(Fraction(price, level) - 1) > Fraction(5, 100)


@dataclass(frozen=True, slots=True)
class Ending:
    """How an order must end."""

    state: str
    payout: int
    reason: str | None
    open_seq: int | None
    close_seq: int | None
    close_price: int | None


def ending(order: Mapping[str, Any], log: Sequence[Any], declared: Sequence[Any]) -> Ending:
    """Decide an order from its frozen terms, the whole log, and the feed's words; written from the rules.

    :param log: ticks with seq, at_ms and price, in any order
    :param declared: the feed's words in the order of their arrival
    """
    opening = (order["open_seq"], order["open_price"])
    if order["entry_rule"] == "next_tick/1":
        following = [tick for tick in log if tick.seq == order["entry_after_seq"] + 1]
        limit_ms = min(order["accepted_at_ms"] + order["max_tick_age_ms"], order["expires_at_ms"])
        if not following or following[0].at_ms > limit_ms:
            return Ending("refunded", order["stake"], "no_entry_tick", None, None, None)
        opening = (following[0].seq, following[0].price)
        if _too_far(opening[1], order):
            return Ending("refunded", order["stake"], "price_moved", opening[0], None, None)
    return _closed(order, opening, log, declared)


def _closed(order: Mapping[str, Any], opening: tuple[int, int], log: Sequence[Any], declared: Sequence[Any]) -> Ending:
    expiry_ms, stake = order["expires_at_ms"], order["stake"]
    evidence = max((tick for tick in log if tick.at_ms <= expiry_ms), key=lambda tick: int(tick.seq), default=None)
    averaged = order["settlement_rule"] == "trimmed_mean_10s/1"
    prices = [tick.price for tick in log if expiry_ms - 10_000 < tick.at_ms <= expiry_ms]
    if averaged and not prices:
        evidence = None
    said = [(word.at_ms, place, word.closed) for place, word in enumerate(declared) if word.at_ms <= expiry_ms]
    reason = None
    if said and max(said)[2]:
        reason = "feed_closed"
    elif evidence is None:
        reason = "no_tick"
    elif expiry_ms - evidence.at_ms > order["max_tick_age_ms"]:
        reason = "stale_tick"
    shown = (None, None) if evidence is None else (evidence.seq, evidence.price)
    if reason is not None or evidence is None:
        return Ending("refunded", stake, reason, opening[0], *shown)
    price = _trimmed(prices) if averaged else evidence.price
    moved = price - opening[1]
    if moved == 0:
        return Ending("tied", stake, None, opening[0], evidence.seq, price)
    if (moved > 0) == (order["direction"] == "up"):
        profit = stake * order["payout_percent"] // 100
        return Ending("won", stake + profit, None, opening[0], evidence.seq, price)
    return Ending("lost", 0, None, opening[0], evidence.seq, price)


def _trimmed(prices: Sequence[int]) -> int:
    kept = list(prices)
    for _ in range(len(prices) * 3 // 10):
        kept.remove(max(kept))
        kept.remove(min(kept))
    return round(Fraction(sum(kept), len(kept)))


def _too_far(price: int, order: Mapping[str, Any]) -> bool:
    if order["expected_price"] is None:
        return False
    shown = Fraction(price, 10 ** order["price_scale"])
    return abs(shown - Fraction(order["expected_price"])) > Fraction(order["max_price_drift"])

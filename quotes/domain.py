"""Pure rules of the market (rules, section 1): what a tick is worth, which ticks are admitted, when a market is open.

Instants are Unix milliseconds, prices integers of 10**-scale units. Every decision looks backwards only.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import IntEnum, StrEnum

import msgspec
from msgspec import structs

from kernel.money import mid, scale_half_even

ADMISSION_VERSION = "admission/1"
# The rules that a symbol may name; what they mean is decided above this app.
ENTRY_RULES = ("last_tick/1", "next_tick/1")
SETTLEMENT_RULES = ("last_tick/1", "trimmed_mean_10s/1")
CANDLE_INTERVALS_S = {
    "1s": 1,
    "5s": 5,
    "15s": 15,
    "30s": 30,
    "1m": 60,
    "5m": 300,
    "15m": 900,
    "30m": 1_800,
    "1h": 3_600,
    "4h": 14_400,
    "1d": 86_400,
}
# Every tick writes the candles of the intervals that are stored. The others are joined from a few of these when they
# are read, which is less work than to write them: interval in seconds, and the stored one that it is made of.
CANDLES_JOINED_S = {5: 1, 30: 15, 300: 60, 1_800: 900, 14_400: 3_600, 86_400: 3_600}
CANDLES_STORED_S = tuple(sorted(set(CANDLE_INTERVALS_S.values()) - CANDLES_JOINED_S.keys()))
PRICE_MAX = 2**62


@dataclass(frozen=True, slots=True)
class AdmissionSettings:
    """Bounds of ``admission/1``; public, the same for every symbol."""

    grace_ms: int = 2_000
    future_ms: int = 500
    outlier_percent: int = 5
    candidate_ms: int = 10_000
    silence_ms: int = 60_000
    clock_ahead_ms: int = 500


ADMISSION = AdmissionSettings()
FEED_SILENT_MS = 5_000


class Refusal(StrEnum):
    """Why a tick is not admitted; each is counted."""

    UNKNOWN_SYMBOL = "unknown_symbol"
    MALFORMED = "malformed"
    NOT_FINITE = "not_finite"
    NOT_POSITIVE = "not_positive"
    OUT_OF_RANGE = "out_of_range"
    DUPLICATE = "duplicate"
    OUT_OF_ORDER = "out_of_order"
    LATE = "late"
    FUTURE = "future"
    OUTLIER = "outlier"
    CLOCK = "clock"
    REVISION = "revision"


class RaiseCause(IntEnum):
    """What raised a watermark."""

    TICK = 1
    HEARTBEAT = 2
    SETTLEMENT = 3


class MarketStateName(StrEnum):
    """What a market takes: only ``open`` takes orders."""

    OPEN = "open"
    CLOSED = "closed"
    HALTED = "halted"
    CLOSE_ONLY = "close_only"
    STALE = "stale"


@dataclass(frozen=True, slots=True)
class RawTick:
    """One price as an adapter decoded it, before any judgement.

    A quote has bid and ask, a trade has ``last``. ``serves_all`` marks a script's single price, which is both.
    """

    source: str
    packet: int
    src_ms: int
    recv_ms: int
    bid: Decimal | None = None
    ask: Decimal | None = None
    last: Decimal | None = None
    source_id: str | None = None
    serves_all: bool = False


class Head(msgspec.Struct, frozen=True, gc=False):
    """Where a symbol's log stands."""

    seq: int = 0
    tick_at_ms: int | None = None
    tick_price: int | None = None
    tick_recv_ms: int | None = None
    watermark_ms: int = 0
    candidate_price: int | None = None
    candidate_recv_ms: int | None = None
    candidate_packet: int | None = None


class AdmittedTick(msgspec.Struct, frozen=True, gc=False):
    """A tick of the log."""

    seq: int
    at_ms: int
    recv_ms: int
    bid: Decimal | None
    ask: Decimal | None
    price: int


@dataclass(slots=True)
class RecentTicks:
    """What a feed may send twice: the newest admitted ticks of one symbol.

    Older ones need no memory, since their times are refused as late or out of order. Source ids are kept as long as
    the grace lasts twice over: beyond it a recording that is replayed in a loop may use them again.
    """

    size: int = 512
    ids_ms: int = 2 * ADMISSION.grace_ms
    _keys: deque[tuple[object, ...]] = field(default_factory=deque)
    _known: set[tuple[object, ...]] = field(default_factory=set)
    _ids: deque[tuple[int, str]] = field(default_factory=deque)
    _known_ids: set[str] = field(default_factory=set)

    def seen(self, tick: RawTick, price: int) -> bool:
        """Whether an admitted tick has the same source time and prices, or the same source id."""
        if tick.source_id is not None:
            while self._ids and self._ids[0][0] < tick.recv_ms - self.ids_ms:
                self._known_ids.discard(self._ids.popleft()[1])
            if tick.source_id in self._known_ids:
                return True
        return _tick_key(tick.src_ms, tick.bid, tick.ask, price) in self._known

    def remember(self, tick: RawTick, price: int) -> None:
        """Keep an admitted tick."""
        self.remember_key(tick.src_ms, tick.bid, tick.ask, price)
        if tick.source_id is not None:
            self._ids.append((tick.recv_ms, tick.source_id))
            self._known_ids.add(tick.source_id)

    def remember_key(self, at_ms: int, bid: Decimal | None, ask: Decimal | None, price: int) -> None:
        """Keep a tick that was read back from the log."""
        key = _tick_key(at_ms, bid, ask, price)
        if key in self._known:
            return
        self._keys.append(key)
        self._known.add(key)
        if len(self._keys) > self.size:
            self._known.discard(self._keys.popleft())


def _tick_key(at_ms: int, bid: Decimal | None, ask: Decimal | None, price: int) -> tuple[object, ...]:
    return (at_ms, bid, ask, price)


@dataclass(frozen=True, slots=True)
class RefusedTick:
    """A tick that was not admitted, with the reason."""

    tick: RawTick
    reason: Refusal


@dataclass(slots=True)
class Admission:
    """What a batch did to one symbol."""

    head: Head
    admitted: list[AdmittedTick] = field(default_factory=list)
    refused: list[RefusedTick] = field(default_factory=list)


def price_of(tick: RawTick, *, price_source: str, scale: int) -> int | Refusal | None:
    """Return a tick's price, the reason why it has none, or None when the symbol does not take this kind.

    A mid is rounded half-even to the scale, and so is a trade with more decimals than the scale.
    """
    quoted = tick.bid is not None and tick.ask is not None
    if not (tick.last is not None if price_source == "last" else quoted or tick.serves_all):
        return None
    numbers = [number for number in (tick.bid, tick.ask, tick.last) if number is not None]
    if not numbers:
        return Refusal.NOT_FINITE
    for number in numbers:
        if not number.is_finite():
            return Refusal.NOT_FINITE
    for number in numbers:
        if number <= 0:
            return Refusal.NOT_POSITIVE
    for number in numbers:
        # Beyond this exponent a decimal would be expanded to digits that no market has.
        if number.adjusted() + scale > 18:
            return Refusal.OUT_OF_RANGE
    price = scale_half_even(_value(tick, price_source), scale)
    if price == 0:
        return Refusal.NOT_POSITIVE
    return price if price < PRICE_MAX else Refusal.OUT_OF_RANGE


def _value(tick: RawTick, price_source: str) -> Decimal:
    if price_source != "last" and tick.bid is not None and tick.ask is not None:
        return mid(tick.bid, tick.ask)
    assert tick.last is not None
    return tick.last


def admit(
    *,
    head: Head,
    ticks: Iterable[RawTick],
    recent: RecentTicks,
    price_source: str,
    scale: int,
    settings: AdmissionSettings = ADMISSION,
) -> Admission:
    """Judge ticks of one symbol in the order of their arrival, and raise the watermark behind the newest admitted.

    ``recent`` learns what is admitted: throw it away when the transaction that stores the result fails.
    """
    result = Admission(head)
    for tick in ticks:
        price = price_of(tick, price_source=price_source, scale=scale)
        if price is None:
            continue
        reason = price if isinstance(price, Refusal) else _untimely(tick, price, result.head, recent, settings)
        if reason is None and not isinstance(price, Refusal):
            result.head, reason = _levelled(tick, price, result.head, settings)
        if reason is not None or isinstance(price, Refusal):
            result.refused.append(RefusedTick(tick, reason or Refusal.MALFORMED))
            continue
        _append(result, tick, price)
        recent.remember(tick, price)
    newest = result.head.tick_at_ms
    if result.admitted and newest is not None and newest - 1 > result.head.watermark_ms:
        result.head = structs.replace(result.head, watermark_ms=newest - 1)
    return result


def _untimely(
    tick: RawTick, price: int, head: Head, recent: RecentTicks, settings: AdmissionSettings
) -> Refusal | None:
    if recent.seen(tick, price):
        return Refusal.DUPLICATE
    if head.tick_at_ms is not None and tick.src_ms < head.tick_at_ms:
        return Refusal.OUT_OF_ORDER
    if tick.src_ms <= head.watermark_ms or tick.src_ms < tick.recv_ms - settings.grace_ms:
        return Refusal.LATE
    if tick.src_ms > tick.recv_ms + settings.future_ms:
        return Refusal.FUTURE
    return None


def _levelled(tick: RawTick, price: int, head: Head, settings: AdmissionSettings) -> tuple[Head, Refusal | None]:
    """Apply the outlier rule; the head that comes back has the candidate that the next tick will meet."""
    waits = head.candidate_price is not None or head.candidate_recv_ms is not None or head.candidate_packet is not None
    without = Head(head.seq, head.tick_at_ms, head.tick_price, head.tick_recv_ms, head.watermark_ms) if waits else head
    if head.tick_price is None or head.tick_recv_ms is None or tick.recv_ms - head.tick_recv_ms > settings.silence_ms:
        return without, None
    if (
        head.candidate_price is not None
        and head.candidate_recv_ms is not None
        and tick.packet != head.candidate_packet
        and tick.recv_ms - head.candidate_recv_ms <= settings.candidate_ms
        and _near(price, head.candidate_price, settings)
    ):
        return without, None
    if _near(price, head.tick_price, settings):
        return without, None
    candidate = structs.replace(
        head, candidate_price=price, candidate_recv_ms=tick.recv_ms, candidate_packet=tick.packet
    )
    return candidate, Refusal.OUTLIER


def _near(price: int, level: int, settings: AdmissionSettings) -> bool:
    return abs(price - level) * 100 <= settings.outlier_percent * level


def _append(result: Admission, tick: RawTick, price: int) -> None:
    head, seq = result.head, result.head.seq + 1
    # Written out, as this happens for each tick: `replace` costs four times as much.
    result.head = Head(
        seq,
        tick.src_ms,
        price,
        tick.recv_ms,
        head.watermark_ms,
        head.candidate_price,
        head.candidate_recv_ms,
        head.candidate_packet,
    )
    result.admitted.append(AdmittedTick(seq, tick.src_ms, tick.recv_ms, tick.bid, tick.ask, price))


@dataclass(frozen=True, slots=True)
class MarketState:
    """Whether a market takes orders, and why not."""

    state: MarketStateName
    reason: str = ""
    next_open_ms: int | None = None


REVISING = MarketState(MarketStateName.CLOSE_ONLY, "The symbol is being revised; its open orders run out first.")


@dataclass(frozen=True, slots=True)
class MarketFacts:
    """What decides whether a market takes orders; the columns of ``statements.MARKET_COLUMNS``, in their order.

    :param revising: whether a revision waits for the last open order
    :param session_closes_ms: end of the session that is held now
    :param closed_by_feed: the feed's own words while it is closed
    """

    operator_state: str = MarketStateName.OPEN
    state_reason: str = ""
    revising: bool = False
    has_calendar: bool = False
    session_closes_ms: int | None = None
    next_open_ms: int | None = None
    closed_by_feed: str | None = None
    clock_sane: bool = True
    heartbeat_ms: int | None = None
    tick_seq: int | None = None
    tick_at_ms: int | None = None
    tick_price: int | None = None
    max_tick_age_ms: int = 0


def market_state(facts: MarketFacts, *, now_ms: int) -> MarketState:
    """Return the state of a market now; the feed heartbeat counts, never the parser's own."""
    if facts.closed_by_feed is not None:
        return MarketState(MarketStateName.CLOSED, facts.closed_by_feed or "The feed has closed this market.")
    if facts.has_calendar and facts.session_closes_ms is None:
        return MarketState(MarketStateName.CLOSED, "Outside trading hours.", facts.next_open_ms)
    if facts.operator_state != MarketStateName.OPEN:
        return MarketState(MarketStateName(facts.operator_state), facts.state_reason)
    if facts.revising:
        return REVISING
    return _freshness(facts, now_ms)


def _freshness(facts: MarketFacts, now_ms: int) -> MarketState:
    if facts.heartbeat_ms is None or now_ms - facts.heartbeat_ms > FEED_SILENT_MS:
        return MarketState(MarketStateName.STALE, "The feed is silent.")
    if not facts.clock_sane:
        return MarketState(MarketStateName.STALE, "The clock of the feed is off.")
    if facts.tick_price is None or facts.tick_at_ms is None:
        return MarketState(MarketStateName.STALE, "There is no price yet.")
    if now_ms - facts.tick_at_ms > facts.max_tick_age_ms:
        return MarketState(MarketStateName.STALE, "The last price is too old.")
    return MarketState(MarketStateName.OPEN)


@dataclass(slots=True)
class Candle:
    """Open, high, low, close and count of the ticks of one interval; ``start_ms`` belongs to it."""

    interval_s: int
    start_ms: int
    open: int
    high: int
    low: int
    close: int
    ticks: int


def candle_start(at_ms: int, interval_s: int) -> int:
    """Return the start of the interval that an instant belongs to, aligned to the epoch."""
    return at_ms - at_ms % (interval_s * 1000)


def candles_of(ticks: Iterable[tuple[int, int]], intervals_s: Iterable[int]) -> Iterator[Candle]:
    """Return the candles of ticks given as (at_ms, price) in the order of the log, for each interval."""
    found: dict[tuple[int, int], Candle] = {}
    intervals = tuple(intervals_s)
    for at_ms, price in ticks:
        for interval_s in intervals:
            start_ms = candle_start(at_ms, interval_s)
            candle = found.get((interval_s, start_ms))
            if candle is None:
                found[interval_s, start_ms] = Candle(interval_s, start_ms, price, price, price, price, 1)
                continue
            candle.high = max(candle.high, price)
            candle.low = min(candle.low, price)
            candle.close = price
            candle.ticks += 1
    yield from found.values()


@dataclass(frozen=True, slots=True)
class CandleSpan:
    """The same candle for all intervals from ``shortest_s`` to ``longest_s``; ``at_ms`` lies in it."""

    shortest_s: int
    longest_s: int
    at_ms: int
    open: int
    high: int
    low: int
    close: int
    ticks: int


def candle_spans(ticks: Sequence[tuple[int, int]], intervals_s: Sequence[int]) -> Iterator[CandleSpan]:
    """Return the candles of :func:`candles_of`, told once for all intervals that hold the same ticks.

    The ticks of one batch nearly always lie in one second, and then in one candle of each longer interval.

    :param ticks: (at_ms, price) in the order of the log, at least one
    :param intervals_s: rising, each a multiple of the one before
    """
    first_ms, last_ms = ticks[0][0], ticks[-1][0]
    shared = [one for one in intervals_s if candle_start(first_ms, one) == candle_start(last_ms, one)]
    for candle in candles_of(ticks, intervals_s[: len(intervals_s) - len(shared)]):
        span = (candle.interval_s, candle.interval_s, candle.start_ms)
        yield CandleSpan(*span, candle.open, candle.high, candle.low, candle.close, candle.ticks)
    if shared:
        prices = [price for _, price in ticks]
        span = (shared[0], shared[-1], first_ms)
        yield CandleSpan(*span, prices[0], max(prices), min(prices), prices[-1], len(prices))

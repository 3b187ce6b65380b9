"""Deliberate defects, each of which the simulator must find: in the pure functions, and in the shell around them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from msgspec import structs

from bench.simulator import build as correct
from bench.simulator.build import CORRECT, Build
from bench.simulator.rows import HeadRow, OrderRow
from quotes.domain import ADMISSION, Admission, Head, market_state
from settlement.domain import Evidence, Outcome, Refund, Terms, Tick, entry, outcome
from trading.domain import OrderState, profit_of_win


@dataclass(frozen=True)
class Mutant:
    """A broken build.

    :param found_by: the rules of which one must be the first to be broken
    """

    build: Build
    found_by: tuple[str, ...]


def _with_outcome(change: Callable[[Terms, Evidence, Outcome], Outcome]) -> Build:
    def changed(*, terms: Terms, evidence: Evidence) -> Outcome:
        return change(terms, evidence, outcome(terms=terms, evidence=evidence))

    return replace(CORRECT, outcome=changed)


def _rounded(terms: Terms, _: Evidence, decided: Outcome) -> Outcome:
    if decided.state is not OrderState.WON:
        return decided
    return structs.replace(decided, payout=terms.stake + round(terms.stake * terms.payout_percent / 100 + 1e-9))


def _tie_is_lost(_: Terms, __: Evidence, decided: Outcome) -> Outcome:
    return structs.replace(decided, state=OrderState.LOST, payout=0) if decided.state is OrderState.TIED else decided


def _tie_wins_up(terms: Terms, _: Evidence, decided: Outcome) -> Outcome:
    if decided.state is not OrderState.TIED or terms.direction != "up":
        return decided
    won = terms.stake + profit_of_win(terms.stake, terms.payout_percent)
    return structs.replace(decided, state=OrderState.WON, payout=won)


def _age_forgotten(*, terms: Terms, evidence: Evidence) -> Outcome:
    return outcome(terms=structs.replace(terms, max_tick_age_ms=10**9), evidence=evidence)


def _closure_forgotten(*, terms: Terms, evidence: Evidence) -> Outcome:
    return outcome(terms=terms, evidence=structs.replace(evidence, feed_closed=False))


def _plain_mean(*, terms: Terms, evidence: Evidence) -> Outcome:
    decided = outcome(terms=terms, evidence=evidence)
    if decided.reason is not None or terms.settlement_rule == "last_tick/1":
        return decided
    mean = sum(evidence.window) // len(evidence.window)
    return outcome(terms=terms, evidence=structs.replace(evidence, window=(mean,)))


def _before(log: Sequence[Tick], order: OrderRow) -> Tick | None:
    return next((tick for tick in reversed(log) if tick.at_ms < order["expires_at_ms"]), None)


def _nearest(log: Sequence[Tick], order: OrderRow) -> Tick | None:
    at_ms = order["expires_at_ms"]
    return min(log, key=lambda tick: (abs(tick.at_ms - at_ms), -tick.seq), default=None)


def _newest(log: Sequence[Tick], _: OrderRow) -> Tick | None:
    return log[-1] if log else None


def _first_of_equals(log: Sequence[Tick], order: OrderRow) -> Tick | None:
    """What sorting by time alone may return."""
    last = correct.evidence_at(log, order)
    return last and next(tick for tick in log if tick.at_ms == last.at_ms)


def _window_with_both_ends(log: Sequence[Tick], order: OrderRow) -> list[Tick]:
    until_ms = order["expires_at_ms"]
    return [tick for tick in log if until_ms - 10_000 <= tick.at_ms < until_ms]


def _entry_newest(log: Sequence[Tick], order: OrderRow) -> Tick | None:
    """What asking for the current price does: a busy platform changes the entry."""
    return log[-1] if len(log) > order["entry_after_seq"] else None


def _entry_never_late(*, terms: Any, tick: Tick | None) -> Any:
    return entry(terms=structs.replace(terms, until_ms=2**62), tick=tick)


def _entry_after_all(log: Sequence[Tick], order: OrderRow) -> Tick | None:
    after = order["entry_after_seq"]
    return log[after] if after < len(log) else None


def _by_the_clock(order: OrderRow, _: HeadRow, now_ms: int) -> bool:
    return bool(order["expires_at_ms"] <= now_ms)


def _a_little_early(order: OrderRow, head: HeadRow, _: int) -> bool:
    return bool(order["expires_at_ms"] <= head.head.watermark_ms + 1_000)


def _without_grace(until_ms: int, head: HeadRow, now_ms: int) -> bool:
    return head.head.watermark_ms < until_ms < now_ms


def _admit_with(**changed: int) -> Callable[..., Admission]:
    settings = replace(ADMISSION, **changed)
    return lambda **given: CORRECT.admit(settings=settings, **given)


def _admit_over_the_watermark(*, head: Head, **given: Any) -> Admission:
    found: Admission = CORRECT.admit(head=structs.replace(head, watermark_ms=0), **given)
    watermark_ms = max(head.watermark_ms, found.head.watermark_ms)
    return replace(found, head=structs.replace(found.head, watermark_ms=watermark_ms))


def _admit_by_time(*, ticks: Sequence[Any], **given: Any) -> Admission:
    return CORRECT.admit(ticks=sorted(ticks, key=lambda tick: tick.src_ms), **given)  # type: ignore[no-any-return]


def _admit_to_the_tick(**given: Any) -> Admission:
    """Promise that no tick of the newest millisecond comes any more."""
    found: Admission = CORRECT.admit(**given)
    newest_ms = found.head.tick_at_ms
    if not found.admitted or newest_ms is None or newest_ms <= found.head.watermark_ms:
        return found
    return replace(found, head=structs.replace(found.head, watermark_ms=newest_ms))


def _closed_in_the_past(word: Any, **_: Any) -> int:
    return int(word.recv_ms if word.source_ms is None else word.source_ms)


def _never_stale(facts: Any, *, now_ms: int) -> Any:
    return market_state(replace(facts, heartbeat_ms=now_ms), now_ms=now_ms)


def _expiry_known(*, market: Any, **given: Any) -> Any:
    """Accept what expires below the watermark, after a clock was set back."""
    return CORRECT.order_admit(market=market and replace(market, watermark_ms=0), **given)


def _profit_unpaid(order: OrderRow, decided: Outcome, house: Any) -> list[Any]:
    return correct.transfers_of(order, decided, house)[:1]


def _refund_lost(order: OrderRow, decided: Outcome, house: Any) -> list[Any]:
    stale = decided.reason is Refund.STALE_TICK
    return correct.transfers_of(order, structs.replace(decided, state=OrderState.LOST) if stale else decided, house)


MUTANTS: dict[str, Mutant] = {
    "settle-by-the-clock": Mutant(replace(CORRECT, is_due=_by_the_clock), ("I-16",)),
    "settle-a-little-early": Mutant(replace(CORRECT, is_due=_a_little_early), ("I-16",)),
    "fence-without-grace": Mutant(replace(CORRECT, is_overdue=_without_grace), ("I-16",)),
    "heartbeat-without-grace": Mutant(replace(CORRECT, heartbeat_grace_ms=0), ("I-16",)),
    "stale-fence": Mutant(replace(CORRECT, fence_locked=False), ("I-16", "rules 1")),
    "stale-head": Mutant(replace(CORRECT, head_locked=False), ("I-16", "rules 1", "I-20")),
    "no-fencing": Mutant(replace(CORRECT, fenced=False), ("I-20", "rules 1")),
    "head-after-ticks": Mutant(replace(CORRECT, ticks_at_once=False), ("rules 1",)),
    "below-the-watermark": Mutant(replace(CORRECT, admit=_admit_over_the_watermark), ("I-16",)),
    "watermark-at-the-tick": Mutant(replace(CORRECT, admit=_admit_to_the_tick), ("I-16",)),
    "grace-too-long": Mutant(replace(CORRECT, admit=_admit_with(grace_ms=2_500)), ("I-20",)),
    "no-candidate": Mutant(replace(CORRECT, admit=_admit_with(candidate_ms=-1)), ("I-20",)),
    "outliers-admitted": Mutant(replace(CORRECT, admit=_admit_with(outlier_percent=100)), ("I-20",)),
    "future-admitted": Mutant(replace(CORRECT, admit=_admit_with(future_ms=10**9)), ("I-20", "I-16")),
    "sorted-by-time": Mutant(replace(CORRECT, admit=_admit_by_time), ("I-20",)),
    "closed-in-the-past": Mutant(replace(CORRECT, declared_at_ms=_closed_in_the_past), ("I-12", "rules 1")),
    "silence-is-life": Mutant(replace(CORRECT, market_state=_never_stale), ("F-14", "F-12")),
    "expiry-known": Mutant(replace(CORRECT, order_admit=_expiry_known), ("F-12",)),
    "before-the-expiry": Mutant(replace(CORRECT, evidence_at=_before), ("I-12",)),
    "nearest-tick": Mutant(replace(CORRECT, evidence_at=_nearest), ("I-12",)),
    "current-price": Mutant(replace(CORRECT, evidence_at=_newest), ("I-12",)),
    "first-of-equals": Mutant(replace(CORRECT, evidence_at=_first_of_equals), ("I-12",)),
    "window-moved": Mutant(replace(CORRECT, window_at=_window_with_both_ends), ("I-12",)),
    "plain-mean": Mutant(replace(CORRECT, outcome=_plain_mean), ("I-12",)),
    "age-forgotten": Mutant(replace(CORRECT, outcome=_age_forgotten), ("I-12",)),
    "closure-forgotten": Mutant(replace(CORRECT, outcome=_closure_forgotten), ("I-12",)),
    "payout-rounded": Mutant(_with_outcome(_rounded), ("I-12",)),
    "tie-is-lost": Mutant(_with_outcome(_tie_is_lost), ("I-12",)),
    "tie-wins-up": Mutant(_with_outcome(_tie_wins_up), ("I-12",)),
    "entry-at-the-newest": Mutant(replace(CORRECT, entry_at=_entry_newest), ("I-12",)),
    "entry-never-late": Mutant(replace(CORRECT, entry=_entry_never_late, entry_at=_entry_after_all), ("I-12",)),
    "terms-joined": Mutant(replace(CORRECT, terms_frozen=False), ("I-12",)),
    "double-settlement": Mutant(replace(CORRECT, claims_locked=False, facts_keyed=False), ("I-11",)),
    "unlocked-claims": Mutant(replace(CORRECT, claims_locked=False), ("I-11",)),
    "money-before-order": Mutant(replace(CORRECT, settled_at_once=False), ("I-11", "I-01")),
    "money-twice": Mutant(replace(CORRECT, settled_at_once=False, facts_keyed=False), ("I-01", "I-11")),
    "profit-unpaid": Mutant(replace(CORRECT, transfers_of=_profit_unpaid), ("I-01",)),
    "refund-lost": Mutant(replace(CORRECT, transfers_of=_refund_lost), ("I-02",)),
    "stale-balance": Mutant(replace(CORRECT, wallet_locked=False), ("I-03", "I-05")),
    "repeats-unknown": Mutant(replace(CORRECT, repeats_known=False), ("I-23",)),
}

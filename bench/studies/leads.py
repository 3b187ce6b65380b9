"""How often a client wins who sees the market before our log does, under both entry rules."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product

from bench.studies.figures import percent, wilson
from bench.studies.recordings import Log
from quotes.domain import AdmittedTick, MarketFacts, MarketStateName, market_state
from settlement.domain import EntryTerms, Evidence, Terms, Tick, entry, outcome
from trading.domain import LAST_TICK, Direction, OrderState

LEADS_MS = (0, 100, 250)
# When he bets: the moment that he learns of a tick, or whenever he looks, ten times a second.
MOMENTS = ("at once", "any time")
LOOKS_EVERY_MS = 100
# No rule of the platform: what the next tick would be worth if it had to arrive some time after acceptance.
CANDIDATE = "next_tick, 250 ms later (not offered)"
CANDIDATE_MS = 250
PAYOUT = 85
MAX_TICK_AGE_MS = 3_000


@dataclass(frozen=True, slots=True)
class Bet:
    """An order of a client who knows more; the state is that of the settled order, or ``refused``."""

    accepted_at_ms: int
    state: str


@dataclass(slots=True)
class Tally:
    """How bets ended; ``alone`` counts those of a client who waits for the end of one before the next."""

    bets: int = 0
    refused: int = 0
    refunded: int = 0
    tied: int = 0
    won: int = 0
    lost: int = 0
    alone_won: int = 0
    alone_lost: int = 0

    def add(self, bets: Iterable[Bet], duration_ms: int) -> None:
        """Count the bets of one symbol, in the order of time."""
        free_at_ms = 0
        for bet in bets:
            self.bets += 1
            setattr(self, bet.state, getattr(self, bet.state) + 1)
            if bet.accepted_at_ms >= free_at_ms and bet.state not in ("refused", "refunded"):
                free_at_ms = bet.accepted_at_ms + duration_ms
                self.alone_won += bet.state == "won"
                self.alone_lost += bet.state == "lost"

    def document(self) -> dict[str, object]:
        """Return the counts and what they say."""
        decided, alone = self.won + self.lost, self.alone_won + self.alone_lost
        profit = self.won * PAYOUT - self.lost * 100
        return {
            "bets": self.bets,
            "refused": self.refused,
            "refunded": self.refunded,
            "tied": self.tied,
            "won": self.won,
            "lost": self.lost,
            "win_percent": percent(self.won, decided),
            "interval": wilson(self.won, decided),
            "profit_per_stake_percent": None if decided + self.tied == 0 else f"{profit / (decided + self.tied):.1f}",
            "one_at_a_time": {
                "won": self.alone_won,
                "lost": self.alone_lost,
                "win_percent": percent(self.alone_won, alone),
                "interval": wilson(self.alone_won, alone),
            },
        }


def bets_of(log: Log, *, lead_ms: int, duration_ms: int, entry_rule: str, moment: str) -> Iterator[Bet]:
    """Return the orders of a client who bets whenever the price that he sees is not the log's newest.

    He sees each tick ``lead_ms`` before it arrives here. Without a lead he follows the newest change, as anybody can.
    """
    for accepted_ms, seen in _looks(log, lead_ms, moment):
        known = log.newest(accepted_ms if lead_ms else accepted_ms - 1)
        if known is None or known.price == seen.price or accepted_ms + duration_ms > log.ended_ms:
            continue
        direction = Direction.UP if seen.price > known.price else Direction.DOWN
        yield Bet(accepted_ms, _ended(log, accepted_ms, duration_ms, direction, entry_rule))


def _looks(log: Log, lead_ms: int, moment: str) -> Iterator[tuple[int, AdmittedTick]]:
    """Return when he looks at the market, and the newest tick that he sees then."""
    if moment == "at once":
        # Of ticks that arrive together he sees the last.
        newest = {tick.recv_ms: tick for tick in log.ticks}
        yield from ((recv_ms - lead_ms, tick) for recv_ms, tick in newest.items())
        return
    for at_ms in range(log.began_ms, log.ended_ms, LOOKS_EVERY_MS):
        if seen := log.newest(at_ms + lead_ms):
            yield at_ms, seen


def _ended(log: Log, accepted_ms: int, duration_ms: int, direction: Direction, entry_rule: str) -> str:
    newest, expires_at_ms = log.newest(accepted_ms), accepted_ms + duration_ms
    assert newest is not None
    facts = MarketFacts(
        heartbeat_ms=log.alive_ms(accepted_ms),
        tick_seq=newest.seq,
        tick_at_ms=newest.at_ms,
        tick_price=newest.price,
        max_tick_age_ms=MAX_TICK_AGE_MS,
    )
    if market_state(facts, now_ms=accepted_ms).state is not MarketStateName.OPEN:
        return "refused"
    opening = newest.price
    if entry_rule != LAST_TICK:
        after = newest.seq
        if entry_rule == CANDIDATE:
            after = bisect_right(log.arrivals_ms, accepted_ms + CANDIDATE_MS)
        following = log.ticks[after] if after < len(log.ticks) else None
        until_ms = min(accepted_ms + MAX_TICK_AGE_MS, expires_at_ms)
        terms = EntryTerms(after, until_ms, revision=1, price_scale=log.scale)
        tick = None if following is None else Tick(following.seq, following.at_ms, following.price, 1)
        made = entry(terms=terms, tick=tick)
        if made.tick is None:
            return "refunded"
        opening = made.tick.price
    evidence = log.evidence(expires_at_ms)
    decided = outcome(
        terms=Terms(direction, 100, PAYOUT, expires_at_ms, MAX_TICK_AGE_MS, 1, opening),
        evidence=Evidence(None if evidence is None else Tick(evidence.seq, evidence.at_ms, evidence.price, 1)),
    )
    return "refunded" if decided.state is OrderState.REFUNDED else decided.state.value


def leads_study(
    logs: Iterable[Log], *, durations_s: Iterable[int], entry_rules: Iterable[str]
) -> list[dict[str, object]]:
    """Return a row for each moment, duration, lead and entry rule over some logs together; those without a bet not."""
    logs, rows = list(logs), []
    for moment, duration_s, lead_ms, entry_rule in product(MOMENTS, durations_s, LEADS_MS, entry_rules):
        if moment == "any time" and not lead_ms:
            continue
        tally, duration_ms = Tally(), duration_s * 1000
        for log in logs:
            bets = bets_of(log, lead_ms=lead_ms, duration_ms=duration_ms, entry_rule=entry_rule, moment=moment)
            tally.add(bets, duration_ms)
        if tally.bets:
            row = {"moment": moment, "duration_s": duration_s, "lead_ms": lead_ms, "entry_rule": entry_rule}
            rows.append(row | tally.document())
    return rows


def break_even_percent() -> str:
    """Return the share of wins at which a client loses nothing."""
    return f"{100 * 100 / (100 + PAYOUT):.1f}"

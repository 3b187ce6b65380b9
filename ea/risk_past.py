"""The past of one wallet as a fold, for judgements without a database. Pure.

What is given: each order with its installation when it is placed, its result when it is settled, resets of stops, in
the order of their instants. What is taken: the facts that the executor would have read at an instant.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal

from ea.risk_limits import STOPS
from ea.risk_rules import WINDOWS_MS, Ask, Facts, OpenStake, Streak, Tally, Trip, bucket_after


@dataclass(frozen=True, slots=True)
class _Open:
    link: int
    ask: Ask


@dataclass(slots=True)
class _Installation:
    tally: Tally = field(default_factory=Tally)
    # Totals with their instants, which never go back.
    instants: list[int] = field(default_factory=list)
    totals: list[int] = field(default_factory=list)
    streaks: dict[str, Streak] = field(default_factory=dict)
    resets: dict[str, int] = field(default_factory=dict)
    held: set[str] = field(default_factory=set)

    def moved(self, tally: Tally) -> None:
        self.tally = tally
        self.instants.append(tally.at_ms)
        self.totals.append(tally.total)

    def lost(self, stop: str, now_ms: int) -> int:
        if stop == "drawdown":
            return self.tally.fall
        since_ms = max(now_ms - WINDOWS_MS[stop], self.resets.get(stop, 0))
        before = bisect_left(self.instants, since_ms)
        return (self.totals[before - 1] if before else 0) - self.tally.total


class Past:
    """What has happened on one wallet up to now. Installations and keys are named as the caller likes."""

    def __init__(self) -> None:
        self._open: dict[str, _Open] = {}
        self._links: defaultdict[int, _Installation] = defaultdict(_Installation)
        self._full_at_ms: dict[str, int] = {}

    def placed(
        self, order: str, ask: Ask, *, link: int, kid: str = "", now_ms: int = 0, per_minute: int | None = None
    ) -> None:
        """Take an order that passed.

        :param per_minute: the hard limit of orders per minute that it was judged by
        """
        self._open[order] = _Open(link, ask)
        if per_minute is not None:
            full_at_ms = self._full_at_ms.get(kid, 0)
            self._full_at_ms[kid] = bucket_after(full_at_ms, now_ms=now_ms, per_minute=per_minute)

    def settled(self, order: str, *, payout: int, at_ms: int) -> None:
        """Take the result of an order that was placed; a payout in minor units, the stake included."""
        opened = self._open.pop(order)
        link, stake = self._links[opened.link], opened.ask.stake
        link.moved(link.tally.after(payout - stake, at_ms=at_ms))
        strategy = opened.ask.strategy
        before = link.streaks.get(strategy, Streak())
        link.streaks[strategy] = before.after(stake=stake, net=payout - stake, at_ms=link.tally.at_ms)

    def rejected(self, order: str) -> None:
        """Forget an order that placement refused."""
        del self._open[order]

    def tripped(self, link: int, trips: tuple[Trip, ...]) -> None:
        """Take the stops that a verdict has tripped; they hold until they are reset."""
        self._links[link].held.update(trip.stop for trip in trips)

    def reset(self, link: int, stop: str, *, at_ms: int) -> None:
        """Take the reset of a stop: it is measured from here on."""
        one = self._links[link]
        one.held.discard(stop)
        one.moved(one.tally.marked(at_ms=at_ms, anew=stop == "drawdown"))
        one.resets[stop] = one.tally.at_ms

    def facts(
        self,
        ask: Ask,
        *,
        link: int,
        now_ms: int,
        kid: str = "",
        payout_percent: int | None = None,
        price: Decimal | None = None,
    ) -> Facts:
        """Return what a signal is judged by now.

        :param payout_percent: what the symbol pays now
        :param price: the newest one of the symbol
        """
        one = self._links[link]
        return Facts(
            now_ms=now_ms,
            held=frozenset(one.held),
            open=tuple(
                OpenStake(
                    other.link == link,
                    other.ask.strategy,
                    other.ask.symbol,
                    other.ask.up,
                    other.ask.expires_at_ms,
                    other.ask.stake,
                )
                for other in self._open.values()
            ),
            lost={stop: one.lost(stop, now_ms) for stop in STOPS},
            streak=one.streaks.get(ask.strategy, Streak()),
            full_at_ms=self._full_at_ms.get(kid, 0),
            payout_percent=payout_percent,
            price=price,
        )

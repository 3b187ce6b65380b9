"""Judging a signal by its installation's limits. Pure: facts in, a verdict out.

Whoever has the database reads the facts with ``risk.facts_read``. Whoever has only the past, such as a replay that
asks what other limits would have done, folds it with :class:`ea.risk_past.Past`: ``placed``, ``settled`` and ``reset``
in the order of their instants, ``facts`` before each judgement. Both use the same :class:`Tally` and :class:`Streak`,
and a test holds them to the same facts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import lru_cache
from typing import Any

from ea.risk_limits import NAMES, NO_BOUNDS, STOPS, Bounds, CoolDown, Limits, NewsWindow, SameExpiry, minor

DAY_MS = 86_400_000
# How far back the losses of each stop reach; drawdown reaches back to its last reset.
WINDOWS_MS = {"loss_day": DAY_MS, "loss_week": 7 * DAY_MS, "loss_month": 30 * DAY_MS}


@dataclass(frozen=True, slots=True)
class Ask:
    """What a signal asks for; money in minor units of its wallet's currency.

    :param balance: the wallet's, without open stakes
    :param ref_price: the signal's own price as it was sent
    """

    strategy: str
    symbol: str
    up: bool
    stake: int
    expires_at_ms: int
    balance: int = 0
    ref_price: str | None = None


@dataclass(frozen=True, slots=True)
class OpenStake:
    """Open orders of the wallet that came over the bridge, those on their way included, alike ones taken together.

    :param own: of the installation that is judged, not of another one of its owner
    :param expires_at_ms: None where no limit asks for it
    """

    own: bool
    strategy: str
    symbol: str
    up: bool
    expires_at_ms: int | None
    stake: int
    count: int = 1


@dataclass(frozen=True, slots=True)
class Tally:
    """What the results of an installation on a wallet have come to; money in minor units.

    :param total: the sum of what was won and lost
    :param peak: the highest total since the last reset of the drawdown
    :param fall: the deepest that the total has fallen below its peak since then
    """

    no: int = 0
    at_ms: int = 0
    total: int = 0
    peak: int = 0
    fall: int = 0

    def after(self, net: int, *, at_ms: int) -> Tally:
        """Return the tally with one more result; its instants never go back."""
        total = self.total + net
        peak = max(self.peak, total)
        return Tally(self.no + 1, max(self.at_ms, at_ms), total, peak, max(self.fall, peak - total))

    def marked(self, *, at_ms: int, anew: bool) -> Tally:
        """Return the tally after a reset.

        :param anew: whether the drawdown is measured from here on
        """
        at_ms = max(self.at_ms, at_ms)
        marked = replace(self, no=self.no + 1, at_ms=at_ms)
        return replace(marked, peak=self.total, fall=0) if anew else marked


@dataclass(frozen=True, slots=True)
class Streak:
    """The losses of a strategy that nothing was won after; ties and refunds end none."""

    losses: int = 0
    lost_stake: int = 0
    lost_at_ms: int = 0

    def after(self, *, stake: int, net: int, at_ms: int) -> Streak:
        """Return the streak with one more result."""
        if net > 0:
            return Streak()
        return Streak(self.losses + 1, stake, at_ms) if net < 0 else self


@dataclass(frozen=True, slots=True)
class Facts:
    """What limits are judged by; what no limit asks for may be missing.

    :param held: stops that were tripped and not reset
    :param lost: by stop, what was lost within its window and since its reset; negative after winnings
    :param full_at_ms: when the key's bucket is full again
    :param payout_percent: what the symbol pays now
    :param price: the newest one of the symbol
    """

    now_ms: int
    held: frozenset[str] = frozenset()
    open: tuple[OpenStake, ...] = ()
    lost: Mapping[str, int] = field(default_factory=dict)
    streak: Streak = Streak()
    full_at_ms: int = 0
    payout_percent: int | None = None
    price: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Trip:
    """A stop that has been reached: what was lost, and the limit, in minor units."""

    stop: str
    lost: int
    limit: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a signal.

    :param code: of the first check that failed, ``risk.<name>``; None lets it pass
    :param warnings: codes of all soft values that are passed
    :param trips: the stops that are reached with this signal, to be stored once
    """

    code: str | None = None
    warnings: tuple[str, ...] = ()
    trips: tuple[Trip, ...] = ()


PASSED = Verdict()

# Of each kind of facts, the limits that ask for it.
_ASKING = {
    "open": ("open_strategy", "open_symbol", "open_currency", "open_direction", "desk", "correlated", "open_options"),
    "expiries": ("same_expiry",),
    "bucket": ("orders_per_minute",),
    "history": (*STOPS, "cool_down", "martingale"),
    "market": ("min_payout", "price_drift"),
}


def judge(facts: Facts, limits: Limits, ask: Ask) -> Verdict:
    """Judge a signal; the first hard value that it passes decides, in the order of ``RULES``."""
    warnings = tuple(f"risk.{name}" for name in NAMES if _passed(limits.soft, name, ask, facts))
    for name in NAMES:
        if name in facts.held or _passed(limits.hard, name, ask, facts):
            return Verdict(f"risk.{name}", warnings, _trips(limits.hard, ask, facts) if name in STOPS else ())
    return Verdict(None, warnings) if warnings else PASSED


@lru_cache(maxsize=4_096)
def _asked(set_names: frozenset[str]) -> frozenset[str]:
    return frozenset(kind for kind, names in _ASKING.items() if set_names.intersection(names))


def facts_asked(limits: Limits) -> frozenset[str]:
    """Return which facts limits ask for: some of ``open``, ``expiries``, ``bucket``, ``history`` and ``market``."""
    if limits.soft == limits.hard == NO_BOUNDS:
        return frozenset()
    sides = (limits.soft, limits.hard)
    return _asked(frozenset(name for name in NAMES for side in sides if getattr(side, name) is not None))


def bucket_after(full_at_ms: int, *, now_ms: int, per_minute: int) -> int:
    """Return when a key's bucket is full again after one more order; it refills evenly over a minute."""
    return max(full_at_ms, now_ms) + 60_000 // per_minute


@lru_cache(maxsize=1_024)
def currencies_of(symbol: str) -> tuple[str, str] | tuple[str]:
    """Return base and quote of a symbol that is a pair, else the symbol itself, which stands for its own group."""
    found = _PAIR.match(symbol)
    return (found[1], found[2]) if found else (symbol,)


# EURUSD, EUR/USD, BTCUSDT, XAUUSD-OTC; what stands behind a mark is a market's own addition.
_QUOTES = "USDT|USDC|USD|EUR|GBP|JPY|CHF|AUD|CAD|NZD|SEK|NOK|DKK|PLN|HUF|CZK|TRY|ZAR|MXN|SGD|HKD|CNH|BTC|ETH"
_PAIR = re.compile(rf"([A-Z0-9]{{2,6}}?)/?({_QUOTES})(?:[^A-Z0-9].*)?\Z")


def _own(facts: Facts, matches: Callable[[OpenStake], bool] = lambda _: True) -> int:
    return sum(one.stake for one in facts.open if one.own and matches(one))


def _stake_step(step: str, ask: Ask, _: Facts) -> bool:
    return ask.stake % minor(step) != 0


def _balance_percent(percent: str, ask: Ask, _: Facts) -> bool:
    return ask.stake * 100 > ask.balance * Decimal(percent)


def _open_currency(limit: str, ask: Ask, facts: Facts) -> bool:
    def on(code: str) -> int:
        return _own(facts, lambda one: code in currencies_of(one.symbol))

    return max(on(code) for code in currencies_of(ask.symbol)) + ask.stake > minor(limit)


def _desk(limit: str, ask: Ask, facts: Facts) -> bool:
    return sum(one.stake for one in facts.open) + ask.stake > minor(limit)


def _correlated(limit: str, ask: Ask, facts: Facts) -> bool:
    """A call bets on the base and against the quote; what lies on each currency of the symbol is netted."""

    def on(code: str, symbol: str, up: bool, stake: int) -> int:
        pair = currencies_of(symbol)
        return 0 if code not in pair else stake if (code == pair[0]) is up else -stake

    for code in currencies_of(ask.symbol):
        standing = sum(on(code, one.symbol, one.up, one.stake) for one in facts.open if one.own)
        if abs(standing + on(code, ask.symbol, ask.up, ask.stake)) > minor(limit):
            return True
    return False


def _same_expiry(limit: SameExpiry, ask: Ask, facts: Facts) -> bool:
    def close(one: OpenStake) -> bool:
        return one.expires_at_ms is not None and abs(one.expires_at_ms - ask.expires_at_ms) <= limit.within_s * 1_000

    return _own(facts, close) + ask.stake > minor(limit.stake)


def _open_options(most: int, _: Ask, facts: Facts) -> bool:
    return sum(one.count for one in facts.open if one.own) >= most


def _orders_per_minute(most: int, _: Ask, facts: Facts) -> bool:
    after_ms = bucket_after(facts.full_at_ms, now_ms=facts.now_ms, per_minute=most)
    return after_ms - facts.now_ms > most * (60_000 // most)


def _cool_down(limit: CoolDown, _: Ask, facts: Facts) -> bool:
    streak = facts.streak
    return streak.losses >= limit.losses and facts.now_ms < streak.lost_at_ms + limit.pause_s * 1_000


def _martingale(factor: str, ask: Ask, facts: Facts) -> bool:
    return facts.streak.losses > 0 and ask.stake > facts.streak.lost_stake * Decimal(factor)


def _min_payout(least: int, _: Ask, facts: Facts) -> bool:
    return facts.payout_percent is not None and facts.payout_percent < least


def _price_drift(percent: str, ask: Ask, facts: Facts) -> bool:
    """A signal that names no price cannot be held to it, so it does not pass."""
    if ask.ref_price is None:
        return True
    ref = Decimal(ask.ref_price)
    return facts.price is not None and abs(facts.price - ref) * 100 > ref * Decimal(percent)


def _news(windows: list[NewsWindow], ask: Ask, facts: Facts) -> bool:
    mine = currencies_of(ask.symbol)
    return any(
        window.from_ms <= facts.now_ms < window.to_ms
        and (not window.currencies or not set(mine).isdisjoint(window.currencies))
        for window in windows
    )


def _stop(name: str) -> Rule:
    return lambda limit, _, facts: facts.lost.get(name, 0) >= minor(limit)


def _standing(matches: Callable[[Ask, OpenStake], bool]) -> Rule:
    """Return the rule of the open stakes that are like a signal."""
    return lambda limit, ask, facts: _own(facts, lambda one: matches(ask, one)) + ask.stake > minor(limit)


# Whether a value is passed: the limit's value, what is asked for, the facts.
Rule = Callable[[Any, Ask, Facts], bool]
RULES: dict[str, Rule] = {
    "stake_min": lambda least, ask, _: ask.stake < minor(least),
    "stake_max": lambda most, ask, _: ask.stake > minor(most),
    "stake_step": _stake_step,
    "balance_percent": _balance_percent,
    "open_strategy": _standing(lambda ask, one: one.strategy == ask.strategy),
    "open_symbol": _standing(lambda ask, one: one.symbol == ask.symbol),
    "open_currency": _open_currency,
    "open_direction": _standing(lambda ask, one: one.up is ask.up),
    "desk": _desk,
    "correlated": _correlated,
    "same_expiry": _same_expiry,
    "open_options": _open_options,
    "orders_per_minute": _orders_per_minute,
    **{name: _stop(name) for name in STOPS},
    "cool_down": _cool_down,
    "martingale": _martingale,
    "min_payout": _min_payout,
    "price_drift": _price_drift,
    "news": _news,
}


def _passed(bounds: Bounds, name: str, ask: Ask, facts: Facts) -> bool:
    value = getattr(bounds, name)
    return value is not None and RULES[name](value, ask, facts)


def _trips(hard: Bounds, ask: Ask, facts: Facts) -> tuple[Trip, ...]:
    """Return all stops that are reached and were not before: their owner should see the whole of it."""
    return tuple(
        Trip(name, facts.lost.get(name, 0), minor(getattr(hard, name)))
        for name in STOPS
        if name not in facts.held and _passed(hard, name, ask, facts)
    )

"""What is traded in a run: the simulator's symbols and thirteen more over the other feeds, some with trading hours."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

SIMULATED = ("EURUSD", "GBPUSD", "USDJPY", "AUDUSD", "XAUUSD", "BTCUSDT", "ETHUSDT")
RULES = tuple(itertools.product(("last_tick/1", "next_tick/1"), ("last_tick/1", "trimmed_mean_10s/1")))
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True)
class Hours:
    """Trading hours whose sessions end and begin while the run goes on: minutes of trading, minutes without."""

    name: str
    time_zone: str
    open_minutes: int
    closed_minutes: int


@dataclass(frozen=True, slots=True)
class Offered:
    """A symbol to add; its level is where the local source's price walks."""

    code: str
    feed: str
    source: str
    level: str
    scale: int
    price_source: str = "mid"
    hours: str = ""


CALENDARS = (Hours("Soak short", "UTC", 2, 1), Hours("Soak long", "Asia/Tokyo", 4, 2))
ADDED = (
    Offered("BTC.B", "binance", "BTCUSDT", "65400.00", 2),
    Offered("ETH.B", "binance", "ETHUSDT", "3240.00", 2, "last"),
    Offered("SOL.B", "binance", "SOLUSDT", "142.50", 2, hours="Soak short"),
    Offered("XRP.B", "binance", "XRPUSDT", "0.5210", 4, "last", hours="Soak long"),
    Offered("ADA.B", "binance", "ADAUSDT", "0.4120", 4),
    Offered("BTC.K", "kraken", "BTC/USD", "65390.0", 1),
    Offered("ETH.K", "kraken", "ETH/USD", "3239.50", 2, "last"),
    Offered("SOL.K", "kraken", "SOL/USD", "142.40", 2, hours="Soak short"),
    Offered("EUR.K", "kraken", "EUR/USD", "1.08500", 5, "last"),
    Offered("VOL50.D", "deriv", "R_50", "180.2500", 4),
    Offered("VOL100.D", "deriv", "R_100", "1240.50", 2, "last"),
    Offered("EURUSD.D", "deriv", "frxEURUSD", "1.08510", 5, hours="Soak long"),
    Offered("USDJPY.D", "deriv", "frxUSDJPY", "151.300", 3),
)
CODES = SIMULATED + tuple(offered.code for offered in ADDED)


def levels(feed: str) -> Mapping[str, tuple[str, int]]:
    """Return level and decimals of each upstream symbol of a feed."""
    return {offered.source: (offered.level, offered.scale) for offered in ADDED if offered.feed == feed}


def add_symbol_arguments(position: int, offered: Offered) -> list[str]:
    """Return the arguments of ``add_symbol``; by position, symbols go through all pairs of rules."""
    entry, settlement = RULES[position % len(RULES)]
    arguments = [
        *(offered.code, "--feed", offered.feed, "--source", offered.source, "--price-scale", str(offered.scale)),
        *("--price-source", offered.price_source, "--max-tick-age-ms", "4000", "--min-duration", "5"),
        *("--entry-rule", entry, "--settlement-rule", settlement),
    ]
    return [*arguments, "--calendar", offered.hours] if offered.hours else arguments


def sessions_around(hours: Hours, *, now_ms: int, minutes: float, shift: int = 0) -> list[str]:
    """Return the sessions from now to the end of a run as people write them, on the days that they fall on.

    :param shift: minutes by which the pattern is moved
    """
    now = datetime.fromtimestamp(now_ms / 1000, ZoneInfo(hours.time_zone)).replace(second=0, microsecond=0)
    period = hours.open_minutes + hours.closed_minutes
    found, opens = [], now - timedelta(minutes=period + shift % period)
    while opens < now + timedelta(minutes=minutes + 10):
        closes = opens + timedelta(minutes=hours.open_minutes)
        tomorrow = "+1" if closes.date() > opens.date() else ""
        found.append(f"{_DAYS[opens.weekday()]} {opens:%H:%M}-{closes:%H:%M}{tomorrow}")
        opens += timedelta(minutes=period)
    return found

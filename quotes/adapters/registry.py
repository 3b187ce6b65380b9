"""Which adapter serves which feed."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings

from quotes.adapters.binance import binance_feed
from quotes.adapters.deriv import deriv_feed
from quotes.adapters.kraken import kraken_feed
from quotes.adapters.simulator import Simulator
from quotes.adapters.upstream import Adapter, Clock
from quotes.feeds import BINANCE, DERIV, KRAKEN, SIMULATOR, FeedSettings

_BUILDERS: dict[str, Callable[[FeedSettings, Clock], Adapter]] = {
    SIMULATOR.name: lambda _, clock: Simulator(seed=settings.SIMULATOR_SEED, clock=clock),
    BINANCE.name: lambda feed, clock: binance_feed(settings=feed, clock=clock),
    KRAKEN.name: lambda feed, clock: kraken_feed(settings=feed, clock=clock),
    DERIV.name: lambda feed, clock: deriv_feed(settings=feed, clock=clock),
}


def adapter_build(feed: FeedSettings, clock: Clock) -> Adapter:
    """Return the adapter of a feed that needs nothing but its settings."""
    return _BUILDERS[feed.feed.name](feed, clock)


def runs_unasked(name: str) -> bool:
    """Whether a parser of all feeds serves this one: a script plays only when it is named."""
    return name in _BUILDERS

"""The feeds that exist and their settings by environment: ``FEED_<NAME>_URL`` and ``FEED_<NAME>_TIME``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass


class FeedSettingsError(ValueError):
    """A feed is unknown, or its environment says something that no feed understands."""


@dataclass(frozen=True, slots=True)
class Feed:
    """A kind of source. ``folds_case`` means that it does not tell upper from lower case in symbols."""

    name: str
    endpoint: str = ""
    folds_case: bool = False

    def key(self, source: str) -> str:
        """Return what two spellings of the same upstream symbol have in common."""
        return source.casefold() if self.folds_case else source


SIMULATOR = Feed("simulator")
SCRIPT = Feed("script")
BINANCE = Feed("binance", endpoint="wss://stream.binance.com:9443/stream", folds_case=True)
KRAKEN = Feed("kraken", endpoint="wss://ws.kraken.com/v2")
# The application id is the one that Deriv publishes for trying its API; an operator's own goes into the override.
DERIV = Feed("deriv", endpoint="wss://ws.derivws.com/websockets/v3?app_id=1089")
FEEDS = {feed.name: feed for feed in (SIMULATOR, SCRIPT, BINANCE, KRAKEN, DERIV)}
# What these send is made here, so nobody can know it before us.
MADE_FEEDS = frozenset({SIMULATOR.name, SCRIPT.name})
NEXT_TICK_BELOW_S = 60


def default_entry_rule(feed: str, min_duration_s: int) -> str:
    """Return the entry rule of a symbol that names none (rules, section 2).

    Whoever hears a real market sooner than we do would win short options that open at the last tick.
    """
    if feed in MADE_FEEDS or min_duration_s >= NEXT_TICK_BELOW_S:
        return "last_tick/1"
    return "next_tick/1"


@dataclass(frozen=True, slots=True)
class FeedSettings:
    """Where a feed is and whose clock stamps its ticks."""

    feed: Feed
    override: str = ""
    receive_time: bool = False

    @property
    def endpoint(self) -> str:
        """The address in force."""
        return self.override or self.feed.endpoint


def feed_settings(name: str, environment: Mapping[str, str] | None = None) -> FeedSettings:
    """Return the settings of a feed.

    :raises FeedSettingsError: there is no such feed, or ``FEED_<NAME>_TIME`` is neither ``source`` nor ``receive``
    """
    environment = os.environ if environment is None else environment
    feed = FEEDS.get(name)
    if feed is None:
        raise FeedSettingsError(f"there is no feed {name}; known: {', '.join(sorted(FEEDS))}")
    variable = f"FEED_{name.upper()}_TIME"
    stamped = environment.get(variable, "").strip().lower() or "source"
    if stamped not in {"source", "receive"}:
        raise FeedSettingsError(f"{variable} is {stamped!r}; it must be source or receive")
    override = environment.get(f"FEED_{name.upper()}_URL", "").strip()
    return FeedSettings(feed, override, receive_time=stamped == "receive")


# What these send is made, not observed.
CUSTOM_FEEDS = frozenset({"simulator", "script"})


def feed_is_custom(name: str, endpoint: str) -> bool:
    """Whether prices come from a generator, a script, or another endpoint than the exchange's own.

    :param endpoint: the one that overrides the feed's own; empty where none does
    """
    return name in CUSTOM_FEEDS or bool(endpoint)


def endpoint_allowed(recorded: str, override: str, *, production: bool) -> bool:
    """Whether a parser may write a symbol's ticks: in production from the endpoint on public record alone.

    :param recorded: the endpoint of the symbol's revision in force; empty means the feed's own
    :param override: the endpoint that the parser was told to use; empty means the feed's own
    """
    return not production or recorded == override

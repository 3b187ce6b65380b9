"""Tells the gateways when the state of a market changes, once a second, for all feeds."""

from __future__ import annotations

import json

from django.db import connection

from kernel import db
from quotes.domain import MarketFacts, market_state
from quotes.feed_writer import DATABASE_ERRORS
from quotes.leadership import Leadership
from quotes.publishing import FEED_CHANNEL, publish
from quotes.statements import CLOCK, MARKET_COLUMNS, MARKET_JOINS

_MARKETS = f"""
WITH {CLOCK}
SELECT clock.now_ms, symbol.feed, symbol.code, {MARKET_COLUMNS}
FROM clock CROSS JOIN quotes_symbol AS symbol {MARKET_JOINS}"""


class MarketWatch:
    """Compares the markets' states with those it told last. One process tells; the others stand by."""

    def __init__(self) -> None:
        self.feeds: frozenset[str] = frozenset()
        self._leadership = Leadership("markets")
        self._told: dict[str, str] = {}

    def look(self) -> None:
        """Read all markets and publish what changed; on its own thread, each second."""
        rows = db.rows(_MARKETS)
        self.feeds = frozenset(row[1] for row in rows)
        if not self._leadership.take():
            self._told = {}
            return
        states = {
            code: market_state(MarketFacts(*facts), now_ms=now_ms).state.value for now_ms, _, code, *facts in rows
        }
        changed = [{"symbol": code, "state": state} for code, state in states.items() if self._told.get(code) != state]
        self._told = states
        if changed:
            publish(FEED_CHANNEL, json.dumps({"feed": changed}, separators=(",", ":")).encode())

    def close(self) -> None:
        """Give up the session, whatever state it is in."""
        try:
            self._leadership.leave()
        except DATABASE_ERRORS:
            # The session is gone, and its lock with it.
            self._told = {}
        finally:
            connection.close()

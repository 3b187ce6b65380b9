"""Tells the gateways when the state of a market changes, once a second, for all feeds."""

from __future__ import annotations

import json

from django.db import connection

from kernel import db
from kernel.clock import DB_NOW_MS_SQL
from quotes.domain import market_state
from quotes.feed_writer import DATABASE_ERRORS
from quotes.leadership import Leadership
from quotes.publishing import FEED_CHANNEL, publish

_MARKETS = f"""
SELECT symbol.feed, symbol.code, symbol.operator_state, symbol.state_reason, symbol.max_tick_age_ms,
       head.tick_at_ms, head.heartbeat_ms, {DB_NOW_MS_SQL}
FROM quotes_symbol AS symbol JOIN quotes_symbol_head AS head ON head.symbol_id = symbol.id"""


class MarketWatch:
    """Compares the markets' states with those it told last. One process tells; the others stand by."""

    def __init__(self) -> None:
        self.feeds: frozenset[str] = frozenset()
        self._leadership = Leadership("markets")
        self._told: dict[str, str] = {}

    def look(self) -> None:
        """Read all markets and publish what changed; on its own thread, each second."""
        rows = db.rows(_MARKETS)
        self.feeds = frozenset(row[0] for row in rows)
        if not self._leadership.take():
            self._told = {}
            return
        states = {}
        for _, code, operator_state, reason, max_tick_age_ms, tick_at_ms, heartbeat_ms, now_ms in rows:
            state = market_state(
                operator_state=operator_state,
                state_reason=reason,
                tick_at_ms=tick_at_ms,
                heartbeat_ms=heartbeat_ms,
                max_tick_age_ms=max_tick_age_ms,
                now_ms=now_ms,
            )
            states[code] = state.state.value
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

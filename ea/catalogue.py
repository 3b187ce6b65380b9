"""What a key may trade: every symbol with its state and terms, the names that brokers use, and the key's limits."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from ea.gateway.bounds import RATE_BURST, RATE_PER_S
from ea.keys import LiveKey
from ea.protocol import EVENTS_MAX
from kernel import db
from kernel.clock import optional_rfc3339
from kernel.money import DEFAULT_CURRENCY, format_minor, optional_scaled
from quotes.selectors import SymbolRow, symbols

_KEY = """
SELECT key.ledgers, link.ledger, link.wallet_id::text, link.prefix, link.suffix
FROM ea_key AS key JOIN ea_link AS link ON link.id = key.link_id WHERE key.kid = %(kid)s"""
# An installation's own name for a symbol stands before the one that all brokers use.
_ALIASES = """
SELECT DISTINCT ON (raw) raw, symbol FROM ea_symbol_alias WHERE link_id = %(link_id)s OR link_id IS NULL
ORDER BY raw, link_id NULLS LAST"""


def catalogue(key: LiveKey, *, now_ms: int) -> dict[str, Any]:
    """Return the document that a client chooses symbols and stakes by; money is decimal text."""
    found = db.row(_KEY, {"kid": key.kid})
    assert found is not None
    ledgers, ledger, wallet_id, prefix, suffix = found
    names = defaultdict[str, list[str]](list)
    for raw, symbol in db.rows(_ALIASES, {"link_id": key.link_id}):
        names[symbol].append(raw)
    return {
        "server_ms": now_ms,
        "key": {
            "kid": key.kid,
            "scopes": sorted(key.scopes),
            "ledgers": ledgers,
            "valid_until": optional_rfc3339(key.valid_until_ms),
            "limits": {"signals_per_s": RATE_PER_S, "burst": RATE_BURST, "under_way": EVENTS_MAX},
        },
        "installation": {"ledger": ledger, "wallet_id": wallet_id, "prefix": prefix, "suffix": suffix},
        "symbols": [_symbol(row, names[row.market.code]) for row in symbols()],
    }


def _symbol(row: SymbolRow, aliases: list[str]) -> dict[str, Any]:
    market = row.market
    return {
        "code": market.code,
        "name": row.name,
        "state": market.state.state.value,
        "state_reason": market.state.reason or None,
        "next_open": optional_rfc3339(market.state.next_open_ms),
        "payout_percent": row.payout_percent,
        "currency": DEFAULT_CURRENCY,
        "min_stake": format_minor(row.min_stake_minor, DEFAULT_CURRENCY),
        "max_stake": format_minor(row.max_stake_minor, DEFAULT_CURRENCY),
        "min_duration_s": row.min_duration_s,
        "max_duration_s": row.max_duration_s,
        "price_scale": market.price_scale,
        "price": optional_scaled(market.tick_price, market.price_scale),
        "aliases": aliases,
    }

"""From a broker's name of a symbol to ours: aliases, then the name itself, then without what brokers put around it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from kernel import db

# A decoration is lower-case letters at an end, or whatever a mark sets apart: EURUSDm, EURUSD.vip, XAUUSD-, #EURUSD.
_BARE = re.compile(
    r"(?:[a-z]{1,4}[._-]?|[^A-Za-z0-9]|[A-Za-z0-9]{1,5}[._-])?([A-Z0-9]{3,})(?:[a-z]{1,5}|[^A-Za-z0-9].{0,7})?\Z"
)

# Charting services name the exchange first: BINANCE:BTCUSDT, CME_MINI:ES1!.
_EXCHANGE = re.compile(r"[A-Za-z0-9_]{1,20}:(?=.)")
_WORDS = {"GOLD": "XAUUSD", "SILVER": "XAGUSD", "BITCOIN": "BTCUSDT", "BTCUSD": "BTCUSDT", "ETHUSD": "ETHUSDT"}

_ALIAS = """
SELECT symbol FROM ea_symbol_alias
WHERE raw = ANY(%(names)s::text[]) AND (link_id = %(link_id)s OR link_id IS NULL)
ORDER BY link_id NULLS LAST, array_position(%(names)s::text[], raw::text) LIMIT 1"""
_KNOWN = """
SELECT code FROM quotes_symbol WHERE code = ANY(%(names)s::text[])
ORDER BY array_position(%(names)s::text[], code::text) LIMIT 1"""
_EXISTS = "SELECT FROM quotes_symbol WHERE code = %(code)s"
_MEANT = "SELECT code FROM quotes_symbol WHERE upper(code) = ANY(%(names)s::text[]) ORDER BY code"
_UNKNOWN = """
INSERT INTO ea_symbol_unknown AS known (link_id, raw, first_at_ms, last_at_ms, times)
VALUES (%(link_id)s, %(raw)s, %(now_ms)s, %(now_ms)s, 1)
ON CONFLICT (link_id, raw) DO UPDATE SET last_at_ms = excluded.last_at_ms, times = known.times + 1"""


def candidates(raw: str, *, prefix: str = "", suffix: str = "") -> list[str]:
    """Return what a broker's name may mean, the likeliest first.

    :param prefix: what this broker is known to put before every name
    :param suffix: what it is known to put behind
    """
    bare = without_exchange(raw)
    stripped = bare.removeprefix(prefix).removesuffix(suffix)
    names = [raw, bare, stripped, bare.upper(), stripped.upper()]
    names += [found[1] for name in (stripped, bare) if (found := _BARE.match(name))]
    return list(dict.fromkeys(names))


def without_exchange(raw: str) -> str:
    """Return a name without the exchange that stands in front of it."""
    return _EXCHANGE.sub("", raw, count=1) if _EXCHANGE.match(raw) else raw


def symbol_of(*, link_id: int, raw: str, prefix: str, suffix: str) -> str | None:
    """Return our code of a broker's symbol, or None when no rule knows it."""
    # One exchange's symbol may be named apart from that of the others.
    if (alias := db.row(_ALIAS, {"names": [raw, without_exchange(raw)], "link_id": link_id})) is not None:
        return str(alias[0])
    found = db.row(_KNOWN, {"names": candidates(raw, prefix=prefix, suffix=suffix)})
    return None if found is None else str(found[0])


def symbol_exists(code: str) -> bool:
    """Whether there is a symbol of that code."""
    return db.row(_EXISTS, {"code": code}) is not None


def candidates_known(names: Sequence[tuple[str, str, str]]) -> list[list[str]]:
    """Return for each broker's name, with prefix and suffix, those of our symbols that look like it.

    Beyond what :func:`symbol_of` dares: six letters that stand anywhere in the name, and the metals' common names.
    """
    meant = [_alike(raw, prefix, suffix) for raw, prefix, suffix in names]
    known = {
        code.upper(): code for (code,) in db.rows(_MEANT, {"names": sorted({name for some in meant for name in some})})
    }
    return [[known[name] for name in some if name in known] for some in meant]


def _alike(raw: str, prefix: str, suffix: str) -> list[str]:
    upper = re.sub(r"[^A-Z0-9]", "", raw.upper())
    names = [name.upper() for name in candidates(raw, prefix=prefix, suffix=suffix)]
    names += [meaning for word, meaning in _WORDS.items() if word in upper]
    names += [upper[start : start + length] for length in (6, 7) for start in range(len(upper) - length + 1)]
    return list(dict.fromkeys(names))


def unknown_note(*, link_id: int, raw: str, now_ms: int) -> None:
    """Keep a name that no rule knows for somebody to name, by one statement of the caller's transaction."""
    db.run(_UNKNOWN, {"link_id": link_id, "raw": raw, "now_ms": now_ms})

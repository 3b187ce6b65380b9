"""A symbol of a test's own, whose ticks go through the real admission."""

from __future__ import annotations

from decimal import Decimal
from itertools import count
from typing import Any

from kernel import db
from kernel.clock import DB_NOW_MS_SQL
from kernel.ids import uuid7
from quotes.admission import SymbolLog, SymbolTerms, heartbeats_record, ticks_admit
from quotes.domain import AdmittedTick, RawTick
from quotes.models import Symbol
from quotes.services import NewSymbol, symbol_add

_packets = count(1)


def code_new() -> str:
    """Return a symbol's code that nobody has."""
    return f"T{uuid7().hex[-12:].upper()}"


def database_now_ms() -> int:
    """Return the database's clock."""
    found = db.row(f"SELECT {DB_NOW_MS_SQL}")
    assert found is not None
    return int(found[0])


class Market:
    """One symbol and a parser's side of its log."""

    def __init__(self, *, code: str = "", **terms: Any) -> None:
        self.code = code or code_new()
        self.symbol: Symbol = symbol_add(
            NewSymbol(code=self.code, source=self.code.lower(), **({"feed": "script"} | terms))
        )
        self.log = SymbolLog(
            SymbolTerms(
                self.symbol.id,
                self.code,
                self.symbol.feed,
                self.symbol.source,
                self.symbol.price_scale,
                self.symbol.price_source,
                self.symbol.revision,
            )
        )

    def admit(self, *prices: str | tuple[str, str], at_ms: int | None = None, apart_ms: int = 1) -> list[AdmittedTick]:
        """Admit ticks at equal distances, the last of them at ``at_ms`` or now; a refused one fails the test."""
        last_ms = database_now_ms() if at_ms is None else at_ms
        first_ms = last_ms - (len(prices) - 1) * apart_ms
        ticks = [self._tick(price, first_ms + index * apart_ms) for index, price in enumerate(prices)]
        batch = ticks_admit(batch={self.symbol.id: ticks}, logs={self.symbol.id: self.log}, heartbeat_ms=last_ms)
        assert [refused.reason for refused in batch.refused] == []
        return batch.by_symbol[self.symbol.id].admitted

    def beat(self) -> None:
        """Record upstream traffic without a tick."""
        heartbeats_record(heartbeats={self.symbol.id: database_now_ms()})

    def _tick(self, price: str | tuple[str, str], at_ms: int) -> RawTick:
        bid, ask = (price, price) if isinstance(price, str) else price
        return RawTick(
            source=self.symbol.source,
            packet=next(_packets),
            src_ms=at_ms,
            recv_ms=at_ms,
            bid=Decimal(bid),
            ask=Decimal(ask),
        )

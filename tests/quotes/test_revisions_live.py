"""A running parser follows a revision, and the settlement loop puts it in force (rules 1)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from kernel import db
from quotes.models import Symbol
from quotes.revisions import revision_request, revision_terms
from quotes.services import NewSymbol, symbol_add
from settlement.worker import SettlementLoop
from tests.market import order_row, trader_open
from tests.quotes.market import code_new, database_now_ms
from tests.quotes.running import parsing, ticks_flow
from tests.support import eventually

pytestmark = [pytest.mark.journey, pytest.mark.django_db(transaction=True)]

START_S = 40.0


def simulated(**terms: int) -> Symbol:
    """Offer a symbol of the simulator."""
    code = code_new()
    return symbol_add(NewSymbol(code=code, feed="simulator", source=code, **terms))  # type: ignore[arg-type]


def test_a_live_market_is_revised_under_an_open_order(tmp_path: Path) -> None:
    """Rules 1, F-18: close-only, settled by the old scale, then ticks in the new one within 2 s, and orders again."""
    symbol, other = simulated(min_duration_s=1), simulated()
    trader, loop = trader_open(), SettlementLoop()
    with parsing(tmp_path, "--feed", "simulator") as parser:
        ticks_flow(symbol.pk, within_s=START_S)
        ticks_flow(other.pk, within_s=5)
        order = trader.place(symbol.code, "up", duration_s=2)
        terms = replace(revision_terms(symbol), price_scale=3)
        revision_request(code=symbol.code, terms=terms, reason="Coarser", by_id=None, now_ms=database_now_ms())

        eventually(lambda: loop.turn() or order_row(order).state != "open", within_s=10)
        eventually(lambda: loop.turn() or _revision(symbol) == 2, within_s=3)
        eventually(lambda: _logged(symbol, 2) > 1, within_s=3)
        again = eventually(lambda: trader.place(symbol.code, "up", duration_s=1), within_s=3)
        ticks_flow(other.pk, within_s=3)
        assert "feed_leadership_lost" not in parser.logged()
        assert parser.end() == 0

    row = order_row(order)
    assert (row.state in ("won", "lost", "tied"), row.revision, row.price_scale) == (True, 1, 5)
    assert (order_row(again).revision, order_row(again).price_scale) == (2, 3)
    found = db.rows("SELECT price, revision FROM quotes_tick WHERE symbol_id = %s ORDER BY seq", [symbol.pk])
    assert [revision for _, revision in found] == sorted(revision for _, revision in found)
    last_before = next(price for price, revision in reversed(found) if revision == 1) / 10**5
    first_after = next(price for price, revision in found if revision == 2) / 10**3
    assert abs(first_after - last_before) < last_before / 20


def _revision(symbol: Symbol) -> int:
    return Symbol.objects.values_list("revision", flat=True).get(pk=symbol.pk)


def _logged(symbol: Symbol, revision: int) -> int:
    found = db.row("SELECT count(*) FROM quotes_tick WHERE symbol_id = %s AND revision = %s", [symbol.pk, revision])
    assert found is not None
    return int(found[0])

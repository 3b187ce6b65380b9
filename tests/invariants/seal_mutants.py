"""Faults of the seals of minutes (I-22)."""

from __future__ import annotations

from typing import Any

from kernel import db
from quotes import sealing, seals
from quotes.admission import heartbeats_record
from tests.invariants.mutant import Mutant
from tests.invariants.scenario import Scenario
from tests.market import Market, db_now_ms, market_open

MINUTE_MS = 60_000

_seal_of = sealing.seal_of


def day_sealed() -> Market:
    """Open a market with ticks in a past minute, and seal every minute that is final."""
    market = market_open("SEALED", price=None)
    start_ms = db_now_ms() // MINUTE_MS * MINUTE_MS - 10 * MINUTE_MS
    for number in range(5):
        at_ms = start_ms + 30_000 + number * 1_000
        market.tick(f"1.0851{number}", at_ms=at_ms, received_ms=at_ms)
    heartbeats_record(heartbeats={market.id: start_ms + 5 * MINUTE_MS})
    while seals.seals_make(now_ms=db_now_ms()):
        pass
    return market


def _tick_changed(scenario: Scenario) -> None:
    """Change a tick by one step after its minute was sealed."""
    del scenario
    market = day_sealed()
    assert db.run("UPDATE quotes_tick SET price = price + 1 WHERE symbol_id = %s AND seq = 3", [market.id]) == 1


def _sealed(scenario: Scenario) -> None:
    del scenario
    day_sealed()


def _without_the_last(*, ticks: Any, **others: Any) -> Any:
    return _seal_of(ticks=ticks[:-1] or ticks, **others)


SEAL_MUTANTS = (
    Mutant(
        "I-22",
        "a tick of a sealed minute is changed by one step",
        walls=("quotes_tick.quotes_tick_append_only",),
        act=_tick_changed,
    ),
    Mutant("I-22", "a minute is sealed without its last tick", ((seals, "seal_of", _without_the_last),), act=_sealed),
)

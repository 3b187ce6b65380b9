"""The gate ahead of placement: what holds a signal back before a wallet is touched. The first check that fails decides.

Codes are stable: ``risk.<name>``. What the market, the wallet and the client's own limits say is judged by placement.
"""

from __future__ import annotations

from dataclasses import dataclass

from ea.domain import TradingState, strictest
from kernel import db

_SWITCHES = """
SELECT state FROM ea_trading_switch
WHERE (scope, name) IN (('platform', ''), ('link', %(link)s), ('strategy', %(strategy)s), ('symbol', %(symbol)s))"""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a signal would act."""

    link_id: int
    strategy: str
    symbol: str


def trading_state(place: Place) -> TradingState:
    """Return the strictest trading state of the places that a signal touches."""
    names = {"link": str(place.link_id), "strategy": f"{place.link_id}/{place.strategy}", "symbol": place.symbol}
    return strictest([TradingState(state) for (state,) in db.rows(_SWITCHES, names)])


def gate(state: TradingState) -> str | None:
    """Return the code that an opening is denied with, or None to let it pass."""
    if state is TradingState.HALTED:
        return "risk.halted"
    if state is TradingState.REDUCING:
        return "risk.reducing"
    return None

"""Logs of the bridge as a day leaves them, with every outcome: made by the real log, executor, settlement and facts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from unittest import mock

from django.db import connection

from ea import executor as executor_module
from ea.domain import TradingState
from ea.executor import orders_execute
from ea.log import EventLog
from ea.risk_services import bridge_state_set
from kernel.facts import facts_apply
from tests.ea.bridge import Installation, execute_due, installation, order_of, with_key
from tests.ea.events import arrived
from tests.ea.limited import logged
from tests.market import Market, db_now_ms, market_open, order_row, settle_due
from trading.models import Order


class Stopped(BaseException):
    """The process is gone; nobody catches that."""


@dataclass
class History:
    """A market, two installations and what was logged, by the name of its outcome."""

    market: Market
    one: Installation
    other: Installation
    ids: dict[str, str]


def dying_at(name: str) -> Any:
    """Return a patch under which the executor dies at a step."""

    def reached(step: str) -> None:
        if step == name:
            raise Stopped

    return mock.patch.object(executor_module, "reach", reached)


def executed_until(name: str) -> None:
    """Let an executor work until it dies at a step."""
    with dying_at(name):
        try:
            orders_execute()
        except Stopped:
            connection.close()


def results_noted() -> None:
    """Let what is settled come back to its events."""
    while facts_apply(50):
        pass


def settled_at(market: Market, price: str, *, expires_at_ms: int) -> None:
    """Bring a price at an instant, settle what has expired by then and note the results."""
    # Those that end a little earlier find a young tick, too.
    market.admitted(price, at_ms=expires_at_ms - 2_000)
    market.admitted(price, at_ms=expires_at_ms)
    market.admitted(price, at_ms=expires_at_ms + 1)
    settle_due()
    results_noted()


def sent(one: Installation, seq: int, stake: str = "10.00", **changes: Any) -> str:
    """Log a signal, execute it and return its id."""
    event_id = logged(one, seq, stake, **changes)
    execute_due()
    return event_id


def sent_share(one: Installation, seq: int, percent: str) -> str:
    """Log a signal that stakes a share of the balance for five minutes, execute it and return its id."""
    terms: dict[str, Any] = {"stake": {"mode": "percent", "value": percent}, "expiry": {"mode": "duration", "s": 300}}
    event = arrived(one, seq, **terms)
    EventLog().append([event])
    execute_due()
    return event.signal.event_id


def all_settled(market: Market, price: str) -> None:
    """Let all open orders end at a price."""
    newest = Order.objects.filter(state="open").order_by("expires_at_ms").last()
    assert newest is not None
    settled_at(market, price, expires_at_ms=newest.expires_at_ms)


def history_make() -> History:
    """Make a log with every outcome: two installations, three keys, two chains, two crashes, a duplicate."""
    market, one, other = market_open(max_tick_age_ms=60_000), installation(), installation()
    second = with_key(one.trader, one.link)
    first_log, second_log = EventLog(), EventLog()
    ids: dict[str, str] = {}

    def log(name: str, who: Installation, seq: int, chain: EventLog = first_log, **changes: Any) -> None:
        event = arrived(who, seq, **changes)
        chain.append([event])
        ids[name] = event.signal.event_id
        if name == "won":
            assert chain.append([event])[0].duplicate

    log("won", one, 1, valid_ms=60_000)
    log("lost", one, 2, direction="put", stake={"mode": "percent", "value": "1.5"})
    log("unknown symbol", one, 3, symbol="NOSUCH")
    log("stale", other, 1, second_log, t_sig_ms=db_now_ms() - 60_000)
    log("rejected", other, 2, second_log, stake={"mode": "fixed", "value": "0.50"})
    log("found again", second, 1, second_log, sid="s2", expiry={"mode": "duration", "s": 600})
    executed_until("ea.submitted")
    executed_until("ea.placed")
    execute_due()
    bridge_state_set(symbol="", state=TradingState.HALTED, reason="test", now_ms=db_now_ms())
    log("halted", one, 4)
    execute_due()
    bridge_state_set(symbol="", state=TradingState.ACTIVE, reason="over", now_ms=db_now_ms())
    settled_at(market, "1.09000", expires_at_ms=order_row(str(order_of(ids["lost"]).order_id)).expires_at_ms)
    log("open", one, 5, stake={"mode": "fixed", "value": "7.00"}, expiry={"mode": "duration", "s": 900})
    execute_due()
    log("submitted", other, 3, second_log, expiry={"mode": "duration", "s": 900})
    executed_until("ea.placed")
    log("received", one, 6)
    return History(market, one, other, ids)

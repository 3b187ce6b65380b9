"""Faults of the bridge (I-34)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ea import log, results, statements
from ea.executor import orders_execute
from ea.log import EventLog
from kernel import db
from kernel.facts import facts_apply
from tests.ea.bridge import installation
from tests.ea.events import arrived
from tests.invariants.mutant import Mutant
from tests.invariants.scenario import Scenario
from tests.market import market_open, settle_due
from trading.models import Order

_sha256 = hashlib.sha256


def _signals(scenario: Scenario) -> None:
    """Log two signals and execute them."""
    market = market_open("BRIDGED")
    one = installation(scenario.ann)
    EventLog().append([arrived(one, seq, symbol=market.code) for seq in (1, 2)])
    while orders_execute():
        pass


def _settled(scenario: Scenario) -> None:
    """Log two signals, execute them and let them be settled."""
    market = market_open("BRIDGED")
    one = installation(scenario.ann)
    EventLog().append([arrived(one, seq, symbol=market.code) for seq in (1, 2)])
    while orders_execute():
        pass
    expires_ms = max(Order.objects.filter(source="ea").values_list("expires_at_ms", flat=True))
    market.admitted("1.09000", at_ms=expires_ms)
    market.admitted("1.09000", at_ms=expires_ms + 5_000)
    settle_due()
    while facts_apply(10):
        pass


def _stake_not_counted(result: Any) -> Any:
    return replace(result, stake=0)


def _denied(scenario: Scenario) -> None:
    """Log a signal that comes to nothing, and execute it."""
    EventLog().append([arrived(installation(scenario.ann), 1, symbol="NOSUCH")])
    orders_execute()


def _then(sql: str) -> Callable[[Scenario], None]:
    """Return an act that writes past the bridge afterwards."""

    def act(scenario: Scenario) -> None:
        _signals(scenario)
        assert db.run(sql)

    return act


def _placed_again(scenario: Scenario) -> None:
    """Place the order of an event a second time, as if it were another one."""
    _signals(scenario)
    db.run("UPDATE ea_order SET client_order_id = client_order_id || '-2' WHERE client_order_id IS NOT NULL")


class _NotCarriedOn:
    """A hash that knows what is chained, and leaves it out."""

    @staticmethod
    def sha256(content: bytes = b"") -> Any:
        return _sha256(content if len(content) != 64 else content[32:])


_ONE, _STANDS, _CHAIN, _ADD_UP = "I-34 each event", "I-34 each order", "I-34 the log", "I-34 the results"
_result = results._result
_GUARD, _ROW, _KEPT = "ea_order.ea_order_guard", "ea_order.ea_order_stands", "ea_order.ea_order_kept"
_NO_ORDER = db.Prepared(statements.LOG.replace("FROM logged\n)", "FROM logged WHERE false\n)"))
_OLD_STEP = statements.MOVE.replace("step = stepped.step,", "step = stepped.step - 1,")

BRIDGE_MUTANTS = (
    Mutant(_ONE, "an event is logged and nobody is given it", ((log, "_LOG", _NO_ORDER),), act=_signals),
    Mutant(_ONE, "an order is placed under an id that is not its event's", walls=(_GUARD,), act=_placed_again),
    Mutant(
        _STANDS,
        "a step is written and the order's row does not count it",
        ((statements, "MOVE", _OLD_STEP),),
        walls=(_GUARD, _ROW),
        act=_denied,
    ),
    Mutant(
        _STANDS,
        "an order is set back by hand",
        walls=(_GUARD, _ROW),
        act=_then("UPDATE ea_order SET state = 'submitted' WHERE state = 'open'"),
    ),
    Mutant(
        _ADD_UP,
        "results are not counted",
        ((results, "results_tally", lambda _: None),),
        act=_settled,
    ),
    Mutant(
        _ADD_UP,
        "a result is counted without the stake that it cost",
        ((results, "_result", lambda settled: _stake_not_counted(_result(settled))),),
        act=_settled,
    ),
    Mutant(_CHAIN, "events do not cover those in front of them", ((log, "hashlib", _NotCarriedOn),), act=_signals),
    Mutant(
        _CHAIN,
        "the first event of a chain is taken out",
        walls=(
            "ea_event.ea_event_append_only",
            _KEPT,
            "ea_order_event.ea_order_event_append_only",
            "ea_latency.ea_latency_append_only",
        ),
        act=_then(
            "WITH gone AS (SELECT id FROM ea_event WHERE chain_no = 1), steps AS ("
            "DELETE FROM ea_order_event WHERE order_id IN (SELECT id FROM gone)), times AS ("
            "DELETE FROM ea_latency WHERE event_id IN (SELECT id FROM gone)), orders AS ("
            "DELETE FROM ea_order WHERE event_id IN (SELECT id FROM gone))"
            "DELETE FROM ea_event WHERE id IN (SELECT id FROM gone)"
        ),
        also=(_ONE,),
    ),
)

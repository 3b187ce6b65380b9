"""What signals are judged by is kept while nobody changes it: a change holds at once, and no change costs nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest
from django.db import transaction

from ea import executor as executor_module
from ea import kept, statements
from ea.domain import TradingState
from ea.executor import orders_execute
from ea.kept import version_now
from ea.log import EventLog
from ea.models import EaOrder, Key, RiskLimits, RiskStop, SymbolAlias
from ea.risk_limits import limits_parsed
from ea.risk_services import bridge_state_set, default_limits_put, state_set, stop_reset
from ea.symbols import _ALIAS, _KNOWN
from kernel import db
from ledger import selectors
from quotes.models import Symbol
from tests.books import violations
from tests.ea.bridge import Installation, execute_due, installation
from tests.ea.events import arrived
from tests.ea.limited import code_of, limited, logged
from tests.invariants.walls import walls_down
from tests.market import Market, market_open, trader_open
from tests.plans.filled import recorded
from trading.models import Order

pytestmark = [pytest.mark.django_db(transaction=True)]


@pytest.fixture
def market() -> Market:
    return market_open()


@pytest.fixture
def one() -> Installation:
    return installation()


def _stopped(one: Installation) -> None:
    wallet_id, link_id = one.trader.wallets["demo"], one.link.pk
    event = arrived(one, 100, action="cancel")
    EventLog().append([event])
    execute_due()
    number = db.row("SELECT max(id) FROM ea_event")
    assert number is not None
    RiskStop.objects.create(
        link_id=link_id, wallet_id=wallet_id, stop="drawdown", act="tripped", reason="test", lost=1, limit=1,
        event_id=number[0], at_ms=1,
    )  # fmt: skip


def _reset(one: Installation) -> None:
    _stopped(one)
    stop_reset(user_id=one.trader.user.id, link_id=one.link.pk, stop="drawdown", reason="test", now_ms=2)


def _link_saved(one: Installation) -> None:
    one.link.suffix = "PRO"
    one.link.save()


def _state(one: Installation) -> None:
    own: dict[str, Any] = {"user_id": one.trader.user.id, "link_id": one.link.pk}
    state_set(state=TradingState.HALTED, reason="test", now_ms=1, **own)


CHANGES: dict[str, tuple[str, Callable[[Installation], Any]]] = {
    "an installation": ("ea_link.ea_link_versioned", _link_saved),
    "another installation": ("ea_link.ea_link_versioned", lambda _: installation(account="2")),
    "a key that is revoked": ("ea_key.ea_key_versioned", lambda _: Key.objects.update(revoked_at_ms=1)),
    "an alias": (
        "ea_symbol_alias.ea_symbol_alias_versioned",
        lambda _: SymbolAlias.objects.create(raw="GOLD", symbol="EURUSD"),
    ),
    "a state of an installation": ("ea_trading_switch.ea_trading_switch_versioned", _state),
    "a state of all": (
        "ea_trading_switch.ea_trading_switch_versioned",
        lambda _: bridge_state_set(symbol="", state=TradingState.HALTED, reason="test", now_ms=1),
    ),
    "limits": ("ea_risk_limits.ea_risk_limits_versioned", lambda one: limited(one, stake_max="1")),
    "limits of all": (
        "ea_risk_limits.ea_risk_limits_versioned",
        lambda _: default_limits_put(limits=limits_parsed({}), now_ms=1),
    ),
    "a stop": ("ea_risk_stop.ea_risk_stop_versioned", _stopped),
    "a stop that is reset": ("ea_risk_stop.ea_risk_stop_versioned", _reset),
    "a symbol": ("quotes_symbol.ea_symbols_versioned", lambda _: market_open("XAUUSD", price="2000.00", price_scale=2)),
}


@pytest.mark.parametrize(("trigger", "change"), CHANGES.values(), ids=CHANGES)
def test_a_change_moves_the_version(
    market: Market, one: Installation, trigger: str, change: Callable[[Installation], Any]
) -> None:
    """Whatever is kept must be read anew after it."""
    before = version_now()
    change(one)
    assert version_now() != before
    assert before is not None


@pytest.mark.parametrize("trigger", sorted({trigger for trigger, _ in CHANGES.values()}))
def test_a_change_without_its_trigger_is_seen(market: Market, one: Installation, trigger: str) -> None:
    """The check above turns red with the trigger gone."""
    change = next(change for name, change in CHANGES.values() if name == trigger)
    with walls_down(trigger):
        before = version_now()
        change(one)
        assert version_now() == before


def test_a_change_that_is_taken_back_moves_nothing(one: Installation) -> None:
    before = version_now()
    with transaction.atomic():
        _link_saved(one)
        transaction.set_rollback(True)
    assert version_now() == before


def test_what_every_tick_changes_of_a_symbol_moves_nothing(market: Market, one: Installation) -> None:
    before = version_now()
    market.tick("1.09000")
    Symbol.objects.update(payout_percent=80)
    assert version_now() == before


def test_the_second_signal_asks_for_nothing(market: Market, one: Installation) -> None:
    """A signal costs what is due, what it writes, and its placement."""
    found = []
    for seq in (1, 2):
        logged(one, seq)
        with recorded() as recorder:
            execute_due()
        found.append([sql for sql, _ in recorder.seen])
    asked = {statements.TERMS, statements.STANDING, _ALIAS, _KNOWN, selectors._WALLETS}
    assert asked <= {*found[0]}
    assert not asked & {*found[1]}
    assert statements.VERSION not in found[1]


def test_a_name_that_nobody_knew_is_found_once_it_is_named(market: Market, one: Installation) -> None:
    unknown = logged(one, 1, symbol="GOLD")
    execute_due()
    SymbolAlias.objects.create(raw="GOLD", symbol="EURUSD")
    named = logged(one, 2, symbol="GOLD")
    execute_due()
    assert (code_of(unknown), code_of(named)) == ("symbol.unknown", None)


def test_limits_that_cannot_be_read_hold_up_nobody_else(market: Market, one: Installation) -> None:
    """What a batch is judged by is read together; what is wrong with one stays with that one."""
    RiskLimits.objects.create(link=one.link, version=1, document={"hard": 1}, actor_id=one.trader.user.id, at_ms=1)
    other = installation()
    EventLog().append([arrived(each, 1) for each in (one, other)])
    assert orders_execute() == 1
    states = EaOrder.objects.order_by("event").values_list("link", "state")
    assert list(states) == [(one.link.pk, "received"), (other.link.pk, "open")]


def test_a_key_that_loses_its_ledger_is_refused_from_then_on(market: Market, one: Installation) -> None:
    first = logged(one, 1)
    execute_due()
    Key.objects.update(ledgers=["real"])
    second = logged(one, 2)
    execute_due()
    assert (code_of(first), code_of(second)) == (None, "auth.ledger")


def test_a_state_holds_in_the_middle_of_a_batch(market: Market, one: Installation) -> None:
    """ea 6.3: a batch may take long; what stops the bridge binds what is decided after it."""
    first, second = logged(one, 1), logged(one, 2)

    def halted(step: str) -> None:
        if step == "ea.placed":
            bridge_state_set(symbol="", state=TradingState.HALTED, reason="test", now_ms=1)

    with mock.patch.object(executor_module, "FRESH_S", -1.0), mock.patch.object(executor_module, "reach", halted):
        orders_execute()
    assert (code_of(first), code_of(second)) == (None, "risk.halted")


def test_percents_of_a_batch_are_of_the_balance_that_is_left(market: Market, one: Installation) -> None:
    """ea 5: of the wallet's balance at its own turn, whatever else is kept of the wallet."""
    stakes = [{"mode": "fixed", "value": "10.00"}, *[{"mode": "percent", "value": "10"}] * 2]
    EventLog().append([arrived(one, seq, stake=stake) for seq, stake in enumerate(stakes, 1)])
    assert orders_execute() == 3
    placed = Order.objects.order_by("accepted_at_ms", "id").values_list("stake", flat=True)
    assert list(placed) == [1_000, 99_900, 89_910]
    assert violations() == {}


def test_a_wallet_that_is_new_is_found(market: Market) -> None:
    """Wallets are kept by their user; one that is not among them may have been opened since."""
    one = installation(trader_open())
    execute_due()
    known = kept.kept_of(version_now())
    older = [wallet for wallet in known.wallets_now(one.trader.user.id) if wallet.book != "demo"]
    known._wallets[one.trader.user.id] = older
    event_id = logged(one, 1)
    execute_due()
    assert code_of(event_id) is None


def test_answers_that_follow_each_other_are_one_commit(market: Market) -> None:
    """No order waits for the answer of the one in front of it."""
    ones = [installation() for _ in range(3)]
    events = [arrived(each, 1) for each in ones]
    EventLog().append(events)
    with mock.patch.object(executor_module, "TOLD_S", 60.0):
        assert orders_execute() == 3
    told = "SELECT count(*), count(DISTINCT xmin::text) FROM ea_order_event WHERE frame IS NOT NULL"
    assert db.row(told) == (3, 1)
    assert violations() == {}


def test_an_answer_that_has_waited_goes_before_the_next_order(market: Market) -> None:
    ones = [installation() for _ in range(3)]
    EventLog().append([arrived(each, 1) for each in ones])
    with mock.patch.object(executor_module, "TOLD_S", -1.0):
        assert orders_execute() == 3
    told = "SELECT count(*), count(DISTINCT xmin::text) FROM ea_order_event WHERE frame IS NOT NULL"
    assert db.row(told) == (3, 3)

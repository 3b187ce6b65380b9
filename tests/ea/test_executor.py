"""From the log to an order: what is decided, by which code, and that an event is one order through any interruption."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from unittest import mock

import msgspec
import pytest
from django.db import OperationalError, connection, transaction

from ea import deciding as deciding_module
from ea import executor as executor_module
from ea import moves as moves_module
from ea import worker as worker_module
from ea.domain import TradingState
from ea.executor import BATCH, BATCH_MAX, LeftAlone, orders_execute
from ea.log import EventLog
from ea.models import EaOrder, Latency, SymbolAlias, Transition, UnknownSymbol
from ea.results import results_apply
from ea.risk_services import bridge_state_set, state_set
from ea.symbols import unknown_note
from ea.worker import Lane
from kernel import db
from kernel.facts import facts_apply
from kernel.metrics import counted
from quotes.services import symbol_halt
from settlement.listening import listening_connection
from tests.books import violations
from tests.ea.bridge import Installation, execute_due, installation, order_of
from tests.ea.events import arrived
from tests.market import Market, db_now_ms, market_open, order_row, settle_due
from tests.support import eventually
from trading.errors import order_busy
from trading.models import Order

pytestmark = [pytest.mark.django_db(transaction=True)]


@pytest.fixture
def market() -> Market:
    return market_open()


@pytest.fixture
def one() -> Installation:
    return installation()


def logged(one: Installation, seq: int = 1, **changes: Any) -> str:
    """Log a signal and return its id."""
    event = arrived(one, seq, **changes)
    EventLog().append([event])
    return event.signal.event_id


def frames(order: EaOrder) -> list[dict[str, Any]]:
    """Return what the client was told of an event."""
    told = Transition.objects.filter(order=order, frame__isnull=False).order_by("no")
    return [msgspec.json.decode(step.frame or "") for step in told]


def outcome(event_id: str) -> tuple[str, str | None]:
    """Return an event's state and code."""
    order = order_of(event_id)
    return order.state, order.code


def test_an_open_becomes_an_order_with_the_signal_s_terms(market: Market, one: Installation) -> None:
    """ea 5: call = up; stake, expiry and guards as the signal says; the event's id is the order's."""
    event_id = logged(one, min_payout="80.5", max_drift="0.001", ref_price="1.0850")
    assert execute_due() == 1
    stored = order_of(event_id)
    placed = order_row(str(stored.order_id))
    assert (stored.state, stored.symbol, stored.strategy) == ("open", "EURUSD", "breakout")
    assert (placed.client_order_id, placed.source) == (f"ea:{event_id}", "ea")
    assert (placed.direction, placed.stake, placed.expires_at_ms - placed.accepted_at_ms) == ("up", 1_000, 60_000)
    (told,) = frames(stored)
    assert told["state"] == "accepted"
    assert (told["order_id"], told["price"], told["payout_percent"]) == (str(placed.id), "1.08512", 85)
    assert told["t_expires_ms"] == placed.expires_at_ms
    course = Latency.objects.get(event=stored.event)
    assert (
        course.recv_us <= course.log_us <= course.decided_us <= (course.submitted_us or 0) <= (course.answered_us or 0)
    )
    assert (course.open_price, course.ref_price, course.payout_percent) == ("1.08512", "1.0850", 85)
    assert execute_due() == 0
    assert violations() == {}


def test_a_put_at_an_instant(market: Market, one: Installation) -> None:
    at_ms = db_now_ms() // 1_000 * 1_000 + 90_000
    event_id = logged(one, direction="put", expiry={"mode": "at", "at_ms": at_ms})
    execute_due()
    placed = order_row(str(order_of(event_id).order_id))
    assert (placed.direction, placed.expires_at_ms) == ("down", at_ms)


def test_a_percent_stake_is_floored_to_the_minor_unit(market: Market, one: Installation) -> None:
    """ea 5: percent stakes are floored."""
    event_id = logged(one, stake={"mode": "percent", "value": "0.33333"})
    execute_due()
    assert order_row(str(order_of(event_id).order_id)).stake == 3_333


@pytest.mark.parametrize(
    ("changes", "state", "code"),
    [
        ({"action": "close_all"}, "denied", "action.unsupported"),
        ({"action": "cancel"}, "denied", "action.unsupported"),
        ({"action": "reverse"}, "denied", "action.unsupported"),
        ({"stake": {"mode": "lots", "value": "0.1"}}, "denied", "action.unsupported"),
        ({"symbol": "NOSUCH"}, "denied", "symbol.unknown"),
        ({"target": {"ledger": "real"}}, "denied", "auth.ledger"),
        ({"target": "real"}, "denied", "auth.ledger"),
        ({"target": "my-route"}, "denied", "route.unknown"),
        ({"target": {"ledger": "tournament", "id": "x"}}, "denied", "auth.ledger"),
        ({"currency": "EUR", "stake": {"mode": "fixed", "value": "10"}}, "denied", "signal.currency"),
        ({"stake": {"mode": "fixed", "value": "0.50"}}, "rejected", "order.stake.below_minimum"),
        ({"stake": {"mode": "fixed", "value": "10.001"}}, "rejected", "order.stake.precision"),
        ({"stake": {"mode": "percent", "value": "0"}}, "rejected", "order.stake.below_minimum"),
        ({"min_payout": "86"}, "rejected", "order.payout_moved"),
        ({"min_payout": "85.01"}, "rejected", "order.payout_moved"),
        ({"ref_price": "1.08", "max_drift": "0.005"}, "rejected", "order.price_moved"),
        ({"expiry": {"mode": "at", "at_ms": 1_700_000_000_000}}, "expired", "signal.stale"),
    ],
    ids=lambda value: str(value)[:50],
)
def test_what_becomes_no_order(
    market: Market, one: Installation, changes: dict[str, Any], state: str, code: str
) -> None:
    """ea 5, 6.2: denied is ours, rejected is placement's; each is told once, and nothing moves."""
    event_id = logged(one, **changes)
    assert execute_due() == 1
    assert outcome(event_id) == (state, code)
    (told,) = frames(order_of(event_id))
    assert (told["state"], told["code"]) == ("rejected" if state == "rejected" else "denied", code)
    assert told["order_id"] is None
    assert Order.objects.count() == 0
    assert one.trader.balance() == 1_000_000
    assert Latency.objects.count() == 1


def test_insufficient_funds_and_a_closed_market_are_placement_s_words(market: Market, one: Installation) -> None:
    dear = logged(one, 1, stake={"mode": "percent", "value": "100.01"})
    execute_due()
    assert outcome(dear)[0] == "rejected"
    symbol_halt(code="EURUSD", reason="test")
    halted = logged(one, 2)
    execute_due()
    assert outcome(halted) == ("rejected", "market.halted")


class TestDeadlines:
    """ea 5: a signal is good for ``valid_ms`` from its making, reckoned on the server's clock."""

    @pytest.mark.parametrize(
        ("age_ms", "valid_ms", "offset_ms", "alive"),
        [
            (0, None, 0, True),
            (4_000, None, 0, True),
            (7_000, None, 0, False),
            (7_000, 30_000, 0, True),
            (1_500, 200, 0, False),
            # The client's clock is ten minutes behind or ahead, which its heartbeats have shown.
            (30_000, None, 28_000, True),
            (-30_000, None, -30_000, True),
            (-30_000, None, -40_000, False),
            # Made after it was received: from then on it counts.
            (-30_000, 5_000, 0, True),
        ],
    )
    def test_age(
        self, market: Market, one: Installation, age_ms: int, valid_ms: int | None, offset_ms: int, alive: bool
    ) -> None:
        event = arrived(one, 1, t_sig_ms=db_now_ms() - age_ms, valid_ms=valid_ms)
        EventLog().append([replace(event, offset_ms=offset_ms)])
        execute_due()
        assert outcome(event.signal.event_id)[0] == ("open" if alive else "expired")

    def test_a_short_option_is_good_for_a_tenth_of_its_life(self, market: Market, one: Installation) -> None:
        """ea 1, differentiator 2: a 20 s option that is 3 s old is another trade."""
        event_id = logged(one, t_sig_ms=db_now_ms() - 3_000, expiry={"mode": "duration", "s": 20})
        execute_due()
        assert outcome(event_id) == ("expired", "signal.stale")

    def test_a_clock_that_is_a_minute_off_is_refused(self, market: Market, one: Installation) -> None:
        """S-24: clock skew above the window."""
        event = replace(arrived(one, 1), offset_ms=60_001)
        EventLog().append([event])
        execute_due()
        assert outcome(event.signal.event_id) == ("denied", "signal.clock")

    def test_the_deadline_is_judged_where_the_order_is_accepted(self, market: Market, one: Installation) -> None:
        """A process that is stopped between its decision and the placement places nothing late."""
        event_id = logged(one, valid_ms=300)

        def stopped(name: str) -> None:
            if name == "ea.submitted":
                db.row("SELECT pg_sleep(0.5)")

        with mock.patch.object(executor_module, "reach", stopped):
            orders_execute()
        assert outcome(event_id) == ("expired", "signal.stale")
        assert Order.objects.count() == 0


class TestSymbols:
    """ea 2.3: suffixes, prefixes, aliases, and a queue of names that nobody knows."""

    @pytest.mark.parametrize("raw", ["EURUSD", "eurusd", "EURUSDm", "EURUSD.vip", "EURUSD-", "#EURUSD", "m.EURUSD"])
    def test_usual_decorations(self, market: Market, one: Installation, raw: str) -> None:
        event_id = logged(one, symbol=raw)
        execute_due()
        assert order_of(event_id).symbol == "EURUSD"

    def test_own_decorations_and_aliases(self, market: Market, one: Installation) -> None:
        market_open("XAUUSD", price="2000.00", price_scale=2)
        one.link.suffix, one.link.prefix = "PRO", "X"
        one.link.save()
        SymbolAlias.objects.create(raw="GOLD", symbol="XAUUSD")
        SymbolAlias.objects.create(raw="GOLD", symbol="EURUSD", link=installation().link)
        ids = [logged(one, 1, symbol="XEURUSDPRO"), logged(one, 2, symbol="GOLD")]
        execute_due()
        assert [order_of(event_id).symbol for event_id in ids] == ["EURUSD", "XAUUSD"]

    def test_an_unknown_name_is_put_in_the_queue(self, market: Market, one: Installation) -> None:
        for seq in (1, 2):
            logged(one, seq, symbol="EURUSDTOM")
        execute_due()
        assert list(UnknownSymbol.objects.values_list("raw", "times", "link_id")) == [("EURUSDTOM", 2, one.link.pk)]


class TestSwitches:
    """ea 6.3: ACTIVE, REDUCING, HALTED; the strictest place decides."""

    def _set(self, one: Installation, scope: str, state: TradingState) -> None:
        if scope in ("link", "strategy"):
            strategy = "breakout" if scope == "strategy" else None
            own: dict[str, Any] = {"user_id": one.trader.user.id, "link_id": one.link.pk, "strategy": strategy}
            state_set(state=state, reason="test", now_ms=1, **own)
        else:
            bridge_state_set(symbol="EURUSD" if scope == "symbol" else "", state=state, reason="test", now_ms=1)

    @pytest.mark.parametrize("scope", ["platform", "link", "strategy", "symbol"])
    def test_each_place_holds_back(self, market: Market, one: Installation, scope: str) -> None:
        for seq, state, code in ((1, TradingState.REDUCING, "risk.reducing"), (2, TradingState.HALTED, "risk.halted")):
            self._set(one, scope, state)
            event_id = logged(one, seq)
            before = counted("ea_signals_denied", code=code)
            execute_due()
            assert outcome(event_id) == ("denied", code)
            assert counted("ea_signals_denied", code=code) == before + 1
        self._set(one, scope, TradingState.ACTIVE)
        event_id = logged(one, 3)
        execute_due()
        assert outcome(event_id)[0] == "open"

    def test_another_place_does_not(self, market: Market, one: Installation) -> None:
        market_open("GBPUSD")
        self._set(installation(), "link", TradingState.HALTED)
        own: dict[str, Any] = {"user_id": one.trader.user.id, "link_id": one.link.pk}
        state_set(state=TradingState.HALTED, reason="test", now_ms=1, strategy="other", **own)
        bridge_state_set(symbol="GBPUSD", state=TradingState.HALTED, reason="test", now_ms=1)
        event_id = logged(one)
        execute_due()
        assert outcome(event_id)[0] == "open"


class _Stopped(BaseException):
    """The process is gone; nobody catches that."""


def _dies_at(step: str) -> Callable[[str], None]:
    def reached(name: str) -> None:
        if name == step:
            raise _Stopped

    return reached


class TestOnce:
    """I-34: each event has at most one order, whatever happens in between."""

    @pytest.mark.parametrize("step", ["ea.moved", "ea.submitted", "ea.placed", "ea.noted"])
    @pytest.mark.parametrize("hit", [1, 2])
    def test_an_end_at_any_step_is_made_good(self, market: Market, one: Installation, step: str, hit: int) -> None:
        """F-20: whoever comes after submits again what was submitted, and finds the order that is there."""
        event_id = logged(one)
        hits = iter(range(1, 9))

        def reached(name: str) -> None:
            if name == step and next(hits) == hit:
                raise _Stopped

        with mock.patch.object(executor_module, "reach", reached), mock.patch.object(moves_module, "reach", reached):
            try:
                orders_execute()
            except _Stopped:
                connection.close()
        execute_due()
        assert outcome(event_id)[0] == "open"
        assert Order.objects.filter(client_order_id=f"ea:{event_id}").count() == Order.objects.count() == 1
        assert one.trader.balance() == 999_000
        assert len(frames(order_of(event_id))) == 1
        numbers = list(Transition.objects.order_by("no").values_list("no", flat=True))
        assert numbers == list(range(1, 6))
        assert violations() == {}

    def test_a_percent_stake_is_submitted_again_as_it_was(self, market: Market, one: Installation) -> None:
        """The balance is another one by then: the ticket was frozen before the effect."""
        event_id = logged(one, stake={"mode": "percent", "value": "10"})
        with mock.patch.object(executor_module, "reach", _dies_at("ea.placed")), pytest.raises(_Stopped):
            orders_execute()
        assert one.trader.balance() == 900_000
        execute_due()
        assert outcome(event_id)[0] == "open"
        assert order_row(str(order_of(event_id).order_id)).stake == 100_000
        assert one.trader.balance() == 900_000

    def test_a_database_that_goes_away_while_placing_is_no_answer(self, market: Market, one: Installation) -> None:
        event_id = logged(one)
        away = mock.Mock(side_effect=OperationalError("gone"))
        with mock.patch.object(executor_module, "order_place", away), pytest.raises(OperationalError):
            orders_execute()
        assert outcome(event_id) == ("submitted", None)
        execute_due()
        assert outcome(event_id)[0] == "open"

    def test_one_that_cannot_be_worked_on_does_not_hold_up_the_others(self, market: Market, one: Installation) -> None:
        broken, good = logged(one, 1), logged(one, 2)
        planned = deciding_module.planned

        def failing(due: Any, *rest: Any, **more: Any) -> Any:
            if str(due.event_id) == broken:
                raise KeyError("a fault of ours")
            return planned(due, *rest, **more)

        with mock.patch.object(executor_module, "planned", failing):
            assert orders_execute() == 1
        assert (outcome(broken), outcome(good)) == (("received", None), ("open", None))
        assert execute_due() == 1
        assert outcome(broken)[0] == "open"

    def test_failures_of_one_do_not_fill_the_batches_of_others(self, market: Market, one: Installation) -> None:
        """Fairness: whoever makes the executor fail, however often, takes the time of nobody else."""
        broken, good, left_alone = logged(one, 1), logged(one, 2), LeftAlone()
        planned = deciding_module.planned

        def failing(due: Any, *rest: Any, **more: Any) -> Any:
            if str(due.event_id) == broken:
                raise KeyError("a fault of ours")
            return planned(due, *rest, **more)

        with mock.patch.object(executor_module, "planned", failing):
            assert [orders_execute(limit=1, left_alone=left_alone) for _ in range(2)] == [0, 1]
        assert (outcome(broken), outcome(good)) == (("received", None), ("open", None))

    def test_a_busy_wallet_is_tried_again(self, market: Market, one: Installation) -> None:
        event_id = logged(one)
        with mock.patch.object(executor_module, "order_place", mock.Mock(side_effect=order_busy())):
            assert orders_execute() == 0
        assert outcome(event_id)[0] == "submitted"
        assert execute_due() == 1
        assert outcome(event_id)[0] == "open"

    def test_executors_side_by_side_place_each_event_once(self, market: Market, one: Installation) -> None:
        others = [installation() for _ in range(3)]
        events = [arrived(each, seq) for each in (one, *others) for seq in range(1, 6)]
        EventLog().append(events)

        def run(_: int) -> None:
            try:
                orders_execute()
            finally:
                connection.close()

        with ThreadPoolExecutor(3) as threads:
            list(threads.map(run, range(3)))
        execute_due()
        assert set(EaOrder.objects.values_list("state", flat=True)) == {"open"}
        assert Order.objects.count() == 20
        assert violations() == {}

    def test_events_of_an_installation_go_in_their_order(self, market: Market, one: Installation) -> None:
        EventLog().append([arrived(one, seq) for seq in range(1, 9)])
        execute_due()
        placed = Order.objects.order_by("accepted_at_ms", "id").values_list("client_order_id", flat=True)
        events = EaOrder.objects.order_by("event").values_list("client_order_id", flat=True)
        assert list(placed) == list(events)


class TestDenials:
    """What becomes no order is written in batches, which change neither its order nor that it is told once."""

    def test_a_batch_is_one_commit(self, market: Market, one: Installation) -> None:
        others = [installation() for _ in range(3)]
        EventLog().append([arrived(each, seq, action="cancel") for each in (one, *others) for seq in range(1, 6)])
        assert orders_execute() == 20
        assert db.row("SELECT count(*), count(DISTINCT xmin::text) FROM ea_order_event") == (20, 1)
        assert Latency.objects.count() == 20
        for each in (one, *others):
            told = Transition.objects.filter(link=each.link).order_by("no")
            assert [step.no for step in told] == [1, 2, 3, 4, 5]
            assert [step.order_id for step in told] == sorted(step.order_id for step in told)
            assert [msgspec.json.decode(step.frame or "")["no"] for step in told] == [1, 2, 3, 4, 5]
        assert violations() == {}

    def test_denials_and_orders_are_told_in_the_order_of_their_events(self, market: Market, one: Installation) -> None:
        asked = [{"action": "cancel"}, {}, {"symbol": "NOSUCH"}, {"action": "reverse"}, {}]
        ids = [logged(one, seq, **changes) for seq, changes in enumerate(asked, 1)]
        assert orders_execute() == 5
        told = Transition.objects.filter(frame__isnull=False).order_by("no").values_list("order__event__event_id")
        assert [str(event_id) for (event_id,) in told] == ids

    def test_one_that_cannot_be_written_does_not_hold_up_the_others(self, market: Market, one: Installation) -> None:
        ids = [logged(one, seq, symbol=symbol) for seq, symbol in enumerate(("NOSUCH", "BROKEN", "NONE"), 1)]
        note, left_alone = unknown_note, LeftAlone()

        def failing(*, raw: str, **rest: Any) -> None:
            if raw == "BROKEN":
                raise KeyError("a fault of ours")
            note(raw=raw, **rest)

        with mock.patch.object(executor_module, "unknown_note", failing):
            assert [orders_execute(left_alone=left_alone) for _ in range(2)] == [2, 0]
        assert [outcome(event_id)[0] for event_id in ids] == ["denied", "received", "denied"]
        assert execute_due() == 1
        assert [names.raw for names in UnknownSymbol.objects.order_by("raw")] == ["BROKEN", "NONE", "NOSUCH"]

    def test_an_end_in_the_middle_is_made_good(self, market: Market, one: Installation) -> None:
        """F-20: nothing of a batch is there, or all of it."""
        for seq in range(1, 6):
            logged(one, seq, action="cancel")
        with mock.patch.object(moves_module, "reach", _dies_at("ea.moved")), pytest.raises(_Stopped):
            orders_execute()
        connection.close()
        assert Transition.objects.count() == 0
        assert execute_due() == 5
        assert list(Transition.objects.order_by("no").values_list("no", flat=True)) == [1, 2, 3, 4, 5]
        assert violations() == {}

    def test_executors_side_by_side_deny_each_event_once(self, market: Market, one: Installation) -> None:
        """I-34: a row that somebody else has moved meanwhile is left as it is; numbers have no gap and no double."""
        others = [installation() for _ in range(3)]
        EventLog().append([arrived(each, seq, action="cancel") for each in (one, *others) for seq in range(1, 11)])

        def run(_: int) -> None:
            try:
                orders_execute(limit=7)
                orders_execute()
            finally:
                connection.close()

        with ThreadPoolExecutor(4) as threads:
            list(threads.map(run, range(4)))
        execute_due()
        assert Transition.objects.count() == EaOrder.objects.filter(state="denied", step=1).count() == 40
        for each in (one, *others):
            numbers = Transition.objects.filter(link=each.link).order_by("no").values_list("no", flat=True)
            assert list(numbers) == list(range(1, 11))
        assert violations() == {}


class TestBusyWallets:
    """Fairness: whoever's wallet is busy waits by himself, and none of his events overtakes another one."""

    def test_others_of_the_lane_do_not_wait_for_it(self, market: Market, one: Installation) -> None:
        other = installation()
        waiting = [arrived(one, seq, valid_ms=60_000) for seq in range(1, BATCH + 11)]
        EventLog().append(waiting)
        behind = logged(other, valid_ms=60_000)
        holder, lane = listening_connection(), Lane(0, 1)
        try:
            with holder.transaction():
                holder.execute("SELECT FROM ledger_account WHERE id = %s FOR UPDATE", [one.trader.wallets["demo"]])
                lane.start()
                # A batch and more is waiting in front of it; each placement would wait two seconds for the wallet.
                eventually(lambda: market.heartbeat() and outcome(behind)[0] == "open", within_s=10)
                states = [outcome(event.signal.event_id)[0] for event in waiting]
                assert states == ["submitted", *["received"] * (len(waiting) - 1)]
            eventually(lambda: market.heartbeat() and EaOrder.objects.exclude(state="open").count() == 0, within_s=20)
        finally:
            lane.stop()
            holder.close()
        mine = Order.objects.filter(user_id=one.trader.user.pk).order_by("accepted_at_ms", "id")
        assert [order.client_order_id for order in mine] == [f"ea:{event.signal.event_id}" for event in waiting]

    def test_installations_of_one_wallet_wait_once(self, market: Market, one: Installation) -> None:
        """The other installation's signal is not even submitted while the wallet is known to be busy."""
        second = installation(one.trader, account="2")
        first_id, second_id = logged(one), logged(second)
        busy = mock.Mock(side_effect=order_busy())
        with mock.patch.object(executor_module, "order_place", busy):
            assert orders_execute() == 0
        assert (busy.call_count, outcome(first_id)[0], outcome(second_id)[0]) == (1, "submitted", "received")
        assert execute_due() == 2


class TestResults:
    """The result comes back to the event, once, whoever is first."""

    def _settled(self, market: Market, order_id: Any) -> None:
        order = order_row(str(order_id))
        market.tick("1.09000", at_ms=order.expires_at_ms)
        market.tick("1.09000", at_ms=order.expires_at_ms + 5_000)
        settle_due()

    def test_a_result_before_its_acceptance_was_noted(self, market: Market, one: Installation) -> None:
        """The executor died after placing; the order is settled before the next one comes."""
        event_id = logged(one)
        with mock.patch.object(executor_module, "reach", _dies_at("ea.placed")), pytest.raises(_Stopped):
            orders_execute()
        self._settled(market, Order.objects.get().id)
        while facts_apply(10):
            pass
        assert outcome(event_id) == ("settled", "won")
        execute_due()
        assert outcome(event_id) == ("settled", "won")
        (told,) = frames(order_of(event_id))
        assert (told["state"], told["code"], told["payout"], told["price"]) == ("settled", "won", "18.50", "1.09000")

    def test_a_result_is_noted_once(self, market: Market, one: Installation) -> None:
        event_id = logged(one)
        execute_due()
        order_id = order_of(event_id).order_id
        assert order_id is not None
        self._settled(market, order_id)
        for _ in range(2):
            with transaction.atomic():
                results_apply([order_id])
        assert [frame["state"] for frame in frames(order_of(event_id))] == ["accepted", "settled"]

    def test_other_orders_are_left_alone(self, market: Market, one: Installation) -> None:
        order = one.trader.place(market)
        self._settled(market, order.id)
        while facts_apply(10):
            pass
        assert EaOrder.objects.count() == 0


class TestBatches:
    """A lane that is behind takes more at once, and nobody is told later for it."""

    def test_it_takes_twice_as_many_until_it_has_caught_up(self) -> None:
        lane, clock = Lane(0, 1), [0.0]

        def turned(*, answered: float, worked_s: float) -> int:
            """Turn once; return how many were asked for."""

            def execute(*, limit: int, **_: Any) -> int:
                clock[0] += worked_s
                execute.limit = limit  # type: ignore[attr-defined]
                return int(limit * answered)

            with (
                mock.patch.object(lane, "_held", return_value=True),
                mock.patch.object(worker_module, "orders_execute", execute),
                mock.patch.object(worker_module, "time", mock.Mock(thread_time=lambda: clock[0])),
            ):
                lane.turn()
            return int(execute.limit)  # type: ignore[attr-defined]

        assert [turned(answered=1, worked_s=0.01) for _ in range(6)] == [50, 100, 200, 400, BATCH_MAX, BATCH_MAX]
        assert turned(answered=0.9, worked_s=0.01) == BATCH_MAX
        assert turned(answered=1, worked_s=0.01) == BATCH
        # Orders take their time: as many again, and not more.
        assert turned(answered=1, worked_s=0.5) == 2 * BATCH
        assert [turned(answered=1, worked_s=0.5) for _ in range(2)] == [BATCH, BATCH]

    def test_an_order_s_answer_does_not_wait_for_denials_behind_it(self, market: Market, one: Installation) -> None:
        """ADR 0046: no answer of an order waits longer than ten milliseconds for others."""
        placed, *denied = logged(one), *(logged(installation(), symbol="NOWHERE") for _ in range(3))
        commits: list[list[str]] = []
        noted = executor_module._noted

        def watched(answers: Any) -> None:
            commits.append([str(answer.due.event_id) for answer in answers])
            noted(answers)

        with mock.patch.object(executor_module, "_noted", watched), mock.patch.object(executor_module, "TOLD_S", -1.0):
            assert orders_execute() == 4
        assert commits == [[placed], denied]

    def test_a_turn_ends_in_time_and_leaves_the_rest_due(self, market: Market, one: Installation) -> None:
        """Placements of a large batch must not add up to a minute, after which a lane is taken for dead."""
        ids = [logged(one, seq) for seq in range(1, 4)]
        with mock.patch.object(executor_module, "TURN_S", -1.0):
            assert orders_execute() == 0
        assert [outcome(event_id)[0] for event_id in ids] == ["received"] * 3
        assert execute_due() == 3

"""Risk limits on the bridge: read from real rows, held across lanes, stopped once, reset by the owner."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from typing import Any
from unittest import mock

import msgspec
import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, InternalError, connection, transaction
from django.db.transaction import TransactionManagementError

from ea import executor as executor_module
from ea import risk, statements
from ea.domain import TradingState
from ea.executor import orders_execute
from ea.log import EventLog
from ea.models import Alert, OrderBucket, ResultTally, RiskLimits, RiskStop, TradingSwitch, Transition
from ea.results import results_apply
from ea.risk_limits import NO_LIMITS, Limits, limits_parsed
from ea.risk_past import Past
from ea.risk_rules import WINDOWS_MS, Ask, Facts, Trip, facts_asked
from ea.risk_services import bridge_state_set, default_limits_put, limits_put, state_set, stop_reset, stops_trip
from kernel import db
from kernel.errors import Problem
from kernel.metrics import counted
from tests.books import violations
from tests.ea.bridge import Installation, execute_due, installation, order_of
from tests.ea.events import arrived
from tests.ea.limited import EVERYTHING, asked_of, code_of, limited, logged, sent, settled
from tests.invariants.walls import walls_down
from tests.market import Market, Trader, db_now_ms, market_open, order_row, trader_open
from tests.plans.filled import recorded
from trading.errors import order_busy
from trading.models import Order

pytestmark = [pytest.mark.django_db(transaction=True)]


@pytest.fixture
def market() -> Market:
    return market_open()


@pytest.fixture
def one() -> Installation:
    return installation()


def cut_before_placement() -> None:
    """Execute until the process ends with an order submitted and not placed."""
    gone = mock.Mock(side_effect=SystemExit)
    with mock.patch.object(executor_module, "order_place", gone), pytest.raises(SystemExit):
        orders_execute()


def outcomes(one: Installation) -> list[tuple[int, int, int, int]]:
    return list(ResultTally.objects.filter(link=one.link).order_by("no").values_list("net", "total", "peak", "fall"))


class TestLimitsBind:
    """ea 6.3: hard values deny with their code, before a wallet is touched; soft ones are told."""

    def test_a_hard_value_denies_and_moves_nothing(self, market: Market, one: Installation) -> None:
        limited(one, stake_max="9.99")
        assert sent(one, 1) == "risk.stake_max"
        assert (Order.objects.count(), one.trader.balance()) == (0, 1_000_000)
        assert sent(one, 2, "9.99") is None

    def test_a_soft_value_is_told_with_the_order_and_counted(self, market: Market, one: Installation) -> None:
        limited(one, soft={"stake_max": "5", "balance_percent": "0.01"})
        before = counted("ea_risk_warnings", code="risk.stake_max")
        event_id = logged(one, 1)
        execute_due()
        (step,) = Transition.objects.filter(order=order_of(event_id), frame__isnull=False)
        warnings = ["risk.stake_max", "risk.balance_percent"]
        assert msgspec.json.decode(step.frame or "")["warnings"] == warnings
        assert order_of(event_id).warnings == warnings
        assert counted("ea_risk_warnings", code="risk.stake_max") == before + 1

    def test_a_warning_survives_the_end_of_the_process(self, market: Market, one: Installation) -> None:
        """Nothing is lost silently: whoever submits it again tells it along."""
        limited(one, soft={"stake_max": "5"})
        event_id = logged(one, 1)
        cut_before_placement()
        execute_due()
        (step,) = Transition.objects.filter(order=order_of(event_id), frame__isnull=False)
        assert msgspec.json.decode(step.frame or "")["warnings"] == ["risk.stake_max"]

    def test_a_version_binds_from_the_next_batch_on(self, market: Market, one: Installation) -> None:
        limited(one, stake_max="1")
        assert sent(one, 1) == "risk.stake_max"
        limited(one, stake_max="10")
        assert sent(one, 2) is None

    def test_the_default_binds_who_has_none(self, market: Market, one: Installation) -> None:
        """Fairness: the default is one document for everybody; an own one takes its place as a whole."""
        default_limits_put(limits=limits_parsed({"hard": {"stake_max": "5"}}), now_ms=1)
        assert [sent(installation(), 1), sent(installation(), 1)] == ["risk.stake_max"] * 2
        limited(one, open_options=9)
        assert sent(one, 1) is None

    def test_exposure_counts_what_is_open_and_what_is_on_its_way(self, market: Market, one: Installation) -> None:
        limited(one, open_strategy="20", open_options=9)
        logged(one, 1)
        cut_before_placement()
        assert sent(one, 2, "10.01", strategy="breakout") == "risk.open_strategy"
        assert Order.objects.count() == 1
        assert [sent(one, 3, "10"), sent(one, 4, "0.01"), sent(one, 5, strategy="other")] == [
            None,
            "risk.open_strategy",
            None,
        ]
        settled(market, won=True)
        assert sent(one, 6, "20") is None

    def test_what_placement_refused_and_what_was_placed_by_hand_does_not_count(
        self, market: Market, one: Installation
    ) -> None:
        limited(one, open_symbol="20", desk="20")
        one.trader.place(market, stake="500.00")
        assert sent(one, 1, "15", max_drift="0.0001", ref_price="1.00") == "order.price_moved"
        assert sent(one, 2, "20") is None

    def test_guards_of_the_market_are_told_here_and_kept_in_the_ticket(self, market: Market, one: Installation) -> None:
        limited(one, min_payout=86)
        assert sent(one, 1) == "risk.min_payout"
        limited(one, min_payout=80, price_drift="0.1")
        assert sent(one, 2, ref_price="1.08") == "risk.price_drift"
        event_id = logged(one, 3, min_payout="70", max_drift="0.5")
        execute_due()
        ticket = msgspec.json.decode(order_of(event_id).ticket or "")
        assert (ticket["min_payout_percent"], ticket["expected_price"]) == (80, "1.08512")
        assert ticket["max_price_drift"] == "0.001085120000"
        assert code_of(event_id) is None

    def test_orders_of_a_minute_are_those_of_a_key(self, market: Market, one: Installation) -> None:
        limited(one, orders_per_minute=2)
        assert [sent(one, seq) for seq in (1, 2, 3)] == [None, None, "risk.orders_per_minute"]
        db.run("UPDATE ea_order_bucket SET full_at_ms = full_at_ms - 60000")
        assert sent(one, 4) is None
        assert OrderBucket.objects.count() == 1

    def test_own_limits_bind_as_well(self, market: Market, one: Installation) -> None:
        """Rules 12: what the client has set for the account is judged by placement, whatever stands here."""
        limited(one, stake_max="100")
        assert sent(one, 1, "50000") == "risk.stake_max"
        assert sent(one, 2, "0.50") == "order.stake.below_minimum"


class TestReads:
    """What a signal costs: nothing is read that no limit asks for, and the number of statements does not grow."""

    def _statements(self, one: Installation, seq: int) -> list[str]:
        logged(one, seq)
        with recorded() as recorder:
            execute_due()
        return [sql for sql, _ in recorder.seen]

    def test_without_limits_no_statement_is_added(self, market: Market, one: Installation) -> None:
        self._statements(one, 1)
        found = self._statements(one, 2)
        assert statements.STANDING not in found
        added = (statements.RISK_LOCK, statements.RISK_OPEN, statements.RISK_HISTORY, statements.RISK_MARKET)
        assert not set(found) & {*added, statements.BUCKET_READ}
        bare = len(found)
        limited(one, stake_max="100", balance_percent="50", news=[])
        self._statements(one, 3)
        # Percents are of the balance of now, which is not kept.
        assert len(self._statements(one, 4)) == bare + 1

    def test_with_every_limit_there_are_six_more_the_balance_and_the_bucket(
        self, market: Market, one: Installation
    ) -> None:
        self._statements(one, 1)
        bare = len(self._statements(one, 2))
        limited(one, **EVERYTHING)
        self._statements(one, 3)
        assert [len(self._statements(one, seq)) - bare for seq in (4, 5)] == [8, 8]

    def test_facts_are_read_in_a_transaction_only(self, market: Market, one: Installation) -> None:
        """The lock of a judgement would be gone at once."""
        asked = asked_of(one, limits_parsed({"hard": {"desk": "1"}}))
        with pytest.raises(TransactionManagementError):
            risk.judged(asked)


def facts_of(one: Installation, **changes: Any) -> Facts:
    asked = asked_of(one, limits_parsed({"hard": EVERYTHING}), **changes)
    with transaction.atomic():
        return risk.facts_read(asked, facts_asked(asked.limits))


def _sides(facts: Facts) -> dict[tuple[Any, ...], tuple[int, int]]:
    """Return open stakes by what they are told apart by, so that facts with and without grouping are alike."""
    found: dict[tuple[Any, ...], tuple[int, int]] = {}
    for stake in facts.open:
        key = (stake.own, stake.strategy, stake.symbol, stake.up)
        before = found.get(key, (0, 0))
        found[key] = (before[0] + stake.stake, before[1] + stake.count)
    return found


class TestFacts:
    """The database's facts and the fold of a replay are the same."""

    def test_rows_and_fold_agree_over_a_day(self, market: Market) -> None:
        trader = trader_open()
        first, second = installation(trader), installation(trader, account="2")
        limited(first, orders_per_minute=60)
        past, seq = Past(), 0
        for batch, won in enumerate([False, True, False, False]):
            placed = []
            for one, stake, strategy in ((first, 10, "a"), (first, 7 + batch, "b"), (second, 5, "a")):
                seq += 1
                event_id = logged(one, seq, str(stake), strategy=strategy)
                bucket = OrderBucket.objects.filter(kid=first.key.kid).values_list("full_at_ms", flat=True).first()
                execute_due()
                order = order_row(str(order_of(event_id).order_id))
                ask = Ask(strategy, "EURUSD", True, stake * 100, order.expires_at_ms)
                per_minute = 60 if one is first else None
                after = OrderBucket.objects.filter(kid=first.key.kid).values_list("full_at_ms", flat=True).first()
                # The instant of the judgement is the database's own; the bucket tells which it was.
                now_ms = (after or 0) - 1_000 if after != bucket else 0
                past.placed(event_id, ask, link=one.link.pk, kid=one.key.kid, now_ms=now_ms, per_minute=per_minute)
                placed.append((event_id, order.id))
            self._compare(past, first, second)
            settled(market, won=won)
            for event_id, order_id in placed:
                row = order_row(str(order_id))
                assert row.settled_at_ms is not None
                past.settled(event_id, payout=row.payout or 0, at_ms=row.settled_at_ms)
            self._compare(past, first, second)
        assert violations() == {}

    def _compare(self, past: Past, *installations: Installation) -> None:
        for one in installations:
            for strategy in ("a", "b", "c"):
                read = facts_of(one, strategy=strategy)
                asked = asked_of(one, limits_parsed({}), strategy=strategy)
                folded = past.facts(asked.ask, link=one.link.pk, now_ms=read.now_ms, kid=one.key.kid)
                assert _sides(read) == _sides(folded)
                assert (read.lost, read.streak) == (folded.lost, folded.streak)
                assert read.full_at_ms == folded.full_at_ms

    def test_windows_end_where_their_time_does(self, market: Market, one: Installation) -> None:
        """ea 6.3: the last 24 hours, 7 and 30 days, to the millisecond."""
        now_ms = db_now_ms()
        slack_ms = 60_000
        ages = [window + slack for window in WINDOWS_MS.values() for slack in (slack_ms, -slack_ms)]
        rows = sorted(now_ms - age for age in ages)
        total = 0
        for no, at_ms in enumerate(rows, 1):
            total -= 10**no
            db.run(
                "INSERT INTO ea_result_tally (link_id, wallet_id, no, event_id, strategy, at_ms, net, total, peak,"
                " fall, losses, lost_stake, lost_at_ms) VALUES (%s, %s, %s, %s, 'a', %s, %s, %s, 0, %s, 1, 1, 1)",
                [one.link.pk, one.trader.wallets["demo"], no, no, at_ms, -(10**no), total, -total],
            )
        assert facts_of(one).lost == {
            "loss_day": 10**6,
            "loss_week": 10**6 + 10**5 + 10**4,
            "loss_month": 10**6 + 10**5 + 10**4 + 10**3 + 10**2,
            "drawdown": -total,
        }

    @pytest.mark.parametrize("exact", [True, False])
    def test_an_option_expires_when_its_ticket_says(self, market: Market, one: Installation, *, exact: bool) -> None:
        """Same-expiry concentration knows an order that was submitted and is not placed yet."""
        at_ms = db_now_ms() + 120_000
        limited(one, same_expiry={"stake": "15", "within_s": 30})
        logged(one, 1, expiry={"mode": "at", "at_ms": at_ms} if exact else {"mode": "duration", "s": 120})
        with mock.patch.object(executor_module, "order_place", mock.Mock(side_effect=order_busy())):
            orders_execute()
        (found,) = facts_of(one).open
        assert abs((found.expires_at_ms or 0) - at_ms) <= (0 if exact else 30_000)
        assert sent(one, 2, expiry={"mode": "at", "at_ms": at_ms}) == "risk.same_expiry"


class TestDesk:
    """ea 6.3: a limit on all installations of an owner holds, in whichever lanes they are executed."""

    def _desk(self, trader: Trader, count: int) -> list[Installation]:
        desk = [installation(trader, account=str(number)) for number in range(count)]
        for one in desk:
            limited(one, desk="50")
        return desk

    def test_two_lanes_at_once_never_pass_it(self, market: Market) -> None:
        """Two lanes judge at the same moment; without the lock both would see room for the last order."""
        desk = self._desk(trader_open(), 2)
        EventLog().append([arrived(one, seq) for seq in range(1, 7) for one in desk])
        lanes = 2
        assert {one.link.pk % lanes for one in desk} == {0, 1}

        def run(lane: int) -> None:
            try:
                while orders_execute(lane=lane, lanes=lanes):
                    pass
            finally:
                connection.close()

        with ThreadPoolExecutor(lanes) as threads:
            list(threads.map(run, range(lanes)))
        execute_due()
        assert Order.objects.count() == 5
        assert desk[0].trader.open_stakes() == 5_000
        codes = list(Transition.objects.filter(state="denied").values_list("code", flat=True))
        assert codes == ["risk.desk"] * 7
        assert violations() == {}

    def test_who_judges_second_sees_what_the_first_one_submitted(self, market: Market) -> None:
        """The gap between a judgement and its placement is where a race would be: it is held open here."""
        first, second = self._desk(trader_open(), 2)
        limited(first, desk="10")
        limited(second, desk="10")
        logged(first, 1)
        event_id = logged(second, 1)
        codes: list[str] = []

        def meanwhile(name: str) -> None:
            if name == "ea.submitted" and not codes:
                codes.append("")
                with ThreadPoolExecutor(1) as other:
                    other.submit(self._other_lane, second.link.pk % 2).result()
                codes.append(code_of(event_id) or "")

        assert first.link.pk % 2 != second.link.pk % 2
        with mock.patch.object(executor_module, "reach", meanwhile):
            orders_execute(lane=first.link.pk % 2, lanes=2)
        assert codes == ["", "risk.desk"]
        assert Order.objects.count() == 1

    @staticmethod
    def _other_lane(lane: int) -> None:
        try:
            orders_execute(lane=lane, lanes=2)
        finally:
            connection.close()

    def test_a_judgement_that_is_held_up_is_tried_again(self, market: Market, one: Installation) -> None:
        """A lock that is not to be had is no database that is away: the others in the lane go on."""
        limited(one, desk="50")
        event_id = logged(one, 1)
        other = logged(installation(), 1)
        before = counted("ea_orders_busy")
        with _judging(one), self._impatient():
            assert orders_execute() == 1
        assert counted("ea_orders_busy") == before + 1
        assert (order_of(event_id).state, order_of(other).state) == ("received", "open")
        assert execute_due() == 1
        assert order_of(event_id).state == "open"

    @contextmanager
    def _impatient(self) -> Iterator[None]:
        db.run("SET lock_timeout = '50ms'")
        try:
            yield
        finally:
            db.run("RESET lock_timeout")

    def test_another_owner_does_not_count(self, market: Market, one: Installation) -> None:
        """Fairness: what one client has open binds nobody else."""
        for stranger in self._desk(trader_open(), 1) + self._desk(trader_open(), 1):
            assert sent(stranger, 1, "50") is None


def _disconnected() -> None:
    """Close the connection of the thread that it is called on."""
    connection.close()


@contextmanager
def _judging(one: Installation) -> Iterator[None]:
    """Hold the lock of a wallet's judgement from another session."""
    taken = {"class": risk.LOCK_CLASS, "wallet_id": one.trader.wallets["demo"]}

    def take() -> None:
        db.run(statements.RISK_LOCK.replace("xact_", ""), taken)

    with ThreadPoolExecutor(1) as other:
        other.submit(take).result()
        try:
            yield
        finally:
            other.submit(_disconnected).result()


class TestStops:
    """ea 6.3: a stop is stored once, logged once, and holds until its owner resets it with a reason."""

    def _lost(self, market: Market, one: Installation, seq: int, stake: str = "10.00") -> None:
        assert sent(one, seq, stake) is None
        settled(market, won=False)

    def test_it_trips_once_and_holds_until_it_is_reset(self, market: Market, one: Installation) -> None:
        limited(one, loss_day="20", drawdown="500")
        self._lost(market, one, 1)
        self._lost(market, one, 2)
        assert [sent(one, seq) for seq in (3, 4)] == ["risk.loss_day"] * 2
        (stop,) = RiskStop.objects.all()
        assert (stop.stop, stop.act, stop.lost, stop.limit) == ("loss_day", "tripped", 2_000, 2_000)
        assert stop.reason == "lost 20.00 of 20.00"
        (alert,) = Alert.objects.filter(kind="stop_out")
        assert alert.detail == "loss_day: lost 20.00 of 20.00"

        # It holds whatever the limits say by now.
        limited(one, stake_max="100")
        assert sent(one, 5) == "risk.loss_day"
        limited(one, loss_day="20")
        own: dict[str, Any] = {"user_id": one.trader.user.id, "link_id": one.link.pk, "stop": "loss_day"}
        stop_reset(reason="seen", now_ms=db_now_ms(), **own)
        assert facts_of(one).lost["loss_day"] == 0
        self._lost(market, one, 6)
        assert facts_of(one).lost["loss_day"] == 1_000
        self._lost(market, one, 7)
        assert sent(one, 8) == "risk.loss_day"
        assert list(RiskStop.objects.order_by("id").values_list("act", flat=True)) == ["tripped", "reset", "tripped"]
        with pytest.raises(Problem, match=r"limits\.not_stopped"):
            stop_reset(reason="again", now_ms=db_now_ms(), **own | {"stop": "loss_week"})
        assert violations() == {}

    def test_drawdown_is_measured_from_the_peak_and_anew_after_a_reset(self, market: Market, one: Installation) -> None:
        limited(one, drawdown="15")
        assert sent(one, 1, "100.00") is None
        settled(market, won=True)
        self._lost(market, one, 2)
        assert facts_of(one).lost["drawdown"] == 1_000
        self._lost(market, one, 3, "5.00")
        assert outcomes(one) == [(8_500, 8_500, 8_500, 0), (-1_000, 7_500, 8_500, 1_000), (-500, 7_000, 8_500, 1_500)]
        assert sent(one, 4) == "risk.drawdown"
        stop_reset(user_id=one.trader.user.id, link_id=one.link.pk, stop="drawdown", reason="seen", now_ms=db_now_ms())
        assert facts_of(one).lost["drawdown"] == 0
        self._lost(market, one, 5, "14.00")
        assert sent(one, 6, "1.00") is None
        assert violations() == {}

    def test_another_wallet_is_not_stopped(self, market: Market) -> None:
        """Each wallet is judged by itself: what is lost on demo stops nothing on real."""
        one = installation(trader_open(real="100.00"), ledgers=["demo", "real"])
        limited(one, loss_day="10")
        self._lost(market, one, 1)
        assert [sent(one, 2), sent(one, 3, target={"ledger": "real"})] == ["risk.loss_day", None]

    def test_losses_in_a_row_cool_a_strategy_down_and_bound_its_next_stake(
        self, market: Market, one: Installation
    ) -> None:
        limited(one, cool_down={"losses": 2, "pause_s": 3_600}, martingale="1.5")
        self._lost(market, one, 1)
        assert sent(one, 2, "15.01") == "risk.martingale"
        assert sent(one, 3, "15.01", strategy="other") is None
        settled(market, won=True)
        self._lost(market, one, 4, "15.00")
        assert sent(one, 5, "1.00") == "risk.cool_down"
        assert sent(one, 6, "1.00", strategy="other") is None

    def test_results_from_before_the_table_are_counted_alike(self, market: Market, one: Installation) -> None:
        """Migration: a platform that has traded already judges losses by its whole past."""
        other = installation()
        for batch, won in enumerate([True, False, False, True, False]):
            for seq, (each, strategy) in enumerate(((one, "a"), (one, "b"), (other, "a")), batch * 3 + 1):
                assert sent(each, seq, f"{10 + batch}.00", strategy=strategy if batch != 3 else "a") is None
            settled(market, won=won)
        columns = [field.attname for field in ResultTally._meta.concrete_fields if field.name != "id"]
        counted_then = set(ResultTally.objects.values_list(*columns))
        with walls_down("ea_result_tally.ea_result_tally_append_only"):
            db.run("DELETE FROM ea_result_tally")
        db.run(import_module("ea.migrations.0003_risk").RESULTS_COUNTED)
        assert set(ResultTally.objects.values_list(*columns)) == counted_then
        assert len(counted_then) == 15
        assert violations() == {}

    def test_a_trip_is_written_only_where_none_holds(self, market: Market, one: Installation) -> None:
        """Edge-triggered, whoever asks: two that meet a stop at once store it once and tell it once."""
        asked = replace(asked_of(one, NO_LIMITS), event=order_of(logged(one, 1)).pk)
        for _ in range(2):
            with transaction.atomic():
                stops_trip(asked, [Trip("drawdown", 5, 5)], now_ms=1)
        assert (RiskStop.objects.count(), Alert.objects.count()) == (1, 1)

    def test_results_are_counted_once_in_whatever_order_they_come(self, market: Market, one: Installation) -> None:
        for seq in (1, 2):
            assert sent(one, seq, f"{seq}0.00") is None
        settled(market, won=False)
        ids = list(Order.objects.values_list("id", flat=True))
        for _ in range(2):
            with transaction.atomic():
                results_apply(ids)
        assert [net for net, *_ in outcomes(one)] == [-1_000, -2_000]
        assert violations() == {}


_SWITCH = "INSERT INTO ea_trading_switch (at_ms, state, reason, scope, name, actor_id) VALUES (1, 'halted', 'r', "
_LIMITS = "INSERT INTO ea_risk_limits (at_ms, document, link_id, version, actor_id) VALUES (1, '{}', %(link)s, "
_STOP = 'INSERT INTO ea_risk_stop (link_id, wallet_id, at_ms, reason, stop, act, actor_id, lost, "limit", event_id)'
_TALLY = (
    "INSERT INTO ea_result_tally (link_id, wallet_id, at_ms, net, peak, fall, losses, lost_stake, lost_at_ms, no,"
    " total) SELECT link_id, wallet_id, at_ms, 0, peak, fall, 0, 0, 0, "
)
REFUSED_ROWS = [
    _SWITCH + "'link', %(link)s::text, %(stranger)s)",
    _SWITCH + "'strategy', %(link)s || '/breakout', %(stranger)s)",
    _SWITCH + "'link', %(link)s::text, NULL)",
    _LIMITS + "2, %(stranger)s)",
    _LIMITS + "3, %(owner)s)",
    _STOP + " SELECT link_id, wallet_id, 1, 'r', stop, 'reset', %(stranger)s, NULL, NULL, NULL FROM ea_risk_stop",
    _STOP + " SELECT link_id, wallet_id, 1, 'r', 'drawdown', 'reset', %(owner)s, NULL, NULL, NULL FROM ea_risk_stop",
    _STOP + " SELECT link_id, wallet_id, 1, 'r', stop, 'tripped', NULL, 1, 1, event_id FROM ea_risk_stop",
    _TALLY + "no + 2, total FROM ea_result_tally",
    _TALLY + "no + 1, total + 1 FROM ea_result_tally",
]


class TestHistory:
    """Fairness and evidence: nothing is overwritten, and only its owner acts on an installation."""

    def _rows(self, market: Market, one: Installation) -> None:
        own: dict[str, Any] = {"user_id": one.trader.user.id, "link_id": one.link.pk}
        state_set(state=TradingState.ACTIVE, reason="r", now_ms=1, **own)
        limited(one, loss_day="5")
        assert sent(one, 1) is None
        settled(market, won=False)
        assert sent(one, 2) == "risk.loss_day"

    @pytest.mark.parametrize("table", ["ea_trading_switch", "ea_risk_limits", "ea_risk_stop", "ea_result_tally"])
    def test_tables_are_append_only(self, market: Market, one: Installation, table: str) -> None:
        self._rows(market, one)
        for sql in (f"UPDATE {table} SET at_ms = 0", f"DELETE FROM {table}", f"TRUNCATE {table}"):
            with pytest.raises((IntegrityError, InternalError)), transaction.atomic():
                db.run(sql)

    @pytest.mark.parametrize("sql", REFUSED_ROWS)
    def test_the_database_takes_no_other_row(self, market: Market, one: Installation, sql: str) -> None:
        """No operator, and no other client, can stop one client's bridge, loosen its limits or end its stops."""
        self._rows(market, one)
        people = {"stranger": trader_open().user.id, "owner": one.trader.user.id}
        with pytest.raises((IntegrityError, InternalError)), transaction.atomic():
            db.run(sql, {"link": one.link.pk} | people)

    def test_services_act_on_own_installations_only(self, one: Installation) -> None:
        """S-24: another account's installation is none."""
        stranger: dict[str, Any] = {"user_id": trader_open().user.id, "link_id": one.link.pk}
        acts = (
            lambda: state_set(state=TradingState.HALTED, reason="r", now_ms=1, **stranger),
            lambda: limits_put(version=0, limits=Limits(), now_ms=1, **stranger),
            lambda: stop_reset(stop="loss_day", reason="r", now_ms=1, **stranger),
        )
        for act in acts:
            with pytest.raises(Problem, match="not_found"):
                act()
        assert (TradingSwitch.objects.count(), RiskLimits.objects.count()) == (0, 0)

    def test_of_two_who_change_the_same_version_one_is_told(self, one: Installation) -> None:
        own: dict[str, Any] = {"user_id": one.trader.user.id, "link_id": one.link.pk, "limits": Limits(), "now_ms": 1}

        def put(_: int) -> str:
            try:
                limits_put(version=0, **own)
            except Problem as problem:
                return problem.code
            finally:
                connection.close()
            return "written"

        with ThreadPoolExecutor(2) as threads:
            assert sorted(threads.map(put, range(2))) == ["limits.changed", "written"]


class TestCommands:
    """Operators act on everybody at once."""

    def test_states_of_the_bridge(self, market: Market, one: Installation) -> None:
        call_command("ea_state", "halted", "--symbol", "EURUSD", "--reason", "thin")
        assert sent(one, 1) == "risk.halted"
        call_command("ea_state", "active", "--symbol", "EURUSD", "--reason", "over")
        call_command("ea_state", "reducing", "--reason", "maintenance")
        assert sent(one, 2) == "risk.reducing"
        found = TradingSwitch.objects.order_by("id").values_list("scope", "name", "state")
        assert list(found) == [
            ("symbol", "EURUSD", "halted"),
            ("symbol", "EURUSD", "active"),
            ("platform", "", "reducing"),
        ]
        for arguments in (("--symbol", "NOSUCH", "--reason", "r"), ("--reason", " ")):
            with pytest.raises(CommandError):
                call_command("ea_state", "halted", *arguments)
        with pytest.raises(Problem, match=r"symbol\.unknown"):
            bridge_state_set(symbol="NOSUCH", state=TradingState.HALTED, reason="r", now_ms=1)

    def test_default_limits(self, tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
        call_command("ea_default_limits")
        assert msgspec.json.decode(capsys.readouterr().out) == {"version": 0}
        document = tmp_path / "limits.json"
        document.write_text('{"hard": {"stake_max": "5"}}')
        call_command("ea_default_limits", "--set", str(document))
        assert msgspec.json.decode(capsys.readouterr().out) == {"version": 1, "hard": {"stake_max": "5"}}
        for text in ('{"hard": {"stake_max": 5}}', "{", "[]"):
            document.write_text(text)
            with pytest.raises(CommandError):
                call_command("ea_default_limits", "--set", str(document))
        assert RiskLimits.objects.count() == 1

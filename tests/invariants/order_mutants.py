"""Faults of placement and settlement: money, terms, evidence, time (I-01, I-10 to I-13, I-15, I-17 to I-19, I-21)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from kernel import db
from ledger.domain import AccountKind, Family, TransferDraft, house_account_id
from ledger.selectors import WalletPlace
from quotes import calendar, hours
from quotes.calendar import DAY_MS, Session
from quotes.hours import Hours
from quotes.models import MarketCalendar, TradingWindow
from quotes.services import symbol_payout_set
from settlement import domain, services, statements
from settlement.claims import SettledOrder
from settlement.domain import Outcome, Terms, Tick
from tests.invariants.ledger_mutants import GUARDS
from tests.invariants.mutant import Mutant, Patch, replaced
from tests.invariants.scenario import ALL_WEEK, HOUR_S, Scenario, market_in_hours
from tests.market import db_now_ms, due, market_open
from trading import domain as trading_domain
from trading import statements as trading_statements
from trading.domain import Direction, OrderState

AUDIT = "I-12"
STATES = ("trading_order.trading_order_states", "trading_order.trading_order_direction")

_transfers_of = services.transfers_of
_decided = domain._decided
_outcome = domain.outcome


# --- what a result moves ---------------------------------------------------------------------------


def _profit_skipped(settled: SettledOrder, wallet: WalletPlace) -> list[TransferDraft]:
    return _transfers_of(settled, wallet)[:1]


def _won_and_lost(settled: SettledOrder, wallet: WalletPlace) -> list[TransferDraft]:
    drafts = _transfers_of(settled, wallet)
    if settled.outcome.state is OrderState.LOST:
        order = settled.order
        house = house_account_id(order.row["book"], order.row["currency"], AccountKind.HOUSE)
        drafts.append(TransferDraft(Family.ORDER_PROFIT, "profit", order.id, house, order.wallet_id, 850))
    return drafts


def _paid_to_the_other(scenario: Scenario) -> None:
    """Pay the profit of one client's wins to another client of the same batch."""
    others = {scenario.ann.wallets[book]: scenario.bob.wallets[book] for book in ("demo", "real")}

    def paid(settled: SettledOrder, wallet: WalletPlace) -> list[TransferDraft]:
        return [
            replace(draft, credit=others.get(draft.credit, draft.credit))
            if draft.family is Family.ORDER_PROFIT and settled.order.row["symbol"] == "EURUSD"
            else draft
            for draft in _transfers_of(settled, wallet)
        ]

    services.transfers_of = paid
    try:
        scenario.expire()
    finally:
        services.transfers_of = _transfers_of


def _rounded_up(stake: int, payout_percent: int) -> int:
    return -(-stake * payout_percent // 100)


# --- settling --------------------------------------------------------------------------------------

KEPT_DUE = "UPDATE trading_order_open SET stake = stake WHERE order_id = ANY(%(ids)s)"


def _settled_twice(scenario: Scenario) -> None:
    """Settle the same order in two batches, as two workers would that lock nothing."""
    expires_ms = scenario.market.now_ms
    found = db.row("SELECT min(expires_at_ms) FROM trading_order_open")
    assert found is not None
    expires_ms = int(found[0])
    scenario.market.admitted("1.08700", at_ms=expires_ms)
    scenario.market.admitted("1.08512", at_ms=expires_ms + 1)
    for _ in range(2):
        assert services.orders_settle(due(1)) == 1
    db.run("DELETE FROM trading_order_open USING trading_order o WHERE o.id = order_id AND o.state <> 'open'")


def _settled_and_kept(scenario: Scenario) -> None:
    """Settle once and leave what is due in its place."""
    found = db.row("SELECT min(expires_at_ms) FROM trading_order_open")
    assert found is not None
    scenario.market.admitted("1.08700", at_ms=int(found[0]))
    scenario.market.admitted("1.08512", at_ms=int(found[0]) + 1)
    assert services.orders_settle(due(50)) == 8


def _payout_moved(scenario: Scenario) -> None:
    """Change the payout while orders are open."""
    symbol_payout_set(code=scenario.market.code, percent=90, inputs={"cause": "test"})
    scenario.go_on()


def _early(scenario: Scenario) -> None:
    """Settle what has not expired: the watermark is far behind."""
    assert services.orders_settle(due(50)) == len(scenario.orders) + 6


def _tie_lost(terms: Terms, tick: Tick, close_price: int) -> Outcome:
    decided = _decided(terms, tick, close_price)
    if decided.state is OrderState.TIED and terms.direction is Direction.UP:
        return replace(decided, state=OrderState.LOST, payout=0)
    return decided


def _mean_of_all(prices: Sequence[int]) -> int:
    return round(sum(prices) / len(prices))


class _OneClientsPrice:
    """An outcome that sees another price for every second order."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, *, terms: Terms, evidence: Any) -> Outcome:
        self.calls += 1
        tick = evidence.tick
        if self.calls % 2 and tick is not None:
            evidence = replace(evidence, tick=replace(tick, price=tick.price + 7))
        return _outcome(terms=terms, evidence=evidence)


def _claim(old: str, new: str) -> Patch:
    return statements, "CLAIM", replaced(statements.CLAIM, old, new)


WATERMARK = "opened.expires_at_ms <= head.watermark_ms"
NEWEST_WATERMARK = "opened.expires_at_ms <= (SELECT max(watermark_ms) FROM quotes_symbol_head)"
AT_EXPIRY = "tick.at_ms <= o.expires_at_ms\n    ORDER BY tick.at_ms DESC, tick.seq DESC LIMIT 1"

# --- placement -------------------------------------------------------------------------------------


def _clock(instead: str) -> Patch:
    return trading_statements, "FACTS", replaced(trading_statements.FACTS, "clock_timestamp()", instead)


def _placed_after_others(scenario: Scenario) -> None:
    """Place an order in a transaction that began before the entries which are there by now."""
    scenario.cleo.place(scenario.market, ledger="real", duration_s=HOUR_S)


def _placed_on_an_old_tick(scenario: Scenario) -> None:
    old = market_open("OLD", price=None)
    then_ms = db_now_ms() - 10_000
    old.tick("1.08512", at_ms=then_ms, received_ms=then_ms)
    scenario.ann.place(old, duration_s=HOUR_S)


def _any_tick(market: Any, **_: Any) -> Any:
    return trading_domain.Opening(market.tick_seq, market.tick_at_ms, market.tick_price)


def _left_alone(scenario: Scenario) -> None:
    """Place an order an hour ago that nobody settles."""
    alone = market_open("ALONE", price=None)
    then_ms = db_now_ms() - HOUR_S * 1_000
    alone.tick("1.08512", at_ms=then_ms, received_ms=then_ms)
    scenario.cleo.place(alone, duration_s=5)


def _terms_edited(scenario: Scenario) -> None:
    """Change the payout of a symbol, and of its open orders with it."""
    symbol_payout_set(code=scenario.market.code, percent=80, inputs={"cause": "test"})
    db.run("UPDATE trading_order SET payout_percent = 80 WHERE state = 'open' AND symbol = %s", [scenario.market.code])
    scenario.go_on()


def _rescaled(scenario: Scenario) -> None:
    """Read an open order's prices with another number of decimals."""
    db.run("UPDATE trading_order SET price_scale = 4 WHERE symbol = %s", [scenario.market.code])


# --- trading hours ---------------------------------------------------------------------------------


def _expires_after_the_session(scenario: Scenario) -> None:
    hours_of_a_day = Hours("UTC", ALL_WEEK)
    market = market_in_hours("SHORT", hours_of_a_day)
    db.run(
        "UPDATE quotes_trading_window SET closes_ms = %s WHERE opens_ms <= %s AND closes_ms > %s",
        [db_now_ms() + 60_000, db_now_ms(), db_now_ms()],
    )
    scenario.ann.place(market, duration_s=HOUR_S)


def _standard_time(minute: int, zone: ZoneInfo) -> int | None:
    """Return the instant of a local minute as if the clocks were never put forward."""
    local = calendar._local(minute, zone)
    saved = local.dst() or timedelta()
    return (local - calendar._EPOCH) // timedelta(milliseconds=1) + saved // timedelta(milliseconds=1)


def _in_summer_time() -> datetime:
    """Return the time of day where clocks are put forward now and no session would cross midnight."""
    zones = (
        "Australia/Sydney",
        "Pacific/Auckland",
        "America/Santiago",
        "Europe/London",
        "America/New_York",
        "America/Los_Angeles",
        "Europe/Helsinki",
        "Australia/Adelaide",
        "America/St_Johns",
    )
    now = datetime.now(ZoneInfo("UTC"))
    local = [now.astimezone(ZoneInfo(zone)) for zone in zones]
    return next(moment for moment in local if moment.dst() and 2 <= moment.hour < 22)


def _traded_after_hours(scenario: Scenario) -> None:
    """Trade twenty minutes after the session's end, which standard time takes for forty minutes before it."""
    local = _in_summer_time()
    minute = local.hour * 60 + local.minute
    zone = str(local.tzinfo)
    market = market_in_hours("SYDNEY", Hours(zone, (Session(local.weekday(), minute - 90, minute - 20),)))
    scenario.ann.place(market, duration_s=60)


def _traded_on_a_holiday(scenario: Scenario) -> None:
    """Trade on a day that was made a holiday, by windows that were not made anew."""
    market = market_in_hours("FEAST", Hours("UTC", ALL_WEEK))
    db.run(
        "INSERT INTO quotes_holiday (calendar_id, day, name, imported)"
        " SELECT calendar_id, (now() AT TIME ZONE 'UTC')::date, 'Feast', false FROM quotes_symbol WHERE id = %s",
        [market.id],
    )
    scenario.ann.place(market, duration_s=60)


def _windows_doubled(scenario: Scenario) -> None:
    """Change hours without superseding the windows that were there."""
    market = market_in_hours("TWICE", Hours("UTC", ALL_WEEK))
    kept = MarketCalendar.objects.get(symbols=market.id)
    hours.hours_set(calendar=kept, hours=Hours("UTC", ALL_WEEK[:-1]), by_id=None, now_ms=db_now_ms())


def _nothing_checked(*_: Any, **__: Any) -> None:
    return None


def _nothing_gone(calendar_row: Any, hours_saved: Any, now_ms: int) -> tuple[int, int]:
    """Make the windows of the new hours and leave those of the old ones in force."""
    made = [
        TradingWindow(calendar=calendar_row, opens_ms=one.opens_ms, closes_ms=one.closes_ms, made_at_ms=now_ms)
        for one in hours_saved.calendar.windows(now_ms, now_ms + 3 * DAY_MS)
    ]
    TradingWindow.objects.bulk_create(made)
    return 0, len(made)


ORDER_MUTANTS = (
    Mutant("I-01 each order has", "the profit of a win is not paid", ((services, "transfers_of", _profit_skipped),)),
    Mutant("I-01 each order has", "a lost order is paid as well", ((services, "transfers_of", _won_and_lost),)),
    Mutant("I-01 each order's", "a win is paid to another client", act=_paid_to_the_other),
    Mutant(
        "I-10",
        "the profit is rounded up",
        ((domain, "profit_of_win", _rounded_up),),
        STATES,
        also=(AUDIT,),
    ),
    Mutant(
        "I-10",
        "the payout of the moment is paid, not the one that was agreed",
        (
            _claim(
                "o.stake, o.payout_percent,",
                "o.stake, (SELECT payout_percent FROM quotes_symbol live WHERE live.id = o.symbol_id),",
            ),
        ),
        STATES,
        _payout_moved,
        also=(AUDIT, "I-18"),
    ),
    Mutant(
        "I-11 each",
        "two workers settle one order: nothing is locked, nothing is asked",
        ((statements, "OPEN_DELETE", KEPT_DUE),),
        ("trading_order.trading_order_frozen", "ledger_transfer.ledger_transfer_once"),
        _settled_twice,
        also=(GUARDS, "I-29 each order", "I-35 what waits"),
    ),
    Mutant(
        "I-11 each",
        "what is settled stays due",
        ((statements, "OPEN_DELETE", KEPT_DUE),),
        act=_settled_and_kept,
    ),
    Mutant(
        "I-11 what is due",
        "exposure is counted on the other side",
        (
            (
                trading_statements,
                "PLACE",
                replaced(trading_statements.PLACE, "%(direction)s = 'up'", "%(direction)s = 'down'"),
            ),
        ),
    ),
    Mutant(
        AUDIT,
        "the mean is taken of all ticks, the highest and lowest included",
        ((domain, "trimmed_mean", _mean_of_all),),
    ),
    Mutant(
        AUDIT,
        "the price of the moment decides",
        (_claim(AT_EXPIRY, "true\n    ORDER BY tick.at_ms DESC, tick.seq DESC LIMIT 1"),),
        also=("I-13",),
    ),
    Mutant(
        "I-13", "a tick at the expiry does not count", (_claim(AT_EXPIRY, AT_EXPIRY.replace("<=", "<")),), also=(AUDIT,)
    ),
    Mutant(
        "I-13",
        "the first tick at or after the expiry decides",
        (_claim(AT_EXPIRY, "tick.at_ms >= o.expires_at_ms\n    ORDER BY tick.at_ms, tick.seq LIMIT 1"),),
        also=(AUDIT,),
    ),
    Mutant("I-15", "a tie is lost by those who went up", ((domain, "_decided", _tie_lost),), STATES, also=(AUDIT,)),
    Mutant(
        "I-15",
        "every second order sees another price",
        ((services, "outcome", _OneClientsPrice()),),
        also=(AUDIT,),
    ),
    Mutant(
        "I-16 no order",
        "orders are settled before their symbol's watermark",
        (
            (statements, "CLAIM", replaced(statements.CLAIM, WATERMARK, "true")),
            (
                statements,
                "DUE",
                replaced(replaced(statements.DUE, WATERMARK, "true"), NEWEST_WATERMARK, "true"),
            ),
        ),
        act=_early,
    ),
    Mutant(
        "I-17 the opening",
        "the age of the newest tick is not asked",
        ((trading_domain, "_check_market", _any_tick),),
        act=_placed_on_an_old_tick,
    ),
    Mutant(
        "I-17 the clock",
        "the time of acceptance is the transaction's beginning, not read after the lock",
        (_clock("now()"),),
        act=_placed_after_others,
    ),
    Mutant(
        "I-18",
        "an edit of the payout reaches the open orders",
        walls=("trading_order.trading_order_frozen",),
        act=_terms_edited,
    ),
    Mutant(
        "I-18",
        "an edit of the decimals reaches the open orders",
        walls=("trading_order.trading_order_frozen",),
        act=_rescaled,
    ),
    Mutant(
        "I-19",
        "the settlement worker stands still",
        (_clock("(clock_timestamp() - interval '1 hour')"),),
        act=_left_alone,
        also=("I-17 the clock",),
    ),
    Mutant(
        "I-21 every order was accepted in a session",
        "an order may outlive its session",
        ((trading_domain, "_check_expiry", _nothing_checked),),
        ("trading_order.trading_order_in_session", "quotes_trading_window.quotes_window_frozen"),
        _expires_after_the_session,
    ),
    Mutant(
        "I-21 every order was accepted in the local",
        "windows are made by standard time all the year",
        ((calendar, "_instant", _standard_time),),
        act=_traded_after_hours,
    ),
    Mutant(
        "I-21 every order was accepted in the local",
        "a holiday is saved and its windows stay",
        act=_traded_on_a_holiday,
    ),
    Mutant(
        "I-21 the windows",
        "windows that were replaced stay in force",
        ((hours, "_windows_write", _nothing_gone),),
        ("quotes_trading_window.quotes_window_no_overlap",),
        _windows_doubled,
        also=(GUARDS,),
    ),
)

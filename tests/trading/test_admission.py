"""Admission of orders: each refusal, and which one is told when several apply (rules 2)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.errors import Problem
from quotes.domain import MarketState, MarketStateName
from trading.domain import (
    Account,
    Direction,
    EntryWait,
    Market,
    Opening,
    Terms,
    Ticket,
    Wallet,
    admit,
    price_drifted,
    profit_of_win,
)
from trading.limit_rules import LimitUse

NOW_MS = 1_800_000_000_000
DAY_MS = 86_400_000


@dataclass(frozen=True)
class Case:
    """All that admission judges; the one below is accepted."""

    ticket: Ticket
    account: Account
    wallet: Wallet
    market: Market | None
    stake: int | None = 1_000
    now_ms: int = NOW_MS
    use: LimitUse | None = None

    def admitted(self) -> Terms:
        return admit(
            ticket=self.ticket,
            stake=self.stake,
            account=self.account,
            wallet=self.wallet,
            market=self.market,
            now_ms=self.now_ms,
            use=self.use,
        )

    def code(self) -> str:
        with pytest.raises(Problem) as refused:
            self.admitted()
        return refused.value.code


MARKET = Market(
    symbol_id=7,
    code="EURUSD",
    offered=True,
    state=MarketState(MarketStateName.OPEN),
    price_scale=5,
    payout_percent=85,
    min_stake=100,
    max_stake=100_000,
    min_duration_s=5,
    max_duration_s=3_600,
    purchase_deadline_s=10,
    max_tick_age_ms=3_000,
    entry_rule="last_tick/1",
    settlement_rule="last_tick/1",
    revision=4,
    custom=False,
    session_closes_ms=None,
    exposure_cap=None,
    exposure=None,
    tick_seq=811,
    tick_at_ms=NOW_MS - 200,
    tick_price=108_512,
)
GOOD = Case(
    ticket=Ticket(client_order_id="a1", symbol="EURUSD", direction="up", stake="10.00", ledger="real", duration_s=60),
    account=Account(banned=False, excluded_until_ms=None, break_until_ms=None, email_verified=True),
    wallet=Wallet(
        id=UUID(int=1),
        user_id=UUID(int=2),
        book="real",
        currency="USD",
        balance=5_000,
        stakes_id=UUID(int=3),
        open_stakes=0,
        tradable_from_ms=None,
        tradable_until_ms=None,
        symbols=None,
        min_stake=None,
        max_stake=None,
    ),
    market=MARKET,
)


def _ticket(**changes: object) -> Callable[[Case], Case]:
    return lambda case: replace(case, ticket=replace(case.ticket, **changes))  # type: ignore[arg-type]


def _account(**changes: object) -> Callable[[Case], Case]:
    return lambda case: replace(case, account=replace(case.account, **changes))  # type: ignore[arg-type]


def _wallet(**changes: object) -> Callable[[Case], Case]:
    return lambda case: replace(case, wallet=replace(case.wallet, **changes))  # type: ignore[arg-type]


def _market(**changes: object) -> Callable[[Case], Case]:
    def changed(case: Case) -> Case:
        return case if case.market is None else replace(case, market=replace(case.market, **changes))  # type: ignore[arg-type]

    return changed


def _stake(stake: int | None) -> Callable[[Case], Case]:
    return lambda case: replace(case, stake=stake)


def _unknown_symbol(case: Case) -> Case:
    return replace(case, market=None)


def _clock_time(in_ms: int) -> Callable[[Case], Case]:
    return _ticket(duration_s=None, expires_at_ms=NOW_MS + in_ms)


def _exposed(up: int, down: int, cap: int = 100_000) -> Callable[[Case], Case]:
    return _market(exposure_cap=cap, exposure={Direction.UP: up, Direction.DOWN: down})


def _use(use: LimitUse) -> Callable[[Case], Case]:
    return lambda case: replace(case, use=use)


def _state(state: MarketStateName, reason: str = "") -> Callable[[Case], Case]:
    return _market(state=MarketState(state, reason))


# In the order of the rules: what is wrong, and the code that tells it.
FAULTS: list[tuple[str, Callable[[Case], Case]]] = [
    ("account.banned", _account(banned=True)),
    ("account.excluded", _account(excluded_until_ms=NOW_MS + 1)),
    ("account.on_break", _account(break_until_ms=NOW_MS + 1)),
    ("account.unverified", _account(email_verified=False)),
    ("account.jurisdiction", _account(country_refused=True)),
    ("wallet.not_tradable", _wallet(tradable_until_ms=NOW_MS + 59_999)),
    ("symbol.unknown", _unknown_symbol),
    ("symbol.not_offered", _market(offered=False)),
    ("wallet.symbol_not_allowed", _wallet(symbols=("GBPUSD",))),
    ("order.direction.invalid", _ticket(direction="sideways")),
    ("order.stake.precision", _stake(None)),
    ("order.stake.below_minimum", _market(min_stake=1_001)),
    ("order.stake.above_maximum", _market(max_stake=999)),
    ("order.duration.out_of_range", _market(max_duration_s=59)),
    ("order.expiry.past_deadline", lambda case: _clock_time(60_000)(_market(purchase_deadline_s=60)(case))),
    ("order.expiry.outside_session", _market(session_closes_ms=NOW_MS + 59_999)),
    ("market.halted", _state(MarketStateName.HALTED, "news")),
    ("market.stale", _market(tick_at_ms=NOW_MS - 3_001)),
    ("limit.stake_day", _use(LimitUse(limits={"stake_day": 999}))),
    ("exposure.symbol", _exposed(up=99_001, down=0)),
    ("order.payout_moved", _ticket(min_payout_percent=86)),
    ("order.price_moved", _ticket(expected_price="1.08500", max_price_drift="0.00011")),
    ("wallet.insufficient_funds", _wallet(balance=999)),
]


def test_an_order_within_all_bounds_is_accepted_with_frozen_terms() -> None:
    """Rules 2: the terms are frozen at acceptance, expiry counts from it, the opening tick is the newest."""
    assert GOOD.admitted() == Terms(
        symbol_id=7,
        symbol="EURUSD",
        direction=Direction.UP,
        stake=1_000,
        payout_percent=85,
        entry_rule="last_tick/1",
        settlement_rule="last_tick/1",
        max_tick_age_ms=3_000,
        revision=4,
        price_scale=5,
        custom=False,
        accepted_at_ms=NOW_MS,
        expires_at_ms=NOW_MS + 60_000,
        session_closes_ms=None,
        expected_price=None,
        max_price_drift=None,
        opening=Opening(811, NOW_MS - 200, 108_512),
        wait=None,
    )


@pytest.mark.parametrize(("code", "fault"), FAULTS, ids=[code for code, _ in FAULTS])
def test_each_fault_alone_has_its_code(code: str, fault: Callable[[Case], Case]) -> None:
    """Rules 2, contract: each refusal has its own code."""
    assert fault(GOOD).code() == code


@pytest.mark.parametrize("first", range(len(FAULTS)), ids=[code for code, _ in FAULTS])
def test_the_first_check_that_fails_is_the_answer(first: int) -> None:
    """Rules 2: checks run in one order and the first that fails is told, whatever else is wrong."""
    case = GOOD
    for _, fault in reversed(FAULTS[first:]):
        case = fault(case)
    assert case.code() == FAULTS[first][0]


@pytest.mark.parametrize("first", range(len(FAULTS) - 1), ids=[code for code, _ in FAULTS[:-1]])
def test_of_two_neighbouring_faults_the_earlier_is_told(first: int) -> None:
    """Rules 2: the order of the checks is the order of this page, each pair of neighbours by itself."""
    (code, earlier), (_, later) = FAULTS[first], FAULTS[first + 1]
    assert later(earlier(GOOD)).code() == earlier(later(GOOD)).code() == code


@pytest.mark.parametrize("state", [state for state in MarketStateName if state is not MarketStateName.OPEN])
def test_only_an_open_market_takes_orders(state: MarketStateName) -> None:
    """Rules 2, check 8: market state is ``open``; every other state has its code."""
    assert _state(state)(GOOD).code() == f"market.{state}"


def test_only_a_stale_market_is_worth_another_try() -> None:
    """Contract: ``market.stale`` is retryable, a halt is not; the operator's reason is told."""
    with pytest.raises(Problem) as stale:
        _state(MarketStateName.STALE)(GOOD).admitted()
    with pytest.raises(Problem) as halted:
        _state(MarketStateName.HALTED, "news at noon")(GOOD).admitted()
    assert stale.value.retryable
    assert not halted.value.retryable
    assert halted.value.detail == "news at noon"


BOUNDARIES: list[tuple[str, Callable[[Case], Case]]] = [
    ("the exclusion has just ended", _account(excluded_until_ms=NOW_MS)),
    ("the break has just ended", _account(break_until_ms=NOW_MS)),
    ("the wallet opens now", _wallet(tradable_from_ms=NOW_MS)),
    ("the order expires with the wallet", _wallet(tradable_until_ms=NOW_MS + 60_000)),
    ("the stake is the minimum", _market(min_stake=1_000)),
    ("the stake is the maximum", _market(max_stake=1_000)),
    ("the stake is the wallet's minimum", _wallet(min_stake=1_000)),
    ("the stake is the wallet's maximum", _wallet(max_stake=1_000)),
    ("the duration is the shortest", _market(min_duration_s=60)),
    ("the duration is the longest", _market(max_duration_s=60)),
    ("the tick is as old as it may be", _market(tick_at_ms=NOW_MS - 3_000)),
    ("the payout is the least accepted", _ticket(min_payout_percent=85)),
    ("the drift is the largest accepted", _ticket(expected_price="1.08500", max_price_drift="0.00012")),
    ("the drift the other way, too", _ticket(expected_price="1.08524", max_price_drift="0.00012")),
    ("texts of other scales compare by value", _ticket(expected_price="1.0851200000", max_price_drift="0")),
    ("the stake is all there is", _wallet(balance=1_000)),
    ("the wallet may trade this symbol", _wallet(symbols=("GBPUSD", "EURUSD"))),
    ("the first clock time before its deadline", _clock_time(10_001)),
    ("a duration has no deadline", _ticket(duration_s=5)),
    ("the last clock time in range", _clock_time(3_600_000)),
    ("the order expires with the session", _market(session_closes_ms=NOW_MS + 60_000)),
    ("the stake fills the cap", _exposed(up=99_000, down=100_000)),
    ("the order expires above the watermark", _market(watermark_ms=NOW_MS + 59_999)),
]


@pytest.mark.parametrize("change", [change for _, change in BOUNDARIES], ids=[name for name, _ in BOUNDARIES])
def test_bounds_are_inclusive(change: Callable[[Case], Case]) -> None:
    """Rules 2: a bound itself is allowed, to the millisecond, the minor unit and the price step."""
    assert change(GOOD).admitted().accepted_at_ms == NOW_MS


PAST_BOUNDARIES: list[tuple[str, Callable[[Case], Case]]] = [
    ("wallet.not_tradable", _wallet(tradable_from_ms=NOW_MS + 1)),
    ("order.stake.below_minimum", _wallet(min_stake=1_001)),
    ("order.stake.above_maximum", _wallet(max_stake=999)),
    ("order.duration.out_of_range", _market(min_duration_s=61)),
    ("order.duration.out_of_range", _clock_time(4_999)),
    ("order.duration.out_of_range", _clock_time(-DAY_MS)),
    ("order.duration.out_of_range", _clock_time(3_600_001)),
    ("order.expiry.past_deadline", _clock_time(5_000)),
    ("order.expiry.past_deadline", _clock_time(10_000)),
    ("order.expiry.outside_session", _market(session_closes_ms=NOW_MS + 59_999)),
    ("exposure.symbol", _exposed(up=99_001, down=0)),
    ("exposure.symbol", _exposed(up=0, down=0, cap=999)),
    ("market.stale", _market(tick_at_ms=None, tick_price=None)),
    ("market.stale", _market(watermark_ms=NOW_MS + 60_000)),
    ("order.price_moved", _ticket(expected_price="1.08525", max_price_drift="0.00012")),
    ("order.price_moved", _ticket(expected_price="1.085120001", max_price_drift="0")),
]


@pytest.mark.parametrize(("code", "change"), PAST_BOUNDARIES)
def test_one_step_past_a_bound_is_refused(code: str, change: Callable[[Case], Case]) -> None:
    """Rules 2: one millisecond, minor unit or price step past a bound is refused."""
    assert change(GOOD).code() == code


def test_a_wallet_may_narrow_the_bounds_of_a_symbol_but_not_widen_them() -> None:
    """Rules 2, check 6: the symbol's and the wallet's bounds both hold."""
    wide = replace(GOOD, wallet=replace(GOOD.wallet, min_stake=1, max_stake=10**9, balance=10**10))
    assert replace(wide, stake=99).code() == "order.stake.below_minimum"
    assert replace(wide, stake=100_001).code() == "order.stake.above_maximum"


def test_a_cap_binds_one_direction_only() -> None:
    """Rules 2, check 10: caps are per symbol and direction; a smaller stake may still fit."""
    full_up = _exposed(up=100_000, down=99_000)
    assert full_up(GOOD).code() == "exposure.symbol"
    assert full_up(_ticket(direction="down")(GOOD)).admitted().stake == 1_000
    assert replace(full_up(_ticket(direction="down")(GOOD)), stake=1_001).code() == "exposure.symbol"
    assert replace(_exposed(up=99_001, down=0)(GOOD), stake=999).admitted().stake == 999


def test_a_cap_binds_the_real_ledger_only() -> None:
    """Rules 2, check 10: the platform risks nothing on other ledgers."""
    assert _exposed(up=100_000, down=100_000)(_wallet(book="demo")(GOOD)).admitted().stake == 1_000
    assert _exposed(up=100_000, down=100_000)(_wallet(book="t:1")(GOOD)).admitted().stake == 1_000


def test_a_market_outside_its_sessions_is_closed_and_says_so() -> None:
    """Rules 2, checks 7 and 8: with no session held there is none to stay inside; the market's state answers."""
    closed = _market(session_closes_ms=None, state=MarketState(MarketStateName.CLOSED, "Outside trading hours.", 1))
    assert closed(GOOD).code() == "market.closed"


WAITING = _market(entry_rule="next_tick/1")


def test_under_next_tick_an_order_is_accepted_without_an_opening() -> None:
    """Rules 2, next_tick/1: the log's place at acceptance is frozen, and how long the next tick is waited for."""
    terms = WAITING(GOOD).admitted()
    assert (terms.opening, terms.wait) == (None, EntryWait(811, NOW_MS - 200, NOW_MS + 3_000))
    assert terms.expires_at_ms == NOW_MS + 60_000


def test_an_order_waits_for_its_entry_until_its_expiry_at_most() -> None:
    """Rules 2, next_tick/1: a duration below the max tick age ends the wait."""
    terms = WAITING(_market(min_duration_s=1)(_ticket(duration_s=2)(GOOD))).admitted()
    assert terms.wait == EntryWait(811, NOW_MS - 200, NOW_MS + 2_000)


def test_under_next_tick_the_price_guard_is_kept_and_not_judged_yet() -> None:
    """Contract: under next_tick/1 the guard refunds at entry; the newest tick is not the opening one."""
    guarded = _ticket(expected_price="9.99999", max_price_drift="0")
    terms = WAITING(guarded(GOOD)).admitted()
    assert (terms.expected_price, terms.max_price_drift) == ("9.99999", "0")
    assert guarded(GOOD).code() == "order.price_moved"


def test_under_next_tick_the_newest_tick_must_be_fresh_all_the_same() -> None:
    """Rules 2, check 9: it is judged whatever the entry rule is."""
    assert WAITING(_market(tick_at_ms=NOW_MS - 3_001)(GOOD)).code() == "market.stale"


def test_demo_orders_need_no_verified_address() -> None:
    """Rules 2, check 3: e-mail verified for real money only."""
    case = replace(GOOD, account=replace(GOOD.account, email_verified=False), wallet=replace(GOOD.wallet, book="demo"))
    assert case.admitted().stake == 1_000


@given(
    payout=st.integers(min_value=0, max_value=98),
    price=st.integers(min_value=1, max_value=10**12),
    direction=st.sampled_from(["up", "down"]),
)
def test_admission_is_a_pure_function_of_its_facts(payout: int, price: int, direction: str) -> None:
    """Principle 4: same facts, same answer; never a different path for one client."""
    case = _ticket(direction=direction)(_market(payout_percent=payout, tick_price=price)(GOOD))
    other = replace(case, wallet=replace(case.wallet, user_id=UUID(int=99), id=UUID(int=98)))
    assert case.admitted() == other.admitted()


@given(stake=st.integers(min_value=1, max_value=2**55), percent=st.integers(min_value=0, max_value=98))
def test_profit_is_floored(stake: int, percent: int) -> None:
    """I-10: profit = stake_minor x payout_percent // 100, in whole numbers."""
    profit = profit_of_win(stake, percent)
    assert profit * 100 <= stake * percent < (profit + 1) * 100


@given(
    price=st.integers(min_value=1, max_value=10**9),
    expected=st.decimals(min_value=0, max_value=10_000, places=7),
    drift=st.decimals(min_value=0, max_value=10, places=9),
)
def test_the_price_guard_compares_exact_values(price: int, expected: Decimal, drift: Decimal) -> None:
    """Contract: |open price - expected_price| > drift, either way; texts may be finer than the symbol's scale."""
    moved = abs(Fraction(price, 10**5) - Fraction(expected)) > Fraction(drift)
    assert price_drifted(price, scale=5, expected=f"{expected:f}", drift=f"{drift:f}") is moved

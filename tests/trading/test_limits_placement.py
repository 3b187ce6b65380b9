"""Own limits, breaks and caps as they bind the placing of orders (rules 2, checks 3 and 10; rules 12)."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from accounts import services
from accounts.callers import token_caller
from accounts.limits import DAY_MS
from kernel.errors import Problem
from tests.books import fingerprint, violations
from tests.crowd import at_once
from tests.market import Market, Trader, db_now_ms, market_open, trader_open
from trading import limits


def _limited(**wanted: int) -> Trader:
    trader = trader_open(real="1000.00")
    limits.limits_put(user_id=trader.user.pk, wanted=wanted, now_ms=db_now_ms())
    return trader


def _refusal(trader: Trader, market: Market, stake: str = "10.00", *, ledger: str = "real") -> Problem:
    before = fingerprint()
    with pytest.raises(Problem) as refused:
        trader.place(market, stake=stake, ledger=ledger)
    assert fingerprint() == before
    return refused.value


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["loss_day", "loss_7d", "loss_30d", "stake_day"])
def test_a_stake_above_what_is_left_is_refused_and_the_rest_is_taken(name: str) -> None:
    """Rules 12: refused when used + stake > limit; what is left to the last unit may be staked."""
    market, trader = market_open(), _limited(**{name: 2_500})
    trader.place(market, stake="10.00", ledger="real")
    refused = _refusal(trader, market, "15.01")
    assert (refused.status, refused.code) == (422, f"limit.{name}")
    assert refused.detail == "The limit is 25.00 USD; used are 10.00 USD, left are 15.00 USD."
    trader.place(market, stake="15.00", ledger="real")
    assert _refusal(trader, market, "1.00").code == f"limit.{name}"
    assert violations() == {}


@pytest.mark.django_db
def test_open_orders_are_counted() -> None:
    """Rules 12: at most so many at once."""
    market, trader = market_open(), _limited(open_orders=2)
    trader.place(market, ledger="real")
    trader.place(market, ledger="real")
    assert _refusal(trader, market).code == "limit.open_orders"


@pytest.mark.django_db
def test_demo_is_free_of_own_limits() -> None:
    """Rules 12: own limits bind real money."""
    market, trader = market_open(), _limited(loss_day=100, open_orders=1)
    for _ in range(3):
        trader.place(market, ledger="demo")


@pytest.mark.django_db
def test_a_loosening_that_waits_does_not_bind_less() -> None:
    """Rules 12: until it is confirmed the old limit holds."""
    market, trader = market_open(), _limited(loss_day=1_000)
    limits.limits_put(user_id=trader.user.pk, wanted={"loss_day": None}, now_ms=db_now_ms() - 2 * DAY_MS)
    assert _refusal(trader, market, "10.01").code == "limit.loss_day"
    limits.limits_put(user_id=trader.user.pk, wanted={"loss_day": None}, now_ms=db_now_ms())
    trader.place(market, stake="10.01", ledger="real")


@pytest.mark.django_db
def test_a_repeat_is_answered_though_a_limit_is_reached() -> None:
    """Rules 2, check 2: a repeat comes before all limits."""
    market, trader = market_open(), _limited(open_orders=1)
    placed = trader.place(market, ledger="real", client_order_id="same")
    assert trader.placed(market, ledger="real", client_order_id="same").order == placed


@pytest.mark.django_db
@pytest.mark.parametrize("ledger", ["real", "demo"])
def test_a_break_and_an_exclusion_bind_at_once_on_every_ledger(ledger: str) -> None:
    """Rules 12: the next order is refused."""
    market, resting, excluded = market_open(), _limited(), _limited()
    limits.break_begin(user_id=resting.user.pk, days=1, now_ms=db_now_ms())
    limits.exclusion_begin(user_id=excluded.user.pk, months=6, now_ms=db_now_ms())
    assert _refusal(resting, market, ledger=ledger).code == "account.on_break"
    assert _refusal(excluded, market, ledger=ledger).code == "account.excluded"


@pytest.mark.django_db
@pytest.mark.parametrize(("cap", "code"), [("stake_day_cap", "token_stake"), ("loss_day_cap", "token_loss")])
def test_a_tokens_caps_bind_its_orders_on_every_ledger_and_nobody_elses(cap: str, code: str) -> None:
    """Rules 12, API tokens: ``limit.token_stake``, ``limit.token_loss``."""
    market, trader = market_open(), trader_open(real="1000.00")
    terms: dict[str, Any] = {"user_id": trader.user.pk, "scopes": ["trade"], "now_ms": db_now_ms(), cap: 2_000}
    _, secret = services.token_create(**terms)
    capped = replace(trader, caller=token_caller(secret, address=None))
    capped.place(market, ledger="demo")
    capped.place(market, ledger="real")
    for ledger in ("demo", "real"):
        refused = _refusal(capped, market, "1.00", ledger=ledger)
        assert (refused.status, refused.code) == (422, f"limit.{code}")
    trader.place(market, stake="50.00", ledger="real")


@pytest.mark.django_db(transaction=True)
def test_parallel_orders_cannot_pass_a_limit() -> None:
    """Rules 12: the wallet's lock makes it strict: 16 clients at once stake the limit to the last unit, no more."""
    market, trader = market_open(), _limited(loss_day=10_000)

    def place(number: int) -> Counter[str]:
        answers: Counter[str] = Counter()
        for _ in range(4):
            try:
                trader.place(market, "up" if number % 2 else "down", "5.00", ledger="real")
                answers["placed"] += 1
            except Problem as problem:
                answers[problem.code] += 1
        return answers

    assert sum(at_once(16, place), Counter()) == {"placed": 20, "limit.loss_day": 44}
    assert trader.open_stakes("real") == 10_000
    assert violations() == {}

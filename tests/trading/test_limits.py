"""Own limits and caps of tokens as orders are judged by them (rules 2, check 10; rules 12)."""

from __future__ import annotations

from itertools import count
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts import services
from accounts.limits import DAY_MS, LIMITS, MINUTE_MS
from kernel import db
from kernel.ids import uuid7
from tests.market import Trader, db_now_ms, market_open, settle_due, trader_open
from trading import limits
from trading.limit_rules import PAUSE_MS, LimitUse, limit_exceeded, limit_reached
from trading.limits import limit_use
from trading.models import Order

NOW_MS = 1_790_000_000_000
HOUR_MS = 60 * MINUTE_MS
_numbers = count(1)


def _use(limits: dict[str, int], **used: Any) -> LimitUse:
    return LimitUse(limits=limits, **used)


def _session(limit: int, start_ms: int, newest_ms: int) -> LimitUse:
    return _use({"session": limit}, session_start_ms=NOW_MS - start_ms, session_newest_ms=NOW_MS - newest_ms)


@pytest.mark.parametrize(
    ("use", "stake", "name"),
    [
        (_use({}, open_stakes=10**12, open_orders=10**6), 10**9, None),
        (_use({"loss_day": 100}), 100, None),
        (_use({"loss_day": 100}), 101, "loss_day"),
        (_use({"loss_day": 100}, open_stakes=60, lost={"loss_day": 30}), 10, None),
        (_use({"loss_day": 100}, open_stakes=60, lost={"loss_day": 30}), 11, "loss_day"),
        (_use({"loss_day": 100}, open_stakes=60, lost={"loss_day": -50}), 90, None),
        (_use({"loss_day": 100}, open_stakes=60, lost={"loss_day": -50}), 91, "loss_day"),
        (_use({"loss_7d": 100}, lost={"loss_day": 500, "loss_7d": 99}), 1, None),
        (_use({"loss_7d": 100}, lost={"loss_7d": 100}), 1, "loss_7d"),
        (_use({"loss_30d": 100}, lost={"loss_30d": 100}), 1, "loss_30d"),
        (_use({"stake_day": 100}, staked_day=90), 10, None),
        (_use({"stake_day": 100}, staked_day=90), 11, "stake_day"),
        (_use({"deposit_day": 1}), 10**9, None),
        (_use({"open_orders": 3}, open_orders=2), 1, None),
        (_use({"open_orders": 3}, open_orders=3), 1, "open_orders"),
        (_session(60, 60 * MINUTE_MS, 0), 1, None),
        (_session(60, 60 * MINUTE_MS + 1, 0), 1, "session"),
        (_session(60, 90 * MINUTE_MS, PAUSE_MS - 1), 1, "session"),
        (_session(60, 90 * MINUTE_MS, PAUSE_MS), 1, None),
        (_use({"session": 1}), 1, None),
        (_use({"token_stake": 100}, token_staked_day=90), 10, None),
        (_use({"token_stake": 100}, token_staked_day=90), 11, "token_stake"),
        (_use({"token_loss": 100}, token_lost=90), 11, "token_loss"),
        (_use({"token_loss": 100}, token_lost=-10), 110, None),
    ],
)
def test_an_order_that_would_pass_a_limit_is_refused(use: LimitUse, stake: int, name: str | None) -> None:
    """Rules 12: loss = open stakes + net of settled; refused when used + stake > limit, to the last unit."""
    assert limit_exceeded(use, stake=stake, now_ms=NOW_MS) == name


def test_limits_are_judged_in_the_order_of_their_names() -> None:
    """Rules 2: the first that fails is the answer: own limits as listed, then the token's caps."""
    everything = dict.fromkeys((*LIMITS, "token_stake", "token_loss"), 1)
    used = {"open_orders": 1, "session_start_ms": NOW_MS - HOUR_MS, "session_newest_ms": NOW_MS}
    refused = []
    while name := limit_exceeded(_use(everything, **used), stake=2, now_ms=NOW_MS):
        refused.append(name)
        del everything[name]
    assert refused == [
        *("loss_day", "loss_7d", "loss_30d", "stake_day", "open_orders", "session", "token_stake", "token_loss"),
    ]


@pytest.mark.parametrize("name", [*(name for name in LIMITS if name != "deposit_day"), "token_stake", "token_loss"])
def test_every_refusal_tells_limit_used_and_left(name: str) -> None:
    """Contract: ``limit.<name>``, 422, with what a client needs to send a smaller order."""
    use = _use({name: 5_000}, open_stakes=1_234, open_orders=1_234, staked_day=1_234, token_staked_day=1_234)
    problem = limit_reached(name, use, currency="USD", now_ms=NOW_MS)
    assert (problem.status, problem.code, problem.retryable) == (422, f"limit.{name}", False)
    assert "5000" in problem.detail.replace(".", "")


def test_what_is_left_is_never_below_zero() -> None:
    """Rules 12: a limit tightened below what is used leaves nothing; winnings leave more than the limit."""
    use = _use({"loss_day": 5_000, "open_orders": 2}, open_stakes=6_000, open_orders=9)
    assert (use.left("loss_day", NOW_MS), use.left("open_orders", NOW_MS), use.left("session", NOW_MS)) == (0, 0, None)
    assert _use({"loss_day": 5_000}, lost={"loss_day": -700}).left("loss_day", NOW_MS) == 5_700
    detail = limit_reached("loss_day", use, currency="USD", now_ms=NOW_MS).detail
    assert detail == "The limit is 50.00 USD; used are 60.00 USD, left are 0.00 USD."


# --- what is read ----------------------------------------------------------------------------------


def _order(trader: Trader, state: str = "open", stake: int = 1_000, *, ago_ms: int, **more: Any) -> None:
    """Store an order that was accepted some time ago and, unless open, settled 60 s later."""
    accepted_ms = NOW_MS - ago_ms
    settled_ms = more.pop("settled_ms", accepted_ms + 60_000)
    book = more.pop("book", "real")
    payout = {"open": None, "won": stake + stake * 80 // 100, "lost": 0}.get(state, stake)
    closed: dict[str, Any] = {} if state == "open" else {"payout": payout, "settled_at_ms": settled_ms}
    if state in ("won", "lost", "tied"):
        price = {"won": 110, "lost": 90, "tied": 100}[state]
        closed |= {"close_seq": 2, "close_at_ms": settled_ms, "close_price": price}
    if state == "refunded":
        closed["reason"] = "stale_tick"
    Order.objects.create(
        id=uuid7(),
        client_order_id=f"stored-{next(_numbers)}",
        user_id=trader.user.id,
        wallet_id=trader.wallets[book],
        book=book,
        currency="USD",
        source="api",
        asked="",
        symbol_id=1,
        symbol="EURUSD",
        direction="up",
        stake=stake,
        payout_percent=80,
        entry_rule="last_tick/1",
        settlement_rule="last_tick/1",
        max_tick_age_ms=3_000,
        revision=1,
        price_scale=5,
        accepted_at_ms=accepted_ms,
        expires_at_ms=accepted_ms + 60_000,
        entered_at_ms=accepted_ms,
        open_seq=1,
        open_at_ms=accepted_ms,
        open_price=100,
        state=state,
        balance_after=0,
        **closed,
        **more,
    )


def _limited(**wanted: int) -> Trader:
    trader = trader_open()
    services.limits_set(user_id=trader.user.pk, wanted=wanted, now_ms=NOW_MS - 40 * DAY_MS)
    return trader


def _read(trader: Trader, *, token_id: UUID | None = None, book: str = "real", whole: bool = False) -> LimitUse:
    return limit_use(user_id=trader.user.pk, token_id=token_id, book=book, now_ms=NOW_MS, whole=whole)


@pytest.mark.django_db
def test_losses_roll_by_the_time_of_settlement() -> None:
    """Rules 12: windows of 24 hours, 7 and 30 days end now; an order counts from its settlement, whenever placed."""
    trader = _limited(loss_day=1, loss_7d=1, loss_30d=1)
    _order(trader, "lost", 1, ago_ms=31 * DAY_MS, settled_ms=NOW_MS - DAY_MS + 1)
    _order(trader, "lost", 10, ago_ms=2 * DAY_MS, settled_ms=NOW_MS - DAY_MS)
    _order(trader, "lost", 100, ago_ms=8 * DAY_MS, settled_ms=NOW_MS - 7 * DAY_MS)
    _order(trader, "lost", 1_000, ago_ms=61 * DAY_MS, settled_ms=NOW_MS - 30 * DAY_MS + 1)
    _order(trader, "lost", 10_000, ago_ms=32 * DAY_MS, settled_ms=NOW_MS - 30 * DAY_MS)
    assert _read(trader).lost == {"loss_day": 1, "loss_7d": 11, "loss_30d": 1_111}


@pytest.mark.django_db
def test_what_counts_as_loss_and_as_stake() -> None:
    """Rules 12: open stakes + net of settled: wins count back; ties and refunds are no loss, refunds no stake."""
    trader = _limited(loss_day=1, stake_day=1, open_orders=1)
    for state in ("open", "open", "won", "lost", "tied", "refunded"):
        _order(trader, state, ago_ms=HOUR_MS)
    _order(trader, "open", 50, ago_ms=30 * DAY_MS)
    use = _read(trader)
    assert (use.open_stakes, use.open_orders) == (2_050, 3)
    assert use.lost["loss_day"] == 1_000 - 800
    assert use.staked_day == 5_000
    assert use.used("loss_day", NOW_MS) == 2_250


@pytest.mark.django_db
def test_stakes_roll_by_the_time_of_acceptance() -> None:
    """Rules 12: stake_day counts orders accepted in the last 24 hours, open or settled."""
    trader = _limited(stake_day=1)
    _order(trader, "lost", 1, ago_ms=DAY_MS - 1)
    _order(trader, "lost", 10, ago_ms=DAY_MS)
    assert _read(trader).staked_day == 1


@pytest.mark.django_db
def test_own_limits_bind_real_money_only() -> None:
    """Rules 12: demo orders neither count nor are judged."""
    trader, other = _limited(loss_day=1), trader_open()
    _order(trader, "lost", ago_ms=HOUR_MS, book="demo")
    _order(other, "lost", ago_ms=HOUR_MS)
    assert _read(trader).used("loss_day", NOW_MS) == 0
    assert _read(trader, book="demo") == _read(trader, book="t:1") == LimitUse()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("minutes_ago", "session_minutes"),
    [
        ([], 0),
        ([0], 0),
        ([29], 29),
        ([30], 0),
        ([10, 20, 45], 45),
        ([10, 39, 69], 39),
        ([10, 40], 10),
        ([*range(5, 1_470, 29)], 1_455),
    ],
)
def test_a_session_begins_after_a_pause_of_30_minutes(minutes_ago: list[int], session_minutes: int) -> None:
    """Rules 12: its first real order starts it, a refunded one too; demo orders do not prolong it."""
    trader = _limited(session=60)
    for minutes in minutes_ago:
        _order(trader, "refunded", ago_ms=minutes * MINUTE_MS)
    _order(trader, "lost", ago_ms=15 * MINUTE_MS, book="demo")
    assert _read(trader).used("session", NOW_MS) == session_minutes


@pytest.mark.django_db
def test_a_session_longer_than_any_limit_is_seen_as_such() -> None:
    """Rules 12: the longest limit is 24 hours; who trades on and on has passed it."""
    trader = _limited(session=1_440)
    for minutes in range(0, 1_600, 25):
        _order(trader, "lost", 1, ago_ms=minutes * MINUTE_MS)
    assert limit_exceeded(_read(trader), stake=1, now_ms=NOW_MS) == "session"


@pytest.mark.django_db
def test_caps_count_the_orders_of_the_token_on_every_ledger() -> None:
    """Rules 12, API tokens: open stakes and net of settled, stakes of 24 hours, of this token alone."""
    trader = _limited(loss_day=1)
    token, _ = services.token_create(
        user_id=trader.user.pk, scopes=["trade"], now_ms=1, stake_day_cap=5_000, loss_day_cap=700
    )
    _order(trader, "lost", 100, ago_ms=HOUR_MS, token_id=token.pk)
    _order(trader, "open", 20, ago_ms=2 * DAY_MS, token_id=token.pk, book="demo")
    _order(trader, "lost", 3, ago_ms=HOUR_MS)
    demo = _read(trader, token_id=token.pk, book="demo")
    assert demo.limits == {"token_stake": 5_000, "token_loss": 700}
    assert (demo.token_staked_day, demo.token_lost, demo.open_stakes) == (100, 120, 0)
    real = _read(trader, token_id=token.pk)
    assert set(real.limits) == {"loss_day", "token_stake", "token_loss"}
    assert (real.token_lost, real.used("loss_day", NOW_MS)) == (120, 103)


@pytest.mark.django_db
def test_the_whole_is_read_for_pages_and_only_what_is_set_for_orders() -> None:
    """Performance: an order looks back no further than its client's limits ask; a page tells all that is used."""
    trader = _limited(stake_day=1)
    _order(trader, "lost", 70, ago_ms=20 * DAY_MS)
    assert _read(trader).lost["loss_30d"] == 0
    whole = _read(trader, whole=True)
    assert (whole.lost["loss_30d"], whole.limits) == (70, {"stake_day": 1})


@pytest.mark.django_db
@pytest.mark.parametrize("with_token", [False, True])
def test_limits_are_read_by_one_statement_served_by_indices(with_token: bool) -> None:
    """Performance, data path 1: one statement more, and no scan of all orders."""
    trader = _limited(**dict.fromkeys(LIMITS, 1))
    token, _ = services.token_create(user_id=trader.user.pk, scopes=["trade"], now_ms=1, loss_day_cap=1)
    token_id = token.pk if with_token else None
    with CaptureQueriesContext(connection) as captured:
        _read(trader, token_id=token_id)
    assert len(captured) == 1
    # With an empty table every plan costs the same: an index is shown to serve where a scan is discouraged.
    db.run("SET LOCAL enable_seqscan = off")
    plan = "\n".join(line for (line,) in db.rows(f"EXPLAIN {captured[0]['sql']}"))
    assert "trading_order_by_user" in plan
    assert ("trading_order_by_token" in plan) is with_token
    assert "accounts_limit_once" in plan
    assert "Seq Scan" not in plan


@pytest.mark.django_db
def test_a_document_tells_what_is_used_of_all_limits() -> None:
    """Contract, limits: real orders, placed and settled by the platform itself, show as used and left."""
    market, trader = market_open(max_tick_age_ms=60_000), trader_open(real="100.00")
    wanted = {"loss_day": 5_000, "loss_7d": 20_000, "open_orders": 10}
    limits.limits_put(user_id=trader.user.pk, wanted=wanted, now_ms=db_now_ms())
    trader.place(market, "down", "10.00", ledger="real", duration_s=1)
    trader.place(market, "down", "5.00", ledger="real", duration_s=300)
    market.admitted("1.08600")
    market.admitted("1.08600", at_ms=db_now_ms() + 1_500)
    assert settle_due() == 1
    shown = limits.limits_document(user_id=trader.user.pk, now_ms=db_now_ms() + 2_000).data
    assert {name: (one.set, one.used, one.left) for name, one in shown.items()} == {
        "loss_day": ("50.00", "15.00", "35.00"),
        "loss_7d": ("200.00", "15.00", "185.00"),
        "loss_30d": (None, "15.00", None),
        "stake_day": (None, "15.00", None),
        "deposit_day": (None, "0.00", None),
        "open_orders": (10, 1, 9),
        "session": (None, 0, None),
    }

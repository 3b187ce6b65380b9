"""Plans of the hot statements: named indexes, no table read whole, no partition too many (performance; style)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from ea import statements as ea_statements
from kernel import db
from kernel.http.pages import Cursor
from ledger import selectors as ledger_reads
from ledger import statements as ledger_statements
from quotes import selectors as quotes_reads
from quotes import statements as quotes_statements
from realtime import selectors as events_reads
from realtime import statements as events_statements
from settlement import statements as settlement_statements
from settlement.checks import CHECKS, Form
from tests.plans.filled import DAY_MS, Filled, recorded
from tests.plans.plans import LARGE, Hot, Plan, index_drop, plan_of
from trading import statements as trading_statements
from trading.models import Order
from trading.selectors import OrderFilter, orders_of
from trading.statistics import GROUPED, LOSING_RUN, ORDERS_MAX, Asked

# One worker fills the database once.
pytestmark = [pytest.mark.django_db, pytest.mark.xdist_group("plans")]

# The unique index beside the primary key begins with the id, too: either will do.
ACCOUNT = ("ledger_account_pkey", "ledger_account_place")
WALLET_OF_OWNER = ("ledger_account_one_wallet", "ledger_account_owner_id_c8eca69b")
SYMBOL = ("quotes_symbol_code_key", "quotes_symbol_code_2e4aa466_like")


HOT = [
    Hot("wallet lock", trading_statements.WALLET_LOCK, (WALLET_OF_OWNER,)),
    Hot(
        "facts",
        trading_statements.FACTS,
        (
            ACCOUNT,
            ("ledger_account_wallet_id_key",),
            ("accounts_user_pkey",),
            SYMBOL,
            ("quotes_symbol_head_pkey",),
            ("trading_order_client_id",),
        ),
    ),
    Hot("place", trading_statements.PLACE, (ACCOUNT, ("realtime_event_counter_pkey",))),
    Hot("entering", settlement_statements.ENTERING, (("trading_order_open_waiting",),)),
    Hot(
        "claim",
        settlement_statements.CLAIM,
        (("trading_order_open_pkey",), ("quotes_tick_newest",), ("trading_order_pkey",)),
    ),
    Hot(
        "entry claim",
        settlement_statements.ENTRY_CLAIM,
        (("trading_order_open_pkey", "trading_order_open_waiting"), ("quotes_tick_seq",), ("trading_order_pkey",)),
    ),
    Hot("wallets lock", ledger_statements.WALLETS_LOCK, (ACCOUNT,)),
    Hot("places read", ledger_statements.PLACES_READ, (ACCOUNT, ("ledger_account_wallet_id_key",))),
    Hot("transfers post", ledger_statements.TRANSFERS_POST, (ACCOUNT,)),
    Hot("orders write", settlement_statements.ORDERS_WRITE, (("trading_order_pkey",), ACCOUNT)),
    Hot("open orders delete", settlement_statements.OPEN_DELETE, (("trading_order_open_pkey",),)),
    Hot("counters lock", events_statements.COUNTERS_LOCK, (("realtime_event_counter_pkey",),)),
    Hot(
        "ends tell",
        settlement_statements.ENDS_TELL,
        (ACCOUNT, ("ledger_account_wallet_id_key",), ("realtime_event_counter_pkey",)),
    ),
    Hot("heads lock", quotes_statements.HEADS_LOCK, (("quotes_symbol_head_pkey",),)),
    Hot("ticks read", quotes_reads._TICKS, (("quotes_tick_newest",),)),
    Hot("candles read", quotes_reads._CANDLES, (("quotes_candle_pkey",),)),
    Hot("candles joined", quotes_reads._CANDLES_JOINED, (("quotes_candle_pkey",),)),
    Hot("events after", events_reads._PAGE, (("realtime_event_pkey",), ("realtime_event_counter_pkey",))),
    Hot("wallets of a user", ledger_reads._WALLETS, (WALLET_OF_OWNER, ("ledger_account_wallet_id_key",))),
    Hot(
        "wallet statement",
        ledger_reads._STATEMENT,
        (("ledger_transfer_debit_no",), ("ledger_transfer_credit_no",)),
    ),
    Hot("bridge due", ea_statements.DUE, (("ea_order_due",), ("ea_event_pkey",)), generic=False),
    Hot("bridge standing", ea_statements.STANDING, (("ea_trading_switch_newest",), ("ea_risk_stop_newest",))),
    Hot(
        "bridge open",
        ea_statements.RISK_OPEN,
        (
            ("trading_order_open_wallet",),
            ("trading_order_pkey",),
            ("ea_order_client_id",),
            ("ea_order_under_way",),
        ),
    ),
    Hot(
        "bridge history",
        ea_statements.RISK_HISTORY,
        (("ea_result_tally_no",), ("ea_result_tally_at",), ("ea_result_tally_strategy",)),
    ),
    Hot("bridge market", ea_statements.RISK_MARKET, (SYMBOL, ("quotes_symbol_head_pkey",))),
]
MODES = pytest.mark.parametrize("generic", [False, True], ids=["custom", "generic"])


def plan_here(filled: Filled, statement: str, **options: Any) -> Plan:
    """Return the plan of a statement for the parameters that the platform gave it."""
    return plan_of(*filled.recorder.named(statement), **options)


@pytest.mark.parametrize("hot", HOT, ids=lambda hot: hot.name)
def test_a_hot_statement_uses_its_indexes(filled: Filled, hot: Hot) -> None:
    """Issue: query plans of the hot statements are asserted."""
    hot.check(plan_here(filled, hot.statement))


@pytest.mark.parametrize("hot", [hot for hot in HOT if hot.generic], ids=lambda hot: hot.name)
def test_a_hot_statement_uses_its_indexes_whatever_the_values(filled: Filled, hot: Hot) -> None:
    """PostgreSQL may turn a prepared statement's plan into one that knows no values: it must do, too."""
    hot.check(plan_here(filled, hot.statement, generic=True))


WITHOUT = [pytest.param(hot, choices, id=f"{hot.name}: {choices[0]}") for hot in HOT for choices in hot.indexes]


@pytest.mark.parametrize(("hot", "choices"), WITHOUT)
def test_a_plan_without_its_index_is_seen(filled: Filled, hot: Hot, choices: tuple[str, ...]) -> None:
    """Each check above turns red when what it asks for is taken away."""
    for name in choices:
        index_drop(name)

    with pytest.raises(AssertionError):
        hot.check(plan_here(filled, hot.statement))


@MODES
def test_the_list_of_orders_reads_in_its_order(filled: Filled, generic: bool) -> None:
    """A page is read from the index by (user, time, id) and nothing is sorted, however many orders there are."""
    plan = plan_of(*_orders_listed(filled, second=False), generic=generic)

    assert "trading_order_by_user" in plan.indexes, plan.drawn()
    assert {node["Node Type"] for node in plan.nodes()} == {"Limit", "Index Scan"}, plan.drawn()


@MODES
def test_a_later_page_of_orders_reads_by_its_index(filled: Filled, generic: bool) -> None:
    """A later page reads the user's orders by the index and no table whole."""
    plan = plan_of(*_orders_listed(filled, second=True), generic=generic)

    assert plan.indexes == {"trading_order_by_user"}, plan.drawn()
    assert not plan.read_whole & LARGE


def test_the_list_of_orders_without_its_index_is_seen(filled: Filled) -> None:
    """The check above turns red with the index gone."""
    statement, params = _orders_listed(filled, second=False)
    index_drop("trading_order_by_user")

    assert "Sort" in {node["Node Type"] for node in plan_of(statement, params).nodes()}


@pytest.mark.parametrize("statement", [GROUPED, LOSING_RUN], ids=["grouped", "losing run"])
def test_statistics_count_the_orders_of_one_client_and_a_time(filled: Filled, statement: str) -> None:
    """Statistics read a client's orders of the time by their index, however many others there are."""
    asked = Asked(filled.traders[0].user.pk, "real", filled.now_ms - DAY_MS, filled.now_ms, "UTC")
    plan = plan_of(statement, asked.params(ORDERS_MAX))

    assert "trading_order_by_user" in plan.indexes, plan.drawn()
    assert not plan.read_whole & LARGE, plan.drawn()


def test_the_entries_of_a_period_and_of_an_order_are_found_by_their_numbers(filled: Filled) -> None:
    """Neither the beginning of a period nor the entries of one order cost a read of the account's others."""
    account = filled.traders[0].wallets["real"]
    first = plan_of(ledger_reads._FIRST_NO, {"account": account, "at_ms": filled.now_ms})
    of_order = plan_of(
        ledger_reads._OF_REFERENCE, {"account": account, "reference": account, "families": ["order.stake"]}
    )

    assert {"ledger_transfer_debit_no", "ledger_transfer_credit_no"} <= first.indexes, first.drawn()
    assert "ledger_transfer_once" in of_order.indexes, of_order.drawn()
    assert not (first.read_whole | of_order.read_whole) & LARGE


def _orders_listed(filled: Filled, *, second: bool) -> tuple[str, Mapping[str, Any]]:
    trader = filled.traders[0]
    last = Order.objects.filter(user_id=trader.user.pk).order_by("-accepted_at_ms", "-id")[50] if second else None
    cursor = None if last is None else Cursor(last.accepted_at_ms, str(last.id))
    with recorded() as recorder:
        assert orders_of(user_id=trader.user.pk, wanted=OrderFilter(), cursor=cursor, limit=51)
    return recorder.only("trading_order")


@MODES
def test_ticks_of_a_moment_are_read_from_their_day(filled: Filled, generic: bool) -> None:
    """Partitions: a read of one day touches that day's partition."""
    plan = plan_here(filled, quotes_reads._TICKS, run=True, generic=generic)

    day = filled.now_ms - 2 * DAY_MS
    assert plan.partitions_reached("quotes_tick") == {_partition(day)}


@MODES
def test_events_of_a_user_are_read_from_one_partition(filled: Filled, generic: bool) -> None:
    """Partitions: a user's events live in one of eight."""
    plan = plan_here(filled, events_reads._PAGE, run=True, generic=generic)

    assert len(plan.partitions_reached("realtime_event")) == 1


@MODES
def test_the_search_for_evidence_ends_with_the_first_row(filled: Filled, generic: bool) -> None:
    """Performance, settlement: partitions are searched newest first; those before the evidence are never begun."""
    order = Order.objects.filter(state="tied").first()
    assert order is not None
    statement = (
        f"SELECT evidence.seq FROM trading_order AS o {settlement_statements.evidence_joins()} WHERE o.id = %(id)s"
    )

    plan = plan_of(statement, {"id": order.id}, run=True, generic=generic)

    assert "quotes_tick_newest" in plan.indexes
    reached = plan.partitions_reached("quotes_tick")
    assert _partition(order.expires_at_ms) in reached
    assert not [name for name in reached if name < _partition(order.expires_at_ms)]
    assert len(plan.partitions("quotes_tick")) > len(reached)


def test_the_search_for_evidence_without_its_index_is_seen(filled: Filled) -> None:
    """Without the index every partition is read: the check above sees that."""
    order = Order.objects.filter(state="tied").first()
    assert order is not None
    index_drop("quotes_tick_newest")
    statement = (
        f"SELECT evidence.seq FROM trading_order AS o {settlement_statements.evidence_joins()} WHERE o.id = %(id)s"
    )

    plan = plan_of(statement, {"id": order.id}, run=True)

    assert [name for name in plan.partitions_reached("quotes_tick") if name < _partition(order.expires_at_ms)]


def _partition(at_ms: int) -> str:
    return f"quotes_tick_{datetime.fromtimestamp(at_ms / 1000, UTC):%Y%m%d}"


SWEEPS = [
    pytest.param(settlement_statements.DUE, id="due"),
    pytest.param(settlement_statements.OVERDUE, id="overdue"),
]


@MODES
@pytest.mark.parametrize("statement", SWEEPS)
def test_a_sweep_with_nothing_due_does_not_read_the_open_orders(filled: Filled, statement: str, generic: bool) -> None:
    """Performance, settlement: what a sweep costs depends on what is due, not on what is open."""
    plan = plan_here(filled, statement, run=True, generic=generic)

    rows = sum(
        node["Actual Rows"] * node["Actual Loops"]
        for node in plan.nodes()
        if node.get("Relation Name") == "trading_order_open"
    )
    assert "trading_order_open" not in plan.read_whole, plan.drawn()
    assert rows < 100


# What grows for ever. An account is one of a client, and some are looked at each minute.
ENDLESS = ("ledger_transfer", "trading_order", "realtime_event", "quotes_tick")
# A summary is of 32 pages: of a part that is hardly larger it would tell nothing.
LARGE_PAGES = 100
CHECKED_EACH_MINUTE = [
    pytest.param(check.forms[Form.LATELY], id=name)
    for name, check in CHECKS.items()
    if isinstance(check.forms.get(Form.LATELY), str)
]


def _read_whole(filled: Filled, statement: str) -> list[str]:
    """Return the endless tables, or parts of them, that a check reads from end to end though nothing is new.

    They are small here: a page read in its turn is made as dear as any other, as if there were many of them.
    """
    db.run("SET LOCAL seq_page_cost = 4")
    plan = plan_of(statement, {"since_ms": filled.now_ms + DAY_MS, "slice": 1})
    scanned = [str(node["Relation Name"]) for node in plan.nodes() if node["Node Type"] == "Seq Scan"]
    large = db.rows("SELECT relname FROM pg_class WHERE relname = ANY(%s) AND relpages > %s", [scanned, LARGE_PAGES])
    return [name for (name,) in large if re.fullmatch(rf"({'|'.join(ENDLESS)})(_\d+)?", name)]


@pytest.mark.parametrize("statement", CHECKED_EACH_MINUTE)
def test_a_check_of_each_minute_reads_what_is_new(filled: Filled, statement: str) -> None:
    """Reliability: minutely checks find what is new by summaries of time, however long the history is."""
    assert _read_whole(filled, statement) == []


@pytest.mark.parametrize(
    ("index", "start", "table"),
    [
        ("trading_order_by_time", "I-10", "trading_order"),
        ("realtime_event_by_time", "I-18", "realtime_event"),
        ("ledger_transfer_at", "I-08", "ledger_transfer"),
    ],
)
def test_a_check_without_its_summary_is_seen(filled: Filled, index: str, start: str, table: str) -> None:
    """The check above turns red with a summary of time gone."""
    statement = next(check.forms[Form.LATELY] for name, check in CHECKS.items() if name.startswith(start))
    assert isinstance(statement, str)
    index_drop(index)

    assert [name for name in _read_whole(filled, statement) if name.startswith(table)]

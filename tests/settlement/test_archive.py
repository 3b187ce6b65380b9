"""The archive: a day of ticks becomes a file, goes from the log when nobody needs it, and is audited from the file."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from django.db import connection

from accounts.models import User
from kernel import db
from quotes.admission import heartbeats_record
from quotes.models import TickArchive
from settlement.archive import day_path, ticks_archive
from settlement.audit import orders_audit
from tests.market import Market, Trader, db_now_ms, market_open, order_row, settle_due, trader_open
from trading.disputes import dispute_close, dispute_open
from trading.models import Order

pytestmark = pytest.mark.django_db(transaction=True)

DAY_MS = 86_400_000


@pytest.fixture(autouse=True)
def _archive_below(settings: Any, tmp_path: Path) -> Iterator[None]:
    settings.DATA_DIR = tmp_path
    yield
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE quotes_tick_archive")
        for ahead in (-1, 0, 1, 2):
            cursor.execute("SELECT quotes_partition_ensure(%s)", [_today() + timedelta(days=ahead)])


def _today() -> date:
    return datetime.fromtimestamp(db_now_ms() / 1000, UTC).date()


def _dropped_by_hand(day: date) -> None:
    """Drop a day as if it were old enough, which only the tables' owner can."""
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE quotes_tick_{day:%Y%m%d}, quotes_watermark_raise_{day:%Y%m%d}")
        cursor.execute("UPDATE quotes_tick_archive SET dropped_at_ms = 1 WHERE day = %s", [day])


def _old_day(days: int = 60) -> date:
    """Make a partition of long ago with three ticks; return its day."""
    day = _today() - timedelta(days=days)
    start_ms = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000)
    db.rows("SELECT quotes_partition_ensure(%s)", [day])
    for seq in (1, 2, 3):
        db.run(
            "INSERT INTO quotes_tick VALUES (%s, %s, %s, %s, 1.10, 1.1000, 110000, 1)",
            [900_000 + days, seq, start_ms + seq, start_ms + seq],
        )
    return day


def _exists(day: date) -> bool:
    found = db.row("SELECT to_regclass(%s) IS NOT NULL", [f"quotes_tick_{day:%Y%m%d}"])
    return bool(found and found[0])


def _traded(settlement_rule: str = "last_tick/1") -> tuple[Market, Trader, list[str]]:
    """Settle an order of each entry rule today, and let the day's log end; return their ids."""
    trader, orders = trader_open(), []
    market = market_open(settlement_rule=settlement_rule)
    waiting = market_open("GBPUSD", price="1.27000", entry_rule="next_tick/1", settlement_rule=settlement_rule)
    for one, price in ((market, "1.08520"), (waiting, "1.27010")):
        order = trader.place(one, "up", expires_at_ms=one.now_ms + 4_000)
        one.admitted(price)
        one.admitted(price, at_ms=order_row(order).expires_at_ms - 10)
        one.admitted(price, at_ms=order_row(order).expires_at_ms + 2)
        orders.append(order.id)
    while settle_due():
        pass
    heartbeats_record(heartbeats=dict.fromkeys([market.id, waiting.id], db_now_ms() + 2 * DAY_MS))
    return market, trader, orders


@pytest.mark.parametrize("rule", ["last_tick/1", "trimmed_mean_10s/1"])
def test_orders_are_recomputed_from_the_archive(rule: str) -> None:
    """Rules 3: resettle recomputes from stored or archived ticks, whatever the rules, and finds no difference."""
    _traded(rule)
    today = _today()
    assert ticks_archive(now_ms=db_now_ms() + 2 * DAY_MS).startswith("archived ")
    assert day_path(today).is_file()
    _dropped_by_hand(today)
    found = orders_audit(from_ms=None, to_ms=None)
    assert (found.checked, found.differences, found.unavailable) == (2, [], [])


def test_a_damaged_archive_makes_orders_unavailable_and_proves_nothing() -> None:
    """Principle 5: a file that is not the one that was written is no evidence."""
    _traded()
    today = _today()
    ticks_archive(now_ms=db_now_ms() + 2 * DAY_MS)
    _dropped_by_hand(today)
    with day_path(today).open("ab") as file:
        file.write(b"\0")
    found = orders_audit(from_ms=None, to_ms=None)
    assert (found.checked, len(found.unavailable)) == (2, 2)


def test_a_changed_result_differs_from_the_archive() -> None:
    """I-12, mutant: the audit of archived orders sees a result that does not follow from the file."""
    _, _, orders = _traded()
    ticks_archive(now_ms=db_now_ms() + 2 * DAY_MS)
    _dropped_by_hand(_today())
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE trading_order DISABLE TRIGGER trading_order_frozen")
        cursor.execute("UPDATE trading_order SET close_price = close_price + 1 WHERE id = %s", [orders[0]])
        cursor.execute("ALTER TABLE trading_order ENABLE TRIGGER trading_order_frozen")
    assert [str(one) for one in orders_audit(from_ms=None, to_ms=None).differences] == [orders[0]]


def test_an_old_day_is_archived_digit_for_digit_and_dropped() -> None:
    """Rules, ticks: a day of long ago goes from the log once it is in the archive; bid and ask keep their digits."""
    day = _old_day()
    ticks_archive(now_ms=db_now_ms())
    archive = TickArchive.objects.get(day=day)
    assert archive.rows == 3
    assert archive.dropped_at_ms is not None
    assert not _exists(day)
    rows = duckdb.execute("SELECT seq, bid, ask FROM read_parquet(?)", [str(day_path(day))]).fetchall()
    assert rows == [(seq, "1.10", "1.1000") for seq in (1, 2, 3)]
    assert "archived 0 days, dropped 0" in ticks_archive(now_ms=db_now_ms())


def test_a_day_that_is_not_archived_or_not_old_is_never_dropped() -> None:
    """The database itself refuses, whoever asks."""
    day = _old_day()
    assert db.row("SELECT quotes_partition_drop(%s)", [day]) == (False,)
    ticks_archive(now_ms=db_now_ms() + 2 * DAY_MS)
    assert db.row("SELECT quotes_partition_drop(%s)", [_today()]) == (False,)
    assert _exists(_today())


def _aged(order_id: str, days: int) -> None:
    """Move an order into the past, which no service can do."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE trading_order DISABLE TRIGGER trading_order_frozen")
        cursor.execute(
            "UPDATE trading_order SET accepted_at_ms = accepted_at_ms - %(ms)s, open_at_ms = open_at_ms - %(ms)s,"
            " expires_at_ms = expires_at_ms - %(ms)s WHERE id = %(id)s",
            {"ms": days * DAY_MS, "id": order_id},
        )
        cursor.execute("ALTER TABLE trading_order ENABLE TRIGGER trading_order_frozen")


def test_an_open_order_keeps_its_days() -> None:
    """Issue: partitions are dropped only when no open order needs them."""
    day = _old_day()
    market, trader = market_open(), trader_open()
    order = trader.place(market)
    _aged(order.id, 60)
    ticks_archive(now_ms=db_now_ms())
    assert _exists(day)


def test_a_disputed_order_keeps_its_days_until_the_dispute_is_closed() -> None:
    """Issue: partitions are dropped only when no disputed order needs them."""
    day = _old_day()
    _, _, orders = _traded()
    _aged(orders[0], 60)
    operator = User.objects.create_user("operator@example.com", is_staff=True).pk
    assert operator is not None
    order = Order.objects.get(pk=orders[0])
    opened = dispute_open(order_id=order.pk, by_id=operator, note="the price was another", now_ms=db_now_ms())
    ticks_archive(now_ms=db_now_ms())
    assert _exists(day)
    dispute_close(dispute_id=opened.pk, by_id=operator, finding="the log stands", now_ms=db_now_ms())
    ticks_archive(now_ms=db_now_ms())
    assert not _exists(day)

"""A database of some size, made by a few real acts and many copies of their rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection, transaction

from ea.executor import orders_execute
from ea.log import EventLog
from kernel import db
from ledger import selectors
from ledger.locks import wallets_lock
from ledger.selectors import statement
from quotes.models import Symbol, SymbolHead
from quotes.selectors import candles_between, ticks_between
from realtime.selectors import events_after
from realtime.services import counters_lock
from settlement.services import orders_enter, orders_settle, watermarks_raise_overdue
from tests.ea.bridge import Installation, installation
from tests.ea.events import arrived
from tests.ea.limited import EVERYTHING, limited
from tests.invariants.walls import walls_down
from tests.market import Market, Trader, db_now_ms, due, entering, market_open, settle_due, trader_open

DAY_MS = 86_400_000
MARKETS, TRADERS, COPIES = 20, 100, 100
DAYS_BEFORE, TICKS_A_DAY = 4, 500
BRIDGED = 5_000
_LATER = {"mode": "duration", "s": 3_600}

_COLUMNS = """
SELECT column_name FROM information_schema.columns
WHERE table_schema = 'public' AND table_name = %s AND is_generated = 'NEVER' ORDER BY ordinal_position"""


@dataclass
class Recorder:
    """Statements with the parameters that the platform itself gave them."""

    seen: list[tuple[str, Any]] = field(default_factory=list)

    def named(self, statement: str) -> tuple[str, Mapping[str, Any]]:
        """Return a statement with the parameters of its last execution, all of them named."""
        found = [params for sql, params in self.seen if sql == statement]
        assert found, f"never executed: {statement[:200]}"
        return _named(statement, found[-1])

    def only(self, *words: str) -> tuple[str, Mapping[str, Any]]:
        """Return the one statement in which all these words are, as text with named parameters."""
        found = [(sql, params) for sql, params in self.seen if all(word in sql for word in words)]
        assert len(found) == 1, [sql for sql, _ in self.seen]
        return _named(*found[0])


def _named(sql: str, params: Any) -> tuple[str, Mapping[str, Any]]:
    if isinstance(params, Mapping):
        return sql, params
    names = [f"p{number}" for number in range(len(params or ()))]
    for name in names:
        sql = sql.replace("%s", f"%({name})s", 1)
    return sql, dict(zip(names, params or (), strict=True))


@contextmanager
def recorded() -> Iterator[Recorder]:
    """Record what this thread's connection executes."""
    recorder = Recorder()

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        recorder.seen.append((str(sql), params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        yield recorder


@dataclass(frozen=True)
class Filled:
    """What is there, and the statements that the platform executed on it last."""

    markets: Sequence[Market]
    traders: Sequence[Trader]
    now_ms: int
    recorder: Recorder


def copies(table: str, times: int, where: str = "true", **changes: str) -> None:
    """Insert copies of rows, with the given columns changed.

    :param changes: SQL by column; ``n`` is the number of the copy, ``o`` the row
    """
    columns = [name for (name,) in db.rows(_COLUMNS, [table])]
    values = ", ".join(changes.get(name, f"o.{name}") for name in columns)
    db.run(
        f"INSERT INTO {table} ({', '.join(columns)}) "
        f"SELECT {values} FROM {table} AS o CROSS JOIN generate_series(1, {times}) AS n WHERE {where}",
        {},
    )


def fill() -> Filled:
    """Make markets with days of ticks, and traders with open and settled orders."""
    markets = [market_open(f"M{number}", price=None, max_tick_age_ms=60_000) for number in range(MARKETS)]
    _symbols_idle()
    _ticks(markets)
    traders = [trader_open(real="1000.00") for _ in range(TRADERS)]
    for market in markets:
        market.admitted("1.08512")
    for number, trader in enumerate(traders):
        trader.place(markets[number % MARKETS], ledger="real", duration_s=1)
        trader.place(markets[number % MARKETS], ledger="demo", duration_s=3_600)
    for market in markets:
        market.admitted("1.08513", at_ms=market.now_ms + 1_500)
    assert settle_due() == TRADERS
    _orders()
    _people()
    one = _bridge(markets[0], traders[0], traders[1])
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    with recorded() as recorder:
        # First, so that placement is asked about with the parameters of a request.
        markets[0].admitted("1.08514", at_ms=markets[0].now_ms)
        EventLog().append([arrived(one, 2, symbol=markets[0].code, expiry=_LATER)])
        assert orders_execute() == 1
        _acts(markets[0], traders[0], traders[1])
    return Filled(markets, traders, db_now_ms(), recorder)


def _acts(market: Market, trader: Trader, other: Trader) -> None:
    """Do once what the platform does all the time."""
    market.admitted("1.08514", at_ms=market.now_ms)
    trader.place(market, ledger="real")
    for one in (trader, other):
        one.place(market, ledger="real", duration_s=1)
    market.admitted("1.08515", at_ms=market.now_ms + 1_100)
    watermarks_raise_overdue()
    selectors._places.clear()
    ids = due(50)
    assert orders_enter(ids) == 0
    assert orders_settle(ids) == 2
    with transaction.atomic():
        wallets_lock([trader.wallets["real"], other.wallets["real"]])
        counters_lock([trader.user.pk, other.user.pk])
    assert entering(50) == []
    now_ms = db_now_ms()
    ticks_between(symbol_id=market.id, from_ms=now_ms - 2 * DAY_MS - 1_000, to_ms=now_ms - 2 * DAY_MS, limit=500)
    candles_between(symbol_id=market.id, interval_s=60, from_ms=60_000, to_ms=600_000)
    candles_between(symbol_id=market.id, interval_s=30, from_ms=60_000, to_ms=600_000)
    page = events_after(user_id=trader.user.pk, after=5, ledgers=None, limit=50)
    assert page.events
    statement(account_id=trader.wallets["real"], before_no=None, limit=51)
    assert len(selectors.wallets_of(trader.user.pk)) == len(trader.wallets)


def _bridge(market: Market, trader: Trader, other: Trader) -> Installation:
    """Make an installation with limits of every kind, and a past of its own and of others."""
    one, neighbour = installation(trader), installation(other)
    limited(one, **EVERYTHING)
    market.admitted("1.08513", at_ms=market.now_ms + 1)
    EventLog().append([arrived(one, 1, symbol=market.code, expiry=_LATER)])
    assert orders_execute() == 1
    wallet_id = trader.wallets["demo"]
    guards = ("ea_order.ea_order_starts", "ea_result_tally.ea_result_tally_follows", "ea_risk_stop.ea_risk_stop_guard")
    with walls_down(*guards):
        copies("ea_link", 200, "o.id = (SELECT max(id) FROM ea_link)", id="o.id + 999999 + n", account="n::text")
        copies(
            "ea_event",
            BRIDGED,
            id="o.id + 1000000 + n",
            event_id="md5(o.event_id::text || n)::uuid",
            seq="o.seq + 1000 + n",
            chain_no="o.chain_no + 1000 + n",
        )
        copies(
            "ea_order",
            BRIDGED,
            event_id="o.event_id + 1000000 + n",
            link_id="o.link_id + n %% 50",
            wallet_id="md5((n %% 500)::text)::uuid",
            state="'settled'",
            order_id="md5(o.order_id::text || n)::uuid",
            client_order_id="o.client_order_id || '-' || n",
        )
        db.run(
            "INSERT INTO ea_result_tally (link_id, wallet_id, no, event_id, strategy, at_ms, net, total, peak, fall,"
            " losses, lost_stake, lost_at_ms) SELECT %(link)s + n %% 50, %(wallet)s, n, 1000000 + n, 's' || n %% 37,"
            " %(now)s - 1000 * (%(rows)s - n), 1, n, n, 0, 0, 0, 0 FROM generate_series(1, %(rows)s) AS n",
            {"link": one.link.pk, "wallet": wallet_id, "now": db_now_ms(), "rows": BRIDGED},
        )
        db.run(
            "INSERT INTO ea_risk_stop (link_id, wallet_id, stop, act, reason, actor_id, at_ms)"
            " SELECT %(link)s + 1000000 + n %% 200, gen_random_uuid(), 'drawdown', 'reset', 'r', %(owner)s, 1"
            " FROM generate_series(0, %(rows)s) AS n",
            {"link": neighbour.link.pk, "owner": other.user.pk, "rows": BRIDGED},
        )
    db.run(
        "INSERT INTO ea_trading_switch (scope, name, state, reason, at_ms)"
        " SELECT 'symbol', 'X' || n %% 400, 'active', 'r', n FROM generate_series(1, %(rows)s) AS n",
        {"rows": BRIDGED},
    )
    return one


def _people() -> None:
    """Copy users with their wallets and counters: most are away at any moment."""
    copied = "md5(o.{}::text || n)::uuid"
    copies("accounts_user", 60, "o.email LIKE 'trader-%%'", id=copied.format("id"), email="n || o.email")
    copies(
        "ledger_account",
        60,
        "o.owner_id IS NOT NULL",
        **{name: copied.format(name) for name in ("id", "owner_id", "wallet_id")},
    )
    copies("realtime_event_counter", 60, user_id=copied.format("user_id"))


def _symbols_idle() -> None:
    """Add symbols without orders: a platform offers hundreds."""
    idle = [Symbol(code=f"X{number}", name="Idle", feed="script", source=f"X{number}") for number in range(400)]
    SymbolHead.objects.bulk_create(SymbolHead(symbol=symbol) for symbol in Symbol.objects.bulk_create(idle))


def _ticks(markets: Sequence[Market]) -> None:
    """Write days of ticks behind the newest, and let each log go on after them."""
    ids = [market.id for market in markets]
    today = datetime.now(UTC).date()
    for back in range(DAYS_BEFORE, -1, -1):
        day = today - timedelta(days=back)
        db.run("SELECT quotes_partition_ensure(%s)", [day])
        start_ms = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1000
        end_ms = min(start_ms + DAY_MS, db_now_ms() - 1_000)
        db.run(
            "INSERT INTO quotes_tick (symbol_id, seq, at_ms, received_at_ms, bid, ask, price, revision)"
            " SELECT id, %(first)s + n, %(start)s + n * %(step)s, %(start)s + n * %(step)s, 1.08512, 1.08512, 108512, 1"
            " FROM unnest(%(ids)s::int[]) AS id CROSS JOIN generate_series(1, %(count)s) AS n",
            {
                "ids": ids,
                "first": (DAYS_BEFORE - back) * TICKS_A_DAY,
                "start": start_ms,
                "step": max(1, (end_ms - start_ms) // (TICKS_A_DAY + 1)),
                "count": TICKS_A_DAY,
            },
        )
    last = (DAYS_BEFORE + 1) * TICKS_A_DAY
    db.run("UPDATE quotes_symbol_head SET seq = %s WHERE symbol_id = ANY(%s)", [last, ids])
    for market in markets:
        market.log.seq = last
    for interval_s in (1, 15, 60):
        db.run(
            "INSERT INTO quotes_candle (symbol_id, interval_s, start_ms, revision, open, high, low, close, ticks)"
            " SELECT id, %(interval)s, n * %(interval)s * 1000, 1, 1, 1, 1, 1, 1"
            " FROM unnest(%(ids)s::int[]) AS id CROSS JOIN generate_series(1, 2000) AS n",
            {"ids": ids, "interval": interval_s},
        )


def _orders() -> None:
    """Copy orders with what belongs to them."""
    copied = "md5(o.{}::text || n)::uuid"
    copies("trading_order", COPIES, id=copied.format("id"), client_order_id="o.client_order_id || '-' || n")
    copies("trading_order_open", COPIES, order_id=copied.format("order_id"))
    copies(
        "ledger_transfer",
        COPIES,
        "o.family LIKE 'order.%%'",
        id="gen_random_uuid()",
        reference="gen_random_uuid()",
        debit_no="o.debit_no + n * 10",
        credit_no="o.credit_no + n * 10",
    )
    # In the order of time, as they come.
    earlier = f"o.at_ms - ({COPIES} - n) * 60000"
    copies("realtime_event", COPIES, "true ORDER BY n, o.at_ms", seq="o.seq + n * 100", at_ms=earlier)
    db.run("UPDATE realtime_event_counter SET seq = 1000000 WHERE seq > 0")

"""What is stored before anything is measured: symbols, ticks, users with money, open orders. Every book holds."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.db import connection

from accounts.callers import Caller, token_hash
from accounts.models import ApiToken, User
from kernel import db
from kernel.clock import wall_ms
from ledger.domain import DEMO, AccountKind, house_account_id
from quotes.services import NewSymbol, symbol_add

SYMBOLS = 50
USERS, TICKS_EACH, OPEN_ORDERS = 1_000, 4_000, 20_000
STEP_MS = 5_400
# Numbers of the newest stretch of ticks; older stretches are written below them.
FIRST_SEQ = 1_000_001
STAKE = 100
MONEY = 10**12
DAY_MS = 86_400_000
HOUR_MS = 3_600_000
# Where orders of the pools were accepted and where they expire, before the newest stored tick.
ACCEPTED_MS, EXPIRED_MS, SPREAD_MS = 300_000, 120_000, 60_000

_KINDS = {"user": "8001", "wallet": "8002", "stakes": "8003"}


def id_sql(kind: str, number: str) -> str:
    """Return the SQL of the id that a user, wallet or stakes account of some number has."""
    return f"('01900000-0000-7000-{_KINDS[kind]}-' || lpad(to_hex(({number})::bigint), 12, '0'))::uuid"


def id_of(kind: str, number: int) -> UUID:
    """Return the same id in Python."""
    return UUID(f"01900000-0000-7000-{_KINDS[kind]}-{number:012x}")


PRICE_SQL = "100000 + ((seq)::bigint * 7919) %% 200"

_TICKS = f"""
INSERT INTO quotes_tick (symbol_id, seq, at_ms, received_at_ms, bid, ask, price, revision)
SELECT id, seq, at_ms, at_ms, 1.00001, 1.00003, {PRICE_SQL}, 1
FROM unnest(%(ids)s::int[]) AS id CROSS JOIN generate_series(0, %(count)s::int - 1) AS n,
     LATERAL (SELECT %(first_seq)s::bigint + n AS seq, %(first_ms)s::bigint + n * %(step)s::bigint AS at_ms) AS made"""

_HEADS = f"""
UPDATE quotes_symbol_head SET seq = %(seq)s, tick_at_ms = %(at_ms)s, tick_price = {PRICE_SQL.replace("seq", "%(seq)s")},
    tick_recv_ms = %(at_ms)s, watermark_ms = %(at_ms)s::bigint - 1, heartbeat_ms = %(alive_ms)s
WHERE symbol_id = ANY(%(ids)s)"""

_WALLETS = f"""
INSERT INTO ledger_account (id, owner_id, book, currency, kind, stripe, wallet_id, balance, entry_no, opened_at_ms)
SELECT {id_sql("wallet", "n")}, {id_sql("user", "n")}, 'demo', 'USD', 'wallet', 0, NULL, {MONEY}, 1, %(now)s::bigint
FROM generate_series(%(first)s::int, %(last)s::int) AS n"""
_STAKES = f"""
INSERT INTO ledger_account (id, owner_id, book, currency, kind, stripe, wallet_id, balance, entry_no, opened_at_ms)
SELECT {id_sql("stakes", "n")}, {id_sql("user", "n")}, 'demo', 'USD', 'stakes', 0,
       {id_sql("wallet", "n")}, 0, 0, %(now)s::bigint
FROM generate_series(%(first)s::int, %(last)s::int) AS n"""
_GRANTS = f"""
INSERT INTO ledger_transfer (id, entry_id, family, kind, reference, debit_account_id, credit_account_id, amount,
                             book, currency, credit_no, credit_after, at_ms)
SELECT gen_random_uuid(), {id_sql("wallet", "n")}, 'demo.grant', 'grant', {id_sql("wallet", "n")}, %(grant)s,
       {id_sql("wallet", "n")}, {MONEY}, 'demo', 'USD', 1, {MONEY}, %(now)s::bigint
FROM generate_series(%(first)s::int, %(last)s::int) AS n"""
_COUNTERS = f"""
INSERT INTO realtime_event_counter (user_id, seq, floor)
SELECT {id_sql("user", "n")}, 0, 0 FROM generate_series(%(first)s::int, %(last)s::int) AS n"""

# Orders as placement leaves them, with their transfers and the balances after them; their ids sort by time, as its do.
_ORDERS = f"""
WITH drawn AS MATERIALIZED (
    SELECT n, %(first)s::bigint + (n::bigint * 7919) %% %(users)s::bigint AS u,
           (%(ids)s::int[])[1 + n %% %(markets)s::int] AS symbol_id,
           (%(codes)s::text[])[1 + n %% %(markets)s::int] AS symbol,
           n %% 2 = 0 AS up, %(accepted_ms)s::bigint + (n::bigint * 31) %% {SPREAD_MS} AS accepted,
           %(expires_ms)s::bigint + (n::bigint * 97) %% %(spread_ms)s::bigint AS expires
    FROM generate_series(0, %(count)s::int - 1) AS n
), placed AS MATERIALIZED (
    SELECT drawn.*, (lpad(to_hex(accepted), 12, '0') || '7' || substr(md5(random()::text), 1, 3) || '8'
                     || substr(md5(random()::text), 1, 15))::uuid AS id,
           {id_sql("user", "u")} AS user_id, {id_sql("wallet", "u")} AS wallet_id,
           {id_sql("stakes", "u")} AS stakes_id, row_number() OVER (PARTITION BY u ORDER BY n) AS k,
           (accepted - %(first_ms)s::bigint) / {STEP_MS} AS step,
           {FIRST_SEQ} + (accepted - %(first_ms)s::bigint) / {STEP_MS} AS seq
    FROM drawn
), sums AS MATERIALIZED (
    SELECT wallet_id, stakes_id, count(*) AS orders FROM placed GROUP BY 1, 2
), wallets AS (
    UPDATE ledger_account AS a SET balance = balance - {STAKE} * orders, entry_no = entry_no + orders
    FROM sums WHERE a.id = sums.wallet_id RETURNING a.id, balance + {STAKE} * orders AS balance,
                                                     entry_no - orders AS entry_no
), stakes AS (
    UPDATE ledger_account AS a SET balance = balance + {STAKE} * orders, entry_no = entry_no + orders
    FROM sums WHERE a.id = sums.stakes_id RETURNING a.id, balance - {STAKE} * orders AS balance,
                                                     entry_no - orders AS entry_no
), moved AS (
    INSERT INTO ledger_transfer (id, entry_id, family, kind, reference, debit_account_id, credit_account_id, amount,
                                 book, currency, debit_no, debit_after, credit_no, credit_after, at_ms)
    SELECT gen_random_uuid(), p.id, 'order.stake', 'stake', p.id, p.wallet_id, p.stakes_id, {STAKE}, 'demo', 'USD',
           w.entry_no + k, w.balance - {STAKE} * k, s.entry_no + k, s.balance + {STAKE} * k, accepted
    FROM placed AS p JOIN wallets AS w ON w.id = p.wallet_id JOIN stakes AS s ON s.id = p.stakes_id
), ordered AS (
    INSERT INTO trading_order (id, client_order_id, user_id, wallet_id, book, currency, source, asked, symbol_id,
        symbol, direction, stake, payout_percent, entry_rule, settlement_rule, max_tick_age_ms, revision, price_scale,
        custom, accepted_at_ms, expires_at_ms, entered_at_ms, open_seq, open_at_ms, open_price, state, balance_after)
    SELECT p.id, %(name)s || '-' || n, user_id, wallet_id, 'demo', 'USD', 'api', '', symbol_id, symbol,
           CASE WHEN up THEN 'up' ELSE 'down' END, {STAKE}, 85, 'last_tick/1', 'last_tick/1', {HOUR_MS}, 1, 5, true,
           accepted, expires, accepted, seq, %(first_ms)s::bigint + step * {STEP_MS}, {PRICE_SQL}, 'open',
           w.balance - {STAKE} * k
    FROM placed AS p JOIN wallets AS w ON w.id = p.wallet_id
)
INSERT INTO trading_order_open (order_id, symbol_id, wallet_id, expires_at_ms, stake, up, exposed)
SELECT id, symbol_id, wallet_id, expires, {STAKE}, up, false FROM placed"""


@dataclass
class Stock:
    """What is there. Symbols of ``still`` have no feed: nothing moves them but what is measured."""

    owner_url: str
    scale: int = 0
    users: int = 0
    filled_ms: int = 0
    first_ms: int = 0
    still: dict[str, int] = field(default_factory=dict)
    moving: dict[str, int] = field(default_factory=dict)
    fed: dict[str, int] = field(default_factory=dict)
    sessions: list[str] = field(default_factory=list)
    _pools: int = 0

    @classmethod
    def filled(cls, owner_url: str, *, symbols: int = SYMBOLS) -> Stock:
        """Fill an empty database."""
        stock = cls(owner_url)
        for prefix, feed, found in (
            ("P", "simulator", stock.still),
            ("T", "simulator", stock.moving),
            ("S", "script", stock.fed),
        ):
            for number in range(symbols):
                symbol = symbol_add(
                    NewSymbol(
                        code=f"{prefix}{number:02}",
                        feed=feed,
                        source=f"{prefix}{number:02}",
                        max_tick_age_ms=HOUR_MS,
                        min_duration_s=1,
                        entry_rule="last_tick/1",
                        purchase_deadline_s=0,
                    )
                )
                found[symbol.code] = symbol.id
        stock.filled_ms = wall_ms()
        stock.first_ms = stock.filled_ms - TICKS_EACH * STEP_MS
        for day in range(-1, 2):
            _partition(stock.filled_ms + day * DAY_MS)
        stock._ticks(first_ms=stock.first_ms, first_seq=FIRST_SEQ, count=TICKS_EACH)
        newest = {"seq": FIRST_SEQ + TICKS_EACH - 1, "at_ms": stock.first_ms + (TICKS_EACH - 1) * STEP_MS}
        db.run(_HEADS, newest | {"ids": list(stock.still.values()), "alive_ms": stock.filled_ms + DAY_MS})
        stock.grow(1)
        return stock

    def grow(self, scale: int) -> None:
        """Let users, open orders and stored ticks grow to a multiple of what a fresh stock has."""
        fresh = range(self.users + 1, USERS * scale + 1)
        self._people(fresh)
        self.users = USERS * scale
        if self.scale:
            count = TICKS_EACH * (scale - self.scale)
            first_ms = self.first_ms - (TICKS_EACH * (self.scale - 1) + count) * STEP_MS
            for at_ms in range(first_ms, self.first_ms + DAY_MS, DAY_MS):
                _partition(at_ms)
            first_seq = FIRST_SEQ - TICKS_EACH * (self.scale - 1) - count
            self._ticks(first_ms=first_ms, first_seq=first_seq, count=count)
        self.orders_open(
            OPEN_ORDERS * (scale - self.scale), expires_ms=self.filled_ms + DAY_MS, users=self.users, spread_ms=HOUR_MS
        )
        self.scale = scale
        self.analyze()

    def orders_open(
        self,
        count: int,
        *,
        expires_ms: int | None = None,
        users: int | None = None,
        spread_ms: int = SPREAD_MS,
        first_user: int = 1,
        symbols: dict[str, int] | None = None,
    ) -> None:
        """Place orders by SQL; without an expiry they are due at once."""
        self._pools += 1
        market = symbols or self.still
        db.run(
            _ORDERS,
            {
                "count": count,
                "users": users or self.users,
                "first": first_user,
                "ids": list(market.values()),
                "codes": list(market),
                "markets": len(market),
                "first_ms": self.first_ms,
                "accepted_ms": self.filled_ms - ACCEPTED_MS,
                "expires_ms": self.filled_ms - EXPIRED_MS if expires_ms is None else expires_ms,
                "spread_ms": spread_ms,
                "name": f"pool-{self._pools}",
            },
        )

    def caller(self, number: int) -> Caller:
        """Return a user as a caller with a token."""
        user_id = id_of("user", number)
        return Caller(
            user_id=user_id,
            source="api",
            scopes=frozenset({"read", "trade"}),
            ledgers=None,
            token_id=None,
            rate_key=str(user_id),
            banned=False,
        )

    def analyze(self) -> None:
        """Let the planner know what is there, as autovacuum does in the long run; only the tables' owner may."""
        with psycopg.connect(self.owner_url, autocommit=True) as owner:
            owner.execute("VACUUM (ANALYZE)")

    def _ticks(self, *, first_ms: int, first_seq: int, count: int) -> None:
        db.run(
            _TICKS,
            {
                "ids": list(self.still.values()),
                "first_ms": first_ms,
                "first_seq": first_seq,
                "step": STEP_MS,
                "count": count,
            },
        )

    def _people(self, numbers: Sequence[int]) -> None:
        if not numbers:
            return
        users = [
            User(
                id=id_of("user", number),
                email=f"bench-{number}@example.com",
                password="!unusable",  # noqa: S106 - nobody logs in by it
                level=User.Level.EMAIL_VERIFIED,
            )
            for number in numbers
        ]
        User.objects.bulk_create(users, batch_size=2_000)
        spans = {"first": numbers[0], "last": numbers[-1], "now": self.filled_ms}
        db.run(_WALLETS, spans)
        db.run(_STAKES, spans)
        db.run(_GRANTS, spans | {"grant": house_account_id(DEMO, "USD", AccountKind.GRANT)})
        db.run(_COUNTERS, spans)
        ApiToken.objects.bulk_create(
            ApiToken(
                user=user,
                prefix="fs_bench",
                secret_hash=token_hash(token_of(number)),
                scopes=["read", "trade"],
                created_at_ms=self.filled_ms,
            )
            for number, user in zip(numbers, users, strict=True)
        )
        self._sessions(users)

    def _sessions(self, users: Sequence[User]) -> None:
        store, rows = SessionStore(), []
        expires = datetime.now(UTC) + timedelta(days=1)
        for user in users:
            data = {
                SESSION_KEY: str(user.pk),
                BACKEND_SESSION_KEY: settings.AUTHENTICATION_BACKENDS[0],
                HASH_SESSION_KEY: user.get_session_auth_hash(),
            }
            key = secrets.token_hex(16)
            rows.append(Session(session_key=key, session_data=store.encode(data), expire_date=expires))
            self.sessions.append(key)
        Session.objects.bulk_create(rows, batch_size=2_000)
        # The log-in leaves a line of the list of sessions, too.
        lines = [
            UserSession(user=user, session_key=row.session_key, ip="127.0.0.1", user_agent="bench")
            for user, row in zip(users, rows, strict=True)
        ]
        UserSession.objects.bulk_create(lines, batch_size=2_000)


def token_of(number: int) -> str:
    """Return the secret of a user's API token."""
    return f"fs_{number:043}"


def _partition(at_ms: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT quotes_partition_ensure(%s)", [datetime.fromtimestamp(at_ms / 1000, UTC).date()])

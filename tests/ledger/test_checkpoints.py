"""Checkpoints: what a closed day holds fast, how it is chained, what the two forms of checks read (I-02 to I-08).

Transfers are made today and then moved into the past by the owner of the tables, as no service could.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.db import DatabaseError, connection, transaction

from kernel import db
from kernel.jobs import DAY_MS
from ledger import selectors, tasks
from ledger.checkpoints import CHECKPOINT_AFTER_MS, CheckpointTooEarlyError, checked_until_ms, checkpoint_make
from ledger.domain import AccountKind, house_account_id
from ledger.models import Account, Checkpoint, Transfer
from ledger.services import balance_adjust
from tests.books import SnapshotReader, ledger_violations
from tests.crowd import at_once, meanwhile, other_connection
from tests.ledger.colleagues import asked
from tests.market import Trader, db_now_ms, market_open, order_row, settle_due, trader_open

pytestmark = pytest.mark.django_db

START = sha256(b"").digest()


@contextmanager
def _as_owner(*tables: str) -> Iterator[Any]:
    """Let the block change tables whose triggers forbid it, and switch the triggers on again."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for table in tables:
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        yield cursor
        for table in tables:
            cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")


def _moved_back(days: int) -> None:
    """Move all transfers that are not before the newest checkpoint into the past."""
    with _as_owner("ledger_transfer") as cursor:
        cursor.execute(
            "UPDATE ledger_transfer SET at_ms = at_ms - %s WHERE at_ms >= %s", [days * DAY_MS, checked_until_ms()]
        )


def _midnight_ms(days_ago: int = 0) -> int:
    return db_now_ms() // DAY_MS * DAY_MS - days_ago * DAY_MS


def _closed(days_ago: int = 0) -> Any:
    """Close the day that ended so many days ago."""
    return checkpoint_make(now_ms=_midnight_ms(days_ago) + CHECKPOINT_AFTER_MS)


def _traded(trader: Trader, market: Any, *, price: str) -> None:
    for ledger in ("demo", "real"):
        order = trader.place(market, ledger=ledger)
    market.admitted(price, at_ms=order_row(order).expires_at_ms)
    market.admitted(price, at_ms=order_row(order).expires_at_ms + 1)
    assert settle_due() == 2


@pytest.fixture
def trader() -> Trader:
    """Return a trader with three days of trading: two closed, the third not."""
    trader, market = trader_open(real="100.00"), market_open()
    _traded(trader, market, price="1.08600")
    _moved_back(2)
    _closed(1)
    _traded(trader, market, price="1.08100")
    _moved_back(1)
    _closed(0)
    _traded(trader, market, price="1.08700")
    return trader


# --- what a checkpoint says -----------------------------------------------------------------------


def _entries(account: UUID) -> list[tuple[int, int, bytes]]:
    """Return number, time and canonical bytes of an account's entries, computed apart from the SQL."""
    found = []
    for row in Transfer.objects.all():
        sides = [
            (row.debit_account_id, row.debit_no, -row.amount, row.debit_after, row.credit_account_id),
            (row.credit_account_id, row.credit_no, row.amount, row.credit_after, row.debit_account_id),
        ]
        for own, no, amount, after, other in sides:
            if own == account:
                family = row.family.ljust(24).encode()
                packed = struct.pack(">qqq16s16s24sq", no, amount, after, row.pk.bytes, other.bytes, family, row.at_ms)
                found.append((no or 0, row.at_ms, packed))
    return sorted(found)


@pytest.mark.parametrize("book", ["real", "demo"])
@pytest.mark.parametrize("kind", ["wallet", "stakes"])
def test_a_checkpoint_is_the_hash_of_the_one_before_and_the_entries_since(trader: Trader, book: str, kind: str) -> None:
    """Rules of the ledger: anyone with the entries recomputes the chain; the last entry gives number and balance."""
    account = Account.objects.get(owner=trader.user, book=book, kind=kind)
    before, until = START, [_midnight_ms(1), _midnight_ms(0)]
    seen = 0
    for row, until_ms in zip(Checkpoint.objects.filter(account=account).order_by("day"), until, strict=True):
        segment = [entry for entry in _entries(account.pk) if entry[0] > seen and entry[1] < until_ms]
        no, _, last = segment[-1]
        expected = sha256(before + b"".join(packed for *_, packed in segment)).digest()
        assert (row.entry_no, row.balance) == (no, struct.unpack_from(">q", last, 16)[0])
        assert (bytes(row.previous_hash), bytes(row.hash)) == (before, expected)
        before, seen = expected, no
    assert account.entry_no is not None
    assert account.entry_no > seen


def test_an_account_of_the_house_has_its_total(trader: Trader) -> None:
    """Architecture, data model: house accounts keep no number; the checkpoint is their balance at the day's end."""
    found = list(Checkpoint.objects.filter(account__owner=None).order_by("account_id", "day"))
    assert found
    for row in found:
        until_ms = (row.day.toordinal() - 719_162) * DAY_MS
        total = db.row(
            "SELECT coalesce(sum(CASE WHEN credit_account_id = %(id)s THEN amount ELSE -amount END), 0)"
            " FROM ledger_transfer WHERE at_ms < %(until)s AND %(id)s IN (credit_account_id, debit_account_id)",
            {"id": row.account_id, "until": until_ms},
        )
        assert (row.entry_no, (row.balance,)) == (None, total)
        packed = bytes(row.previous_hash) + struct.pack(">qq", until_ms, row.balance)
        assert bytes(row.hash) == sha256(packed).digest()


def test_only_what_moved_gets_a_checkpoint(trader: Trader) -> None:
    """Architecture, data model: an account that did not move keeps its older one."""
    idle = trader_open()
    _moved_back(0)
    assert not Checkpoint.objects.filter(account__owner=idle.user).exists()
    grant = Checkpoint.objects.filter(account_id=house_account_id("demo", "USD", AccountKind.GRANT))
    assert grant.count() == 1
    assert (ledger_violations(), ledger_violations(quick=True)) == ({}, {})


def test_a_day_is_closed_once_and_not_before_its_time(trader: Trader) -> None:
    """Rules of the ledger: the UTC day that ended, ten minutes after its end at the soonest, once."""
    before = Checkpoint.objects.count()
    assert _closed(0) is None
    tomorrow = _midnight_ms(0) + DAY_MS
    assert checkpoint_make(now_ms=tomorrow + CHECKPOINT_AFTER_MS - 1) is None
    assert Checkpoint.objects.count() == before
    closed = checkpoint_make(now_ms=tomorrow + CHECKPOINT_AFTER_MS)
    assert closed is not None
    assert (closed.users, closed.house > 0) == (4, True)
    assert Checkpoint.objects.count() == before + closed.users + closed.house
    assert ledger_violations() == {}


def test_days_that_were_missed_are_closed_together() -> None:
    """Reliability: a platform that was off loses no checkpoint; the next one covers all."""
    trader = trader_open(real="5.00")
    _moved_back(9)
    balance_adjust(wallet_id=trader.wallets["real"], amount=1, reason="later")
    _moved_back(3)
    assert _closed(0) is not None
    row = Checkpoint.objects.get(account_id=trader.wallets["real"])
    assert (row.entry_no, row.balance, bytes(row.previous_hash)) == (2, 501, START)
    assert (ledger_violations(), ledger_violations(quick=True)) == ({}, {})


def test_a_day_without_a_movement_has_no_checkpoint() -> None:
    """Rules of the ledger: nothing to hold fast."""
    closed = checkpoint_make(now_ms=db_now_ms())
    assert closed is None or (closed.users, closed.house) == (0, 0)
    assert not Checkpoint.objects.exists()


def test_entries_are_taken_by_number_even_if_the_clock_went_back() -> None:
    """I-03: an entry after midnight with a smaller number than one before it is not left out, and nothing twice."""
    trader = trader_open()
    wallet = trader.wallets["real"]
    for cents in (100, 20, 3):
        balance_adjust(wallet_id=wallet, amount=cents, reason="clock")
    midnight = _midnight_ms()
    with _as_owner("ledger_transfer") as cursor:
        for no, at_ms in ((1, midnight - 2), (2, midnight + 5), (3, midnight - 1)):
            cursor.execute(
                "UPDATE ledger_transfer SET at_ms = %s WHERE credit_account_id = %s AND credit_no = %s",
                [at_ms, wallet, no],
            )
    _closed(0)
    row = Checkpoint.objects.get(account_id=wallet)
    assert (row.entry_no, row.balance) == (3, 123)
    assert (ledger_violations(), ledger_violations(quick=True)) == ({}, {})


@pytest.mark.django_db(transaction=True)
def test_a_day_waits_for_transactions_that_began_in_it() -> None:
    """I-02: what such a transaction brings belongs to the day, so the day is not closed before it ends."""
    trader_open(real="1.00")
    late = _midnight_ms(0) + DAY_MS + CHECKPOINT_AFTER_MS
    with other_connection() as other:
        other.execute("SELECT 1")
        with pytest.raises(CheckpointTooEarlyError):
            checkpoint_make(now_ms=late)
        other.rollback()
        assert checkpoint_make(now_ms=late) is not None


@pytest.mark.django_db(transaction=True)
def test_the_job_closes_a_day_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """F-04: however often the schedule asks; too early it does nothing."""
    trader_open(real="1.00")
    _moved_back(1)
    midnight = _midnight_ms(0)
    # Two wallets of the trader, the house's accounts of grants and of adjustments.
    for now_ms, rows in ((midnight + 1, 0), (midnight + CHECKPOINT_AFTER_MS, 4), (midnight + DAY_MS - 1, 4)):
        monkeypatch.setattr(tasks, "database_now_ms", lambda now_ms=now_ms: now_ms)
        tasks.checkpoint()
        assert Checkpoint.objects.count() == rows
    assert db.row("SELECT count(*), min(outcome) FROM kernel_job_run WHERE name = 'ledger.checkpoint'") == (1, "done")


@pytest.mark.django_db(transaction=True)
def test_the_job_marks_requests_that_waited_too_long() -> None:
    """Rules 6: a request lives a day."""
    request = asked(trader_open(), now_ms=1)
    tasks.adjustments_expire()
    request.refresh_from_db()
    assert request.state == "expired"


def test_the_house_s_total_is_checkpoint_and_newer(trader: Trader) -> None:
    """Architecture, data model: house accounts' balance = checkpoint + newer transfers."""
    house = list(Account.objects.filter(owner=None, currency="USD").values_list("pk", flat=True))
    for account in house:
        full = db.row(
            "SELECT coalesce(sum(CASE WHEN credit_account_id = %(id)s THEN amount ELSE -amount END), 0)"
            " FROM ledger_transfer WHERE %(id)s IN (credit_account_id, debit_account_id)",
            {"id": account},
        )
        assert (selectors.house_total([account]),) == full
    held = db.row("SELECT sum(balance) FROM ledger_account WHERE owner_id IS NOT NULL")
    assert (-selectors.house_total(house),) == held


# --- what the two forms of the checks see ---------------------------------------------------------

CUT = "(SELECT (max(day) + 1 - DATE '1970-01-01')::bigint * 86400000 FROM ledger_checkpoint)"
NEW, OLD = f"at_ms >= {CUT}", f"at_ms < {CUT}"

# The check, the damage, and whether the quick form sees it: what lies behind a checkpoint is the full form's part.
FAULTS = [
    ("I-02", "UPDATE ledger_account SET balance = balance + 1 WHERE kind = 'wallet' AND book = 'demo'", True),
    ("I-02", f"DELETE FROM ledger_transfer WHERE family = 'order.profit' AND {NEW}", True),
    ("I-02", "UPDATE ledger_checkpoint SET balance = balance + 1 WHERE entry_no IS NULL", True),
    ("I-03", f"UPDATE ledger_transfer SET debit_after = debit_after + 1 WHERE family = 'order.stake' AND {NEW}", True),
    ("I-03", f"UPDATE ledger_transfer SET credit_no = credit_no + 9 WHERE family = 'order.close' AND {NEW}", True),
    ("I-03", f"UPDATE ledger_transfer SET debit_after = debit_after + 1 WHERE family = 'order.stake' AND {OLD}", False),
    ("I-03", f"DELETE FROM ledger_transfer WHERE family = 'order.close' AND {NEW}", True),
    ("I-05", "UPDATE ledger_account SET entry_no = entry_no + 1 WHERE kind = 'wallet'", True),
    ("I-05", f"DELETE FROM ledger_transfer WHERE family = 'order.stake' AND {NEW}", True),
    ("I-05", f"UPDATE ledger_transfer SET amount = amount + 1 WHERE family = 'order.stake' AND {OLD}", False),
    ("I-06", f"UPDATE ledger_transfer SET currency = 'EUR' WHERE family = 'order.close' AND {NEW}", True),
    ("I-06", f"UPDATE ledger_transfer SET currency = 'EUR' WHERE family = 'order.close' AND {OLD}", False),
    ("I-08", f"UPDATE ledger_transfer SET family = 'x' WHERE family = 'order.stake' AND {NEW}", True),
    ("I-08", f"UPDATE ledger_transfer SET family = 'x' WHERE family = 'order.stake' AND {OLD}", False),
]


@contextmanager
def _damaged(statement: str) -> Iterator[None]:
    tables = ("ledger_transfer", "ledger_checkpoint", "ledger_adjustment")
    with transaction.atomic():
        with _as_owner(*tables) as cursor:
            cursor.execute("ALTER TABLE ledger_transfer DISABLE TRIGGER ledger_transfer_place")
            cursor.execute("ALTER TABLE ledger_transfer DROP CONSTRAINT ledger_transfer_family_book")
            cursor.execute(statement)
            assert cursor.rowcount > 0, statement
        yield
        transaction.set_rollback(True)


def _red(found: dict[str, int]) -> set[str]:
    # The damage takes keys away first, which is a fault of its own.
    return {name[:4] for name in found if name != "I-06 keys hold book and currency together"}


def test_each_fault_is_seen_where_the_form_looks(trader: Trader) -> None:
    """Reliability 0 and 2: the quick form sees all that is newer than the checkpoints, the full form everything."""
    wrong = []
    for check, damage, quick in FAULTS:
        with _damaged(damage):
            seen = (check in _red(ledger_violations(quick=True)), check in _red(ledger_violations()))
        # A checkpoint of the house that lies is the quick form's own starting point; the full form has a check of it.
        expected = (quick, "UPDATE ledger_checkpoint" not in damage)
        if seen != expected:
            wrong.append((check, damage, seen, expected))
    assert wrong == []
    assert (ledger_violations(), ledger_violations(quick=True)) == ({}, {})


REWRITTEN = [
    "UPDATE ledger_checkpoint SET balance = balance + 1 WHERE entry_no IS NULL",
    "UPDATE ledger_checkpoint SET balance = balance + 1 WHERE entry_no IS NOT NULL",
    "UPDATE ledger_checkpoint SET entry_no = entry_no + 1",
    "UPDATE ledger_checkpoint SET entry_no = NULL WHERE entry_no IS NOT NULL",
    "UPDATE ledger_checkpoint SET hash = sha256('x')",
    "UPDATE ledger_checkpoint SET previous_hash = sha256('x')",
    "DELETE FROM ledger_checkpoint WHERE day = (SELECT min(day) FROM ledger_checkpoint)",
    # The past told otherwise, in ways that leave every balance and every number as they are.
    f"UPDATE ledger_transfer SET at_ms = at_ms - 1 WHERE family = 'order.close' AND {OLD}",
    f"UPDATE ledger_transfer SET id = gen_random_uuid() WHERE family = 'order.close' AND {OLD}",
    (
        "UPDATE ledger_transfer SET debit_account_id = (SELECT id FROM ledger_account WHERE owner_id IS NULL AND"
        f" kind = 'house' AND book = ledger_transfer.book AND id <> debit_account_id LIMIT 1)"
        f" WHERE family = 'order.profit' AND {OLD}"
    ),
    f"UPDATE ledger_transfer SET family = 'order.profit' WHERE family = 'order.close' AND kind = 'lost' AND {OLD}",
]


@pytest.mark.parametrize("damage", REWRITTEN)
def test_a_past_that_was_rewritten_is_seen(trader: Trader, damage: str) -> None:
    """I-07: a checkpoint that no longer follows from the entries is a violation, however sound the sums are."""
    with _damaged(damage):
        found = ledger_violations()
    assert "I-07 checkpoints recompute from the transfers" in found


@pytest.mark.django_db(transaction=True)
def test_the_quick_form_is_right_in_every_snapshot() -> None:
    """I-02, I-03, I-05: while money moves and a day is being closed."""
    traders = [trader_open(real="100.00") for _ in range(4)]
    _moved_back(1)
    reader = SnapshotReader()

    def act(number: int) -> None:
        if number == 0:
            assert checkpoint_make(now_ms=_midnight_ms() + CHECKPOINT_AFTER_MS)
            return
        for _ in range(10):
            balance_adjust(wallet_id=traders[number - 1].wallets["real"], amount=-number, reason="race")

    with meanwhile(reader) as raised:
        at_once(5, act)
    assert raised == []
    assert reader.reads > 0
    assert Checkpoint.objects.count() >= 4
    assert (ledger_violations(), ledger_violations(quick=True)) == ({}, {})


# --- the attack list ------------------------------------------------------------------------------

ATTACKS = {
    "rewrite a checkpoint": "UPDATE ledger_checkpoint SET balance = balance + 1",
    "rewrite nothing": "UPDATE ledger_checkpoint SET balance = balance",
    "delete checkpoints": "DELETE FROM ledger_checkpoint",
    "truncate checkpoints": "TRUNCATE ledger_checkpoint",
    "upsert": "INSERT INTO ledger_checkpoint SELECT * FROM ledger_checkpoint ON CONFLICT (account_id, day)"
    " DO UPDATE SET balance = 1",
    "delete requests": "DELETE FROM ledger_adjustment_request",
    "truncate requests": "TRUNCATE ledger_adjustment_request CASCADE",
    "truncate adjustments": "TRUNCATE ledger_adjustment",
}
APPLICATION_ATTACKS = ATTACKS | {
    "rewrite an amount": "UPDATE ledger_adjustment_request SET amount = 1",
    "rewrite an author": "UPDATE ledger_adjustment_request SET requested_by_id = decided_by_id",
    "rewrite a lifetime": "UPDATE ledger_adjustment_request SET expires_at_ms = 9000000000000",
    "lift a guard": "ALTER TABLE ledger_adjustment_request DISABLE TRIGGER ledger_request_frozen",
    "lift another": "ALTER TABLE ledger_checkpoint DISABLE TRIGGER ALL",
    "replace a guard": "CREATE OR REPLACE FUNCTION ledger_request_guard() RETURNS trigger LANGUAGE sql AS 'SELECT 1'",
    "drop a guard": "DROP TRIGGER ledger_transfer_adjustment_told ON ledger_transfer",
    "drop a condition": "ALTER TABLE ledger_adjustment_request DROP CONSTRAINT ledger_request_decided",
    "play replica": "SET session_replication_role = replica",
}


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS.keys())
def test_checkpoints_and_requests_are_kept_even_from_their_owner(trader: Trader, attack: str) -> None:
    """I-07: refused by trigger."""
    asked(trader)
    db.run("SET CONSTRAINTS ALL IMMEDIATE")
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        db.run(attack)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("attack", APPLICATION_ATTACKS.values(), ids=APPLICATION_ATTACKS.keys())
def test_the_application_may_not_even_try(attack: str) -> None:
    """I-07, S-41: the application's role has no right to it."""
    with other_connection(user="fairstrike") as application, pytest.raises(psycopg.errors.InsufficientPrivilege):
        application.execute(attack.encode())


@pytest.mark.django_db(transaction=True)
def test_the_application_closes_days_and_decides_about_requests() -> None:
    """Control for S-41: the role that may not change the past may write the present."""
    trader_open(real="1.00")
    _moved_back(1)
    connection.close()
    with _application():
        assert _closed(0) is not None
        db.run("UPDATE ledger_adjustment_request SET state = 'expired', decided_at_ms = 1 WHERE id = %s", [UUID(int=1)])
    assert ledger_violations() == {}


@contextmanager
def _application() -> Iterator[None]:
    """Let Django's own connection be the application's role."""
    user = connection.settings_dict["USER"]
    connection.settings_dict["USER"] = "fairstrike"
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict["USER"] = user


@pytest.mark.django_db(transaction=True)
def test_a_checkpoint_that_the_application_makes_up_is_seen() -> None:
    """I-05, I-07: the role may add checkpoints; one that lies turns both forms red."""
    trader = trader_open(real="10.00")
    with other_connection(user="fairstrike") as application:
        application.execute(
            "INSERT INTO ledger_checkpoint VALUES (%s, '2026-01-01', 1, 9, sha256('x'), sha256(''), 1)",
            [trader.wallets["real"]],
        )
    assert "I-05" in _red(ledger_violations(quick=True))
    assert "I-07" in _red(ledger_violations())

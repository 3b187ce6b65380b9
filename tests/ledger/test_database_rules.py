"""What the ledger's tables refuse by themselves: the attack list (I-04, I-06, I-07, I-08, S-41)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from kernel.ids import uuid7
from ledger.domain import AccountKind, Family, house_account_id
from ledger.models import Account, Transfer
from ledger.services import balance_adjust
from tests.books import violations
from tests.crowd import other_connection
from tests.market import Trader, trader_open

pytestmark = pytest.mark.django_db


@contextmanager
def _refused(message: str, kind: type[DatabaseError] = IntegrityError) -> Iterator[None]:
    with pytest.raises(kind, match=message), transaction.atomic(), connection.cursor() as cursor:  # noqa: PT012
        # Deferred constraints would speak at the end of the transaction only.
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        yield


def _transfer(**changes: Any) -> Transfer:
    columns = {
        "entry_id": uuid7(),
        "family": Family.ORDER_STAKE,
        "kind": "stake",
        "reference": uuid7(),
        "debit_account_id": house_account_id("demo", "USD", AccountKind.HOUSE, 0),
        "credit_account_id": house_account_id("demo", "USD", AccountKind.GRANT),
        "amount": 1,
        "book": "demo",
        "currency": "USD",
        "at_ms": 1,
    } | changes
    return Transfer.objects.create(**columns)


def test_the_transfer_that_the_attacks_vary_is_accepted() -> None:
    """Control: the refusals below come from their own fault, not from the arrangement."""
    assert _transfer().amount == 1


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        ({"debit_account_id": house_account_id("real", "USD", AccountKind.HOUSE, 0)}, "ledger_transfer_debit_place"),
        ({"credit_account_id": house_account_id("real", "USD", AccountKind.HOUSE, 0)}, "ledger_transfer_credit_place"),
        ({"debit_account_id": house_account_id("demo", "EUR", AccountKind.HOUSE, 0)}, "ledger_transfer_debit_place"),
        ({"credit_account_id": house_account_id("demo", "EUR", AccountKind.HOUSE, 0)}, "ledger_transfer_credit_place"),
        ({"book": "real"}, "ledger_transfer_(debit|credit)_place"),
        ({"currency": "EUR"}, "ledger_transfer_(debit|credit)_place"),
        ({"book": "t:nobody"}, "ledger_transfer_(debit|credit)_place"),
        ({"debit_account_id": UUID(int=404)}, "ledger_transfer_debit_place"),
    ],
)
def test_no_transfer_crosses_books_or_currencies(changes: dict[str, Any], constraint: str) -> None:
    """I-06: the database refuses a transfer across books or currencies, whoever writes it."""
    with _refused(constraint):
        _transfer(**changes)


def test_one_misplaced_transfer_refuses_its_whole_statement() -> None:
    """I-06: places are checked over all rows of an INSERT, not over the first."""
    house = house_account_id("demo", "USD", AccountKind.HOUSE, 0)
    common = {"family": Family.ORDER_STAKE, "kind": "stake", "amount": 1, "book": "demo", "currency": "USD", "at_ms": 1}
    stray = house_account_id("real", "USD", AccountKind.HOUSE, 1)
    credits = [house_account_id("demo", "USD", AccountKind.GRANT)] * 300 + [stray]
    with _refused("ledger_transfer_credit_place"):
        Transfer.objects.bulk_create(
            Transfer(entry_id=uuid7(), reference=uuid7(), debit_account_id=house, credit_account_id=credit, **common)
            for credit in credits
        )
    assert not Transfer.objects.exists()


@pytest.mark.parametrize(
    "change",
    [
        "book = 'real'",
        "currency = 'EUR'",
        "id = gen_random_uuid()",
        "kind = 'bonus'",
        "owner_id = (SELECT owner_id FROM ledger_account WHERE owner_id <> a.owner_id LIMIT 1)",
        "opened_at_ms = opened_at_ms + 1",
    ],
)
def test_an_account_keeps_its_place(change: str) -> None:
    """I-06: what was checked when a transfer was written stays true: accounts do not move (ADR 0036)."""
    trader = trader_open()
    trader_open()
    with _refused("keeps its owner, place and kind"), connection.cursor() as cursor:
        cursor.execute(f"UPDATE ledger_account AS a SET {change} WHERE id = %s", [trader.wallets["demo"]])


def test_no_account_is_deleted() -> None:
    """I-06, I-07: not even one that nothing names."""
    unused = house_account_id("real", "GBP", AccountKind.HOUSE, 3)
    with _refused("never deleted"), connection.cursor() as cursor:
        cursor.execute("DELETE FROM ledger_account WHERE id = %s", [unused])
    with _refused("append-only"), connection.cursor() as cursor:
        cursor.execute("TRUNCATE ledger_account CASCADE")


def test_a_users_demo_money_cannot_reach_the_real_wallet() -> None:
    """Rules 6, I-06: demo, real and tournaments never share money, not even one user's own."""
    trader = trader_open()
    for book in ("demo", "real"):
        with _refused("ledger_transfer_(debit|credit)_place"):
            _transfer(
                debit_account_id=trader.wallets["demo"],
                credit_account_id=trader.wallets["real"],
                book=book,
                debit_no=2,
                debit_after=0,
                credit_no=1,
                credit_after=1,
            )


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        ({"amount": 0}, "ledger_transfer_amount"),
        ({"amount": -1}, "ledger_transfer_amount"),
        ({"credit_account_id": house_account_id("demo", "USD", AccountKind.HOUSE, 0)}, "ledger_transfer_two_accounts"),
        ({"family": "deposit.credit"}, "ledger_transfer_family_book"),
        ({"family": Family.ADJUSTMENT}, "ledger_transfer_family_book"),
        ({"debit_no": 1}, "ledger_transfer_numbered"),
        ({"debit_no": 1, "debit_after": -1}, "ledger_transfer_numbered"),
        ({"credit_no": 0, "credit_after": 1}, "ledger_transfer_numbered"),
        ({"credit_after": 5}, "ledger_transfer_numbered"),
    ],
)
def test_a_transfer_that_means_nothing_is_refused(changes: dict[str, Any], constraint: str) -> None:
    """I-03, I-08: amounts are positive, sides differ, families have their book, entries number and balance."""
    with _refused(constraint):
        _transfer(**changes)


def test_demo_families_do_not_exist_in_the_real_book() -> None:
    """I-08: money is never granted into the real book."""
    with _refused("ledger_transfer_family_book"):
        _transfer(
            family=Family.DEMO_GRANT,
            book="real",
            debit_account_id=house_account_id("real", "USD", AccountKind.GRANT),
            credit_account_id=house_account_id("real", "USD", AccountKind.HOUSE, 0),
        )


def test_a_fact_has_one_transfer_of_a_family() -> None:
    """I-11: the constraint by which an order cannot close twice."""
    reference = uuid7()
    _transfer(family=Family.ORDER_CLOSE, kind="lost", reference=reference)
    with _refused("ledger_transfer_once"):
        _transfer(family=Family.ORDER_CLOSE, kind="won", reference=reference)


def test_an_entry_number_is_used_once() -> None:
    """I-03: two entries of an account never share a number."""
    side = {"credit_account_id": trader_open().wallets["demo"], "credit_no": 2, "credit_after": 1}
    _transfer(**side)
    with _refused("ledger_transfer_credit_no"):
        _transfer(**side)


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        ({"balance": -1}, "ledger_account_guarded"),
        ({"balance": None}, "ledger_account_guarded"),
        ({"entry_no": -1}, "ledger_account_guarded"),
    ],
)
def test_an_account_keeps_its_floor(changes: dict[str, Any], constraint: str) -> None:
    """I-04: a balance below zero cannot be stored."""
    trader = trader_open()
    with _refused(constraint):
        Account.objects.filter(pk=trader.wallets["demo"]).update(**changes)


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        ({"kind": AccountKind.HOUSE}, "ledger_account_guarded"),
        ({"kind": AccountKind.STAKES}, "ledger_account_stakes_have_wallet"),
        ({"book": "real"}, "ledger_account_one_wallet"),
    ],
)
def test_no_account_belongs_nowhere(changes: dict[str, Any], constraint: str) -> None:
    """I-04, I-06: an account of a user has its kind, and its one place."""
    with _refused(constraint):
        _account(trader_open(), **changes)


@pytest.mark.parametrize("place", [{"book": "real"}, {"currency": "GBP"}])
def test_stakes_are_where_their_wallet_is(place: dict[str, Any]) -> None:
    """I-06: the account of a wallet's stakes has the wallet's book and currency."""
    trader = trader_open()
    wallet = _account(trader, currency="EUR")
    with _refused("ledger_account_stakes_place"):
        _account(trader, kind=AccountKind.STAKES, wallet=wallet, **({"currency": "EUR"} | place))


def _account(trader: Trader, **columns: Any) -> Account:
    common = {"book": "demo", "currency": "USD", "kind": AccountKind.WALLET, "balance": 0, "entry_no": 0}
    return Account.objects.create(owner_id=trader.user.pk, opened_at_ms=1, **(common | columns))


def test_an_account_of_the_house_keeps_no_balance() -> None:
    """Architecture, data model: house accounts keep no balance row, so nothing is hot."""
    with _refused("ledger_account_guarded"):
        Account.objects.filter(owner=None, kind=AccountKind.GRANT).update(balance=0, entry_no=0)
    with _refused("ledger_account_one_house"):
        Account.objects.create(book="demo", currency="USD", kind=AccountKind.HOUSE, stripe=0, opened_at_ms=0)


# The attack list of the reliability page (6a), as the owner of the tables.
ATTACKS = {
    "update": "UPDATE ledger_transfer SET amount = amount + 1",
    "update nothing": "UPDATE ledger_transfer SET amount = amount",
    "delete": "DELETE FROM ledger_transfer",
    "truncate": "TRUNCATE ledger_transfer",
    "truncate by cascade": "TRUNCATE ledger_account CASCADE",
    "upsert": "INSERT INTO ledger_transfer SELECT * FROM ledger_transfer ON CONFLICT (id) DO UPDATE SET amount = 1",
    "delete a parent": "DELETE FROM ledger_account WHERE owner_id IS NOT NULL",
    "rewrite a reason": "UPDATE ledger_adjustment SET reason = 'nothing happened'",
    "delete a reason": "DELETE FROM ledger_adjustment",
}


@pytest.fixture
def trader() -> Trader:
    return trader_open(real="10.00")


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS.keys())
def test_transfers_are_append_only_even_for_their_owner(trader: Trader, attack: str) -> None:
    """I-07: UPDATE, DELETE, TRUNCATE and their disguises are refused by trigger."""
    before = list(Transfer.objects.values_list())
    with _refused("append-only|never deleted", DatabaseError), connection.cursor() as cursor:
        cursor.execute(attack)
    assert list(Transfer.objects.values_list()) == before
    assert violations() == {}


APPLICATION_ATTACKS = ATTACKS | {
    "disable a trigger": "ALTER TABLE ledger_transfer DISABLE TRIGGER ALL",
    "disable one trigger": "ALTER TABLE ledger_transfer DISABLE TRIGGER ledger_transfer_append_only",
    "drop a trigger": "DROP TRIGGER ledger_transfer_append_only ON ledger_transfer",
    "replace the guard": "CREATE OR REPLACE FUNCTION append_only() RETURNS trigger LANGUAGE sql AS 'SELECT NULL'",
    "drop a constraint": "ALTER TABLE ledger_account DROP CONSTRAINT ledger_account_guarded",
    "play replica": "SET session_replication_role = replica",
    "become the owner": "SET ROLE fairstrike_owner",
    "drop the table": "DROP TABLE ledger_transfer CASCADE",
    "delete an account": "DELETE FROM ledger_account",
    "truncate accounts": "TRUNCATE ledger_account CASCADE",
}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("attack", APPLICATION_ATTACKS.values(), ids=APPLICATION_ATTACKS.keys())
def test_the_application_may_not_even_try(attack: str) -> None:
    """I-07, S-41: the application's role owns no money table and has no right to change transfers."""
    trader_open(real="10.00")
    with other_connection(user="fairstrike") as application, pytest.raises(psycopg.errors.InsufficientPrivilege):
        application.execute(attack.encode())
    assert violations() == {}


@pytest.mark.django_db(transaction=True)
def test_the_application_can_do_its_work() -> None:
    """Control for S-41: the role that may not change the past may write the present."""
    trader = trader_open()
    with other_connection(user="fairstrike") as application:
        application.execute("SELECT count(*) FROM ledger_transfer")
        application.execute("UPDATE ledger_account SET balance = balance WHERE id = %s", [trader.wallets["demo"]])
        application.execute(
            "INSERT INTO ledger_transfer (id, entry_id, family, kind, reference, debit_account_id, credit_account_id,"
            " amount, book, currency, at_ms)"
            " SELECT gen_random_uuid(), entry_id, 'order.stake', kind, gen_random_uuid(), debit_account_id,"
            " credit_account_id, amount, book, currency, at_ms FROM ledger_transfer LIMIT 1"
        )
        application.rollback()


def test_no_table_of_money_belongs_to_the_application() -> None:
    """I-07: the application's role owns nothing in the schema."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_class WHERE relowner = 'fairstrike'::regrole")
        assert cursor.fetchone() == (0,)


def test_an_adjustment_of_nothing_is_refused() -> None:
    """Rules 6: an adjustment moves money; zero is no adjustment."""
    trader = trader_open()
    with _refused("ledger_adjustment_amount"):
        balance_adjust(wallet_id=trader.wallets["real"], amount=0, reason="nothing")

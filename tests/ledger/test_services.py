"""Opening, refilling and adjusting wallets (rules 6)."""

from __future__ import annotations

from itertools import pairwise
from uuid import UUID

import pytest
from django.db import IntegrityError, transaction
from django.db.transaction import TransactionManagementError

from kernel import db
from kernel.errors import Problem
from kernel.ids import uuid7
from ledger.domain import AccountKind, Family, TransferDraft, house_account_id
from ledger.locks import wallets_lock
from ledger.models import Account, Transfer
from ledger.selectors import statement, wallet_states
from ledger.services import balance_adjust, demo_refill, transfers_post, wallets_open
from tests.books import ledger_violations, violations
from tests.logged import statements_logged
from tests.market import market_open, order_row, settle_due, trader_open

pytestmark = pytest.mark.django_db


def test_sign_up_opens_a_real_and_a_demo_wallet() -> None:
    """Rules 6: real in the user's currency and empty, demo with 10,000.00; each with its stakes account."""
    trader = trader_open()
    accounts = {(row.book, row.kind): row for row in Account.objects.filter(owner=trader.user)}
    assert set(accounts) == {("real", "wallet"), ("real", "stakes"), ("demo", "wallet"), ("demo", "stakes")}
    assert {key: row.balance for key, row in accounts.items() if row.balance} == {("demo", "wallet"): 1_000_000}
    assert accounts["demo", "stakes"].wallet_id == accounts["demo", "wallet"].id
    assert violations() == {}


def test_a_user_has_one_wallet_of_a_ledger() -> None:
    """Rules 6: one real wallet per user, by constraint."""
    trader = trader_open()
    with pytest.raises(IntegrityError, match="ledger_account_one_wallet"), transaction.atomic():
        wallets_open(user_id=trader.user.id)


@pytest.mark.parametrize("spent", [1, 999_999, 1_000_000])
def test_a_refill_fills_up_to_the_opening_balance(spent: int) -> None:
    """Rules 6: refill sets the demo wallet back by a transfer."""
    trader = trader_open()
    _move(trader.wallets["demo"], -spent)
    state = demo_refill(user_id=trader.user.id, wallet_id=trader.wallets["demo"])
    assert (state.wallet.balance, trader.balance()) == (1_000_000, 1_000_000)
    newest = statement(account_id=trader.wallets["demo"], before_no=None, limit=1)[0]
    assert (newest.family, newest.amount, newest.balance_after) == ("demo.refill", spent, 1_000_000)
    assert ledger_violations() == {}


def test_a_refill_takes_winnings_back() -> None:
    """Rules 6: refill sets it back in either direction."""
    trader = trader_open()
    _move(trader.wallets["demo"], 123_45)
    demo_refill(user_id=trader.user.id, wallet_id=trader.wallets["demo"])
    newest = statement(account_id=trader.wallets["demo"], before_no=None, limit=1)[0]
    assert (newest.family, newest.kind, newest.amount) == ("demo.refill", "return", -123_45)
    assert trader.balance() == 1_000_000
    assert ledger_violations() == {}


def test_a_refill_of_a_full_wallet_posts_nothing() -> None:
    """Rules 6: amounts of transfers are positive; nothing to move is no transfer and no event."""
    trader = trader_open()
    before = (Transfer.objects.count(), _events(trader.user.id))
    demo_refill(user_id=trader.user.id, wallet_id=trader.wallets["demo"])
    assert (Transfer.objects.count(), _events(trader.user.id)) == before


def test_no_refill_while_demo_orders_are_open() -> None:
    """Rules 6: any time there is no open demo order."""
    trader, market = trader_open(), market_open()
    order = trader.place(market)
    with pytest.raises(Problem) as refused:
        demo_refill(user_id=trader.user.id, wallet_id=trader.wallets["demo"])
    assert (refused.value.status, refused.value.code) == (409, "wallet.open_orders")
    market.admitted("1.08600", at_ms=order_row(order).expires_at_ms + 1)
    settle_due()
    demo_refill(user_id=trader.user.id, wallet_id=trader.wallets["demo"])
    assert trader.balance() == 1_000_000
    assert violations() == {}


def test_open_real_orders_do_not_hinder_a_refill() -> None:
    """Rules 6: the ledgers share nothing."""
    trader, market = trader_open(real="50.00"), market_open()
    trader.place(market, ledger="real")
    _move(trader.wallets["demo"], -5)
    demo_refill(user_id=trader.user.id, wallet_id=trader.wallets["demo"])
    assert (trader.balance("demo"), trader.balance("real")) == (1_000_000, 4_000)


def test_only_the_own_demo_wallet_is_refilled() -> None:
    """Contract: 409 on other ledgers, 404 for what is not yours."""
    trader, other = trader_open(), trader_open()
    with pytest.raises(Problem, match=r"wallet\.not_demo"):
        demo_refill(user_id=trader.user.id, wallet_id=trader.wallets["real"])
    with pytest.raises(Problem, match=r"wallet\.unknown"):
        demo_refill(user_id=trader.user.id, wallet_id=other.wallets["demo"])


def test_an_adjustment_is_a_pair_that_the_client_sees() -> None:
    """Rules 6: reason, journal pair, visible to the client; no absolute "set balance"."""
    trader = trader_open()
    balance_adjust(wallet_id=trader.wallets["real"], amount=10_000, reason="goodwill")
    balance_adjust(wallet_id=trader.wallets["real"], amount=-2_500, reason="correction")
    entries = statement(account_id=trader.wallets["real"], before_no=None, limit=10)
    assert [(row.family, row.kind, row.amount, row.balance_after) for row in entries] == [
        ("adjustment", "debit", -2_500, 7_500),
        ("adjustment", "credit", 10_000, 10_000),
    ]
    assert violations() == {}


def test_an_adjustment_cannot_take_more_than_there_is() -> None:
    """I-03: nothing is posted and no reason is left behind."""
    trader = trader_open(real="10.00")
    with pytest.raises(Problem, match=r"wallet\.insufficient_funds"):
        balance_adjust(wallet_id=trader.wallets["real"], amount=-1_001, reason="too much")
    assert trader.balance("real") == 1_000
    assert db.row("SELECT count(*) FROM ledger_adjustment WHERE reason = 'too much'") == (0,)
    assert violations() == {}


def test_every_movement_is_told_to_its_owner() -> None:
    """Contract: ``balance.changed`` once per wallet and transaction; I-30: gap-free."""
    trader = trader_open(real="10.00")
    _move(trader.wallets["demo"], -5)
    demo_refill(user_id=trader.user.id, wallet_id=trader.wallets["demo"])
    told = db.rows(
        "SELECT seq, book, payload->>'cause', payload->>'balance' FROM realtime_event WHERE user_id = %s ORDER BY seq",
        [trader.user.id],
    )
    assert [row[0] for row in told] == list(range(1, len(told) + 1))
    assert told[-2:] == [
        (told[-2][0], "real", "adjustment", "10.00"),
        (told[-1][0], "demo", "demo.refill", "10000.00"),
    ]


def test_a_batch_of_transfers_takes_two_statements_whatever_its_size() -> None:
    """Performance: posting costs a constant number of statements."""
    trader = trader_open()
    wallet = trader.wallets["demo"]
    counts = []
    for size in (1, 50):
        with transaction.atomic():
            wallets_lock([wallet])
            states = wallet_states([wallet])
            with statements_logged() as log:
                transfers_post(wallets=states, drafts=[_grant(wallet, 1) for _ in range(size)], at_ms=1)
            counts.append(len(log))
    assert counts == [2, 2]
    assert ledger_violations() == {}


@pytest.mark.django_db(transaction=True)
def test_nothing_is_locked_or_posted_outside_a_transaction() -> None:
    """Style 8: a lock taken outside a transaction would be gone at once, so it is refused."""
    trader = trader_open()
    with pytest.raises(TransactionManagementError):
        wallets_lock([trader.wallets["demo"]])
    with pytest.raises(TransactionManagementError):
        transfers_post(wallets={}, drafts=[], at_ms=1)


def test_a_statement_is_complete_from_the_opening_and_pages_without_gaps() -> None:
    """Contract: statement newest first, complete from the account's opening, ``balance_after`` chained."""
    trader, market = trader_open(), market_open()
    wallet = trader.wallets["demo"]
    for number in range(7):
        order = trader.place(market, "up" if number % 2 else "down", duration_s=60 + number)
        market.admitted("1.08600" if number % 3 else "1.08512", at_ms=order_row(order).expires_at_ms + 1)
        settle_due()
    pages, before = [], None
    while page := statement(account_id=wallet, before_no=before, limit=3):
        pages += page
        before = page[-1].no
    assert [row.no for row in pages] == list(range(len(pages), 0, -1))
    assert pages[-1].family == "demo.grant"
    assert pages[0].balance_after == trader.balance()
    for newer, older in pairwise(pages):
        assert newer.balance_after == older.balance_after + newer.amount
    assert sum(row.amount for row in pages) == trader.balance()


def _grant(wallet: UUID, amount: int) -> TransferDraft:
    house = house_account_id("demo", "USD", AccountKind.GRANT)
    debit, credit = (house, wallet) if amount > 0 else (wallet, house)
    kind = "grant" if amount > 0 else "return"
    return TransferDraft(Family.DEMO_REFILL, kind, uuid7(), debit, credit, abs(amount))


def _move(wallet: UUID, amount: int) -> None:
    """Win (positive) or lose (negative) demo money by a real transfer."""
    with transaction.atomic():
        wallets_lock([wallet])
        transfers_post(wallets=wallet_states([wallet]), drafts=[_grant(wallet, amount)], at_ms=1)


def _events(user_id: UUID) -> int:
    found = db.row("SELECT count(*) FROM realtime_event WHERE user_id = %s", [user_id])
    assert found is not None
    return int(found[0])

"""Many clients on one wallet: never negative, nothing lost, every read sound (I-02, I-03, I-05; reliability 6b)."""

from __future__ import annotations

from threading import Lock

import pytest
from django.db import transaction

from kernel.errors import Problem
from ledger.selectors import statement
from ledger.services import balance_adjust, demo_refill
from tests.books import SnapshotReader, violations
from tests.crowd import at_once, meanwhile
from tests.market import trader_open

pytestmark = pytest.mark.django_db(transaction=True)


def test_16_clients_on_one_wallet_never_pass_zero() -> None:
    """I-02, I-03, I-05: 16 clients take from one wallet; the balance is never negative and no unit is lost."""
    wallet = trader_open(real="100.00").wallets["real"]
    taken, lock, reader = [0], Lock(), SnapshotReader()

    def take(number: int) -> None:
        for turn in range(12):
            amount = 1 + (number * 7 + turn * 13) % 97
            try:
                balance_adjust(wallet_id=wallet, amount=-amount * 10, reason="take")
            except Problem:
                continue
            with lock:
                taken[0] += amount * 10

    with meanwhile(reader) as raised:
        at_once(16, take)
    assert raised == []
    assert reader.reads > 0
    entries = statement(account_id=wallet, before_no=None, limit=1_000)
    assert min(entry.balance_after for entry in entries) >= 0
    assert entries[0].balance_after == 10_000 - taken[0]
    assert 10_000 - taken[0] < 970, "the wallet was not contended to its end"
    assert violations() == {}


def test_takers_givers_and_refills_conserve_every_unit() -> None:
    """I-02: over two books and 20 wallets, every snapshot balances while 16 clients move money both ways."""
    traders = [trader_open(real="50.00") for _ in range(10)]
    reader = SnapshotReader()

    def move(number: int) -> None:
        for turn in range(8):
            trader = traders[(number + turn) % len(traders)]
            if (number + turn) % 3 == 0:
                demo_refill(user_id=trader.user.id, wallet_id=trader.wallets["demo"])
                continue
            amount = (number * 31 + turn * 17) % 2_000 + 1
            try:
                balance_adjust(
                    wallet_id=trader.wallets["real"], amount=amount if number % 2 else -amount, reason="move"
                )
            except Problem:
                continue

    with meanwhile(reader) as raised:
        at_once(16, move)
    assert raised == []
    assert reader.reads > 0
    assert violations() == {}


def test_a_transaction_that_fails_leaves_no_hole_in_the_numbers() -> None:
    """I-03, I-30: entry and event numbers are taken in the transaction, so a rollback leaves no hole."""
    trader = trader_open(real="10.00")
    for _ in range(3):
        with transaction.atomic():
            balance_adjust(wallet_id=trader.wallets["real"], amount=5, reason="undone")
            transaction.set_rollback(True)
        balance_adjust(wallet_id=trader.wallets["real"], amount=7, reason="done")
    assert [entry.no for entry in statement(account_id=trader.wallets["real"], before_no=None, limit=9)] == [4, 3, 2, 1]
    assert violations() == {}

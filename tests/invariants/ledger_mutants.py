"""Faults of the ledger: transfers, balances, books, and the walls around them (I-02 to I-09, I-32)."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import transaction

from kernel import db
from kernel.ids import uuid7
from ledger import domain, services, statements
from ledger.domain import AccountKind, Family, GuardedBalance, NumberedTransfer, TransferDraft, house_account_id
from ledger.locks import wallets_lock
from ledger.models import Adjustment
from ledger.selectors import wallet_states
from settlement import services as settlement_services
from settlement.checks import Form
from tests.invariants.mutant import Mutant, Patch, replaced
from tests.invariants.scenario import Scenario, statement
from tests.market import trader_open

KEYS = "I-06 keys"
GUARDS = "I-07 every guard"
TOLD_BALANCE = "I-29 each movement"

_applied = domain._applied
_adjustment_post = services.adjustment_post
_house_account_id = house_account_id


def _without_entries(drafts: Any, accounts: Any) -> list[NumberedTransfer]:
    del accounts
    return [NumberedTransfer(draft, None, None, None, None) for draft in drafts]


def _taken_silently(scenario: Scenario) -> None:
    services.balance_adjust(wallet_id=scenario.cleo.wallets["real"], amount=-100, reason="silently")


def _number_skipped(account: GuardedBalance | None, account_id: UUID, amount: int) -> Any:
    if account is not None:
        account.entry_no += 1
    return _applied(account, account_id, amount)


def _floor_ignored(account: GuardedBalance | None, account_id: UUID, amount: int) -> Any:
    if account is None:
        return None, None
    account.balance += amount
    account.entry_no += 1
    return account.entry_no, account.balance


def _overdrawn(scenario: Scenario) -> None:
    scenario.go_on()
    balance = scenario.cleo.balance("real")
    services.balance_adjust(wallet_id=scenario.cleo.wallets["real"], amount=-balance - 231, reason="too much")


def _paid_by_another(scenario: Scenario) -> None:
    """Make good to one client at another's expense, past the ledger."""
    scenario.go_on()
    for trader, sign in ((scenario.ann, "+"), (scenario.bob, "-")):
        statement(f"UPDATE ledger_account SET balance = balance {sign} 1 WHERE id = '{trader.wallets['demo']}'")


def _stale_states() -> Patch:
    """Remember wallets between transactions: a later one writes what an earlier one did away again."""
    kept: dict[UUID, Any] = {}

    def remembered(wallet_ids: Any) -> dict[UUID, Any]:
        wanted = list(wallet_ids)
        for wallet_id, state in wallet_states(wanted).items():
            kept.setdefault(wallet_id, state)
        return {wallet_id: kept[wallet_id] for wallet_id in wanted}

    return services, "wallet_states", remembered


def _adjusted_past_the_newest(scenario: Scenario) -> None:
    """Adjust, trade, adjust: the second adjustment knows nothing of the trade."""
    wallet_id = scenario.cleo.wallets["real"]
    services.balance_adjust(wallet_id=wallet_id, amount=100, reason="first")
    scenario.cleo.place(scenario.market, ledger="real", duration_s=3_600)
    services.balance_adjust(wallet_id=wallet_id, amount=100, reason="second")


def _house_of_the_real_book(book: str, currency: str, kind: AccountKind, stripe: int = 0) -> UUID:
    del book
    return _house_account_id("real", currency, kind, stripe)


def _granted_without_its_wallet(scenario: Scenario) -> None:
    scenario.go_on()
    trader_open()


def _grant_of_nobody(*, wallet_id: UUID, reference: UUID, family: Family) -> Any:
    del reference
    return _DEMO_SET(wallet_id=wallet_id, reference=uuid7(), family=family)


_DEMO_SET = services._demo_set


def _real_refilled(scenario: Scenario) -> None:
    scenario.expire()
    services.demo_refill(user_id=scenario.cleo.user.id, wallet_id=scenario.cleo.wallets["real"])


def _told(draft: TransferDraft, wallet_id: UUID) -> None:
    with transaction.atomic():
        wallets_lock([wallet_id])
        services._post_and_tell(wallet_states([wallet_id]), draft)


def _profit_reversed(scenario: Scenario) -> None:
    """Take a win back by a transfer of its own, as no rule allows."""
    scenario.go_on()
    found = db.row(
        "SELECT id FROM trading_order WHERE state = 'lost' AND wallet_id = %s", [scenario.ann.wallets["real"]]
    )
    assert found is not None
    wallet_id = scenario.ann.wallets["real"]
    house = house_account_id("real", "USD", AccountKind.HOUSE)
    _told(TransferDraft(Family.ORDER_PROFIT, "reversal", found[0], wallet_id, house, 100), wallet_id)


def _adjusted_at_the_house(book: str, currency: str, kind: AccountKind, stripe: int = 0) -> UUID:
    booked = AccountKind.HOUSE if kind is AccountKind.ADJUSTMENT else kind
    return _house_account_id(book, currency, booked, stripe)


def _one_more(adjustment: Adjustment) -> Any:
    """Move one unit more than the adjustment says that was decided about."""
    with_one_more = Adjustment(
        id=adjustment.id,
        account_id=adjustment.account_id,
        amount=adjustment.amount,
        reason=adjustment.reason,
        at_ms=adjustment.at_ms,
        origin=adjustment.origin,
    )
    with_one_more.save(force_insert=True)
    sign = 1 if adjustment.amount > 0 else -1
    wallet_id = adjustment.account_id
    house = house_account_id("real", "USD", AccountKind.ADJUSTMENT)
    debit, credit = (house, wallet_id) if sign > 0 else (wallet_id, house)
    kind = "credit" if sign > 0 else "debit"
    draft = TransferDraft(Family.ADJUSTMENT, kind, adjustment.id, debit, credit, abs(adjustment.amount) + 1)
    wallets_lock([wallet_id])
    states = wallet_states([wallet_id])
    services._post_and_tell(states, draft)
    return states[wallet_id]


def _checkpoint_made_up(scenario: Scenario) -> None:
    scenario.go_on()
    statement(
        "INSERT INTO ledger_checkpoint (account_id, day, entry_no, balance, hash, previous_hash, made_at_ms)"
        " SELECT id, '2020-01-01', entry_no, balance, sha256('x'), sha256(''), 1 FROM ledger_account"
        " WHERE kind = 'wallet' AND entry_no > 0"
    )


def _done(*sql: str) -> Any:
    """Return an act after which the owner of the tables has done something to them."""

    def act(scenario: Scenario) -> None:
        scenario.go_on()
        for one in sql:
            db.run(one)

    return act


def _right_to_a_partition(scenario: Scenario) -> None:
    scenario.go_on()
    found = db.row("SELECT min(inhrelid::regclass::text) FROM pg_inherits WHERE inhparent = 'quotes_tick'::regclass")
    assert found is not None
    db.run(f"GRANT UPDATE ON {found[0]} TO fairstrike")


LEDGER_MUTANTS = (
    Mutant(
        "I-02",
        "each posting leaves its accounts one unit richer",
        (
            (
                statements,
                "TRANSFERS_POST",
                replaced(statements.TRANSFERS_POST, "SET balance = newest.after", "SET balance = newest.after + 1"),
            ),
        ),
        act=Scenario.expire,
        also=("I-03", "I-05"),
        # Each minute the entries are compared, not the sums.
        forms=frozenset({Form.QUICK, Form.FULL}),
    ),
    Mutant(
        "I-02",
        "the house takes from a wallet that has no entry of it",
        ((services, "numbered", _without_entries),),
        act=_taken_silently,
        also=("I-05", TOLD_BALANCE),
        # The quick form takes a side without an entry for the house's.
        forms=frozenset({Form.LATELY, Form.FULL}),
    ),
    Mutant(
        "I-03",
        "an entry number is left out at each posting",
        ((domain, "_applied", _number_skipped),),
        also=("I-05",),
    ),
    Mutant(
        "I-03",
        "check-then-update: the floor is not asked again",
        ((domain, "_applied", _floor_ignored),),
        ("ledger_account.ledger_account_guarded", "ledger_transfer.ledger_transfer_numbered"),
        _overdrawn,
        also=("I-04",),
    ),
    Mutant("I-04", "the floor is gone", act=_done("ALTER TABLE ledger_account DROP CONSTRAINT ledger_account_guarded")),
    Mutant(
        "I-05",
        "a client is paid from another one's balance without a transfer",
        act=_paid_by_another,
        also=(TOLD_BALANCE,),
    ),
    Mutant(
        "I-05",
        "lost update: a balance is written that was read before somebody else's",
        (_stale_states(),),
        ("ledger_transfer.ledger_transfer_debit_no", "ledger_transfer.ledger_transfer_credit_no"),
        _adjusted_past_the_newest,
        also=("I-02", "I-03", TOLD_BALANCE),
        # The newest entry agrees with its account; that two entries have its number is the chain's to say.
        forms=frozenset({Form.QUICK, Form.FULL}),
    ),
    Mutant(
        "I-06 no transfer crosses",
        "a lost demo stake goes to the house's real account",
        ((settlement_services, "house_account_id", _house_of_the_real_book),),
        ("ledger_transfer.ledger_transfer_place",),
    ),
    Mutant(
        "I-06 no transfer is without",
        "a grant names no wallet",
        ((services, "_demo_set", _grant_of_nobody),),
        act=_granted_without_its_wallet,
    ),
    Mutant(
        KEYS,
        "the key that holds an order to its wallet's book is gone",
        act=_done("ALTER TABLE trading_order DROP CONSTRAINT trading_order_wallet_place"),
    ),
    Mutant(
        "I-07 transfers",
        "the trigger that keeps transfers as they are is off",
        act=_done("ALTER TABLE ledger_transfer DISABLE TRIGGER ledger_transfer_append_only"),
    ),
    Mutant("I-07 checkpoints", "the application makes a checkpoint up", act=_checkpoint_made_up),
    Mutant(
        GUARDS,
        "the trigger that freezes orders is off",
        act=_done("ALTER TABLE trading_order DISABLE TRIGGER trading_order_frozen"),
    ),
    Mutant(
        GUARDS,
        "a fact may have two transfers of a family",
        act=_done("ALTER TABLE ledger_transfer DROP CONSTRAINT ledger_transfer_once"),
    ),
    Mutant("I-07 the application", "the application may edit a day of ticks", act=_right_to_a_partition),
    Mutant(
        "I-07 the application",
        "the application may delete transfers",
        act=_done("GRANT DELETE ON ledger_transfer TO fairstrike"),
    ),
    Mutant(
        "I-08",
        "a real wallet is refilled like a demo one",
        ((services, "DEMO", "real"),),
        ("ledger_transfer.ledger_transfer_family_book",),
        _real_refilled,
    ),
    Mutant(
        "I-09",
        "a win is taken back by a transfer",
        act=_profit_reversed,
        also=("I-01 each order has", "I-01 each order's"),
    ),
    Mutant(
        "I-09",
        "an adjustment is booked against the house's stakes and not as an adjustment",
        ((services, "house_account_id", _adjusted_at_the_house),),
    ),
    Mutant(
        "I-32",
        "more is moved than was decided about",
        ((services, "adjustment_post", _one_more),),
        ("ledger_transfer.ledger_transfer_adjustment_told",),
    ),
)

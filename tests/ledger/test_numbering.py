"""How a batch of transfers changes guarded balances (I-02, I-03)."""

from __future__ import annotations

from collections import defaultdict
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.domain import (
    HOUSE_STRIPES,
    AccountKind,
    Family,
    GuardedBalance,
    InsufficientFundsError,
    NumberedTransfer,
    TransferDraft,
    house_account_id,
    house_stripe,
    numbered,
)

WALLET, STAKES, HOUSE = UUID(int=1), UUID(int=2), UUID(int=3)


def _draft(debit: UUID, credit: UUID, amount: int) -> TransferDraft:
    return TransferDraft(Family.ORDER_STAKE, "stake", UUID(int=9), debit, credit, amount)


def _accounts(wallet: int = 1_000, stakes: int = 0) -> dict[UUID, GuardedBalance]:
    return {WALLET: GuardedBalance(wallet, 7), STAKES: GuardedBalance(stakes, 3)}


def test_each_side_gets_the_number_and_balance_it_is_left_with() -> None:
    """I-03: each entry follows the one before, on both sides."""
    accounts = _accounts()
    first, second = numbered([_draft(WALLET, STAKES, 400), _draft(STAKES, WALLET, 150)], accounts)
    assert first == NumberedTransfer(first.draft, debit_no=8, debit_after=600, credit_no=4, credit_after=400)
    assert second == NumberedTransfer(second.draft, debit_no=5, debit_after=250, credit_no=9, credit_after=750)
    assert (accounts[WALLET], accounts[STAKES]) == (GuardedBalance(750, 9), GuardedBalance(250, 5))


def test_the_house_keeps_no_balance() -> None:
    """Architecture, data model: unguarded sides have neither number nor balance, so no row is hot."""
    (posted,) = numbered([_draft(HOUSE, WALLET, 50)], _accounts())
    assert (posted.debit_no, posted.debit_after) == (None, None)
    assert (posted.credit_no, posted.credit_after) == (8, 1_050)


def test_a_balance_may_reach_zero_and_not_pass_it() -> None:
    """I-03: never below the floor at any point, not even inside a batch that ends above it."""
    numbered([_draft(WALLET, STAKES, 1_000)], _accounts())
    with pytest.raises(InsufficientFundsError) as refused:
        numbered([_draft(WALLET, STAKES, 1_001), _draft(STAKES, WALLET, 1_001)], _accounts())
    assert refused.value.account_id == WALLET


@given(
    amounts=st.lists(
        st.tuples(
            st.sampled_from([WALLET, STAKES, HOUSE]), st.sampled_from([WALLET, STAKES, HOUSE]), st.integers(1, 500)
        )
    )
)
def test_money_is_conserved_and_entries_are_gap_free(amounts: list[tuple[UUID, UUID, int]]) -> None:
    """I-02, I-03, I-05: guarded balances change by what the house gave or took, entry by entry."""
    accounts, posted = _accounts(), []
    for debit, credit, amount in amounts:
        if debit == credit:
            continue
        try:
            posted += numbered([_draft(debit, credit, amount)], accounts)
        except InsufficientFundsError:
            continue
    from_house = sum(one.draft.amount for one in posted if one.draft.debit == HOUSE)
    to_house = sum(one.draft.amount for one in posted if one.draft.credit == HOUSE)
    assert sum(account.balance for account in accounts.values()) == 1_000 + from_house - to_house
    numbers: dict[UUID, list[int]] = defaultdict(list)
    for one in posted:
        if one.debit_no is not None:
            numbers[one.draft.debit].append(one.debit_no)
        if one.credit_no is not None:
            numbers[one.draft.credit].append(one.credit_no)
    for account, start in ((WALLET, 7), (STAKES, 3)):
        assert numbers[account] == list(range(start + 1, accounts[account].entry_no + 1))


def test_accounts_of_the_house_are_found_by_their_name() -> None:
    """Architecture: house accounts are striped by book, currency and kind; a name always gives the same id."""
    ids = {
        house_account_id(book, currency, kind, stripe)
        for book in ("real", "demo")
        for currency in ("USD", "EUR")
        for kind in (AccountKind.HOUSE, AccountKind.GRANT)
        for stripe in range(HOUSE_STRIPES)
    }
    assert len(ids) == 2 * 2 * 2 * HOUSE_STRIPES
    assert house_account_id("real", "USD", AccountKind.HOUSE, 3) == house_account_id(
        "real", "USD", AccountKind.HOUSE, 3
    )


@given(reference=st.uuids())
def test_a_fact_is_booked_on_one_stripe(reference: UUID) -> None:
    """Architecture: the stripe follows from the reference, so a repeat meets the same account."""
    assert 0 <= house_stripe(reference) < HOUSE_STRIPES
    assert house_stripe(reference) == house_stripe(UUID(str(reference)))

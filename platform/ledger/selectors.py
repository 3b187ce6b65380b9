"""Reads of the ledger: wallets and statements. Every one takes its book from the row, never from the caller."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from kernel import db
from ledger import statements
from ledger.domain import Family, GuardedBalance
from ledger.models import Account, AdjustmentRequest, Checkpoint


@dataclass(frozen=True, slots=True)
class WalletState:
    """A wallet with its stakes account, read under the wallet's lock."""

    wallet_id: UUID
    owner_id: UUID
    book: str
    currency: str
    wallet: GuardedBalance
    stakes_id: UUID
    stakes: GuardedBalance


@dataclass(frozen=True, slots=True)
class WalletPlace:
    """What never changes of a wallet."""

    wallet_id: UUID
    owner_id: UUID
    book: str
    currency: str
    stakes_id: UUID


# Some hundred bytes each.
_PLACES_MAX = 100_000
_places: dict[UUID, WalletPlace] = {}


@dataclass(frozen=True, slots=True)
class WalletRow:
    """A wallet as its owner sees it; money in minor units."""

    id: UUID
    book: str
    kind: str
    currency: str
    balance: int
    open_stakes: int


@dataclass(frozen=True, slots=True)
class StatementRow:
    """One line of a wallet's statement; ``amount`` is signed, ``note`` tells why money was moved by hand."""

    no: int
    at_ms: int
    family: str
    kind: str
    amount: int
    balance_after: int
    reference: UUID
    note: str | None


def wallet_places(wallet_ids: Iterable[UUID]) -> dict[UUID, WalletPlace]:
    """Return where wallets are, by wallet id; unknown ones are left out.

    No lock is needed for that, and none of it changes, so that each wallet is asked for once in a process.
    """
    wanted = set(wallet_ids)
    known = {wallet_id: place for wallet_id in wanted if (place := _places.get(wallet_id))}
    if missing := wanted - known.keys():
        found = db.send(statements.PLACES_READ, {"wallet_ids": _distinct(missing)}).rows()
        fresh = {row[0]: WalletPlace(*row) for row in found}
        if len(_places) > _PLACES_MAX:
            _places.clear()
        _places.update(fresh)
        known |= fresh
    return known


def wallet_states(wallet_ids: Iterable[UUID]) -> dict[UUID, WalletState]:
    """Return wallets and their stakes by wallet id, in a snapshot of its own."""
    found = db.rows(statements.WALLETS_READ, {"wallet_ids": _distinct(wallet_ids)})
    return {
        row[0]: WalletState(
            row[0], row[1], row[2], row[3], GuardedBalance(row[4], row[5]), row[6], GuardedBalance(row[7], row[8])
        )
        for row in found
    }


def _distinct(ids: Iterable[UUID]) -> str:
    return db.ids_array({one.int: one for one in ids}.values())


# Asked for by every signal of the bridge, too: the ORM takes ten times the processor for it.
_WALLETS = """
SELECT wallet.id, wallet.book, wallet.kind, wallet.currency, coalesce(wallet.balance, 0), coalesce(stakes.balance, 0)
FROM ledger_account AS wallet JOIN ledger_account AS stakes ON stakes.wallet_id = wallet.id
WHERE wallet.owner_id = %(user_id)s AND wallet.kind IN ('wallet', 'bonus')
ORDER BY wallet.opened_at_ms, wallet.id"""


def wallets_of(user_id: UUID) -> list[WalletRow]:
    """Return a user's wallets, the oldest first."""
    return [WalletRow(*row) for row in db.rows(_WALLETS, {"user_id": user_id})]


def wallet_of(*, user_id: UUID, wallet_id: UUID) -> WalletRow | None:
    """Return one wallet of a user, or None when it is not theirs."""
    return next((row for row in wallets_of(user_id) if row.id == wallet_id), None)


def wallet_by_email(*, email: str, book: str) -> UUID | None:
    """Return the id of a user's wallet in a book."""
    found = Account.objects.filter(owner__email=email.lower(), book=book, kind="wallet").values_list("id", flat=True)
    return found.first()


_STATEMENT = """
SELECT no, entry.at_ms, family, kind, entry.amount, after, reference, adjustment.reason FROM (
    (SELECT debit_no AS no, at_ms, family, kind, -amount AS amount, debit_after AS after, reference
     FROM ledger_transfer
     WHERE debit_account_id = %(account)s AND debit_no >= %(least)s AND debit_no < %(before)s
     ORDER BY debit_no DESC LIMIT %(limit)s)
    UNION ALL
    (SELECT credit_no, at_ms, family, kind, amount, credit_after, reference
     FROM ledger_transfer
     WHERE credit_account_id = %(account)s AND credit_no >= %(least)s AND credit_no < %(before)s
     ORDER BY credit_no DESC LIMIT %(limit)s)
) AS entry
LEFT JOIN ledger_adjustment AS adjustment ON family = 'adjustment' AND adjustment.id = reference
ORDER BY no DESC LIMIT %(limit)s"""


# Entries are numbered without a gap in the order of their times: halving finds the first one of a time.
_FIRST_NO = """
WITH RECURSIVE search AS (
    SELECT 1::bigint AS low, entry_no + 1 AS high FROM ledger_account WHERE id = %(account)s
    UNION ALL
    SELECT CASE WHEN found.at_ms < %(at_ms)s THEN middle + 1 ELSE low END,
           CASE WHEN found.at_ms < %(at_ms)s THEN high ELSE middle END
    FROM (SELECT low, high, (low + high) / 2 AS middle FROM search WHERE low < high) AS half
    CROSS JOIN LATERAL (
        SELECT at_ms FROM ledger_transfer WHERE debit_account_id = %(account)s AND debit_no = middle
        UNION ALL
        SELECT at_ms FROM ledger_transfer WHERE credit_account_id = %(account)s AND credit_no = middle
    ) AS found
)
SELECT low FROM search WHERE low >= high"""

_OF_REFERENCE = """
SELECT no, entry.at_ms, family, kind, entry.amount, after, reference, adjustment.reason FROM (
    SELECT debit_no AS no, at_ms, family, kind, -amount AS amount, debit_after AS after, reference
    FROM ledger_transfer
    WHERE family = ANY(%(families)s) AND reference = %(reference)s AND debit_account_id = %(account)s
    UNION ALL
    SELECT credit_no, at_ms, family, kind, amount, credit_after, reference
    FROM ledger_transfer
    WHERE family = ANY(%(families)s) AND reference = %(reference)s AND credit_account_id = %(account)s
) AS entry
LEFT JOIN ledger_adjustment AS adjustment ON family = 'adjustment' AND adjustment.id = reference
ORDER BY no DESC"""

_SUMS = """
SELECT family, kind, count(*), sum(amount)::bigint FROM (
    SELECT family, kind, -amount AS amount FROM ledger_transfer
    WHERE debit_account_id = %(account)s AND debit_no >= %(least)s AND debit_no < %(before)s
    UNION ALL
    SELECT family, kind, amount FROM ledger_transfer
    WHERE credit_account_id = %(account)s AND credit_no >= %(least)s AND credit_no < %(before)s
) AS entry
GROUP BY family, kind ORDER BY family, kind"""


def statement(*, account_id: UUID, before_no: int | None, limit: int, least_no: int = 0) -> list[StatementRow]:
    """Return the newest entries of a guarded account, complete back to its opening as pages go on."""
    before = before_no if before_no is not None else 2**62
    params = {"account": account_id, "least": least_no, "before": before, "limit": limit}
    return [StatementRow(*row) for row in db.rows(_STATEMENT, params)]


def entries_of_reference(*, account_id: UUID, reference: UUID) -> list[StatementRow]:
    """Return the entries of one fact, such as an order, on a guarded account."""
    params = {"account": account_id, "reference": reference, "families": [family.value for family in Family]}
    return [StatementRow(*row) for row in db.rows(_OF_REFERENCE, params)]


def numbers_between(*, account_id: UUID, from_ms: int | None, to_ms: int | None) -> tuple[int, int]:
    """Return the numbers of a guarded account's entries in a time: the first one, and the one after the last."""

    def first_no(at_ms: int) -> int:
        found = db.row(_FIRST_NO, {"account": account_id, "at_ms": at_ms})
        assert found is not None
        return int(found[0])

    return 1 if from_ms is None else first_no(from_ms), 2**62 if to_ms is None else first_no(to_ms)


@dataclass(frozen=True, slots=True)
class KindSum:
    """What the entries of one kind came to, signed, in minor units."""

    family: str
    kind: str
    count: int
    amount: int


@dataclass(frozen=True, slots=True)
class Period:
    """A run of a guarded account's entries: opening + all sums = closing."""

    opening: int
    closing: int
    sums: list[KindSum]


def period_of(*, account_id: UUID, from_ms: int | None, to_ms: int | None) -> Period:
    """Return where an account stood before and after a time, and what moved it in between."""
    least, before = numbers_between(account_id=account_id, from_ms=from_ms, to_ms=to_ms)
    params = {"account": account_id, "least": least, "before": before}
    sums = [KindSum(*row) for row in db.rows(_SUMS, params)]
    return Period(_balance_before(account_id, least), _balance_before(account_id, before), sums)


def _balance_before(account_id: UUID, no: int) -> int:
    found = statement(account_id=account_id, before_no=no, limit=1)
    return found[0].balance_after if found else 0


def house_total(account_ids: Iterable[UUID]) -> int:
    """Return the balance of accounts that keep none: all that reached them less all that left, in minor units.

    It reads their last checkpoints, and every transfer since; for pages that are seldom asked for.
    """
    found = db.row(statements.HOUSE_TOTAL, {"ids": list(account_ids)})
    assert found is not None
    return int(found[0])


@dataclass(frozen=True, slots=True)
class CheckpointRow:
    """Where an account stood when a UTC day ended; the balance in minor units."""

    day: date
    entry_no: int | None
    balance: int
    hash: bytes


def checkpoints_of(account_id: UUID, *, limit: int) -> list[CheckpointRow]:
    """Return the newest checkpoints of an account."""
    found = Checkpoint.objects.filter(account_id=account_id).order_by("-day")[:limit]
    return [CheckpointRow(row.day, row.entry_no, row.balance, bytes(row.hash)) for row in found]


def request_hash(request_id: UUID) -> bytes | None:
    """Return the payload hash that an approval of a request has to name, or None when there is no such request."""
    found = AdjustmentRequest.objects.filter(pk=request_id).values_list("payload_hash", flat=True).first()
    return None if found is None else bytes(found)


@dataclass(frozen=True, slots=True)
class TransferRow:
    """One movement of a fact; the kinds say what the accounts are for."""

    id: UUID
    at_ms: int
    family: str
    kind: str
    amount: int
    debit_kind: str
    credit_kind: str
    debit_no: int | None
    credit_no: int | None


def transfers_of_reference(reference: UUID) -> list[TransferRow]:
    """Return the movements of one fact, in the order of their making."""
    return [TransferRow(*row) for row in db.rows(statements.TRANSFERS_OF_REFERENCE, {"reference": reference})]

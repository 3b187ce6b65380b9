"""``balance.changed``: one event for each wallet and transaction, losses included."""

from __future__ import annotations

from uuid import UUID

import msgspec

from accounts.domain import ledger_of
from kernel.money import format_minor
from ledger import hooks
from realtime.events import EventDraft, event_register, payload_encoded
from realtime.services import events_append


class BalanceChanged(msgspec.Struct, frozen=True, kw_only=True):
    """A wallet's balance after a transaction; money as decimal text."""

    wallet_id: str
    ledger: str
    balance: str
    open_stakes: str
    cause: str


def balance_draft(
    *,
    user_id: UUID,
    wallet_id: UUID,
    book: str,
    currency: str,
    balance: int,
    open_stakes: int,
    cause: str,
    at_ms: int,
) -> EventDraft:
    """Return the event of a changed balance; money comes in minor units.

    :param cause: the fact behind it, such as ``order.opened``
    """
    payload = BalanceChanged(
        wallet_id=str(wallet_id),
        ledger=str(ledger_of(book)),
        balance=format_minor(balance, currency),
        open_stakes=format_minor(open_stakes, currency),
        cause=cause,
    )
    return EventDraft(user_id, book, "balance.changed", payload_encoded(payload), at_ms)


# A payload whose money is filled in later, where the balances are known: by PostgreSQL, or by `payload_filled`.
OPEN_STAKES = '","open_stakes":"'


def payload_begun(*, wallet_id: UUID, book: str) -> str:
    """Return the JSON of a changed balance up to the money; what follows is the balance."""
    return f'{{"wallet_id":"{wallet_id}","ledger":"{ledger_of(book)}","balance":"'


def payload_end(cause: str) -> str:
    """Return the JSON after the money."""
    return f'","cause":"{cause}"}}'


def payload_filled(begun: str, *, balance: int, open_stakes: int, currency: str, cause: str) -> bytes:
    """Return the whole payload that :func:`payload_begun` began; money comes in minor units."""
    money = format_minor(balance, currency), format_minor(open_stakes, currency)
    return f"{begun}{OPEN_STAKES.join(money)}{payload_end(cause)}".encode()


def connect() -> None:
    """Tell users of what the ledger's own services do to their balances."""
    event_register("balance.changed", BalanceChanged)
    hooks.on_balance_changed.append(_balance_changed)


def _balance_changed(fact: hooks.BalanceChanged) -> None:
    events_append(
        [
            balance_draft(
                user_id=fact.user_id,
                wallet_id=fact.wallet_id,
                book=fact.book,
                currency=fact.currency,
                balance=fact.balance,
                open_stakes=fact.open_stakes,
                cause=fact.cause,
                at_ms=fact.at_ms,
            )
        ]
    )

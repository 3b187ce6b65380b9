"""Writes of trading: an order is placed, or refused with nothing changed."""

from __future__ import annotations

import time
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import OperationalError, transaction
from psycopg.errors import DeadlockDetected, LockNotAvailable

from accounts.callers import Caller
from accounts.domain import ledger_of
from kernel import db
from kernel.errors import Problem
from kernel.failpoints import reach
from kernel.ids import uuid7
from kernel.metrics import count
from kernel.money import AmountPrecisionError, parse_amount
from ledger.domain import REAL
from ledger.errors import wallet_unknown
from quotes.domain import MarketFacts, market_state
from realtime.balances import balance_draft
from realtime.events import EventDraft, payload_encoded
from realtime.services import events_publish_on_commit
from realtime.statements import event_params
from trading import errors, statements
from trading.domain import Account, Direction, Market, Terms, Ticket, Wallet, admit
from trading.events import OrderDocument, order_document
from trading.limit_rules import LimitUse
from trading.limits import limit_use
from trading.models import HANDLED_US_MAX, Order
from trading.refusals import refusal_count


@dataclass(frozen=True, slots=True)
class PlacedOrder:
    """An accepted order; ``repeated`` when it was accepted before and is only told again."""

    order: OrderDocument
    repeated: bool


@dataclass(frozen=True, slots=True)
class _Facts:
    """What the second statement of placement read, under the wallet's lock."""

    now_ms: int
    wallet: Wallet
    account: Account
    limits_set: bool
    market: Market | None
    repeated_id: UUID | None


def order_place(
    *, caller: Caller, ticket: Ticket, arrived_ns: int | None = None, not_after_ms: int | None = None
) -> PlacedOrder:
    """Accept an order and reserve its stake, or refuse it with nothing changed.

    The clock is the database's, read after the wallet is locked, and handed to :func:`trading.domain.admit`.

    :param arrived_ns: when the request came, on this process's monotonic clock; without it, now. It is measured, kept
        for the report on equal execution, and never judged.
    :param not_after_ms: the last instant at which a new order may be accepted, by the database's clock; an order that
        was accepted in time is told again at any time
    :raises Problem: with the code of the first check that failed (rules, section 2); ``order.busy`` when the wallet
        stayed locked for 2 s
    """
    arrived_ns = time.monotonic_ns() if arrived_ns is None else arrived_ns
    try:
        with transaction.atomic(durable=True):
            placed = _placed(caller, ticket, arrived_ns, not_after_ms)
            reach("place.written")
    except OperationalError as error:
        if isinstance(error.__cause__, LockNotAvailable | DeadlockDetected):
            refusal_count(caller, ticket, "order.busy")
            raise errors.order_busy() from error
        raise
    except Problem as problem:
        refusal_count(caller, ticket, problem.code)
        raise
    reach("place.answering")
    count("orders_repeated" if placed.repeated else "orders_placed")
    return placed


def _placed(caller: Caller, ticket: Ticket, arrived_ns: int, not_after_ms: int | None) -> PlacedOrder:
    wallet_id = _wallet_locked(caller, ticket)
    reach("place.wallet_locked")
    facts = _facts(caller, ticket, wallet_id)
    reach("place.facts_read")
    asked = _asked(ticket)
    if facts.repeated_id is not None:
        stored = Order.objects.get(pk=facts.repeated_id)
        if stored.asked != asked:
            raise errors.client_order_id_reused()
        return PlacedOrder(order_document(stored), repeated=True)
    if not_after_ms is not None and facts.now_ms > not_after_ms:
        raise errors.signal_stale()
    terms = admit(
        ticket=ticket,
        stake=_stake(ticket, facts.wallet),
        account=facts.account,
        wallet=facts.wallet,
        market=facts.market,
        use=_limit_use(caller, facts),
        now_ms=facts.now_ms,
    )
    reach("place.admitted")
    return PlacedOrder(_written(caller, ticket, facts.wallet, terms, asked, arrived_ns), repeated=False)


def _wallet_locked(caller: Caller, ticket: Ticket) -> UUID:
    """Lock the wallet that the ticket names.

    :raises Problem: ``wallet.unknown``, or ``auth.ledger`` for a token that is bound to other ledgers
    """
    # A token learns nothing of ledgers it is not bound to, not even whether a wallet is there.
    if ticket.ledger is not None and not caller.may_see(ticket.ledger):
        raise errors.ledger_forbidden()
    book = ticket.ledger if ticket.ledger in ("real", "demo") else None
    found = db.row(statements.WALLET_LOCK, {"user_id": caller.user_id, "wallet_id": ticket.wallet_id, "book": book})
    if found is None:
        raise wallet_unknown()
    if not caller.may_see(ledger_of(found[1])):
        raise errors.ledger_forbidden()
    wallet_id: UUID = found[0]
    return wallet_id


def _facts(caller: Caller, ticket: Ticket, wallet_id: UUID) -> _Facts:
    found = db.row(
        statements.FACTS,
        {
            "wallet_id": wallet_id,
            "symbol": ticket.symbol,
            "client_order_id": ticket.client_order_id,
            "custom_on_real": settings.CUSTOM_FEEDS_ON_REAL,
        },
    )
    assert found is not None
    now_ms, repeated_id, book, currency, balance, stakes_id, open_stakes = found[:7]
    tradable_from, tradable_until, symbols, min_stake, max_stake = found[7:12]
    wallet = Wallet(
        id=wallet_id,
        user_id=caller.user_id,
        book=book,
        currency=currency,
        balance=balance,
        stakes_id=stakes_id,
        open_stakes=open_stakes,
        tradable_from_ms=tradable_from,
        tradable_until_ms=tradable_until,
        symbols=None if symbols is None else tuple(symbols),
        min_stake=min_stake,
        max_stake=max_stake,
    )
    account = Account(*found[12:17])
    market = None if found[18] is None else _market(now_ms, found[18:48])
    return _Facts(now_ms, wallet, account, found[17], market, repeated_id)


def _market(now_ms: int, columns: tuple[Any, ...]) -> Market:
    symbol_id, code, offered, price_scale, payout, min_stake, max_stake, min_s, max_s, deadline_s = columns[:10]
    entry, settlement, revision, custom, cap, exposure, watermark_ms = columns[10:17]
    facts = MarketFacts(*columns[17:30])
    return Market(
        symbol_id=symbol_id,
        code=code,
        offered=offered,
        state=market_state(facts, now_ms=now_ms),
        price_scale=price_scale,
        payout_percent=payout,
        min_stake=min_stake,
        max_stake=max_stake,
        min_duration_s=min_s,
        max_duration_s=max_s,
        purchase_deadline_s=deadline_s,
        max_tick_age_ms=facts.max_tick_age_ms,
        entry_rule=entry,
        settlement_rule=settlement,
        revision=revision,
        custom=custom,
        session_closes_ms=facts.session_closes_ms,
        exposure_cap=cap,
        exposure=None if exposure is None else {Direction.UP: exposure[0], Direction.DOWN: exposure[1]},
        tick_seq=facts.tick_seq or 0,
        tick_at_ms=facts.tick_at_ms,
        tick_price=facts.tick_price,
        watermark_ms=watermark_ms or 0,
    )


def _limit_use(caller: Caller, facts: _Facts) -> LimitUse | None:
    """Read what is used of own limits and of the token's caps, for those who have any; most clients have none."""
    own = facts.limits_set and facts.wallet.book == REAL
    if not own and not caller.capped:
        return None
    token_id = caller.token_id if caller.capped else None
    return limit_use(user_id=caller.user_id, token_id=token_id, book=facts.wallet.book, now_ms=facts.now_ms)


def _stake(ticket: Ticket, wallet: Wallet) -> int | None:
    try:
        return parse_amount(ticket.stake, wallet.currency)
    except AmountPrecisionError:
        return None


def _asked(ticket: Ticket) -> str:
    """Return the parsed terms in one normal form: equal terms are equal text, however they were spelt."""
    stake = _plain(ticket.stake)
    expiry = f"for {ticket.duration_s} s" if ticket.duration_s is not None else f"until {ticket.expires_at_ms}"
    guards = (
        ticket.min_payout_percent,
        _plain(ticket.max_price_drift),
        _plain(ticket.expected_price),
    )
    return f"{ticket.symbol} {ticket.direction} {stake} {expiry} {guards}"


def _plain(number: str | None) -> str | None:
    """Drop the zeros that do not change a decimal's value."""
    if number is None:
        return None
    whole, _, fraction = number.partition(".")
    return f"{int(whole)}.{fraction.rstrip('0')}"


def _shown_columns(caller: Caller, ticket: Ticket, wallet: Wallet, terms: Terms) -> dict[str, Any]:
    """Return the columns of a new order that its document shows."""
    opening = terms.opening
    return {
        "client_order_id": ticket.client_order_id,
        "wallet_id": wallet.id,
        "book": wallet.book,
        "currency": wallet.currency,
        "source": caller.source,
        "symbol_id": terms.symbol_id,
        "symbol": terms.symbol,
        "direction": terms.direction.value,
        "stake": terms.stake,
        "payout_percent": terms.payout_percent,
        "entry_rule": terms.entry_rule,
        "settlement_rule": terms.settlement_rule,
        "price_scale": terms.price_scale,
        "expires_at_ms": terms.expires_at_ms,
        "entered_at_ms": opening and terms.accepted_at_ms,
        "open_seq": opening and opening.seq,
        "open_at_ms": opening and opening.at_ms,
        "open_price": opening and opening.price,
    }


def _frozen_columns(caller: Caller, terms: Terms, asked: str) -> dict[str, Any]:
    """Return the other columns: what repeats, entry, evidence and receipts are judged by."""
    wait = terms.wait
    return {
        "asked": asked,
        "token_id": caller.token_id,
        "max_tick_age_ms": terms.max_tick_age_ms,
        "revision": terms.revision,
        "custom": terms.custom,
        "session_closes_ms": terms.session_closes_ms,
        "expected_price": terms.expected_price,
        "max_price_drift": terms.max_price_drift,
        "entry_after_seq": wait and wait.after_seq,
        "entry_after_ms": wait and wait.after_ms,
        "entry_until_ms": wait and wait.until_ms,
    }


def _written(
    caller: Caller, ticket: Ticket, wallet: Wallet, terms: Terms, asked: str, arrived_ns: int
) -> OrderDocument:
    order_id = uuid7()
    balance = wallet.balance - terms.stake
    columns = _shown_columns(caller, ticket, wallet, terms)
    document = order_document(_row(order_id, columns, terms, balance))
    told = "order.opened" if terms.opening else "order.accepted"
    drafts = [
        EventDraft(caller.user_id, wallet.book, told, payload_encoded(document), terms.accepted_at_ms),
        balance_draft(
            user_id=caller.user_id,
            wallet_id=wallet.id,
            book=wallet.book,
            currency=wallet.currency,
            balance=balance,
            open_stakes=wallet.open_stakes + terms.stake,
            cause=told,
            at_ms=terms.accepted_at_ms,
        ),
    ]
    params = {
        "order_id": order_id,
        "transfer_id": uuid7(),
        "user_id": caller.user_id,
        "stakes_id": wallet.stakes_id,
        "at_ms": terms.accepted_at_ms,
        "handled_us": min((time.monotonic_ns() - arrived_ns) // 1_000, HANDLED_US_MAX),
    }
    written = db.row(
        statements.PLACE,
        columns | _frozen_columns(caller, terms, asked) | params | event_params(caller.user_id, drafts),
    )
    # The lock and admission make this certain; the condition in the statement is the second wall.
    if written is None or written[0] != balance:
        raise errors.insufficient_funds()
    events_publish_on_commit(caller.user_id, written[1] - len(drafts) + 1, drafts)
    return document


def _row(order_id: UUID, columns: dict[str, Any], terms: Terms, balance: int) -> SimpleNamespace:
    """Return the new order as its row will read."""
    later = ("close_seq", "close_at_ms", "close_price", "close_tick_price", "reason", "payout", "settled_at_ms")
    return SimpleNamespace(
        id=order_id,
        state="open",
        accepted_at_ms=terms.accepted_at_ms,
        balance_after=balance,
        **columns,
        **dict.fromkeys(later),
    )

"""The order as clients see it, and the events that carry it."""

from __future__ import annotations

from typing import Any

import msgspec

from accounts.domain import ledger_of
from kernel.clock import optional_rfc3339, rfc3339
from kernel.money import format_minor, format_scaled, optional_scaled
from realtime.events import event_register, payload_encoded


class TickDocument(msgspec.Struct, frozen=True):
    """One tick of the log that an order refers to."""

    seq: int
    at: str
    price: str


class OrderDocument(msgspec.Struct, frozen=True, kw_only=True):
    """An order; money and prices as decimal text, times in RFC 3339."""

    id: str
    client_order_id: str
    ledger: str
    wallet_id: str
    symbol: str
    direction: str
    stake: str
    payout_percent: int
    entry_rule: str
    settlement_rule: str
    state: str
    accepted_at: str
    entered_at: str | None
    open_price: str | None
    open_tick: TickDocument | None
    expires_at: str
    close_price: str | None
    close_tick: TickDocument | None
    settled_at: str | None
    payout: str | None
    profit: str | None
    reason: str | None
    source: str
    balance_after: str


def _tick(seq: int | None, at_ms: int | None, price: int | None, scale: int) -> TickDocument | None:
    if seq is None or at_ms is None or price is None:
        return None
    return TickDocument(seq=seq, at=rfc3339(at_ms), price=format_scaled(price, scale))


def order_document(order: Any) -> OrderDocument:
    """Return an order as clients see it.

    :param order: a row of ``trading_order``, or anything with its columns as attributes
    """
    scale, currency = order.price_scale, order.currency
    payout = order.payout
    return OrderDocument(
        id=str(order.id),
        client_order_id=order.client_order_id,
        ledger=str(ledger_of(order.book)),
        wallet_id=str(order.wallet_id),
        symbol=order.symbol,
        direction=order.direction,
        stake=format_minor(order.stake, currency),
        payout_percent=order.payout_percent,
        entry_rule=order.entry_rule,
        settlement_rule=order.settlement_rule,
        state=order.state,
        accepted_at=rfc3339(order.accepted_at_ms),
        entered_at=optional_rfc3339(order.entered_at_ms),
        open_price=optional_scaled(order.open_price, scale),
        open_tick=_tick(order.open_seq, order.open_at_ms, order.open_price, scale),
        expires_at=rfc3339(order.expires_at_ms),
        close_price=optional_scaled(order.close_price, scale),
        close_tick=_tick(order.close_seq, order.close_at_ms, _close_tick_price(order), scale),
        settled_at=optional_rfc3339(order.settled_at_ms),
        payout=None if payout is None else format_minor(payout, currency),
        profit=None if payout is None else format_minor(payout - order.stake, currency),
        reason=order.reason,
        source=order.source,
        balance_after=format_minor(order.balance_after, currency),
    )


# An order's document ends with the balance after it. Where that is not known yet, the rest is written before.
PAYLOAD_END = '"}'


def payload_begun(order: Any) -> str:
    """Return the JSON of an order up to the figures of the balance after it, which :data:`PAYLOAD_END` follows."""
    unfinished = format_minor(order.balance_after, order.currency) + PAYLOAD_END
    return payload_encoded(order_document(order)).decode().removesuffix(unfinished)


def payload_filled(begun: str, *, balance: int, currency: str) -> bytes:
    """Return the whole document that :func:`payload_begun` began; the balance comes in minor units."""
    return f"{begun}{format_minor(balance, currency)}{PAYLOAD_END}".encode()


def _close_tick_price(order: Any) -> int | None:
    """Return the price of the evidence tick, where a rule's closing price is another one."""
    price: int | None = order.close_price if order.close_tick_price is None else order.close_tick_price
    return price


def events_register() -> None:
    """Make the events of orders known to the event log."""
    for name in ("order.accepted", "order.opened", "order.settled"):
        event_register(name, OrderDocument)

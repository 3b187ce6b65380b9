"""The receipt of an order: all that its result follows from, terms to transfers, with proofs, signed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec

from kernel import db
from kernel.clock import optional_rfc3339, rfc3339, wall_ms
from kernel.money import format_minor
from kernel.signing import canonical, signed
from ledger.selectors import transfers_of_reference
from quotes.domain import ADMISSION, ADMISSION_VERSION, RaiseCause
from settlement.domain import trimmed_mean
from settlement.receipt_documents import (
    Receipt,
    ReceiptEvidence,
    ReceiptFeed,
    ReceiptRules,
    ReceiptStep,
    ReceiptTerms,
    ReceiptTransfer,
    ReceiptWatermark,
)
from settlement.receipt_ticks import LOG, ShownTicks, ran_to_expiry, seal_documents, tick_source, ticks_shown
from trading.domain import NEXT_TICK, OrderState
from trading.events import order_document
from trading.models import Order

VERSION = "receipt/2"
_CAUSES = {RaiseCause.TICK: "tick", RaiseCause.HEARTBEAT: "heartbeat", RaiseCause.SETTLEMENT: "settlement"}


_REVISIONS = """
SELECT number, feed, source, endpoint, price_scale, price_source FROM quotes_symbol_revision
WHERE symbol_id = %(symbol_id)s ORDER BY number"""

_REACHED = """
SELECT watermark_ms, cause, raised_at_ms FROM quotes_watermark_raise
WHERE symbol_id = %(symbol_id)s AND watermark_ms >= %(at_ms)s
ORDER BY watermark_ms, raised_at_ms LIMIT 1"""

_DECLARED = """
SELECT closed, reason, at_ms FROM quotes_feed_declaration
WHERE symbol_id = %(symbol_id)s AND at_ms <= %(at_ms)s ORDER BY at_ms DESC, id DESC LIMIT 1"""

_EMERGENCY = """
SELECT min(number) FROM quotes_symbol_revision
WHERE symbol_id = %(symbol_id)s AND emergency AND number > %(revision)s AND since_ms <= %(at_ms)s"""


@dataclass(frozen=True, slots=True)
class ReceiptFacts:
    """What an order's receipt says besides the order: read from the database, or made up in a test vector."""

    feed: str
    feed_symbol: str
    endpoint: str
    price_source: str
    ticks: str
    shown: ShownTicks
    declared: tuple[bool, str | None, int | None]
    emergency_revision: int | None
    watermark: ReceiptWatermark | None
    transfers: list[ReceiptTransfer]


def receipt_of(order: Order) -> Receipt:
    """Return an order's receipt as it stands now; what has not happened yet is null or missing from its lists."""
    revisions = {row[0]: row[1:] for row in db.rows(_REVISIONS, {"symbol_id": order.symbol_id})}
    feed, name, endpoint, _, price_source = revisions[order.revision]
    source = tick_source(order)
    at = {"symbol_id": order.symbol_id, "at_ms": order.expires_at_ms}
    emergency = db.row(_EMERGENCY, at | {"revision": order.revision})
    facts = ReceiptFacts(
        feed=feed,
        feed_symbol=name,
        endpoint=endpoint,
        price_source=price_source,
        ticks="log" if source.table == LOG else "archive",
        shown=ticks_shown(order, source, {number: row[3] for number, row in revisions.items()}),
        declared=_three(db.row(_DECLARED, at) or (False, None, None)),
        emergency_revision=emergency[0] if emergency else None,
        watermark=_watermark(order),
        transfers=_transfers(order),
    )
    return receipt_made(order, facts)


def receipt_made(order: Order, facts: ReceiptFacts) -> Receipt:
    """Return the receipt that an order and the facts about it make. Pure."""
    settled, shown = order.state != OrderState.OPEN, facts.shown
    evidence = _evidence(order, facts) if settled else None
    return Receipt(
        version=VERSION,
        ticks=facts.ticks,
        proofs="complete" if shown.complete else "pending",
        order=order_document(order),
        feed="custom" if order.custom else facts.feed,
        source=ReceiptFeed(
            name=facts.feed,
            symbol=facts.feed_symbol,
            endpoint=facts.endpoint,
            revision=order.revision,
            price_source=facts.price_source,
        ),
        terms=_terms(order),
        rules=ReceiptRules(
            admission=ADMISSION_VERSION,
            entry=order.entry_rule,
            settlement=order.settlement_rule,
            grace_ms=ADMISSION.grace_ms,
        ),
        opening=shown.around(shown.opening),
        evidence=evidence,
        watermark=facts.watermark if settled else None,
        arithmetic=_arithmetic(order, evidence),
        transfers=facts.transfers,
        seals=seal_documents(shown.proofs.values()),
    )


def receipt_bytes(receipt: Receipt) -> bytes:
    """Return a receipt as it is handed out: canonical JSON, signed now."""
    return canonical(signed(msgspec.to_builtins(receipt) | {"signed_at": rfc3339(wall_ms())}))


def _terms(order: Order) -> ReceiptTerms:
    return ReceiptTerms(
        currency=order.currency,
        price_scale=order.price_scale,
        max_tick_age_ms=order.max_tick_age_ms,
        symbol_revision=order.revision,
        session_closes_at=optional_rfc3339(order.session_closes_ms),
        entry_after_seq=order.entry_after_seq,
        entry_until=optional_rfc3339(order.entry_until_ms),
        expected_price=order.expected_price,
        max_price_drift=order.max_price_drift,
    )


def _evidence(order: Order, facts: ReceiptFacts) -> ReceiptEvidence | None:
    """Return what decided a settled order; None for one that never entered."""
    if not ran_to_expiry(order):
        return None
    shown = facts.shown
    around, (feed_closed, feed_said, feed_said_ms) = shown.around(shown.evidence), facts.declared
    return ReceiptEvidence(
        tick=around.tick,
        before=around.before,
        after=around.after,
        window=[shown.document(row) for row in shown.window],
        window_before=shown.optional(shown.window_before),
        feed_closed=feed_closed,
        feed_said=feed_said,
        feed_said_at=optional_rfc3339(feed_said_ms),
        emergency_revision=facts.emergency_revision,
    )


def _three(row: Sequence[Any]) -> tuple[bool, str | None, int | None]:
    closed, said, at_ms = row
    return closed, said, at_ms


def _watermark(order: Order) -> ReceiptWatermark | None:
    limit_ms = order.entry_until_ms if order.reason == "no_entry_tick" else order.expires_at_ms
    found = db.row(_REACHED, {"symbol_id": order.symbol_id, "at_ms": limit_ms})
    if found is None or order.reason == "price_moved":
        return None
    return ReceiptWatermark(
        watermark=rfc3339(found[0]), cause=_CAUSES[RaiseCause(found[1])], raised_at=rfc3339(found[2])
    )


def _arithmetic(order: Order, evidence: ReceiptEvidence | None) -> list[ReceiptStep]:
    """Return the calculation line by line, in integers."""
    steps = [ReceiptStep(what="stake", calculation=_money(order.stake, order), result=str(order.stake))]
    if order.entry_rule == NEXT_TICK and order.entry_after_seq is not None:
        calculation = f"seq {order.entry_after_seq} + 1, not after {optional_rfc3339(order.entry_until_ms)}"
        steps.append(ReceiptStep(what="entry tick", calculation=calculation, result=str(order.open_seq or "none")))
    if order.state == OrderState.OPEN:
        return steps
    if evidence is not None and evidence.window:
        prices = [_scaled(tick.price) for tick in evidence.window]
        dropped = 3 * len(prices) // 10
        calculation = f"mean of {len(prices)} prices without the {dropped} lowest and the {dropped} highest"
        steps.append(ReceiptStep(what="closing price", calculation=calculation, result=str(trimmed_mean(prices))))
    if order.open_price is not None and order.close_price is not None and order.reason is None:
        moved = order.close_price - order.open_price
        calculation = f"{order.close_price} - {order.open_price}"
        steps.append(ReceiptStep(what="price moved", calculation=calculation, result=str(moved)))
    if order.state == OrderState.WON:
        profit = (order.payout or 0) - order.stake
        calculation = f"{order.stake} x {order.payout_percent} // 100"
        steps.append(ReceiptStep(what="profit", calculation=calculation, result=str(profit)))
    paid = {
        OrderState.WON: "stake + profit",
        OrderState.LOST: "nothing",
        OrderState.TIED: "stake: the prices are equal",
        OrderState.REFUNDED: f"stake: {order.reason}",
    }[OrderState(order.state)]
    steps.append(ReceiptStep(what="credited", calculation=paid, result=str(order.payout)))
    return steps


def _scaled(price: str) -> int:
    return int(price.replace(".", ""))


def _transfers(order: Order) -> list[ReceiptTransfer]:
    return [
        ReceiptTransfer(
            id=str(row.id),
            at=rfc3339(row.at_ms),
            family=row.family,
            kind=row.kind,
            amount=_money(row.amount, order),
            debit=row.debit_kind,
            credit=row.credit_kind,
            debit_no=row.debit_no,
            credit_no=row.credit_no,
        )
        for row in transfers_of_reference(order.id)
    ]


def _money(amount: int, order: Order) -> str:
    return format_minor(amount, order.currency)


def order_receipt(*, user_id: UUID, order_id: UUID) -> tuple[Order, Receipt] | None:
    """Return an order of a user with its receipt, or None when it is not theirs."""
    order = Order.objects.filter(user_id=user_id, pk=order_id).first()
    return None if order is None else (order, receipt_of(order))

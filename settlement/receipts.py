"""The receipt of an order: everything one needs to check its result by hand, from terms to transfers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec

from kernel import db
from kernel.clock import optional_rfc3339, rfc3339
from kernel.money import format_minor, format_scaled
from ledger.selectors import transfers_of_reference
from quotes.domain import ADMISSION, ADMISSION_VERSION, RaiseCause
from settlement.archive import log_begins_ms
from settlement.domain import TRIMMED_WINDOW_MS, trimmed_mean
from trading.domain import NEXT_TICK, TRIMMED_MEAN, OrderState
from trading.events import OrderDocument, order_document
from trading.models import Order

VERSION = "receipt/1"
_CAUSES = {RaiseCause.TICK: "tick", RaiseCause.HEARTBEAT: "heartbeat", RaiseCause.SETTLEMENT: "settlement"}


class ReceiptTick(msgspec.Struct, frozen=True, kw_only=True):
    """One admitted tick as the log has it; bid and ask as the feed sent them."""

    seq: int
    at: str
    received_at: str
    bid: str | None
    ask: str | None
    price: str
    revision: int


class ReceiptTicks(msgspec.Struct, frozen=True, kw_only=True):
    """A tick that decided something, with the one before and the one after it in the log."""

    tick: ReceiptTick | None
    before: ReceiptTick | None
    after: ReceiptTick | None


class ReceiptFeed(msgspec.Struct, frozen=True, kw_only=True):
    """Where the prices came from, under the order's revision of the symbol."""

    name: str
    symbol: str
    endpoint: str
    revision: int
    price_source: str


class ReceiptTerms(msgspec.Struct, frozen=True, kw_only=True):
    """What was frozen at acceptance and no order document shows."""

    currency: str
    price_scale: int
    max_tick_age_ms: int
    symbol_revision: int
    session_closes_at: str | None
    entry_after_seq: int | None
    entry_until: str | None
    expected_price: str | None
    max_price_drift: str | None


class ReceiptRules(msgspec.Struct, frozen=True, kw_only=True):
    """The rules in force, by name and version."""

    admission: str
    entry: str
    settlement: str
    grace_ms: int


class ReceiptEvidence(msgspec.Struct, frozen=True, kw_only=True):
    """What the log says about the expiry.

    ``window`` has the ticks that a mean was taken of, ``feed_closed`` the feed's last word by the expiry.
    """

    tick: ReceiptTick | None
    before: ReceiptTick | None
    after: ReceiptTick | None
    window: list[ReceiptTick]
    feed_closed: bool
    feed_said: str | None
    feed_said_at: str | None
    emergency_revision: int | None


class ReceiptWatermark(msgspec.Struct, frozen=True, kw_only=True):
    """The raise that made the order due, or decided that it could not enter."""

    watermark: str
    cause: str
    raised_at: str


class ReceiptStep(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the arithmetic; integers are minor units of the currency or of the price scale."""

    what: str
    calculation: str
    result: str


class ReceiptTransfer(msgspec.Struct, frozen=True, kw_only=True):
    """One movement of money that belongs to the order."""

    id: str
    at: str
    family: str
    kind: str
    amount: str
    debit: str
    credit: str
    debit_no: int | None
    credit_no: int | None


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """A receipt; unsigned. ``feed`` says ``custom`` where prices are made or come from an overridden endpoint.

    ``ticks`` is ``archive`` when the days that it speaks of have left the log: their ticks are in the archive's files
    then, and here only as far as the order itself keeps them.
    """

    version: str
    signature: str | None
    ticks: str
    order: OrderDocument
    feed: str
    source: ReceiptFeed
    terms: ReceiptTerms
    rules: ReceiptRules
    opening: ReceiptTicks
    evidence: ReceiptEvidence | None
    watermark: ReceiptWatermark | None
    arithmetic: list[ReceiptStep]
    transfers: list[ReceiptTransfer]


_TICK = "seq, at_ms, received_at_ms, bid::text, ask::text, price, revision"

# A tick by its number; the log is gap-free, so its neighbours have the numbers beside it.
_AROUND = f"""
SELECT {_TICK} FROM quotes_tick
WHERE symbol_id = %(symbol_id)s AND seq BETWEEN %(seq)s - 1 AND %(seq)s + 1
  AND at_ms >= %(at_ms)s - 86400000 AND at_ms <= %(at_ms)s + 86400000
ORDER BY seq"""

_WINDOW = f"""
SELECT {_TICK} FROM quotes_tick
WHERE symbol_id = %(symbol_id)s AND at_ms > %(from_ms)s AND at_ms <= %(to_ms)s ORDER BY at_ms, seq"""

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


def receipt_of(order: Order) -> Receipt:
    """Return an order's receipt as it stands now; what has not happened yet is null or missing from its lists."""
    revisions = {row[0]: row[1:] for row in db.rows(_REVISIONS, {"symbol_id": order.symbol_id})}
    scales = {number: row[3] for number, row in revisions.items()}
    feed, source, endpoint, _, price_source = revisions[order.revision]
    settled = order.state != OrderState.OPEN
    evidence = _evidence(order, scales) if settled else None
    return Receipt(
        version=VERSION,
        signature=None,
        ticks="archive" if (order.entry_after_ms or order.open_at_ms or 0) < log_begins_ms() else "log",
        order=order_document(order),
        feed="custom" if order.custom else feed,
        source=ReceiptFeed(
            name=feed, symbol=source, endpoint=endpoint, revision=order.revision, price_source=price_source
        ),
        terms=_terms(order),
        rules=ReceiptRules(
            admission=ADMISSION_VERSION,
            entry=order.entry_rule,
            settlement=order.settlement_rule,
            grace_ms=ADMISSION.grace_ms,
        ),
        opening=_around(order.symbol_id, order.open_seq, order.open_at_ms, scales),
        evidence=evidence,
        watermark=_watermark(order) if settled else None,
        arithmetic=_arithmetic(order, evidence),
        transfers=_transfers(order),
    )


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


def _tick(row: Sequence[Any], scales: dict[int, int]) -> ReceiptTick:
    seq, at_ms, received_at_ms, bid, ask, price, revision = row
    return ReceiptTick(
        seq=seq,
        at=rfc3339(at_ms),
        received_at=rfc3339(received_at_ms),
        bid=bid,
        ask=ask,
        price=format_scaled(price, scales[revision]),
        revision=revision,
    )


def _around(symbol_id: int, seq: int | None, at_ms: int | None, scales: dict[int, int]) -> ReceiptTicks:
    if seq is None:
        return ReceiptTicks(tick=None, before=None, after=None)
    rows = db.rows(_AROUND, {"symbol_id": symbol_id, "seq": seq, "at_ms": at_ms})
    ticks = {row[0]: _tick(row, scales) for row in rows}
    return ReceiptTicks(tick=ticks.get(seq), before=ticks.get(seq - 1), after=ticks.get(seq + 1))


def _evidence(order: Order, scales: dict[int, int]) -> ReceiptEvidence | None:
    """Return what decided a settled order; None for one that never entered."""
    if order.open_seq is None or order.reason == "price_moved":
        return None
    at = {"symbol_id": order.symbol_id, "at_ms": order.expires_at_ms}
    window = []
    if order.settlement_rule == TRIMMED_MEAN:
        bounds = {"from_ms": order.expires_at_ms - TRIMMED_WINDOW_MS, "to_ms": order.expires_at_ms}
        window = [_tick(row, scales) for row in db.rows(_WINDOW, {"symbol_id": order.symbol_id} | bounds)]
    around = _around(order.symbol_id, order.close_seq, order.close_at_ms, scales)
    declared = db.row(_DECLARED, at) or (False, None, None)
    emergency = db.row(_EMERGENCY, at | {"revision": order.revision})
    return ReceiptEvidence(
        tick=around.tick,
        before=around.before,
        after=around.after,
        window=window,
        feed_closed=declared[0],
        feed_said=declared[1],
        feed_said_at=optional_rfc3339(declared[2]),
        emergency_revision=emergency[0] if emergency else None,
    )


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

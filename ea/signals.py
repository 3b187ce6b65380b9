"""Signals as their owner sees them: what became of each, and where its time went."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec

from ea.models import Transition
from kernel import db
from kernel.clock import rfc3339

_COLUMNS = """
o.event_id, event.event_id, event.link_id, event.kid, event.seq, event.source, event.src_ticket, event.action,
o.strategy, o.symbol, o.state, o.code, o.order_id, event.recv_us, event.log_us, event.raw,
(SELECT coalesce(sum(times), 0) FROM ea_repeat WHERE ea_repeat.event_id = o.event_id),
spent.deal_ms, spent.signed_ms, spent.offset_ms, spent.rtt_us, spent.decided_us, spent.answered_us, spent.ref_price,
spent.open_price, spent.direction, spent.payout_percent, spent.quoted_percent"""
# The page first, by each installation's own index; then each of its rows by its number. A join would be free to read
# everybody's events in their order until the page is full.
_LIST = f"""
WITH page AS MATERIALIZED (
    SELECT o.* FROM unnest(%(links)s::bigint[]) AS link(id)
    CROSS JOIN LATERAL (
        SELECT event_id, strategy, symbol, state, code, order_id FROM ea_order
        WHERE link_id = link.id AND event_id < coalesce(%(before)s::bigint, 9223372036854775807)
          AND (%(state)s::text IS NULL OR state = %(state)s)
          AND (%(strategy)s::text IS NULL OR strategy = %(strategy)s)
          AND (%(symbol)s::text IS NULL OR symbol = %(symbol)s)
        ORDER BY event_id DESC LIMIT %(limit)s
    ) AS o
    ORDER BY o.event_id DESC LIMIT %(limit)s
)
SELECT {_COLUMNS}
FROM page AS o
CROSS JOIN LATERAL (SELECT * FROM ea_event WHERE id = o.event_id OFFSET 0) AS event
LEFT JOIN LATERAL (SELECT * FROM ea_latency WHERE ea_latency.event_id = o.event_id OFFSET 0) AS spent ON true
ORDER BY o.event_id DESC"""
_EACH = f"""
SELECT {_COLUMNS}
FROM ea_event AS event JOIN ea_order AS o ON o.event_id = event.id
LEFT JOIN ea_latency AS spent ON spent.event_id = event.id"""
_NUMBERED = f"{_EACH} WHERE event.id = %(event)s"
_ONE = f"""{_EACH}
WHERE event.event_id = %(event_id)s AND event.link_id = ANY(%(links)s::bigint[])"""


@dataclass(frozen=True, slots=True)
class SignalRow:
    """A signal with what became of it; the times are None until it has come to an answer."""

    event: int
    event_id: UUID
    link_id: int
    kid: str
    seq: int
    source: str
    src_ticket: str | None
    action: str
    strategy: str
    symbol: str | None
    state: str
    code: str | None
    order_id: UUID | None
    recv_us: int
    log_us: int
    raw: bytes
    repeats: int
    deal_ms: int | None
    signed_ms: int | None
    offset_ms: int | None
    rtt_us: int | None
    decided_us: int | None
    answered_us: int | None
    ref_price: str | None
    open_price: str | None
    direction: str | None
    payout_percent: int | None
    quoted_percent: int | None


class _Named(msgspec.Struct):
    symbol: Any = None


_named = msgspec.json.Decoder(_Named).decode


def signals_of(
    *,
    links: Collection[int],
    state: str | None,
    strategy: str | None,
    symbol: str | None,
    before: int | None,
    limit: int,
) -> list[SignalRow]:
    """Return signals of installations, the newest first.

    :param before: number of the last event of the page before
    """
    asked = {
        "links": db.numbers_array(links),
        "state": state,
        "strategy": strategy,
        "symbol": symbol,
        "before": before,
        "limit": limit,
    }
    return [SignalRow(*row) for row in db.rows(_LIST, asked)]


def signal_of(event: int) -> SignalRow:
    """Return the signal of an event by its number in the log.

    :raises LookupError: there is none
    """
    found = db.row(_NUMBERED, {"event": event})
    if found is None:
        raise LookupError(event)
    return SignalRow(*found)


def signal_detail(*, links: Collection[int], event_id: UUID) -> dict[str, Any] | None:
    """Return a signal of one of these installations with its steps and its payload, or None where there is none."""
    found = db.row(_ONE, {"links": db.numbers_array(links), "event_id": event_id})
    if found is None:
        return None
    one = SignalRow(*found)
    steps = Transition.objects.filter(order_id=one.event).order_by("step")
    received = {"state": "received", "actor": "gateway", "code": None, "at": rfc3339(one.log_us // 1_000)}
    transitions = [
        {"state": step.state, "actor": step.actor, "code": step.code, "at": rfc3339(step.at_us // 1_000)}
        for step in steps
    ]
    return signal_document(one) | {
        "transitions": [received, *transitions],
        "raw": bytes(one.raw).decode("utf-8", "replace"),
        "order": None if one.order_id is None else f"/api/v1/orders/{one.order_id}",
    }


def signal_document(one: SignalRow) -> dict[str, Any]:
    """Return a signal as it is shown."""
    return {
        "event_id": one.event_id,
        "installation_id": one.link_id,
        "kid": one.kid,
        "seq": one.seq,
        "source": one.source,
        "src_ticket": one.src_ticket,
        "action": one.action,
        "strategy": one.strategy,
        "raw_symbol": _raw_symbol(bytes(one.raw)),
        "symbol": one.symbol,
        "state": one.state,
        "code": one.code,
        "order_id": one.order_id,
        "received_at": rfc3339(one.recv_us // 1_000),
        "repeats": one.repeats,
        "latency": _latency(one),
        "drift": _drift(one),
    }


def _latency(one: SignalRow) -> dict[str, float | None] | None:
    if one.decided_us is None or one.deal_ms is None or one.signed_ms is None or one.offset_ms is None:
        return None
    answered = one.answered_us
    return {
        "signal_ms": one.signed_ms - one.deal_ms,
        "transport_ms": _ms(one.recv_us - (one.signed_ms + one.offset_ms) * 1_000),
        "transport_uncertainty_ms": _ms(one.rtt_us / 2) if one.rtt_us else None,
        "log_ms": _ms(one.log_us - one.recv_us),
        "risk_ms": _ms(one.decided_us - one.log_us),
        "placement_ms": None if answered is None else _ms(answered - one.decided_us),
        "total_ms": None if answered is None else _ms(answered - (one.deal_ms + one.offset_ms) * 1_000),
    }


def _drift(one: SignalRow) -> dict[str, Any] | None:
    price = payout = None
    if one.ref_price is not None and one.open_price is not None and one.direction is not None:
        moved = Decimal(one.open_price) - Decimal(one.ref_price)
        price = f"{moved if one.direction == 'up' else -moved:f}"
    if one.payout_percent is not None and one.quoted_percent is not None:
        payout = one.payout_percent - one.quoted_percent
    return None if price is None and payout is None else {"price": price, "payout_points": payout}


def _ms(us: float) -> float:
    return round(us / 1_000, 3)


def _raw_symbol(raw: bytes) -> str | None:
    """Return what a payload calls its symbol; the log may hold what the schema of today refuses."""
    try:
        symbol = _named(raw).symbol
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return symbol if isinstance(symbol, str) else None

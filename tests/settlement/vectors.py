"""The published vectors, as facts for the pure rules and as rows of a database that settlement works on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from django.db import transaction

from kernel import db
from kernel.clock import parse_rfc3339
from kernel.ids import uuid7
from kernel.money import parse_amount
from ledger.statements import STAKE_RESERVE
from quotes.models import FeedDeclaration, SymbolHead, SymbolRevision
from realtime.events import EventDraft, payload_encoded
from realtime.services import events_append
from settlement.domain import EntryTerms, Evidence, Terms, Tick
from tests.market import Trader, db_now_ms, market_open, trader_open
from trading.domain import Direction
from trading.events import order_document
from trading.models import Order, OrderOpen

FOLDER = Path(__file__).parents[2] / "docs" / "rules" / "vectors"
Vector = Mapping[str, Any]

_TICKS_INSERT = """
INSERT INTO quotes_tick (symbol_id, seq, at_ms, received_at_ms, bid, ask, price, revision)
SELECT %(id)s, seq, at_ms, at_ms, NULL, NULL, price, revision
FROM unnest(%(seqs)s::bigint[], %(at)s::bigint[], %(prices)s::bigint[], %(revisions)s::int[])
    AS tick(seq, at_ms, price, revision)"""
_RAISE_INSERT = """
INSERT INTO quotes_watermark_raise (symbol_id, watermark_ms, cause, seq, raised_at_ms)
VALUES (%(id)s, %(watermark)s, 2, %(seq)s, %(at)s)"""

# What rows cannot keep that are written past the services: vectors lie in the past and have logs that begin in their
# middle, their money is put there, and what is still open in them is late by now.
_BY_HAND = ("I-12", "I-16 ticks", "I-16 no watermark", "I-17 the clock", "I-18", "I-19", "I-29 each movement")


def unsound(violated: Mapping[str, int]) -> set[str]:
    """Return the invariants that vectors in tables violate and should not."""
    return {name for name in violated if not name.startswith(_BY_HAND)}


def published(name: str) -> list[Vector]:
    """Return the vectors of a file under ``docs/rules/vectors``."""
    found: list[Vector] = json.loads((FOLDER / f"{name}.json").read_text())["vectors"]
    return found


def scaled(price: str, scale: int) -> int:
    """Return a price as the whole number of steps that the platform keeps."""
    whole, _, fraction = price.partition(".")
    return int(whole + fraction.ljust(scale, "0"))


def ticks_of(vector: Vector) -> list[Tick]:
    """Return the log of a vector."""
    scale = vector["order"]["price_scale"]
    return [
        Tick(tick["seq"], parse_rfc3339(tick["at"]), scaled(tick["price"], scale), tick["revision"])
        for tick in vector["ticks"]
    ]


def entry_terms_of(vector: Vector) -> EntryTerms:
    """Return what an order under ``next_tick/1`` froze."""
    order = vector["order"]
    accepted_ms, expires_ms = parse_rfc3339(order["accepted_at"]), parse_rfc3339(order["expires_at"])
    return EntryTerms(
        after_seq=order["after_seq"],
        until_ms=min(accepted_ms + order["max_tick_age_ms"], expires_ms),
        revision=order["revision"],
        price_scale=order["price_scale"],
        expected_price=order["expected_price"],
        max_price_drift=order["max_price_drift"],
    )


def terms_of(vector: Vector, rule: str) -> Terms:
    """Return what the outcome of an order depends on, besides the log."""
    order = vector["order"]
    return Terms(
        direction=Direction(order["direction"]),
        stake=parse_amount(order["stake"], "USD"),
        payout_percent=order["payout_percent"],
        expires_at_ms=parse_rfc3339(order["expires_at"]),
        max_tick_age_ms=order["max_tick_age_ms"],
        revision=order["revision"],
        open_price=scaled(order["open_tick"]["price"], order["price_scale"]),
        settlement_rule=rule,
    )


def evidence_in(vector: Vector) -> Evidence:
    """Choose the evidence from a vector's log, as the statements of settlement do from the tables."""
    order, log = vector["order"], ticks_of(vector)
    expires_ms = parse_rfc3339(order["expires_at"])
    past = [tick for tick in log if tick.at_ms <= expires_ms]
    window = [tick for tick in past if tick.at_ms > expires_ms - 10_000]
    said = [one for one in vector.get("declarations", ()) if parse_rfc3339(one["at"]) <= expires_ms]
    return Evidence(
        tick=past[-1] if past else None,
        window=tuple(tick.price for tick in window),
        window_revisions=frozenset(tick.revision for tick in window),
        feed_closed=bool(said) and said[-1]["closed"],
        emergency=any(
            one["number"] > order["revision"] and parse_rfc3339(one["since"]) <= expires_ms
            for one in vector.get("emergency_revisions", ())
        ),
    )


# --- the same in a database ------------------------------------------------------------------------


def vectors_stored(vectors: Sequence[Vector], *, entry_rule: str, settlement_rule: str) -> list[UUID]:
    """Store each vector as a symbol of its own with its log, and an open order of it; return the orders' ids."""
    trader = trader_open(real="9000000000.00")
    days = {tick["at"][:10] for vector in vectors for tick in vector["ticks"]}
    for day in sorted(days):
        db.run("SELECT quotes_partition_ensure(%s::date)", [day])
    ids = []
    for vector in vectors:
        symbol_id = _symbol_stored(vector)
        ids.append(_order_stored(vector, trader, symbol_id, entry_rule, settlement_rule))
    return ids


def _symbol_stored(vector: Vector) -> int:
    order, log = vector["order"], ticks_of(vector)
    market = market_open(f"V{uuid7().hex[:24].upper()}", price=None, price_scale=order["price_scale"])
    watermark_ms = parse_rfc3339(vector["watermark"])
    newest = log[-1] if log else None
    db.run(
        _TICKS_INSERT,
        {
            "id": market.id,
            "seqs": [tick.seq for tick in log],
            "at": [tick.at_ms for tick in log],
            "prices": [tick.price for tick in log],
            "revisions": [tick.revision for tick in log],
        },
    )
    SymbolHead.objects.filter(pk=market.id).update(
        seq=newest.seq if newest else 0,
        tick_at_ms=newest and newest.at_ms,
        tick_price=newest and newest.price,
        watermark_ms=watermark_ms,
    )
    raised = {"id": market.id, "watermark": watermark_ms, "seq": newest.seq if newest else 0, "at": db_now_ms()}
    db.run(_RAISE_INSERT, raised)
    for said in vector.get("declarations", ()):
        at_ms = parse_rfc3339(said["at"])
        FeedDeclaration.objects.create(
            symbol_id=market.id, at_ms=at_ms, source_ms=at_ms, received_at_ms=at_ms, closed=said["closed"], reason="x"
        )
    for revision in vector.get("emergency_revisions", ()):
        SymbolRevision.objects.create(
            symbol_id=market.id,
            number=revision["number"],
            feed="script",
            source="OTHER",
            price_scale=order["price_scale"],
            price_source="mid",
            since_ms=parse_rfc3339(revision["since"]),
            emergency=True,
            reason="a wrong upstream symbol",
            requested_by_id=uuid7(),
            approved_by_id=uuid7(),
        )
    return market.id


def _order_stored(vector: Vector, trader: Trader, symbol_id: int, entry_rule: str, settlement_rule: str) -> UUID:
    """Store an order with its reserved stake, what is due of it, and its event."""
    order = vector["order"]
    accepted_ms, stake = parse_rfc3339(order["accepted_at"]), parse_amount(order.get("stake", "10.00"), "USD")
    order_id, wallet_id = uuid7(), trader.wallets["real"]
    with transaction.atomic():
        row = Order.objects.create(
            id=order_id,
            client_order_id=str(order_id),
            user_id=trader.user.id,
            wallet_id=wallet_id,
            book="real",
            currency="USD",
            source="api",
            asked="",
            symbol_id=symbol_id,
            symbol="EURUSD",
            direction=order.get("direction", "up"),
            stake=stake,
            payout_percent=order.get("payout_percent", 85),
            entry_rule=entry_rule,
            settlement_rule=settlement_rule,
            max_tick_age_ms=order["max_tick_age_ms"],
            revision=order["revision"],
            price_scale=order["price_scale"],
            accepted_at_ms=accepted_ms,
            expires_at_ms=parse_rfc3339(order["expires_at"]),
            expected_price=order.get("expected_price"),
            max_price_drift=order.get("max_price_drift"),
            state="open",
            balance_after=_stake_reserved(order_id, wallet_id, stake, accepted_ms),
            **_opening(vector, accepted_ms),
        )
        _due_stored(row)
        told = "order.opened" if row.open_seq else "order.accepted"
        payload = payload_encoded(order_document(row))
        events_append([EventDraft(trader.user.id, "real", told, payload, accepted_ms)])
    return order_id


def _stake_reserved(order_id: UUID, wallet_id: UUID, stake: int, at_ms: int) -> int:
    """Move a stake as placement does; return the balance after it in minor units."""
    stakes = "(SELECT id FROM ledger_account WHERE wallet_id = %(wallet_id)s)"
    moved = db.row(
        f"WITH {STAKE_RESERVE.replace('%(stakes_id)s', stakes)} SELECT debited.balance FROM debited",
        {
            "stake": stake,
            "wallet_id": wallet_id,
            "transfer_id": uuid7(),
            "order_id": order_id,
            "book": "real",
            "currency": "USD",
            "at_ms": at_ms,
        },
    )
    assert moved is not None
    return int(moved[0])


def _due_stored(row: Order) -> None:
    OrderOpen.objects.create(
        order=row,
        symbol_id=row.symbol_id,
        wallet_id=row.wallet_id,
        expires_at_ms=row.expires_at_ms,
        stake=row.stake,
        up=row.direction == "up",
        exposed=True,
        entry_after_seq=row.entry_after_seq,
        entry_until_ms=row.entry_until_ms,
    )


def _opening(vector: Vector, accepted_ms: int) -> dict[str, Any]:
    """Return the columns of an opening tick, or of the wait for one."""
    order = vector["order"]
    if "open_tick" in order:
        opened = order["open_tick"]
        return {
            "entered_at_ms": accepted_ms,
            "open_seq": opened["seq"],
            "open_at_ms": parse_rfc3339(opened["at"]),
            "open_price": scaled(opened["price"], order["price_scale"]),
        }
    known = next(tick for tick in ticks_of(vector) if tick.seq == order["after_seq"])
    return {
        "entry_after_seq": known.seq,
        "entry_after_ms": known.at_ms,
        "entry_until_ms": entry_terms_of(vector).until_ms,
    }

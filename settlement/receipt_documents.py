"""The parts of a receipt, field by field. Their canonical JSON is fixed in docs/fairness/formats.md."""

from __future__ import annotations

import msgspec

from trading.events import OrderDocument


class ReceiptProof(msgspec.Struct, frozen=True, kw_only=True):
    """What leads from a tick to the root of its minute's seal."""

    index: int
    minute: str
    path: list[str]


class ReceiptSeal(msgspec.Struct, frozen=True, kw_only=True):
    """The seal of a minute that a proof leads to; hashes in hexadecimal."""

    symbol: str
    minute: str
    count: int
    first_seq: int
    root: str
    previous_head: str
    head: str


class ReceiptTick(msgspec.Struct, frozen=True, kw_only=True):
    """One admitted tick as the log has it; bid and ask as the feed sent them, no proof while its minute is open."""

    seq: int
    at: str
    received_at: str
    bid: str | None
    ask: str | None
    price: str
    revision: int
    proof: ReceiptProof | None


class ReceiptTicks(msgspec.Struct, frozen=True, kw_only=True):
    """A tick that decided something, with the one before and the one after it in the log.

    Where there was none, those two are the ticks between which it would have been.
    """

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

    ``window`` has the ticks that a mean was taken of, and ``window_before`` the one before the first of them;
    ``feed_closed`` is the feed's last word by the expiry.
    """

    tick: ReceiptTick | None
    before: ReceiptTick | None
    after: ReceiptTick | None
    window: list[ReceiptTick]
    window_before: ReceiptTick | None
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
    """A receipt, to be signed. ``feed`` says ``custom`` where prices are made or come from an overridden endpoint.

    ``ticks`` says where its ticks were read: in the log, or in the archive for days that have left the log. ``proofs``
    is ``complete`` when each of them has its proof.
    """

    version: str
    ticks: str
    proofs: str
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
    seals: list[ReceiptSeal]

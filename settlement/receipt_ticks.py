"""The ticks that an order's receipt shows, with their proofs: from the log, or from the archive for older days."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from kernel import db
from kernel.clock import rfc3339
from kernel.money import format_scaled
from quotes.proofs import TickProof, tick_proofs
from quotes.sealing import MINUTE_MS, SealRow, minute_of
from settlement import archive
from settlement.domain import TRIMMED_WINDOW_MS
from settlement.receipt_documents import ReceiptProof, ReceiptSeal, ReceiptTick, ReceiptTicks
from trading.domain import TRIMMED_MEAN, OrderState
from trading.models import Order

log = structlog.get_logger(__name__)

LOG = "quotes_tick"
# A tick as the log has it: seq, at_ms, received_at_ms, bid, ask, price, revision.
Row = Sequence[Any]

_COLUMNS = "seq, at_ms, received_at_ms, bid::text, ask::text, price, revision"

# The sealed minutes in which an order's ticks are: those of the numbers that it names, the last ones with a tick by its
# expiry (a mean reaches over two, and the tick before it lies in a third), and the first one after it.
_MINUTES = """
SELECT seal.minute_ms FROM unnest(%(seqs)s::bigint[]) AS asked(seq)
JOIN LATERAL (
    SELECT minute_ms, first_seq + count AS next_seq FROM quotes_seal
    WHERE symbol_id = %(symbol_id)s AND first_seq <= asked.seq ORDER BY first_seq DESC LIMIT 1
) AS seal ON asked.seq < seal.next_seq
UNION (SELECT minute_ms FROM quotes_seal WHERE symbol_id = %(symbol_id)s AND minute_ms <= %(at_ms)s
       ORDER BY minute_ms DESC LIMIT 3)
UNION (SELECT minute_ms FROM quotes_seal WHERE symbol_id = %(symbol_id)s AND minute_ms > %(at_ms)s
       ORDER BY minute_ms LIMIT 1)"""


@dataclass(frozen=True, slots=True)
class Around:
    """A tick with the one before and the one after it in the log, or the two between which there is none."""

    tick: Row | None = None
    before: Row | None = None
    after: Row | None = None


@dataclass(frozen=True, slots=True)
class TickSource:
    """Where the ticks of a symbol are read: the log alone, or with days of the archive."""

    symbol_id: int
    table: str

    def at(self, seqs: Iterable[int]) -> dict[int, Row]:
        """Return the ticks with these numbers that there are."""
        sql = f"SELECT {_COLUMNS} FROM {self.table} AS tick WHERE symbol_id = %(symbol_id)s AND seq = ANY(%(seqs)s)"
        return {row[0]: row for row in db.rows(sql, {"symbol_id": self.symbol_id, "seqs": list(seqs)})}

    def around(self, seq: int) -> Around:
        """Return a tick with its neighbours: the log has no gaps, so these have the numbers beside it."""
        found = self.at((seq - 1, seq, seq + 1))
        return Around(found.get(seq), found.get(seq - 1), found.get(seq + 1))

    def behind(self, seq: int) -> Around:
        """Return a tick and the next one as those between which there is none."""
        found = self.at((seq, seq + 1))
        return Around(None, found.get(seq), found.get(seq + 1))

    def last_by(self, at_ms: int) -> int | None:
        """Return the number of the last tick with a time at or before an instant."""
        sql = f"""
SELECT seq FROM {self.table} AS tick WHERE symbol_id = %(symbol_id)s AND at_ms <= %(at_ms)s
ORDER BY at_ms DESC, seq DESC LIMIT 1"""
        found = db.row(sql, {"symbol_id": self.symbol_id, "at_ms": at_ms})
        return None if found is None else int(found[0])

    def between(self, after_ms: int, to_ms: int) -> list[Row]:
        """Return the ticks behind one instant and up to another."""
        sql = f"""
SELECT {_COLUMNS} FROM {self.table} AS tick
WHERE symbol_id = %(symbol_id)s AND at_ms > %(after_ms)s AND at_ms <= %(to_ms)s ORDER BY at_ms, seq"""
        return list(db.rows(sql, {"symbol_id": self.symbol_id, "after_ms": after_ms, "to_ms": to_ms}))

    def proofs(self, rows: Iterable[Row]) -> dict[int, TickProof]:
        """Return the proofs of ticks by number, of those whose minute is sealed."""
        return tick_proofs(symbol_id=self.symbol_id, seqs={row[0] for row in rows}, ticks=self.table)


def tick_source(order: Order) -> TickSource:
    """Return where an order's ticks are; minutes that have left the log are brought back for this session.

    A damaged archive is told in the log, and the receipt shows what is left.
    """
    gone_ms = archive.log_begins_ms()
    gone = sorted(minute_ms for minute_ms in _minutes(order) if minute_ms < gone_ms) if gone_ms else []
    if not gone:
        return TickSource(order.symbol_id, LOG)
    days = archive.days_dropped(gone[0], gone[-1])
    try:
        archive.ticks_load(days=days, symbol_ids=(order.symbol_id,), minutes_ms=gone)
    except archive.ArchiveDamagedError as error:
        log.error("receipt_without_ticks", order_id=str(order.pk), error=str(error))
        return TickSource(order.symbol_id, LOG)
    return TickSource(order.symbol_id, archive.EVERYTHING)


def _minutes(order: Order) -> set[int]:
    """Return the minutes that hold what the receipt shows; without seals those around the order's own instants."""
    named = [order.open_seq or order.entry_after_seq, order.close_seq]
    seqs = [seq + beside for seq in named if seq is not None for beside in (-1, 0, 1)]
    asked = {"symbol_id": order.symbol_id, "seqs": seqs, "at_ms": order.expires_at_ms}
    sealed = {int(row[0]) for row in db.rows(_MINUTES, asked)}
    instants = [order.open_at_ms or order.entry_after_ms, order.close_at_ms, order.expires_at_ms]
    if order.settlement_rule == TRIMMED_MEAN:
        instants.append(order.expires_at_ms - TRIMMED_WINDOW_MS)
    own = {minute_of(at_ms) for at_ms in instants if at_ms is not None}
    return sealed | own | {minute_ms + beside for minute_ms in own for beside in (-MINUTE_MS, MINUTE_MS)}


@dataclass(frozen=True, slots=True)
class ShownTicks:
    """The ticks that a receipt shows, their proofs by number, and the price scales of their revisions."""

    opening: Around
    evidence: Around
    window: list[Row]
    window_before: Row | None
    proofs: dict[int, TickProof]
    scales: dict[int, int]

    @property
    def complete(self) -> bool:
        """Whether each tick has its proof."""
        arounds = (
            one for around in (self.opening, self.evidence) for one in (around.tick, around.before, around.after)
        )
        return all(row is None or row[0] in self.proofs for row in (*arounds, *self.window, self.window_before))

    def document(self, row: Row) -> ReceiptTick:
        """Return a tick as receipts show it."""
        seq, at_ms, received_at_ms, bid, ask, price, revision = row
        return ReceiptTick(
            seq=seq,
            at=rfc3339(at_ms),
            received_at=rfc3339(received_at_ms),
            bid=bid,
            ask=ask,
            price=format_scaled(price, self.scales[revision]),
            revision=revision,
            proof=_proof_document(self.proofs.get(seq)),
        )

    def optional(self, row: Row | None) -> ReceiptTick | None:
        """Return a tick that may be missing."""
        return None if row is None else self.document(row)

    def around(self, found: Around) -> ReceiptTicks:
        """Return a tick and its neighbours as receipts show them."""
        return ReceiptTicks(
            tick=self.optional(found.tick), before=self.optional(found.before), after=self.optional(found.after)
        )


def ticks_shown(order: Order, source: TickSource, scales: dict[int, int]) -> ShownTicks:
    """Read the ticks of an order; evidence is sought only for one that ran to its expiry."""
    opening, evidence, window, before = _opening(order, source), Around(), list[Row](), None
    if order.state != OrderState.OPEN and ran_to_expiry(order):
        evidence = _evidence(order, source)
        window, before = _window(order, source)
    arounds = (one for around in (opening, evidence) for one in (around.tick, around.before, around.after))
    rows = [row for row in (*arounds, *window, before) if row is not None]
    return ShownTicks(opening, evidence, window, before, source.proofs(rows), scales)


def ran_to_expiry(order: Order) -> bool:
    """Whether an order entered and was not refunded at once."""
    return order.open_seq is not None and order.reason != "price_moved"


def _opening(order: Order, source: TickSource) -> Around:
    """Return the opening tick; for an order that could not enter, the ticks between which there was none."""
    if order.open_seq is not None:
        return source.around(order.open_seq)
    if order.state != OrderState.OPEN and order.entry_after_seq is not None:
        return source.behind(order.entry_after_seq)
    return Around()


def _evidence(order: Order, source: TickSource) -> Around:
    """Return the evidence tick; where none counts, the ticks between which the order expired."""
    if order.close_seq is not None:
        return source.around(order.close_seq)
    last = source.last_by(order.expires_at_ms)
    return Around() if last is None else source.behind(last)


def _window(order: Order, source: TickSource) -> tuple[list[Row], Row | None]:
    """Return the ticks that a mean is taken of, and the one before them: nothing was left out in between."""
    if order.settlement_rule != TRIMMED_MEAN:
        return [], None
    rows = source.between(order.expires_at_ms - TRIMMED_WINDOW_MS, order.expires_at_ms)
    return rows, source.at((rows[0][0] - 1,)).get(rows[0][0] - 1) if rows else None


def _proof_document(proof: TickProof | None) -> ReceiptProof | None:
    if proof is None:
        return None
    return ReceiptProof(
        index=proof.index, minute=rfc3339(proof.seal.minute_ms), path=[node.hex() for node in proof.path]
    )


def seal_documents(proofs: Collection[TickProof]) -> list[ReceiptSeal]:
    """Return the seals that proofs lead to, each once, by minute."""
    seals: dict[int, SealRow] = {proof.seal.minute_ms: proof.seal for proof in proofs}
    return [
        ReceiptSeal(
            symbol=seal.symbol,
            minute=rfc3339(minute_ms),
            count=seal.count,
            first_seq=seal.first_seq,
            root=seal.root.hex(),
            previous_head=seal.previous_head.hex(),
            head=seal.head.hex(),
        )
        for minute_ms, seal in sorted(seals.items())
    ]

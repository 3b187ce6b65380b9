"""Proofs that ticks are in the log that was sealed: each leads from its leaf to a seal's root."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from kernel import db
from quotes.minutes import minutes_read
from quotes.sealing import MINUTE_MS, SealRow, inclusion_paths, leaves_of

__all__ = ["SealRow", "TickProof", "tick_proofs"]

# The seal that covers each number: the last one that begins at or before it, if it reaches that far.
_COVERING = """
SELECT asked.seq, symbol.code, seal.minute_ms, seal.count, seal.first_seq, seal.root, seal.previous_head, seal.head
FROM unnest(%(seqs)s::bigint[]) AS asked(seq)
JOIN quotes_symbol AS symbol ON symbol.id = %(symbol_id)s
JOIN LATERAL (
    SELECT * FROM quotes_seal AS seal
    WHERE seal.symbol_id = symbol.id AND seal.first_seq <= asked.seq ORDER BY seal.first_seq DESC LIMIT 1
) AS seal ON asked.seq < seal.first_seq + seal.count"""


@dataclass(frozen=True, slots=True)
class TickProof:
    """One tick's place in its minute, and the path from its leaf to the seal's root."""

    index: int
    path: tuple[bytes, ...]
    seal: SealRow


def tick_proofs(*, symbol_id: int, seqs: Collection[int], ticks: str = "quotes_tick") -> dict[int, TickProof]:
    """Return the proofs of ticks by number; one is missing while its minute is not sealed.

    It is missing too where the table does not have as many ticks of that minute as were sealed.

    :param ticks: the table to read the ticks from, or a query in brackets
    """
    seals: dict[int, SealRow] = {}
    asked: dict[int, list[int]] = {}
    for seq, *columns in db.rows(_COVERING, {"symbol_id": symbol_id, "seqs": sorted(set(seqs))}):
        seal = SealRow(*columns)
        seals[seal.minute_ms] = seal
        asked.setdefault(seal.minute_ms, []).append(seq)
    proofs: dict[int, TickProof] = {}
    for minute_ms, seal in sorted(seals.items()):
        read = minutes_read(symbol_id=symbol_id, from_ms=minute_ms, to_ms=minute_ms + MINUTE_MS, ticks=ticks)
        leaves = [leaf for _, found in read for leaf in leaves_of(found)]
        if len(leaves) != seal.count:
            continue
        indices = [seq - seal.first_seq for seq in asked[minute_ms]]
        paths = inclusion_paths(leaves, indices)
        for seq, index, path in zip(asked[minute_ms], indices, paths, strict=True):
            proofs[seq] = TickProof(index, path, seal)
    return proofs

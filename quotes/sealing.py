"""Pure rules of seals: the bytes of a tick and of a seal, and the Merkle tree of RFC 9162 over them.

The formats are fixed in ``docs/fairness/formats.md``; whoever checks a seal writes them again from there.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256

# seq, at_ms, received_at_ms, bid, ask, price, revision; bid and ask as the feed sent them.
LogTick = tuple[int, int, int, str | None, str | None, int, int]

MINUTE_MS = 60_000
HASH_BYTES = 32
NO_HEAD = bytes(HASH_BYTES)
EMPTY_ROOT = sha256(b"").digest()
_MAGIC = b"fairstrike-seal/1\n"
_LEAF = b"\x00"
_NODE = b"\x01"


@dataclass(frozen=True, slots=True)
class SealRow:
    """A seal: the ticks of one symbol in one UTC minute, and its place in the symbol's chain."""

    symbol: str
    minute_ms: int
    count: int
    first_seq: int
    root: bytes
    previous_head: bytes
    head: bytes

    @property
    def next_seq(self) -> int:
        """The number with which the next seal of the symbol begins."""
        return self.first_seq + self.count


@lru_cache(maxsize=4_096)
def _tick_struct(bid_length: int, ask_length: int) -> struct.Struct:
    """Return the layout of a leaf's input; the texts of a feed have few different lengths."""
    return struct.Struct(f">sQqqqIH{bid_length}sH{ask_length}s")


def leaf_input(tick: LogTick) -> bytes:
    """Return the bytes whose SHA-256 is a tick's leaf: a zero byte, then the tick's bytes."""
    seq, at_ms, received_at_ms, bid, ask, price, revision = tick
    first = b"" if bid is None else bid.encode("ascii")
    second = b"" if ask is None else ask.encode("ascii")
    return _tick_struct(len(first), len(second)).pack(
        _LEAF, seq, at_ms, received_at_ms, price, revision, len(first), first, len(second), second
    )


def tick_bytes(tick: LogTick) -> bytes:
    """Return a tick's bytes."""
    return leaf_input(tick)[1:]


def leaves_of(ticks: Iterable[LogTick]) -> list[bytes]:
    """Return the leaves of ticks."""
    return [sha256(leaf_input(tick)).digest() for tick in ticks]


def leaf_of_data(data: bytes) -> bytes:
    """Return the leaf of anything that has its bytes already, such as a head in the tree of a day."""
    return sha256(_LEAF + data).digest()


def _level_above(level: Sequence[bytes]) -> list[bytes]:
    """Join nodes in pairs; the last one of an odd number rises as it is.

    Level by level this is the tree that RFC 9162 splits from the top: of a level only the last subtree is not full.
    """
    above = [sha256(_NODE + left + right).digest() for left, right in zip(level[::2], level[1::2], strict=False)]
    if len(level) % 2:
        above.append(level[-1])
    return above


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """Return the root of a tree of leaves."""
    if not leaves:
        return EMPTY_ROOT
    level = leaves
    while len(level) > 1:
        level = _level_above(level)
    return level[0]


def inclusion_path(leaves: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """Return what proves a leaf: its sibling first, the child of the root last.

    :raises IndexError: when there is no such leaf
    """
    return inclusion_paths(leaves, (index,))[0]


def inclusion_paths(leaves: Sequence[bytes], indices: Sequence[int]) -> list[tuple[bytes, ...]]:
    """Return the paths of several leaves; the tree is made once.

    :raises IndexError: when there is no such leaf
    """
    if any(not 0 <= index < len(leaves) for index in indices):
        raise IndexError(f"the tree has {len(leaves)} leaves")
    paths: list[list[bytes]] = [[] for _ in indices]
    places, level = list(indices), leaves
    while len(level) > 1:
        for path, place in zip(paths, places, strict=True):
            # The last node of an odd level has no sibling and rises as it is.
            if place ^ 1 < len(level):
                path.append(level[place ^ 1])
        places = [place >> 1 for place in places]
        level = _level_above(level)
    return [tuple(path) for path in paths]


def root_from_path(*, leaf: bytes, index: int, count: int, path: Sequence[bytes]) -> bytes | None:
    """Return the root that a path leads to, or None when a path of that length cannot belong to that leaf.

    This is RFC 9162, section 2.1.3.2.
    """
    if not 0 <= index < count:
        return None
    node, place, last = leaf, index, count - 1
    for sibling in path:
        if last == 0:
            return None
        if place % 2 or place == last:
            node = sha256(_NODE + sibling + node).digest()
            while place % 2 == 0 and place:
                place, last = place >> 1, last >> 1
        else:
            node = sha256(_NODE + node + sibling).digest()
        place, last = place >> 1, last >> 1
    return node if last == 0 else None


def seal_bytes(*, symbol: str, minute_ms: int, count: int, first_seq: int, root: bytes, previous_head: bytes) -> bytes:
    """Return the bytes of a seal."""
    code = symbol.encode()
    numbers = struct.pack(">qIQ", minute_ms, count, first_seq)
    return _MAGIC + struct.pack(">H", len(code)) + code + numbers + root + previous_head


def seal_head(*, symbol: str, minute_ms: int, count: int, first_seq: int, root: bytes, previous_head: bytes) -> bytes:
    """Return a seal's head."""
    return sha256(
        seal_bytes(
            symbol=symbol,
            minute_ms=minute_ms,
            count=count,
            first_seq=first_seq,
            root=root,
            previous_head=previous_head,
        )
    ).digest()


def seal_of(*, symbol: str, minute_ms: int, ticks: Sequence[LogTick], previous_head: bytes) -> SealRow:
    """Seal the ticks of a minute, of which there is at least one."""
    count, first_seq, root = len(ticks), ticks[0][0], merkle_root(leaves_of(ticks))
    head = seal_head(
        symbol=symbol, minute_ms=minute_ms, count=count, first_seq=first_seq, root=root, previous_head=previous_head
    )
    return SealRow(symbol, minute_ms, count, first_seq, root, previous_head, head)


def head_of(seal: SealRow) -> bytes:
    """Return the head that a seal must have."""
    return seal_head(
        symbol=seal.symbol,
        minute_ms=seal.minute_ms,
        count=seal.count,
        first_seq=seal.first_seq,
        root=seal.root,
        previous_head=seal.previous_head,
    )


def day_root(heads: Iterable[bytes]) -> bytes:
    """Return the root over hashes in their order: the heads of a day, or the roots of its archives."""
    return merkle_root([leaf_of_data(head) for head in heads])


def minute_of(at_ms: int) -> int:
    """Return the start of the UTC minute that an instant lies in."""
    return at_ms - at_ms % MINUTE_MS

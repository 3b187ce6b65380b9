"""The bytes of ticks and seals, and the Merkle tree of RFC 9162 over them (docs/fairness/formats.md)."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

MINUTE_MS = 60_000
NO_HEAD = bytes(32)


@dataclass(frozen=True, slots=True)
class Tick:
    """One tick of a log; bid and ask are the feed's own text, empty for a trade."""

    seq: int
    at_ms: int
    received_ms: int
    bid: str
    ask: str
    price: int
    revision: int


@dataclass(frozen=True, slots=True)
class Seal:
    """The ticks of a symbol's minute, fixed by a root and chained to the seal before."""

    symbol: str
    minute_ms: int
    count: int
    first_seq: int
    root: bytes
    previous_head: bytes
    head: bytes

    @property
    def next_seq(self) -> int:
        """The number with which the next seal begins."""
        return self.first_seq + self.count

    @property
    def own_head(self) -> bytes:
        """The head that these members have."""
        code = self.symbol.encode("ascii")
        numbers = struct.pack(">qIQ", self.minute_ms, self.count, self.first_seq)
        text = b"fairstrike-seal/1\n" + struct.pack(">H", len(code)) + code + numbers + self.root + self.previous_head
        return sha256(text).digest()


def tick_leaf(tick: Tick) -> bytes:
    """Return a tick's leaf in the tree of its minute."""
    bid, ask = tick.bid.encode("ascii"), tick.ask.encode("ascii")
    text = struct.pack(
        f">sQqqqIH{len(bid)}sH{len(ask)}s",
        *(b"\0", tick.seq, tick.at_ms, tick.received_ms, tick.price, tick.revision),
        *(len(bid), bid, len(ask), ask),
    )
    return sha256(text).digest()


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """Return the root over leaves: level by level in pairs, the last one of an odd level rises as it is."""
    level = list(leaves)
    if not level:
        return sha256(b"").digest()
    while len(level) > 1:
        pairs = zip(level[::2], level[1::2], strict=False)
        above = [sha256(b"\1" + left + right).digest() for left, right in pairs]
        level = above + level[-1:] if len(level) % 2 else above
    return level[0]


def root_over(hashes: Sequence[bytes]) -> bytes:
    """Return the root over hashes that are the leaves' data: a day's heads, or the roots of its archives."""
    return merkle_root([sha256(b"\0" + data).digest() for data in hashes])


def root_from_path(*, leaf: bytes, index: int, count: int, path: Sequence[bytes]) -> bytes | None:
    """Return the root that a path leads to (RFC 9162, 2.1.3.2); None when it cannot be the path of that leaf."""
    if not 0 <= index < count:
        return None
    node, place, last = leaf, index, count - 1
    for sibling in path:
        if last == 0:
            return None
        if place % 2 or place == last:
            node = sha256(b"\1" + sibling + node).digest()
            while place % 2 == 0 and place:
                place, last = place >> 1, last >> 1
        else:
            node = sha256(b"\1" + node + sibling).digest()
        place, last = place >> 1, last >> 1
    return node if last == 0 else None


def minute_of(at_ms: int) -> int:
    """Return the start of the UTC minute of an instant."""
    return at_ms - at_ms % MINUTE_MS

"""Seals as pure rules: the bytes of ``formats.md`` and the tree of RFC 9162, against a second, naive writing."""

from __future__ import annotations

import struct
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotes.sealing import (
    NO_HEAD,
    LogTick,
    day_root,
    head_of,
    inclusion_path,
    inclusion_paths,
    leaf_of_data,
    leaves_of,
    merkle_root,
    root_from_path,
    seal_bytes,
    seal_of,
    tick_bytes,
)

HASHES = st.binary(min_size=32, max_size=32)
INSTANTS = st.integers(-(2**62), 2**62)
DECIMALS = st.from_regex(r"\A[0-9]{1,12}(\.[0-9]{1,12})?\Z")
TICKS = st.tuples(
    st.integers(1, 2**63 - 1),
    INSTANTS,
    INSTANTS,
    st.none() | DECIMALS,
    st.none() | DECIMALS,
    st.integers(1, 2**62),
    st.integers(1, 2**31 - 1),
)


def _split(count: int) -> int:
    """The largest power of two below a count."""
    half = 1
    while 2 * half < count:
        half *= 2
    return half


def _naive_root(leaves: list[bytes]) -> bytes:
    """RFC 9162, section 2.1.1, word by word."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    half = _split(len(leaves))
    return sha256(b"\x01" + _naive_root(leaves[:half]) + _naive_root(leaves[half:])).digest()


def _naive_path(leaves: list[bytes], index: int) -> list[bytes]:
    """RFC 9162, section 2.1.3.1, word by word."""
    if len(leaves) == 1:
        return []
    half = _split(len(leaves))
    if index < half:
        return [*_naive_path(leaves[:half], index), _naive_root(leaves[half:])]
    return [*_naive_path(leaves[half:], index - half), _naive_root(leaves[:half])]


def _naive_bytes(tick: LogTick) -> bytes:
    seq, at_ms, received_at_ms, bid, ask, price, revision = tick
    texts = [(text or "").encode() for text in (bid, ask)]
    return struct.pack(">QqqqI", seq, at_ms, received_at_ms, price, revision) + b"".join(
        struct.pack(">H", len(text)) + text for text in texts
    )


@given(TICKS)
def test_a_ticks_bytes_are_those_of_the_format(tick: LogTick) -> None:
    """Formats, a tick's bytes; its leaf is the hash behind a zero byte."""
    assert tick_bytes(tick) == _naive_bytes(tick)
    assert leaves_of([tick]) == [sha256(b"\x00" + _naive_bytes(tick)).digest()]


def test_one_tick_and_one_seal_are_known_to_the_byte() -> None:
    """Formats: written out once by hand, so that no change of both writings goes unseen."""
    tick = (7, 1_764_445_200_123, 1_764_445_200_150, "1.08512", "1.10", 108512, 2)
    by_hand = (
        "0000000000000007" "0000019ad1211efb" "0000019ad1211f16" "000000000001a7e0" "00000002"
        "0007" + b"1.08512".hex() + "0004" + b"1.10".hex()
    )  # fmt: skip
    assert tick_bytes(tick).hex() == by_hand
    sealed = seal_bytes(
        symbol="EURUSD",
        minute_ms=1_764_445_200_000,
        count=1,
        first_seq=7,
        root=b"\x11" * 32,
        previous_head=b"\x22" * 32,
    )
    expected = b"fairstrike-seal/1\n" + bytes.fromhex("0006") + b"EURUSD" + bytes.fromhex(
        "0000019ad1211e80" "00000001" "0000000000000007" + "11" * 32 + "22" * 32
    )  # fmt: skip
    assert sealed == expected


@given(st.lists(HASHES, max_size=70))
def test_the_tree_is_the_one_of_the_rfc(leaves: list[bytes]) -> None:
    """Formats: unbalanced trees too are split at the largest power of two below their size."""
    assert merkle_root(leaves) == _naive_root(leaves)


@given(st.data(), st.lists(HASHES, min_size=1, max_size=70))
def test_each_leaf_is_proved_and_no_other(data: st.DataObject, leaves: list[bytes]) -> None:
    """Formats, inclusion proof: the path leads from its leaf to the root, and from no other leaf and place."""
    index = data.draw(st.integers(0, len(leaves) - 1))
    path, root, count = inclusion_path(leaves, index), merkle_root(leaves), len(leaves)

    assert list(path) == _naive_path(leaves, index)
    assert root_from_path(leaf=leaves[index], index=index, count=count, path=path) == root
    assert root_from_path(leaf=sha256(leaves[index]).digest(), index=index, count=count, path=path) != root
    for wrong in {index - 1, index + 1, count} - {index}:
        other = root_from_path(leaf=leaves[index], index=wrong, count=count, path=path)
        assert other != root or (0 <= wrong < count and leaves[wrong] == leaves[index])
    assert root_from_path(leaf=leaves[index], index=index, count=count, path=(*path, root)) is None
    if path:
        assert root_from_path(leaf=leaves[index], index=index, count=count, path=path[:-1]) != root


@given(st.lists(HASHES, min_size=1, max_size=40))
def test_many_paths_at_once_are_the_paths_one_by_one(leaves: list[bytes]) -> None:
    """A receipt asks for several ticks of a minute: the tree is made once."""
    indices = list(range(len(leaves)))
    assert inclusion_paths(leaves, indices) == [inclusion_path(leaves, index) for index in indices]


def test_there_is_no_path_of_a_leaf_that_is_not_there() -> None:
    """A wrong number must not prove a neighbour."""
    for index in (-1, 2):
        with pytest.raises(IndexError):
            inclusion_path([NO_HEAD, NO_HEAD], index)


@given(st.lists(TICKS, min_size=1, max_size=9), st.integers(0, 200), HASHES)
def test_a_seal_holds_its_ticks_and_the_seal_before(ticks: list[LogTick], minute: int, previous: bytes) -> None:
    """Formats, seals: any change of a tick, of the order or of the chain is another head."""
    seal = seal_of(symbol="EURUSD", minute_ms=minute * 60_000, ticks=ticks, previous_head=previous)
    swapped = ticks[::-1]
    changed = [*ticks[:-1], (*ticks[-1][:5], ticks[-1][5] + 1, ticks[-1][6])]
    others = [
        seal_of(symbol="EURUSD", minute_ms=minute * 60_000, ticks=changed, previous_head=previous),
        seal_of(symbol="GBPUSD", minute_ms=minute * 60_000, ticks=ticks, previous_head=previous),
        seal_of(symbol="EURUSD", minute_ms=60_000 + minute * 60_000, ticks=ticks, previous_head=previous),
        seal_of(symbol="EURUSD", minute_ms=minute * 60_000, ticks=ticks, previous_head=sha256(previous).digest()),
    ]
    if swapped != ticks:
        others.append(seal_of(symbol="EURUSD", minute_ms=minute * 60_000, ticks=swapped, previous_head=previous))

    assert seal.root == _naive_root([sha256(b"\x00" + _naive_bytes(tick)).digest() for tick in ticks])
    assert (seal.count, seal.first_seq, seal.next_seq) == (len(ticks), ticks[0][0], ticks[0][0] + len(ticks))
    assert head_of(seal) == seal.head
    assert seal.head not in [other.head for other in others]


@given(st.lists(HASHES, max_size=20))
def test_a_days_root_is_over_its_heads(heads: list[bytes]) -> None:
    """Formats, archives: each head's bytes are the data of a leaf."""
    assert day_root(heads) == _naive_root([leaf_of_data(head) for head in heads])

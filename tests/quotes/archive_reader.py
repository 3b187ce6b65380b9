"""A second reader of ``archive/1``, written from the formats alone: it believes nothing that it can compute."""

from __future__ import annotations

import json
import struct
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def _root(leaves: list[bytes]) -> bytes:
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    half = 1
    while 2 * half < len(leaves):
        half *= 2
    return sha256(b"\x01" + _root(leaves[:half]) + _root(leaves[half:])).digest()


def _leaf(line: str) -> tuple[int, int, bytes]:
    """Return a tick's number, time and leaf."""
    seq, at_ms, received_ms, bid, ask, price, revision = line.split(",")
    numbers = struct.pack(">QqqqI", int(seq), int(at_ms), int(received_ms), int(price), int(revision))
    texts = b"".join(struct.pack(">H", len(text)) + text.encode() for text in (bid, ask))
    return int(seq), int(at_ms), sha256(b"\x00" + numbers + texts).digest()


def canonical(document: Any) -> str:
    """Return canonical JSON; the documents hold no number beyond 2^53 and no letter beyond ASCII."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def signature_checked(document: dict[str, Any]) -> None:
    """Check a document's signature against the key that it names."""
    signature = document["signature"]
    unsigned = {**document, "signature": {name: text for name, text in signature.items() if name != "value"}}
    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(signature["public_key"]))
    key.verify(bytes.fromhex(signature["value"]), canonical(unsigned).encode())


def archive_checked(text: str, *, symbol: str, day: str) -> dict[str, Any]:
    """Check every byte of an archive and return its statement.

    :raises AssertionError: with the first line that is wrong
    """
    assert text.endswith("\n")
    lines = text[:-1].split("\n")
    assert lines[0] == f"fairstrike-archive/1 {symbol} {day}"
    statement = json.loads(lines[-1])
    assert lines[-1] == canonical(statement)
    place, head, heads, ticks, next_seq, minute_before = 1, statement["previous_head"], [], 0, None, -1
    while place < len(lines) - 1:
        word, minute_ms, count, first_seq, root, previous, sealed = lines[place].split(",")
        found = [_leaf(line) for line in lines[place + 1 : place + 1 + int(count)]]
        assert word == "seal", lines[place]
        assert previous == head, lines[place]
        assert next_seq in (None, int(first_seq)), lines[place]
        assert int(minute_ms) > minute_before, lines[place]
        assert [seq for seq, _, _ in found] == list(range(int(first_seq), int(first_seq) + int(count)))
        assert all(int(minute_ms) <= at_ms < int(minute_ms) + 60_000 for _, at_ms, _ in found), lines[place]
        assert _root([leaf for _, _, leaf in found]).hex() == root, lines[place]
        code = symbol.encode()
        seal = b"fairstrike-seal/1\n" + struct.pack(">H", len(code)) + code
        seal += struct.pack(">qIQ", int(minute_ms), int(count), int(first_seq))
        assert sha256(seal + bytes.fromhex(root + previous)).hexdigest() == sealed, lines[place]
        head, next_seq, minute_before = sealed, int(first_seq) + int(count), int(minute_ms)
        heads.append(bytes.fromhex(sealed))
        ticks += int(count)
        place += 1 + int(count)
    assert (statement["symbol"], statement["day"], statement["version"]) == (symbol, day, "archive/1")
    assert (statement["last_head"], statement["seals"], statement["ticks"]) == (head, len(heads), ticks)
    assert statement["root"] == _root([sha256(b"\x00" + one).digest() for one in heads]).hex()
    return dict(statement)

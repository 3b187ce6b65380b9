"""No byte of a receipt or an archive can be changed, and hostile files end in words, never in a traceback."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

from fairstrike_verify import Outcome, Report, Source, Verdict, verify
from fairstrike_verify import archive as archive_module
from fairstrike_verify import files as files_module
from fairstrike_verify.cli import main
from tests.verify.published import FOLDER

RECEIPT, MEAN, ARCHIVE = (FOLDER / name for name in ("lost.json", "mean.json", "archive-1.txt"))
KEYS, HEADS = str(FOLDER / "keys.json"), str(FOLDER / "heads.log")


def _verdict(*contents: bytes, keys: str | None = None, heads: str | None = None) -> Report:
    sources = [Source(f"file {number}", content) for number, content in enumerate(contents)]
    return verify(sources, keys=keys, heads=heads)


def _flips(text: bytes, stride: int, seed: int) -> Iterator[bytes]:
    """Yield the text with one bit of one byte flipped, at about every ``stride``-th place; which ones the seed says."""
    chance = random.Random(seed)
    place = chance.randrange(stride)
    while place < len(text):
        changed = bytearray(text)
        changed[place] ^= 1 << chance.randrange(8)
        yield bytes(changed)
        place += 1 + chance.randrange(2 * stride - 1)


@pytest.mark.parametrize(("path", "stride"), [(RECEIPT, 20), (MEAN, 160), (ARCHIVE, 25)])
def test_no_flipped_bit_passes(path: object, stride: int) -> None:
    """Issue, done when: after flipping one byte a receipt or an archive does not verify."""
    text = (FOLDER / str(path)).read_bytes()
    passed = [changed for changed in _flips(text, stride, seed=4) if _verdict(changed).verdict is not Verdict.FAILED]
    assert passed == []


@pytest.mark.parametrize("path", [RECEIPT, ARCHIVE])
def test_nothing_can_be_cut_off_or_added(path: object) -> None:
    """Formats: what counts is the text, to its last byte."""
    text = (FOLDER / str(path)).read_bytes()
    for changed in (b"", text[:-1], text[:-2], text[1:], text + b"\n", b"\xef\xbb\xbf" + text, text * 2, text + b"\0"):
        assert _verdict(changed).verdict is Verdict.FAILED


def test_no_line_of_an_archive_can_be_dropped_doubled_or_moved() -> None:
    """Issue, done when: dropping one tick or swapping two; and likewise each seal, and whole minutes."""
    lines = ARCHIVE.read_bytes().splitlines(keepends=True)
    seals = [place for place, line in enumerate(lines) if line.startswith(b"seal,")]
    texts = [[*lines[:place], *lines[place + 1 :]] for place in range(0, len(lines), 3)]
    texts += [[*lines[:place], lines[place], *lines[place:]] for place in range(0, len(lines), 7)]
    texts += [[*lines[: at - 1], lines[at], lines[at - 1], *lines[at + 1 :]] for at in range(1, len(lines), 3)]
    first, second, third = seals
    texts += [[*lines[:first], *lines[second:third], *lines[first:second], *lines[third:]]]
    texts += [
        [*lines[:from_], *lines[to:]] for from_, to in ((first, second), (second, third), (third, len(lines) - 1))
    ]
    assert [text for text in texts if _verdict(b"".join(text)).verdict is not Verdict.FAILED] == []


def test_a_packed_archive_is_the_same_archive() -> None:
    """Formats: a program may take it compressed with gzip; what counts is the text."""
    text = ARCHIVE.read_bytes()
    assert _verdict(gzip.compress(text), keys=KEYS, heads=HEADS).verdict is Verdict.VERIFIED
    packed = gzip.compress(text)
    for damaged in (packed[:-9], packed[:40], packed[:60] + b"\0" * 20 + packed[80:], b"\x1f\x8b", b"\x1f\x8b\x08"):
        assert _verdict(damaged).verdict is Verdict.FAILED


HOSTILE = {
    "nothing": b"",
    "nul": b"\0" * 1_000,
    "deep": b"[" * 200_000,
    "deep objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "quotes": b'"' * 100_001,
    "escaped quotes": b'"' + b'\\"' * 200_000,
    "unended": b'{"a":"' + b"x" * 1_000,
    "huge number": b'{"a":' + b"9" * 100_000 + b"}",
    "fraction": b'{"a":1.5}',
    "exponent": b'{"a":1e400}',
    "infinity": b'{"a":Infinity}',
    "twice": b'{"version":"receipt/2","version":"receipt/2"}',
    "surrogate": b'{"a":"\\ud800"}',
    "latin": b'{"a":"\xe9"}',
    "array": b"[]",
    "null": b"null",
    "other version": b'{"version":"receipt/3"}',
    "title": b"fairstrike-archive/1 ",
    "other archive": b"fairstrike-archive/2 EURUSD 2026-11-28\n",
    "no such day": b"fairstrike-archive/1 EURUSD 2026-02-30\n{}\n",
    "no statement": b"fairstrike-archive/1 EURUSD 2026-11-28\nseal",
    "many ticks": b"fairstrike-archive/1 EURUSD 2026-11-28\nseal,0,4294967295,1," + b",".join([b"0" * 64] * 3) + b"\n",
    "long line": b"fairstrike-archive/1 EURUSD 2026-11-28\n" + b"1" * 3_000_000,
    "terminal": b'{"\x1b[2J":1}',
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_file_ends_in_words(content: bytes) -> None:
    """Issue: sizes, depth, repeated members, huge numbers; nothing raises, and no word carries a control character."""
    for given in (None, content):
        keys, heads = (None if given is None else Source(name, given) for name in ("keys", "heads"))
        report = verify([Source("file", content)], keys=keys, heads=heads)
        assert report.verdict is Verdict.FAILED
        assert all(line.words.isprintable() for line in report.lines)
    assert verify([], manifest=Source("manifest", content)).verdict is Verdict.FAILED


def test_a_document_that_unpacks_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Issue: no zip bombs; a few kilobytes unpack to more than any document has."""
    monkeypatch.setattr(files_module, "MOST_DOCUMENT_BYTES", 1_000_000)
    bomb = gzip.compress(b'{"a":"' + b"0" * 3_000_000)
    assert len(bomb) < 4_000
    assert "larger than any document" in _verdict(bomb).lines[0].words
    monkeypatch.setattr(files_module, "MOST_ARCHIVE_BYTES", 1_000)
    assert any("larger than any file" in line.words for line in _verdict(ARCHIVE.read_bytes()).lines)
    monkeypatch.setattr(archive_module, "MOST_TICKS", 10)
    assert _verdict(ARCHIVE.read_bytes()).verdict is Verdict.FAILED


def test_members_of_every_wrong_type_end_in_words() -> None:
    """Issue: never a traceback; each member in turn is missing, null, a number, a text, a list, an object."""
    document = json.loads(RECEIPT.read_bytes())

    def places(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
        members = value.items() if isinstance(value, dict) else enumerate(value[:2]) if isinstance(value, list) else ()
        for name, member in members:
            yield (*path, name)
            yield from places(member, (*path, name))

    wrongs: list[Any] = [None, -1, 2**53 - 1, "", "x" * 600, [], {}, [{}], True]
    for number, path in enumerate(places(document)):
        changed = json.loads(RECEIPT.read_bytes())
        inner = changed
        for name in path[:-1]:
            inner = inner[name]
        wrong = next(one for one in wrongs[number % 9 :] + wrongs if one != inner[path[-1]])
        inner[path[-1]] = wrong
        text = json.dumps(changed, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
        assert _verdict(text).verdict is Verdict.FAILED, path


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (
            ["lost.json", "archive-1.txt", "--keys", "keys.json", "--heads", "heads.log", "--manifest", "day.json"],
            0,
            "VERIFIED",
        ),
        (["pending.json"], 3, "NOT PROVEN YET"),
        (["unsigned.json"], 1, "FAILED"),
        (["pending.json", "unsigned.json"], 1, "FAILED"),
        (["missing.json"], 1, "cannot be read"),
        (["development.json"], 0, "ATTENTION: a DEVELOPMENT key signed"),
    ],
)
def test_the_command_line_says_it_in_words_and_by_its_exit_code(
    arguments: list[str], code: int, words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Issue: 0 only when everything given verifies, 1 when anything fails, 3 when something is not proven yet."""
    monkeypatch.chdir(FOLDER)
    assert main(arguments) == code
    assert words in capsys.readouterr().out


def test_a_wrong_call_is_told_apart_from_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    """Issue: exit code 2 for usage."""
    with pytest.raises(SystemExit) as ended:
        main([])
    assert ended.value.code == 2
    assert "usage" in capsys.readouterr().err


def test_a_receipt_is_compared_with_what_an_archive_says_of_its_expiry() -> None:
    """Formats: while proofs are pending, the archive's own ticks tell whether another one came later."""
    pending = (FOLDER / "pending.json").read_bytes()
    lines = ARCHIVE.read_bytes().splitlines(keepends=True)
    report = _verdict(pending, b"".join(lines))
    assert report.verdict is Verdict.VERIFIED
    assert not any(line.outcome is Outcome.PENDING for line in report.lines)

"""One verification: files are recognised, archives are read once, receipts are checked against all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from fairstrike_verify.archive import Archive, ArchiveError, ArchiveReader, Question
from fairstrike_verify.decision import decision_check
from fairstrike_verify.evidence import proofs_check, questions_of, seals_check
from fairstrike_verify.files import FileError, Source
from fairstrike_verify.heads import Heads, HeadsError, heads_of
from fairstrike_verify.manifest import Manifest, manifest_of
from fairstrike_verify.members import ShapeError
from fairstrike_verify.receipt import Receipt, receipt_of
from fairstrike_verify.report import Checks, Report
from fairstrike_verify.signatures import Key, keys_of, signature_check
from fairstrike_verify.strict_json import NotCanonicalError, canonical_document, strict_document

Given = str | Source


@dataclass(slots=True)
class _Work:
    """What the given files came to."""

    report: Report
    keys: list[Key] | None = None
    heads: Heads | None = None
    receipts: list[tuple[Checks, dict[str, Any], Receipt]] = field(default_factory=list)
    archives: list[tuple[Checks, Archive]] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)


def verify(
    files: Sequence[Given], *, keys: Given | None = None, heads: Given | None = None, manifest: Given | None = None
) -> Report:
    """Verify receipts and archives, each recognised by its content; nothing is fetched and nothing is written.

    :param keys: the platform's list of keys, as ``/api/v1/fairness/keys`` answers it
    :param heads: a log of heads that somebody kept
    :param manifest: the manifest of a day
    """
    work = _Work(Report())
    work.keys = _keys_read(keys, work.report)
    work.heads = _heads_read(heads, work.report)
    archives = _documents_read([_source(one) for one in files], work)
    _archives_read(archives, work)
    if manifest is not None:
        _manifest_check(_source(manifest), work)
    for checks, document, receipt in work.receipts:
        _receipt_check(document, receipt, work, checks)
    return work.report


def _source(given: Given) -> Source:
    return given if isinstance(given, Source) else Source(given)


def _keys_read(given: Given | None, report: Report) -> list[Key] | None:
    if given is None:
        return None
    source = _source(given)
    try:
        return keys_of(strict_document(source.document()))
    except (FileError, NotCanonicalError, ShapeError) as error:
        report.on(source.name).failed(f"it is no list of keys: {error}")
        return []


def _heads_read(given: Given | None, report: Report) -> Heads | None:
    if given is None:
        return None
    source = _source(given)
    try:
        return heads_of(source.lines())
    except (FileError, HeadsError) as error:
        report.on(source.name).failed(f"it is no log of heads: {error}")
        return None


def _documents_read(sources: Sequence[Source], work: _Work) -> list[tuple[bytes, Source]]:
    """Read the receipts; return the archives with their titles, which are read when it is known what is asked."""
    archives = []
    for source in sources:
        checks = work.report.on(source.name)
        try:
            if source.is_archive():
                archives.append((source.title(), source))
                continue
            document = canonical_document(source.document())
            receipt = receipt_of(document)
        except NotCanonicalError as error:
            checks.failed(f"it is neither a receipt nor an archive: {error}")
        except (FileError, ShapeError) as error:
            checks.failed(str(error))
        else:
            checks.ok(f"it is the receipt of order {receipt.order.id}, in canonical form byte by byte")
            work.receipts.append((checks, document, receipt))
            work.questions += questions_of(receipt)
    # Titles begin with symbol and day, so that days are read in their order.
    return sorted(archives, key=lambda one: one[0])


def _archives_read(archives: Sequence[tuple[bytes, Source]], work: _Work) -> None:
    wanted: dict[str, set[int]] = {}
    for _, _, receipt in work.receipts:
        wanted.setdefault(receipt.order.symbol, set()).update(shown.tick.seq for shown in receipt.ticks())
    for _, source in archives:
        checks = work.report.on(source.name)
        try:
            archive = ArchiveReader(wanted, work.questions).read(source.lines())
        except (ArchiveError, FileError) as error:
            checks.failed(str(error))
            continue
        _archive_check(archive, work, checks)
        work.archives.append((checks, archive))
    _days_check([archive for _, archive in work.archives], work.report)


def _archive_check(archive: Archive, work: _Work, checks: Checks) -> None:
    statement = archive.statement
    checks.ok(
        f"it is the archive of {archive.symbol} of {archive.day}: {statement.ticks} ticks in {statement.seals} minutes,"
        " each as it was sealed, in one chain without a gap"
    )
    signature_check(statement.document, work.keys, checks)
    if not statement.complete:
        checks.note("the day had not ended: it holds what was sealed until then")
    if work.heads is not None:
        work.heads.compare(archive.seals.values(), checks)


def _days_check(archives: Sequence[Archive], report: Report) -> None:
    """Check that each day of a symbol goes on where the day before it ended."""
    for before, after in pairwise(archives):
        if before.symbol != after.symbol or after.day_ms - before.day_ms != 86_400_000 or not before.statement.complete:
            continue
        first, last = next(iter(after.seals.values()), None), next(reversed(before.seals.values()), None)
        follows = after.statement.previous_head == before.statement.last_head
        if follows and first is not None and last is not None:
            follows = first.first_seq == last.next_seq
        words = f"it goes on where the archive of {before.day} ended"
        faults = [] if follows else [f"it does not go on where the archive of {before.day} ended"]
        report.on(f"{after.symbol} {after.day}").all_of(words, faults)


def _manifest_check(source: Source, work: _Work) -> None:
    checks = work.report.on(source.name)
    try:
        document = canonical_document(source.document())
        manifest: Manifest = manifest_of(document)
    except (FileError, NotCanonicalError, ShapeError) as error:
        checks.failed(f"it is no manifest of a day: {error}")
        return
    checks.ok(f"it is the manifest of {manifest.day}, with {len(manifest.entries)} archives under one root")
    signature_check(document, work.keys, checks)
    manifest.compare([archive for _, archive in work.archives], checks)


def _receipt_check(document: dict[str, Any], receipt: Receipt, work: _Work, checks: Checks) -> None:
    signature_check(document, work.keys, checks)
    archives = [archive for _, archive in work.archives if archive.symbol == receipt.order.symbol]
    archived = {seq: tick for archive in archives for seq, tick in archive.wanted.items()}
    seals_check(receipt, archives, checks)
    proofs_check(receipt, archived, checks)
    if work.heads is not None:
        work.heads.compare(receipt.seals, checks)
    answers = [question for question in work.questions if question.symbol == receipt.order.symbol]
    decision_check(receipt, answers, checks)

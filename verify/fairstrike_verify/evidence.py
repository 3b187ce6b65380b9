"""Whether the ticks of a receipt are those that were sealed, and whether none was left out between them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from fairstrike_verify.archive import Archive, Question
from fairstrike_verify.members import instant_text
from fairstrike_verify.receipt import Around, Receipt, ShownTick
from fairstrike_verify.report import Checks
from fairstrike_verify.rules import price_of_quote
from fairstrike_verify.sealing import Seal, Tick, minute_of, root_from_path, tick_leaf


def questions_of(receipt: Receipt) -> list[Question]:
    """Return what an archive can tell about a receipt: its expiry, and how long its entry waited."""
    order = receipt.order
    asked = [Question(order.symbol, order.expires_ms)]
    if receipt.terms.entry_until_ms is not None:
        asked.append(Question(order.symbol, receipt.terms.entry_until_ms))
    return asked


def proofs_check(receipt: Receipt, archived: dict[int, Tick], checks: Checks) -> None:
    """Check that each tick leads to its seal, or is in an archive while its minute has none."""
    seals = {seal.minute_ms: seal for seal in receipt.seals}
    proven, open_ticks, faults = set(), set(), _same_numbers(receipt)
    for shown in receipt.ticks():
        if shown.proof is not None:
            fault = _proof_fault(shown, seals.get(shown.proof.minute_ms), receipt.order.symbol)
            faults += [fault] if fault else []
            proven.add(shown.tick.seq)
        elif archived.get(shown.tick.seq) == shown.tick:
            proven.add(shown.tick.seq)
        elif shown.tick.seq in archived:
            faults.append(f"tick {shown.tick.seq} is another one in the archive")
        else:
            open_ticks.add(shown.tick.seq)
    if receipt.complete and any(shown.proof is None for shown in receipt.ticks()):
        faults.append("it says that its proofs are complete, and ticks have none")
    if faults or proven:
        checks.all_of(f"{len(proven)} ticks are in the log that was sealed", faults)
    if open_ticks:
        checks.pending(
            f"{len(open_ticks)} ticks are NOT PROVEN YET: their minute was not sealed when the receipt was fetched."
            f" {_fetch_again(receipt, open_ticks)}"
        )


def _fetch_again(receipt: Receipt, seqs: set[int]) -> str:
    newest_ms = max(shown.tick.at_ms for shown in receipt.ticks() if shown.tick.seq in seqs)
    sealed_ms = minute_of(newest_ms) + 60_000
    return f"Fetch it again after {instant_text(sealed_ms)}, a minute later where the market is silent"


def _same_numbers(receipt: Receipt) -> list[str]:
    """Return the numbers under which two different ticks are shown, and prices that are not those of their quotes."""
    ticks: dict[int, ShownTick] = {}
    faults = []
    for shown in receipt.ticks():
        if ticks.setdefault(shown.tick.seq, shown) != shown:
            faults.append(f"two different ticks have the number {shown.tick.seq}")
        if shown.tick.revision == receipt.terms.revision and shown.price_places != receipt.terms.price_scale:
            faults.append(f"the price of tick {shown.tick.seq} is not in the scale of the terms")
    for shown in ticks.values():
        middle = price_of_quote(shown.tick, shown.price_places)
        mid = receipt.price_source == "mid" and shown.tick.revision == receipt.terms.revision
        if mid and middle is not None and middle != shown.tick.price:
            faults.append(f"the price of tick {shown.tick.seq} is not the middle of its bid and ask")
    return faults


def _proof_fault(shown: ShownTick, seal: Seal | None, symbol: str) -> str | None:
    tick, proof = shown.tick, shown.proof
    assert proof is not None
    if seal is None:
        return f"tick {tick.seq} is said to be in a seal that is not there"
    if seal.symbol != symbol or minute_of(tick.at_ms) != seal.minute_ms or tick.seq - seal.first_seq != proof.index:
        return f"tick {tick.seq} cannot be where its proof says"
    root = root_from_path(leaf=tick_leaf(tick), index=proof.index, count=seal.count, path=proof.path)
    return (
        None if root == seal.root else f"tick {tick.seq} is not in the log that was sealed: its proof leads elsewhere"
    )


def seals_check(receipt: Receipt, archives: Sequence[Archive], checks: Checks) -> None:
    """Check the seals of a receipt: their own heads, how they follow each other, and what archives have."""
    faults = []
    minutes = [seal.minute_ms for seal in receipt.seals]
    if minutes != sorted(set(minutes)):
        faults.append("its seals are not in the order of their minutes, each once")
    for seal in receipt.seals:
        if seal.symbol != receipt.order.symbol or seal.minute_ms != minute_of(seal.minute_ms):
            faults.append("a seal is of another symbol, or of no minute")
        if seal.own_head != seal.head:
            faults.append(f"the head of {instant_text(seal.minute_ms)} is not that of its seal")
    for before, after in pairwise(receipt.seals):
        if after.first_seq < before.next_seq:
            faults.append(f"the seals of {instant_text(before.minute_ms)} and later share ticks")
        elif after.first_seq == before.next_seq and after.previous_head != before.head:
            faults.append(f"the seal of {instant_text(after.minute_ms)} does not follow the one before it")
    if receipt.seals or faults:
        checks.all_of(f"{len(receipt.seals)} seals have the heads that they say", faults)
    _archived_seals(receipt, archives, checks)


def _archived_seals(receipt: Receipt, archives: Sequence[Archive], checks: Checks) -> None:
    faults, agreed = [], 0
    for seal in receipt.seals:
        for archive in archives:
            if archive.symbol != seal.symbol or not archive.covers(seal.minute_ms):
                continue
            if archive.seals.get(seal.minute_ms) == seal:
                agreed += 1
            else:
                faults.append(
                    f"the seal of {instant_text(seal.minute_ms)} is not the one in the archive of {archive.day}"
                )
    if faults or agreed:
        checks.all_of(f"{agreed} seals are those of the archive", faults)
    elif receipt.seals:
        checks.note("no archive of its symbol and minutes was given: its seals are compared with none")


def neighbours_check(name: str, around: Around, checks: Checks) -> bool:
    """Check that the tick before and the tick after are the ones beside in the log; return whether they are."""
    shown = [one.tick for one in (around.before, around.tick, around.after) if one is not None]
    faults = []
    for one, other in pairwise(shown):
        if other.seq != one.seq + 1:
            faults.append(
                f"{name}: tick {other.seq} does not follow tick {one.seq}: something between them is left out"
            )
        elif other.at_ms < one.at_ms:
            faults.append(f"{name}: tick {other.seq} is earlier than the one before it")
    if not faults:
        return True
    return checks.all_of("", faults)


def nothing_between(
    receipt: Receipt, last: ShownTick | None, after: ShownTick | None, *, by_ms: int, archived: Sequence[Question]
) -> bool | None:
    """Return whether no tick between two of them has a time at or before an instant; None when nobody can tell yet.

    The next tick tells, as the log never goes back in time. Where there is none yet, a seal tells that ends with the
    tick, and an archive that covers the instant.
    """
    if after is not None:
        return after.tick.at_ms > by_ms
    seq = 0 if last is None else last.tick.seq
    for question in archived:
        if question.at_ms == by_ms and (told := question.follows(seq)) is not None:
            return told
    proof = None if last is None else last.proof
    if proof is None or last is None or minute_of(by_ms) != proof.minute_ms:
        return None
    seal = next((seal for seal in receipt.seals if seal.minute_ms == proof.minute_ms), None)
    return seal is not None and proof.index == seal.count - 1

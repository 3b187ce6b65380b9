"""The published examples of evidence, docs/fairness/vectors: texts that verify, and what dishonest hands made of them.

``python -m tests.verify`` writes them; a test compares them byte for byte.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kernel.canonical import canonical
from tests.verify import examples as made

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "fairness" / "vectors"


def files() -> dict[str, bytes]:
    """Return every file by its name, the index of the expected verdicts included."""
    book = _Book()
    book.files["keys.json"] = made.keys_text()
    book.files["heads.log"] = made.LOG.heads()
    first, second = made.archive_text(made.FIRST_DAY), made.archive_text(made.SECOND_DAY, complete=False)
    book.files["archive-1.txt"], book.files["archive-2.txt"] = first, second
    book.files["day.json"] = made.manifest_text([first], made.FIRST_DAY)
    _honest(book)
    _dishonest_receipts(book)
    _dishonest_archives(book, first)
    rows = [{"verdict": verdict, "because": because, **given} for verdict, because, given in book.rows]
    book.files["index.json"] = (json.dumps(rows, indent=1, sort_keys=True) + "\n").encode()
    return book.files


def write() -> None:
    """Write the examples in place of what is there."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path in FOLDER.iterdir():
        if path.suffix != ".md":
            path.unlink()
    for name, content in files().items():
        (FOLDER / name).write_bytes(content)


class _Book:
    """Files and the verdicts that they must get."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.rows: list[tuple[str, str, dict[str, Any]]] = []

    def expect(self, verdict: str, because: str, receipt: str | None = None, **given: Any) -> None:
        """Write down what must come of files that are verified together."""
        known: dict[str, Any] = {
            "receipt": receipt,
            "archives": [],
            "keys": "keys.json",
            "heads": None,
            "manifest": None,
        }
        self.rows.append((verdict, because, known | given))

    def receipt(self, name: str, text: bytes, verdict: str, because: str, **given: Any) -> None:
        """Add a receipt with its verdict."""
        self.files[f"{name}.json"] = text
        self.expect(verdict, because, f"{name}.json", **given)


def _honest(book: _Book) -> None:
    stories = {
        "won": (made.won, "won under last_tick/1; the evidence tick is the second of one millisecond"),
        "lost": (made.lost, "lost under last_tick/1, opening and evidence in different minutes"),
        "tied": (made.tied, "tied: the opening tick is the evidence too"),
        "stale": (made.stale, "refunded: the last tick by the expiry is too old"),
        "next-tick": (made.next_tick, "entered at the tick after acceptance"),
        "no-entry-tick": (made.no_entry_tick, "refunded: no tick came in time to enter"),
        "price-moved": (made.price_moved, "refunded at entry: the price was further away than the client allowed"),
        "mean": (made.mean, "settled at the trimmed mean of ten seconds over two minutes"),
        "mean-of-nothing": (made.mean_of_nothing, "refunded: no tick in the ten seconds of the mean"),
    }
    for name, (order, because) in stories.items():
        text = made.text_of(made.receipt_document(order()))
        book.receipt(name, text, "verified", because)
    both = {"archives": ["archive-1.txt", "archive-2.txt"], "heads": "heads.log", "manifest": "day.json"}
    book.expect(
        "verified",
        "a receipt with the archives of two days, the heads that were kept and a manifest",
        "won.json",
        **both,
    )
    book.expect("verified", "archives alone", archives=["archive-1.txt", "archive-2.txt"])
    book.expect("verified", "without the list of keys the signature alone is checked", "lost.json", keys=None)
    dev = made.text_of(made.receipt_document(made.tied()), "dev", kind="dev")
    book.receipt("development", dev, "verified", "signed with a development key, which the check says loudly")
    unsealed = made.receipt_document(made.won(), made.ListedTicks(1, "quotes_tick", made.SOURCE.ticks, sealed=False))
    book.receipt("pending", made.text_of(unsealed), "pending", "fetched before its minute was sealed")
    book.expect("verified", "the archive proves what was pending", "pending.json", archives=["archive-1.txt"])
    book.receipt("open", made.text_of(made.receipt_document(made.still_open())), "pending", "the order is not settled")


def _changed(document: dict[str, Any], change: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    found = copy.deepcopy(document)
    change(found)
    return found


def _dishonest_receipts(book: _Book) -> None:
    won, lost = made.receipt_document(made.won()), made.receipt_document(made.lost())
    mean = made.receipt_document(made.mean())

    def again(name: str, because: str, document: dict[str, Any], key: str = "production", **how: Any) -> None:
        """Add a receipt that was changed and signed again, as only the holder of the key can."""
        book.receipt(name, made.text_of(document, key, **how), "failed", because)

    honest = made.text_of(won)
    price = won["evidence"]["tick"]["price"].encode()
    flipped = honest.replace(b'"price":"' + price, b'"price":"' + price[:-1] + b"9", 1)
    book.receipt("changed-byte", flipped, "failed", "a digit of a price was changed after signing")
    book.receipt("not-canonical", honest + b"\n", "failed", "a line feed was added at the end")
    book.receipt("unsigned", canonical({**won, "signature": None}), "failed", "the signature was taken away")
    again("other-key", "signed with a key that is not the platform's", won, "stranger")
    again("retired-key", "signed with a key that was replaced before", won, "retired")
    again("dev-as-production", "a development key that says production", won, "dev")
    result = {"state": "lost", "payout": "0.00", "profit": "-10.05"}
    again(
        "other-result",
        "the result was changed and signed again",
        _changed(won, lambda one: one["order"].update(result)),
    )
    for name, because, change in _FALSE:
        again(name, because, _changed(mean if name.startswith("mean") else lost, change))


def _tick_dropped(document: dict[str, Any]) -> None:
    """Let the tick before the evidence decide, as if the evidence had not been there."""
    evidence = document["evidence"]
    before = evidence["before"]
    evidence.update(tick=before, before=None)
    document["order"]["close_tick"] = {name: before[name] for name in ("seq", "at", "price")}


def _tick_hidden(document: dict[str, Any]) -> None:
    """Do so and say that nothing came after it."""
    _tick_dropped(document)
    document["evidence"]["after"] = None


def _window_tick_dropped(document: dict[str, Any]) -> None:
    del document["evidence"]["window"][3]


def _price_changed(document: dict[str, Any]) -> None:
    for tick in (document["opening"]["tick"],):
        tick.update(price="1.08001", bid="1.08001", ask="1.08001")
    document["order"]["open_price"] = document["order"]["open_tick"]["price"] = "1.08001"


def _transfer_changed(document: dict[str, Any]) -> None:
    document["transfers"][1]["amount"] = "1.00"


def _arithmetic_changed(document: dict[str, Any]) -> None:
    document["arithmetic"][-1]["result"] = "1005"


def _path_changed(document: dict[str, Any]) -> None:
    path = document["evidence"]["tick"]["proof"]["path"]
    path[0] = path[0][:-1] + ("0" if path[0][-1] != "0" else "1")


def _head_changed(document: dict[str, Any]) -> None:
    document["seals"][0]["head"] = "00" * 32


_FALSE: list[tuple[str, str, Callable[[dict[str, Any]], Any]]] = [
    ("tick-left-out", "the evidence tick was left out, the one before it put in its place", _tick_dropped),
    ("tick-hidden", "likewise, and no tick after it is shown: its seal has more", _tick_hidden),
    ("price-changed", "the opening price was changed; its proof leads elsewhere", _price_changed),
    ("transfer-changed", "a transfer moves less than the stake", _transfer_changed),
    ("arithmetic-changed", "a line of the arithmetic is wrong", _arithmetic_changed),
    ("path-changed", "a hash of a proof was changed", _path_changed),
    ("head-changed", "a seal says another head than it has", _head_changed),
    ("mean-tick-left-out", "a tick of the window was left out", _window_tick_dropped),
]


def _dishonest_archives(book: _Book, archive: bytes) -> None:
    def add(name: str, text: bytes, because: str, **given: Any) -> None:
        book.files[f"{name}.txt"] = text
        book.expect("failed", because, archives=[f"{name}.txt"], **given)

    lines = archive.splitlines(keepends=True)
    seals = [place for place, line in enumerate(lines) if line.startswith(b"seal,")]
    add("archive-tick-dropped", b"".join([*lines[:9], *lines[10:]]), "a tick was dropped")
    add("archive-ticks-swapped", b"".join([*lines[:9], lines[10], lines[9], *lines[11:]]), "two ticks were swapped")
    add("archive-minute-dropped", b"".join([*lines[: seals[1]], *lines[seals[2] :]]), "a minute was dropped")
    add("archive-cut", b"".join(lines[:-1]), "the statement was cut off")
    anew = made.sealed_anew()
    book.files["archive-sealed-anew.txt"] = made.archive_text(log=anew)
    sealed = ["archive-sealed-anew.txt"]
    book.expect(
        "verified", "a log with a changed price and all its seals made again is whole in itself", archives=sealed
    )
    book.expect("failed", "the heads that were kept tell that it was sealed anew", archives=sealed, heads="heads.log")
    book.expect("failed", "its seals are not those of an honest receipt", "won.json", archives=sealed)
    book.expect("failed", "it is not the archive of the manifest", archives=sealed, manifest="day.json")

"""What the published examples of evidence are made of: a small log that never was, and orders over it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid5

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kernel.canonical import canonical
from kernel.clock import parse_rfc3339, rfc3339
from kernel.key_files import PrivateKey
from kernel.money import format_minor
from kernel.signing import signature_by
from quotes.proofs import TickProof
from quotes.sealing import LogTick, day_root, inclusion_paths, leaves_of
from settlement.domain import TRIMMED_WINDOW_MS, EntryTerms, Evidence, Outcome, Terms, Tick, entry, outcome
from settlement.receipt_documents import ReceiptTransfer, ReceiptWatermark
from settlement.receipt_ticks import Row, TickSource, ticks_shown
from settlement.receipts import ReceiptFacts, receipt_made
from tests.verify.sealed_log import SealedLog
from trading.domain import LAST_TICK, NEXT_TICK, TRIMMED_MEAN, Direction, OrderState
from trading.models import Order

SYMBOL = "EURUSD"
NAMES = UUID("5e3c1f0a-6a0d-4c2b-9b1e-000000000000")
FIRST_DAY, SECOND_DAY = "2026-11-28", "2026-11-29"
NOON_MS = parse_rfc3339(f"{FIRST_DAY}T12:00:00Z")
QUIET_MS = NOON_MS + 100_000
SIGNED_MS = parse_rfc3339(f"{SECOND_DAY}T08:00:00Z")
MAX_AGE_MS = 3_000


def key_of(name: str) -> PrivateKey:
    """Return a key that everybody can make: it must never sign anything else."""
    return PrivateKey(Ed25519PrivateKey.from_private_bytes(sha256(f"fairstrike vectors: {name}".encode()).digest()))


def signed_by(name: str, document: Mapping[str, Any], *, kind: str = "production") -> dict[str, Any]:
    """Return a document signed by one of those keys."""
    bare = {member: value for member, value in document.items() if member != "signature"}
    return {**bare, "signature": signature_by(key_of(name), kind, bare)}


def _ticks() -> list[LogTick]:
    """Return the log: about two minutes with a quiet time and one tick alone, and a minute of the next day."""
    ticks: list[LogTick] = []

    def add(at_ms: int, price: int) -> None:
        # Every third tick is a trade: it has no bid and no ask.
        half = len(ticks) % 2
        sides = (None, None) if len(ticks) % 3 == 2 else (_decimal(price - half), _decimal(price + half))
        ticks.append((len(ticks) + 1, at_ms, at_ms + 20 + len(ticks) % 7, *sides, price, 1))

    for number in range(120):
        at_ms = NOON_MS + number * 750
        # Two ticks of one millisecond now and then: their order is that of their numbers.
        add(at_ms, 108_500 + (number * 37) % 23)
        if number % 40 == 39:
            add(at_ms, 108_500 + (number * 11) % 23)
    add(QUIET_MS + 25_000, 108_540)
    add(QUIET_MS + 25_400, 108_541)
    for number in range(12):
        add(parse_rfc3339(f"{SECOND_DAY}T00:00:00Z") + number * 900, 108_560 + number % 5)
    return ticks


def _decimal(price: int) -> str:
    return f"{price // 100_000}.{price % 100_000:05d}"


LOG = SealedLog.of(SYMBOL, _ticks())


@dataclass(frozen=True, slots=True)
class ListedTicks(TickSource):
    """The ticks of the examples, where the platform reads its log."""

    ticks: tuple[LogTick, ...] = ()
    sealed: bool = True

    def at(self, seqs: Iterable[int]) -> dict[int, Row]:
        """Return the ticks with these numbers."""
        asked = set(seqs)
        return {tick[0]: tick for tick in self.ticks if tick[0] in asked}

    def last_by(self, at_ms: int) -> int | None:
        """Return the number of the last tick by an instant."""
        return max((tick[0] for tick in self.ticks if tick[1] <= at_ms), default=None)

    def between(self, after_ms: int, to_ms: int) -> list[Row]:
        """Return the ticks behind one instant and up to another."""
        return [tick for tick in self.ticks if after_ms < tick[1] <= to_ms]

    def proofs(self, rows: Iterable[Row]) -> dict[int, TickProof]:
        """Return the proofs of ticks."""
        asked = {row[0] for row in rows}
        found: dict[int, TickProof] = {}
        for seal, ticks in LOG.minutes if self.sealed else ():
            places = [place for place, tick in enumerate(ticks) if tick[0] in asked]
            paths = inclusion_paths(leaves_of(ticks), places)
            found |= {ticks[place][0]: TickProof(place, path, seal) for place, path in zip(places, paths, strict=True)}
        return found


SOURCE = ListedTicks(1, "quotes_tick", tuple(tick for _, ticks in LOG.minutes for tick in ticks))


def _tick(row: Row | None) -> Tick | None:
    return None if row is None else Tick(row[0], row[1], row[5], row[6])


def accepted(name: str, at_ms: int, lasts_ms: int, direction: str = "up", **terms: Any) -> Order:
    """Return an order as it is accepted: it has entered under ``last_tick/1``, or waits for its entry."""
    order = Order(
        id=uuid5(NAMES, name),
        client_order_id=name,
        user_id=uuid5(NAMES, "user"),
        wallet_id=uuid5(NAMES, "wallet"),
        book="demo",
        currency="USD",
        source="web",
        symbol_id=1,
        symbol=SYMBOL,
        direction=direction,
        stake=1_005,
        payout_percent=85,
        entry_rule=LAST_TICK,
        settlement_rule=LAST_TICK,
        max_tick_age_ms=MAX_AGE_MS,
        revision=1,
        price_scale=5,
        accepted_at_ms=at_ms,
        expires_at_ms=at_ms + lasts_ms,
        state=OrderState.OPEN,
        balance_after=998_995,
    )
    for column, value in terms.items():
        setattr(order, column, value)
    newest = SOURCE.at([SOURCE.last_by(at_ms) or 0])
    stood = next(iter(newest.values()))
    if order.entry_rule == NEXT_TICK:
        order.entry_after_seq, order.entry_after_ms = stood[0], stood[1]
        order.entry_until_ms = min(at_ms + MAX_AGE_MS, order.expires_at_ms)
    else:
        _opened(order, Tick(stood[0], stood[1], stood[5], stood[6]), at_ms)
    return order


def _opened(order: Order, tick: Tick, at_ms: int) -> None:
    order.entered_at_ms, order.open_seq, order.open_at_ms, order.open_price = at_ms, tick.seq, tick.at_ms, tick.price


def settled(order: Order) -> Order:
    """Let an order enter and settle by the platform's own rules."""
    if order.entry_rule == NEXT_TICK:
        assert order.entry_after_seq is not None
        assert order.entry_until_ms is not None
        following = _tick(SOURCE.at([order.entry_after_seq + 1]).get(order.entry_after_seq + 1))
        terms = EntryTerms(
            order.entry_after_seq, order.entry_until_ms, 1, 5, order.expected_price, order.max_price_drift
        )
        made = entry(terms=terms, tick=following)
        if made.tick is not None:
            _opened(order, made.tick, made.tick.at_ms + 40)
        if made.refund is not None:
            return _closed(order, Outcome(OrderState.REFUNDED, order.stake, None, made.refund))
    assert order.open_price is not None
    last = SOURCE.last_by(order.expires_at_ms)
    window = SOURCE.between(order.expires_at_ms - TRIMMED_WINDOW_MS, order.expires_at_ms)
    trimmed = order.settlement_rule == TRIMMED_MEAN
    terms_of = Terms(
        direction=Direction(order.direction),
        stake=order.stake,
        payout_percent=order.payout_percent,
        expires_at_ms=order.expires_at_ms,
        max_tick_age_ms=order.max_tick_age_ms,
        revision=1,
        open_price=order.open_price,
        settlement_rule=order.settlement_rule,
    )
    evidence = Evidence(
        tick=None if last is None else _tick(SOURCE.at([last])[last]),
        window=tuple(row[5] for row in window) if trimmed else (),
        window_revisions=frozenset({1}) if trimmed and window else frozenset(),
    )
    return _closed(order, outcome(terms=terms_of, evidence=evidence))


def _closed(order: Order, decided: Outcome) -> Order:
    order.state, order.payout = decided.state, decided.payout
    order.reason = None if decided.reason is None else decided.reason.value
    order.close_price, order.settled_at_ms = decided.close_price, order.expires_at_ms + 60
    if decided.tick is not None:
        order.close_seq, order.close_at_ms = decided.tick.seq, decided.tick.at_ms
        order.close_tick_price = None if decided.tick_price == decided.close_price else decided.tick_price
    order.balance_after += decided.payout
    return order


def _transfers(order: Order) -> list[ReceiptTransfer]:
    lost = order.state == OrderState.LOST
    moved = [("order.stake", "stake", order.stake, "wallet", "stakes")]
    if order.state != OrderState.OPEN:
        moved.append(("order.close", str(order.state), order.stake, "stakes", "house" if lost else "wallet"))
    if order.state == OrderState.WON:
        moved.append(("order.profit", "profit", (order.payout or 0) - order.stake, "house", "wallet"))
    return [
        ReceiptTransfer(
            id=str(uuid5(NAMES, f"{order.pk} {family}")),
            at=rfc3339(order.accepted_at_ms if family == "order.stake" else order.settled_at_ms or 0),
            family=family,
            kind=kind,
            amount=format_minor(amount, order.currency),
            debit=debit,
            credit=credit,
            debit_no=None if debit == "house" else 7,
            credit_no=None if credit == "house" else 8,
        )
        for family, kind, amount, debit, credit in moved
    ]


def receipt_document(order: Order, source: ListedTicks = SOURCE, **facts: Any) -> dict[str, Any]:
    """Return an order's receipt, not signed yet, as the platform makes it."""
    limit_ms = order.entry_until_ms if order.reason == "no_entry_tick" else order.expires_at_ms
    assert limit_ms is not None
    known: dict[str, Any] = {
        "feed": "binance",
        "feed_symbol": "EURUSDT",
        "endpoint": "",
        "price_source": "mid",
        "ticks": "log",
        "shown": ticks_shown(order, source, {1: 5}),
        "declared": (False, None, None),
        "emergency_revision": None,
        "watermark": None
        if order.reason == "price_moved"
        else ReceiptWatermark(watermark=rfc3339(limit_ms), cause="tick", raised_at=rfc3339(limit_ms + 45)),
        "transfers": _transfers(order),
    }
    receipt = receipt_made(order, ReceiptFacts(**{**known, **facts}))
    document: dict[str, Any] = msgspec.to_builtins(receipt)
    return document | {"signed_at": rfc3339(SIGNED_MS)}


def won() -> Order:
    """Return a won order; its evidence tick is the second of two of one millisecond, at the expiry itself."""
    at_ms = NOON_MS + 79 * 750
    return settled(accepted("won", at_ms - 30_000, 30_000, "up" if _rises(at_ms - 30_000, at_ms) else "down"))


def _rises(from_ms: int, to_ms: int) -> bool:
    one, other = (SOURCE.at([seq])[seq][5] for seq in (SOURCE.last_by(from_ms), SOURCE.last_by(to_ms)) if seq)
    return bool(other > one)


def lost() -> Order:
    """Return a lost order of a minute's length over two seals."""
    from_ms = NOON_MS + 20_100
    return settled(accepted("lost", from_ms, 60_000, "down" if _rises(from_ms, from_ms + 60_000) else "up"))


def tied() -> Order:
    """Return a tied order: no tick came between acceptance and expiry."""
    return settled(accepted("tied", NOON_MS + 30_010, 700))


def stale() -> Order:
    """Return an order whose expiry fell into the quiet time."""
    return settled(accepted("stale", NOON_MS + 85_000, 20_000))


def next_tick() -> Order:
    """Return an order that entered at the tick after its acceptance."""
    return settled(accepted("next-tick", NOON_MS + 40_300, 5_000, entry_rule=NEXT_TICK))


def no_entry_tick() -> Order:
    """Return an order that no tick opened in time."""
    return settled(accepted("no-entry-tick", NOON_MS + 89_900, 5_000, entry_rule=NEXT_TICK))


def price_moved() -> Order:
    """Return an order whose opening price was further away than its client allowed."""
    guards = {"expected_price": "1.20000", "max_price_drift": "0.00010"}
    return settled(accepted("price-moved", NOON_MS + 41_000, 5_000, entry_rule=NEXT_TICK, **guards))


def mean() -> Order:
    """Return an order settled at the trimmed mean of ten seconds."""
    return settled(accepted("mean", NOON_MS + 50_200, 15_000, settlement_rule=TRIMMED_MEAN))


def mean_of_nothing() -> Order:
    """Return an order in whose last ten seconds no tick came."""
    return settled(accepted("mean-of-nothing", NOON_MS + 88_000, 30_000, settlement_rule=TRIMMED_MEAN))


def still_open() -> Order:
    """Return an order that is not due yet."""
    return accepted("open", NOON_MS + 60_100, 3_600_000)


@dataclass(frozen=True, slots=True)
class Example:
    """Files that are verified together, and what must come of it."""

    verdict: str
    because: str
    receipt: str | None = None
    archives: tuple[str, ...] = ()
    keys: str | None = "keys.json"
    heads: str | None = None
    manifest: str | None = None


def text_of(document: Mapping[str, Any], key: str = "production", **how: Any) -> bytes:
    """Return a document as it is handed out."""
    return canonical(signed_by(key, document, **how))


def keys_text() -> bytes:
    """Return the platform's list of keys: one in use, one that was replaced, one of a development platform."""
    spans = [
        ("production", "production", "2026-11-20T00:00:00.000Z", None),
        ("retired", "production", "2026-11-01T00:00:00.000Z", "2026-11-20T00:00:00.000Z"),
        ("dev", "dev", "2026-11-01T00:00:00.000Z", None),
    ]
    data = [
        {
            "key_id": key_of(name).key_id,
            "kind": kind,
            "public_key": key_of(name).public_bytes.hex(),
            "since": since,
            "until": until,
        }
        for name, kind, since, until in spans
    ]
    return canonical({"data": data})


def manifest_text(archives: Sequence[bytes], day: str) -> bytes:
    """Return the manifest of a day."""
    entries = []
    for text in archives:
        statement = json.loads(text.splitlines()[-1])
        listed = ("last_head", "previous_head", "root", "seals", "symbol", "ticks")
        entries.append(
            {name: statement[name] for name in listed} | {"bytes": len(text), "sha256": sha256(text).hexdigest()}
        )
    document = {
        "archives": entries,
        "complete": True,
        "day": day,
        "root": day_root([bytes.fromhex(one["root"]) for one in entries]).hex(),
        "signed_at": rfc3339(SIGNED_MS),
        "version": "day/1",
    }
    return text_of(document)


SIGN = partial(signed_by, "production")


def archive_text(day: str = FIRST_DAY, log: SealedLog = LOG, **how: Any) -> bytes:
    """Return the archive of a day."""
    return log.archive(day, sign=SIGN, signed_at_ms=SIGNED_MS, **how)


def sealed_anew() -> SealedLog:
    """Return the log with one price changed and every seal made again: whole in itself, and not what was published."""
    ticks = [tick for _, found in LOG.minutes for tick in found]
    seq, at_ms, received_ms, _, _, price, revision = ticks[50]
    ticks[50] = (seq, at_ms, received_ms, _decimal(price + 10), _decimal(price + 10), price + 10, revision)
    return SealedLog.of(SYMBOL, ticks)

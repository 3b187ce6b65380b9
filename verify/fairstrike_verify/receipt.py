"""A receipt as its checks need it: ``receipt/2``, of the right shape and nothing more."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fairstrike_verify.members import DECIMAL, Members, ShapeError
from fairstrike_verify.sealing import Seal, Tick

VERSION = "receipt/2"


@dataclass(frozen=True, slots=True)
class Proof:
    """What leads from a tick to the root of its minute's seal."""

    index: int
    minute_ms: int
    path: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class ShownTick:
    """A tick as a receipt shows it."""

    tick: Tick
    price_places: int
    proof: Proof | None


@dataclass(frozen=True, slots=True)
class Around:
    """A tick with its neighbours, or the two between which there is none."""

    tick: ShownTick | None
    before: ShownTick | None
    after: ShownTick | None


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the receipt says about the expiry."""

    around: Around
    window: list[ShownTick]
    window_before: ShownTick | None
    feed_closed: bool
    emergency_revision: int | None


@dataclass(frozen=True, slots=True)
class Named:
    """A tick as the order names it; the price as an integer and its places."""

    seq: int
    at_ms: int
    price: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Order:
    """The order; money and prices as integers with their places, instants in Unix milliseconds."""

    id: str
    symbol: str
    direction: str
    stake: tuple[int, int]
    payout_percent: int
    entry_rule: str
    settlement_rule: str
    state: str
    reason: str | None
    accepted_ms: int
    entered_ms: int | None
    expires_ms: int
    open_price: tuple[int, int] | None
    open_tick: Named | None
    close_price: tuple[int, int] | None
    close_tick: Named | None
    payout: tuple[int, int] | None
    profit: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class Terms:
    """What was frozen at acceptance."""

    price_scale: int
    max_tick_age_ms: int
    revision: int
    entry_after_seq: int | None
    entry_until_ms: int | None
    expected_price: tuple[int, int] | None
    max_price_drift: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class Transfer:
    """One movement of money."""

    family: str
    kind: str
    amount: tuple[int, int]
    debit: str
    credit: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """A receipt."""

    order: Order
    feed: str
    price_source: str
    entry_rule: str
    settlement_rule: str
    terms: Terms
    opening: Around
    evidence: Evidence | None
    watermark_ms: int | None
    arithmetic: list[tuple[str, str]]
    transfers: list[Transfer]
    seals: list[Seal]
    complete: bool
    signed_at_ms: int

    def ticks(self) -> Iterator[ShownTick]:
        """Yield every tick that is shown, as often as it is."""
        arounds = [self.opening]
        if self.evidence is not None:
            arounds.append(self.evidence.around)
            yield from self.evidence.window
            if self.evidence.window_before is not None:
                yield self.evidence.window_before
        for around in arounds:
            yield from (one for one in (around.tick, around.before, around.after) if one is not None)


def receipt_of(document: dict[str, Any]) -> Receipt:
    """Return the receipt that a document is.

    :raises ShapeError: naming the first member that is not what the format says
    """
    source = Members(document)
    if document.get("version") != VERSION:
        raise ShapeError(f"this program reads {VERSION}, not {str(document.get('version'))[:20]}")
    if source.text("proofs") not in ("complete", "pending"):
        raise source.fault("proofs", "complete or pending")
    rules, watermark = source.inner("rules"), source.maybe("watermark", source.inner)
    return Receipt(
        order=_order(source.inner("order")),
        feed=source.text("feed"),
        price_source=source.inner("source").text("price_source"),
        entry_rule=rules.text("entry"),
        settlement_rule=rules.text("settlement"),
        terms=_terms(source.inner("terms")),
        opening=_around(source.inner("opening")),
        evidence=None if (found := source.maybe("evidence", source.inner)) is None else _evidence(found),
        watermark_ms=None if watermark is None else watermark.instant("watermark"),
        arithmetic=source.each("arithmetic", lambda step: (step.text("what"), step.text("result"))),
        transfers=source.each("transfers", _transfer),
        seals=source.each("seals", _seal),
        complete=source.text("proofs") == "complete",
        signed_at_ms=source.instant("signed_at"),
    )


def _order(source: Members) -> Order:
    if source.text("direction") not in ("up", "down"):
        raise source.fault("direction", "up or down")
    stake = source.units("stake")
    if stake[0] <= 0:
        raise source.fault("stake", "above zero")
    return Order(
        id=source.text("id"),
        symbol=source.symbol("symbol"),
        direction=source.text("direction"),
        stake=stake,
        payout_percent=source.whole("payout_percent"),
        entry_rule=source.text("entry_rule"),
        settlement_rule=source.text("settlement_rule"),
        state=source.text("state"),
        reason=source.maybe("reason", source.text),
        accepted_ms=source.instant("accepted_at"),
        entered_ms=source.maybe("entered_at", source.instant),
        expires_ms=source.instant("expires_at"),
        open_price=source.maybe("open_price", source.units),
        open_tick=source.maybe("open_tick", lambda name: _named(source.inner(name))),
        close_price=source.maybe("close_price", source.units),
        close_tick=source.maybe("close_tick", lambda name: _named(source.inner(name))),
        payout=source.maybe("payout", source.units),
        profit=source.maybe("profit", source.units),
    )


def _named(source: Members) -> Named:
    return Named(source.whole("seq"), source.instant("at"), source.units("price"))


def _terms(source: Members) -> Terms:
    return Terms(
        price_scale=source.whole("price_scale"),
        max_tick_age_ms=source.whole("max_tick_age_ms"),
        revision=source.whole("symbol_revision"),
        entry_after_seq=source.maybe("entry_after_seq", source.whole),
        entry_until_ms=source.maybe("entry_until", source.instant),
        expected_price=source.maybe("expected_price", source.units),
        max_price_drift=source.maybe("max_price_drift", source.units),
    )


def _around(source: Members) -> Around:
    return Around(*(source.maybe(name, lambda each: _tick(source.inner(each))) for name in ("tick", "before", "after")))


def _evidence(source: Members) -> Evidence:
    return Evidence(
        around=_around(source),
        window=source.each("window", _tick),
        window_before=source.maybe("window_before", lambda name: _tick(source.inner(name))),
        feed_closed=source.flag("feed_closed"),
        emergency_revision=source.maybe("emergency_revision", source.whole),
    )


def _tick(source: Members) -> ShownTick:
    price, places = source.units("price")
    revision = source.whole("revision")
    if not 0 <= price < 2**63:
        raise source.fault("price", "a price")
    if revision >= 2**32:
        raise source.fault("revision", "the number of a revision")
    tick = Tick(
        seq=source.whole("seq"),
        at_ms=source.instant("at"),
        received_ms=source.instant("received_at"),
        bid=_side(source, "bid"),
        ask=_side(source, "ask"),
        price=price,
        revision=revision,
    )
    return ShownTick(tick, places, source.maybe("proof", lambda name: _proof(source.inner(name))))


def _side(source: Members, name: str) -> str:
    text = source.maybe(name, lambda each: source.text(each, most=2_001))
    if text is not None and not DECIMAL.fullmatch(text):
        raise source.fault(name, "a decimal number")
    return text or ""


def _proof(source: Members) -> Proof:
    return Proof(source.whole("index"), source.instant("minute"), source.hashes("path"))


def _seal(source: Members) -> Seal:
    count = source.whole("count")
    if not 0 < count < 2**32:
        raise source.fault("count", "a count of ticks")
    return Seal(
        symbol=source.symbol("symbol"),
        minute_ms=source.instant("minute"),
        count=count,
        first_seq=source.whole("first_seq"),
        root=source.hexadecimal("root", 32),
        previous_head=source.hexadecimal("previous_head", 32),
        head=source.hexadecimal("head", 32),
    )


def _transfer(source: Members) -> Transfer:
    names = ("family", "kind", "debit", "credit")
    family, kind, debit, credit = (source.text(name) for name in names)
    return Transfer(family, kind, source.units("amount"), debit, credit)

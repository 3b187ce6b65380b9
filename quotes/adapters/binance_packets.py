"""Binance's packets: raw and combined streams of spot and futures, decoded to raw ticks.

Source: Binance's WebSocket stream documentation (spot ``web-socket-streams``, USD-M and COIN-M market streams).
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated

import msgspec

from quotes.adapters.upstream import INSTANT_MAX_MS, PacketError, PriceTextError, is_name, price_decimal
from quotes.domain import RawTick

Instant = Annotated[int, msgspec.Meta(gt=0, lt=INSTANT_MAX_MS)]
Number = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
# Later than this an instant of milliseconds would lie thousands of years ahead: it is in microseconds.
_MICROSECONDS = 10**14


class _Envelope(msgspec.Struct):
    stream: str = ""
    data: msgspec.Raw = msgspec.Raw(b"")


class _Head(msgspec.Struct):
    event: str = msgspec.field(name="e", default="")
    symbol: str = msgspec.field(name="s", default="")


@dataclass(frozen=True, slots=True)
class Said:
    """A tick, and whether its time is the exchange's own."""

    tick: RawTick
    timed: bool


class _Book(msgspec.Struct):
    symbol: str = msgspec.field(name="s")
    update: Number = msgspec.field(name="u")
    bid: str = msgspec.field(name="b")
    ask: str = msgspec.field(name="a")
    transacted: Instant | None = msgspec.field(name="T", default=None)
    sent: Instant | None = msgspec.field(name="E", default=None)

    def said(self, packet: int, recv_ms: int) -> Said:
        at_ms = _instant(self.transacted, self.sent)
        tick = RawTick(
            source=self.symbol,
            packet=packet,
            src_ms=recv_ms if at_ms is None else at_ms,
            recv_ms=recv_ms,
            bid=price_decimal(self.bid),
            ask=price_decimal(self.ask),
            source_id=f"u{self.update}",
        )
        return Said(tick, timed=at_ms is not None)


class _Trade(msgspec.Struct):
    symbol: str = msgspec.field(name="s")
    number: Number = msgspec.field(name="t")
    price: str = msgspec.field(name="p")
    traded: Instant | None = msgspec.field(name="T", default=None)
    sent: Instant | None = msgspec.field(name="E", default=None)

    def said(self, packet: int, recv_ms: int) -> Said:
        at_ms = _instant(self.traded, self.sent)
        return _trade(self.symbol, packet, at_ms, recv_ms, price_decimal(self.price), f"t{self.number}")


class _AggregateTrade(msgspec.Struct):
    symbol: str = msgspec.field(name="s")
    number: Number = msgspec.field(name="a")
    price: str = msgspec.field(name="p")
    traded: Instant | None = msgspec.field(name="T", default=None)
    sent: Instant | None = msgspec.field(name="E", default=None)

    def said(self, packet: int, recv_ms: int) -> Said:
        at_ms = _instant(self.traded, self.sent)
        return _trade(self.symbol, packet, at_ms, recv_ms, price_decimal(self.price), f"a{self.number}")


class _Answer(msgspec.Struct):
    result: msgspec.Raw = msgspec.Raw(b"")
    id: msgspec.Raw = msgspec.Raw(b"")


_envelope = msgspec.json.Decoder(_Envelope)
_head = msgspec.json.Decoder(_Head)
_answer = msgspec.json.Decoder(_Answer)
_Kind = msgspec.json.Decoder[_Book] | msgspec.json.Decoder[_Trade] | msgspec.json.Decoder[_AggregateTrade]
_KINDS: dict[str, _Kind] = {
    "bookTicker": msgspec.json.Decoder(_Book),
    "trade": msgspec.json.Decoder(_Trade),
    "aggTrade": msgspec.json.Decoder(_AggregateTrade),
}


def packet_read(frame: bytes, *, packet: int, recv_ms: int) -> Said | None:
    """Return the tick of a packet, or None when it is of a kind that carries no price for us.

    Its time is the exchange's transaction or event time where there is one, else our receive time.

    :raises PacketError: when it cannot be read
    """
    source = ""
    try:
        envelope = _envelope.decode(frame)
        body = bytes(envelope.data) or frame
        head = _head.decode(body)
        source = head.symbol or envelope.stream.partition("@")[0]
        # The spot book ticker names itself by its stream only, and on a raw stream not at all.
        kind = head.event or envelope.stream.rpartition("@")[2] or _unnamed(body)
        decoder = _KINDS.get(kind)
        if decoder is None:
            return None
        if not is_name(source):
            raise PacketError
        return decoder.decode(body).said(packet, recv_ms)
    except (msgspec.DecodeError, PriceTextError, UnicodeDecodeError, RecursionError) as error:
        raise PacketError(source) from error


def is_answer(frame: bytes) -> bool:
    """Whether a frame answers one of our requests."""
    try:
        answer = _answer.decode(frame)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return bool(answer.result) and bool(answer.id)


def _unnamed(body: bytes) -> str:
    return "bookTicker" if b'"u"' in body and b'"b"' in body and b'"s"' in body else ""


def _instant(first: int | None, second: int | None) -> int | None:
    at_ms = first or second
    return at_ms // 1000 if at_ms is not None and at_ms > _MICROSECONDS else at_ms


def _trade(source: str, packet: int, at_ms: int | None, recv_ms: int, price: Decimal, source_id: str) -> Said:
    src_ms = recv_ms if at_ms is None else at_ms
    return Said(RawTick(source, packet, src_ms, recv_ms, last=price, source_id=source_id), timed=at_ms is not None)

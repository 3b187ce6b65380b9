"""Kraken's packets, the objects of version 2 and the arrays of version 1, told apart by their shape.

Source: Kraken's WebSocket API documentation (``spot-websocket-v2``: ticker, trade, status, heartbeat, ping; and the
version 1 channels ticker, spread, trade with their events).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from kernel.clock import parse_rfc3339
from quotes.adapters.upstream import INSTANT_MAX_MS, PacketError, PriceTextError, is_name, price_decimal, price_written
from quotes.domain import RawTick

_SECONDS = re.compile(r"(\d{1,11})(?:\.(\d{1,9}))?\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a request for one symbol, or for all of a request when it names none."""

    error: str = ""
    channel: str = ""
    symbol: str = ""
    request: int | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """What a frame says.

    :param version: of the protocol, where the frame shows it
    :param timed: whether the ticks carry the source's own time
    :param history: whether the ticks are trades of the past, sent because of a subscription
    :param system: the state of the trading engine
    """

    version: int | None = None
    ticks: tuple[RawTick, ...] = ()
    timed: bool = True
    history: bool = False
    answer: Answer | None = None
    system: str = ""


class _Object(msgspec.Struct):
    channel: str = ""
    type: str = ""
    data: msgspec.Raw = msgspec.Raw(b"")
    method: str = ""
    success: bool | None = None
    error: str | None = None
    symbol: str | None = None
    req_id: int | None = None
    result: msgspec.Raw = msgspec.Raw(b"")
    event: str = ""
    status: str = ""
    pair: str | None = None
    reqid: int | None = None
    error_message: str | None = msgspec.field(name="errorMessage", default=None)
    subscription: msgspec.Raw = msgspec.Raw(b"")


class _Result(msgspec.Struct):
    channel: str = ""
    symbol: str = ""


class _Subscription(msgspec.Struct):
    name: str = ""


class _Quote(msgspec.Struct):
    symbol: str
    bid: msgspec.Raw
    ask: msgspec.Raw
    timestamp: str | None = None


class _Trade(msgspec.Struct):
    symbol: str
    price: msgspec.Raw
    timestamp: str
    trade_id: int | None = None


class _System(msgspec.Struct):
    system: str = ""


class _Sides(msgspec.Struct):
    ask: list[msgspec.Raw] = msgspec.field(name="a")
    bid: list[msgspec.Raw] = msgspec.field(name="b")


_object = msgspec.json.Decoder(_Object)
_result = msgspec.json.Decoder(_Result)
_subscription = msgspec.json.Decoder(_Subscription)
_quotes = msgspec.json.Decoder(list[_Quote])
_trades = msgspec.json.Decoder(list[_Trade])
_systems = msgspec.json.Decoder(list[_System])
_array = msgspec.json.Decoder(list[msgspec.Raw])
_text = msgspec.json.Decoder(str)
_sides = msgspec.json.Decoder(_Sides)
_spread = msgspec.json.Decoder(list[str])
_rows = msgspec.json.Decoder(list[list[str]])


def packet_read(frame: bytes, *, packet: int, recv_ms: int) -> Said:
    """Return what a frame of either version says; kinds that tell us nothing say nothing.

    Ticks without a time of their own get the receive time.

    :raises PacketError: when it cannot be read
    """
    try:
        if frame.lstrip()[:1] == b"[":
            return _read_array(frame, packet, recv_ms)
        found = _object.decode(frame)
        if found.event:
            return Said(version=1, answer=_answer_v1(found), system=_system_v1(found))
        if found.method or found.success is not None:
            return Said(version=2, answer=_answer_v2(found))
        return _read_channel(found, packet, recv_ms)
    except (msgspec.DecodeError, PriceTextError, UnicodeDecodeError, RecursionError) as error:
        raise PacketError from error


def _read_channel(found: _Object, packet: int, recv_ms: int) -> Said:
    if found.channel == "ticker":
        quotes = _quotes.decode(found.data)
        ticks = tuple(_quote(one, packet, recv_ms) for one in quotes)
        return Said(2, ticks, timed=all(one.timestamp is not None for one in quotes))
    if found.channel == "trade":
        ticks = tuple(_trade(one, packet, recv_ms) for one in _trades.decode(found.data))
        return Said(2, ticks, history=found.type == "snapshot")
    if found.channel == "status":
        return Said(2, system=next((one.system for one in _systems.decode(found.data) if one.system), ""))
    return Said(2 if found.channel else None)


def _quote(one: _Quote, packet: int, recv_ms: int) -> RawTick:
    try:
        src_ms = recv_ms if one.timestamp is None else _written_ms(one.timestamp)
        bid, ask = price_written(one.bid), price_written(one.ask)
    except PriceTextError as error:
        raise PacketError(one.symbol) from error
    return RawTick(_named(one.symbol), packet, src_ms, recv_ms, bid, ask)


def _trade(one: _Trade, packet: int, recv_ms: int) -> RawTick:
    source_id = None if one.trade_id is None else f"t{one.trade_id}"
    try:
        price, src_ms = price_written(one.price), _written_ms(one.timestamp)
    except PriceTextError as error:
        raise PacketError(one.symbol) from error
    return RawTick(_named(one.symbol), packet, src_ms, recv_ms, last=price, source_id=source_id)


def _answer_v2(found: _Object) -> Answer | None:
    if found.method not in {"", "subscribe"} or found.success is None:
        return None
    result = _result.decode(found.result) if bytes(found.result) not in {b"", b"null"} else _Result()
    error = "" if found.success else found.error or "refused"
    return Answer(error, result.channel, result.symbol or found.symbol or "", found.req_id)


def _answer_v1(found: _Object) -> Answer | None:
    if found.event == "subscriptionStatus" and found.status == "subscribed":
        return Answer("", _channel_v1(found), found.pair or "", found.reqid)
    if found.event == "error" or (found.event == "subscriptionStatus" and found.status == "error"):
        return Answer(found.error_message or "refused", _channel_v1(found), found.pair or "", found.reqid)
    return None


def _channel_v1(found: _Object) -> str:
    return _subscription.decode(found.subscription).name if found.subscription else ""


def _system_v1(found: _Object) -> str:
    return found.status if found.event == "systemStatus" else ""


def _read_array(frame: bytes, packet: int, recv_ms: int) -> Said:
    parts = _array.decode(frame)
    if len(parts) < 4:
        raise PacketError
    channel, pair = _text.decode(parts[-2]), _named(_text.decode(parts[-1]))
    try:
        ticks = tuple(_array_ticks(channel, pair, bytes(parts[1]), packet, recv_ms))
        return Said(1, ticks, timed=channel != "ticker")
    except (msgspec.DecodeError, PriceTextError, IndexError) as error:
        raise PacketError(pair) from error


def _array_ticks(channel: str, pair: str, body: bytes, packet: int, recv_ms: int) -> Iterable[RawTick]:
    if channel == "trade":
        for price, _, at, *_ in map(_row, _rows.decode(body)):
            yield RawTick(pair, packet, _seconds_ms(at), recv_ms, last=price_decimal(price))
    elif channel == "spread":
        bid, ask, at, *_ = _row(_spread.decode(body))
        yield RawTick(pair, packet, _seconds_ms(at), recv_ms, price_decimal(bid), price_decimal(ask))
    elif channel == "ticker":
        sides = _sides.decode(body)
        yield RawTick(pair, packet, recv_ms, recv_ms, price_written(sides.bid[0]), price_written(sides.ask[0]))


def _row(texts: list[str]) -> list[str]:
    if len(texts) < 3:
        raise PriceTextError("a row is too short")
    return texts


def _seconds_ms(text: str) -> int:
    """Return an instant that was given as seconds with decimals, floored."""
    found = _SECONDS.match(text)
    if found is None:
        raise PriceTextError("not a time")
    return int(found[1]) * 1000 + int((found[2] or "").ljust(3, "0")[:3])


def _written_ms(text: str) -> int:
    try:
        instant_ms = parse_rfc3339(text)
    except (ValueError, OverflowError) as error:
        raise PriceTextError("not a time") from error
    if not 0 < instant_ms < INSTANT_MAX_MS:
        raise PriceTextError("not a time of ours")
    return instant_ms


def _named(symbol: Any) -> str:
    if not isinstance(symbol, str) or not is_name(symbol):
        raise PacketError
    return symbol

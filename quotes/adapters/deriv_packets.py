"""Deriv's packets: ticks, answers and errors of its WebSocket API.

Source: Deriv's API documentation (calls ``ticks``, ``forget``, ``ping``); numbers are JSON numbers, times are seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import msgspec

from quotes.adapters.upstream import INSTANT_MAX_MS, PacketError, PriceTextError, is_name, price_written
from quotes.domain import RawTick

Seconds = Annotated[int, msgspec.Meta(gt=0, lt=INSTANT_MAX_MS // 1000)]


@dataclass(frozen=True, slots=True)
class Said:
    """What a frame says.

    :param source: the symbol that was asked for, where the frame names it
    :param subscription: by which a stream of ticks is ended
    :param error: its code, with the text for people in ``message``
    """

    kind: str = ""
    request: int | None = None
    source: str = ""
    subscription: str = ""
    error: str = ""
    message: str = ""
    tick: RawTick | None = None


class _Error(msgspec.Struct):
    code: str = ""
    message: str = ""


class _Named(msgspec.Struct):
    id: str = ""


class _Echo(msgspec.Struct):
    ticks: msgspec.Raw = msgspec.Raw(b"")


class _Tick(msgspec.Struct):
    symbol: str
    epoch: Seconds
    quote: msgspec.Raw = msgspec.Raw(b"")
    bid: msgspec.Raw = msgspec.Raw(b"")
    ask: msgspec.Raw = msgspec.Raw(b"")


class _Object(msgspec.Struct):
    kind: str = msgspec.field(name="msg_type", default="")
    request: int | None = msgspec.field(name="req_id", default=None)
    echo: _Echo | None = msgspec.field(name="echo_req", default=None)
    subscription: _Named | None = None
    error: _Error | None = None
    tick: msgspec.Raw = msgspec.Raw(b"")


_object = msgspec.json.Decoder(_Object)
_tick = msgspec.json.Decoder(_Tick)
_text = msgspec.json.Decoder(str)
_ABSENT = {b"", b"null"}


def packet_read(frame: bytes, *, packet: int, recv_ms: int) -> Said:
    """Return what a frame says; kinds that tell us nothing say only their name.

    :raises PacketError: when it cannot be read
    """
    source = ""
    try:
        found = _object.decode(frame)
        source = _asked_for(found)
        return Said(
            kind=found.kind,
            request=found.request,
            source=source,
            subscription=found.subscription.id if found.subscription else "",
            error="" if found.error is None else found.error.code or "Error",
            message=found.error.message if found.error else "",
            tick=_raw_tick(found, packet, recv_ms),
        )
    except (msgspec.DecodeError, PriceTextError, UnicodeDecodeError, RecursionError) as error:
        raise PacketError(source) from error


def _asked_for(found: _Object) -> str:
    # A request that is not for ticks may echo something else by that name.
    asked = b"" if found.echo is None else bytes(found.echo.ticks)
    return _text.decode(asked) if asked.startswith(b'"') else ""


def _raw_tick(found: _Object, packet: int, recv_ms: int) -> RawTick | None:
    if found.kind != "tick" or found.error is not None:
        return None
    tick = _tick.decode(found.tick)
    if not is_name(tick.symbol):
        raise PacketError
    quote = None if bytes(tick.quote) in _ABSENT else price_written(tick.quote)
    if bytes(tick.bid) in _ABSENT or bytes(tick.ask) in _ABSENT:
        if quote is None:
            raise PacketError(tick.symbol)
        # A synthetic market has one price, which is both its quote and its trade.
        return RawTick(tick.symbol, packet, tick.epoch * 1000, recv_ms, last=quote, serves_all=True)
    bid, ask = price_written(tick.bid), price_written(tick.ask)
    return RawTick(tick.symbol, packet, tick.epoch * 1000, recv_ms, bid, ask, last=quote)

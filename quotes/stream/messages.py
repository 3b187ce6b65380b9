"""What clients of ``/ws/quotes/`` send and are sent, and what the parser tells the gateways."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import msgspec

from kernel.errors import FieldError, Problem, request_invalid
from realtime.frames import FrameId, answer_error, answer_ok, answer_pong

__all__ = [
    "FRAME_BYTES_MAX",
    "SUBSCRIPTIONS_MAX",
    "ClientFrame",
    "FrameError",
    "Tick",
    "answer_error",
    "answer_ok",
    "answer_pong",
    "frame_decoded",
    "state_message",
    "subscription_limit",
    "symbols_unknown",
    "ticks_message",
    "ticks_published",
]

FRAME_BYTES_MAX = 64 * 1024
SUBSCRIPTIONS_MAX = 200

_encoder = msgspec.json.Encoder()


class Tick(msgspec.Struct, frozen=True, gc=False):
    """An admitted tick as it is published; ``at`` and ``price`` are texts that nobody here reads."""

    symbol: str
    seq: int
    at: str
    price: str


class ClientFrame(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One message of a client."""

    type: str
    id: FrameId = None
    symbols: list[Annotated[str, msgspec.Meta(min_length=1, max_length=32)]] | None = None


class FrameError(Exception):
    """A message that is no frame, with the id it bears, if any."""

    def __init__(self, frame_id: FrameId, problem: Problem) -> None:
        super().__init__(problem.code)
        self.frame_id = frame_id
        self.problem = problem


class _Numbered(msgspec.Struct, frozen=True):
    id: FrameId = None


class _Published(msgspec.Struct, frozen=True):
    ticks: list[Tick]


class _TicksMessage(msgspec.Struct, frozen=True, tag="ticks"):
    ticks: list[Tick]


_frame_decoder = msgspec.json.Decoder(ClientFrame)
_id_decoder = msgspec.json.Decoder(_Numbered)
_published_decoder = msgspec.json.Decoder(_Published)


def frame_decoded(text: str) -> ClientFrame:
    """Decode a client's message.

    :raises FrameError: when it is not what clients may send
    """
    try:
        frame = _frame_decoder.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise FrameError(_id_of(text), request_invalid(detail=str(error))) from error
    if frame.type not in ("subscribe", "unsubscribe", "ping"):
        wrong = FieldError("type", "invalid", "must be subscribe, unsubscribe or ping")
        raise FrameError(frame.id, request_invalid(wrong))
    if frame.type != "ping" and not frame.symbols:
        raise FrameError(frame.id, request_invalid(FieldError("symbols", "required", "must name at least one symbol")))
    return frame


def ticks_published(message: bytes) -> list[Tick]:
    """Decode what the parser published after a batch.

    :raises msgspec.DecodeError: when it is something else
    """
    return _published_decoder.decode(message).ticks


def ticks_message(ticks: list[Tick]) -> str:
    """Return the message that tells ticks."""
    return _encoder.encode(_TicksMessage(ticks)).decode()


def state_message(symbol: str, state: str) -> str:
    """Return the message that tells a market's new state."""
    return _encoder.encode({"type": "feed", "symbol": symbol, "state": state}).decode()


def symbols_unknown(symbols: Iterable[str]) -> Problem:
    """Return the answer that names the symbols that do not exist."""
    return Problem(
        "symbol.unknown",
        status=404,
        title="There is no such symbol.",
        errors=[FieldError("symbols", "unknown", symbol) for symbol in symbols],
    )


def subscription_limit() -> Problem:
    """Return the refusal of a frame that would subscribe to too much; nothing of it is subscribed."""
    return Problem("subscription.limit", status=422, title=f"A socket may watch at most {SUBSCRIPTIONS_MAX} symbols.")


def _id_of(text: str) -> FrameId:
    try:
        return _id_decoder.decode(text).id
    except (msgspec.DecodeError, RecursionError):
        return None

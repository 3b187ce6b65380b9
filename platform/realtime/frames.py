"""What clients of ``/ws/v1/`` send, and the answers to it."""

from __future__ import annotations

from typing import Annotated

import msgspec

from kernel.errors import Problem, request_invalid

FRAME_BYTES_MAX = 64 * 1024

FrameId = int | Annotated[str, msgspec.Meta(max_length=64)] | None
_encoder = msgspec.json.Encoder()


class Frame(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One message of a client."""

    type: str
    id: FrameId = None
    token: str | None = None
    channel: str | None = None
    after_seq: Annotated[int, msgspec.Meta(ge=0, lt=2**62)] | None = None
    tournament_id: str | None = None


class _Numbered(msgspec.Struct, frozen=True):
    id: FrameId = None


_frame_decoder = msgspec.json.Decoder(Frame)
_id_decoder = msgspec.json.Decoder(_Numbered)


class FrameError(Exception):
    """A message that is no frame, with the id it bears, if any."""

    def __init__(self, frame_id: FrameId, problem: Problem) -> None:
        super().__init__(problem.code)
        self.frame_id = frame_id
        self.problem = problem


def frame_decoded(text: str) -> Frame:
    """Decode a message.

    :raises FrameError: when it is not what clients may send
    """
    try:
        return _frame_decoder.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise FrameError(_id_of(text), request_invalid(detail=str(error))) from error


def answer_ok(frame_id: FrameId, **told: object) -> str:
    """Return the message that says yes."""
    return _encoder.encode({"id": frame_id, "type": "ok", **told}).decode()


def answer_error(frame_id: FrameId, problem: Problem, *, request_id: str) -> str:
    """Return the message that says no, and why."""
    document = problem.document(request_id=request_id)
    return _encoder.encode({"id": frame_id, "type": "error", "error": document}).decode()


def answer_pong(frame_id: FrameId) -> str:
    """Return the answer to a ping."""
    told: dict[str, object] = {"type": "pong"} if frame_id is None else {"id": frame_id, "type": "pong"}
    return _encoder.encode(told).decode()


def _id_of(text: str) -> FrameId:
    try:
        return _id_decoder.decode(text).id
    except (msgspec.DecodeError, RecursionError):
        return None

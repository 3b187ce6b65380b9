"""What a client of ``/ws/quotes/`` asks and is answered, whichever server carries the frames."""

from __future__ import annotations

import time
from typing import Any

from django.db import Error as DatabaseFailure

from kernel.errors import Problem
from kernel.ids import uuid7
from kernel.metrics import count
from quotes.stream.hub import Hub
from quotes.stream.messages import (
    FRAME_BYTES_MAX,
    SUBSCRIPTIONS_MAX,
    ClientFrame,
    FrameError,
    answer_error,
    answer_ok,
    answer_pong,
    frame_decoded,
    subscription_limit,
    symbols_unknown,
)
from quotes.stream.sockets import CLOSE_POLICY, CLOSE_TOO_BIG, CLOSE_UNSUPPORTED, Socket

FRAMES_PER_S = 50
FRAMES_BURST = 200


class Conversation:
    """What one client asks, one frame after the other."""

    def __init__(self, market: Hub, socket: Socket) -> None:
        self._market = market
        self._socket = socket
        self._request_id = str(uuid7())
        self._budget = float(FRAMES_BURST)
        self._budget_at_s = time.monotonic()

    async def hear(self, text: str | None) -> None:
        """Answer one frame.

        :param text: None for a frame that is not text
        """
        if text is None:
            self._socket.finish(CLOSE_UNSUPPORTED)
        elif len(text) > FRAME_BYTES_MAX or len(text.encode()) > FRAME_BYTES_MAX:
            self._socket.finish(CLOSE_TOO_BIG)
        elif not self.within_budget():
            self._socket.finish(CLOSE_POLICY)
        else:
            await self._obey(text)

    def within_budget(self) -> bool:
        """Take one frame from what a client may send, and tell whether it was there."""
        now_s = time.monotonic()
        self._budget = min(FRAMES_BURST, self._budget + (now_s - self._budget_at_s) * FRAMES_PER_S)
        self._budget_at_s = now_s
        self._budget -= 1
        return self._budget >= 0

    async def _obey(self, text: str) -> None:
        try:
            frame = frame_decoded(text)
        except FrameError as refused:
            self._refuse(refused.frame_id, refused.problem)
            return
        if frame.type == "ping":
            self._socket.reply(answer_pong(frame.id))
        elif frame.type == "unsubscribe":
            self._market.unwatch(self._socket, set(frame.symbols or ()))
            self._socket.reply(answer_ok(frame.id))
        else:
            await self._subscribe(frame)

    async def _subscribe(self, frame: ClientFrame) -> None:
        asked = dict.fromkeys(frame.symbols or ())
        try:
            known = await self._market.known(set(asked))
        except DatabaseFailure:
            count("quotes_look_failures")
            self._refuse(frame.id, Problem("unavailable", status=503, title="Quotes are not available just now."))
            return
        if len(self._socket.watched | known) > SUBSCRIPTIONS_MAX:
            self._refuse(frame.id, subscription_limit())
            return
        if len(known) < len(asked):
            self._refuse(frame.id, symbols_unknown(symbol for symbol in asked if symbol not in known))
        else:
            self._socket.reply(answer_ok(frame.id))
        if known and not self._socket.closing:
            self._market.watch(self._socket, known)

    def _refuse(self, frame_id: Any, problem: Problem) -> None:
        self._socket.reply(answer_error(frame_id, problem, request_id=self._request_id))

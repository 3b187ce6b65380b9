"""The socket ``/ws/v1/``: log-in, subscriptions, and the closing of what misbehaves."""

from __future__ import annotations

import asyncio
import time
from typing import Any
from uuid import UUID

import structlog
from channels.generic.websocket import AsyncWebsocketConsumer
from django.db import DatabaseError

from accounts.callers import Caller, token_caller
from accounts.domain import SCOPES
from kernel.errors import Problem, field_invalid
from kernel.ids import uuid7
from kernel.metrics import count
from realtime import errors, selectors
from realtime.connections import (
    CLOSE_FORBIDDEN,
    CLOSE_INTERNAL,
    CLOSE_POLICY,
    CLOSE_TOO_BIG,
    CLOSE_TOO_MANY,
    CLOSE_UNAUTHENTICATED,
    Connection,
    Following,
)
from realtime.frames import (
    FRAME_BYTES_MAX,
    Frame,
    FrameError,
    answer_error,
    answer_ok,
    answer_pong,
    frame_decoded,
)
from realtime.gateway import TooManySocketsError, gateway
from realtime.handshake import Handshake, SessionUser, handshake_of, origin_is_own, session_user

log = structlog.get_logger(__name__)

AUTH_WITHIN_S = 5.0
SUBSCRIPTIONS_MAX = 200
_FRAMES_PER_S = 50
_FRAMES_BURST = 200


class AccountConsumer(AsyncWebsocketConsumer):
    """One client. Its groups are joined once per process by the gateway, so it needs no channel of its own."""

    channel_layer_alias = "none"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._connection: Connection | None = None
        self._auth_timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._request_id = str(uuid7())
        self._budget = float(_FRAMES_BURST)
        self._budget_at_s = time.monotonic()
        self._closed = False

    async def connect(self) -> None:
        """Refuse foreign pages; take in a session, or wait for a token."""
        self._handshake: Handshake = handshake_of(self.scope)
        handshake = self._handshake
        # A cookie without an origin may be sent by anything; a foreign origin is refused cookie or not.
        if (handshake.origin is not None or handshake.session_key is not None) and not origin_is_own(handshake):
            count("realtime_origin_refused")
            await self.close()
            return
        if handshake.session_key is None:
            await self.accept()
            self._auth_timer = asyncio.get_running_loop().call_later(AUTH_WITHIN_S, self._auth_late)
            return
        session_key = handshake.session_key
        user = await gateway().database(lambda: session_user(session_key))
        await self.accept()
        if user is None:
            await self._end(CLOSE_UNAUTHENTICATED)
        elif user.banned:
            await self._end(CLOSE_FORBIDDEN)
        else:
            await self._attach(_session_caller(user), session=user)

    async def disconnect(self, code: int) -> None:
        """Forget the socket."""
        self._closed = True
        if self._auth_timer is not None:
            self._auth_timer.cancel()
        if self._connection is not None:
            await gateway().detach(self._connection)
            self._connection = None

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Deal with one message of the client."""
        if self._closed:
            return
        if text_data is None or len(text_data.encode()) > FRAME_BYTES_MAX:
            await self._end(CLOSE_TOO_BIG if bytes_data is None or len(bytes_data) > FRAME_BYTES_MAX else 1003)
            return
        if not self._within_budget():
            await self._end(CLOSE_POLICY)
            return
        try:
            frame = frame_decoded(text_data)
            if self._connection is None:
                await self._authenticate(frame)
            else:
                await self._obey(self._connection, frame)
        except FrameError as refused:
            await self._refuse(refused.frame_id, refused.problem)
        except DatabaseError:
            log.exception("realtime_frame_failed")
            await self._end(CLOSE_INTERNAL)

    async def _authenticate(self, frame: Frame) -> None:
        """Take the first message as log-in; whatever else it is closes the socket."""
        if self._auth_timer is not None:
            self._auth_timer.cancel()
        if frame.type != "auth" or frame.token is None:
            await self._end(CLOSE_UNAUTHENTICATED)
            return
        token, address = frame.token, self._handshake.address
        try:
            caller = await gateway().database(lambda: token_caller(token, address=address))
            caller.require_scope("read")
        except Problem as refused:
            await self._end(CLOSE_FORBIDDEN if refused.code == "account.banned" else CLOSE_UNAUTHENTICATED)
            return
        await self._attach(caller, session=None)

    async def _attach(self, caller: Caller, *, session: SessionUser | None) -> None:
        if self._closed:
            return
        try:
            self._connection = gateway().attach(caller, session=session, send=self._send_text, close=self._end)
        except TooManySocketsError:
            await self._end(CLOSE_TOO_MANY)

    async def _obey(self, connection: Connection, frame: Frame) -> None:
        try:
            if frame.type == "ping":
                connection.reply(answer_pong(frame.id))
            elif frame.type == "subscribe":
                await self._subscribe(connection, frame)
            elif frame.type == "unsubscribe":
                self._unsubscribe(connection, frame)
            else:
                raise field_invalid("type", "must be subscribe, unsubscribe or ping")
        except Problem as refused:
            connection.reply(answer_error(frame.id, refused, request_id=self._request_id))

    async def _subscribe(self, connection: Connection, frame: Frame) -> None:
        if connection.subscriptions >= SUBSCRIPTIONS_MAX:
            raise errors.too_many_subscriptions()
        if frame.channel == "account":
            await self._subscribe_account(connection, frame)
        elif frame.channel == "symbols":
            connection.watches_symbols = True
            connection.reply(answer_ok(frame.id, channel="symbols"))
        else:
            raise _channel_refused(frame)

    async def _subscribe_account(self, connection: Connection, frame: Frame) -> None:
        """Find where the client stands in the log; what is newer follows the answer."""
        caller = connection.caller

        def position() -> tuple[int, int, int, int]:
            last_seq, floor = selectors.event_position(user_id=caller.user_id)
            # A number that the log never gave (a client of another database) counts as the newest.
            after = last_seq if frame.after_seq is None else min(frame.after_seq, last_seq)
            previous = selectors.event_before(user_id=caller.user_id, after=after, ledgers=caller.ledgers)
            return last_seq, floor, after, previous

        last_seq, floor, after, previous = await gateway().database(position)
        if after < floor:
            raise errors.cursor_expired()
        connection.reply(answer_ok(frame.id, channel="account", last_seq=last_seq))
        gateway().follow(connection, Following(cursor=after, previous=previous), head=last_seq)

    def _unsubscribe(self, connection: Connection, frame: Frame) -> None:
        if frame.channel == "account":
            gateway().unfollow(connection)
        elif frame.channel == "symbols":
            connection.watches_symbols = False
        else:
            raise _channel_refused(frame)
        connection.reply(answer_ok(frame.id, channel=frame.channel))

    async def _refuse(self, frame_id: Any, problem: Problem) -> None:
        if self._connection is None:
            await self._end(CLOSE_UNAUTHENTICATED)
        else:
            self._connection.reply(answer_error(frame_id, problem, request_id=self._request_id))

    def _within_budget(self) -> bool:
        now_s = time.monotonic()
        self._budget = min(_FRAMES_BURST, self._budget + (now_s - self._budget_at_s) * _FRAMES_PER_S)
        self._budget_at_s = now_s
        self._budget -= 1
        return self._budget >= 0

    def _auth_late(self) -> None:
        task = asyncio.create_task(self._end(CLOSE_UNAUTHENTICATED), name="realtime late auth")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send_text(self, text: str) -> None:
        if not self._closed:
            await self.send(text_data=text)

    async def _end(self, code: int) -> None:
        if self._closed:
            return
        self._closed = True
        count("realtime_sockets_closed", code=str(code))
        await self.close(code)


def _channel_refused(frame: Frame) -> Problem:
    if frame.channel == "tournament":
        return errors.tournament_unknown()
    return errors.channel_unknown() if frame.channel else field_invalid("channel", "is needed")


def _session_caller(user: SessionUser) -> Caller:
    return Caller(
        user_id=UUID(str(user.user_id)),
        source="web",
        scopes=frozenset(SCOPES),
        ledgers=None,
        token_id=None,
        rate_key=f"user:{user.user_id}",
        banned=False,
    )

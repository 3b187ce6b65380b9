"""One process's part of the gateway: its sockets, the hints for them, and the watch over what hints missed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID
from weakref import WeakKeyDictionary

import structlog
from django.db import DatabaseError, connections

from accounts.callers import Caller
from kernel.clock import DB_NOW_MS_SQL
from kernel.db import rows, with_fresh_connection
from kernel.metrics import count
from realtime import selectors
from realtime.connections import (
    CLOSE_FORBIDDEN,
    CLOSE_UNAUTHENTICATED,
    Connection,
    Feed,
    Following,
)
from realtime.handshake import SessionUser
from realtime.hints import HintStream

log = structlog.get_logger(__name__)
T = TypeVar("T")
Sender = Callable[[str], Coroutine[Any, Any, None]]
Closer = Callable[[int], Coroutine[Any, Any, None]]

SOCKETS_PER_USER_MAX = 20
WATCH_S = 1.0
_SESSIONS_EVERY = 2
_READERS = 4

_USERS = """
SELECT c.user_id, c.seq, u.is_active, u.banned_at_ms IS NOT NULL,
       encode(sha256(convert_to(u.password, 'UTF8')), 'hex')
FROM realtime_event_counter c JOIN accounts_user u ON u.id = c.user_id WHERE c.user_id = ANY(%s::uuid[])
"""
_TOKENS_OVER = f"""
SELECT id FROM accounts_apitoken
WHERE id = ANY(%s::uuid[]) AND (revoked_at_ms IS NOT NULL OR expires_at_ms <= {DB_NOW_MS_SQL})
"""
_SESSIONS_OVER = """
SELECT key FROM unnest(%s::text[]) AS held(key) WHERE NOT EXISTS (
    SELECT FROM django_session WHERE session_key = held.key AND expire_date > clock_timestamp())
"""


class TooManySocketsError(Exception):
    """The user has as many sockets as a user may have."""


@dataclass(frozen=True, slots=True)
class Watched:
    """What the database says about the sockets' users, tokens and sessions."""

    heads: dict[UUID, int]
    password_marks: dict[UUID, str]
    closed: frozenset[UUID]
    banned: frozenset[UUID]
    tokens_over: frozenset[UUID]
    sessions_over: frozenset[str]


class Gateway:
    """The sockets of one process (one event loop)."""

    def __init__(self) -> None:
        self._feeds: dict[UUID, Feed] = {}
        self._connections: set[Connection] = set()
        self._hints = HintStream(self._deliver)
        self._tasks: list[asyncio.Task[None]] = []
        self._executor = ThreadPoolExecutor(_READERS, thread_name_prefix="realtime-db")
        self._failing = False

    async def database(self, work: Callable[[], T]) -> T:
        """Run blocking work on one of the gateway's own few threads, each with its connection."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, with_fresh_connection, work)

    def attach(self, caller: Caller, *, session: SessionUser | None, send: Sender, close: Closer) -> Connection:
        """Take in a socket whose caller is known.

        :raises TooManySocketsError: when the user has too many
        """
        if not self._tasks:
            self._tasks = [
                asyncio.create_task(self._hints.run(), name="realtime hints"),
                asyncio.create_task(self._watch(), name="realtime watch"),
            ]
        feed = self._feeds.setdefault(caller.user_id, Feed(caller.user_id))
        if len(feed.connections) >= SOCKETS_PER_USER_MAX:
            raise TooManySocketsError
        connection = Connection(caller=caller, session=session, feed=feed, read=self._read, send=send, close=close)
        feed.connections.add(connection)
        self._connections.add(connection)
        return connection

    async def detach(self, connection: Connection) -> None:
        """Forget a socket that is gone."""
        self.unfollow(connection)
        self._connections.discard(connection)
        connection.feed.connections.discard(connection)
        if not connection.feed.connections:
            self._feeds.pop(connection.feed.user_id, None)
        await connection.end()

    def follow(self, connection: Connection, following: Following, *, head: int) -> None:
        """Subscribe a socket to its account from a position on."""
        if connection.following is None:
            self._hints.want(connection.groups)
        connection.following = following
        connection.feed.head = max(connection.feed.head, head)
        connection.wake.set()

    def unfollow(self, connection: Connection) -> None:
        """End a socket's subscription to its account."""
        if connection.following is not None:
            connection.following = None
            self._hints.unwant(connection.groups)

    async def stop(self) -> None:
        """End the gateway's tasks and database connections; only tests outlive a gateway."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        for _ in range(_READERS):
            self._executor.submit(connections.close_all)
        self._executor.shutdown()

    async def _read(self, caller: Caller, after: int) -> selectors.EventPage:
        return await self.database(
            lambda: selectors.events_after(user_id=caller.user_id, after=after, ledgers=caller.ledgers)
        )

    def _deliver(self, message: dict[str, Any]) -> None:
        if message["type"] == "public":
            for connection in self._connections:
                if connection.watches_symbols:
                    connection.tell(message["subject"], message["message"])
            return
        feed = self._feeds.get(UUID(hex=message["user"]))
        if feed is None:
            return
        for seq, ledger, tail in message["events"]:
            feed.remember(seq, ledger, tail)
        feed.raise_head(message["newest"])

    async def _watch(self) -> None:
        """Each second, find events that no hint told and sockets that have lost their right."""
        turn = 0
        while True:
            await asyncio.sleep(WATCH_S)
            if not self._connections:
                continue
            turn += 1
            try:
                await self._look(with_sessions=turn % _SESSIONS_EVERY == 0)
            except DatabaseError as error:
                count("realtime_watch_failures")
                if not self._failing:
                    log.warning("realtime_watch_failing", error=str(error))
                self._failing = True
            else:
                self._failing = False

    async def _look(self, *, with_sessions: bool) -> None:
        users = list(self._feeds)
        tokens = [c.caller.token_id for c in self._connections if c.caller.token_id is not None]
        sessions = [c.session.session_key for c in self._connections if c.session is not None] if with_sessions else []
        watched = await self.database(lambda: _watched(users, tokens, sessions))
        for user_id, head in watched.heads.items():
            if (feed := self._feeds.get(user_id)) is not None:
                feed.raise_head(head)
        for connection in list(self._connections):
            code = _closing_code(connection, watched)
            if code is not None:
                connection.finish(code)


def gateway() -> Gateway:
    """Return the gateway of the running event loop."""
    loop = asyncio.get_running_loop()
    found = _gateways.get(loop)
    if found is None:
        found = _gateways[loop] = Gateway()
    return found


_gateways: WeakKeyDictionary[asyncio.AbstractEventLoop, Gateway] = WeakKeyDictionary()


def _closing_code(connection: Connection, watched: Watched) -> int | None:
    caller = connection.caller
    if caller.user_id in watched.banned:
        return CLOSE_FORBIDDEN
    over = caller.user_id in watched.closed or caller.token_id in watched.tokens_over
    session = connection.session
    if session is not None:
        # After a change of password only sessions that know the new one go on, by connecting again.
        mark = watched.password_marks.get(caller.user_id, session.password_mark)
        over = over or session.session_key in watched.sessions_over or mark != session.password_mark
    return CLOSE_UNAUTHENTICATED if over else None


def _watched(users: Collection[UUID], tokens: Collection[UUID], sessions: Collection[str]) -> Watched:
    found = rows(_USERS, [list(users)])
    tokens_over = rows(_TOKENS_OVER, [list(tokens)]) if tokens else []
    sessions_over = rows(_SESSIONS_OVER, [list(sessions)]) if sessions else []
    return Watched(
        heads={user_id: seq for user_id, seq, _, _, _ in found},
        password_marks={user_id: mark for user_id, _, _, _, mark in found},
        closed=frozenset(user_id for user_id, _, active, _, _ in found if not active),
        banned=frozenset(user_id for user_id, _, _, banned, _ in found if banned),
        tokens_over=frozenset(token_id for (token_id,) in tokens_over),
        sessions_over=frozenset(key for (key,) in sessions_over),
    )

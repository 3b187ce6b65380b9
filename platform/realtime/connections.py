"""One socket's outgoing side: what it follows, how far it has come, and the pump that writes to it.

Nothing about the account is queued for a slow reader: the socket holds a cursor, and the log holds the events.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

import structlog
from django.db import DatabaseError

from accounts.callers import Caller
from accounts.domain import LEDGERS, ledger_of
from realtime.events import envelope
from realtime.handshake import SessionUser
from realtime.publishing import account_group
from realtime.selectors import EventPage

log = structlog.get_logger(__name__)

RECENT_MAX = 256
REPLIES_MAX = 500
DRAIN_S = 1.5
_AGAIN_S = 1.0

CLOSE_POLICY = 1008
CLOSE_TOO_BIG = 1009
CLOSE_INTERNAL = 1011
CLOSE_UNAUTHENTICATED = 4401
CLOSE_FORBIDDEN = 4403
CLOSE_TOO_MANY = 4429


@dataclass(slots=True, eq=False)
class Feed:
    """What this process knows of one user's log: the newest number, and the latest events that hints told."""

    user_id: UUID
    head: int = 0
    recent: OrderedDict[int, tuple[str | None, str]] = field(default_factory=OrderedDict)
    connections: set[Connection] = field(default_factory=set)

    def remember(self, seq: int, ledger: str | None, tail: str) -> None:
        """Keep an event for the sockets that come to it; the oldest one kept goes."""
        self.recent[seq] = (ledger, tail)
        if len(self.recent) > RECENT_MAX:
            self.recent.popitem(last=False)

    def raise_head(self, seq: int) -> None:
        """Learn that events up to a number exist, and wake who follows them."""
        if seq <= self.head:
            return
        self.head = seq
        for connection in self.connections:
            if connection.following is not None:
                connection.wake.set()


@dataclass(slots=True)
class Following:
    """A subscription to the account: all up to ``cursor`` is dealt with, ``previous`` was the last one sent."""

    cursor: int
    previous: int


class EventReader(Protocol):
    """Reads the log for a socket."""

    def __call__(self, caller: Caller, after: int) -> Awaitable[EventPage]:
        """Return the events after a cursor that the caller may see."""


class Connection:
    """The outgoing side of one socket whose caller is known."""

    def __init__(
        self,
        *,
        caller: Caller,
        session: SessionUser | None,
        feed: Feed,
        read: EventReader,
        send: Callable[[str], Coroutine[Any, Any, None]],
        close: Callable[[int], Coroutine[Any, Any, None]],
    ) -> None:
        self.caller = caller
        self.session = session
        self.feed = feed
        self.following: Following | None = None
        self.watches_symbols = False
        self.wake = asyncio.Event()
        self._read = read
        self._send = send
        self._close = close
        self._replies: deque[str] = deque()
        self._public: OrderedDict[str, str] = OrderedDict()
        self._closing: int | None = None
        self._pump = asyncio.create_task(self._run(), name="realtime pump")

    @property
    def groups(self) -> list[str]:
        """Return the private groups that the caller has a right to."""
        ledgers = (*LEDGERS, None) if self.caller.ledgers is None else sorted(self.caller.ledgers)
        return [account_group(self.caller.user_id, ledger) for ledger in ledgers]

    @property
    def subscriptions(self) -> int:
        """Return how many channels the socket follows."""
        return (self.following is not None) + self.watches_symbols

    def reply(self, message: str) -> None:
        """Answer the client; a client that asks but does not read is shown the door."""
        if len(self._replies) >= REPLIES_MAX:
            self.finish(CLOSE_POLICY)
            return
        self._replies.append(message)
        self.wake.set()

    def tell(self, subject: str, message: str) -> None:
        """Pass on a public message; a newer one about the same subject replaces one not yet sent."""
        self._public.pop(subject, None)
        self._public[subject] = message
        self.wake.set()

    def finish(self, code: int) -> None:
        """Close the socket once it has been given what is due, at the latest after a moment."""
        if self._closing is None:
            self._closing = code
            self.wake.set()
            asyncio.get_running_loop().call_later(DRAIN_S, self._cut, code)

    async def end(self) -> None:
        """Stop writing: the socket is gone."""
        self._closing = self._closing or CLOSE_POLICY
        self._pump.cancel()
        await asyncio.gather(self._pump, return_exceptions=True)

    def _cut(self, code: int) -> None:
        if not self._pump.done():
            self._pump.cancel()
            self._pump = asyncio.create_task(self._close(code), name="realtime close")

    async def _run(self) -> None:
        try:
            while True:
                await self.wake.wait()
                self.wake.clear()
                while await self._step():
                    pass
                if self._closing is not None:
                    await self._close(self._closing)
                    return
        except OSError:
            # The client went while we were writing; the server reports its end to the consumer.
            log.debug("realtime_client_gone", user_id=str(self.caller.user_id))
        except Exception:
            log.exception("realtime_pump_failed", user_id=str(self.caller.user_id))
            await self._close(CLOSE_INTERNAL)

    async def _step(self) -> bool:
        """Send one message, or one page of events; tell whether there may be more."""
        if self._replies:
            await self._send(self._replies.popleft())
            return True
        if self.following is not None and self.following.cursor < self.feed.head:
            await self._follow(self.following)
            return True
        if self._public:
            _, message = self._public.popitem(last=False)
            await self._send(message)
            return True
        return False

    async def _follow(self, following: Following) -> None:
        known = self.feed.recent.get(following.cursor + 1)
        if known is not None:
            following.cursor += 1
            ledger, tail = known
            await self._event(following, following.cursor, ledger, tail)
            return
        try:
            page = await self._read(self.caller, following.cursor)
        except DatabaseError as error:
            # The log is away for a moment; the cursor has not moved, so nothing is lost.
            log.warning("realtime_read_failed", error=str(error))
            await asyncio.sleep(_AGAIN_S)
            return
        if following is not self.following:
            # The client subscribed anew meanwhile, from another number.
            return
        for event in page.events:
            await self._event(following, event.seq, ledger_of(event.book), event.tail)
            following.cursor = event.seq
        # The log is the truth about the head, even when a hint claimed more.
        following.cursor = max(following.cursor, page.examined)
        if page.last_seq < self.feed.head:
            self.feed.head = page.last_seq

    async def _event(self, following: Following, seq: int, ledger: str | None, tail: str) -> None:
        if self.caller.may_see(ledger):
            previous, following.previous = following.previous, seq
            await self._send(envelope(seq, previous, tail))

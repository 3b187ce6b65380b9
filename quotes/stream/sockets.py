"""One socket's outgoing side.

While the client reads, every frame is written at once and nothing is kept. When a write has to wait, the socket is
under pressure: it keeps the newest tick of each symbol, which is all a late reader can use, and gives up in the end.
"""

from __future__ import annotations

import asyncio
import types
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any

import structlog

from kernel.metrics import count
from quotes.stream.messages import Tick, state_message, ticks_message

log = structlog.get_logger(__name__)

Send = Callable[[dict[str, Any]], Coroutine[Any, Any, None]]

CLOSE_BROKEN = 1002
CLOSE_UNSUPPORTED = 1003
CLOSE_NOT_TEXT = 1007
CLOSE_POLICY = 1008
CLOSE_TOO_BIG = 1009
CLOSE_FAILURE = 1011
CLOSE_RESTART = 1012
CLOSE_TRY_LATER = 1013
REPLIES_MAX = 100
DRAIN_S = 10.0
CLOSE_S = 2.0


class Socket(ABC):
    """One client; ``watched`` is the set of symbols it has subscribed to.

    A server's own kind of socket says when writes have to wait (``_holding``), and writes what was kept afterwards.
    """

    def __init__(self) -> None:
        self.watched: frozenset[str] = frozenset()
        self.closing = False
        self._holding = False
        self._replies: deque[str] = deque()
        self._states: dict[str, str] = {}
        self._ticks: dict[str, Tick] = {}

    def reply(self, text: str) -> None:
        """Answer the client; a client that asks but does not read is shown the door."""
        if not self._holding:
            self._write(text)
        elif len(self._replies) >= REPLIES_MAX:
            self.finish(CLOSE_POLICY)
        else:
            self._replies.append(text)

    def tell_state(self, symbol: str, state: str, text: str) -> None:
        """Tell a market's state, or keep the newest for later."""
        if not self._holding:
            self._write(text)
        elif not self.closing:
            self._states[symbol] = state

    def tell_ticks(self, ticks: list[Tick], text: str) -> None:
        """Tell a frame of ticks, or keep the newest tick of each symbol for later.

        :param ticks: in the order of the log
        :param text: the message that tells them, encoded once for many sockets
        """
        if not self._holding:
            self._write(text)
        elif not self.closing:
            count("quotes_frames_superseded")
            self._ticks.update((tick.symbol, tick) for tick in ticks)

    def forget(self, symbols: frozenset[str]) -> None:
        """Drop what is kept about symbols that are no longer watched."""
        for symbol in symbols:
            self._ticks.pop(symbol, None)
            self._states.pop(symbol, None)

    @abstractmethod
    def finish(self, code: int) -> None:
        """Close the socket; when even that has to wait, cut it."""

    @abstractmethod
    def _write(self, text: str) -> None:
        """Write a message now, unless the socket is closing."""

    def _kept(self) -> str | None:
        """Take the next message of those that were kept, if there is one."""
        if self._replies:
            return self._replies.popleft()
        if self._states:
            symbol = next(iter(self._states))
            return state_message(symbol, self._states.pop(symbol))
        if self._ticks:
            ticks, self._ticks = list(self._ticks.values()), {}
            return ticks_message(ticks)
        return None


class AsgiSocket(Socket):
    """A socket of an ASGI server: a write that has to wait goes on in a task."""

    def __init__(self, send: Send, *, reader: asyncio.Task[Any]) -> None:
        super().__init__()
        self._send = send
        self._reader = reader
        self._waiting: asyncio.Task[None] | None = None

    def finish(self, code: int) -> None:
        """Close the socket; when even that has to wait, cut it."""
        if self.closing:
            return
        self.closing = self._holding = True
        count("quotes_sockets_closed", code=str(code))
        if self._waiting is not None and self._waiting is not asyncio.current_task():
            self._waiting.cancel()
        self._waiting = asyncio.create_task(self._close(code), name="quotes close")

    async def end(self) -> None:
        """Stop writing: the client is gone."""
        self.closing = True
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)

    def _write(self, text: str) -> None:
        """Write without a task of its own: a server that can take a message does so without waiting."""
        if self.closing:
            return
        writing = self._send({"type": "websocket.send", "text": text})
        try:
            awaited = writing.send(None)
        except StopIteration:
            return
        except (OSError, RuntimeError) as error:
            # The client went; the server tells the reader so.
            log.debug("quotes_client_gone", error=str(error))
            return
        self._holding = True
        self._waiting = asyncio.create_task(self._drain(_continued(writing, awaited)), name="quotes drain")

    async def _drain(self, first: Awaitable[None]) -> None:
        """Finish the write that waits, then send what was kept meanwhile."""
        try:
            async with asyncio.timeout(DRAIN_S):
                await first
            while (text := self._kept()) is not None:
                async with asyncio.timeout(DRAIN_S):
                    await self._send({"type": "websocket.send", "text": text})
        except TimeoutError:
            self.finish(CLOSE_TRY_LATER)
            return
        except (OSError, RuntimeError) as error:
            log.debug("quotes_client_gone", error=str(error))
        if not self.closing:
            self._waiting, self._holding = None, False

    async def _close(self, code: int) -> None:
        try:
            async with asyncio.timeout(CLOSE_S):
                await self._send({"type": "websocket.close", "code": code})
        except TimeoutError:
            # The reader ends, and with it the server's hold on the connection.
            self._reader.cancel()
        except (OSError, RuntimeError) as error:
            log.debug("quotes_client_gone", error=str(error))


@types.coroutine
def _continued(writing: Coroutine[Any, Any, None], awaited: Any) -> Generator[Any, Any, None]:
    """Go on with a coroutine whose first step was made by hand and waits for ``awaited``."""
    try:
        yield awaited
    except BaseException:
        writing.close()
        raise
    yield from writing

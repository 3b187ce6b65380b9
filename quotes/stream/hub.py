"""One process's quotes: what the parser tells, what the heads say, and who watches.

Ticks come from Redis after they are committed. The heads in the database are the truth behind that: they tell the
state of each market, give a new socket its first ticks, and carry the quotes alone while Redis is away.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from weakref import WeakKeyDictionary

import structlog
from django.db import Error as DatabaseFailure
from django.db import connections

from kernel.clock import rfc3339
from kernel.db import with_fresh_connection
from kernel.metrics import count
from kernel.money import format_scaled
from quotes import selectors
from quotes.selectors import MarketRow
from quotes.stream.ear import Ear
from quotes.stream.messages import Tick, state_message, ticks_message
from quotes.stream.sockets import Socket

log = structlog.get_logger(__name__)

# After a frame the hub is silent for as long as the frame took, within these bounds: then it reads as much as it
# writes, and what comes meanwhile shares a frame.
SILENT_LEAST_S = 0.005
SILENT_MOST_S = 0.05
LOOK_S = 1.0
LOOK_WITHOUT_REDIS_S = 0.5
_LOOKS_APART_S = 0.1


class Hub:
    """The sockets of one process (one event loop)."""

    def __init__(self) -> None:
        self._groups: dict[frozenset[str], set[Socket]] = {}
        self._sockets: set[Socket] = set()
        # By symbol: the newest tick sent, and the ticks that the next frame will bring.
        self._shown: dict[str, Tick] = {}
        self._pending: dict[str, list[Tick]] = {}
        self._states: dict[str, str] = {}
        self._heads_before: dict[str, int] = {}
        self._frame: asyncio.Handle | None = None
        self._silent_until_s = 0.0
        self._ear = Ear(ticks=self.take, feed=self._hint)
        self._tasks: list[asyncio.Task[None]] = []
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="quotes-db")
        self._looking = asyncio.Lock()
        self._looks_begun = 0
        self._look_done = 0
        self._look_wanted = asyncio.Event()
        self._failing = False

    def attach(self, socket: Socket) -> None:
        """Take in a socket, which watches nothing yet."""
        if not self._tasks:
            self._tasks = [
                asyncio.create_task(self._ear.run(), name="quotes ear"),
                asyncio.create_task(self._watch(), name="quotes watch"),
            ]
        if not self._sockets:
            # Nobody was told of changes while nobody was there.
            self._states.clear()
        self._sockets.add(socket)

    def detach(self, socket: Socket) -> None:
        """Forget a socket."""
        self._regroup(socket, frozenset())
        self._sockets.discard(socket)

    async def known(self, symbols: set[str]) -> set[str]:
        """Return those of the symbols that exist, looking again for the ones never seen and for old ticks."""
        if not self._states or not self._ear.hears or not symbols <= self._states.keys():
            await self.look()
        return symbols & self._states.keys()

    def watch(self, socket: Socket, symbols: set[str]) -> None:
        """Subscribe a socket, and tell it the last tick of each new symbol at once."""
        self._flush()
        fresh = symbols - socket.watched
        self._regroup(socket, socket.watched | symbols)
        ticks = [self._shown[symbol] for symbol in sorted(fresh) if symbol in self._shown]
        if ticks:
            socket.tell_ticks(ticks, ticks_message(ticks))

    def unwatch(self, socket: Socket, symbols: set[str]) -> None:
        """End a socket's subscription to symbols."""
        self._regroup(socket, socket.watched - symbols)
        socket.forget(frozenset(symbols))

    def take(self, ticks: list[Tick]) -> None:
        """Take ticks in the order of the log; what is not newer than what was taken is a repeat."""
        for tick in ticks:
            if tick.seq > self._newest(tick.symbol):
                self._pending.setdefault(tick.symbol, []).append(tick)
        if self._pending and self._frame is None:
            loop = asyncio.get_running_loop()
            # The parser gathers already: a window of the hub's own would hold each of its messages once more, for a
            # time that depends on nothing but the phase between the two.
            wait_s = self._silent_until_s - loop.time()
            self._frame = loop.call_later(wait_s, self._flush) if wait_s > 0 else loop.call_soon(self._flush)

    async def look(self) -> None:
        """Read the heads at some moment after this call; calls that wait share one look.

        :raises django.db.Error: when the database is away
        """
        asked = self._looks_begun
        async with self._looking:
            if self._look_done > asked:
                return
            self._looks_begun = look = self._looks_begun + 1
            loop = asyncio.get_running_loop()
            self._judge(await loop.run_in_executor(self._executor, with_fresh_connection, selectors.markets))
            self._look_done = look

    async def stop(self) -> None:
        """End the tasks and the database connection; only tests outlive a hub."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        if self._frame is not None:
            self._frame.cancel()
        self._executor.submit(connections.close_all)
        self._executor.shutdown()

    def _newest(self, symbol: str) -> int:
        pending = self._pending.get(symbol)
        if pending:
            return pending[-1].seq
        shown = self._shown.get(symbol)
        return 0 if shown is None else shown.seq

    def _flush(self) -> None:
        """Send the frame: encoded once for each set of symbols, however many sockets watch it."""
        if self._frame is not None:
            self._frame.cancel()
            self._frame = None
        pending, self._pending = self._pending, {}
        if not pending:
            return
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        for symbol, ticks in pending.items():
            self._shown[symbol] = ticks[-1]
        encoded: dict[tuple[str, ...], tuple[list[Tick], str]] = {}
        for watched, sockets in list(self._groups.items()):
            told = tuple(symbol for symbol in pending if symbol in watched)
            if not told:
                continue
            if told not in encoded:
                ticks = [tick for symbol in told for tick in pending[symbol]]
                encoded[told] = ticks, ticks_message(ticks)
            ticks, text = encoded[told]
            for socket in list(sockets):
                socket.tell_ticks(ticks, text)
        ended_s = loop.time()
        self._silent_until_s = ended_s + min(max(ended_s - began_s, SILENT_LEAST_S), SILENT_MOST_S)

    def _judge(self, markets: list[MarketRow]) -> None:
        """Tell the states that have changed, and the ticks that no message told."""
        missed = []
        for row in markets:
            tick = _head_tick(row)
            if tick is not None and self._was_missed(tick):
                missed.append(tick)
            before, state = self._states.get(row.code), row.state.state.value
            self._states[row.code] = state
            if before is not None and before != state:
                self._tell_state(row.code, state)
        self._heads_before = {row.code: row.seq for row in markets}
        self.take(missed)

    def _was_missed(self, tick: Tick) -> bool:
        """Whether a head is ahead because no message will tell it: one that is on its way comes within a look."""
        newest, before = self._newest(tick.symbol), self._heads_before.get(tick.symbol)
        return tick.seq > newest and (before is None or newest < before or not self._ear.hears)

    def _tell_state(self, symbol: str, state: str) -> None:
        text = state_message(symbol, state)
        for watched, sockets in list(self._groups.items()):
            if symbol in watched:
                for socket in list(sockets):
                    socket.tell_state(symbol, state, text)

    def _hint(self) -> None:
        """Look soon: somebody says that a market's state has changed."""
        self._look_wanted.set()

    async def _watch(self) -> None:
        """While there are sockets, look at the heads: staleness shows even when the parser is dead."""
        while True:
            try:
                async with asyncio.timeout(LOOK_S if self._ear.hears else LOOK_WITHOUT_REDIS_S):
                    await self._look_wanted.wait()
                await asyncio.sleep(_LOOKS_APART_S)
            except TimeoutError:
                pass
            self._look_wanted.clear()
            if not self._sockets:
                continue
            try:
                await self.look()
            except DatabaseFailure as error:
                count("quotes_look_failures")
                if not self._failing:
                    log.warning("quotes_look_failing", error=str(error))
                self._failing = True
            else:
                self._failing = False

    def _regroup(self, socket: Socket, watched: frozenset[str]) -> None:
        group = self._groups.get(socket.watched)
        if group is not None:
            group.discard(socket)
            if not group:
                del self._groups[socket.watched]
        socket.watched = watched
        if watched:
            self._groups.setdefault(watched, set()).add(socket)


def hub() -> Hub:
    """Return the hub of the running event loop."""
    loop = asyncio.get_running_loop()
    found = _hubs.get(loop)
    if found is None:
        found = _hubs[loop] = Hub()
    return found


_hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = WeakKeyDictionary()


def _head_tick(row: MarketRow) -> Tick | None:
    if row.tick_at_ms is None or row.tick_price is None:
        return None
    return Tick(row.code, row.seq, rfc3339(row.tick_at_ms), format_scaled(row.tick_price, row.price_scale))

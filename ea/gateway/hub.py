"""All connections of a gateway: who is known by which key, who waits for news, who has fallen silent."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor

import structlog
from django.db import connection

from accounts.domain import Address
from ea.codes import RejectCode, Rejected
from ea.gateway.bounds import HELLO_S, SILENT_S
from ea.gateway.inbox import Inbox
from ea.gateway.news import News, Told
from ea.gateway.presence import Presences
from ea.gateway.session import NOTHING_KNOWN, Known, Session
from ea.gateway.wire import Stage
from ea.instructions import params_acked
from ea.keys import LiveKey, keys_beside, last_seq
from ea.log import DATABASE_AWAY
from ea.news import no_to_go_on, params_in_force
from ea.protocol import HEARTBEAT_S, Hello
from ea.replies import ServerHeartbeat
from ea.services import address_note, alert_add
from kernel import db
from kernel.clock import wall_ms
from kernel.metrics import count

log = structlog.get_logger(__name__)

SESSIONS_MAX = 5_000
ALERT_EVERY_S = 60.0
_SWEEP_S = 1.0
# Who shows every few seconds that it lives is answered each time, and needs no further sign of life.
QUIET_S = HEARTBEAT_S + _SWEEP_S


class Hub:
    """What connections share; lives on the event loop's thread, reads and writes the database on threads of its own."""

    def __init__(self) -> None:
        self.inbox = Inbox()
        self._sessions: set[Session] = set()
        self._by_kid: dict[str, Session] = {}
        self._by_link = defaultdict[int, set[Session]](set)
        self._keys: dict[str, LiveKey] = {}
        self._alerted: dict[tuple[str, str], float] = {}
        self._presences = Presences()
        self._reader = ThreadPoolExecutor(1, "ea-reader")
        # Who comes in is not kept waiting by what is put on record of those who came before.
        self._writer = ThreadPoolExecutor(1, "ea-writer")
        self._news: News | None = None
        self._sweeping: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to listen for news and to look after connections."""
        self._news = News(
            asyncio.get_running_loop(),
            told=self.told,
            ended=self.keys_ended,
            far=self._far,
            kids=lambda: list(self._keys),
        )
        self._news.start()
        self._sweeping = asyncio.create_task(self._sweep(), name="ea sweep")

    async def stop(self) -> None:
        """Answer what is waiting for the log, then close every connection."""
        self.inbox.closing = True
        await self.inbox.drained()
        for session in list(self._sessions):
            session.close("restart")
        if self._sweeping is not None:
            self._sweeping.cancel()
            await asyncio.gather(self._sweeping, return_exceptions=True)
        if self._news is not None:
            await asyncio.get_running_loop().run_in_executor(None, self._news.stop)
        self.inbox.end()
        self._presences_write(all_of_them=False)
        for thread in (self._reader, self._writer):
            thread.submit(connection.close)
            thread.shutdown()

    # --- connections --------------------------------------------------------------------------------

    @property
    def has_room(self) -> bool:
        """Whether another connection is taken."""
        return len(self._sessions) < SESSIONS_MAX

    def opened(self, session: Session) -> None:
        """Take a connection in."""
        count("ea_connections_opened")
        self._sessions.add(session)

    def admitted(self, session: Session) -> None:
        """Put a known client in its place; an older connection with the same key has to go."""
        key = session.key
        assert key is not None
        older = self._by_kid.get(key.kid)
        if older is not None:
            self.alert(key, session.address, "second_session", f"before it {older.address}")
            older.close("replaced")
        self._by_kid[key.kid] = session
        self._keys[key.kid] = key
        self._by_link[key.link_id].add(session)
        self._presences.note(session, online=True)
        self.behind(session)
        link_id, kid, address = key.link_id, key.kid, str(session.address or "")
        self._in_background(lambda: address_note(link_id=link_id, kid=kid, address=address, now_ms=wall_ms()))

    def closed(self, session: Session) -> None:
        """Let a connection go."""
        self._sessions.discard(session)
        key = session.key
        if key is None:
            return
        if self._by_kid.get(key.kid) is session:
            del self._by_kid[key.kid]
            self._presences.note(session, online=False)
        self._by_link[key.link_id].discard(session)
        self._forget(key.link_id)

    def _forget(self, link_id: int) -> None:
        """Keep no secrets of an installation that has no connection."""
        if not self._by_link.get(link_id):
            self._by_link.pop(link_id, None)
            self._keys = {kid: known for kid, known in self._keys.items() if known.link_id != link_id}

    # --- keys ---------------------------------------------------------------------------------------

    def key_ask(self, session: Session, hello: Hello, payload: bytes) -> None:
        """Read what there is to know of the key that a client shows, and let its session go on."""

        def read() -> Known:
            # Whoever has given up meanwhile will come again: what nobody waits for must not hold up the others.
            if session.stage is not Stage.ASKING:
                return NOTHING_KNOWN
            return db.with_fresh_connection(lambda: _read(hello))

        asked = asyncio.get_running_loop().run_in_executor(self._reader, read)
        asked.add_done_callback(lambda done: self._read(session, hello, payload, done))

    def _read(self, session: Session, hello: Hello, payload: bytes, done: asyncio.Future[Known]) -> None:
        if (failure := done.exception()) is not None:
            _tell_failure(failure)
            session.unread()
            return
        known = done.result()
        # What came behind the hello is looked at as soon as its client is known, and may name any of them.
        self._keys |= known.keys
        session.known(hello, payload, known)
        if session.stage is not Stage.KNOWN and known.keys:
            self._forget(known.keys[hello.kid].link_id)

    def key_of_link(self, kid: str, link_id: int) -> LiveKey | None:
        """Return another key of an installation that is connected, as it was when its client said hello."""
        key = self._keys.get(kid)
        return key if key is not None and key.link_id == link_id else None

    def keys_ended(self, kids: set[str]) -> None:
        """Close the connections of keys that were revoked or have run out."""
        for kid in kids:
            self._keys.pop(kid, None)
            if (session := self._by_kid.get(kid)) is not None:
                session.refuse(Rejected(RejectCode.KEY_REVOKED, "the key is not in force any more"))

    def alert(self, key: LiveKey, address: Address | None, kind: str, detail: str) -> None:
        """Put on record what a key's owner should know, the same thing once a minute at most."""
        now_s = time.monotonic()
        if self._alerted.get((kind, key.kid), -ALERT_EVERY_S) + ALERT_EVERY_S > now_s:
            count("ea_alerts_repeated", kind=kind)
            return
        if len(self._alerted) > SESSIONS_MAX:
            self._alerted.clear()
        self._alerted[kind, key.kid] = now_s
        link_id, kid, where = key.link_id, key.kid, str(address or "")
        self._in_background(
            lambda: alert_add(kind=kind, link_id=link_id, kid=kid, address=where, detail=detail, now_ms=wall_ms())
        )

    def params_acked(self, key: LiveKey, strategy: str, rev: int) -> None:
        """Put down that a client has put parameters in force."""
        link_id, kid = key.link_id, key.kid
        self._in_background(
            lambda: params_acked(link_id=link_id, kid=kid, strategy=strategy, rev=rev, now_ms=wall_ms())
        )

    # --- news ---------------------------------------------------------------------------------------

    def told(self, link_id: int, told: Told) -> None:
        """Tell an installation's connections what was decided."""
        for session in tuple(self._by_link.get(link_id, ())):
            session.told(told)

    def behind(self, session: Session) -> None:
        """Look at once for what a connection has not been told."""
        if self._news is not None and session.key is not None:
            self._news.look(session.key.link_id)

    def _far(self, links: Collection[int] | None) -> dict[int, int]:
        """Return how far the connections of some installations are, or of all; called on another thread."""
        wanted = tuple(self._by_link) if links is None else links
        far = {link: min((one.told_no for one in tuple(self._by_link.get(link, ()))), default=None) for link in wanted}
        return {link: no for link, no in far.items() if no is not None}

    # --- looking after ------------------------------------------------------------------------------

    async def _sweep(self) -> None:
        """End what has fallen silent, and give a sign of life to those who have heard nothing for a while."""
        while True:
            await asyncio.sleep(_SWEEP_S)
            now_s, now_ms = time.monotonic(), wall_ms()
            self._presences_write(all_of_them=self._presences.are_due(now_s))
            for session in list(self._sessions):
                known = session.stage is Stage.KNOWN
                if now_s - session.heard_s > (SILENT_S if known else HELLO_S):
                    session.close("silent")
                elif known and now_s - session.said_s >= QUIET_S:
                    session.say(ServerHeartbeat(seq=0, t_ms=now_ms, server_ms=now_ms))

    def _presences_write(self, *, all_of_them: bool) -> None:
        """Have it written down who is connected; a write that fails is made up for by the next of all."""
        if all_of_them:
            for session in self._by_kid.values():
                self._presences.note(session, online=True)
        if (write := self._presences.taken()) is not None:
            self._in_background(write)

    def _in_background(self, work: Callable[[], None]) -> None:
        done = self._writer.submit(lambda: db.with_fresh_connection(work))
        done.add_done_callback(lambda future: _tell_failure(future.exception()))


def _read(hello: Hello) -> Known:
    """Read the keys of an installation, its last number in the log, where its news go on, and its parameters."""
    keys = keys_beside(hello.kid)
    if hello.kid not in keys:
        return NOTHING_KNOWN
    link_id = keys[hello.kid].link_id
    told_no = no_to_go_on(link_id=link_id, after=hello.after)
    return Known(keys, last_seq(link_id=link_id, sid=hello.sid), told_no, params_in_force(link_id))


def _tell_failure(failure: BaseException | None) -> None:
    if failure is None:
        return
    count("ea_reads_failed")
    if isinstance(failure, DATABASE_AWAY):
        log.warning("ea_read_failed", error=str(failure))
    else:
        log.error("ea_read_failed", exc_info=failure)

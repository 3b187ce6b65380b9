"""Expert Advisors that never stop: each signal is kept until it is acknowledged, whatever dies meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from uuid import UUID

from ea.client import Client, Credentials, Spool, TcpLink
from ea.services import key_create, key_revoke, link_ensure
from kernel import db
from kernel.clock import wall_ms

if TYPE_CHECKING:
    from bench.faults.drives import Check
    from bench.faults.world import World

EVERY_S = 0.1
DECIDED_LIMIT_S = 20.0
_SERVER = "Faults-Demo"

_FOUND = """
SELECT count(event.id), count(*) FILTER (WHERE o.state IN ('received', 'submitted')),
       (SELECT count(*) FROM trading_order AS placed WHERE placed.client_order_id = ANY(
            SELECT 'ea:' || sent.event_id FROM unnest(%(ids)s::uuid[]) AS sent(event_id))),
       count(*) FILTER (WHERE o.order_id IS NOT NULL)
FROM unnest(%(ids)s::uuid[]) AS sent(event_id)
LEFT JOIN ea_event AS event ON event.event_id = sent.event_id LEFT JOIN ea_order AS o ON o.event_id = event.id"""


class Terminal:
    """One installation on a thread of its own; what it was told is compared with what is there in the end."""

    def __init__(self, *, port: int, credentials: Credentials, symbol: str) -> None:
        self.acknowledged: set[str] = set()
        self._port, self._symbol = port, symbol
        self._spool = Spool(credentials)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def stop(self) -> bool:
        """Send nothing new, and return whether everything was acknowledged in the end."""
        self._stopping.set()
        self._thread.join(DECIDED_LIMIT_S)
        return not self._spool.waiting

    def _run(self) -> None:
        until_s = time.monotonic() + 10 * DECIDED_LIMIT_S
        while time.monotonic() < until_s and not (self._stopping.is_set() and not self._spool.waiting):
            try:
                link = TcpLink("127.0.0.1", self._port, within_s=2.0)
                try:
                    self._talk(Client(self._spool, link))
                finally:
                    link.close()
            except (OSError, ValueError):
                # It is away, or was cut in the middle of a frame.
                self._stopping.wait(EVERY_S)

    def _talk(self, client: Client) -> None:
        if client.hello()["type"] != "welcome":
            return
        while not (self._stopping.is_set() and not self._spool.waiting):
            if not self._stopping.is_set():
                client.signal(
                    symbol=self._symbol,
                    direction="call",
                    stake={"mode": "fixed", "value": "1.00"},
                    expiry={"mode": "duration", "s": 5},
                    valid_ms=5_000,
                )
            try:
                client.take(EVERY_S)
            except TimeoutError:
                continue
            self.acknowledged |= {frame["event_id"] for frame in client.frames if frame["type"] == "ack"}
            client.frames.clear()


@contextmanager
def signals(world: World) -> Iterator[Check]:
    """Let a terminal send signals meanwhile; the check says what was lost or doubled of them."""
    trader = world.traders[0]
    link = link_ensure(user_id=UUID(trader.user_id), account="1", server=_SERVER, now_ms=wall_ms())
    key, secret = key_create(link_id=link.pk, now_ms=wall_ms())
    credentials = Credentials(key.kid, secret, account=link.account, server=link.server)
    terminal = Terminal(port=world.platform.ea_port, credentials=credentials, symbol="EURUSD")
    terminal.start()

    def check() -> list[str]:
        problems = [] if terminal.stop() else ["signals were not acknowledged"]
        ids = terminal.acknowledged
        world.wait(lambda: signals_counted(ids)[1] == 0, DECIDED_LIMIT_S, "signals are not decided")
        logged, _, placed, noted = signals_counted(ids)
        if logged != len(terminal.acknowledged) or not logged:
            problems.append(f"{len(terminal.acknowledged)} signals were acknowledged, {logged} are logged")
        if placed != noted:
            problems.append(f"signals became {placed} orders, of which {noted} are noted")
        return problems

    try:
        yield check
    finally:
        terminal.stop()
        key_revoke(kid=key.kid, now_ms=wall_ms())


def signals_counted(event_ids: Collection[str]) -> tuple[int, int, int, int]:
    """Return how many of some signals are logged, wait to be decided, became orders, and have theirs noted."""
    found = db.row(_FOUND, {"ids": [UUID(event_id) for event_id in event_ids]})
    assert found is not None
    return found

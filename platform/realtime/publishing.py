"""Hints to the gateways: messages to Channels groups, written straight to Redis.

A thread of the process sends them, so that who commits does not wait for Redis; what gathers meanwhile goes out in one
command. A hint may be lost, doubled or late. The event log is the record; gateways find by their cursors what no hint
told.
"""

from __future__ import annotations

import atexit
import os
import time
from collections.abc import Callable, Iterable, Sequence
from queue import Empty, Full, Queue
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec
import structlog
from django.conf import settings

from accounts.domain import ledger_of
from kernel.failpoints import reach
from kernel.metrics import count
from kernel.redis_clients import publishing_client
from realtime.events import EventDraft

if TYPE_CHECKING:
    from redis import Redis

log = structlog.get_logger(__name__)

PUBLIC_GROUP = "symbols"
# A longer message would be slower than the gateway's own read from the database.
EVENTS_PER_HINT_MAX = 200
_PAUSE_AFTER_FAILURE_S = 1.0
# All messages of several commits in one command: a batch of settlement has hundreds, and each command of its own costs
# several times as much as its message.
_PUBLISH = "for n = 1, #ARGV, 2 do redis.call('PUBLISH', ARGV[n], ARGV[n + 1]) end"
# What may wait for Redis, in commits; more than that is left to the cursors.
WAITING_MAX = 10_000
COMMITS_PER_COMMAND_MAX = 64
_FLUSH_S = 1.0

Messages = Iterable[tuple[str, dict[str, Any]]]


class _Teller:
    """A thread that sends what was committed, in the order in which it was told."""

    def __init__(self) -> None:
        self._waiting: Queue[Callable[[], Messages]] = Queue(WAITING_MAX)
        Thread(target=self._run, name="hints", daemon=True).start()

    def tell(self, messages: Callable[[], Messages]) -> None:
        """Have messages sent soon; nobody waits for it."""
        try:
            self._waiting.put_nowait(messages)
        except Full:
            count("realtime_hints_skipped")

    def flush(self, timeout_s: float) -> bool:
        """Wait until everything told so far was sent or given up; return False when that takes too long."""
        reached = Event()
        self.tell(lambda: _reached(reached))
        return reached.wait(timeout_s)

    def _run(self) -> None:
        while True:
            gathered = [self._waiting.get()]
            try:
                while len(gathered) < COMMITS_PER_COMMAND_MAX:
                    gathered.append(self._waiting.get_nowait())
            except Empty:
                pass
            try:
                _send(one for each in gathered for one in each())
            except Exception:
                # A message that cannot be made is a defect; what was gathered with it is left to the cursors.
                count("realtime_hints_failed")
                log.exception("realtime_hints_defective")


_lock = Lock()
_client: Redis | None = None
_teller: _Teller | None = None
_silent_until_s = 0.0
_failing = False


def account_group(user_id: UUID, ledger: str | None) -> str:
    """Return the private group of a user's ledger; 'none' gathers the events without one."""
    return f"acct.{user_id.hex}.{ledger or 'none'}"


def group_channel(group: str) -> str:
    """Return the Redis channel of a group, as Channels' PubSub layer names it."""
    layer: Any = settings.CHANNEL_LAYERS["default"]
    return f"{layer['CONFIG']['prefix']}__group__{group}"


def events_publish(numbered: Callable[[], Sequence[tuple[int, EventDraft]]]) -> None:
    """Have committed events sent to their users' groups.

    :param numbered: returns the events with their numbers; called on the thread that sends them
    """
    reach("events.committed")
    _tell(lambda: _hints(numbered()))


def public_publish(subject: str, message: str) -> None:
    """Have a message sent to every socket that watches the symbols.

    :param subject: a newer message about the same subject replaces this one at slow readers
    """
    _tell(lambda: [(PUBLIC_GROUP, {"type": "public", "subject": subject, "message": message})])


def flush(timeout_s: float = _FLUSH_S) -> bool:
    """Wait until this process has sent its hints; return False when that takes too long."""
    teller = _teller
    return teller is None or teller.flush(timeout_s)


def _hints(numbered: Sequence[tuple[int, EventDraft]]) -> Messages:
    groups: dict[str, list[tuple[int, EventDraft]]] = {}
    for seq, draft in numbered:
        groups.setdefault(account_group(draft.user_id, ledger_of(draft.book)), []).append((seq, draft))
    return [(group, _hint(events)) for group, events in groups.items()]


def _hint(events: list[tuple[int, EventDraft]]) -> dict[str, Any]:
    user_id = events[0][1].user_id.hex
    newest = max(seq for seq, _ in events)
    told = events if len(events) <= EVENTS_PER_HINT_MAX else []
    return {
        "type": "account",
        "user": user_id,
        "newest": newest,
        "events": [(seq, ledger_of(draft.book), draft.tail) for seq, draft in told],
    }


def _tell(messages: Callable[[], Messages]) -> None:
    global _teller  # noqa: PLW0603
    if _teller is None:
        with _lock:
            if _teller is None:
                _teller = _Teller()
    _teller.tell(messages)


def _send(messages: Messages) -> None:
    """Publish messages in one round trip; failure is counted, told once, and otherwise ignored."""
    global _silent_until_s, _failing  # noqa: PLW0603
    told = [part for group, hint in messages for part in (group_channel(group), msgspec.msgpack.encode(hint))]
    if not told:
        return
    if time.monotonic() < _silent_until_s:
        count("realtime_hints_skipped")
        return
    from redis import RedisError

    try:
        _redis().eval(_PUBLISH, 0, *told)
    except (RedisError, OSError) as error:
        # What waits for a store that is away would only grow: the next commits skip it for a moment.
        _silent_until_s = time.monotonic() + _PAUSE_AFTER_FAILURE_S
        count("realtime_hints_failed")
        if not _failing:
            log.warning("realtime_hints_failing", error=str(error))
        _failing = True
    else:
        if _failing:
            log.info("realtime_hints_restored")
        _failing = False


def _reached(event: Event) -> Messages:
    event.set()
    return ()


def _forked() -> None:
    """Start anew in a child process: threads do not follow it, and a connection must not be shared."""
    global _lock, _client, _teller
    _lock, _client, _teller = Lock(), None, None


atexit.register(flush)
os.register_at_fork(after_in_child=_forked)


def _redis() -> Redis:
    global _client  # noqa: PLW0603
    with _lock:
        if _client is None:
            _client = publishing_client()
        return _client

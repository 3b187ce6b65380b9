"""Hints to the gateways: messages to Channels groups, written straight to Redis in one command.

A hint may be lost, doubled or late. The event log is the record; gateways find by their cursors what no hint told.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from threading import Lock
from typing import Any
from uuid import UUID

import msgspec
import redis
import structlog
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

from accounts.domain import ledger_of
from kernel.failpoints import reach
from kernel.metrics import count
from realtime.events import EventDraft

log = structlog.get_logger(__name__)

PUBLIC_GROUP = "symbols"
# A longer message would be slower than the gateway's own read from the database.
EVENTS_PER_HINT_MAX = 200
_PAUSE_AFTER_FAILURE_S = 1.0
# All messages of a commit in one command: a batch of settlement has hundreds, and each command of its own costs several
# times as much as its message.
_PUBLISH = "for n = 1, #ARGV, 2 do redis.call('PUBLISH', ARGV[n], ARGV[n + 1]) end"

_lock = Lock()
_client: redis.Redis | None = None
_silent_until_s = 0.0
_failing = False


def account_group(user_id: UUID, ledger: str | None) -> str:
    """Return the private group of a user's ledger; 'none' gathers the events without one."""
    return f"acct.{user_id.hex}.{ledger or 'none'}"


def group_channel(group: str) -> str:
    """Return the Redis channel of a group, as Channels' PubSub layer names it."""
    layer: Any = settings.CHANNEL_LAYERS["default"]
    return f"{layer['CONFIG']['prefix']}__group__{group}"


def events_publish(numbered: Sequence[tuple[int, EventDraft]]) -> None:
    """Send committed events to their users' groups."""
    reach("events.committed")
    groups: dict[str, list[tuple[int, EventDraft]]] = {}
    for seq, draft in numbered:
        groups.setdefault(account_group(draft.user_id, ledger_of(draft.book)), []).append((seq, draft))
    _send((group, _hint(events)) for group, events in groups.items())


def public_publish(subject: str, message: str) -> None:
    """Send a message to every socket that watches the symbols.

    :param subject: a newer message about the same subject replaces this one at slow readers
    """
    _send([(PUBLIC_GROUP, {"type": "public", "subject": subject, "message": message})])


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


def _send(messages: Iterable[tuple[str, dict[str, Any]]]) -> None:
    """Publish all messages in one round trip; failure is counted, told once, and otherwise ignored."""
    global _silent_until_s, _failing  # noqa: PLW0603
    if time.monotonic() < _silent_until_s:
        count("realtime_hints_skipped")
        return
    try:
        told = [part for group, hint in messages for part in (group_channel(group), msgspec.msgpack.encode(hint))]
        _redis().eval(_PUBLISH, 0, *told)
    except (redis.RedisError, OSError) as error:
        # Commits must not wait for a store that is away: the next ones skip it for a moment.
        _silent_until_s = time.monotonic() + _PAUSE_AFTER_FAILURE_S
        count("realtime_hints_failed")
        if not _failing:
            log.warning("realtime_hints_failing", error=str(error))
        _failing = True
    else:
        if _failing:
            log.info("realtime_hints_restored")
        _failing = False


def _redis() -> redis.Redis:
    global _client  # noqa: PLW0603
    with _lock:
        if _client is None:
            _client = redis.Redis.from_url(
                settings.REDIS_URL,
                socket_connect_timeout=0.5,
                socket_timeout=0.5,
                # One retry without a pause: a connection that died while idle is not an outage.
                retry=Retry(NoBackoff(), 1),
            )
        return _client

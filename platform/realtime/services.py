"""Writes to the event log, and the hints that follow their commit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec
from django.db import transaction

from kernel.clock import rfc3339
from kernel.db import ids_array, numbers_array, require_transaction, rows, run, send, words_array
from kernel.failpoints import reach
from realtime import publishing
from realtime.events import EventDraft
from realtime.statements import (
    COUNTERS_LOCK,
    COUNTERS_RAISE,
    EVENTS_DELETE,
    EVENTS_INSERT,
    EXPIRING_LOCK,
    FLOORS_RAISE,
    payloads_array,
)

_encoder = msgspec.json.Encoder()


def event_counter_open(user_id: UUID) -> None:
    """Start the sequence of a new user; a repeat changes nothing."""
    run(
        "INSERT INTO realtime_event_counter (user_id, seq, floor) VALUES (%s, 0, 0) ON CONFLICT DO NOTHING",
        [user_id],
    )


def counters_lock(user_ids: Iterable[UUID]) -> None:
    """Lock the counters of users in the order of their ids; this must be the last lock of the transaction.

    The rows of the counters make the events of one user commit in the order of their numbers, without a hole.

    :raises TransactionManagementError: outside a transaction
    """
    require_transaction()
    # By whole numbers, which hash and compare many times faster than the ids that they are.
    users = sorted({user_id.int for user_id in user_ids})
    # An UPDATE locks rows in the order of its plan; only this statement makes the order ours.
    send(COUNTERS_LOCK, [ids_array(UUID(int=user) for user in users)])


def events_append(drafts: Sequence[EventDraft], *, locked: bool = False) -> list[int]:
    """Store events in the caller's transaction and tell the sockets after its commit.

    Their counters are the last lock of the transaction; see :func:`counters_lock`.

    :param locked: the counters are locked already
    :return: the number of each draft, in the order given
    :raises TransactionManagementError: outside a transaction
    :raises LookupError: when a user has no counter
    """
    require_transaction()
    if not drafts:
        return []
    amounts = Counter([draft.user_id.int for draft in drafts])
    if len(amounts) > 1 and not locked:
        counters_lock(draft.user_id for draft in drafts)
    users = [UUID(int=user) for user in sorted(amounts)]
    raised = rows(COUNTERS_RAISE, [ids_array(users), numbers_array(amounts[user.int] for user in users)])
    seqs = events_numbered([draft.user_id for draft in drafts], {user: seq - amounts[user.int] for user, seq in raised})
    run(
        EVENTS_INSERT,
        {
            "user_ids": ids_array(draft.user_id for draft in drafts),
            "seqs": numbers_array(seqs),
            "books": words_array(draft.book for draft in drafts),
            "types": words_array(draft.type for draft in drafts),
            "versions": numbers_array(draft.version for draft in drafts),
            "payloads": payloads_array(drafts),
            "at_ms": numbers_array(draft.at_ms for draft in drafts),
        },
    )
    events_told_on_commit(lambda: list(zip(seqs, drafts, strict=True)))
    return seqs


def events_numbered(user_ids: Sequence[UUID], before: Mapping[UUID, int]) -> list[int]:
    """Return the number of each of several users' events, in the order given.

    :param before: each user's newest number before these events
    :raises LookupError: when a user has no counter
    """
    following = {user.int: seq for user, seq in before.items()}
    numbers = []
    for user_id in user_ids:
        user = user_id.int
        if user not in following:
            raise LookupError(f"no event counter for {user_id}")
        following[user] += 1
        numbers.append(following[user])
    return numbers


def events_told_on_commit(numbered: Callable[[], Sequence[tuple[int, EventDraft]]]) -> None:
    """Tell the sockets, after commit, of events that are stored.

    :param numbered: returns the events with their numbers; called after the commit, on the thread that tells them
    """
    transaction.on_commit(lambda: publishing.events_publish(numbered))


def events_publish_on_commit(user_id: UUID, first_seq: int, drafts: Sequence[EventDraft]) -> None:
    """Tell the sockets, after commit, of events that a service stored with ``EVENT_CTES``.

    :param first_seq: the number of the first draft; the others follow it without a gap
    """
    numbered = list(enumerate(drafts, start=first_seq))
    if any(draft.user_id != user_id for draft in drafts):
        raise ValueError("these events belong to several users")
    transaction.on_commit(lambda: publishing.events_publish(lambda: numbered))


def symbol_event_publish(*, type: str, payload: object, at_ms: int, version: int = 1) -> None:
    """Tell every socket that watches the symbols, after commit; these events are not stored.

    :param type: ``symbol.updated`` or ``payout.changed``
    :param payload: what msgspec can encode; its ``code`` or ``symbol`` names the symbol
    """
    message = _encoder.encode({"channel": "symbols", "v": version, "type": type, "at": rfc3339(at_ms), "data": payload})
    subject = _subject(payload)
    transaction.on_commit(lambda: publishing.public_publish(f"{type}/{subject}", message.decode()))


@transaction.atomic
def events_expire(*, before_ms: int) -> int:
    """Remove events older than an instant; floors are raised first, so that a cursor knows what it missed.

    :return: how many events went
    """
    users = [user_id for (user_id,) in rows(EXPIRING_LOCK, [before_ms])]
    if not users:
        return 0
    run(FLOORS_RAISE, [before_ms, users])
    reach("events.floors_raised")
    deleted = run(EVENTS_DELETE, [users])
    reach("events.deleted")
    return deleted


def _subject(payload: object) -> Any:
    fields = msgspec.to_builtins(payload)
    return fields.get("code", fields.get("symbol", "")) if isinstance(fields, dict) else ""

"""Reads of the event log."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from kernel.db import row, rows
from realtime.events import envelope_tail

EVENTS_MAX = 500

_COUNTER = "SELECT seq, floor FROM realtime_event_counter WHERE user_id = %(user_id)s"
_VISIBLE = """(%(ledgers)s::text[] IS NULL
       OR CASE WHEN e.book LIKE 't:%%' THEN 'tournament' ELSE e.book END = ANY(%(ledgers)s::text[]))"""

# The counter and the events come from one snapshot: what the counter tells, the events hold.
_PAGE = f"""
SELECT counter.seq, counter.floor, page.* FROM ({_COUNTER}) AS counter LEFT JOIN LATERAL (
    SELECT e.seq AS number, e.book, e.type, e.version, e.payload::text, e.at_ms FROM realtime_event AS e
    WHERE e.user_id = %(user_id)s AND e.seq > %(after)s AND e.seq <= counter.seq AND {_VISIBLE}
    ORDER BY e.seq LIMIT %(limit)s
) AS page ON true ORDER BY page.number
"""
_PREVIOUS = f"""
SELECT e.seq FROM realtime_event AS e
WHERE e.user_id = %(user_id)s AND e.seq <= %(after)s AND {_VISIBLE} ORDER BY e.seq DESC LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """One event as stored.

    :param payload: JSON text
    """

    seq: int
    book: str
    type: str
    version: int
    payload: str
    at_ms: int

    @property
    def tail(self) -> str:
        """Return the part of the socket message that is the same for every reader."""
        return envelope_tail(self.version, self.type, self.at_ms, self.book, self.payload)


@dataclass(frozen=True, slots=True)
class EventPage:
    """Events after a cursor that a reader may see, ascending.

    :param last_seq: the user's newest number, visible or not
    :param floor: numbers up to this one may be gone
    :param examined: every number up to this one is in this page, was before it, or is not to be seen
    """

    events: list[StoredEvent]
    last_seq: int
    floor: int
    examined: int


def events_after(*, user_id: UUID, after: int, ledgers: Iterable[str] | None, limit: int = EVENTS_MAX) -> EventPage:
    """Return the next events of a user.

    :param ledgers: the only ledgers to be seen; None for all, events without a ledger included
    :raises LookupError: when the user has no counter
    """
    found = rows(
        _PAGE,
        {
            "user_id": user_id,
            "after": after,
            "ledgers": None if ledgers is None else sorted(ledgers),
            "limit": limit,
        },
    )
    if not found:
        raise LookupError(f"no event counter for {user_id}")
    last_seq, floor = found[0][:2]
    events = [StoredEvent(*line[2:]) for line in found if line[2] is not None]
    examined = events[-1].seq if len(events) == limit else max(last_seq, after)
    return EventPage(events=events, last_seq=last_seq, floor=floor, examined=examined)


def event_before(*, user_id: UUID, after: int, ledgers: Iterable[str] | None) -> int:
    """Return the number of the newest visible event up to a cursor, 0 when there is none."""
    if ledgers is None:
        return after
    found = row(_PREVIOUS, {"user_id": user_id, "after": after, "ledgers": sorted(ledgers)})
    return 0 if found is None else int(found[0])


def event_position(*, user_id: UUID) -> tuple[int, int]:
    """Return a user's newest number and floor.

    :raises LookupError: when the user has no counter
    """
    found = row(_COUNTER, {"user_id": user_id})
    if found is None:
        raise LookupError(f"no event counter for {user_id}")
    return int(found[0]), int(found[1])

"""SQL of the event log, for services that write events within a statement of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from kernel.db import numbers_array, words_array
from realtime.events import EventDraft

# Two CTEs for a WITH statement about one user. They take the counter's row lock, which is the last
# lock of a transaction; `(SELECT seq FROM event_counted)` is the number of the newest event then.
# Parameters: those of `event_params`.
EVENT_CTES = """
event_counted AS (
    UPDATE realtime_event_counter SET seq = seq + %(event_count)s
    WHERE user_id = %(event_user_id)s RETURNING seq
), event_inserted AS (
    INSERT INTO realtime_event (user_id, seq, book, type, version, payload, at_ms)
    SELECT %(event_user_id)s, event_counted.seq - %(event_count)s + e.n,
           e.book, e.type, e.version, e.payload, e.at_ms
    FROM event_counted, ROWS FROM (
        unnest(%(event_books)s::text[], %(event_types)s::text[], %(event_versions)s::smallint[],
               %(event_at_ms)s::bigint[]),
        jsonb_array_elements(%(event_payloads)s::jsonb)
    ) WITH ORDINALITY AS e(book, type, version, at_ms, payload, n)
)"""

# CTEs for a WITH statement about many users. They lock the counters of `told_users` in the order of their ids, which is
# the last lock of a transaction. The caller's part `told` has the events, numbered by `n` in their order: n, user_id,
# book, type, version, payload, at_ms. `raised` then has each user's newest number `before` them.
TOLD_CTES = """
counted AS MATERIALIZED (
    SELECT user_id FROM realtime_event_counter WHERE user_id = ANY(%(told_users)s::uuid[])
    ORDER BY user_id FOR NO KEY UPDATE
), raised AS (
    UPDATE realtime_event_counter AS c SET seq = c.seq + told_to.amount
    FROM counted JOIN (SELECT user_id, count(*) AS amount FROM told GROUP BY user_id) AS told_to USING (user_id)
    WHERE c.user_id = counted.user_id
    RETURNING c.user_id, c.seq - told_to.amount AS before
), stored AS (
    INSERT INTO realtime_event (user_id, seq, book, type, version, payload, at_ms)
    SELECT told.user_id, raised.before + row_number() OVER (PARTITION BY told.user_id ORDER BY told.n),
           told.book, told.type, told.version, told.payload, told.at_ms
    FROM told JOIN raised ON raised.user_id = told.user_id
)"""

COUNTERS_LOCK = """
SELECT user_id FROM realtime_event_counter WHERE user_id = ANY(%s::uuid[])
ORDER BY user_id FOR NO KEY UPDATE
"""

COUNTERS_RAISE = """
UPDATE realtime_event_counter c SET seq = c.seq + n.amount
FROM unnest(%s::uuid[], %s::bigint[]) AS n(user_id, amount)
WHERE c.user_id = n.user_id RETURNING c.user_id, c.seq
"""

EVENTS_INSERT = """
INSERT INTO realtime_event (user_id, seq, book, type, version, payload, at_ms)
SELECT e.user_id, e.seq, e.book, e.type, e.version, e.payload, e.at_ms
FROM ROWS FROM (
    unnest(%(user_ids)s::uuid[], %(seqs)s::bigint[], %(books)s::text[], %(types)s::text[], %(versions)s::smallint[],
           %(at_ms)s::bigint[]),
    jsonb_array_elements(%(payloads)s::jsonb)
) AS e(user_id, seq, book, type, version, at_ms, payload)
"""

# Retention. An event that is newer than its successor by a clock's whim goes with it: numbers have no holes.
EXPIRING_LOCK = """
SELECT c.user_id FROM realtime_event_counter c
WHERE EXISTS (
    SELECT FROM realtime_event e
    WHERE e.user_id = c.user_id AND e.seq = c.floor + 1 AND e.at_ms < %s)
ORDER BY c.user_id FOR NO KEY UPDATE
"""

FLOORS_RAISE = """
UPDATE realtime_event_counter c SET floor = old.seq
FROM (
    SELECT user_id, max(seq) AS seq FROM realtime_event WHERE at_ms < %s AND user_id = ANY(%s::uuid[])
    GROUP BY user_id
) AS old WHERE old.user_id = c.user_id
"""

EVENTS_DELETE = """
DELETE FROM realtime_event e USING realtime_event_counter c
WHERE c.user_id = e.user_id AND e.seq <= c.floor AND c.user_id = ANY(%s::uuid[])
"""


def event_params(user_id: UUID, drafts: Sequence[EventDraft]) -> dict[str, Any]:
    """Return the parameters of :data:`EVENT_CTES` for one user's events, in their order."""
    return {
        "event_user_id": user_id,
        "event_count": len(drafts),
        "event_books": words_array(draft.book for draft in drafts),
        "event_types": words_array(draft.type for draft in drafts),
        "event_versions": numbers_array(draft.version for draft in drafts),
        "event_payloads": payloads_array(drafts),
        "event_at_ms": numbers_array(draft.at_ms for draft in drafts),
    }


def payloads_array(drafts: Sequence[EventDraft]) -> str:
    """Return the payloads as one JSON document: they are JSON already, and so none of them has to be escaped."""
    return (b"[" + b",".join([draft.payload for draft in drafts]) + b"]").decode()

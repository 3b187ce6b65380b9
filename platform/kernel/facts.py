"""Facts for apps above: what has happened waits in a table until each subscriber has applied it, once.

The fact's own transaction inserts one row for each subscriber; applying a batch and deleting its row is one transaction
too. So nothing is applied that did not happen, and nothing that happened is lost or applied twice. Batches of one
subscriber may be applied side by side and, after a failure, out of order: a handler must not depend on their order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Event
from uuid import UUID

import structlog
from django.db import transaction

from kernel import db
from kernel.clock import DB_NOW_MS_SQL
from kernel.failpoints import reach
from kernel.metrics import count

log = structlog.get_logger(__name__)

Handler = Callable[[Sequence[UUID]], None]

# Set after the commit of a fact, so that a loop of the same process need not wait for its interval. A notification of
# PostgreSQL would do so for all processes, but commits that notify wait for each other, flush included.
enqueued = Event()
ATTEMPTS_MAX = 10
BACKOFF_MS, BACKOFF_MAX_MS = 1_000, 300_000
_REASON_CHARS_MAX = 300

_handlers: dict[tuple[str, str], Handler] = {}

_ENQUEUE = f"""
INSERT INTO kernel_fact_batch (subscriber, fact, "references", at_ms, attempts, retry_at_ms, failed_reason)
SELECT subscriber, %(fact)s, %(references)s::uuid[], {DB_NOW_MS_SQL}, 0, 0, ''
FROM unnest(%(subscribers)s::text[]) AS subscriber"""

# Oldest first; what another worker holds is passed over.
_CLAIM = f"""
SELECT id, fact, subscriber, "references", attempts FROM kernel_fact_batch
WHERE attempts < {ATTEMPTS_MAX} AND retry_at_ms <= {DB_NOW_MS_SQL}
  AND (fact, subscriber) IN (SELECT * FROM unnest(%(facts)s::text[], %(subscribers)s::text[]))
ORDER BY id LIMIT 1
FOR UPDATE SKIP LOCKED"""

_DELETE = "DELETE FROM kernel_fact_batch WHERE id = %(id)s"

# Unless somebody else has applied it, has failed with it or is at it meanwhile.
_PUT_OFF = f"""
UPDATE kernel_fact_batch SET attempts = attempts + 1, failed_reason = %(reason)s,
    retry_at_ms = {DB_NOW_MS_SQL} + %(backoff_ms)s
WHERE id = (SELECT id FROM kernel_fact_batch WHERE id = %(id)s AND attempts = %(attempts)s FOR UPDATE SKIP LOCKED)"""

_RETRY = f"""
UPDATE kernel_fact_batch SET attempts = 0, retry_at_ms = 0, failed_reason = ''
WHERE id = ANY(%(ids)s) AND attempts >= {ATTEMPTS_MAX}"""

_LAGS = f"""
SELECT subscriber, count(*), {DB_NOW_MS_SQL} - min(at_ms), count(*) FILTER (WHERE attempts >= {ATTEMPTS_MAX})
FROM kernel_fact_batch GROUP BY subscriber ORDER BY subscriber"""


@dataclass(frozen=True, slots=True)
class FactLag:
    """How far a subscriber is behind: its waiting batches, the age of the oldest, and how many have been given up."""

    subscriber: str
    depth: int
    oldest_ms: int
    quarantined: int


@dataclass(frozen=True, slots=True)
class _Claimed:
    id: int
    fact: str
    subscriber: str
    references: Sequence[UUID]
    attempts: int


def subscribe(fact: str, subscriber: str, handler: Handler) -> None:
    """Let a subscriber apply a fact; called by ``ready()`` of an application.

    :param handler: applies a batch in the transaction it is called in, in a constant number of statements
    """
    known = _handlers.setdefault((fact, subscriber), handler)
    assert known is handler, f"{subscriber} subscribes to {fact} twice"


def unsubscribe(fact: str, subscriber: str) -> None:
    """Forget a subscriber; what waits for it stays until it is back."""
    del _handlers[fact, subscriber]


def facts_enqueue(fact: str, references: Sequence[UUID]) -> None:
    """Leave a batch for each subscriber of a fact, in the fact's transaction, by one statement that nobody waits for.

    :raises TransactionManagementError: outside a transaction
    """
    db.require_transaction()
    subscribers = [subscriber for known, subscriber in _handlers if known == fact]
    if subscribers and references:
        db.send(_ENQUEUE, {"fact": fact, "references": db.ids_array(references), "subscribers": subscribers})
        transaction.on_commit(enqueued.set)


def facts_apply(limit: int) -> int:
    """Apply up to ``limit`` waiting batches, each in a transaction of its own.

    A handler that raises is rolled back alone; its batch is tried again later, and after 10 attempts it waits for an
    operator.

    :return: how many batches were taken, those that failed included; 0 when none is due
    """
    for taken in range(limit):
        if not _next_applied():
            return taken
    return limit


def facts_retry(ids: Sequence[int]) -> int:
    """Let given-up batches be tried again, after their cause was mended.

    :return: how many there were
    """
    return db.run(_RETRY, {"ids": list(ids)})


def facts_lags() -> list[FactLag]:
    """Return how far each subscriber is behind; those with nothing to do are left out."""
    return [FactLag(*found) for found in db.rows(_LAGS)]


def facts_gauges() -> str:
    """Return depth, lag and given-up batches of each subscriber in the Prometheus text format."""
    lines = []
    for lag in facts_lags():
        label = f'{{subscriber="{lag.subscriber}"}}'
        lines.append(f"fairstrike_facts_waiting{label} {lag.depth}\n")
        lines.append(f"fairstrike_facts_lag_ms{label} {lag.oldest_ms}\n")
        lines.append(f"fairstrike_facts_quarantined{label} {lag.quarantined}\n")
    return "".join(lines)


def backoff_ms(attempts: int) -> int:
    """Return the wait after so many failures: doubled each time, up to five minutes."""
    return min(BACKOFF_MS << attempts, BACKOFF_MAX_MS)


def _next_applied() -> bool:
    """Take one batch; return False when none is due."""
    claimed: _Claimed | None = None
    try:
        with transaction.atomic(durable=True):
            claimed = _claimed()
            if claimed is None:
                return False
            reach("facts.claimed")
            _handlers[claimed.fact, claimed.subscriber](claimed.references)
            reach("facts.applied")
            db.run(_DELETE, {"id": claimed.id})
            reach("facts.deleted")
    except Exception as error:
        # Whatever a handler raises concerns its batch alone. A database that is away fails here again, and the
        # caller hears of it.
        if claimed is None:
            raise
        _put_off(claimed, error)
        return True
    reach("facts.committed")
    count("facts_applied", fact=claimed.fact, subscriber=claimed.subscriber)
    return True


def _claimed() -> _Claimed | None:
    keys = list(_handlers)
    names = {"facts": [fact for fact, _ in keys], "subscribers": [subscriber for _, subscriber in keys]}
    found = db.row(_CLAIM, names) if keys else None
    return None if found is None else _Claimed(*found)


def _put_off(failed: _Claimed, error: Exception) -> None:
    attempts = failed.attempts + 1
    reason = f"{type(error).__name__}: {error}".replace("\0", "")[:_REASON_CHARS_MAX]
    wait_ms = backoff_ms(attempts)
    put_off = {"id": failed.id, "attempts": failed.attempts, "reason": reason, "backoff_ms": wait_ms}
    with transaction.atomic(durable=True):
        if not db.run(_PUT_OFF, put_off):
            return
    count("facts_failed", fact=failed.fact, subscriber=failed.subscriber)
    told = log.bind(fact=failed.fact, subscriber=failed.subscriber, batch=failed.id, attempts=attempts)
    if attempts >= ATTEMPTS_MAX:
        count("facts_quarantined", fact=failed.fact, subscriber=failed.subscriber)
        told.error("fact_quarantined", exc_info=error)
    else:
        told.warning("fact_put_off", retry_in_ms=wait_ms, exc_info=error)

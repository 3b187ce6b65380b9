"""Refused orders, tallied by day, client, ledger and code, for the report on equal execution.

A refusal writes nothing in the request's transaction: it is counted in memory, and one thread of the process adds the
counts to the table each second by one statement. A process that is killed loses the last second of its counts.
"""

from __future__ import annotations

import atexit
import os
from collections import Counter
from dataclasses import dataclass, field
from threading import Condition, Event, Thread
from uuid import UUID

import structlog
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection, transaction

from accounts.callers import Caller
from kernel import db
from kernel.clock import wall_ms
from kernel.jobs import DAY_MS
from kernel.metrics import count
from trading.domain import Ticket

log = structlog.get_logger(__name__)

# So many sums are held at most; what does not fit while the database is away is counted as lost.
SUMS_MAX = 20_000
_END_S_MAX = 5

# A ticket may name its wallet instead of a ledger. What is no wallet of the client belongs to no ledger. The sums are
# ordered by their key, so that two processes that write at the same time do not wait for each other in a circle.
_ADD = """
INSERT INTO trading_refusal_count AS known (day, user_id, book_kind, code, count)
SELECT date '1970-01-01' + new.day, new.user_id,
       coalesce(new.ledger, CASE WHEN left(wallet.book, 2) = 't:' THEN 'tournament' ELSE wallet.book END, 'none'),
       new.code, sum(new.count)
FROM unnest(%(days)s::int[], %(users)s::uuid[], %(ledgers)s::text[], %(wallets)s::uuid[], %(codes)s::text[],
            %(counts)s::bigint[]) AS new(day, user_id, ledger, wallet_id, code, count)
LEFT JOIN ledger_account AS wallet ON wallet.id = new.wallet_id AND wallet.owner_id = new.user_id
GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
ON CONFLICT (day, user_id, book_kind, code) DO UPDATE SET count = known.count + excluded.count"""


@dataclass(frozen=True, slots=True)
class _Sum:
    """What refusals are added up by; ``day`` counts from 1970."""

    day: int
    user_id: UUID
    ledger: str | None
    wallet_id: UUID | None
    code: str


@dataclass
class _Tally:
    sums: Counter[_Sum] = field(default_factory=Counter)
    changed: Condition = field(default_factory=Condition)
    ending: Event = field(default_factory=Event)
    thread: Thread | None = None


_tally = _Tally()


def refusal_count(caller: Caller, ticket: Ticket | None, code: str) -> None:
    """Count a refused order; costs no statement and raises nothing.

    :param ticket: None where the request was refused before it could be read
    """
    count("orders_refused", code=code)
    day = wall_ms() // DAY_MS
    ledger, wallet_id = (None, None) if ticket is None else (ticket.ledger, ticket.wallet_id)
    key = _Sum(day, caller.user_id, ledger, wallet_id, code)
    with _tally.changed:
        if key not in _tally.sums and len(_tally.sums) >= SUMS_MAX:
            count("refusals_uncounted")
            return
        if not _tally.sums:
            _tally.changed.notify()
        _tally.sums[key] += 1
        if _tally.thread is None and settings.REFUSALS_WRITTEN_EVERY_S:
            _tally.thread = Thread(target=_write_on, name="refusals", daemon=True)
            _tally.thread.start()


def refusals_write() -> int:
    """Add what was counted since the last call to the table.

    :return: how many refusals were written
    :raises DatabaseError: the database is away; the counts are kept for the next call
    """
    with _tally.changed:
        sums, _tally.sums = _tally.sums, Counter()
    if not sums:
        return 0
    try:
        with transaction.atomic():
            db.run(_ADD, _columns(sums))
    except (DatabaseError, InterfaceError):
        with _tally.changed:
            kept = _tally.sums
            for key, number in sums.items():
                if key in kept or len(kept) < SUMS_MAX:
                    kept[key] += number
                else:
                    count("refusals_uncounted", number)
        raise
    return sums.total()


def refusals_end() -> None:
    """Write what is left and end the thread; for the end of the process."""
    thread = _tally.thread
    if thread is None:
        return
    _tally.ending.set()
    with _tally.changed:
        _tally.changed.notify()
    thread.join(timeout=_END_S_MAX)
    _tally.ending.clear()
    _tally.thread = None


def refusals_forget() -> None:
    """Drop what was counted and not written: a forked process has its parent's counts, and none of its threads."""
    vars(_tally).update(vars(_Tally()))


def _columns(sums: Counter[_Sum]) -> dict[str, list[object]]:
    return {
        "days": [key.day for key in sums],
        "users": [key.user_id for key in sums],
        "ledgers": [key.ledger for key in sums],
        "wallets": [key.wallet_id for key in sums],
        "codes": [key.code for key in sums],
        "counts": list(sums.values()),
    }


def _write_on() -> None:
    """Write once a second while there is something to write; nothing is polled while there is not."""
    ending = _tally.ending
    while not ending.is_set():
        with _tally.changed:
            _tally.changed.wait_for(lambda: _tally.sums or ending.is_set())
        # The refusals of a second gather.
        ending.wait(settings.REFUSALS_WRITTEN_EVERY_S)
        _written()


def _written() -> None:
    try:
        db.with_fresh_connection(refusals_write)
    except (DatabaseError, InterfaceError) as error:
        count("refusals_write_failed")
        log.warning("refusals_not_written", error=str(error))
    finally:
        connection.close()


atexit.register(refusals_end)
os.register_at_fork(after_in_child=refusals_forget)

"""Daily checkpoints: where each account stood when a UTC day ended, chained by hash over its entries."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from django.db import transaction

from kernel import db
from kernel.failpoints import reach
from ledger import statements

DAY_MS = 86_400_000
# A day is closed so long after its end at the soonest: clocks differ, and transactions take their time.
CHECKPOINT_AFTER_MS = 10 * 60_000
_EPOCH = date(1970, 1, 1)
# The first run of an old platform reads its whole history, which takes longer than any request may.
_WITHIN_MS = 1_200_000


class CheckpointTooEarlyError(Exception):
    """The day cannot be closed yet: a transaction from before its end is still open."""


@dataclass(frozen=True, slots=True)
class ClosedDay:
    """The day that was closed, and how many accounts of users and of the house had moved since the last one."""

    day: date
    users: int
    house: int


@transaction.atomic
def checkpoint_make(*, now_ms: int) -> ClosedDay | None:
    """Close the newest UTC day that ended long enough before ``now_ms``, with all days before it that are not.

    One transaction: either every account that moved has its checkpoint for the day, or none has. It locks nothing
    that orders wait for.

    :return: None when that day is closed already
    :raises CheckpointTooEarlyError: to be asked again later
    """
    until_ms = (now_ms - CHECKPOINT_AFTER_MS) // DAY_MS * DAY_MS
    from_ms = checked_until_ms()
    if until_ms <= from_ms:
        return None
    if _count(statements.OLDER_TRANSACTIONS, {"until_ms": until_ms}):
        raise CheckpointTooEarlyError(until_ms)
    day = _EPOCH + timedelta(days=until_ms // DAY_MS - 1)
    span = {"from_ms": from_ms, "until_ms": until_ms, "day": day, "made_at_ms": now_ms}
    db.run(f"SET LOCAL statement_timeout = {_WITHIN_MS}")
    users = db.run(statements.CHECKPOINTS_GUARDED, span)
    reach("checkpoint.users_written")
    house = db.run(statements.CHECKPOINTS_HOUSE, span)
    reach("checkpoint.house_written")
    return ClosedDay(day, users, house)


def checked_until_ms() -> int:
    """Return the instant up to which the days are closed, 0 before the first checkpoint."""
    return _count(f"SELECT {statements.CHECKED_UNTIL_MS}", {})


def _count(sql: str, params: dict[str, object]) -> int:
    found = db.row(sql, params)
    assert found is not None
    return int(found[0])

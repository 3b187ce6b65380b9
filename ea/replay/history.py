"""The log of the bridge in pages: events, their steps and rows, and the orders that came of them. Reads only."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction

from ea.replay.folding import FoldedOrder, LoggedEvent, PlacedRow, Step
from kernel import db

PAGE = 200
_WITHIN_MS = 7_200_000
_FOREVER_US = 2**62

_EVENT_COLUMNS = """
    event.id, event.event_id, event.link_id, event.kid, event.sid, event.seq, event.source, event.src_ticket,
    event.action, event.raw, event.sha256, event.chain, event.chain_no, event.prev_sha256, event.recv_us,
    event.log_us, before.prev_sha256, before.sha256, link.user_id"""
_EVENT_JOINS = """
LEFT JOIN ea_event AS before ON before.chain = event.chain AND before.chain_no = event.chain_no - 1
LEFT JOIN ea_link AS link ON link.id = event.link_id"""
_OF_LINK = "(%(link_id)s::bigint IS NULL OR event.link_id = %(link_id)s)"

_EVENTS = f"""
SELECT event.id, {_EVENT_COLUMNS} FROM ea_event AS event {_EVENT_JOINS}
WHERE event.id > %(after)s AND event.log_us < %(until_us)s AND {_OF_LINK}
ORDER BY event.id LIMIT %(limit)s"""

# Steps are numbered as they are written, so that the first ones stand in the order of the decisions.
_DECIDED = f"""
SELECT first.id, {_EVENT_COLUMNS} FROM ea_order_event AS first
JOIN ea_event AS event ON event.id = first.order_id {_EVENT_JOINS}
WHERE first.id > %(after)s AND first.step = 1 AND first.at_us < %(until_us)s AND {_OF_LINK}
ORDER BY first.id LIMIT %(limit)s"""

_UNDECIDED = f"""
SELECT count(*) FROM ea_event AS event WHERE event.log_us < %(until_us)s AND {_OF_LINK} AND NOT EXISTS (
    SELECT FROM ea_order_event AS first WHERE first.order_id = event.id AND first.step = 1
                                          AND first.at_us < %(until_us)s)"""

_STEPS = """
SELECT order_id, step, link_id, no, from_state, state, code, at_us, frame, given::text FROM ea_order_event
WHERE order_id = ANY(%(ids)s::bigint[]) ORDER BY order_id, step"""

_ROWS = """
SELECT o.event_id, event.event_id::text, o.link_id, o.state, o.step, o.code, o.strategy, o.symbol, o.ticket,
       o.wallet_id::text, o.client_order_id, o.not_after_ms, o.warnings, o.order_id::text
FROM ea_order AS o JOIN ea_event AS event ON event.id = o.event_id WHERE o.event_id = ANY(%(ids)s::bigint[])"""

PLACED_COLUMNS = """
    placed.id, placed.client_order_id, placed.wallet_id, placed.user_id, placed.source, placed.symbol,
    placed.direction, placed.stake, placed.currency, placed.payout_percent, placed.price_scale, placed.entry_rule,
    placed.accepted_at_ms, placed.expires_at_ms, placed.expected_price, placed.max_price_drift, placed.open_price,
    placed.state, placed.close_price, placed.payout, placed.settled_at_ms"""

_PLACED = f"""
SELECT asked.event, {PLACED_COLUMNS}
FROM unnest(%(events)s::bigint[], %(wallets)s::uuid[], %(clients)s::text[]) AS asked(event, wallet_id, client_id)
JOIN trading_order AS placed ON placed.wallet_id = asked.wallet_id AND placed.client_order_id = asked.client_id"""

# Numbers of an installation are unique: their count, the highest and the counter are equal, or some are missing.
_NUMBERS = """
SELECT coalesce(sum(greatest(made.highest, counter.no) - made.steps + greatest(made.highest - counter.no, 0)), 0)
FROM ea_counter AS counter CROSS JOIN LATERAL (
    SELECT count(*) AS steps, coalesce(max(no), 0) AS highest
    FROM (SELECT no FROM ea_order_event AS step WHERE step.link_id = counter.link_id
          UNION ALL SELECT no FROM ea_instruction AS told WHERE told.link_id = counter.link_id) AS numbered) AS made
WHERE %(link_id)s::bigint IS NULL OR counter.link_id = %(link_id)s"""

# What stands there without an event; the keys that forbid it may have been off.
_ORPHANS = """
SELECT (SELECT count(*) FROM ea_order AS o WHERE (%(link_id)s::bigint IS NULL OR o.link_id = %(link_id)s)
          AND NOT EXISTS (SELECT FROM ea_event AS event WHERE event.id = o.event_id AND event.link_id = o.link_id))
     + (SELECT count(*) FROM ea_order_event AS step WHERE (%(link_id)s::bigint IS NULL OR step.link_id = %(link_id)s)
          AND NOT EXISTS (SELECT FROM ea_event AS event WHERE event.id = step.order_id))"""

# An order of the bridge has an event with the step that froze its ticket.
_MADE_UP = """
SELECT placed.id, placed.client_order_id FROM trading_order AS placed
LEFT JOIN ea_event AS event ON event.event_id = CASE
    WHEN placed.client_order_id ~ '^ea:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
    THEN substring(placed.client_order_id FROM 4)::uuid END
WHERE placed.source = 'ea' AND placed.accepted_at_ms < %(until_ms)s
  AND (%(link_id)s::bigint IS NULL OR event.link_id = %(link_id)s)
  AND NOT EXISTS (SELECT FROM ea_order_event AS step WHERE step.order_id = event.id AND step.state = 'submitted'
                  AND step.given ->> 'wallet_id' = placed.wallet_id::text)"""


@dataclass(frozen=True, slots=True)
class Scope:
    """How much of the log is played.

    :param until_ms: nothing of after this instant, Unix milliseconds; None for all of it
    :param link_id: one installation; None for all
    """

    until_ms: int | None = None
    link_id: int | None = None

    @property
    def until_us(self) -> int:
        """The first microsecond that is not played."""
        return _FOREVER_US if self.until_ms is None else (self.until_ms + 1) * 1_000

    def parameters(self) -> dict[str, Any]:
        """Return what statements are asked with."""
        return {"link_id": self.link_id, "until_us": self.until_us, "until_ms": self.until_us // 1_000}


@dataclass(frozen=True, slots=True)
class Page:
    """Events in the order of the log, with what came of each by the event's number."""

    events: Sequence[LoggedEvent]
    steps: dict[int, list[Step]]
    rows: dict[int, FoldedOrder]
    placed: dict[int, PlacedRow]


@contextmanager
def snapshot() -> Iterator[None]:
    """Read within one snapshot of the database, which refuses every write meanwhile."""
    with transaction.atomic(durable=True):
        db.run("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        db.run(f"SET LOCAL statement_timeout = {_WITHIN_MS:d}")
        yield


def pages(scope: Scope) -> Iterator[Page]:
    """Go through the log in its order, one page in memory at a time."""
    return _paged(_EVENTS, scope)


def pages_decided(scope: Scope) -> Iterator[Page]:
    """Go through the decided events in the order of their decisions, one page in memory at a time."""
    return _paged(_DECIDED, scope)


def undecided(scope: Scope) -> int:
    """Count events that nobody has decided."""
    return _counted(_UNDECIDED, scope)


def _paged(sql: str, scope: Scope) -> Iterator[Page]:
    after = 0
    while found := db.rows(sql, scope.parameters() | {"after": after, "limit": PAGE}):
        after = found[-1][0]
        yield _page([_event(row[1:]) for row in found])


def _page(events: list[LoggedEvent]) -> Page:
    ids = {"ids": db.numbers_array(event.id for event in events)}
    steps = defaultdict[int, list[Step]](list)
    for row in db.rows(_STEPS, ids):
        values: list[Any] = [*row[:-1], None if row[-1] is None else json.loads(row[-1])]
        steps[row[0]].append(Step(*values))
    rows = {row[0]: FoldedOrder(*row[1:]) for row in db.rows(_ROWS, ids)}
    return Page(events, dict(steps), rows, _placed(events, steps))


def steps_until(steps: Sequence[Step], until_us: int) -> Sequence[Step]:
    """Return the steps up to an instant: none that follows one of later, even if a clock was set back in between."""
    for place, step in enumerate(steps):
        if step.at_us >= until_us:
            return steps[:place]
    return steps


def numbers_missing(scope: Scope) -> int:
    """Count the numbers of steps that an installation has given and that are not there; over the whole log."""
    return _counted(_NUMBERS, scope)


def orphans(scope: Scope) -> int:
    """Count rows and steps of orders without an event."""
    return _counted(_ORPHANS, scope)


def made_up(scope: Scope) -> list[tuple[UUID, str]]:
    """Return the orders of trading that claim to be the bridge's and that no event of it submitted."""
    return [(order_id, client_order_id) for order_id, client_order_id in db.rows(_MADE_UP, scope.parameters())]


def _counted(sql: str, scope: Scope) -> int:
    found = db.row(sql, scope.parameters())
    assert found is not None
    return int(found[0])


def _event(row: tuple[Any, ...]) -> LoggedEvent:
    values: list[Any] = [bytes(value) if isinstance(value, memoryview) else value for value in row]
    return LoggedEvent(*values)


def _placed(events: Sequence[LoggedEvent], steps: dict[int, list[Step]]) -> dict[int, PlacedRow]:
    """Return the orders of trading by the ids that the steps have frozen, not by what the rows say."""
    asked = []
    for event in events:
        for step in steps.get(event.id, ()):
            if step.given is not None and "client_order_id" in step.given:
                asked.append((event.id, step.given.get("wallet_id"), step.given["client_order_id"]))
    if not asked:
        return {}
    events_, wallets, clients = zip(*asked, strict=True)
    found = db.rows(_PLACED, {"events": list(events_), "wallets": list(wallets), "clients": list(clients)})
    return {row[0]: PlacedRow(*row[1:]) for row in found}

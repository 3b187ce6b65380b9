"""The event log: numbers, order, commit, and what may not change."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest
from django.db import IntegrityError, connection, connections, transaction
from django.db.transaction import TransactionManagementError
from django.test.utils import CaptureQueriesContext

from kernel.clock import wall_ms
from kernel.db import row, rows, run
from kernel.ids import uuid7
from realtime import publishing, selectors, services
from realtime.statements import EVENT_CTES, event_params
from tests.accounts.people import reader
from tests.realtime.drafts import append, draft

pytestmark = pytest.mark.usefixtures("committed")


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Collect the numbers of the events that were told to the sockets."""
    told: list[int] = []
    monkeypatch.setattr(publishing, "events_publish", lambda events: told.extend(seq for seq, _ in events()))
    return told


def test_numbers_are_gap_free_under_16_writers_with_rollbacks() -> None:
    """I-30: 16 writers, a third of them rolling back, leave no hole and no number twice."""
    users = [reader().pk for _ in range(3)]

    def write(writer: int) -> int:
        stored = 0
        try:
            for turn in range(12):
                # Each writer names the users in another order: unordered locks would deadlock here.
                mine = users[writer % 3 :] + users[: writer % 3]
                undone = (writer + turn) % 3 == 0
                with transaction.atomic():
                    services.events_append([draft(user) for user in mine])
                    transaction.set_rollback(undone)
                stored += not undone
        finally:
            connections.close_all()
        return stored

    with ThreadPoolExecutor(16) as pool:
        stored = sum(pool.map(write, range(16)))

    for user in users:
        seqs = [seq for (seq,) in rows("SELECT seq FROM realtime_event WHERE user_id = %s ORDER BY seq", [user])]
        assert seqs == list(range(1, stored + 1))
        assert selectors.event_position(user_id=user) == (stored, 0)


def test_events_are_told_only_after_commit(published: list[int]) -> None:
    """I-29: nothing is told before the commit, and nothing at all after a rollback."""
    user = reader().pk

    with transaction.atomic():
        services.events_append([draft(user), draft(user)])
        assert published == []
    assert published == [1, 2]

    with transaction.atomic():
        services.events_append([draft(user)])
        transaction.set_rollback(True)
    assert published == [1, 2]
    assert append(user, "demo") == [3]


def test_append_needs_a_transaction_and_a_counter() -> None:
    """I-29: an event outside the fact's transaction, or for nobody, is refused."""
    with pytest.raises(TransactionManagementError):
        services.events_append([draft(reader().pk)])
    with pytest.raises(LookupError), transaction.atomic():
        services.events_append([draft(uuid7())])


def test_append_is_two_statements_for_one_user_and_three_for_many() -> None:
    """Performance, data path 2: the number of statements does not grow with the events."""
    users = [reader().pk for _ in range(5)]

    with CaptureQueriesContext(connection) as one, transaction.atomic():
        services.events_append([draft(users[0]) for _ in range(50)])
    with CaptureQueriesContext(connection) as many, transaction.atomic():
        services.events_append([draft(user) for user in users for _ in range(50)])

    assert _statements(one) == ["UPDATE", "INSERT"]
    assert _statements(many) == ["SELECT", "UPDATE", "INSERT"]
    # Architecture, lock order: counters by user id, in a statement of its own.
    assert "ORDER BY user_id FOR NO KEY UPDATE" in many.captured_queries[1]["sql"]


def test_statement_of_the_hot_path_numbers_like_the_service(published: list[int]) -> None:
    """The CTEs that placement composes give the same numbers and rows as ``events_append``."""
    user = reader().pk
    append(user, "real")
    drafts = [draft(user, "demo", 7), draft(user, "", 8)]

    with transaction.atomic():
        found = row(f"WITH {EVENT_CTES} SELECT seq FROM event_counted", event_params(user, drafts))
        assert found is not None
        services.events_publish_on_commit(user, found[0] - len(drafts) + 1, drafts)

    page = selectors.events_after(user_id=user, after=1, ledgers=None)
    assert [(event.seq, event.book, event.payload) for event in page.events] == [
        (2, "demo", '{"number": 7}'),
        (3, "", '{"number": 8}'),
    ]
    assert published == [1, 2, 3]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE realtime_event SET payload = '{}' WHERE user_id = %s",
        "DELETE FROM realtime_event WHERE user_id = %s",
        "UPDATE realtime_event_counter SET seq = seq - 1 WHERE user_id = %s",
        "DELETE FROM realtime_event_counter WHERE user_id = %s",
        "UPDATE realtime_event_counter SET floor = seq + 1 WHERE user_id = %s",
    ],
)
def test_events_cannot_be_changed(statement: str) -> None:
    """I-07 for events: rows neither change nor go, and counters never fall."""
    user = reader().pk
    append(user, "demo")
    with pytest.raises(IntegrityError), transaction.atomic():
        run(statement, [user])


def test_retention_raises_the_floor_before_rows_go() -> None:
    """Retention: what went is below the floor, what stayed keeps its number, and the next number follows."""
    user = reader().pk
    append(user, "demo", "demo", "demo")
    border_ms = wall_ms() + 1
    services.events_expire(before_ms=border_ms)
    assert append(user, "demo") == [4]

    page = selectors.events_after(user_id=user, after=0, ledgers=None)

    assert (page.floor, page.last_seq, [event.seq for event in page.events]) == (3, 4, [4])


def test_a_user_sees_only_own_events() -> None:
    """S-07: another user's events are in no page of mine."""
    mine, other = reader().pk, reader().pk
    append(other, "demo", "real")
    append(mine, "demo")

    assert _seen(mine, None) == [1]
    assert _seen(mine, ["real"]) == []


def test_ledgers_filter_events_and_hide_those_without_one() -> None:
    """Contract, Auth: a token bound to ledgers sees only their events; events without a ledger stay hidden."""
    user = reader().pk
    append(user, "demo", "real", "", f"t:{uuid7()}", "demo")

    assert _seen(user, None) == [1, 2, 3, 4, 5]
    assert _seen(user, ["demo"]) == [1, 5]
    assert _seen(user, ["tournament", "real"]) == [2, 4]
    assert selectors.event_before(user_id=user, after=4, ledgers=["demo"]) == 1
    assert selectors.event_before(user_id=user, after=4, ledgers=["real"]) == 2
    assert selectors.event_before(user_id=user, after=0, ledgers=["demo"]) == 0


def _seen(user: UUID, ledgers: list[str] | None) -> list[int]:
    return [event.seq for event in selectors.events_after(user_id=user, after=0, ledgers=ledgers).events]


def _statements(captured: CaptureQueriesContext) -> list[str]:
    words = [query["sql"].split()[0] for query in captured.captured_queries]
    return [word for word in words if word not in {"BEGIN", "COMMIT"}]

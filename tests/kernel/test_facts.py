"""The queue of facts: each batch is applied once per subscriber, none is lost, a broken one holds nobody up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

import pytest
from django.db import DatabaseError, transaction
from django.db.transaction import TransactionManagementError

from kernel import db, facts
from kernel.facts import (
    ATTEMPTS_MAX,
    BACKOFF_MAX_MS,
    FactLag,
    backoff_ms,
    enqueued,
    facts_apply,
    facts_enqueue,
    facts_gauges,
    facts_lags,
    facts_retry,
    subscribe,
    unsubscribe,
)
from kernel.ids import uuid7
from kernel.metrics import counted
from kernel.models import FactBatch, JobRun
from tests.crowd import at_once, other_connection

pytestmark = pytest.mark.django_db(transaction=True)

FACT = "something.happened"


class Subscriber:
    """Writes what it applies to a table, in the transaction that it is called in, and fails when it is told to."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.failing: Exception | None = None
        self.calls = 0

    def __call__(self, references: Sequence[UUID]) -> None:
        self.calls += 1
        # Rows of any table do: a second application of a reference would break this one's uniqueness.
        JobRun.objects.bulk_create(JobRun(name=f"{self.name} {one}", period=0, started_at_ms=0) for one in references)
        if self.failing is not None:
            raise self.failing

    @property
    def applied(self) -> set[UUID]:
        names = JobRun.objects.filter(name__startswith=f"{self.name} ").values_list("name", flat=True)
        return {UUID(name.removeprefix(f"{self.name} ")) for name in names}


@pytest.fixture
def first() -> Iterator[Subscriber]:
    yield from _subscribed("first")


@pytest.fixture
def second() -> Iterator[Subscriber]:
    yield from _subscribed("second")


def _subscribed(name: str) -> Iterator[Subscriber]:
    subscriber = Subscriber(name)
    subscribe(FACT, name, subscriber)
    yield subscriber
    unsubscribe(FACT, name)


def happened(count: int = 1) -> list[UUID]:
    """Let a fact of ``count`` references happen."""
    references = [uuid7() for _ in range(count)]
    with transaction.atomic():
        facts_enqueue(FACT, references)
    return references


def due_now() -> None:
    """Let the time until the next attempt be over."""
    FactBatch.objects.update(retry_at_ms=0)


def test_each_subscriber_applies_a_fact_once(first: Subscriber, second: Subscriber) -> None:
    """Architecture, layers: one row for each subscriber and batch, deleted with its effect."""
    references = happened(3)
    assert list(FactBatch.objects.values_list("subscriber", "references").order_by("id")) == [
        ("first", references),
        ("second", references),
    ]
    assert facts_apply(10) == 2
    assert first.applied == second.applied == set(references)
    assert (FactBatch.objects.count(), facts_apply(10), first.calls) == (0, 0, 1)


def test_a_fact_that_did_not_happen_is_not_applied(first: Subscriber) -> None:
    """Architecture: the row is inserted in the fact's own transaction."""
    with transaction.atomic():
        facts_enqueue(FACT, [uuid7()])
        assert FactBatch.objects.count() == 1
        transaction.set_rollback(True)
    assert facts_apply(10) == 0
    with pytest.raises(TransactionManagementError):
        facts_enqueue(FACT, [uuid7()])


def test_a_fact_nobody_subscribes_to_leaves_nothing() -> None:
    """Architecture: a row for each subscriber, thus none without one."""
    with transaction.atomic():
        facts_enqueue("nothing.of.note", [uuid7()])
    assert FactBatch.objects.count() == 0


def test_all_subscribers_are_served_by_one_statement(
    first: Subscriber, second: Subscriber, django_assert_num_queries: object
) -> None:
    """Performance: the fact's transaction pays for one statement, however many listen."""
    with transaction.atomic(), django_assert_num_queries(1):  # type: ignore[operator]
        facts_enqueue(FACT, [uuid7(), uuid7()])


def test_oldest_batches_come_first_and_the_limit_holds(first: Subscriber) -> None:
    """Architecture: batches are claimed by age, and a turn is bounded."""
    older, newer = happened(), happened()
    assert facts_apply(1) == 1
    assert first.applied == set(older)
    assert facts_apply(1) == 1
    assert first.applied == {*older, *newer}


def test_what_a_failing_handler_wrote_is_undone_and_tried_again_later(first: Subscriber, second: Subscriber) -> None:
    """F-05: effects per fact = 1; the failure of one subscriber is none of another."""
    references, failed = happened(), counted("facts_failed", subscriber="first")
    first.failing = ValueError("not today")
    assert facts_apply(10) == 2
    assert (first.applied, second.applied) == (set(), set(references))
    batch = FactBatch.objects.get()
    assert (batch.subscriber, batch.attempts, batch.failed_reason) == ("first", 1, "ValueError: not today")
    assert batch.retry_at_ms > batch.at_ms
    assert counted("facts_failed", subscriber="first") == failed + 1

    assert facts_apply(10) == 0
    first.failing = None
    due_now()
    assert facts_apply(10) == 1
    assert first.applied == set(references)
    assert FactBatch.objects.count() == 0


def test_a_database_error_of_a_handler_concerns_its_batch_alone(first: Subscriber) -> None:
    """F-08: a statement that fails aborts one transaction; the batches behind it are applied."""
    references = happened()
    first.failing = DatabaseError("deadlock detected")
    facts_apply(10)
    first.failing = None
    later = happened()
    assert facts_apply(10) == 1
    assert first.applied == set(later)
    due_now()
    facts_apply(10)
    assert first.applied == {*references, *later}


def test_a_batch_that_always_fails_waits_for_an_operator(first: Subscriber) -> None:
    """Never lost: after ten attempts it is given up, told in the figures, and tried again when asked."""
    references = happened()
    first.failing = ValueError("broken")
    for _ in range(ATTEMPTS_MAX):
        assert facts_apply(10) == 1
        due_now()
    assert facts_apply(10) == 0
    (lag,) = facts_lags()
    assert (lag.subscriber, lag.depth, lag.quarantined) == ("first", 1, 1)
    assert 'fairstrike_facts_quarantined{subscriber="first"} 1\n' in facts_gauges()

    first.failing = None
    assert facts_retry([FactBatch.objects.get().pk]) == 1
    assert facts_apply(10) == 1
    assert first.applied == set(references)
    assert (facts_lags(), facts_gauges()) == ([], "")


def test_waits_double_up_to_five_minutes() -> None:
    """A subscriber that is broken for a night is asked each five minutes at most."""
    waits = [backoff_ms(attempts) for attempts in range(1, ATTEMPTS_MAX)]
    assert waits[:3] == [2_000, 4_000, 8_000]
    assert waits == sorted(waits)
    assert waits[-1] == BACKOFF_MAX_MS


def test_the_lag_is_the_age_of_the_oldest_batch(first: Subscriber, second: Subscriber) -> None:
    """Architecture: the lag of each subscriber is a metric."""
    happened()
    happened()
    FactBatch.objects.filter(subscriber="second").update(at_ms=0)
    lags: dict[str, FactLag] = {lag.subscriber: lag for lag in facts_lags()}
    assert {name: lag.depth for name, lag in lags.items()} == {"first": 2, "second": 2}
    assert lags["first"].oldest_ms < 60_000 < lags["second"].oldest_ms
    assert 'fairstrike_facts_waiting{subscriber="second"} 2\n' in facts_gauges()


def test_facts_of_a_subscriber_that_is_not_there_wait(first: Subscriber) -> None:
    """Rolling deployment: a worker of an older version leaves alone what it does not know."""
    references = happened()
    unsubscribe(FACT, "first")
    assert facts_apply(10) == 0
    subscribe(FACT, "first", first)
    assert facts_apply(10) == 1
    assert first.applied == set(references)


@pytest.mark.parametrize("workers", [2, 4])
def test_racing_workers_apply_each_batch_once(first: Subscriber, second: Subscriber, workers: int) -> None:
    """F-04: SKIP LOCKED; a reference applied twice would break the table it is written to."""
    references = [one for _ in range(30) for one in happened(2)]
    taken = at_once(workers, lambda _: facts_apply(1_000))
    assert sum(taken) == 60
    assert first.applied == second.applied == set(references)
    assert (FactBatch.objects.count(), first.calls + second.calls) == (0, 60)


def test_a_batch_in_hand_is_passed_over(first: Subscriber) -> None:
    """F-02: what a worker is at, or died at, is neither waited for nor applied by another before its time."""
    older, newer = happened(), happened()
    with other_connection() as dying:
        dying.execute("SELECT FROM kernel_fact_batch ORDER BY id LIMIT 1 FOR UPDATE")
        assert facts_apply(10) == 1
        assert first.applied == set(newer)
        dying.rollback()
    assert facts_apply(10) == 1
    assert first.applied == {*older, *newer}


def test_a_failure_is_not_written_over_somebody_elses_word(first: Subscriber, monkeypatch: pytest.MonkeyPatch) -> None:
    """F-02: between a rollback and its record another worker may take the batch: it is not waited for."""
    happened()
    first.failing = ValueError("too late")
    put_off, attempts = facts._put_off, []

    def rivalled(failed: Any, error: Exception) -> None:
        with other_connection() as rival:
            rival.execute("UPDATE kernel_fact_batch SET attempts = 5, failed_reason = 'the rival', retry_at_ms = 1")
            put_off(failed, error)
            rival.commit()
            put_off(failed, error)
        attempts.append(FactBatch.objects.get().attempts)

    monkeypatch.setattr(facts, "_put_off", rivalled)
    assert facts_apply(1) == 1
    assert (attempts, FactBatch.objects.get().failed_reason) == ([5], "the rival")


def test_a_new_fact_wakes_the_loop_of_its_process(first: Subscriber) -> None:
    """Architecture: after the commit nobody has to wait for the interval's end; what was undone wakes nobody."""
    enqueued.clear()
    with transaction.atomic():
        facts_enqueue(FACT, [uuid7()])
        transaction.set_rollback(True)
    assert not enqueued.is_set()
    happened()
    assert enqueued.is_set()


def test_a_failed_batch_has_a_reason() -> None:
    """Constraint: what was put off says why."""
    with pytest.raises(DatabaseError):
        FactBatch.objects.create(subscriber="first", fact=FACT, references=[], at_ms=0, attempts=1)
    assert db.row("SELECT count(*) FROM kernel_fact_batch") == (0,)

"""Waiting before another try: full jitter, so that those who failed together do not come back together."""

from __future__ import annotations

import math

from quotes.adapters.subscriptions import Subscriptions, retry_after_s
from quotes.backoff import Backoff


def test_delays_are_drawn_from_all_that_is_below_a_growing_ceiling() -> None:
    """Dependencies 5: full jitter from 0.5 to 30 s; a delay may be next to nothing, and is never beyond the ceiling."""
    for tries, ceiling_s in ((0, 0.5), (3, 4.0), (6, 30.0), (40, 30.0)):
        delays = []
        for _ in range(300):
            backoff = Backoff(least_s=0.5, most_s=30.0)
            for _ in range(tries):
                backoff.next_s()
            delays.append(backoff.next_s())
        assert max(delays) <= ceiling_s
        assert min(delays) < ceiling_s * 0.1
        assert max(delays) > ceiling_s * 0.9


def test_a_failure_that_does_not_count_leaves_the_ceiling() -> None:
    """Dependencies 5: a connection that was good for a while does not lengthen the wait; a reset starts anew."""
    backoff = Backoff(least_s=0.5, most_s=30.0)
    assert max(backoff.next_s(grow=False) for _ in range(100)) <= 0.5
    for _ in range(10):
        backoff.next_s()
    backoff.reset()
    assert backoff.next_s() <= 0.5


def test_refused_topics_are_asked_for_again_at_different_times() -> None:
    """Rules 1: slowly, half to one and a half times as long as the figure says."""
    waits = {retry_after_s() for _ in range(50)}
    assert len(waits) == 50
    assert all(15 <= wait <= 45 for wait in waits)


def test_a_refused_topic_waits_for_its_time() -> None:
    """Rules 1: the others are carried; one that nobody wants any more is forgotten."""
    topics = Subscriptions[str]()
    topics.reset()
    assert topics.changes({"a", "b"}, 0.0) == (["a", "b"], [])
    topics.refuse("b", reason="no", again_s=10.0)
    assert (topics.due_s, topics.detail) == (10.0, "1 refused: b (no)")
    assert topics.changes({"a", "b"}, 9.9) == ([], [])
    assert topics.changes({"a", "b"}, 10.0) == (["b"], [])
    topics.refuse("b", reason="no", again_s=20.0)
    assert topics.changes({"a"}, 10.1) == ([], [])
    assert (topics.due_s, topics.detail) == (math.inf, "")

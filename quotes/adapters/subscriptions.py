"""What a connection carries: topics that were asked for, those that were refused, and when to ask for them again."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable
from typing import Generic, TypeVar

Topic = TypeVar("Topic", str, tuple[str, str])

# A refused topic is asked for again after this long, times a random factor around one.
RETRY_S = 30.0
_NAMED = 3


def retry_after_s(least_s: float = RETRY_S) -> float:
    """Return how long to wait before a refused topic is asked for again: half to one and a half times as long."""
    return least_s * random.uniform(0.5, 1.5)


class Subscriptions(Generic[Topic]):
    """The topics of one connection. Instants are seconds of a monotonic clock."""

    def __init__(self) -> None:
        self._carried: set[Topic] = set()
        self._fixed: frozenset[Topic] = frozenset()
        self._again_s: dict[Topic, float] = {}
        self._reasons: dict[Topic, str] = {}

    def reset(self, fixed: Iterable[Topic] = ()) -> None:
        """Start with a new connection, which carries the ``fixed`` topics by itself and for good."""
        self._fixed = frozenset(fixed)
        self._carried = set(self._fixed)
        self._again_s, self._reasons = {}, {}

    def changes(self, wanted: Iterable[Topic], now_s: float) -> tuple[list[Topic], list[Topic]]:
        """Return what to ask for and what to leave, sorted, and take both as done."""
        wanted = set(wanted)
        for topic in self._reasons.keys() - wanted:
            del self._reasons[topic]
            self._again_s.pop(topic, None)
        new = {topic for topic in wanted - self._carried if self._again_s.get(topic, now_s) <= now_s}
        gone = self._carried - wanted - self._fixed
        for topic in new:
            self._again_s.pop(topic, None)
        self._carried = (self._carried | new) - gone
        return sorted(new), sorted(gone)

    def accept(self, topic: Topic) -> None:
        """Note that a topic is carried."""
        self._reasons.pop(topic, None)
        self._again_s.pop(topic, None)

    def refuse(self, topic: Topic, *, reason: str, again_s: float) -> None:
        """Note that a topic is not carried, and when to ask for it again."""
        self._carried.discard(topic)
        self._reasons[topic] = reason
        self._again_s[topic] = again_s

    @property
    def due_s(self) -> float:
        """When the next refused topic is asked for again; infinite when none was refused."""
        return min(self._again_s.values(), default=math.inf)

    @property
    def detail(self) -> str:
        """Which topics were refused and why, in a few words."""
        if not self._reasons:
            return ""
        named = [f"{_name(topic)} ({reason[:60]})" for topic, reason in sorted(self._reasons.items())[:_NAMED]]
        more = len(self._reasons) - len(named)
        return f"{len(self._reasons)} refused: {', '.join(named)}{f' and {more} more' if more else ''}"


def _name(topic: str | tuple[str, str]) -> str:
    return topic if isinstance(topic, str) else " ".join(topic)

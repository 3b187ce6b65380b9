"""The numbers of one connection's signals: gap-free, in their order. Pure."""

from __future__ import annotations

from enum import Enum


class Verdict(Enum):
    """What a signal's number means."""

    TAKEN = "taken"
    EARLY = "early"
    EARLY_FIRST = "early, and nobody was asked yet for what is in front of it"
    BEHIND_REFUSED = "behind one that was refused for a while"


class Numbers:
    """Knows which number comes next.

    A number that comes too early is refused, and the ones in front of it are asked for. What was sent before the
    client heard of that comes in ascending numbers; so a refused number that comes again says that the client has begun
    to send again, and has nothing older: the server goes on there, with a hole.
    """

    def __init__(self, last_seq: int) -> None:
        self.next = last_seq + 1
        self._highest_early = 0
        self._held_back = False

    def take(self, seq: int) -> tuple[Verdict, range]:
        """Judge a number; also return the numbers that will not come any more."""
        early = seq > self.next and seq > self._highest_early
        if early and self._held_back:
            return Verdict.BEHIND_REFUSED, range(0)
        if early:
            first = self._highest_early < self.next
            self._highest_early = seq
            return (Verdict.EARLY_FIRST if first else Verdict.EARLY), range(0)
        hole = self.go_on_at(seq)
        self._held_back = False
        self.next = max(self.next, seq + 1)
        return Verdict.TAKEN, hole

    def go_on_at(self, seq: int) -> range:
        """Go on at a number because the client has nothing older; return those that are missing."""
        hole = range(self.next, seq)
        self.next = max(self.next, seq)
        return hole

    def hold_back(self, seq: int) -> None:
        """Expect a number again that was refused for a while, and those behind it after it."""
        self.next = min(self.next, seq)
        self._highest_early = 0
        self._held_back = True

    def drop(self, seq: int) -> None:
        """Take note that a number was refused for good, so that it will not come again."""
        if seq == self.next:
            self.next += 1

"""Replay of the log against what is stored: every order's row is made again from append-only rows and compared."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from ea.keys import LiveKey, keys_read
from ea.protocol import Mac, signature_holds
from ea.replay import folding
from ea.replay.folding import FoldedOrder, LoggedEvent
from ea.replay.history import Page, Scope, made_up, numbers_missing, orphans, pages, snapshot, steps_until

NUMBERS = "the steps of an installation are numbered without a gap"
MADE_UP = "each order of the bridge in trading was submitted by an event"
CHECKS = (
    folding.DIGEST,
    folding.CHAIN,
    folding.COLUMNS,
    folding.SIGNED,
    folding.ROW,
    folding.WAY,
    NUMBERS,
    folding.STATE,
    folding.TOLD,
    folding.PLACED,
    folding.RESULT,
    MADE_UP,
)
EXAMPLES_MAX = 20
_KEYS_MAX = 10_000


@dataclass(slots=True)
class Replayed:
    """What a replay has found.

    :param states: how many orders stand where, as folded
    :param moved_since: orders that went further after the instant up to which the log is played
    :param unsigned: events whose signature cannot be checked, as their key signs nothing or its secret is lost
    :param faults: violations by check
    :param examples: the first of them in words
    """

    events: int = 0
    states: Counter[str] = field(default_factory=Counter)
    moved_since: int = 0
    unsigned: int = 0
    faults: Counter[str] = field(default_factory=lambda: Counter(dict.fromkeys(CHECKS, 0)))
    examples: list[str] = field(default_factory=list)
    _folded: Any = field(default_factory=hashlib.sha256)
    _compared: Any = field(default_factory=hashlib.sha256)
    _stored: Any = field(default_factory=hashlib.sha256)

    @property
    def holds(self) -> bool:
        """Whether nothing differs."""
        return not any(self.faults.values())

    def found(self, check: str, example: str) -> None:
        """Count a violation."""
        self.faults[check] += 1
        if len(self.examples) < EXAMPLES_MAX:
            self.examples.append(f"{check}: {example}")

    def fold(self, order: FoldedOrder) -> None:
        """Take an order's digest into that of all."""
        self.states[order.state] += 1
        self._folded.update(order.digest())

    def compare(self, order: FoldedOrder, stored: FoldedOrder) -> None:
        """Compare an order with its row."""
        self._compared.update(order.digest())
        self._stored.update(stored.digest())
        if (fault := folding.state_fault(order, stored)) is not None:
            self.found(folding.STATE, fault)

    def document(self) -> dict[str, Any]:
        """Return what was found, as ``--json`` prints it."""
        return {
            "events": self.events,
            "orders": dict(sorted(self.states.items())),
            "moved_since": self.moved_since,
            "unsigned": self.unsigned,
            "sha256": {
                "as_at": self._folded.hexdigest(),
                "folded": self._compared.hexdigest(),
                "stored": self._stored.hexdigest(),
            },
            "checks": dict(self.faults),
            "examples": self.examples,
        }


def log_check(scope: Scope) -> Replayed:
    """Play the log and compare; nothing is written, and no more than a page of it is held."""
    result, keys = Replayed(), dict[str, LiveKey | None]()
    with snapshot():
        for page in pages(scope):
            _learn(page, keys)
            for event in page.events:
                _event_check(event, keys.get(event.kid), result)
                _order_check(event, page, scope, result)
        if missing := numbers_missing(scope):
            result.faults[NUMBERS] += missing
            result.examples.append(f"{NUMBERS}: {missing} are missing or beyond the counter")
        if lost := orphans(scope):
            result.faults[folding.ROW] += lost
            result.examples.append(f"{folding.ROW}: {lost} rows and steps have none")
        for order_id, client_order_id in made_up(scope):
            result.found(MADE_UP, f"{order_id} as {client_order_id}")
    return result


def _learn(page: Page, keys: dict[str, LiveKey | None]) -> None:
    """Read the keys of a page that are not known yet; a key that cannot be read stays None."""
    if len(keys) > _KEYS_MAX:
        keys.clear()
    if missing := {event.kid for event in page.events} - keys.keys():
        keys.update(dict.fromkeys(missing, None))
        keys.update(keys_read(missing))


def _event_check(event: LoggedEvent, key: LiveKey | None, result: Replayed) -> None:
    result.events += 1
    for check, example in folding.event_faults(event, folding.signal_read(event)):
        result.found(check, example)
    if key is None:
        result.unsigned += 1
    elif not signature_holds(event.raw, Mac(key.secret)) or key.link_id != event.link_id:
        result.found(folding.SIGNED, f"{event.event_id}: not by key {event.kid} of installation {key.link_id}")


def _order_check(event: LoggedEvent, page: Page, scope: Scope, result: Replayed) -> None:
    steps, stored = page.steps.get(event.id, []), page.rows.get(event.id)
    played = steps_until(steps, scope.until_us)
    order = folding.folded(event, played)
    result.fold(order)
    for check, example in folding.step_faults(event, played):
        result.found(check, example)
    # What was frozen after the instant that is played does not concern it.
    placed = None if order.ticket is None else page.placed.get(event.id)
    for check, example in folding.placement_faults(event, order, played, placed):
        result.found(check, example)
    if stored is None:
        result.found(folding.ROW, f"{event.event_id}: it has no row")
    elif len(played) < len(steps):
        result.moved_since += 1
    else:
        result.compare(order, stored)

"""Named steps at which a process can be made to die, stop, fail or wait, to prove that nothing is lost or done twice.

Code says ``reach("settle.claimed")`` where a step has been taken. Nothing happens there unless the process was started
with ``FAILPOINT=name:n:action[,name:n:action ...]``: at the n-th time that this process reaches the step it does
``kill`` (SIGKILL), ``stop`` (SIGSTOP), ``raise``, or ``pause:MILLISECONDS``. Only development settings allow it.

``FAILPOINTS`` names every step. The kill matrix (``bench.faults``) goes through it, so that a step without a test
fails, and a test compares it with the code, so that a name without a step fails.
"""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Lock

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

VARIABLE = "FAILPOINT"

Reach = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Step:
    """What has happened when a step is reached, and the runtimes whose code goes through it.

    :param runtimes: names of the platform's plan; ``task`` for scheduled work, ``operator`` for what a person decides
    """

    done: str
    runtimes: tuple[str, ...]


WEB, SETTLEMENT, PARSER, TASK, OPERATOR = ("web",), ("settlement",), ("parser",), ("task",), ("operator",)
EA_GATEWAY, EA_EXECUTOR = ("ea_gateway",), ("ea_executor",)
PLACING = ("web", "ea_executor")

FAILPOINTS: dict[str, Step] = {
    # Placement: one transaction, and what follows its commit.
    "place.wallet_locked": Step("the wallet is locked", PLACING),
    "place.facts_read": Step("everything that the order depends on is read", PLACING),
    "place.admitted": Step("the order is admitted, nothing is written", PLACING),
    "place.written": Step("money, order and events are written, not committed", PLACING),
    "place.answering": Step("committed and told to the sockets, not answered", PLACING),
    "events.committed": Step(
        "the events' transaction is committed, the sockets are not told", ("web", "ea_executor", "settlement")
    ),
    # The fence: the settlement worker raises the watermark of a silent symbol.
    "fence.heads_locked": Step("the heads of overdue symbols are locked", SETTLEMENT),
    "fence.written": Step("watermarks are raised, not committed", SETTLEMENT),
    "fence.committed": Step("watermarks are raised and committed, nothing is decided", SETTLEMENT),
    # Entry at the next tick.
    "enter.claimed": Step("orders that wait for their tick are claimed", SETTLEMENT),
    "enter.entries_written": Step("their opening ticks are written", SETTLEMENT),
    "enter.written": Step("entries, refunds and events are written, not committed", SETTLEMENT),
    "enter.committed": Step("entries are committed", SETTLEMENT),
    # Settlement of a batch.
    "settle.claimed": Step("due orders are claimed", SETTLEMENT),
    "settle.decided": Step("their outcomes are decided", SETTLEMENT),
    "settle.transfers_posted": Step("the money has moved", SETTLEMENT),
    "settle.orders_written": Step("the orders are closed", SETTLEMENT),
    "settle.facts_queued": Step("the fact is queued for its subscribers", SETTLEMENT),
    "settle.written": Step("money, orders, facts and events are written, not committed", SETTLEMENT),
    "settle.committed": Step("the batch is committed", SETTLEMENT),
    # Facts: statistics, payouts and whoever else subscribes.
    "facts.claimed": Step("a batch of facts is claimed", SETTLEMENT),
    "facts.applied": Step("it is applied, and still in the queue", SETTLEMENT),
    "facts.deleted": Step("it is applied and deleted, not committed", SETTLEMENT),
    "facts.committed": Step("it is applied and committed", SETTLEMENT),
    # Seals of the log, and their heads outside the database.
    "seals.written": Step("seals are written, not committed", SETTLEMENT),
    "seals.committed": Step("seals are committed, nobody is told their heads", SETTLEMENT),
    "heads.delivered": Step("heads are in their file, how far they are is not on record", SETTLEMENT),
    "heads.recorded": Step("how far they are is on record, not committed", SETTLEMENT),
    # The quote path.
    "feed.leads": Step("the parser holds the feed's lock and has read where the log stands", PARSER),
    "ticks.received": Step("packets are received, nothing is written", PARSER),
    "ticks.heads_locked": Step("the heads of a batch are locked", PARSER),
    "ticks.copied": Step("the ticks are in the log, not committed", PARSER),
    "ticks.candles_written": Step("their candles are written", PARSER),
    "ticks.heads_written": Step("heads and watermarks are raised", PARSER),
    "ticks.written": Step("the batch is complete, not committed", PARSER),
    "ticks.committed": Step("the batch is committed, nobody is told", PARSER),
    "ticks.published": Step("the batch is committed and told", PARSER),
    "heartbeats.recorded": Step("a heartbeat and its watermarks are committed", PARSER),
    "declare.heads_locked": Step("heads are locked for a feed's word", PARSER),
    "declare.stored": Step("the word is stored, not committed", PARSER),
    "declare.committed": Step("the word is committed", PARSER),
    # Revisions.
    "revise.fenced": Step("a waiting revision has its fence", SETTLEMENT),
    "revise.run_out": Step("the last order is found to be settled", SETTLEMENT),
    "revise.in_force": Step("the revision is in force, not committed", SETTLEMENT),
    "revise.committed": Step("the revision is in force and committed", SETTLEMENT),
    "emergency.in_force": Step("an emergency revision is in force, its incident is not stored", OPERATOR),
    "emergency.published": Step("revision and incident are stored, not committed", OPERATOR),
    # Money by hand, refills and sign-up.
    "idempotency.claimed": Step("the key of a money request is claimed", WEB),
    "idempotency.performed": Step("the effect is there, the answer is not stored", WEB),
    "idempotency.stored": Step("effect and answer are written, not committed", WEB),
    "idempotency.committed": Step("effect and answer are committed, not answered", WEB),
    "ledger.posted": Step("one transfer has moved, the layers above are not told", ("web", "operator")),
    "adjustment.decided": Step("an approval is written, the money has not moved", OPERATOR),
    "adjustment.posted": Step("approval and money are written, not committed", OPERATOR),
    "wallets.opened": Step("a new user's wallets are open, not committed", WEB),
    # The bridge: signals into the log, then into orders.
    "ea.arrived": Step("signals are received, their log is not written", EA_GATEWAY),
    "ea.log_committed": Step("signals are in the log, nobody is told", EA_GATEWAY),
    "ea.moved": Step("their transitions are written, not committed", EA_EXECUTOR),
    "ea.submitted": Step("what will be placed is written, nothing is placed", EA_EXECUTOR),
    "ea.placed": Step("the order is placed or refused, which is not noted", EA_EXECUTOR),
    "ea.noted": Step("the answer is noted, the next signal waits", EA_EXECUTOR),
    # Scheduled work.
    "job.claimed": Step("a period is claimed, the work is not begun", TASK),
    "job.worked": Step("the work is done, the period is still open", TASK),
    "job.finished": Step("work and period are written, not committed", TASK),
    "job.committed": Step("work and period are committed", TASK),
    "job.steps_claimed": Step("the period of a long job is claimed and committed", TASK),
    "job.steps_worked": Step("the long job's work is committed, its period is open", TASK),
    "payouts.locked": Step("all symbols are locked for their payouts", TASK),
    "payouts.moved": Step("the payouts are moved", TASK),
    "checkpoint.users_written": Step("the checkpoints of users are written", TASK),
    "checkpoint.house_written": Step("all checkpoints of a day are written, not committed", TASK),
    "events.floors_raised": Step("floors are raised, the old events are still there", TASK),
    "events.deleted": Step("the old events are deleted, not committed", TASK),
    "archive.public_written": Step("what a day has to show everybody is written, our own files are not", TASK),
    "archive.raises_written": Step("a day's raises are in their file, its ticks are not", TASK),
    "archive.file_written": Step("a day's ticks are in their file, which is not on record", TASK),
    "archive.recorded": Step("file and record are there, the day is still in the log", TASK),
    "archive.dropped": Step("a day is dropped from the log, not committed", TASK),
    "archive.drop_committed": Step("a day is in the archive only", TASK),
}


class FailpointError(RuntimeError):
    """What the action ``raise`` raises."""


@dataclass(frozen=True, slots=True)
class _Order:
    name: str
    hit: int
    action: str


class Armed:
    """Counts how often each step is reached and does what was asked for when its time has come."""

    def __init__(self, text: str) -> None:
        """Read the orders.

        :raises ValueError: when one of them names no step, no hit or no action
        """
        self._orders = tuple(_order(part) for part in text.split(","))
        self._hits: Counter[str] = Counter()
        self._lock = Lock()

    def __call__(self, name: str) -> None:
        """Count the step, and act."""
        with self._lock:
            self._hits[name] += 1
            hits = self._hits[name]
        for order in self._orders:
            if (order.name, order.hit) == (name, hits):
                _act(order)


def _order(text: str) -> _Order:
    name, _, rest = text.strip().partition(":")
    hit, _, action = rest.partition(":")
    kind, _, length = action.partition(":")
    waits = kind == "pause" and length.isdigit()
    if name not in FAILPOINTS or not hit.isdigit() or int(hit) < 1:
        raise ValueError(f"{VARIABLE}: {text!r} names no step and hit")
    if not waits and action not in ("kill", "stop", "raise"):
        raise ValueError(f"{VARIABLE}: {action!r} is none of kill, stop, raise, pause:MS")
    return _Order(name, int(hit), action)


def _act(order: _Order) -> None:
    if order.action == "raise":
        raise FailpointError(order.name)
    if order.action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif order.action == "stop":
        os.kill(os.getpid(), signal.SIGSTOP)
    else:
        time.sleep(int(order.action.partition(":")[2]) / 1000)


def _passed(name: str) -> None:
    """Do nothing: this process was started without failpoints."""


def chosen(environ: Mapping[str, str], *, development: Callable[[], bool]) -> Reach:
    """Return what ``reach`` is in a process with this environment.

    :raises ImproperlyConfigured: when steps are armed in anything but development
    """
    if not (asked := environ.get(VARIABLE, "")):
        return _passed
    if not development():
        raise ImproperlyConfigured(f"{VARIABLE} must not be set in production")
    return Armed(asked)


reach: Reach = chosen(os.environ, development=lambda: bool(settings.DEVELOPMENT))

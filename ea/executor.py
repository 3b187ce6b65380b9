"""From events in the log to orders: each event is decided, submitted and noted, once, through any crash.

The intent is written before the effect: what is submitted is frozen in the event's row, and its ``client_order_id`` is
made from the event's id. Whoever finds a submitted order after a crash submits it again: placement answers with the
order that is there, accepts it if its time has not run out by the database's clock, or says that it has.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import msgspec
import structlog
from django.db import InterfaceError, OperationalError, transaction
from msgspec import UNSET
from psycopg.errors import LockNotAvailable

from accounts.callers import Caller
from ea import risk, statements
from ea.deciding import STALE, Denied, Due, Plan, planned, signal_of
from ea.domain import State
from ea.kept import Kept, Terms, kept_of, version_now
from ea.latency import Course, latency_write
from ea.moves import Move, moves_write
from ea.protocol import Signal
from ea.replies import OrderFrame
from ea.risk_services import stops_trip
from ea.symbols import unknown_note
from kernel import db
from kernel.clock import parse_rfc3339
from kernel.errors import Problem
from kernel.failpoints import reach
from kernel.metrics import count
from settlement.batches import SetAside
from trading.domain import Ticket
from trading.events import OrderDocument
from trading.services import order_place

log = structlog.get_logger(__name__)

ACTOR = "executor"
# So many signals at a time while a lane keeps up, and at most when it is behind: a batch has costs of its own.
BATCH, BATCH_MAX = 50, 500
# How long a placement of the bridge waits for its wallet. Others of its lane wait as long, once.
BUSY_WAIT_MS = 100
# How long an installation is left alone whose wallet was busy, and how long a turn takes at most.
BUSY_S, TURN_S = 0.25, 5.0
# How old what a signal is judged by may be, and how long an answer waits for others before an order goes first.
FRESH_S, TOLD_S = 0.05, 0.01
# Nobody's fault and soon over; the order is submitted again until its time has run out.
_TRIED_AGAIN = frozenset({"order.busy"})

_ticket_encoded = msgspec.json.Encoder().encode
_ticket_decoded = msgspec.json.Decoder(Ticket).decode


@dataclass
class LeftAlone:
    """What a lane does not work on for a while: what failed by itself, and installations whose wallet is busy.

    A lane keeps it, so that neither the failures of one client nor his busy wallet take the time of the others.
    """

    failed: SetAside = field(default_factory=SetAside)
    _busy_until_s: dict[int, float] = field(default_factory=dict)

    def busy(self, link_id: int, now_s: float) -> None:
        """Leave an installation alone: its next event must not overtake the one that waits."""
        self._busy_until_s[link_id] = now_s + BUSY_S

    def links(self, now_s: float) -> list[int]:
        """Return the installations to leave alone now."""
        self._busy_until_s = {link_id: until_s for link_id, until_s in self._busy_until_s.items() if until_s > now_s}
        return list(self._busy_until_s)


@dataclass(frozen=True, slots=True)
class _Answer:
    """What became of an event, not written yet.

    :param denied: why it becomes no order, where it is ours to say so
    """

    due: Due
    course: Course
    move: Move
    denied: Denied | None = None


def orders_execute(*, lane: int = 0, lanes: int = 1, limit: int = BATCH, left_alone: LeftAlone | None = None) -> int:
    """Work on what is due in a lane, each installation's events in their order; return how many came further.

    Only one process at a time works in a lane, so that nobody overtakes; two would do no harm but that.

    :raises OperationalError: the database is away
    """
    left_alone, answered = LeftAlone() if left_alone is None else left_alone, 0
    until_s = time.monotonic() + TURN_S
    while True:
        turn = _Turn(left_alone)
        due = _due(lane, lanes, limit, left_alone)
        turn.begin(due)
        for one in due:
            if time.monotonic() > until_s:
                break
            turn.take(one)
        turn.answers_write()
        answered += turn.answered
        if len(due) < limit or not turn.left or time.monotonic() > until_s:
            return answered
        # Events of those who wait filled the batch: what is due of others stands behind them.


def _due(lane: int, lanes: int, limit: int, left_alone: LeftAlone) -> list[Due]:
    now_s = time.monotonic()
    asked = {
        "lanes": lanes,
        "lane": lane,
        "limit": limit,
        "skip": db.ids_array(left_alone.failed.orders(now_s)),
        "busy": db.numbers_array(left_alone.links(now_s)),
    }
    return [Due._make(row) for row in db.rows(statements.DUE, asked)]


class _Turn:
    """One batch of a lane. Answers that follow each other closely are written together, in the order of their events.

    An order waits for the answers in front of it only when the oldest of them has waited ``TOLD_S``, and its own answer
    waits no longer than that for denials behind it.
    """

    def __init__(self, left_alone: LeftAlone) -> None:
        self.answered = 0
        self._left_alone = left_alone
        self._busy, self._busy_wallets = set[int](), set[UUID | None]()
        self._answers: list[_Answer] = []
        self._answered_s = 0.0
        self._placed = False
        self._read_s = time.monotonic()
        self._fresh_until_s = self._read_s + FRESH_S
        self._kept: Kept

    @property
    def left(self) -> bool:
        """Whether an installation was left alone."""
        return bool(self._busy)

    def begin(self, due: Sequence[Due]) -> None:
        """Read what a batch is judged by, as far as it is not kept."""
        if due:
            self._kept = kept_of(due[0].version)
            self._kept.terms_read({one.kid for one in due})

    def take(self, due: Due) -> None:
        """Bring one order as far as it goes; one that cannot be worked on must not hold up the others.

        :raises OperationalError: the database is away, which concerns all of them
        """
        if due.link_id in self._busy:
            return
        if self._placed:
            self._answers_due()
        course = Course(
            link_id=due.link_id, recv_us=due.recv_us, log_us=due.log_us, offset_ms=due.offset_ms, rtt_us=due.rtt_us
        )
        with self._alone(due):
            try:
                self._worked_on(due, course)
            except Denied as denied:
                course.decided_us, course.symbol = _now_us(), denied.symbol
                self._answer(_Answer(due, course, _denial(due, course, denied), denied))

    def answers_write(self) -> None:
        """Write the answers that wait, in one commit; when that fails, each alone."""
        answers, self._answers, self._placed = self._answers, [], False
        if not answers:
            return
        try:
            _noted(answers)
            self.answered += len(answers)
        except _LANE_STOPS:
            raise
        except Exception:
            log.exception("ea_answers_failed", signals=len(answers))
            for answer in answers:
                with self._alone(answer.due):
                    _noted([answer])
                    self.answered += 1
        if any(answer.denied is not None and answer.denied.trips for answer in answers):
            # What is judged after a stop is judged by it.
            self._fresh_until_s = 0.0

    def _answer(self, answer: _Answer) -> None:
        if not self._answers:
            self._answered_s = time.monotonic()
        self._answers.append(answer)
        self._placed = self._placed or answer.denied is None

    def _answers_due(self) -> None:
        """Write the answers that wait when the oldest has waited long enough."""
        if self._answers and time.monotonic() > self._answered_s + TOLD_S:
            self.answers_write()

    @contextmanager
    def _alone(self, due: Due) -> Iterator[None]:
        try:
            yield
        except _LANE_STOPS:
            raise
        except Exception:
            # It stays due: it is tried again after a while, and says so, until its cause is mended.
            self._left_alone.failed.add(due.event_id, time.monotonic())
            count("ea_orders_failed")
            log.exception("ea_order_failed", event_id=str(due.event_id))

    def _worked_on(self, due: Due, course: Course) -> None:
        """Decide what was received, and place it; what was submitted by somebody who is gone is decided already.

        :raises Denied: it becomes no order
        """
        course.signal = signal_of(due)
        plan, wallet_id = None, due.stored_wallet_id
        if due.state == State.RECEIVED:
            plan = planned(due, course.signal, kept=self._kept_now(), now_ms=self._now_ms(due))
            course.decided_us, wallet_id = _now_us(), plan.wallet_id
        if wallet_id in self._busy_wallets:
            self._leave(due)
            return
        self._answers_due()
        try:
            submitted = _submitted_before(due) if plan is None else _submitted(due, course.signal, plan, course)
            if submitted is None:
                # Somebody else was faster.
                return
            move = _placed(due, _caller(due, self._kept.terms(due.kid)), submitted, course)
            if move is not None:
                self._answer(_Answer(due, course, move))
                return
        except OperationalError as error:
            # Another lane holds what the wallet's limits are judged under; it is not the database that is away.
            if not isinstance(error.__cause__, LockNotAvailable):
                raise
        count("ea_orders_busy")
        self._busy_wallets.add(wallet_id)
        self._leave(due)

    def _now_ms(self, due: Due) -> int:
        """Return the instant by the database's clock, which told the time when the batch was read."""
        return due.now_ms + round((time.monotonic() - self._read_s) * 1_000)

    def _kept_now(self) -> Kept:
        """Return what is judged by, looking for a newer version when the batch has taken long."""
        if time.monotonic() > self._fresh_until_s:
            self._kept = kept_of(version_now())
            self._fresh_until_s = time.monotonic() + FRESH_S
        return self._kept

    def _leave(self, due: Due) -> None:
        """Leave an installation alone for a while: none of its events may overtake this one."""
        self._busy.add(due.link_id)
        self._left_alone.busy(due.link_id, time.monotonic())


@dataclass(frozen=True, slots=True)
class _Submitted:
    """What is placed, and what its client is told along."""

    ticket: str
    not_after_ms: int | None
    warnings: tuple[str, ...]


# These concern all orders of a lane.
_LANE_STOPS = (OperationalError, InterfaceError)


def _denial(due: Due, course: Course, denied: Denied) -> Move:
    return Move(
        event=due.event,
        link_id=due.link_id,
        state=State(due.state),
        step=due.step,
        states=(State.EXPIRED if denied.code == STALE else State.DENIED,),
        actor=ACTOR,
        code=denied.code,
        frame=_refused(due, "denied", denied.code),
        fields={"symbol": denied.symbol, "strategy": course.signal.strategy if course.signal else None},
    )


def _noted(answers: Sequence[_Answer]) -> None:
    """Write what became of events, and what else is to be known of those that become no order."""
    with transaction.atomic(durable=True):
        with db.pipelined():
            latency_write([(one.due.event, one.course) for one in answers])
            # The result of an order may have come first: then there is nothing left to note.
            moved = {move.event for move in moves_write([one.move for one in answers])}
        for one in answers:
            if one.denied is not None and one.due.event in moved:
                _denial_noted(one, one.denied)
    reach("ea.noted")
    for code, times in Counter(one.denied.code for one in answers if one.denied is not None).items():
        count("ea_signals_denied", times, code=code)


def _denial_noted(one: _Answer, denied: Denied) -> None:
    signal, now_ms = one.course.signal, one.course.decided_us // 1_000
    if denied.code == "symbol.unknown" and signal is not None and signal.symbol is not None:
        unknown_note(link_id=one.due.link_id, raw=signal.symbol, now_ms=now_ms)
    if denied.stopped is not None:
        stops_trip(denied.stopped, denied.trips, now_ms=now_ms)


def _submitted(due: Due, signal: Signal, plan: Plan, course: Course) -> _Submitted | None:
    """Judge a signal by its limits and write what will be submitted, or return None when somebody else was faster.

    :raises Denied: by a limit
    """
    ticket = _ticket_encoded(plan.ticket).decode()
    # What limits are judged by holds until it is written; without limits the one statement is enough by itself.
    limited = risk.is_limited(plan.asked)
    with transaction.atomic(durable=True) if limited else nullcontext():
        verdict = risk.judged(plan.asked)
        course.decided_us = _now_us()
        if verdict.code is not None:
            raise Denied(verdict.code, symbol=plan.symbol, stopped=plan.asked, trips=verdict.trips)
        # Need not wait for the disk: the placement that follows is written behind it, so it cannot outlast it.
        written = moves_write([_submission(due, signal, plan, ticket, verdict.warnings)], flush=False)
        if limited and not written:
            transaction.set_rollback(True)
    for code in verdict.warnings:
        count("ea_risk_warnings", code=code)
    reach("ea.submitted")
    return _Submitted(ticket, plan.not_after_ms, verdict.warnings) if written else None


def _submitted_before(due: Due) -> _Submitted:
    """Return what was submitted by somebody who is gone."""
    assert due.ticket is not None
    return _Submitted(due.ticket, due.not_after_ms, tuple(due.warnings or ()))


def _submission(due: Due, signal: Signal, plan: Plan, ticket: str, warnings: tuple[str, ...]) -> Move:
    return Move(
        event=due.event,
        link_id=due.link_id,
        state=State.RECEIVED,
        step=due.step,
        states=(State.VALIDATED, State.ROUTED, State.SUBMITTED),
        actor=ACTOR,
        fields={
            "symbol": plan.symbol,
            "strategy": signal.strategy,
            "ticket": ticket,
            "wallet_id": plan.wallet_id,
            "client_order_id": plan.ticket.client_order_id,
            "not_after_ms": plan.not_after_ms,
            "warnings": list(warnings) or None,
        },
    )


def _placed(due: Due, caller: Caller, submitted: _Submitted, course: Course) -> Move | None:
    """Place an order and return the answer to note, or None when there is none yet, only a busy wallet."""
    ticket, not_after_ms = _ticket_decoded(submitted.ticket), submitted.not_after_ms
    course.symbol = ticket.symbol
    step = due.step + 3 if due.state == State.RECEIVED else due.step
    course.submitted_us = _now_us()
    try:
        placed = order_place(caller=caller, ticket=ticket, not_after_ms=not_after_ms)
    except Problem as problem:
        if problem.code in _TRIED_AGAIN:
            return None
        states: tuple[State, ...] = (State.EXPIRED if problem.code == STALE else State.REJECTED,)
        told = "denied" if problem.code == STALE else "rejected"
        move = _answered(due, step, states, problem.code, _refused(due, told, problem.code), None)
    else:
        order = placed.order
        course.opened(order)
        states = (State.ACCEPTED,) if order.open_price is None else (State.ACCEPTED, State.OPEN)
        frame = accepted_frame(str(due.event_id), order, warnings=submitted.warnings)
        move = _answered(due, step, states, None, frame, order.id)
    reach("ea.placed")
    course.answered_us = _now_us()
    return move


def _answered(
    due: Due, step: int, states: tuple[State, ...], code: str | None, frame: OrderFrame, placed_id: str | None
) -> Move:
    return Move(
        event=due.event,
        link_id=due.link_id,
        state=State.SUBMITTED,
        step=step,
        states=states,
        actor=ACTOR,
        code=code,
        frame=frame,
        fields={"placed_id": placed_id},
    )


def accepted_frame(event_id: str, order: OrderDocument, *, warnings: tuple[str, ...] = ()) -> OrderFrame:
    """Return what a client is told of an order that was accepted.

    :param warnings: codes of the soft limits that it passed
    """
    return OrderFrame(
        no=0,
        event_id=event_id,
        order_id=order.id,
        state="accepted",
        code=None,
        price=order.open_price,
        payout_percent=order.payout_percent,
        t_accepted_ms=parse_rfc3339(order.accepted_at),
        t_expires_ms=parse_rfc3339(order.expires_at),
        warnings=list(warnings) or UNSET,
    )


def _refused(due: Due, state: Any, code: str) -> OrderFrame:
    return OrderFrame(no=0, event_id=str(due.event_id), order_id=None, state=state, code=code)


def _caller(due: Due, terms: Terms) -> Caller:
    """Return the caller that an installation's key stands for; placement judges it like any other."""
    return Caller(
        user_id=terms.user_id,
        source="ea",
        scopes=frozenset({"read", "trade"}),
        ledgers=frozenset(terms.ledgers),
        token_id=None,
        rate_key=f"ea:{due.kid}",
        banned=False,
    )


def _now_us() -> int:
    return time.time_ns() // 1_000

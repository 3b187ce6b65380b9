"""From events in the log to orders: each event is decided, submitted and noted, once, through any crash.

The intent is written before the effect: what is submitted is frozen in the event's row, and its ``client_order_id`` is
made from the event's id. Whoever finds a submitted order after a crash submits it again: placement answers with the
order that is there, accepts it if its time has not run out by the database's clock, or says that it has.
"""

from __future__ import annotations

import time
from typing import Any

import msgspec
import structlog
from django.db import InterfaceError, OperationalError, transaction

from accounts.callers import Caller
from ea import statements
from ea.deciding import STALE, Denied, Due, Plan, planned, signal_of
from ea.domain import State
from ea.latency import Course, latency_write
from ea.moves import Move, moves_write
from ea.protocol import Signal
from ea.replies import OrderFrame
from ea.symbols import unknown_note
from kernel import db
from kernel.clock import DB_NOW_MS_SQL, parse_rfc3339
from kernel.errors import Problem
from kernel.failpoints import reach
from kernel.metrics import count
from settlement.batches import SetAside
from trading.domain import Ticket
from trading.events import OrderDocument
from trading.services import order_place

log = structlog.get_logger(__name__)

ACTOR = "executor"
BATCH_MAX = 50
# Nobody's fault and soon over; the order is submitted again until its time has run out.
_TRIED_AGAIN = frozenset({"order.busy"})

_ticket_encoded = msgspec.json.Encoder().encode
_ticket_decoded = msgspec.json.Decoder(Ticket).decode


def orders_execute(*, lane: int = 0, lanes: int = 1, limit: int = BATCH_MAX, aside: SetAside | None = None) -> int:
    """Work on what is due in a lane, each installation's events in their order; return how many came further.

    Only one process at a time works in a lane, so that nobody overtakes; two would do no harm but that.

    :param aside: what failed by itself and is left alone for a while; a lane keeps it, so that the failures of one
        client never fill the batches of the others
    """
    aside = SetAside() if aside is None else aside
    asked = {"lanes": lanes, "lane": lane, "limit": limit, "skip": db.ids_array(aside.orders(time.monotonic()))}
    due = [Due(*row) for row in db.rows(statements.DUE, asked)]
    return sum(_executed_alone(one, aside) for one in due)


def _executed_alone(due: Due, aside: SetAside) -> bool:
    """Bring one order as far as it goes; one that cannot be worked on must not hold up the others.

    :raises OperationalError: the database is away, which concerns all of them
    """
    try:
        return _executed(due)
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        # It stays due: it is tried again after a while, and says so, until its cause is mended.
        aside.add(due.event_id, time.monotonic())
        count("ea_orders_failed")
        log.exception("ea_order_failed", event_id=str(due.event_id))
        return False


def _executed(due: Due) -> bool:
    """Bring one order as far as it goes now; return whether it came to an answer."""
    course = Course(
        link_id=due.link_id, recv_us=due.recv_us, log_us=due.log_us, offset_ms=due.offset_ms, rtt_us=due.rtt_us
    )
    try:
        signal = signal_of(due)
    except Denied as denied:
        return _denied(due, None, denied, course)
    course.signal = signal
    ticket, not_after_ms = due.ticket, due.not_after_ms
    if due.state == State.RECEIVED:
        try:
            plan = planned(due, signal, now_ms=_now_ms())
        except Denied as denied:
            return _denied(due, signal, denied, course)
        course.decided_us = _now_us()
        ticket, not_after_ms = _submitted(due, signal, plan), plan.not_after_ms
        if ticket is None:
            return False
    assert ticket is not None
    asked = _ticket_decoded(ticket)
    course.symbol = asked.symbol
    return _placed(due, asked, not_after_ms, course)


def _denied(due: Due, signal: Signal | None, denied: Denied, course: Course) -> bool:
    course.decided_us, course.symbol = _now_us(), denied.symbol
    state = State.EXPIRED if denied.code == STALE else State.DENIED
    move = Move(
        event=due.event,
        link_id=due.link_id,
        state=State(due.state),
        step=due.step,
        states=(state,),
        actor=ACTOR,
        code=denied.code,
        frame=_refused(due, "denied", denied.code),
        fields={"symbol": denied.symbol, "strategy": signal.strategy if signal else None},
    )
    with transaction.atomic(durable=True):
        if moves_write([move]):
            latency_write(due.event, course)
            if denied.code == "symbol.unknown" and signal is not None and signal.symbol is not None:
                unknown_note(link_id=due.link_id, raw=signal.symbol, now_ms=_now_ms())
    count("ea_signals_denied", code=denied.code)
    return True


def _submitted(due: Due, signal: Signal, plan: Plan) -> str | None:
    """Write what will be submitted; return the ticket, or None when somebody else was faster."""
    ticket = _ticket_encoded(plan.ticket).decode()
    move = Move(
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
        },
    )
    with transaction.atomic(durable=True):
        # Need not wait for the disk: the placement that follows is written behind it, so it cannot outlast it.
        db.run("SET LOCAL synchronous_commit = off")
        written = moves_write([move])
    reach("ea.submitted")
    return ticket if written else None


def _placed(due: Due, ticket: Ticket, not_after_ms: int | None, course: Course) -> bool:
    step = due.step + 3 if due.state == State.RECEIVED else due.step
    course.submitted_us = _now_us()
    try:
        placed = order_place(caller=_caller(due), ticket=ticket, not_after_ms=not_after_ms)
    except Problem as problem:
        if problem.code in _TRIED_AGAIN:
            count("ea_orders_busy")
            return False
        states: tuple[State, ...] = (State.EXPIRED if problem.code == STALE else State.REJECTED,)
        told = "denied" if problem.code == STALE else "rejected"
        move = _answered(due, step, states, problem.code, _refused(due, told, problem.code), None)
    else:
        order = placed.order
        course.opened(order)
        states = (State.ACCEPTED,) if order.open_price is None else (State.ACCEPTED, State.OPEN)
        move = _answered(due, step, states, None, accepted_frame(str(due.event_id), order), order.id)
    reach("ea.placed")
    course.answered_us = _now_us()
    with transaction.atomic(durable=True):
        # The result may have come first: then there is nothing left to note.
        moves_write([move])
        latency_write(due.event, course)
    reach("ea.noted")
    return True


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


def accepted_frame(event_id: str, order: OrderDocument) -> OrderFrame:
    """Return what a client is told of an order that was accepted."""
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
    )


def _refused(due: Due, state: Any, code: str) -> OrderFrame:
    return OrderFrame(no=0, event_id=str(due.event_id), order_id=None, state=state, code=code)


def _caller(due: Due) -> Caller:
    """Return the caller that an installation's key stands for; placement judges it like any other."""
    return Caller(
        user_id=due.user_id,
        source="ea",
        scopes=frozenset({"read", "trade"}),
        ledgers=frozenset(due.ledgers),
        token_id=None,
        rate_key=f"ea:{due.kid}",
        banned=False,
    )


def _now_ms() -> int:
    found = db.row(f"SELECT {DB_NOW_MS_SQL}")
    assert found is not None
    return int(found[0])


def _now_us() -> int:
    return time.time_ns() // 1_000

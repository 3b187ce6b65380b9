"""Results of orders go back to the events that they came from: a subscriber of the fact queue, each order once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from ea import statements
from ea.domain import State
from ea.moves import Move, moves_write
from ea.replies import OrderFrame
from ea.tallies import Result, results_tally
from kernel import db
from kernel.facts import subscribe
from kernel.money import format_minor, optional_scaled

FACT, SUBSCRIBER, ACTOR = "order.settled", "ea", "settlement"

# From where an order stands to its result. The executor may not have noted yet that it was accepted.
_COURSES: dict[State, tuple[State, ...]] = {
    State.SUBMITTED: (State.ACCEPTED, State.OPEN, State.SETTLED),
    State.ACCEPTED: (State.OPEN, State.SETTLED),
    State.OPEN: (State.SETTLED,),
}


@dataclass(frozen=True, slots=True)
class _Settled:
    event: int
    state: str
    step: int
    link_id: int
    event_id: UUID
    order_id: UUID
    result: str
    currency: str
    price_scale: int
    payout_percent: int
    open_price: int | None
    close_price: int | None
    payout: int
    accepted_at_ms: int
    expires_at_ms: int
    settled_at_ms: int
    wallet_id: UUID
    stake: int
    strategy: str


def results_apply(order_ids: Sequence[UUID]) -> None:
    """Note the results of those settled orders that came from events, in the transaction that takes them."""
    found = [_Settled(*row) for row in db.rows(statements.SETTLED_LOCK, {"ids": db.ids_array(order_ids)})]
    moves = [_move(one) for one in found if State(one.state) in _COURSES]
    if moves:
        written = {move.event for move in moves_write(moves)}
        results_tally([_result(one) for one in found if one.event in written])


def connect() -> None:
    """Subscribe to settled orders."""
    subscribe(FACT, SUBSCRIBER, results_apply)


def _result(settled: _Settled) -> Result:
    return Result(
        event=settled.event,
        link_id=settled.link_id,
        wallet_id=settled.wallet_id,
        strategy=settled.strategy,
        stake=settled.stake,
        payout=settled.payout,
        settled_at_ms=settled.settled_at_ms,
    )


def _move(settled: _Settled) -> Move:
    stands = State(settled.state)
    states = _COURSES[stands]
    if settled.open_price is None:
        # Refunded before it entered: it was accepted and never open.
        states = tuple(state for state in states if state is not State.OPEN)
    return Move(
        event=settled.event,
        link_id=settled.link_id,
        state=stands,
        step=settled.step,
        states=states,
        actor=ACTOR,
        code=settled.result,
        frame=_frame(settled),
        fields={"placed_id": settled.order_id},
    )


def _frame(settled: _Settled) -> OrderFrame:
    return OrderFrame(
        no=0,
        event_id=str(settled.event_id),
        order_id=str(settled.order_id),
        state="settled",
        code=settled.result,
        price=optional_scaled(settled.close_price, settled.price_scale),
        payout=format_minor(settled.payout, settled.currency),
        payout_percent=settled.payout_percent,
        t_accepted_ms=settled.accepted_at_ms,
        t_expires_ms=settled.expires_at_ms,
        t_settled_ms=settled.settled_at_ms,
    )

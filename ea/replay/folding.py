"""The fold from an event and its steps to the row of its order, and what can be wrong with them. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import msgspec

from ea.codes import Rejected
from ea.domain import WAYS, State
from ea.protocol import Signal
from ea.replies import OrderFrame
from ea.tradingview import signal_logged
from kernel.canonical import canonical
from kernel.money import AmountPrecisionError, AmountShapeError, format_minor, optional_scaled, parse_amount
from trading.domain import LAST_TICK, Ticket

# The columns of an order that a step may give it, as `Transition.given` names them.
GIVEN = ("strategy", "symbol", "ticket", "wallet_id", "client_order_id", "not_after_ms", "warnings", "order_id")

DIGEST = "each event's bytes have the digest that is stored"
CHAIN = "each event covers the one that was logged before it"
COLUMNS = "the columns of an event say what its bytes say"
SIGNED = "each event is signed with the key that it names"
WAY = "each step goes on from the one before it, by a way that is listed"
ROW = "each event has its order's row, and each row and step its event"
STATE = "each order's row is what its steps come to, hash for hash"
TOLD = "what a client was told is what its step says"
PLACED = "each accepted order was placed, with the terms that were frozen"
RESULT = "each result is the one that the order was settled with"

_frame_decoded = msgspec.json.Decoder(OrderFrame).decode
_ticket_decoded = msgspec.json.Decoder(Ticket).decode

_PLACED_STATES = frozenset({State.ACCEPTED, State.OPEN, State.SETTLED})
_UNPLACED_STATES = frozenset({State.REJECTED, State.EXPIRED, State.DENIED, State.CANCELLED})
_TOLD_STATES = {
    State.DENIED: "denied",
    State.EXPIRED: "denied",
    State.REJECTED: "rejected",
    State.ACCEPTED: "accepted",
    State.OPEN: "accepted",
    State.SETTLED: "settled",
}

Fault = tuple[str, str]


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """A row of the log; ``before_*`` are of the event in front of it in its chain, None where there is none."""

    id: int
    event_id: UUID
    link_id: int
    kid: str
    sid: str
    seq: int
    source: str
    src_ticket: str | None
    action: str
    raw: bytes
    sha256: bytes
    chain: UUID
    chain_no: int
    prev_sha256: bytes
    recv_us: int
    log_us: int
    before_prev_sha256: bytes | None
    before_sha256: bytes | None
    user_id: UUID | None


@dataclass(frozen=True, slots=True)
class Step:
    """A transition; ``given`` holds the columns that the order's row gets with it."""

    event: int
    step: int
    link_id: int
    no: int
    from_state: str
    state: str
    code: str | None
    at_us: int
    frame: str | None
    given: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class FoldedOrder:
    """The row of an order, stored or folded; ids as text."""

    event_id: str
    link_id: int
    state: str
    step: int
    code: str | None
    strategy: str
    symbol: str | None
    ticket: str | None
    wallet_id: str | None
    client_order_id: str | None
    not_after_ms: int | None
    warnings: list[str] | None
    order_id: str | None

    def document(self) -> dict[str, Any]:
        """Return its columns by name."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    def digest(self) -> bytes:
        """Return the SHA-256 of its canonical JSON."""
        return hashlib.sha256(canonical(self.document())).digest()


@dataclass(frozen=True, slots=True)
class PlacedRow:
    """An order of trading as far as the bridge answers for it; money in minor units, prices scaled."""

    id: UUID
    client_order_id: str
    wallet_id: UUID
    user_id: UUID
    source: str
    symbol: str
    direction: str
    stake: int
    currency: str
    payout_percent: int
    price_scale: int
    entry_rule: str
    accepted_at_ms: int
    expires_at_ms: int
    expected_price: str | None
    max_price_drift: str | None
    open_price: int | None
    state: str
    close_price: int | None
    payout: int | None
    settled_at_ms: int | None


def folded(event: LoggedEvent, steps: Sequence[Step]) -> FoldedOrder:
    """Return the order that an event's steps come to; without any it stands as received."""
    order = FoldedOrder(
        event_id=str(event.event_id),
        link_id=event.link_id,
        state=State.RECEIVED.value,
        step=0,
        code=None,
        strategy="",
        symbol=None,
        ticket=None,
        wallet_id=None,
        client_order_id=None,
        not_after_ms=None,
        warnings=None,
        order_id=None,
    )
    for step in steps:
        given = {name: value for name, value in (step.given or {}).items() if name in GIVEN}
        order = replace(order, state=step.state, step=order.step + 1, code=step.code, **given)
    return order


def signal_read(event: LoggedEvent) -> Signal | None:
    """Return the signal of an event, or None when the schema of today does not read its bytes."""
    try:
        return signal_logged(event.raw, kid=event.kid, seq=event.seq)
    except Rejected:
        return None


def event_faults(event: LoggedEvent, signal: Signal | None) -> Iterator[Fault]:
    """Say what is wrong with an event by itself and in its chain."""
    name = str(event.event_id)
    if hashlib.sha256(event.raw).digest() != event.sha256:
        yield DIGEST, f"{name}: its bytes were changed"
    if event.prev_sha256 != _covers(event):
        place = f"{event.chain_no} of chain {event.chain}"
        missing = event.chain_no > 1 and event.before_sha256 is None
        yield CHAIN, f"{name}: {place} does not follow" + (": the one before it is missing" if missing else "")
    if signal is not None:
        said = (signal.event_id, signal.kid, signal.sid, signal.seq, signal.source, signal.src_ticket, signal.action)
        if said != (name, event.kid, event.sid, event.seq, event.source, event.src_ticket, event.action):
            yield COLUMNS, f"{name}: its bytes say {said}"


def _covers(event: LoggedEvent) -> bytes | None:
    """Return what an event has to carry of those in front of it; None when they cannot be covered."""
    if event.chain_no == 1:
        return hashlib.sha256(event.chain.bytes).digest()
    if event.before_prev_sha256 is None or event.before_sha256 is None:
        return None
    return hashlib.sha256(event.before_prev_sha256 + event.before_sha256).digest()


def step_faults(event: LoggedEvent, steps: Sequence[Step]) -> Iterator[Fault]:
    """Say which steps follow no listed way, and what a client was told that its step does not say."""
    stands, given = State.RECEIVED.value, dict[str, Any]()
    for place, step in enumerate(steps, 1):
        here = f"{event.event_id}: step {step.step} from {step.from_state} to {step.state}"
        if step.step != place or step.from_state != stands or not _is_way(step) or step.link_id != event.link_id:
            yield WAY, here
        given |= step.given or {}
        if not _told_rightly(event, step, given):
            yield TOLD, f"{here}: {step.frame}"
        stands = step.state


def _is_way(step: Step) -> bool:
    known = {state.value for state in State}
    if step.from_state not in known or step.state not in known:
        return False
    return State(step.state) in WAYS[State(step.from_state)]


def _told_rightly(event: LoggedEvent, step: Step, given: Mapping[str, Any]) -> bool:
    """Whether a frame says what its step does, and what the order had been given by then."""
    if step.frame is None:
        # Whatever ends an order is told.
        return step.state not in {state.value for state in State if state.is_final and state in _TOLD_STATES}
    try:
        frame = _frame_decoded(step.frame)
    except msgspec.DecodeError:
        return False
    state = _TOLD_STATES.get(State(step.state)) if _is_way(step) else step.state
    warnings = given.get("warnings") if state == "accepted" else None
    told = (frame.no, frame.event_id, frame.order_id, frame.state, frame.code, frame.warnings or None)
    return told == (step.no, str(event.event_id), given.get("order_id"), state, step.code, warnings)


def state_fault(order: FoldedOrder, stored: FoldedOrder) -> str | None:
    """Return what differs between a folded order and its row, or None when their digests are equal."""
    if order.digest() == stored.digest():
        return None
    here, there = order.document(), stored.document()
    differing = [f"{name} is {there[name]!r}, not {here[name]!r}" for name in here if here[name] != there[name]]
    return f"{order.event_id}: {'; '.join(differing)}"


def placement_faults(
    event: LoggedEvent, order: FoldedOrder, steps: Sequence[Step], placed: PlacedRow | None
) -> Iterator[Fault]:
    """Compare an order of the bridge with the one that is in trading under its id."""
    state = State(order.state) if order.state in {item.value for item in State} else None
    if placed is None:
        if state in _PLACED_STATES:
            yield PLACED, f"{order.event_id}: {order.state}, but trading has no such order"
        return
    if state in _UNPLACED_STATES:
        yield PLACED, f"{order.event_id}: {order.state}, but trading has order {placed.id}"
        return
    differing = [name for name, equal in _terms(event, order, placed) if not equal]
    if differing:
        yield PLACED, f"{order.event_id}: order {placed.id} has another {', '.join(differing)}"
    for step in steps:
        if step.frame is not None and (fault := _frame_fault(step, placed)) is not None:
            yield fault[0], f"{order.event_id}: {fault[1]} of order {placed.id}"


def _terms(event: LoggedEvent, order: FoldedOrder, placed: PlacedRow) -> Iterator[tuple[str, bool]]:
    """Compare the frozen ticket with what was placed, term by term."""
    yield "id", order.order_id in (None, str(placed.id))
    yield "owner", placed.user_id == event.user_id
    yield "source", placed.source == "ea"
    yield "wallet", str(placed.wallet_id) == order.wallet_id
    own = f"ea:{order.event_id}"
    yield "client_order_id", placed.client_order_id == order.client_order_id == own
    yield "deadline", order.not_after_ms is not None and placed.accepted_at_ms <= order.not_after_ms
    try:
        ticket = _ticket_decoded(order.ticket or "")
    except msgspec.DecodeError:
        yield "ticket", False
        return
    yield "frozen id", ticket.client_order_id == own
    yield "frozen wallet", ticket.wallet_id == placed.wallet_id
    yield "symbol", ticket.symbol == placed.symbol == order.symbol
    yield "direction", ticket.direction == placed.direction
    yield "stake", _minor(ticket.stake, placed.currency) == placed.stake
    expires_at_ms = ticket.expires_at_ms
    if ticket.duration_s is not None:
        expires_at_ms = placed.accepted_at_ms + ticket.duration_s * 1_000
    yield "expiry", expires_at_ms == placed.expires_at_ms
    yield "payout", placed.payout_percent >= (ticket.min_payout_percent or 0)
    guards = (ticket.expected_price, ticket.max_price_drift)
    yield "guards", guards == (placed.expected_price, placed.max_price_drift)


def _minor(amount: str, currency: str) -> int | None:
    try:
        return parse_amount(amount, currency)
    except (AmountShapeError, AmountPrecisionError):
        return None


def _frame_fault(step: Step, placed: PlacedRow) -> Fault | None:
    """Return what a client was told of an order that is not so."""
    try:
        frame = _frame_decoded(step.frame or "")
    except msgspec.DecodeError:
        # Said by `step_faults`.
        return None
    scale = placed.price_scale
    terms = (frame.payout_percent, frame.t_accepted_ms, frame.t_expires_ms)
    if frame.state in ("accepted", "settled") and terms != (
        placed.payout_percent,
        placed.accepted_at_ms,
        placed.expires_at_ms,
    ):
        return TOLD, f"payout or instants that are not those (step {step.step})"
    if frame.state == "accepted":
        # Under next_tick/1 there was no opening price yet.
        opened = placed.entry_rule == LAST_TICK
        if opened and frame.price != optional_scaled(placed.open_price, scale):
            return TOLD, f"an opening price that is not the one (step {step.step})"
        return None
    if frame.state == "settled":
        payout = None if placed.payout is None else format_minor(placed.payout, placed.currency)
        told = (step.code, frame.price, frame.payout, frame.t_settled_ms)
        if told != (placed.state, optional_scaled(placed.close_price, scale), payout, placed.settled_at_ms):
            return RESULT, f"a result that is not the one (step {step.step})"
    return None

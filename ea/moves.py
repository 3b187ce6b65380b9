"""Transitions of orders: written with their numbers, the frames that tell them, and the row that they move."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec

from ea import statements
from ea.domain import WAYS, State
from ea.replies import OrderFrame, encoded
from kernel import db
from kernel.failpoints import reach
from kernel.metrics import count


@dataclass(frozen=True, slots=True)
class Move:
    """One or more transitions of an order that are written together.

    :param event: the event's number in the log
    :param step: how many transitions the order had made
    :param states: where it goes, one after the other
    :param frame: what its client is told at the end; its number is put in here
    :param fields: columns of the order that get their value now; the last step keeps them, as replay reads them
    """

    event: int
    link_id: int
    state: State
    step: int
    states: tuple[State, ...]
    actor: str
    code: str | None = None
    frame: OrderFrame | None = None
    fields: dict[str, Any] | None = None


def moves_write(moves: Sequence[Move]) -> list[Move]:
    """Write moves in the caller's transaction and return those that were due: each whose order stood where it was read.

    Orders are locked in the order of their events, then installations' counters; nothing is locked after these.

    :raises TransactionManagementError: outside a transaction
    """
    db.require_transaction()
    ids = db.numbers_array(move.event for move in moves)
    stands = {event: (state, step) for event, state, step in db.rows(statements.ORDERS_LOCK, {"ids": ids})}
    due = [move for move in moves if stands.get(move.event) == (move.state.value, move.step)]
    if not due:
        return []
    reach("ea.orders_locked")
    steps = _numbered(due)
    db.run(statements.STEPS, {"steps": json.dumps(steps, default=str)})
    db.run(statements.ORDERS_MOVE, {"orders": json.dumps([_order(move) for move in due], default=str)})
    if links := sorted({move.link_id for move in due if move.frame is not None}):
        db.rows(statements.TOLD, {"links": db.numbers_array(links)})
    for move in due:
        count("ea_orders_moved", state=move.states[-1].value)
    reach("ea.moved")
    return due


def _numbered(moves: Sequence[Move]) -> list[dict[str, Any]]:
    by_link = defaultdict[int, list[Move]](list)
    for move in moves:
        by_link[move.link_id].append(move)
    return [step for link_id in sorted(by_link) for step in _steps(link_id, by_link[link_id])]


def _steps(link_id: int, moves: Sequence[Move]) -> list[dict[str, Any]]:
    total = sum(len(move.states) for move in moves)
    counted = db.row(statements.COUNT, {"link_id": link_id, "steps": total})
    assert counted is not None
    no, steps = int(counted[0]) - total, []
    for move in moves:
        at = move.state
        for number, state in enumerate(move.states, 1):
            assert state in WAYS[at], (at, state)
            no += 1
            last = number == len(move.states)
            step = {
                "order_id": move.event,
                "step": move.step + number,
                "link_id": link_id,
                "no": no,
                "from_state": at.value,
                "state": state.value,
                "actor": move.actor,
                "code": move.code if last else None,
                "frame": _frame(move.frame, no) if last else None,
                "given": _given(move) if last else None,
            }
            steps.append(step)
            at = state
    return steps


def _frame(frame: OrderFrame | None, no: int) -> str | None:
    return None if frame is None else encoded(msgspec.structs.replace(frame, no=no)).decode()


def _given(move: Move) -> dict[str, Any] | None:
    """Return what the order's row gets, by the names of its columns."""
    given = {name: value for name, value in (move.fields or {}).items() if value is not None}
    if "placed_id" in given:
        # Within the statement this name is the event's number.
        given["order_id"] = given.pop("placed_id")
    return given or None


def _order(move: Move) -> dict[str, Any]:
    row = {
        "order_id": move.event,
        "state": move.states[-1].value,
        "step": move.step + len(move.states),
        "code": move.code,
    }
    return row | {name: str(value) if isinstance(value, UUID) else value for name, value in (move.fields or {}).items()}

"""Transitions of orders: written with their numbers, the frames that tell them, and the row that they move."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
from django.db import transaction

from ea import statements
from ea.domain import WAYS, State
from ea.notices import TOLD_CHANNEL, notice_send
from ea.replies import OrderFrame, encoded
from kernel import db
from kernel.failpoints import reach
from kernel.metrics import count

# The first number of a frame is its own; ids and codes come behind it.
_NO = '"no":0'
_encoded = msgspec.json.Encoder().encode


class Move(NamedTuple):
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


def moves_write(moves: Sequence[Move], *, flush: bool = True) -> list[Move]:
    """Write moves and return those that were due: each whose order stood where it was read.

    It is one statement, so it needs no transaction of the caller's. Clients hear of it after the commit. Orders are
    locked in the order of their events, then installations' counters.

    :param moves: at most one of each order; their steps are numbered in the order of their events
    :param flush: whether the commit waits for the disk
    """
    if not moves:
        return []
    asked = {"moves": _encoded([_row(move) for move in moves]).decode(), "flush": "on" if flush else "off"}
    found = {event for (event,) in db.rows(statements.MOVE, asked)}
    due = [move for move in moves if move.event in found]
    if links := {move.link_id for move in due if move.frame is not None}:
        transaction.on_commit(lambda: notice_send(TOLD_CHANNEL, links))
    for state, times in Counter(move.states[-1].value for move in due).items():
        count("ea_orders_moved", times, state=state)
    reach("ea.moved")
    return due


def _row(move: Move) -> dict[str, Any]:
    at = move.state
    for state in move.states:
        assert state in WAYS[at], (at, state)
        at = state
    head, tail = _frame(move.frame)
    return {
        "order_id": move.event,
        "link_id": move.link_id,
        "state": move.state.value,
        "step": move.step,
        "states": [state.value for state in move.states],
        "actor": move.actor,
        "code": move.code,
        "head": head,
        "tail": tail,
        "given": _given(move),
    } | (move.fields or {})


def _given(move: Move) -> dict[str, Any] | None:
    """Return what the order's row gets, by the names of its columns."""
    given = {name: value for name, value in (move.fields or {}).items() if value is not None}
    if "placed_id" in given:
        # Within the statement this name is the event's number.
        given["order_id"] = given.pop("placed_id")
    return given or None


def _frame(frame: OrderFrame | None) -> tuple[str | None, str | None]:
    """Return a frame's text in front of its number and behind it."""
    if frame is None:
        return None, None
    head, no, tail = encoded(frame).decode().partition(_NO)
    assert no, head
    return head + _NO[:-1], tail

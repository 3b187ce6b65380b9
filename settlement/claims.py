"""Rows of settlement's statements as values: the order, its evidence, and what it becomes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import msgspec

from settlement.domain import EntryTerms, Evidence, Outcome, Terms, Tick
from settlement.statements import ORDER_COLUMNS
from trading.domain import Direction

_NAMES = tuple(name.strip().removeprefix("o.") for name in ORDER_COLUMNS.split(","))
ORDER_WIDTH = len(_NAMES)


class ClaimedOrder(msgspec.Struct, frozen=True, gc=False):
    """An order as its row was read; ``row`` has the columns of ``statements.ORDER_COLUMNS`` by name."""

    row: Mapping[str, Any]
    now_ms: int

    @property
    def id(self) -> UUID:
        """The order's id."""
        found: UUID = self.row["id"]
        return found

    @property
    def user_id(self) -> UUID:
        """The client's id."""
        found: UUID = self.row["user_id"]
        return found

    @property
    def wallet_id(self) -> UUID:
        """The id of the wallet that staked."""
        found: UUID = self.row["wallet_id"]
        return found

    @property
    def stake(self) -> int:
        """The stake in minor units."""
        return int(self.row["stake"])

    @property
    def entry_terms(self) -> EntryTerms:
        """What an order under ``next_tick/1`` froze at acceptance."""
        row = self.row
        return EntryTerms(
            after_seq=row["entry_after_seq"],
            until_ms=row["entry_until_ms"],
            revision=row["revision"],
            price_scale=row["price_scale"],
            expected_price=row["expected_price"],
            max_price_drift=row["max_price_drift"],
        )

    @property
    def terms(self) -> Terms:
        """What the outcome depends on, besides the log."""
        row = self.row
        return Terms(
            direction=Direction(row["direction"]),
            stake=row["stake"],
            payout_percent=row["payout_percent"],
            expires_at_ms=row["expires_at_ms"],
            max_tick_age_ms=row["max_tick_age_ms"],
            revision=row["revision"],
            open_price=row["open_price"],
            settlement_rule=row["settlement_rule"],
        )

    def entered(self, tick: Tick | None) -> ClaimedOrder:
        """Return the order with its opening tick, entered now."""
        if tick is None:
            return self
        opening = {"entered_at_ms": self.now_ms, "open_seq": tick.seq, "open_at_ms": tick.at_ms}
        return ClaimedOrder({**self.row, **opening, "open_price": tick.price}, self.now_ms)


class SettledOrder(msgspec.Struct, frozen=True, gc=False):
    """A claimed order with what was decided."""

    order: ClaimedOrder
    outcome: Outcome


def order_of(row: Sequence[Any]) -> ClaimedOrder:
    """Return the order of a row that begins with an instant and the columns of an order."""
    return ClaimedOrder(dict(zip(_NAMES, row[1 : 1 + ORDER_WIDTH], strict=True)), now_ms=row[0])


def evidence_of(row: Sequence[Any], window: tuple[Sequence[int], Sequence[int]] | None) -> Evidence:
    """Return the evidence that follows an order's columns in a row.

    :param window: prices and revisions of the ticks that a mean is taken of
    """
    seq, at_ms, price, revision, closed, emergency = row[1 + ORDER_WIDTH : 7 + ORDER_WIDTH]
    prices, revisions = window or ((), ())
    return Evidence(
        tick=tick_of((seq, at_ms, price, revision)),
        window=tuple(prices),
        window_revisions=frozenset(revisions),
        feed_closed=closed,
        emergency=emergency,
    )


def tick_of(columns: Sequence[Any]) -> Tick | None:
    """Return the tick of four columns, None where there was none."""
    return None if columns[0] is None else Tick(*columns)


def open_row(order: ClaimedOrder) -> SimpleNamespace:
    """Return an order that has entered, as its row now reads."""
    later = ("close_seq", "close_at_ms", "close_price", "close_tick_price", "settled_at_ms", "payout", "reason")
    return SimpleNamespace(**order.row, state="open", **dict.fromkeys(later))


def settled_row(settled: SettledOrder) -> SimpleNamespace:
    """Return a settled order as its row now reads, but for the balance, which is that of the time before."""
    decided, tick = settled.outcome, settled.outcome.tick
    return SimpleNamespace(
        **settled.order.row,
        state=decided.state.value,
        close_seq=tick and tick.seq,
        close_at_ms=tick and tick.at_ms,
        close_price=decided.close_price,
        close_tick_price=decided.tick_price,
        settled_at_ms=settled.order.now_ms,
        payout=decided.payout,
        reason=decided.reason and decided.reason.value,
    )

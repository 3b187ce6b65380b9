"""What a run consists of: the product's pure functions, and what the shell around them does as the services do.

A mutant is a build in which one of these is replaced. Everything here is the correct choice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from bench.simulator.rows import HeadRow, OrderRow
from ledger.domain import Family, TransferDraft, numbered
from quotes.declarations import declared_at_ms
from quotes.domain import ADMISSION, admit, market_state
from settlement.domain import TRIMMED_WINDOW_MS, Outcome, Tick, entry, outcome
from trading.domain import OrderState
from trading.domain import admit as order_admit


def evidence_at(log: Sequence[Tick], order: OrderRow) -> Tick | None:
    """Return the last tick with a time at or before the expiry (``settlement.statements.evidence_joins``)."""
    return next((tick for tick in reversed(log) if tick.at_ms <= order["expires_at_ms"]), None)


def window_at(log: Sequence[Tick], order: OrderRow) -> list[Tick]:
    """Return the ticks that a mean is taken of (``settlement.statements.window_sql``)."""
    until_ms = order["expires_at_ms"]
    return [tick for tick in log if until_ms - TRIMMED_WINDOW_MS < tick.at_ms <= until_ms]


def entry_at(log: Sequence[Tick], order: OrderRow) -> Tick | None:
    """Return the tick that follows an order's place in the log, in time (``settlement.statements.ENTRY_CLAIM``)."""
    after = order["entry_after_seq"]
    following = log[after] if after < len(log) else None
    if following is None or not order["entry_after_ms"] <= following.at_ms <= order["entry_until_ms"]:
        return None
    return following


def is_due(order: OrderRow, head: HeadRow, _now_ms: int) -> bool:
    """Whether an order may be decided: the watermark has reached its expiry (``settlement.statements.CLAIM``)."""
    return bool(order["expires_at_ms"] <= head.head.watermark_ms)


def is_overdue(until_ms: int, head: HeadRow, now_ms: int) -> bool:
    """Whether the database's clock moves a watermark to an instant (``settlement.statements.OVERDUE``)."""
    return head.head.watermark_ms < until_ms and until_ms + ADMISSION.grace_ms < now_ms


def transfers_of(order: OrderRow, decided: Outcome, house: Any) -> list[TransferDraft]:
    """Return what an outcome moves (``settlement.services.transfers_of``)."""
    lost = decided.state is OrderState.LOST
    kept = house if lost else order["wallet_id"]
    reference, stakes = order["id"], order["stakes_id"]
    close = TransferDraft(Family.ORDER_CLOSE, decided.state.value, reference, stakes, kept, order["stake"])
    profit = decided.payout - order["stake"]
    if decided.state is not OrderState.WON or profit == 0:
        return [close]
    return [close, TransferDraft(Family.ORDER_PROFIT, "profit", reference, house, order["wallet_id"], profit)]


@dataclass(frozen=True)
class Build:
    """The correct build; see the module."""

    admit: Callable[..., Any] = admit
    market_state: Callable[..., Any] = market_state
    order_admit: Callable[..., Any] = order_admit
    entry: Callable[..., Any] = entry
    outcome: Callable[..., Any] = outcome
    numbered: Callable[..., Any] = numbered
    declared_at_ms: Callable[..., int] = declared_at_ms
    evidence_at: Callable[..., Tick | None] = evidence_at
    window_at: Callable[..., list[Tick]] = window_at
    entry_at: Callable[..., Tick | None] = entry_at
    is_due: Callable[..., bool] = is_due
    is_overdue: Callable[..., bool] = is_overdue
    transfers_of: Callable[..., list[TransferDraft]] = transfers_of
    # A sign of life at r raises the watermark to this long before r.
    heartbeat_grace_ms: int = ADMISSION.grace_ms
    # The parser compares its sequence with the head's, and writes on the session that leads only.
    fenced: bool = True
    # Heads are read once their rows are locked.
    head_locked: bool = True
    # The wallet is locked before placement reads anything.
    wallet_locked: bool = True
    # Placement looks for an earlier order with the same client_order_id, and the table has a key on it.
    repeats_known: bool = True
    # Settlement locks what it claims and leaves out what others hold.
    claims_locked: bool = True
    # Each fact has one transfer of a family at most.
    facts_keyed: bool = True
    # Money and order change in one transaction.
    settled_at_once: bool = True
    # A batch of ticks and the head behind it are stored in one transaction.
    ticks_at_once: bool = True
    # An accepted order keeps its terms.
    terms_frozen: bool = True
    # The fence reads the watermark that it raises under the head's lock.
    fence_locked: bool = True


CORRECT = Build()

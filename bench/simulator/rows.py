"""The rows of the simulated database, and the market that they describe."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from quotes.domain import Head, RaiseCause

OrderRow = dict[str, Any]
"""An order, by the column names of ``settlement.statements.ORDER_COLUMNS``, with its state and its end."""


@dataclass(frozen=True, slots=True)
class HeadRow:
    """A symbol's head: where its log stands, and what the feed says of it."""

    head: Head = field(default_factory=Head)
    heartbeat_ms: int | None = None
    clock_sane: bool = True
    closed_by_feed: str | None = None


@dataclass(frozen=True, slots=True)
class SymbolRow:
    """A symbol's terms; those that operators edit bind new orders only."""

    id: int
    code: str
    feed: str
    price_source: str
    price_scale: int
    entry_rule: str
    settlement_rule: str
    payout_percent: int
    max_tick_age_ms: int
    operator_state: str = "open"


@dataclass(frozen=True, slots=True)
class RaiseRow:
    """A watermark that was raised, why, and what the clocks said then."""

    watermark_ms: int
    cause: RaiseCause
    raised_at_ms: int
    heartbeat_ms: int = 0


@dataclass(frozen=True, slots=True)
class DeclarationRow:
    """A feed's word on a market, and from when on it counts."""

    at_ms: int
    closed: bool


@dataclass(frozen=True, slots=True)
class AccountRow:
    """A guarded balance in minor units."""

    balance: int
    entry_no: int


@dataclass(frozen=True, slots=True)
class WalletRow:
    """Whose wallet this is and where its stakes are kept."""

    id: UUID
    user_id: UUID
    stakes_id: UUID
    book: str

"""The public events of the market; they are told, not stored."""

from __future__ import annotations

import msgspec

from realtime.events import event_register


class SymbolUpdated(msgspec.Struct, frozen=True, kw_only=True):
    """A symbol's terms or its operator's state changed; what binds orders is read by GET /symbols."""

    code: str
    state: str
    state_reason: str
    payout_percent: int


class PayoutChanged(msgspec.Struct, frozen=True, kw_only=True):
    """A symbol pays another percent from now on, to everybody alike."""

    symbol: str
    payout_percent: int


def events_register() -> None:
    """Make the public events of the market known."""
    event_register("symbol.updated", SymbolUpdated)
    event_register("payout.changed", PayoutChanged)

"""Pure rules of the bridge: states of orders and the ways between them, deadlines of signals, stakes."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from enum import StrEnum

VALID_MS_MAX = 5_000
# A clock that is further off than this cannot be reckoned with.
OFFSET_MS_MAX = 60_000

SCOPES = ("source", "executor")
LEDGERS = ("real", "demo", "tournament")
# What an owner may tell an expert.
COMMANDS = ("pause", "resume", "flush", "resync")


class State(StrEnum):
    """Where the order of an event stands."""

    RECEIVED = "received"
    VALIDATED = "validated"
    ROUTED = "routed"
    SUBMITTED = "submitted"
    ACCEPTED = "accepted"
    OPEN = "open"
    SETTLED = "settled"
    DENIED = "denied"
    EXPIRED = "expired"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"

    @property
    def is_final(self) -> bool:
        """Whether nothing follows."""
        return not WAYS[self]


_S = State
# By state: what may follow. The database holds the same list (migration 0002), and a test compares the two.
WAYS: dict[State, frozenset[State]] = {
    _S.RECEIVED: frozenset({_S.VALIDATED, _S.DENIED, _S.EXPIRED, _S.CANCELLED}),
    _S.VALIDATED: frozenset({_S.ROUTED, _S.DENIED, _S.EXPIRED, _S.CANCELLED}),
    _S.ROUTED: frozenset({_S.SUBMITTED, _S.DENIED, _S.EXPIRED, _S.CANCELLED}),
    _S.SUBMITTED: frozenset({_S.ACCEPTED, _S.REJECTED, _S.EXPIRED, _S.UNKNOWN}),
    _S.UNKNOWN: frozenset({_S.OPEN, _S.REJECTED}),
    _S.ACCEPTED: frozenset({_S.OPEN, _S.SETTLED}),
    _S.OPEN: frozenset({_S.SETTLED}),
    _S.SETTLED: frozenset(),
    _S.DENIED: frozenset(),
    _S.EXPIRED: frozenset(),
    _S.REJECTED: frozenset(),
    _S.CANCELLED: frozenset(),
}


class TradingState(StrEnum):
    """What is taken at all; a narrower place can only be stricter than a wider one."""

    ACTIVE = "active"
    REDUCING = "reducing"
    HALTED = "halted"


# From the mildest to the strictest.
_STRICTNESS = (TradingState.ACTIVE, TradingState.REDUCING, TradingState.HALTED)


def strictest(states: list[TradingState]) -> TradingState:
    """Return the strictest of the states that hold for a signal."""
    return max(states, key=_STRICTNESS.index, default=TradingState.ACTIVE)


@dataclass(frozen=True, slots=True)
class Life:
    """What a deadline depends on; instants in Unix milliseconds.

    :param signed_ms: when the client made the signal, by its own clock
    :param offset_ms: what must be added to the client's clock to get the server's
    :param expiry_ms: how long the option lasts
    :param valid_ms: how long the client wants the signal, None for the usual time
    """

    signed_ms: int
    offset_ms: int
    received_ms: int
    expiry_ms: int
    valid_ms: int | None


def deadline_ms(life: Life) -> int:
    """Return the last instant at which a signal may become an order, by the server's clock.

    Without a wish of the client it is a tenth of the option's life, 5 s at most: a 60 s option that comes five minutes
    late is another trade. A signal cannot have been made after it was received, whatever the client's clock says.
    """
    valid_ms = min(VALID_MS_MAX, life.expiry_ms // 10) if life.valid_ms is None else life.valid_ms
    return min(life.signed_ms + life.offset_ms, life.received_ms) + valid_ms


def percent_of(balance_minor: int, percent: str) -> int:
    """Return a share of a balance in minor units, floored."""
    return int((balance_minor * Decimal(percent) / 100).to_integral_value(ROUND_FLOOR))

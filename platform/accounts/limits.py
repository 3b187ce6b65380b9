"""Own limits, breaks and exclusions: what they are and how they change (rules, section 12). Pure."""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

# In the order in which orders are judged by them.
LOSS_LIMITS = ("loss_day", "loss_7d", "loss_30d")
MONEY_LIMITS = (*LOSS_LIMITS, "stake_day", "deposit_day")
LIMITS = (*MONEY_LIMITS, "open_orders", "session")

MINUTE_MS = 60_000
DAY_MS = 86_400_000
# A loosened limit waits before it can be confirmed, and what is not confirmed in time lapses.
LOOSEN_WAIT_MS = DAY_MS
CONFIRM_WITHIN_MS = 7 * DAY_MS

OPEN_ORDERS_MAX = 100_000
SESSION_MINUTES_MAX = 1_440
BREAK_DAYS = (1, 42)
EXCLUSION_MONTHS = (6, 60)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Act(StrEnum):
    """What a request about one limit came to."""

    SET = "set"
    TIGHTENED = "tightened"
    ASKED = "loosening_asked"
    CANCELLED = "loosening_cancelled"
    LOOSENED = "loosened"
    REMOVED = "removed"
    # Nothing changed: the value holds already, or its loosening still waits.
    HOLDS = "holds"
    WAITS = "waits"


UNCHANGED = frozenset({Act.HOLDS, Act.WAITS})


@dataclass(frozen=True, slots=True)
class Loosening:
    """A higher value, or None for removal, that waits to be confirmed from an instant on."""

    value: int | None
    from_ms: int

    @property
    def until_ms(self) -> int:
        """Return the instant at which it lapses."""
        return self.from_ms + CONFIRM_WITHIN_MS


@dataclass(frozen=True, slots=True)
class LimitState:
    """One limit of one user: minor units of the real wallet's currency, a count, or minutes."""

    value: int | None = None
    loosening: Loosening | None = None

    def at(self, now_ms: int) -> LimitState:
        """Return the state without a loosening that has lapsed."""
        lapsed = self.loosening is not None and now_ms >= self.loosening.until_ms
        return replace(self, loosening=None) if lapsed else self


def limit_decided(
    state: LimitState, *, wanted: int | None, now_ms: int, wait_ms: int = LOOSEN_WAIT_MS
) -> tuple[LimitState, Act]:
    """Decide a request for one limit: what protects applies at once, what loosens waits and is confirmed.

    :param wanted: the value asked for; None to have no limit
    :param wait_ms: how long a loosening waits before it can be confirmed
    """
    state = state.at(now_ms)
    if wanted == state.value:
        if state.loosening is None:
            return state, Act.HOLDS
        return replace(state, loosening=None), Act.CANCELLED
    if state.value is None:
        return LimitState(wanted), Act.SET
    if wanted is not None and wanted < state.value:
        return LimitState(wanted), Act.TIGHTENED
    if state.loosening is None or state.loosening.value != wanted:
        return replace(state, loosening=Loosening(wanted, now_ms + wait_ms)), Act.ASKED
    if now_ms < state.loosening.from_ms:
        return state, Act.WAITS
    return LimitState(wanted), Act.REMOVED if wanted is None else Act.LOOSENED


def break_end_ms(*, days: int, now_ms: int) -> int:
    """Return when a break ends that begins now."""
    return now_ms + days * DAY_MS


def exclusion_end_ms(*, months: int, now_ms: int) -> int:
    """Return when an exclusion ends that begins now: the same day and time of a later month, in UTC.

    A day that the later month does not have is its last one.
    """
    moment = _EPOCH + timedelta(milliseconds=now_ms)
    year, month = divmod(moment.year * 12 + moment.month - 1 + months, 12)
    day = min(moment.day, monthrange(year, month + 1)[1])
    later = moment.replace(year=year, month=month + 1, day=day)
    return (later - _EPOCH) // timedelta(milliseconds=1)

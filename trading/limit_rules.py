"""Judging an order by its client's own limits and its token's caps (rules, sections 2 and 12). Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from accounts.limits import LIMITS, LOSS_LIMITS, MINUTE_MS, MONEY_LIMITS
from kernel.errors import Problem
from kernel.money import format_minor

TOKEN_LIMITS = ("token_stake", "token_loss")
# After so long without a real order the next one begins a new session.
PAUSE_MS = 30 * MINUTE_MS

_TITLES = {
    "loss_day": "Your own limit of losses in 24 hours does not allow this stake.",
    "loss_7d": "Your own limit of losses in 7 days does not allow this stake.",
    "loss_30d": "Your own limit of losses in 30 days does not allow this stake.",
    "stake_day": "Your own limit of stakes in 24 hours does not allow this stake.",
    "open_orders": "You have as many open orders as your own limit allows.",
    "session": "Your own limit of a session's length is reached; a session ends after 30 minutes without an order.",
    "token_stake": "This token's cap of stakes in 24 hours does not allow this stake.",
    "token_loss": "This token's cap of losses in 24 hours does not allow this stake.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitUse:
    """The limits that bind an order, and what is used of them; money in minor units, instants in milliseconds.

    :param limits: what is set: own limits by name, and ``token_stake`` and ``token_loss``
    :param lost: net losses of settled real orders by the limit's name; negative after winnings
    :param session_start_ms: when the newest session began; None without a recent order
    :param session_newest_ms: when its newest order was accepted
    :param token_lost: open stakes of the token's orders and the net of those settled in 24 hours
    """

    limits: Mapping[str, int] = field(default_factory=dict)
    open_stakes: int = 0
    open_orders: int = 0
    lost: Mapping[str, int] = field(default_factory=dict)
    staked_day: int = 0
    session_start_ms: int | None = None
    session_newest_ms: int | None = None
    token_staked_day: int = 0
    token_lost: int = 0

    def session_ms(self, now_ms: int) -> int:
        """Return how long the session has lasted that an order accepted now would belong to."""
        if self.session_start_ms is None or self.session_newest_ms is None:
            return 0
        return 0 if now_ms - self.session_newest_ms >= PAUSE_MS else now_ms - self.session_start_ms

    def used(self, name: str, now_ms: int) -> int:
        """Return what is used of a limit, in its own unit; a session's minutes are rounded down."""
        return _USED[name](self, now_ms)

    def left(self, name: str, now_ms: int) -> int | None:
        """Return what is left of a limit, never below zero; None when it is not set."""
        limit = self.limits.get(name)
        return None if limit is None else max(0, limit - self.used(name, now_ms))


def _loss(name: str) -> Callable[[LimitUse, int], int]:
    return lambda use, _: use.open_stakes + use.lost.get(name, 0)


_USED: dict[str, Callable[[LimitUse, int], int]] = {name: _loss(name) for name in LOSS_LIMITS} | {
    "stake_day": lambda use, _: use.staked_day,
    # No money comes in by deposit before there are payments; these judge their own limit.
    "deposit_day": lambda _use, _now_ms: 0,
    "open_orders": lambda use, _: use.open_orders,
    "session": lambda use, now_ms: use.session_ms(now_ms) // MINUTE_MS,
    "token_stake": lambda use, _: use.token_staked_day,
    "token_loss": lambda use, _: use.token_lost,
}
_STAKED = frozenset({*LOSS_LIMITS, "stake_day", *TOKEN_LIMITS})


def limit_exceeded(use: LimitUse, *, stake: int, now_ms: int) -> str | None:
    """Return the name of the first limit that an order would pass, or None.

    :param stake: minor units
    """
    judged = (name for name in (*LIMITS, *TOKEN_LIMITS) if name in use.limits)
    return next((name for name in judged if _passes(use, name, stake, now_ms)), None)


def _passes(use: LimitUse, name: str, stake: int, now_ms: int) -> bool:
    limit = use.limits[name]
    if name in _STAKED:
        return use.used(name, now_ms) + stake > limit
    if name == "open_orders":
        return use.open_orders >= limit
    # A deposit's limit does not bind orders.
    return name == "session" and use.session_ms(now_ms) > limit * MINUTE_MS


def limit_reached(name: str, use: LimitUse, *, currency: str, now_ms: int) -> Problem:
    """Return the refusal by a limit, with the limit, what is used and what is left.

    :param name: what :func:`limit_exceeded` returned
    """
    limit, used, left = (
        value_text(name, value, currency)
        for value in (use.limits[name], use.used(name, now_ms), use.left(name, now_ms))
    )
    return Problem(
        f"limit.{name}",
        status=422,
        title=_TITLES[name],
        detail=f"The limit is {limit}; used are {used}, left are {left}.",
    )


def value_text(name: str, value: int | None, currency: str) -> str:
    """Return a limit's value for people."""
    if name in MONEY_LIMITS or name in TOKEN_LIMITS:
        return f"{format_minor(value or 0, currency)} {currency}"
    return f"{value or 0} {'minutes' if name == 'session' else 'orders'}"

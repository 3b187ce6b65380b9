"""Own limits as clients meet them: what is used of them, how they are set, what is told of it (rules, section 12)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import msgspec
from django.conf import settings
from django.db import transaction

from accounts import selectors as accounts_selectors
from accounts import services as accounts_services
from accounts.limits import CONFIRM_WITHIN_MS, DAY_MS, LIMITS, MONEY_LIMITS, UNCHANGED, LimitState
from kernel import db
from kernel.clock import optional_rfc3339, rfc3339
from kernel.money import DEFAULT_CURRENCY, format_minor
from ledger.domain import REAL
from ledger.selectors import wallets_of
from realtime.events import EventDraft, event_register, payload_encoded
from realtime.services import events_append
from trading.limit_rules import PAUSE_MS, LimitUse, limit_exceeded, limit_reached

__all__ = ["LimitUse", "limit_exceeded", "limit_reached", "limit_use"]

# An order lasts 31 days at most; one more for a settlement that comes late.
_ORDER_MS = 32 * DAY_MS
# Longer than the longest session that can be a limit, and the pause before it.
_SESSION_MS = DAY_MS + 2 * PAUSE_MS

# How far back orders are read is decided in the statement by what is set. Each span is a branch with a bound that the
# planner knows, and only one of them runs.
_SPANS_MS = (_SESSION_MS, DAY_MS + _ORDER_MS, 7 * DAY_MS + _ORDER_MS, 30 * DAY_MS + _ORDER_MS)
_PLACED = " UNION ALL ".join(
    f"""
    SELECT accepted_at_ms, stake, state, payout, settled_at_ms FROM trading_order
    WHERE user_id = %(user_id)s AND accepted_at_ms > %(now_ms)s - {span_ms} AND book = 'real'
      AND (SELECT span FROM reach) = {number}"""
    for number, span_ms in enumerate(_SPANS_MS, start=1)
)
_OWN = f"""
own AS MATERIALIZED (
    SELECT {", ".join(f"max(value) FILTER (WHERE name = '{name}') AS {name}" for name in LIMITS)}
    FROM accounts_limit WHERE user_id = %(user_id)s AND %(own)s
),
reach AS (
    SELECT CASE
        WHEN %(whole)s OR loss_30d IS NOT NULL THEN 4
        WHEN loss_7d IS NOT NULL THEN 3
        WHEN loss_day IS NOT NULL OR open_orders IS NOT NULL THEN 2
        WHEN stake_day IS NOT NULL OR session IS NOT NULL THEN 1
        ELSE 0 END AS span
    FROM own
),
placed AS MATERIALIZED ({_PLACED}),
used AS (
    SELECT coalesce(sum(stake) FILTER (WHERE state = 'open'), 0)::bigint AS open_stakes,
           count(*) FILTER (WHERE state = 'open') AS open_orders,
           coalesce(sum(stake - payout) FILTER (WHERE settled_at_ms > %(now_ms)s - {DAY_MS}), 0)::bigint AS lost_day,
           coalesce(sum(stake - payout) FILTER (WHERE settled_at_ms > %(now_ms)s - {7 * DAY_MS}), 0)::bigint AS lost_7d,
           coalesce(sum(stake - payout) FILTER (WHERE settled_at_ms > %(now_ms)s - {30 * DAY_MS}), 0)::bigint
               AS lost_30d,
           coalesce(sum(stake) FILTER (WHERE state <> 'refunded' AND accepted_at_ms > %(now_ms)s - {DAY_MS}), 0)::bigint
               AS staked_day,
           max(accepted_at_ms) AS newest_ms
    FROM placed
),
begun AS (
    SELECT max(accepted_at_ms) AS at_ms FROM (
        SELECT accepted_at_ms, lag(accepted_at_ms) OVER (ORDER BY accepted_at_ms) AS before_ms
        FROM placed WHERE accepted_at_ms > %(now_ms)s - {_SESSION_MS}
    ) AS recent
    WHERE before_ms IS NULL OR accepted_at_ms - before_ms >= {PAUSE_MS}
)"""
_TOKEN = f"""
caps AS (
    SELECT stake_day_cap, loss_day_cap FROM accounts_apitoken WHERE id = %(token_id)s
),
by_token AS (
    SELECT coalesce(sum(stake) FILTER (WHERE state <> 'refunded' AND accepted_at_ms > %(now_ms)s - {DAY_MS}), 0)::bigint
               AS staked_day,
           coalesce(sum(stake) FILTER (WHERE state = 'open'), 0)::bigint
               + coalesce(sum(stake - payout) FILTER (WHERE settled_at_ms > %(now_ms)s - {DAY_MS}), 0)::bigint AS lost
    FROM trading_order
    WHERE token_id = %(token_id)s AND accepted_at_ms > %(now_ms)s - {DAY_MS + _ORDER_MS}
)"""
_USED = (
    f"{', '.join(f'own.{name}' for name in LIMITS)}, used.open_stakes, used.open_orders, "
    "used.lost_day, used.lost_7d, used.lost_30d, used.staked_day, begun.at_ms, used.newest_ms"
)
LIMIT_USE = f"WITH {_OWN} SELECT {_USED}, NULL, NULL, 0, 0 FROM own, used, begun"
LIMIT_USE_TOKEN = f"""
WITH {_OWN}, {_TOKEN}
SELECT {_USED}, caps.stake_day_cap, caps.loss_day_cap, by_token.staked_day, by_token.lost
FROM own, used, begun, by_token LEFT JOIN caps ON true"""


def limit_use(*, user_id: UUID, token_id: UUID | None, book: str, now_ms: int, whole: bool = False) -> LimitUse:
    """Return the limits that bind an order and what is used of them, in one statement.

    Under the wallet's lock it is strict: orders of the same wallet are committed or not yet placed.

    :param token_id: the token that places the order, when it has caps
    :param book: own limits bind real money only; a token's caps bind every ledger
    :param whole: whether to read what is used of limits that are not set, too
    """
    own = book == REAL
    if not own and token_id is None:
        return LimitUse()
    params = {"user_id": user_id, "token_id": token_id, "own": own, "whole": whole and own, "now_ms": now_ms}
    found = db.row(LIMIT_USE if token_id is None else LIMIT_USE_TOKEN, params)
    assert found is not None
    size = len(LIMITS)
    open_stakes, open_orders, lost_day, lost_7d, lost_30d, staked_day, started_ms, newest_ms = found[size : size + 8]
    stake_cap, loss_cap, token_staked, token_lost = found[size + 8 :]
    values = dict(zip(LIMITS, found[:size], strict=True)) | {"token_stake": stake_cap, "token_loss": loss_cap}
    return LimitUse(
        limits={name: value for name, value in values.items() if value is not None},
        open_stakes=open_stakes,
        open_orders=open_orders,
        lost={"loss_day": lost_day, "loss_7d": lost_7d, "loss_30d": lost_30d},
        staked_day=staked_day,
        session_start_ms=started_ms,
        session_newest_ms=newest_ms,
        token_staked_day=token_staked,
        token_lost=token_lost,
    )


class LimitLoosening(msgspec.Struct, frozen=True):
    """A higher value, or null for no limit, that waits to be confirmed by sending it again."""

    value: str | int | None
    confirm_from: str
    confirm_until: str


class LimitDocument(msgspec.Struct, frozen=True):
    """An own limit: amounts are decimal text, orders and minutes whole numbers."""

    set: str | int | None
    used: str | int
    left: str | int | None
    pending: LimitLoosening | None


class LimitsDocument(msgspec.Struct, frozen=True):
    """All own limits by name, and the ends of a break and an exclusion that run."""

    data: dict[str, LimitDocument]
    break_until: str | None
    excluded_until: str | None


class LimitChanged(LimitDocument, frozen=True, kw_only=True):
    """An own limit changed, or its loosening was asked for or dropped; ``change`` says which."""

    name: str
    change: str


class LimitBreak(msgspec.Struct, frozen=True):
    """The client began a break, or made it longer."""

    until: str


class LimitExclusion(msgspec.Struct, frozen=True):
    """The client excluded itself, or made that longer."""

    until: str


event_register("limit.changed", LimitChanged)
event_register("limit.break", LimitBreak)
event_register("limit.exclusion", LimitExclusion)


def currency_of(user_id: UUID) -> str:
    """Return the currency in which a user's money limits are kept: the real wallet's."""
    real = (wallet.currency for wallet in wallets_of(user_id) if wallet.book == REAL and wallet.kind == "wallet")
    return next(real, DEFAULT_CURRENCY)


def limits_document(*, user_id: UUID, now_ms: int) -> LimitsDocument:
    """Return a user's limits with what is used and left of each."""
    user = accounts_selectors.user_by_id(user_id)
    states = accounts_selectors.limits_of(user_id, now_ms=now_ms)
    use = limit_use(user_id=user_id, token_id=None, book=REAL, now_ms=now_ms, whole=True)
    currency = currency_of(user_id)
    return LimitsDocument(
        data={name: _document(name, states[name], use, currency, now_ms) for name in LIMITS},
        break_until=_running(user.break_until_ms, now_ms),
        excluded_until=_running(user.excluded_until_ms, now_ms),
    )


def limits_left(*, user_id: UUID, real_seen: bool, now_ms: int) -> dict[str, dict[str, str | int | None]]:
    """Return what is set and left of each limit, for the account's page.

    :param real_seen: whether the caller may see the real ledger; what is left would tell of its orders
    """
    shown = limits_document(user_id=user_id, now_ms=now_ms).data
    return {name: {"set": one.set, "left": one.left if real_seen else None} for name, one in shown.items()}


@transaction.atomic
def limits_put(*, user_id: UUID, wanted: Mapping[str, int | None], now_ms: int) -> LimitsDocument:
    """Set own limits and tell the user what changed.

    :param wanted: see :func:`accounts.services.limits_set`
    """
    wait_ms = settings.LIMIT_LOOSEN_WAIT_S * 1000
    decided = accounts_services.limits_set(user_id=user_id, wanted=wanted, now_ms=now_ms, wait_ms=wait_ms)
    document = limits_document(user_id=user_id, now_ms=now_ms)
    changed = [
        LimitChanged(name=one.name, change=one.act.value, **msgspec.structs.asdict(document.data[one.name]))
        for one in decided
        if one.act not in UNCHANGED
    ]
    events_append([_draft(user_id, "limit.changed", told, now_ms) for told in changed])
    return document


@transaction.atomic
def break_begin(*, user_id: UUID, days: int, now_ms: int) -> LimitsDocument:
    """Begin a break at once and tell the user.

    :raises Problem: ``limit.break_shorter``
    """
    until_ms = accounts_services.break_begin(user_id=user_id, days=days, now_ms=now_ms)
    document = limits_document(user_id=user_id, now_ms=now_ms)
    events_append([_draft(user_id, "limit.break", LimitBreak(rfc3339(until_ms)), now_ms)])
    return document


@transaction.atomic
def exclusion_begin(*, user_id: UUID, months: int, now_ms: int) -> LimitsDocument:
    """Begin an exclusion at once and tell the user.

    :raises Problem: ``limit.exclusion_shorter``
    """
    until_ms = accounts_services.exclusion_begin(user_id=user_id, months=months, now_ms=now_ms)
    document = limits_document(user_id=user_id, now_ms=now_ms)
    events_append([_draft(user_id, "limit.exclusion", LimitExclusion(rfc3339(until_ms)), now_ms)])
    return document


def _draft(user_id: UUID, kind: str, payload: msgspec.Struct, now_ms: int) -> EventDraft:
    return EventDraft(user_id, "", kind, payload_encoded(payload), now_ms)


def _running(until_ms: int | None, now_ms: int) -> str | None:
    return optional_rfc3339(until_ms if until_ms is not None and now_ms < until_ms else None)


def _document(name: str, state: LimitState, use: LimitUse, currency: str, now_ms: int) -> LimitDocument:
    def shown(value: int | None) -> Any:
        return format_minor(value, currency) if value is not None and name in MONEY_LIMITS else value

    waits = state.loosening
    return LimitDocument(
        set=shown(state.value),
        used=shown(use.used(name, now_ms)),
        left=shown(use.left(name, now_ms)),
        pending=None
        if waits is None
        else LimitLoosening(shown(waits.value), rfc3339(waits.from_ms), rfc3339(waits.from_ms + CONFIRM_WITHIN_MS)),
    )

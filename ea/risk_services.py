"""Writes about risk: states of the bridge, versions of limits, stops tripped and reset. Nothing is ever overwritten.

An installation's state, limits and stops are its owner's alone. Operators act on everybody at once: on the whole
bridge, on a symbol, or on the limits of those who have set none. The database refuses anything else.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import msgspec
import structlog
from django.db import transaction

from ea import errors, statements
from ea.domain import TradingState
from ea.models import Link, RiskLimits, RiskStop, TradingSwitch
from ea.risk import Asked
from ea.risk_limits import STOPS, Limits
from ea.risk_rules import Trip
from ea.services import alert_add
from ea.tallies import reset_mark
from kernel import db
from kernel.errors import not_found
from kernel.metrics import count
from kernel.money import CURRENCY_SCALES, format_scaled
from quotes.errors import symbol_unknown
from quotes.models import Symbol

log = structlog.get_logger(__name__)

REASON_LENGTH_MAX = 200
# The first key of the advisory locks under which a place is switched, or its limits get a version.
LOCK_CLASS = 7303
# Every currency of a wallet has the same.
_SCALE = max(CURRENCY_SCALES.values())


@transaction.atomic
def state_set(
    *, user_id: UUID, link_id: int, state: TradingState, reason: str, now_ms: int, strategy: str | None = None
) -> TradingSwitch:
    """Set the trading state of an own installation, or of one of its strategies.

    :raises Problem: ``not_found`` for an installation of somebody else
    """
    _owned(user_id, link_id)
    scope, name = ("link", str(link_id)) if strategy is None else ("strategy", f"{link_id}/{strategy}")
    return _switched(scope, name, state, reason, actor_id=user_id, now_ms=now_ms)


@transaction.atomic
def bridge_state_set(
    *, symbol: str, state: TradingState, reason: str, now_ms: int, actor_id: UUID | None = None
) -> TradingSwitch:
    """Set the trading state of the bridge for everybody, as an operator.

    :param symbol: the code of one symbol; '' for all
    :raises Problem: ``symbol.unknown``
    """
    if symbol and not Symbol.objects.filter(code=symbol).exists():
        raise symbol_unknown()
    switch = _switched("symbol" if symbol else "platform", symbol, state, reason, actor_id=actor_id, now_ms=now_ms)
    log.warning("ea_bridge_switched", symbol=symbol, state=state.value, reason=reason)
    return switch


def _switched(
    scope: str, name: str, state: TradingState, reason: str, *, actor_id: UUID | None, now_ms: int
) -> TradingSwitch:
    # One after the other, so that what was written last also has the newest number.
    db.row("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [LOCK_CLASS, f"{scope} {name}"])
    count("ea_states_set", scope=scope, state=state.value)
    return TradingSwitch.objects.create(
        scope=scope, name=name, state=state.value, reason=reason, actor_id=actor_id, at_ms=now_ms
    )


@transaction.atomic
def limits_put(*, user_id: UUID, link_id: int, version: int, limits: Limits, now_ms: int) -> RiskLimits:
    """Write the next version of an own installation's limits.

    :param version: the one that the change was made from; 0 for the default
    :raises Problem: ``not_found``; ``limits.changed`` when there is a newer one
    """
    _owned(user_id, link_id)
    return _limits_written(link_id, version, limits, actor_id=user_id, now_ms=now_ms)


@transaction.atomic
def default_limits_put(*, limits: Limits, now_ms: int, actor_id: UUID | None = None) -> RiskLimits:
    """Write the next version of the limits of all installations that have set none."""
    newest = RiskLimits.objects.filter(link=None).order_by("-version").first()
    version = newest.version if newest else 0
    return _limits_written(None, version, limits, actor_id=actor_id, now_ms=now_ms)


def _limits_written(
    link_id: int | None, version: int, limits: Limits, *, actor_id: UUID | None, now_ms: int
) -> RiskLimits:
    db.row("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [LOCK_CLASS, f"limits {link_id}"])
    versions = RiskLimits.objects.filter(link=None) if link_id is None else RiskLimits.objects.filter(link_id=link_id)
    newest = versions.order_by("-version").first()
    if version != (newest.version if newest else 0):
        raise errors.limits_changed(newest.version if newest else 0)
    count("ea_limits_set")
    return RiskLimits.objects.create(
        link_id=link_id, version=version + 1, document=msgspec.to_builtins(limits), actor_id=actor_id, at_ms=now_ms
    )


def stops_trip(asked: Asked, trips: Sequence[Trip], *, now_ms: int) -> None:
    """Store stops that a signal has met, each once until it is reset, in the transaction that denies the signal.

    The installation's counter is locked by then, so that nobody else does the same.
    """
    db.require_transaction()
    for trip in trips:
        lost, limit = format_scaled(trip.lost, _SCALE), format_scaled(trip.limit, _SCALE)
        reason = f"lost {lost} of {limit}"
        written = db.run(
            statements.STOP_TRIP,
            {
                "link_id": asked.link_id,
                "wallet_id": asked.wallet_id,
                "stop": trip.stop,
                "reason": reason,
                "lost": trip.lost,
                "limit": trip.limit,
                "event": asked.event,
            },
        )
        if written:
            count("ea_stops_tripped", stop=trip.stop)
            log.warning("ea_stop_tripped", link=asked.link_id, stop=trip.stop, lost=lost, limit=limit)
            alert_add(
                kind="stop_out", link_id=asked.link_id, kid=asked.kid, now_ms=now_ms, detail=f"{trip.stop}: {reason}"
            )


@transaction.atomic
def stop_reset(
    *, user_id: UUID, link_id: int, stop: str, reason: str, now_ms: int, wallet_id: UUID | None = None
) -> list[RiskStop]:
    """End a stop of an own installation; what it measures begins anew.

    :param wallet_id: on one wallet only; None for all on which it holds
    :raises Problem: ``not_found``; ``limits.not_stopped`` when it does not hold
    """
    _owned(user_id, link_id)
    # The lock that results are noted under, too.
    db.row("SELECT FROM ea_counter WHERE link_id = %s FOR NO KEY UPDATE", [link_id])
    held = [one for one in stops_of(link_id) if one.stop == stop and one.act == "tripped"]
    wanted = [one.wallet_id for one in held if wallet_id in (None, one.wallet_id)]
    if not wanted:
        raise errors.not_stopped(stop)
    count("ea_stops_reset", len(wanted), stop=stop)
    return [
        RiskStop.objects.create(
            link_id=link_id,
            wallet_id=one,
            stop=stop,
            act="reset",
            reason=reason,
            actor_id=user_id,
            at_ms=reset_mark(link_id=link_id, wallet_id=one, now_ms=now_ms, anew=stop == "drawdown"),
        )
        for one in wanted
    ]


def stops_of(link_id: int) -> list[RiskStop]:
    """Return the newest row of each stop of an installation on each wallet, in the order of the checks."""
    found = RiskStop.objects.filter(link_id=link_id).order_by("wallet_id", "stop", "-id").distinct("wallet_id", "stop")
    return sorted(found, key=lambda one: (STOPS.index(one.stop), str(one.wallet_id)))


def limits_newest(link_id: int) -> RiskLimits | None:
    """Return the limits that hold for an installation: its own, or the default; None where there is neither."""
    own = RiskLimits.objects.filter(link_id=link_id).order_by("-version").first()
    return own or RiskLimits.objects.filter(link=None).order_by("-version").first()


def _owned(user_id: UUID, link_id: int) -> None:
    if not Link.objects.filter(pk=link_id, user_id=user_id).exists():
        raise not_found()

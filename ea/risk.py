"""The gate ahead of placement: what holds a signal back before a wallet is touched. The first check that fails decides.

Codes are stable: ``risk.<name>``. What the market, the wallet and the client's own limits say is judged by placement;
both bind. Without limits nothing is asked for that :mod:`ea.kept` keeps.

A limit on several installations of one owner must hold although each is executed in a lane of its own. So facts are
read under a lock of the wallet, and what passes is written as submitted before the lock is let go: a submitted order
counts as open until it is placed or refused. The lock is the first one of its transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_FLOOR, Decimal
from typing import Any
from uuid import UUID

from ea import statements
from ea.domain import TradingState, strictest
from ea.risk_limits import NO_LIMITS, STOPS, Limits, limits_stored
from ea.risk_rules import PASSED, WINDOWS_MS, Ask, Facts, OpenStake, Streak, Verdict, bucket_after, facts_asked, judge
from kernel import db
from kernel.clock import DB_NOW_MS_SQL
from trading.domain import Ticket

# The first key of the advisory locks under which the exposure of a wallet is judged.
LOCK_CLASS = 7302
# As fine as a ticket's guards may be.
_FINEST = Decimal("1E-12")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a signal would act."""

    link_id: int
    strategy: str
    symbol: str


@dataclass(frozen=True, slots=True)
class Standing:
    """What holds for a place before anything is asked.

    :param held: stops of the installation that were tripped and not reset, with their wallets
    """

    state: TradingState
    held: frozenset[tuple[UUID, str]] = frozenset()


@dataclass(frozen=True, slots=True)
class Asked:
    """A signal that is about to be submitted, as its installation's limits see it."""

    event: int
    link_id: int
    kid: str
    wallet_id: UUID
    ask: Ask
    limits: Limits
    now_ms: int
    held: frozenset[str] = frozenset()


def standing_of(place: Place) -> Standing:
    """Return the strictest trading state of the places that a signal touches, and the stops of its installation."""
    names = {"strategy": f"{place.link_id}/{place.strategy}", "symbol": place.symbol}
    found = db.rows(statements.STANDING, names | {"link_id": place.link_id, "link": str(place.link_id)})
    states = [TradingState(state) for state, _, _ in found if state is not None]
    return Standing(strictest(states), frozenset((wallet_id, stop) for _, stop, wallet_id in found if stop is not None))


def gate(state: TradingState) -> str | None:
    """Return the code that an opening is denied with, or None to let it pass."""
    if state is TradingState.HALTED:
        return "risk.halted"
    if state is TradingState.REDUCING:
        return "risk.reducing"
    return None


def limits_of_row(document: str | None) -> Limits:
    """Return the limits that a signal is judged by, as they came with it."""
    return NO_LIMITS if document is None else limits_stored(document)


def is_limited(asked: Asked) -> bool:
    """Whether there is anything to judge a signal by."""
    return asked.limits is not NO_LIMITS or bool(asked.held)


def judged(asked: Asked) -> Verdict:
    """Judge a signal in the transaction that submits it, and take its place in its key's bucket if it passes.

    :raises OperationalError: because of ``LockNotAvailable`` when the wallet's lock was not to be had
    :raises TransactionManagementError: outside a transaction
    """
    if not is_limited(asked):
        return PASSED
    kinds = facts_asked(asked.limits)
    facts = facts_read(asked, kinds) if kinds else Facts(asked.now_ms, asked.held)
    verdict = judge(facts, asked.limits, asked.ask)
    if verdict.code is None and (per_minute := asked.limits.hard.orders_per_minute) is not None:
        full_at_ms = bucket_after(facts.full_at_ms, now_ms=facts.now_ms, per_minute=per_minute)
        db.run(statements.BUCKET_SET, {"kid": asked.kid, "full_at_ms": full_at_ms})
    return verdict


def facts_read(asked: Asked, kinds: frozenset[str]) -> Facts:
    """Return what limits are judged by, read under the wallet's lock in one round trip.

    :param kinds: of :func:`ea.risk_rules.facts_asked`; of the others nothing is read
    """
    db.require_transaction()
    params = _params(asked, kinds)
    sent: dict[str, db.Sent] = {}
    with db.pipelined():
        db.send(statements.RISK_LOCK, {"class": LOCK_CLASS, "wallet_id": asked.wallet_id})
        sent["now"] = db.send(f"SELECT {DB_NOW_MS_SQL}")
        if kinds & {"open", "expiries"}:
            sent["open"] = db.send(statements.RISK_OPEN, params)
        for kind, statement in _BY_KIND.items():
            if kind in kinds:
                sent[kind] = db.send(statement, params)
        found = {kind: one.rows() for kind, one in sent.items()}
    return _facts(asked, {kind: rows for kind, rows in found.items() if rows})


_BY_KIND = {
    "bucket": statements.BUCKET_READ,
    "history": statements.RISK_HISTORY,
    "market": statements.RISK_MARKET,
}


def _params(asked: Asked, kinds: frozenset[str]) -> dict[str, Any]:
    return {
        "event": asked.event,
        "link_id": asked.link_id,
        "wallet_id": asked.wallet_id,
        "strategy": asked.ask.strategy,
        "symbol": asked.ask.symbol,
        "kid": asked.kid,
        "expiries": "expiries" in kinds,
        **{f"{stop}_ms": window_ms for stop, window_ms in WINDOWS_MS.items()},
    }


def _facts(asked: Asked, found: dict[str, Sequence[tuple[Any, ...]]]) -> Facts:
    history = found.get("history", [(0, 0, 0, 0, 0, 0, 0)])[0]
    payout, price, scale = found.get("market", [(None, None, 0)])[0]
    return Facts(
        now_ms=int(found["now"][0][0]),
        held=asked.held,
        open=tuple(OpenStake(*row) for row in found.get("open", ())),
        lost=dict(zip(STOPS, history[:4], strict=True)),
        streak=Streak(*history[4:]),
        full_at_ms=found.get("bucket", [(0,)])[0][0],
        payout_percent=payout,
        price=None if price is None else Decimal(price).scaleb(-scale),
    )


def tightened(ticket: Ticket, limits: Limits, *, ref_price: str | None) -> Ticket:
    """Return a ticket with guards at least as strict as the hard limits, so that they hold where it is accepted."""
    hard = limits.hard
    if hard.min_payout is not None:
        ticket = replace(ticket, min_payout_percent=max(hard.min_payout, ticket.min_payout_percent or 0))
    if hard.price_drift is not None and ref_price is not None:
        most = (Decimal(ref_price) * Decimal(hard.price_drift) / 100).quantize(_FINEST, ROUND_FLOOR)
        if ticket.max_price_drift is not None:
            most = min(most, Decimal(ticket.max_price_drift))
        ticket = replace(ticket, max_price_drift=f"{most:f}", expected_price=ref_price)
    return ticket

"""Writes of the market by operators and seeds; an operator's act binds new orders only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db import transaction

from kernel import db
from kernel.clock import DB_NOW_MS_SQL
from quotes import errors, hours_errors
from quotes.admission import heartbeats_record, ticks_admit, watermarks_raise_to_expiry
from quotes.domain import REVISING
from quotes.events import PayoutChanged, SymbolUpdated
from quotes.feeds import default_entry_rule, feed_is_custom
from quotes.models import HaltChange, MarketCalendar, PayoutChange, Symbol, SymbolHead, SymbolRevision
from realtime.services import symbol_event_publish

__all__ = [
    "NewSymbol",
    "demo_symbols_seed",
    "heartbeats_record",
    "symbol_add",
    "symbol_halt",
    "symbol_payout_set",
    "symbol_resume",
    "ticks_admit",
    "watermarks_raise_to_expiry",
]


@dataclass(frozen=True, slots=True)
class NewSymbol:
    """Terms of a symbol to offer; money in minor units.

    :param endpoint: what overrides the feed's own; it is noted in the first revision and makes the symbol a custom one
    :param calendar: name of its trading hours; without one it trades round the clock
    :param custom_declared: tell clients in terms and receipts that the feed is a custom one
    """

    code: str
    feed: str
    source: str
    name: str = ""
    asset_class: str = "other"
    price_scale: int = 5
    price_source: str = "mid"
    max_tick_age_ms: int = 3_000
    payout: int = 85
    min_stake_minor: int = 100
    max_stake_minor: int = 500_000
    min_duration_s: int = 5
    max_duration_s: int = 86_400
    # Empty: what the feed and the shortest duration ask for.
    entry_rule: str = ""
    settlement_rule: str = "last_tick/1"
    purchase_deadline_s: int = 10
    exposure_cap_minor: int | None = None
    endpoint: str = ""
    position: int = 100
    calendar: str = ""
    custom_declared: bool = False


@transaction.atomic
def symbol_add(new: NewSymbol) -> Symbol:
    """Offer a symbol on the demo and real ledgers. The same terms again change nothing.

    :raises Problem: ``symbol.exists`` when the code is taken with other terms; ``calendar.unknown``
    """
    terms = _columns(new)
    known = Symbol.objects.filter(code=new.code).first()
    if known is not None:
        # A parser with another endpoint may have marked the symbol as custom since.
        same = {"position", "custom"} if known.custom else {"position"}
        if any(getattr(known, name) != value for name, value in terms.items() if name not in same):
            raise errors.symbol_exists(new.code)
        return known
    symbol = Symbol(code=new.code, **terms)
    symbol.full_clean()
    symbol.save(force_insert=True)
    now_ms = _now_ms()
    SymbolHead.objects.create(symbol=symbol)
    SymbolRevision.objects.create(
        symbol=symbol,
        number=symbol.revision,
        feed=symbol.feed,
        source=symbol.source,
        endpoint=new.endpoint,
        price_scale=symbol.price_scale,
        price_source=symbol.price_source,
        since_ms=now_ms,
    )
    PayoutChange.objects.create(symbol=symbol, at_ms=now_ms, percent=symbol.payout_percent, inputs={"cause": "added"})
    _updated(symbol, now_ms)
    return symbol


def _columns(new: NewSymbol) -> dict[str, Any]:
    return {
        "name": new.name or new.code,
        "asset_class": new.asset_class,
        "feed": new.feed,
        "source": new.source,
        "price_scale": new.price_scale,
        "price_source": new.price_source,
        "max_tick_age_ms": new.max_tick_age_ms,
        "payout_fixed": new.payout,
        "payout_percent": new.payout,
        "payout_min": min(new.payout, 70),
        "payout_max": max(new.payout, 95),
        "min_stake_minor": new.min_stake_minor,
        "max_stake_minor": new.max_stake_minor,
        "min_duration_s": new.min_duration_s,
        "max_duration_s": new.max_duration_s,
        "entry_rule": new.entry_rule or default_entry_rule(new.feed, new.min_duration_s),
        "settlement_rule": new.settlement_rule,
        "purchase_deadline_s": new.purchase_deadline_s,
        "exposure_cap_minor": new.exposure_cap_minor,
        "custom": feed_is_custom(new.feed, new.endpoint),
        "custom_declared": new.custom_declared,
        "position": new.position,
        "calendar_id": _calendar_id(new.calendar),
    }


def _calendar_id(name: str) -> int | None:
    if not name:
        return None
    found = MarketCalendar.objects.filter(name=name).values_list("pk", flat=True).first()
    if found is None:
        raise hours_errors.calendar_unknown(name)
    return found


def symbol_halt(*, code: str, reason: str, close_only: bool = False) -> Symbol:
    """Stop a market from taking orders; open orders settle as if nothing had happened.

    :raises Problem: ``symbol.unknown``
    """
    state = Symbol.OperatorState.CLOSE_ONLY if close_only else Symbol.OperatorState.HALTED
    return _operator_state_set(code, state, reason)


def symbol_resume(*, code: str) -> Symbol:
    """Let a market take orders again.

    :raises Problem: ``symbol.unknown``
    """
    return _operator_state_set(code, Symbol.OperatorState.OPEN, "")


@transaction.atomic
def _operator_state_set(code: str, state: Symbol.OperatorState, reason: str) -> Symbol:
    symbol = Symbol.objects.select_for_update(no_key=True).filter(code=code).first()
    if symbol is None:
        raise errors.symbol_unknown()
    if (symbol.operator_state, symbol.state_reason) == (state, reason):
        return symbol
    symbol.operator_state, symbol.state_reason = state, reason
    symbol.save(update_fields=["operator_state", "state_reason"])
    now_ms = _now_ms()
    HaltChange.objects.create(symbol=symbol, at_ms=now_ms, state=state, reason=reason)
    _updated(symbol, now_ms)
    return symbol


@transaction.atomic
def symbol_payout_set(*, code: str, percent: int, inputs: dict[str, Any]) -> Symbol:
    """Change a symbol's payout for new orders; the change and its figures are public.

    :raises Problem: ``symbol.unknown``
    """
    symbol = Symbol.objects.select_for_update(no_key=True).filter(code=code).first()
    if symbol is None:
        raise errors.symbol_unknown()
    if symbol.payout_percent == percent:
        return symbol
    symbol.payout_percent = percent
    symbol.save(update_fields=["payout_percent"])
    now_ms = _now_ms()
    PayoutChange.objects.create(symbol=symbol, at_ms=now_ms, percent=percent, inputs=inputs)
    symbol_event_publish(
        type="payout.changed", payload=PayoutChanged(symbol=symbol.code, payout_percent=percent), at_ms=now_ms
    )
    return symbol


def symbol_terms_changed(symbol: Symbol) -> None:
    """Tell the sockets that a symbol's terms were edited; the caller has saved them in this transaction."""
    _updated(symbol, _now_ms())


def _updated(symbol: Symbol, now_ms: int) -> None:
    state, reason = str(symbol.operator_state), symbol.state_reason
    if symbol.pending_revision is not None and symbol.operator_state == Symbol.OperatorState.OPEN:
        state, reason = REVISING.state.value, REVISING.reason
    payload = SymbolUpdated(
        code=symbol.code,
        state=state,
        state_reason=reason,
        payout_percent=symbol.payout_percent,
    )
    symbol_event_publish(type="symbol.updated", payload=payload, at_ms=now_ms)


_DEMO_SYMBOLS = (
    ("EURUSD", "Euro / US Dollar", "forex", 5, 85),
    ("GBPUSD", "British Pound / US Dollar", "forex", 5, 84),
    ("USDJPY", "US Dollar / Japanese Yen", "forex", 3, 83),
    ("AUDUSD", "Australian Dollar / US Dollar", "forex", 5, 82),
    ("XAUUSD", "Gold / US Dollar", "metal", 2, 80),
    ("BTCUSDT", "Bitcoin / Tether", "crypto", 2, 87),
    ("ETHUSDT", "Ether / Tether", "crypto", 2, 86),
)


def demo_symbols_seed() -> None:
    """Offer the simulator's symbols; those that are there stay as they are."""
    for position, (code, name, asset_class, scale, payout) in enumerate(_DEMO_SYMBOLS):
        if not Symbol.objects.filter(code=code).exists():
            symbol_add(
                NewSymbol(
                    code=code,
                    feed="simulator",
                    source=code,
                    name=name,
                    asset_class=asset_class,
                    price_scale=scale,
                    payout=payout,
                    position=position,
                )
            )


def _now_ms() -> int:
    found = db.row(f"SELECT {DB_NOW_MS_SQL}")
    assert found is not None
    return int(found[0])

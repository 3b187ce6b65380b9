"""Installations with limits, and signals that meet them."""

from __future__ import annotations

from typing import Any

from ea import risk
from ea.log import EventLog
from ea.models import RiskLimits
from ea.risk_limits import STOPS, Limits, limits_parsed
from ea.risk_rules import Ask
from ea.risk_services import limits_put
from kernel import db
from kernel.facts import facts_apply
from tests.ea.bridge import Installation, execute_due, order_of
from tests.ea.events import arrived
from tests.market import Market, db_now_ms, settle_due
from trading.models import Order

# A hard value of each limit that asks for facts, none of which is passed.
EVERYTHING: dict[str, Any] = {
    **dict.fromkeys(("open_strategy", "open_symbol", "open_currency", "open_direction", "desk", "correlated"), "9999"),
    **dict.fromkeys(STOPS, "9999"),
    "same_expiry": {"stake": "9999"},
    "open_options": 99,
    "orders_per_minute": 600,
    "cool_down": {"losses": 99, "pause_s": 60},
    "martingale": "99",
    "min_payout": 10,
    "price_drift": "50",
}


def limited(one: Installation, *, soft: dict[str, Any] | None = None, **hard: Any) -> RiskLimits:
    """Write the next version of an installation's limits."""
    newest = RiskLimits.objects.filter(link=one.link).count()
    limits = limits_parsed({"soft": soft or {}, "hard": hard})
    return limits_put(
        user_id=one.trader.user.id, link_id=one.link.pk, version=newest, limits=limits, now_ms=db_now_ms()
    )


def logged(one: Installation, seq: int, stake: str = "10.00", **changes: Any) -> str:
    """Log a signal and return its id; it lasts a minute from where the market has come to, which may lie ahead."""
    found = db.row("SELECT max(greatest(watermark_ms, tick_at_ms)) FROM quotes_symbol_head")
    ahead_s = max(0, ((found[0] if found else None) or 0) - db_now_ms()) // 1_000
    terms: dict[str, Any] = {
        "stake": {"mode": "fixed", "value": stake},
        "expiry": {"mode": "duration", "s": 60 + ahead_s},
    }
    event = arrived(one, seq, **terms | changes)
    EventLog().append([event])
    return event.signal.event_id


def code_of(event_id: str) -> str | None:
    """Return the code that an event came to, None for an order."""
    order = order_of(event_id)
    return None if order.state in ("accepted", "open", "settled") else order.code


def sent(one: Installation, seq: int, stake: str = "10.00", **changes: Any) -> str | None:
    """Log a signal, execute it, and return the code that it was refused with."""
    event_id = logged(one, seq, stake, **changes)
    execute_due()
    return code_of(event_id)


def settled(market: Market, *, won: bool) -> None:
    """Let all open orders, which are calls, win or lose, and bring the results back."""
    expires_ms = sorted(Order.objects.filter(state="open").values_list("expires_at_ms", flat=True))
    market.admitted("1.09000" if won else "1.08000", at_ms=expires_ms[0] - 1_000)
    market.admitted("1.09000" if won else "1.08000", at_ms=expires_ms[-1])
    market.admitted("1.08512", at_ms=expires_ms[-1] + 5_000)
    settle_due()
    while facts_apply(10):
        pass


def asked_of(one: Installation, limits: Limits, **changes: Any) -> risk.Asked:
    terms: dict[str, Any] = {"strategy": "breakout", "symbol": "EURUSD", "up": True, "stake": 1_000}
    ask = Ask(**terms | {"expires_at_ms": db_now_ms() + 60_000} | changes)
    return risk.Asked(0, one.link.pk, one.key.kid, one.trader.wallets["demo"], ask, limits, db_now_ms())

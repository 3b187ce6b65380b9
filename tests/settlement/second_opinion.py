"""Entry and settlement once more, written from ``docs/rules`` alone: it knows documents, not the platform's code.

Everything here is text as the API shows it, instants are compared as instants and prices as fractions, and each
question is answered by looking through the whole log. Nothing is imported from the rules that it judges.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from fractions import Fraction
from math import floor
from typing import Any

Document = Mapping[str, Any]


def instant(text: str) -> datetime:
    """Return the instant of an RFC 3339 text."""
    return datetime.fromisoformat(text)


def shown(tick: Document | None) -> dict[str, Any] | None:
    """Return a tick as orders show it."""
    return None if tick is None else {"seq": tick["seq"], "at": tick["at"], "price": tick["price"]}


def last_of(log: Sequence[Document], until: datetime) -> Document | None:
    """Return the last admitted tick with a time at or before an instant."""
    found = None
    for tick in log:
        if instant(tick["at"]) <= until and (found is None or tick["seq"] > found["seq"]):
            found = tick
    return found


def too_far(price: str, order: Document) -> bool:
    """Whether an opening price is further from the expected one than the client allows."""
    if order["expected_price"] is None:
        return False
    return abs(Fraction(price) - Fraction(order["expected_price"])) > Fraction(order["max_price_drift"])


# --- entry -----------------------------------------------------------------------------------------


def entered_by_last_tick(order: Document, log: Sequence[Document]) -> dict[str, Any]:
    """``last_tick/1``: the newest admitted tick at acceptance opens the order, or the order is refused."""
    known = [tick for tick in log if tick["seq"] <= order["after_seq"]]
    newest = max(known, key=lambda tick: int(tick["seq"]), default=None)
    accepted, age = instant(order["accepted_at"]), timedelta(milliseconds=order["max_tick_age_ms"])
    code = None
    if newest is None or accepted - instant(newest["at"]) > age:
        code = "market.stale"
    elif too_far(newest["price"], order):
        code = "order.price_moved"
    if code is not None:
        return {"state": "refused", "code": code, "open_tick": None, "entered_at": None}
    return {"state": "opened", "code": None, "open_tick": shown(newest), "entered_at": order["accepted_at"]}


def entered_by_next_tick(order: Document, log: Sequence[Document], watermark: str) -> dict[str, Any]:
    """``next_tick/1``: the first tick that is admitted after acceptance opens the order, if it comes in time."""
    limit = instant(order["accepted_at"]) + timedelta(milliseconds=order["max_tick_age_ms"])
    limit = min(limit, instant(order["expires_at"]))
    followers = sorted((tick for tick in log if tick["seq"] > order["after_seq"]), key=lambda tick: int(tick["seq"]))
    if not followers and instant(watermark) < limit:
        return {"state": "waiting", "reason": None, "open_tick": None}
    if not followers or instant(followers[0]["at"]) > limit:
        return {"state": "refunded", "reason": "no_entry_tick", "open_tick": None}
    following = followers[0]
    if following.get("revision", order["revision"]) != order["revision"]:
        return {"state": "refunded", "reason": "revision", "open_tick": None}
    if too_far(following["price"], order):
        return {"state": "refunded", "reason": "price_moved", "open_tick": shown(following)}
    return {"state": "opened", "reason": None, "open_tick": shown(following)}


# --- settlement ------------------------------------------------------------------------------------


def settled(
    rule: str,
    order: Document,
    log: Sequence[Document],
    watermark: str,
    declarations: Sequence[Document] = (),
    emergency_revisions: Sequence[Document] = (),
) -> dict[str, Any]:
    """Decide an order that has entered, by ``last_tick/1`` or ``trimmed_mean_10s/1``."""
    expiry = instant(order["expires_at"])
    if instant(watermark) < expiry:
        return {"state": "open", "reason": None, "close_tick": None, "close_price": None, "payout": None}
    evidence = last_of(log, expiry)
    counted = [evidence] if evidence is not None else []
    if rule == "trimmed_mean_10s/1":
        counted = [tick for tick in log if expiry - timedelta(seconds=10) < instant(tick["at"]) <= expiry]
        evidence = evidence if counted else None
    reason = _refund(order, evidence, counted, declarations, emergency_revisions)
    if evidence is not None and evidence.get("revision", order["revision"]) != order["revision"]:
        # Its price means something else; the order shows no closing tick.
        evidence = None
    close = None if evidence is None else evidence["price"]
    if reason is None and rule == "trimmed_mean_10s/1":
        close = _trimmed_mean([tick["price"] for tick in counted], order["price_scale"])
    state = "refunded" if reason is not None else _state(order, close)
    return {
        "state": state,
        "reason": reason,
        "close_tick": shown(evidence),
        "close_price": close,
        "payout": _paid(order, state),
    }


def _refund(
    order: Document,
    evidence: Document | None,
    counted: Sequence[Document],
    declarations: Sequence[Document],
    emergency_revisions: Sequence[Document],
) -> str | None:
    """Return why a stake is returned: the first reason in the order of the rules, or None."""
    expiry = instant(order["expires_at"])
    if any(one["number"] > order["revision"] and instant(one["since"]) <= expiry for one in emergency_revisions):
        return "revision"
    closed = False
    for _, declaration in sorted(enumerate(declarations), key=lambda pair: (instant(pair[1]["at"]), pair[0])):
        if instant(declaration["at"]) <= expiry:
            closed = declaration["closed"]
    if closed:
        return "feed_closed"
    if evidence is None:
        return "no_tick"
    if expiry - instant(evidence["at"]) > timedelta(milliseconds=order["max_tick_age_ms"]):
        return "stale_tick"
    if any(tick.get("revision", order["revision"]) != order["revision"] for tick in counted):
        return "revision"
    return None


def _trimmed_mean(prices: Sequence[str], scale: int) -> str:
    steps = [Fraction(price) * 10**scale for price in prices]
    for _ in range(floor(Fraction(3 * len(prices), 10))):
        steps.remove(max(steps))
        steps.remove(min(steps))
    # Python rounds a half to the even neighbour, as the rule does.
    whole = round(sum(steps, Fraction(0)) / len(steps))
    text = str(whole).zfill(scale + 1)
    return text if scale == 0 else f"{text[:-scale]}.{text[-scale:]}"


def _state(order: Document, close: str | None) -> str:
    assert close is not None
    moved = Fraction(close) - Fraction(order["open_tick"]["price"])
    if moved == 0:
        return "tied"
    rose = moved > 0
    return "won" if rose == (order["direction"] == "up") else "lost"


def _paid(order: Document, state: str) -> str:
    stake = Fraction(order["stake"])
    profit = Fraction(floor(stake * order["payout_percent"]), 100)
    cents = {"won": stake + profit, "lost": Fraction(0)}.get(state, stake) * 100
    assert cents.denominator == 1
    return f"{cents.numerator // 100}.{cents.numerator % 100:02d}"

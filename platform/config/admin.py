"""The front page of the admin: a few honest figures about what goes on now."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from kernel import db
from kernel.clock import DB_NOW_MS_SQL, rfc3339, wall_ms
from quotes.selectors import markets
from settlement.invariant_results import invariant_results

_ORDERS = f"""
SELECT count(*), count(*) FILTER (WHERE expires_at_ms <= now_ms),
       coalesce(max(now_ms - expires_at_ms) FILTER (WHERE expires_at_ms <= now_ms), 0)
FROM trading_order_open, (SELECT {DB_NOW_MS_SQL} AS now_ms) AS clock"""

_FEEDS = f"""
SELECT feed, connected, detail, {DB_NOW_MS_SQL} - last_packet_ms, {DB_NOW_MS_SQL} - process_heartbeat_ms,
       (SELECT coalesce(sum(count), 0) FROM quotes_refusal_count AS refused WHERE refused.feed = status.feed)
FROM quotes_feed_status AS status ORDER BY feed"""


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add what the operator may see to the front page."""
    user = request.user
    if user.has_perm("trading.view_order"):
        context["figures"] = _figures()
    if user.has_perm("quotes.view_symbol"):
        context["markets"] = _markets()
        context["feeds"] = _feeds()
    if user.has_perm("ledger.view_transfer"):
        context["invariants"] = _invariants()
    context["shown_at"] = rfc3339(wall_ms())
    return context


def _figures() -> list[dict[str, Any]]:
    found = db.row(_ORDERS)
    assert found is not None
    opened, due, lag_ms = found
    page = reverse("admin:trading_orderopen_changelist")
    return [
        {"title": "Open orders", "value": opened, "link": page},
        {"title": "Past expiry, not settled yet", "value": due, "link": page},
        {"title": "Settlement lag", "value": f"{lag_ms / 1000:.1f} s", "link": page},
    ]


def _markets() -> dict[str, Any]:
    found = markets()
    counts: dict[str, int] = {}
    for row in found:
        counts[row.state.state.value] = counts.get(row.state.state.value, 0) + 1
    rows = [[row.code, row.state.state.value, row.state.reason] for row in found if row.state.state.value != "open"]
    return {
        "summary": ", ".join(f"{number} {state}" for state, number in sorted(counts.items())) or "no symbols",
        "table": {"headers": ["Symbol", "State", "Reason"], "rows": rows},
    }


def _feeds() -> dict[str, Any]:
    rows = [
        [feed, "connected" if connected else "away", detail, _seconds(packet_ms), _seconds(process_ms), refused]
        for feed, connected, detail, packet_ms, process_ms, refused in db.rows(_FEEDS)
    ]
    return {
        "headers": ["Feed", "Upstream", "Detail", "Last packet", "Parser's heartbeat", "Refused ticks"],
        "rows": rows,
    }


def _seconds(age_ms: int | None) -> str:
    return "never" if age_ms is None else f"{age_ms / 1000:.1f} s ago"


def _invariants() -> dict[str, Any]:
    """Return what the checks of the last minute and of the last night counted."""
    results = invariant_results()
    checked_ms = min((result.checked_at_ms for result in results if result.checked_at_ms is not None), default=None)
    return {
        "at": None if checked_ms is None else rfc3339(checked_ms),
        "rows": [{"name": result.name, "violations": result.violations} for result in results],
    }

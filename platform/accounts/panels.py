"""Tables on an operator's page about a user: bans, own limits and what became of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from accounts import selectors
from accounts.limits import LIMITS, MONEY_LIMITS, LimitState
from kernel.clock import optional_rfc3339, rfc3339
from kernel.money import DEFAULT_CURRENCY, format_minor

_ROWS_SHOWN = 50


def bans_table(user_id: UUID) -> SafeString:
    """Return a user's bans, newest first."""
    rows = (
        (
            rfc3339(ban.from_ms),
            optional_rfc3339(ban.until_ms) or "no end",
            ban.reason,
            ban.by or "command line",
            optional_rfc3339(ban.lifted_at_ms) or "in force",
            ban.lifted_by or "",
        )
        for ban in selectors.bans_of(user_id, limit=_ROWS_SHOWN)
    )
    return _table(("From", "Until", "Reason", "By", "Lifted", "Lifted by"), rows)


def limits_table(user_id: UUID, *, now_ms: int) -> SafeString:
    """Return the limits that a user has set."""
    states = selectors.limits_of(user_id, now_ms=now_ms)
    rows = (
        (name, limit_text(name, state.value), waits_text(name, state))
        for name, state in states.items()
        if state.value is not None
    )
    return _table(("Limit", "Value", "Waits to be confirmed"), rows)


def limit_changes_table(user_id: UUID) -> SafeString:
    """Return what became of a user's limits, breaks and exclusions, newest first."""
    rows = (
        (
            rfc3339(change.at_ms),
            change.name,
            change.get_act_display(),
            limit_text(change.name, change.old_value),
            limit_text(change.name, change.new_value),
            optional_rfc3339(change.confirm_from_ms) or "",
        )
        for change in selectors.limit_changes_of(user_id, limit=_ROWS_SHOWN)
    )
    return _table(("At", "Limit", "Change", "From", "To", "Can be confirmed from"), rows)


def cap_text(amount: int | None) -> str:
    """Return a token's cap as decimal text."""
    return "none" if amount is None else format_minor(amount, DEFAULT_CURRENCY)


def limit_text(name: str, value: int | None) -> str:
    """Return a limit's value with its unit, or the end of a break or exclusion."""
    if value is None:
        return "none"
    if name not in LIMITS:
        return rfc3339(value)
    if name in MONEY_LIMITS:
        return format_minor(value, DEFAULT_CURRENCY)
    return f"{value} {'minutes' if name == 'session' else 'orders'}"


def waits_text(name: str, state: LimitState) -> str:
    """Return the loosening that waits to be confirmed."""
    waits = state.loosening
    return "" if waits is None else f"{limit_text(name, waits.value)} from {rfc3339(waits.from_ms)}"


def _table(titles: Iterable[str], rows: Iterable[tuple[Any, ...]]) -> SafeString:
    shown = [format_html_join("", '<td class="pr-4 py-1">{}</td>', ((cell,) for cell in row)) for row in rows]
    if not shown:
        return format_html("{}", "none")
    head = format_html_join("", '<th class="pr-4 py-1 text-left">{}</th>', ((title,) for title in titles))
    body = format_html_join("", "<tr>{}</tr>", ((row,) for row in shown))
    return format_html("<table><tr>{}</tr>{}</table>", head, body)

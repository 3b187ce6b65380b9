"""A symbol's payout over the last day, drawn as steps: each change holds until the next one."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from kernel.clock import rfc3339
from quotes.models import PayoutChange, Symbol

SPAN_MS = 24 * 3_600_000
WIDTH, HEIGHT = 720, 160
# Percent above the highest and below the lowest payout, so that lines do not lie on the frame.
_ROOM = 2

# An instant and the percent from then on.
Step = tuple[int, int]


def payout_chart(symbol: Symbol, *, now_ms: int) -> SafeString:
    """Return an SVG of the payout in the last 24 hours, with the operator's bounds as dashed lines."""
    steps = _steps(symbol, now_ms)
    levels = {"highest": symbol.payout_max, "fixed": symbol.payout_fixed, "lowest": symbol.payout_min}
    percents = [percent for _, percent in steps] + list(levels.values())
    scale = _Scale(now_ms, max(percents) + _ROOM, min(percents) - _ROOM)
    lines = format_html_join(
        "",
        '<line x1="0" x2="{}" y1="{}" y2="{}" stroke="currentColor" stroke-dasharray="3 5" opacity="0.4"/>'
        '<text x="{}" y="{}" font-size="11" fill="currentColor">{} {} %</text>',
        (
            (WIDTH, scale.y(percent), scale.y(percent), WIDTH + 6, scale.y(percent) + 4, name, percent)
            for name, percent in levels.items()
        ),
    )
    return format_html(
        '<svg role="img" aria-label="{}" viewBox="0 0 {} {}" style="width:100%;max-width:860px;height:auto">'
        '{}<polyline points="{}" fill="none" stroke="var(--color-primary-500)" stroke-width="2"/>'
        '<text x="0" y="{}" font-size="11" fill="currentColor">{}</text>'
        '<text x="{}" y="{}" font-size="11" fill="currentColor" text-anchor="end">{}</text></svg>',
        f"Payout of {symbol.code} in the last 24 hours, {steps[-1][1]} percent now",
        *(WIDTH + 90, HEIGHT + 20, lines, _points(steps, scale)),
        *(HEIGHT + 14, rfc3339(now_ms - SPAN_MS), WIDTH, HEIGHT + 14, rfc3339(now_ms)),
    )


class _Scale:
    """Turn instants and percents into whole points of the drawing."""

    def __init__(self, now_ms: int, top: int, bottom: int) -> None:
        self._from_ms, self._top, self._bottom = now_ms - SPAN_MS, top, bottom

    def x(self, at_ms: int) -> int:
        """Return how far right an instant lies."""
        return min(max(at_ms - self._from_ms, 0), SPAN_MS) * WIDTH // SPAN_MS

    def y(self, percent: int) -> int:
        """Return how far down a percent lies."""
        return (self._top - percent) * HEIGHT // (self._top - self._bottom)


def _steps(symbol: Symbol, now_ms: int) -> list[Step]:
    """Return what held at the day's start, and each change since."""
    changes = PayoutChange.objects.filter(symbol=symbol).order_by("at_ms", "pk")
    since = list(changes.filter(at_ms__gt=now_ms - SPAN_MS).values_list("at_ms", "percent"))
    before = changes.filter(at_ms__lte=now_ms - SPAN_MS).last()
    first = [] if before is None else [(now_ms - SPAN_MS, before.percent)]
    return [*first, *since] or [(now_ms - SPAN_MS, symbol.payout_percent)]


def _points(steps: Sequence[Step], scale: _Scale) -> str:
    points = []
    for number, (at_ms, percent) in enumerate(steps):
        if number:
            points.append((scale.x(at_ms), scale.y(steps[number - 1][1])))
        points.append((scale.x(at_ms), scale.y(percent)))
    points.append((WIDTH, scale.y(steps[-1][1])))
    return " ".join(f"{x},{y}" for x, y in points)

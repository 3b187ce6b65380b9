"""Spans of time as half-open pairs of Unix milliseconds: pure arithmetic on sorted lists of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

Span = tuple[int, int]


def spans_joined(spans: Iterable[Span]) -> list[Span]:
    """Return the same time as sorted spans that neither touch nor overlap; empty ones are dropped."""
    joined: list[Span] = []
    for begin, end in sorted(spans):
        if begin >= end:
            continue
        if joined and begin <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((begin, end))
    return joined


def spans_within(span: Span, within: Sequence[Span]) -> list[Span]:
    """Return the parts of a span that lie within sorted spans."""
    begin, end = span
    return [(max(begin, left), min(end, right)) for left, right in within if left < end and right > begin]


def spans_without(span: Span, holes: Sequence[Span]) -> list[Span]:
    """Return what is left of a span without sorted holes."""
    left: list[Span] = []
    begin, end = span
    for hole_begin, hole_end in spans_within(span, holes):
        left.append((begin, hole_begin))
        begin = hole_end
    left.append((begin, end))
    return [(one, other) for one, other in left if one < other]

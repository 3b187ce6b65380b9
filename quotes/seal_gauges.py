"""What operators watch of seals and heads, in the Prometheus text format."""

from __future__ import annotations

from django.conf import settings

from kernel import db
from kernel.clock import DB_NOW_MS_SQL
from quotes.heads import FILE_TARGET, receiver_target

# Beyond this there is nothing more to learn, and counting would take long.
_COUNTED_MOST = 100_000

# How long ago the oldest minute ended that is final and has no seal, of all symbols.
_LAG = f"""
SELECT coalesce(max({DB_NOW_MS_SQL} - (oldest.at_ms - oldest.at_ms %% 60000 + 60000)), 0)
FROM (SELECT symbol_id, seq, watermark_ms + 1 - (watermark_ms + 1) %% 60000 AS final_ms FROM quotes_symbol_head) AS head
LEFT JOIN LATERAL (
    SELECT seal.minute_ms + 60000 AS until_ms, seal.first_seq + seal.count AS next_seq FROM quotes_seal AS seal
    WHERE seal.symbol_id = head.symbol_id ORDER BY seal.first_seq DESC LIMIT 1
) AS sealed ON true
CROSS JOIN LATERAL (
    SELECT tick.at_ms FROM quotes_tick AS tick
    WHERE tick.symbol_id = head.symbol_id AND tick.at_ms >= coalesce(sealed.until_ms, 0) AND tick.at_ms < head.final_ms
    ORDER BY tick.at_ms, tick.seq LIMIT 1
) AS oldest
WHERE head.seq >= coalesce(sealed.next_seq, 1) AND head.final_ms > coalesce(sealed.until_ms, 0)"""

_UNPUBLISHED = """
SELECT target.name, coalesce(publication.failures, 0), (
    SELECT count(*) FROM (
        SELECT FROM quotes_seal AS seal WHERE seal.id > coalesce(publication.seal_id, 0) LIMIT %(most)s) AS waiting)
FROM unnest(%(targets)s::text[]) AS target(name)
LEFT JOIN quotes_head_publication AS publication ON publication.target = target.name
ORDER BY target.name"""


def seals_gauges() -> str:
    """Return the lag of sealing, and how many heads wait for each place they go to."""
    lag = db.row(_LAG)
    assert lag is not None
    targets = [FILE_TARGET] + ([receiver_target(settings.HEADS_URL)] if settings.HEADS_URL else [])
    lines = [f"fairstrike_seal_lag_ms {max(lag[0], 0)}"]
    for target, failures, waiting in db.rows(_UNPUBLISHED, {"targets": targets, "most": _COUNTED_MOST}):
        name = "file" if target == FILE_TARGET else "url"
        lines.append(f'fairstrike_heads_unpublished{{target="{name}"}} {waiting}')
        lines.append(f'fairstrike_heads_failures_total{{target="{name}"}} {failures}')
    return "\n".join(lines) + "\n"

"""Invariants of ticks and trading hours as queries: each counts its violations since ``since_ms``, 0 for all."""

from __future__ import annotations

from quotes.domain import ADMISSION

# Two ends make the planner leave out the partitions of other days.
TICKS_LATELY = "at_ms >= %(since_ms)s AND at_ms < 9000000000000000"
RAISES_LATELY = "raised_at_ms >= %(since_ms)s AND raised_at_ms < 9000000000000000"

CHECKS: dict[str, str] = {
    # The first tick that is read asks for the one before it, unless that may be in the archive only.
    "I-16 ticks are monotonic and none was admitted at or below a watermark in force": f"""
        SELECT (SELECT count(*) FROM (
                    SELECT symbol_id, at_ms, seq, lag(at_ms) OVER w AS at_before, lag(seq) OVER w AS seq_before
                    FROM quotes_tick WHERE {TICKS_LATELY} WINDOW w AS (PARTITION BY symbol_id ORDER BY seq)) AS step
                WHERE at_ms < at_before OR seq <> seq_before + 1
                   OR seq_before IS NULL AND seq > 1
                      AND NOT EXISTS (SELECT FROM quotes_tick b WHERE b.symbol_id = step.symbol_id
                                      AND b.seq = step.seq - 1 AND b.at_ms <= step.at_ms)
                      AND NOT EXISTS (SELECT FROM quotes_tick_archive WHERE dropped_at_ms IS NOT NULL))
             + (SELECT count(*) FROM (SELECT * FROM quotes_watermark_raise WHERE {RAISES_LATELY}) AS r
                JOIN (SELECT * FROM quotes_tick WHERE {TICKS_LATELY}) AS t
                  ON t.symbol_id = r.symbol_id AND t.seq = r.seq + 1
                WHERE t.at_ms <= r.watermark_ms)""",
    "I-16 no watermark has fallen and no head stands elsewhere than its log": f"""
        SELECT (SELECT count(*) FROM (
                    SELECT watermark_ms, lag(watermark_ms) OVER (
                        PARTITION BY symbol_id ORDER BY raised_at_ms, watermark_ms) AS before
                    FROM quotes_watermark_raise WHERE {RAISES_LATELY}) AS step WHERE watermark_ms < before)
             + (SELECT count(*) FROM quotes_symbol_head h
                LEFT JOIN LATERAL (
                    SELECT seq, at_ms, price FROM quotes_tick t WHERE t.symbol_id = h.symbol_id AND {TICKS_LATELY}
                    ORDER BY at_ms DESC, seq DESC LIMIT 1) AS newest ON true
                LEFT JOIN LATERAL (
                    SELECT max(watermark_ms) AS watermark_ms FROM quotes_watermark_raise r
                    WHERE r.symbol_id = h.symbol_id AND {RAISES_LATELY}) AS raised ON true
                WHERE h.seq <> newest.seq OR h.tick_at_ms <> newest.at_ms OR h.watermark_ms < raised.watermark_ms)""",
    # The rule keeps the first price of a new level back until another packet confirms it. So each jump in the log has
    # a refused tick in front of it, which was counted at the time.
    "I-20 no price jumped without a refused one before it": f"""
        WITH step AS (
            SELECT symbol_id, revision, price, received_at_ms, lag(price) OVER w AS price_before,
                   lag(revision) OVER w AS revision_before, lag(received_at_ms) OVER w AS received_before_ms
            FROM quotes_tick WHERE {TICKS_LATELY} WINDOW w AS (PARTITION BY symbol_id ORDER BY seq)
        ), jump AS (
            SELECT symbol_id, revision, count(*) AS times, max(received_at_ms) AS newest_ms FROM step
            WHERE revision = revision_before AND received_at_ms - received_before_ms <= {ADMISSION.silence_ms}
              AND abs(price - price_before) * 100 > {ADMISSION.outlier_percent} * price_before
            GROUP BY symbol_id, revision
        )
        SELECT count(*) FROM jump
        JOIN quotes_symbol_revision r ON r.symbol_id = jump.symbol_id AND r.number = jump.revision
        LEFT JOIN quotes_refusal_count refused
               ON refused.feed = r.feed AND refused.source = r.source AND refused.reason = 'outlier'
        WHERE coalesce(refused.count, 0) < jump.times
           OR refused.last_at_ms < jump.newest_ms - {ADMISSION.candidate_ms}""",
    "I-21 the windows of a calendar do not overlap": """
        SELECT count(*) FROM (
            SELECT opens_ms, max(closes_ms) OVER (PARTITION BY calendar_id ORDER BY opens_ms, id
                                                  ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS until_ms
            FROM quotes_trading_window WHERE superseded_at_ms IS NULL AND closes_ms > %(since_ms)s) AS held
        WHERE opens_ms < until_ms""",
}

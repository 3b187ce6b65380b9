"""SQL of the quote path: each statement serves a whole batch."""

from __future__ import annotations

from kernel.clock import DB_NOW_MS_SQL

HEADS_LOCK = """
SELECT symbol_id, seq, tick_at_ms, tick_price, tick_recv_ms, watermark_ms,
       candidate_price, candidate_recv_ms, candidate_packet
FROM quotes_symbol_head WHERE symbol_id = ANY(%(ids)s) ORDER BY symbol_id FOR NO KEY UPDATE"""

# Read after the heads are locked, in a snapshot of its own: a revision takes effect under the head's lock, so what this
# returns stays in force until the batch commits. The first revision has no log before it that it could reach into.
REVISIONS_IN_FORCE = """
SELECT symbol.id, symbol.revision, CASE WHEN symbol.revision = 1 THEN 0 ELSE revision.since_ms END
FROM quotes_symbol AS symbol
JOIN quotes_symbol_revision AS revision ON revision.symbol_id = symbol.id AND revision.number = symbol.revision
WHERE symbol.id = ANY(%(ids)s)"""

TICKS_COPY = """
COPY quotes_tick (symbol_id, seq, at_ms, received_at_ms, bid, ask, price, revision) FROM STDIN"""

# The facts of a market as `domain.MarketFacts` takes them. Needs the tables ``symbol``, ``head`` and ``held`` of
# MARKET_JOINS and a one-row table ``clock`` with the instant ``now_ms``; a window holds its start and not its end.
MARKET_COLUMNS = """
    symbol.operator_state, symbol.state_reason, symbol.pending_revision IS NOT NULL, symbol.calendar_id IS NOT NULL,
    held.closes_ms,
    CASE WHEN symbol.calendar_id IS NOT NULL AND held.closes_ms IS NULL THEN (
        SELECT min(coming.opens_ms) FROM quotes_trading_window AS coming
        WHERE coming.calendar_id = symbol.calendar_id AND coming.superseded_at_ms IS NULL
          AND coming.closes_ms > clock.now_ms) END,
    head.closed_by_feed, head.clock_sane, head.heartbeat_ms, head.seq, head.tick_at_ms, head.tick_price,
    symbol.max_tick_age_ms"""
MARKET_JOINS = """
LEFT JOIN quotes_symbol_head AS head ON head.symbol_id = symbol.id
LEFT JOIN LATERAL (
    SELECT held.closes_ms FROM quotes_trading_window AS held
    WHERE held.calendar_id = symbol.calendar_id AND held.superseded_at_ms IS NULL
      AND held.closes_ms > clock.now_ms AND held.opens_ms <= clock.now_ms
    ORDER BY held.closes_ms LIMIT 1
) AS held ON true"""
CLOCK = f"clock AS MATERIALIZED (SELECT {DB_NOW_MS_SQL} AS now_ms)"

# One row tells the same candle of several intervals, see `domain.CandleSpan`.
CANDLES_UPSERT = """
INSERT INTO quotes_candle AS candle (symbol_id, interval_s, start_ms, revision, open, high, low, close, ticks)
SELECT span.symbol_id, interval_s, span.at_ms - span.at_ms %% (interval_s::bigint * 1000), span.revision,
       span.open, span.high, span.low, span.close, span.ticks
FROM unnest(%(ids)s::int[], %(shortest)s::int[], %(longest)s::int[], %(at_ms)s::bigint[], %(revisions)s::int[],
            %(opens)s::bigint[], %(highs)s::bigint[], %(lows)s::bigint[], %(closes)s::bigint[], %(counts)s::int[])
    AS span(symbol_id, shortest_s, longest_s, at_ms, revision, open, high, low, close, ticks)
JOIN unnest(%(intervals)s::int[]) AS interval_s ON interval_s BETWEEN span.shortest_s AND span.longest_s
ON CONFLICT (symbol_id, interval_s, start_ms, revision) DO UPDATE SET
    high = greatest(candle.high, excluded.high), low = least(candle.low, excluded.low),
    close = excluded.close, ticks = candle.ticks + excluded.ticks"""

HEADS_WRITE = """
UPDATE quotes_symbol_head AS head SET
    seq = new.seq, tick_at_ms = new.tick_at_ms, tick_price = new.tick_price, tick_recv_ms = new.tick_recv_ms,
    watermark_ms = new.watermark_ms, candidate_price = new.candidate_price,
    candidate_recv_ms = new.candidate_recv_ms, candidate_packet = new.candidate_packet,
    heartbeat_ms = greatest(head.heartbeat_ms, new.heartbeat_ms)
FROM unnest(%(ids)s::int[], %(seqs)s::bigint[], %(tick_at_ms)s::bigint[], %(prices)s::bigint[], %(recv_ms)s::bigint[],
            %(watermarks)s::bigint[], %(candidates)s::bigint[], %(candidate_ms)s::bigint[],
            %(candidate_packets)s::bigint[], %(heartbeats)s::bigint[])
    AS new(symbol_id, seq, tick_at_ms, tick_price, tick_recv_ms, watermark_ms, candidate_price, candidate_recv_ms,
           candidate_packet, heartbeat_ms)
WHERE head.symbol_id = new.symbol_id"""

# The instant of a raise is the database's, so that it compares with the settlements that it allows.
RAISES_WRITE = f"""
INSERT INTO quotes_watermark_raise (symbol_id, watermark_ms, cause, seq, raised_at_ms)
SELECT *, {DB_NOW_MS_SQL}
FROM unnest(%(ids)s::int[], %(watermarks)s::bigint[], %(causes)s::smallint[], %(seqs)s::bigint[])"""

HEARTBEATS_WRITE = f"""
WITH new AS (
    SELECT * FROM unnest(%(ids)s::int[], %(heartbeats)s::bigint[]) AS new(symbol_id, heartbeat_ms)
), locked AS MATERIALIZED (
    SELECT head.symbol_id, head.seq, head.watermark_ms FROM quotes_symbol_head AS head
    WHERE head.symbol_id = ANY(%(ids)s) ORDER BY head.symbol_id FOR NO KEY UPDATE
), beaten AS (
    UPDATE quotes_symbol_head AS head SET
        heartbeat_ms = greatest(head.heartbeat_ms, new.heartbeat_ms),
        watermark_ms = greatest(head.watermark_ms, new.heartbeat_ms - %(grace_ms)s)
    FROM new JOIN locked USING (symbol_id) WHERE head.symbol_id = new.symbol_id
    RETURNING head.symbol_id, head.seq, head.watermark_ms, locked.watermark_ms AS before
)
INSERT INTO quotes_watermark_raise (symbol_id, watermark_ms, cause, seq, raised_at_ms)
SELECT symbol_id, watermark_ms, 2, seq, {DB_NOW_MS_SQL} FROM beaten WHERE watermark_ms > before"""

FENCE_RAISE = """
UPDATE quotes_symbol_head AS head SET watermark_ms = new.watermark_ms
FROM unnest(%(ids)s::int[], %(watermarks)s::bigint[]) AS new(symbol_id, watermark_ms)
WHERE head.symbol_id = new.symbol_id"""

REFUSALS_COUNT = """
INSERT INTO quotes_refusal_count AS known (feed, source, reason, count, last_at_ms)
SELECT * FROM unnest(%(feeds)s::text[], %(sources)s::text[], %(reasons)s::text[], %(counts)s::bigint[],
                     %(at)s::bigint[])
ON CONFLICT (feed, source, reason) DO UPDATE SET
    count = known.count + excluded.count, last_at_ms = greatest(known.last_at_ms, excluded.last_at_ms)"""

REFUSALS_SAMPLE = """
INSERT INTO quotes_refused_sample (feed, source, reason, src_ms, recv_ms, detail)
SELECT * FROM unnest(%(feeds)s::text[], %(sources)s::text[], %(reasons)s::text[], %(src)s::bigint[], %(recv)s::bigint[],
                     %(details)s::text[])"""

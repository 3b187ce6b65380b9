"""SQL of the bridge's hot paths."""

from __future__ import annotations

from kernel.clock import DB_NOW_MS_SQL

NOW_US = "floor(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"

# Told in the transactions that give work to executors, and news to clients.
DUE_CHANNEL, TOLD_CHANNEL = "ea_due", "ea_told"

# --- the log ------------------------------------------------------------------------------------------

ARRIVED_TABLE = """
CREATE TEMPORARY TABLE IF NOT EXISTS ea_arrived (
    ord integer, event_id uuid, link_id bigint, kid text, sid text, seq bigint, source text, src_ticket text,
    action text, raw bytea, sha256 bytea, chain uuid, chain_no bigint, prev_sha256 bytea, offset_ms integer,
    rtt_us bigint, recv_us bigint
) ON COMMIT DELETE ROWS"""

ARRIVED_COPY = """
COPY ea_arrived (ord, event_id, link_id, kid, sid, seq, source, src_ticket, action, raw, sha256, chain, chain_no,
                 prev_sha256, offset_ms, rtt_us, recv_us) FROM STDIN"""

# One statement logs a batch and makes each event's order due. Whatever is there already, by any of its keys, is left
# out; the caller sees by what comes back which that was.
LOG = f"""
WITH clock AS MATERIALIZED (SELECT {NOW_US} AS now_us),
logged AS (
    INSERT INTO ea_event (event_id, link_id, kid, sid, seq, source, src_ticket, action, raw, sha256, chain, chain_no,
                          prev_sha256, offset_ms, rtt_us, recv_us, log_us)
    SELECT event_id, link_id, kid, sid, seq, source, src_ticket, action, raw, sha256, chain, chain_no, prev_sha256,
           offset_ms, rtt_us, recv_us, clock.now_us
    FROM ea_arrived, clock ORDER BY ord
    ON CONFLICT DO NOTHING
    RETURNING id, event_id, link_id, log_us
), made AS (
    INSERT INTO ea_order (event_id, link_id, state, step, strategy)
    SELECT id, link_id, 'received', 0, '' FROM logged
)
SELECT event_id, log_us, CASE WHEN row_number() OVER () = 1 THEN pg_notify('{DUE_CHANNEL}', '') END FROM logged"""

# What stands in the log in the way of events, the same event first, then the same ticket, then the same number.
STORED = """
SELECT DISTINCT ON (asked.ord) asked.ord, event.id, event.sha256, event.recv_us, event.log_us,
       event.link_id, ea_order.order_id, found.way
FROM unnest(%(ords)s::int[], %(event_ids)s::uuid[], %(links)s::bigint[], %(kids)s::text[], %(sids)s::text[],
            %(seqs)s::bigint[], %(sources)s::text[], %(tickets)s::text[], %(actions)s::text[])
    AS asked(ord, event_id, link_id, kid, sid, seq, source, src_ticket, action)
CROSS JOIN LATERAL (
    SELECT 1 AS way, id FROM ea_event AS e WHERE e.event_id = asked.event_id
    UNION ALL
    SELECT 2, id FROM ea_event AS e WHERE e.link_id = asked.link_id AND e.source = asked.source
        AND e.src_ticket = asked.src_ticket AND e.action = asked.action
    UNION ALL
    SELECT 3, id FROM ea_event AS e WHERE e.kid = asked.kid AND e.sid = asked.sid AND e.seq = asked.seq
) AS found
JOIN ea_event AS event ON event.id = found.id
LEFT JOIN ea_order ON ea_order.event_id = event.id
ORDER BY asked.ord, found.way"""

REPEATS = f"""
INSERT INTO ea_repeat (event_id, times, at_us)
SELECT event_id, times, {NOW_US} FROM unnest(%(events)s::bigint[], %(times)s::int[]) AS again(event_id, times)"""

# --- execution ----------------------------------------------------------------------------------------

# What is due in a lane: whole installations, each in the order of its events.
DUE = f"""
SELECT o.event_id, o.state, o.step, o.ticket, o.not_after_ms, o.wallet_id, event.event_id, event.kid, event.raw,
       event.offset_ms, event.rtt_us, event.recv_us, event.log_us, link.id, link.user_id, link.ledger, link.wallet_id,
       link.prefix, link.suffix, key.scopes, key.ledgers, {DB_NOW_MS_SQL}
FROM ea_order AS o
JOIN ea_event AS event ON event.id = o.event_id
JOIN ea_link AS link ON link.id = o.link_id
JOIN ea_key AS key ON key.kid = event.kid
WHERE o.state IN ('received', 'submitted') AND o.link_id %% %(lanes)s = %(lane)s
  AND NOT event.event_id = ANY(%(skip)s::uuid[])
ORDER BY o.event_id LIMIT %(limit)s"""

# Which orders still stand where they were read; locked in the order of their events.
ORDERS_LOCK = """
SELECT event_id, state, step FROM ea_order WHERE event_id = ANY(%(ids)s::bigint[])
ORDER BY event_id FOR NO KEY UPDATE"""

# The orders of the bridge that are among settled ones, whether or not the executor has noted their acceptance.
SETTLED_LOCK = """
SELECT o.event_id, o.state, o.step, o.link_id, event.event_id, placed.id, placed.state, placed.currency,
       placed.price_scale, placed.payout_percent, placed.open_price, placed.close_price, placed.payout,
       placed.accepted_at_ms, placed.expires_at_ms, placed.settled_at_ms
FROM trading_order AS placed
JOIN ea_order AS o ON o.wallet_id = placed.wallet_id AND o.client_order_id = placed.client_order_id
JOIN ea_event AS event ON event.id = o.event_id
WHERE placed.id = ANY(%(ids)s::uuid[]) AND placed.source = 'ea' AND placed.state <> 'open'
ORDER BY o.event_id FOR NO KEY UPDATE OF o"""

# Installations take their next numbers in the order of their ids; nothing is locked after this.
COUNT = """
UPDATE ea_counter SET no = no + %(steps)s WHERE link_id = %(link_id)s RETURNING no"""

STEPS = f"""
INSERT INTO ea_order_event (order_id, step, link_id, no, from_state, state, actor, code, at_us, frame)
SELECT order_id, step, link_id, no, from_state, state, actor, code, {NOW_US}, frame
FROM jsonb_to_recordset(%(steps)s::jsonb) AS row(order_id bigint, step int, link_id bigint, no bigint, from_state text,
    state text, actor text, code text, frame text)
ORDER BY order_id, step"""

ORDERS_MOVE = """
UPDATE ea_order AS o SET state = row.state, step = row.step, code = row.code,
    symbol = coalesce(row.symbol, o.symbol), strategy = coalesce(row.strategy, o.strategy),
    ticket = coalesce(row.ticket, o.ticket), wallet_id = coalesce(row.wallet_id, o.wallet_id),
    client_order_id = coalesce(row.client_order_id, o.client_order_id),
    not_after_ms = coalesce(row.not_after_ms, o.not_after_ms), order_id = coalesce(row.placed_id, o.order_id)
FROM jsonb_to_recordset(%(orders)s::jsonb) AS row(order_id bigint, state text, step int, code text, symbol text,
    strategy text, ticket text, wallet_id uuid, client_order_id text, not_after_ms bigint, placed_id uuid)
WHERE o.event_id = row.order_id"""

LATENCY = """
INSERT INTO ea_latency (event_id, deal_ms, signed_ms, offset_ms, rtt_us, recv_us, log_us, decided_us, submitted_us,
    answered_us, opened_ms, ref_price, open_price, min_payout, payout_percent, link_id, strategy, symbol, direction,
    quoted_percent)
SELECT event_id, deal_ms, signed_ms, offset_ms, rtt_us, recv_us, log_us, decided_us, submitted_us, answered_us,
    opened_ms, ref_price, open_price, min_payout, payout_percent, link_id, strategy, symbol, direction,
    (SELECT change.percent FROM quotes_symbol AS offered JOIN quotes_payout_change AS change
         ON change.symbol_id = offered.id AND change.at_ms <= row.recv_us / 1000
     WHERE offered.code = row.symbol ORDER BY change.at_ms DESC LIMIT 1)
FROM jsonb_to_recordset(%(rows)s::jsonb) AS row(event_id bigint, deal_ms bigint, signed_ms bigint, offset_ms int,
    rtt_us bigint, recv_us bigint, log_us bigint, decided_us bigint, submitted_us bigint, answered_us bigint,
    opened_ms bigint, ref_price text, open_price text, min_payout text, payout_percent int, link_id bigint,
    strategy text, symbol text, direction text)
ON CONFLICT DO NOTHING"""

TOLD = f"SELECT pg_notify('{TOLD_CHANNEL}', link::text) FROM unnest(%(links)s::bigint[]) AS link"

# --- what clients are told ----------------------------------------------------------------------------

# Transitions, and what the owner told: of parameters the newest, of commands those of the last moment, for what was to
# be done at once is not done an hour later.
FRAMES = f"""
SELECT no, frame FROM (
    (SELECT no, frame FROM ea_order_event
     WHERE link_id = %(link_id)s AND no > %(after)s AND frame IS NOT NULL ORDER BY no LIMIT %(limit)s)
    UNION ALL
    (SELECT no, frame FROM ea_instruction AS told
     WHERE link_id = %(link_id)s AND no > %(after)s AND CASE kind
         WHEN 'command' THEN at_ms > {DB_NOW_MS_SQL} - %(command_ms)s
         ELSE NOT EXISTS (SELECT FROM ea_instruction AS later WHERE later.link_id = told.link_id
                          AND later.kind = 'params' AND later.strategy = told.strategy AND later.rev > told.rev) END
     ORDER BY no LIMIT %(limit)s)
) AS frames ORDER BY no LIMIT %(limit)s"""

NEWEST_NO = "SELECT link_id, no FROM ea_counter WHERE link_id = ANY(%(links)s::bigint[])"

# Where somebody goes on who does not say how far he was: before the last steps of a while ago.
NO_AGO = f"""
SELECT coalesce(min(step.no) - 1, (SELECT no FROM ea_counter WHERE link_id = %(link_id)s))
FROM (
    (SELECT no, at_us FROM ea_order_event WHERE link_id = %(link_id)s ORDER BY no DESC LIMIT %(most)s)
    UNION ALL
    (SELECT no, at_ms * 1000 FROM ea_instruction WHERE link_id = %(link_id)s ORDER BY no DESC LIMIT %(most)s)
) AS step
WHERE step.at_us > ({DB_NOW_MS_SQL} - %(ago_ms)s) * 1000"""

# --- what owners tell their experts ------------------------------------------------------------------

INSTRUCT = """
INSERT INTO ea_instruction (link_id, no, kind, strategy, rev, values, cmd, frame, actor_id, at_ms)
VALUES (%(link_id)s, %(no)s, %(kind)s, %(strategy)s, %(rev)s, %(values)s, %(cmd)s, %(frame)s, %(actor_id)s,
        %(at_ms)s)"""

PARAMS_REVS = """
SELECT link_id, strategy, max(rev) FROM ea_instruction
WHERE link_id = ANY(%(links)s::bigint[]) AND kind = 'params' GROUP BY link_id, strategy ORDER BY link_id, strategy"""

# A client is told them however far it has heard, for it forgets them when it is started.
PARAMS_IN_FORCE = """
SELECT no, rev, frame FROM (
    SELECT DISTINCT ON (strategy) no, rev, frame FROM ea_instruction
    WHERE link_id = %(link_id)s AND kind = 'params' ORDER BY strategy, rev DESC
) AS newest ORDER BY no"""

PARAMS_ACKED = """
INSERT INTO ea_params_ack (instruction_id, kid, at_ms)
SELECT id, %(kid)s, %(now_ms)s FROM ea_instruction
WHERE link_id = %(link_id)s AND kind = 'params' AND strategy = %(strategy)s AND rev = %(rev)s
ON CONFLICT DO NOTHING"""

# The newest word about a key counts, whichever process brings it.
PRESENCE = """
INSERT INTO ea_presence AS known (kid, link_id, transport, seen_at_ms, online)
SELECT kid, link_id, transport, seen_at_ms, online
FROM jsonb_to_recordset(%(rows)s::jsonb) AS row(kid text, link_id bigint, transport text, seen_at_ms bigint,
    online boolean) ORDER BY kid
ON CONFLICT (kid) DO UPDATE SET transport = excluded.transport, seen_at_ms = excluded.seen_at_ms,
    online = excluded.online WHERE excluded.seen_at_ms >= known.seen_at_ms"""

# --- what owners see ---------------------------------------------------------------------------------

LINK_STATES = """
SELECT DISTINCT ON (name) name, state, reason, at_ms FROM ea_trading_switch
WHERE scope = 'link' AND name = ANY(%(names)s::text[]) ORDER BY name, at_ms DESC, id DESC"""

# What has come to an answer stands among the latencies; what has not is among the few that are due.
COUNTS = """
SELECT link.id, answered.total + due.total, answered.accepted, answered.denied, answered.rejected, answered.expired
FROM unnest(%(links)s::bigint[]) AS link(id)
CROSS JOIN LATERAL (
    SELECT count(*) AS total, count(*) FILTER (WHERE state IN ('accepted', 'open', 'settled')) AS accepted,
           count(*) FILTER (WHERE state = 'denied') AS denied, count(*) FILTER (WHERE state = 'rejected') AS rejected,
           count(*) FILTER (WHERE state = 'expired') AS expired
    FROM (
        SELECT (SELECT state FROM ea_order AS o WHERE o.event_id = spent.event_id) AS state
        FROM ea_latency AS spent WHERE link_id = link.id AND log_us > %(since_us)s LIMIT %(most)s
    ) AS recent
) AS answered
CROSS JOIN LATERAL (
    SELECT count(*) AS total FROM ea_order AS o WHERE o.link_id = link.id AND o.state IN ('received', 'submitted')
) AS due"""

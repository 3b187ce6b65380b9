"""SQL of the bridge's hot paths."""

from __future__ import annotations

from kernel.clock import DB_NOW_MS_SQL

NOW_US = "floor(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"

# --- the log ------------------------------------------------------------------------------------------

# One statement logs a batch and makes each event's order due, all of it or nothing: what is there already, by any of
# its keys, is an error. It is a transaction of its own, whose commit waits for the disk, whatever the server's default
# is: what we acknowledge is there.
_LOG = f"""
WITH clock AS MATERIALIZED (SELECT {NOW_US} AS now_us, set_config('synchronous_commit', 'on', true)),
logged AS (
    INSERT INTO ea_event (event_id, link_id, kid, sid, seq, source, src_ticket, action, raw, sha256, chain, chain_no,
                          prev_sha256, offset_ms, rtt_us, recv_us, log_us)
    SELECT event_id, link_id, kid, sid, seq, source, src_ticket, action, raw, sha256, %(chain)s::uuid,
           %(no)s::bigint + ord, prev_sha256, offset_ms, rtt_us, recv_us, clock.now_us
    FROM unnest(%(event_ids)s::uuid[], %(links)s::bigint[], %(kids)s::text[], %(sids)s::text[], %(seqs)s::bigint[],
                %(sources)s::text[], %(tickets)s::text[], %(actions)s::text[], %(raws)s::bytea[],
                %(digests)s::bytea[], %(prev_digests)s::bytea[], %(offsets_ms)s::int[], %(rtts_us)s::bigint[],
                %(recvs_us)s::bigint[]) WITH ORDINALITY
        AS arrived(event_id, link_id, kid, sid, seq, source, src_ticket, action, raw, sha256, prev_sha256, offset_ms,
                   rtt_us, recv_us, ord), clock
    ORDER BY ord
    RETURNING id, link_id
), made AS (
    INSERT INTO ea_order (event_id, link_id, state, step, strategy)
    SELECT id, link_id, 'received', 0, '' FROM logged
)"""
_AGAIN = f"""
INSERT INTO ea_repeat (event_id, times, at_us)
SELECT event_id, times, {NOW_US} FROM unnest(%(events)s::bigint[], %(times)s::int[]) AS again(event_id, times)"""

LOG = f"{_LOG}\nSELECT now_us FROM clock"
LOG_AND_REPEATS = f"{_LOG}, again AS ({_AGAIN}\n)\nSELECT now_us FROM clock"
REPEATS = _AGAIN

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

# --- execution ----------------------------------------------------------------------------------------

# What is due in a lane: whole installations, each in the order of its events, with the version of what it is judged by.
DUE = f"""
SELECT o.event_id, o.state, o.step, o.ticket, o.not_after_ms, o.wallet_id, event.event_id, event.kid, event.raw,
       event.offset_ms, event.rtt_us, event.recv_us, event.log_us, o.link_id, o.warnings, {DB_NOW_MS_SQL}, event.seq,
       (SELECT no FROM ea_version)
FROM ea_order AS o
JOIN ea_event AS event ON event.id = o.event_id
WHERE o.state IN ('received', 'submitted') AND o.link_id %% %(lanes)s = %(lane)s
  AND NOT event.event_id = ANY(%(skip)s::uuid[]) AND NOT o.link_id = ANY(%(busy)s::bigint[])
ORDER BY o.event_id LIMIT %(limit)s"""

VERSION = "SELECT no FROM ea_version"

# What keys stand for, with the limits of today.
TERMS = """
SELECT key.kid, link.user_id, link.ledger, link.wallet_id, link.prefix, link.suffix, key.scopes, key.ledgers,
       coalesce((SELECT document::text FROM ea_risk_limits WHERE link_id = link.id ORDER BY version DESC LIMIT 1),
                (SELECT document::text FROM ea_risk_limits WHERE link_id IS NULL ORDER BY version DESC LIMIT 1))
FROM ea_key AS key JOIN ea_link AS link ON link.id = key.link_id
WHERE key.kid = ANY(%(kids)s::text[])"""

# The orders of the bridge that are among settled ones, whether or not the executor has noted their acceptance.
SETTLED_LOCK = """
SELECT o.event_id, o.state, o.step, o.link_id, event.event_id, placed.id, placed.state, placed.currency,
       placed.price_scale, placed.payout_percent, placed.open_price, placed.close_price, placed.payout,
       placed.accepted_at_ms, placed.expires_at_ms, placed.settled_at_ms, placed.wallet_id, placed.stake, o.strategy
FROM trading_order AS placed
JOIN ea_order AS o ON o.wallet_id = placed.wallet_id AND o.client_order_id = placed.client_order_id
JOIN ea_event AS event ON event.id = o.event_id
WHERE placed.id = ANY(%(ids)s::uuid[]) AND placed.source = 'ea' AND placed.state <> 'open'
ORDER BY o.event_id FOR NO KEY UPDATE OF o"""

# An installation takes its next number; nothing is locked after this.
COUNT = "UPDATE ea_counter SET no = no + %(steps)s WHERE link_id = %(link_id)s RETURNING no"

# Moves of orders with their numbered steps and frames, by one statement: those whose order stands where it was read.
# Orders are locked in the order of their events, then counters of installations in the order of their ids; a locked
# row is read as it is then, whatever the statement's snapshot, and nothing is locked after these. Its transaction waits
# for the disk or not, as it says; for rows it waits as long as any, also where placements wait less for wallets.
MOVE = f"""
WITH settings AS MATERIALIZED (
    SELECT set_config('synchronous_commit', %(flush)s, true), set_config('lock_timeout', '2000', true)
), asked AS MATERIALIZED (
    SELECT row.* FROM settings, jsonb_to_recordset(%(moves)s::jsonb) AS row(
        order_id bigint, link_id bigint, state text, step int, states text[], actor text, code text, head text,
        tail text, symbol text, strategy text, ticket text, wallet_id uuid, client_order_id text, not_after_ms bigint,
        placed_id uuid, warnings text[], given jsonb)
), locked AS MATERIALIZED (
    SELECT event_id, state, step FROM ea_order WHERE event_id = ANY(ARRAY(SELECT order_id FROM asked))
    ORDER BY event_id FOR NO KEY UPDATE
), due AS MATERIALIZED (
    SELECT asked.*, cardinality(asked.states) AS steps FROM asked
    JOIN locked ON locked.event_id = asked.order_id AND locked.state = asked.state AND locked.step = asked.step
), counters AS MATERIALIZED (
    SELECT link_id, no FROM ea_counter WHERE link_id = ANY(ARRAY(SELECT DISTINCT link_id FROM due))
    ORDER BY link_id FOR NO KEY UPDATE
), numbered AS MATERIALIZED (
    SELECT due.*, counters.no - due.steps
                  + sum(due.steps) OVER (PARTITION BY due.link_id ORDER BY due.order_id) AS before_no
    FROM due JOIN counters ON counters.link_id = due.link_id
), counted AS (
    UPDATE ea_counter AS counter SET no = counters.no + taken.steps
    FROM counters JOIN (SELECT link_id, sum(steps) AS steps FROM due GROUP BY link_id) AS taken
        ON taken.link_id = counters.link_id
    WHERE counter.link_id = counters.link_id
), stepped AS (
    INSERT INTO ea_order_event (order_id, step, link_id, no, from_state, state, actor, code, at_us, frame, given)
    SELECT order_id, step + n, link_id, before_no + n, coalesce(states[n - 1], state), states[n], actor,
           CASE WHEN n = steps THEN code END, {NOW_US},
           CASE WHEN n = steps THEN head || (before_no + n) || tail END, CASE WHEN n = steps THEN given END
    FROM numbered CROSS JOIN LATERAL generate_series(1, steps) AS n
    ORDER BY order_id, n
    RETURNING order_id, step, state
), moved AS (
    -- The guard of an order's row looks for its step, which is written by the time that it comes out of "stepped".
    UPDATE ea_order AS o SET state = stepped.state, step = stepped.step, code = row.code,
        symbol = coalesce(row.symbol, o.symbol), strategy = coalesce(row.strategy, o.strategy),
        ticket = coalesce(row.ticket, o.ticket), wallet_id = coalesce(row.wallet_id, o.wallet_id),
        client_order_id = coalesce(row.client_order_id, o.client_order_id),
        not_after_ms = coalesce(row.not_after_ms, o.not_after_ms), order_id = coalesce(row.placed_id, o.order_id),
        warnings = coalesce(row.warnings, o.warnings)
    FROM numbered AS row JOIN stepped ON stepped.order_id = row.order_id AND stepped.step = row.step + row.steps
    WHERE o.event_id = row.order_id
)
SELECT order_id FROM numbered"""

LATENCY = """
INSERT INTO ea_latency (event_id, deal_ms, signed_ms, offset_ms, rtt_us, recv_us, log_us, decided_us, submitted_us,
    answered_us, opened_ms, ref_price, open_price, min_payout, payout_percent, link_id, strategy, symbol, direction,
    quoted_percent)
SELECT event_id, deal_ms, signed_ms, offset_ms, rtt_us, recv_us, log_us, decided_us, submitted_us, answered_us,
    opened_ms, ref_price, open_price, min_payout, payout_percent, link_id, strategy, symbol, direction,
    CASE WHEN payout_percent IS NOT NULL THEN
        (SELECT change.percent FROM quotes_symbol AS offered JOIN quotes_payout_change AS change
             ON change.symbol_id = offered.id AND change.at_ms <= row.recv_us / 1000
         WHERE offered.code = row.symbol ORDER BY change.at_ms DESC LIMIT 1) END
FROM jsonb_to_recordset(%(rows)s::jsonb) AS row(event_id bigint, deal_ms bigint, signed_ms bigint, offset_ms int,
    rtt_us bigint, recv_us bigint, log_us bigint, decided_us bigint, submitted_us bigint, answered_us bigint,
    opened_ms bigint, ref_price text, open_price text, min_payout text, payout_percent int, link_id bigint,
    strategy text, symbol text, direction text)
ON CONFLICT DO NOTHING"""

# --- risk ---------------------------------------------------------------------------------------------

# The newest state of each place that a signal touches, and the stops that hold its installation.
STANDING = """
SELECT newest.state, NULL::text, NULL::uuid
FROM (VALUES ('platform', ''), ('link', %(link)s), ('strategy', %(strategy)s), ('symbol', %(symbol)s))
    AS place(scope, name)
CROSS JOIN LATERAL (
    SELECT state FROM ea_trading_switch AS switch
    WHERE switch.scope = place.scope AND switch.name = place.name ORDER BY id DESC LIMIT 1) AS newest
UNION ALL
SELECT NULL, newest.stop, newest.wallet_id
FROM (SELECT DISTINCT ON (wallet_id, stop) wallet_id, stop, act FROM ea_risk_stop
      WHERE link_id = %(link_id)s ORDER BY wallet_id, stop, id DESC) AS newest
WHERE newest.act = 'tripped'"""

RISK_LOCK = "SELECT pg_advisory_xact_lock(%(class)s, hashtext(%(wallet_id)s::uuid::text))"

# Open stakes of the bridge on a wallet. What was submitted and has no order yet counts, too: it may be placed at any
# moment. Every currency of a wallet has two decimals.
RISK_OPEN = f"""
SELECT own, strategy, symbol, up, expires_at_ms, sum(stake)::bigint, count(*)::int FROM (
    SELECT o.link_id = %(link_id)s AS own, o.strategy, placed.symbol, opened.up,
           CASE WHEN %(expiries)s THEN opened.expires_at_ms END AS expires_at_ms, opened.stake
    FROM trading_order_open AS opened
    JOIN trading_order AS placed ON placed.id = opened.order_id AND placed.source = 'ea'
    JOIN ea_order AS o ON o.wallet_id = placed.wallet_id AND o.client_order_id = placed.client_order_id
    WHERE opened.wallet_id = %(wallet_id)s
    UNION ALL
    SELECT o.link_id = %(link_id)s, o.strategy, o.symbol, ticket.asked ->> 'direction' = 'up',
           CASE WHEN %(expiries)s THEN coalesce((ticket.asked ->> 'expires_at_ms')::bigint,
               {DB_NOW_MS_SQL} + (ticket.asked ->> 'duration_s')::bigint * 1000) END,
           floor((ticket.asked ->> 'stake')::numeric * 100)::bigint
    FROM ea_order AS o CROSS JOIN LATERAL (SELECT o.ticket::jsonb AS asked) AS ticket
    WHERE o.wallet_id = %(wallet_id)s AND o.state = 'submitted' AND o.event_id <> %(event)s
      AND NOT EXISTS (SELECT FROM trading_order AS placed WHERE placed.wallet_id = o.wallet_id
                      AND placed.client_order_id = o.client_order_id)
) AS standing
GROUP BY own, strategy, symbol, up, expires_at_ms"""

# What was lost since the later of a window's begin and the last reset, by stop, and the streak of the strategy.
_LOST = """
    coalesce((SELECT total FROM ea_result_tally WHERE link_id = %(link_id)s AND wallet_id = %(wallet_id)s
        AND at_ms < greatest(clock.now_ms - %({stop}_ms)s, (
            SELECT max(at_ms) FROM ea_risk_stop WHERE link_id = %(link_id)s AND wallet_id = %(wallet_id)s
                AND stop = '{stop}' AND act = 'reset'))
        ORDER BY at_ms DESC, no DESC LIMIT 1), 0) - coalesce(newest.total, 0)"""
RISK_HISTORY = f"""
WITH clock AS MATERIALIZED (SELECT {DB_NOW_MS_SQL} AS now_ms)
SELECT {", ".join(_LOST.format(stop=stop) for stop in ("loss_day", "loss_week", "loss_month"))},
       coalesce(newest.fall, 0), coalesce(streak.losses, 0), coalesce(streak.lost_stake, 0),
       coalesce(streak.lost_at_ms, 0)
FROM clock
LEFT JOIN LATERAL (
    SELECT total, fall FROM ea_result_tally WHERE link_id = %(link_id)s AND wallet_id = %(wallet_id)s
    ORDER BY no DESC LIMIT 1) AS newest ON true
LEFT JOIN LATERAL (
    SELECT losses, lost_stake, lost_at_ms FROM ea_result_tally
    WHERE link_id = %(link_id)s AND wallet_id = %(wallet_id)s AND strategy = %(strategy)s
    ORDER BY no DESC LIMIT 1) AS streak ON true"""

RISK_MARKET = """
SELECT symbol.payout_percent, head.tick_price, symbol.price_scale
FROM quotes_symbol AS symbol JOIN quotes_symbol_head AS head ON head.symbol_id = symbol.id
WHERE symbol.code = %(symbol)s"""

BUCKET_READ = "SELECT full_at_ms FROM ea_order_bucket WHERE kid = %(kid)s"
BUCKET_SET = """
INSERT INTO ea_order_bucket (kid, full_at_ms) VALUES (%(kid)s, %(full_at_ms)s)
ON CONFLICT (kid) DO UPDATE SET full_at_ms = excluded.full_at_ms"""

# A stop is tripped once, however many signals meet it. The installation's counter is locked by then.
STOP_TRIP = f"""
INSERT INTO ea_risk_stop (link_id, wallet_id, stop, act, reason, lost, "limit", event_id, at_ms)
SELECT %(link_id)s, %(wallet_id)s, %(stop)s::text, 'tripped', %(reason)s, %(lost)s, %(limit)s, %(event)s,
       {DB_NOW_MS_SQL}
WHERE coalesce((SELECT act FROM ea_risk_stop WHERE link_id = %(link_id)s AND wallet_id = %(wallet_id)s
                AND stop = %(stop)s::text ORDER BY id DESC LIMIT 1), 'reset') = 'reset'"""

# Where the results of installations stand on wallets, and the streaks of strategies.
TALLIES = """
SELECT asked.link_id, asked.wallet_id, asked.strategy, coalesce(newest.no, 0), coalesce(newest.at_ms, 0),
       coalesce(newest.total, 0), coalesce(newest.peak, 0), coalesce(newest.fall, 0),
       coalesce(streak.losses, 0), coalesce(streak.lost_stake, 0), coalesce(streak.lost_at_ms, 0)
FROM unnest(%(links)s::bigint[], %(wallets)s::uuid[], %(strategies)s::text[]) AS asked(link_id, wallet_id, strategy)
LEFT JOIN LATERAL (
    SELECT no, at_ms, total, peak, fall FROM ea_result_tally AS row
    WHERE row.link_id = asked.link_id AND row.wallet_id = asked.wallet_id ORDER BY no DESC LIMIT 1) AS newest ON true
LEFT JOIN LATERAL (
    SELECT losses, lost_stake, lost_at_ms FROM ea_result_tally AS row
    WHERE row.link_id = asked.link_id AND row.wallet_id = asked.wallet_id AND row.strategy = asked.strategy
    ORDER BY no DESC LIMIT 1) AS streak ON true"""

TALLIES_ADD = """
INSERT INTO ea_result_tally (link_id, wallet_id, no, event_id, strategy, at_ms, net, total, peak, fall, losses,
                             lost_stake, lost_at_ms)
SELECT link_id, wallet_id, no, event_id, strategy, at_ms, net, total, peak, fall, losses, lost_stake, lost_at_ms
FROM jsonb_to_recordset(%(rows)s::jsonb) AS row(link_id bigint, wallet_id uuid, no bigint, event_id bigint,
    strategy text, at_ms bigint, net bigint, total bigint, peak bigint, fall bigint, losses int, lost_stake bigint,
    lost_at_ms bigint)
ORDER BY link_id, wallet_id, no"""

# --- what clients are told ----------------------------------------------------------------------------

# Transitions, and what the owner told: of parameters the newest, of commands those of the last moment, for what was to
# be done at once is not done an hour later.
_IS_TOLD = f"""CASE told.kind
         WHEN 'command' THEN told.at_ms > {DB_NOW_MS_SQL} - %(command_ms)s
         ELSE NOT EXISTS (SELECT FROM ea_instruction AS later WHERE later.link_id = told.link_id
                          AND later.kind = 'params' AND later.strategy = told.strategy AND later.rev > told.rev) END"""
FRAMES = f"""
SELECT no, frame FROM (
    (SELECT no, frame FROM ea_order_event
     WHERE link_id = %(link_id)s AND no > %(after)s AND frame IS NOT NULL ORDER BY no LIMIT %(limit)s)
    UNION ALL
    (SELECT no, frame FROM ea_instruction AS told
     WHERE link_id = %(link_id)s AND no > %(after)s AND {_IS_TOLD} ORDER BY no LIMIT %(limit)s)
) AS frames ORDER BY no LIMIT %(limit)s"""

# The same for many installations at once, each from where its connections are.
FRAMES_EACH = f"""
SELECT asked.link_id, told.no, told.frame
FROM unnest(%(links)s::bigint[], %(afters)s::bigint[]) AS asked(link_id, after) CROSS JOIN LATERAL (
    (SELECT no, frame FROM ea_order_event AS step
     WHERE step.link_id = asked.link_id AND step.no > asked.after AND frame IS NOT NULL ORDER BY no LIMIT %(limit)s)
    UNION ALL
    (SELECT no, frame FROM ea_instruction AS told
     WHERE told.link_id = asked.link_id AND told.no > asked.after AND {_IS_TOLD} ORDER BY no LIMIT %(limit)s)
    ORDER BY no LIMIT %(limit)s
) AS told
ORDER BY asked.link_id, told.no"""

NEWS = """
SELECT asked.link_id FROM unnest(%(links)s::bigint[], %(afters)s::bigint[]) AS asked(link_id, after)
JOIN ea_counter AS counter ON counter.link_id = asked.link_id AND counter.no > asked.after
WHERE counter.link_id = ANY(%(links)s::bigint[])"""

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

"""The bridge's promises as queries: each counts its violations since ``since_ms``, 0 for all."""

from __future__ import annotations

# Two ends make the planner use the indexes on time.
_LOGGED = "event.log_us >= %(since_ms)s::bigint * 1000 AND event.log_us < 9000000000000000000"
_COUNTED = "tally.at_ms >= %(since_ms)s AND tally.at_ms < 9000000000000000"
_ACCEPTED = "placed.accepted_at_ms >= %(since_ms)s AND placed.accepted_at_ms < 9000000000000000"

CHECKS: dict[str, str] = {
    # An event without its row would never be executed; an order without its event, or two of one, would be made up.
    "I-34 each event of the bridge is one order at most, and each of its orders one event": f"""
        SELECT (SELECT count(*) FROM ea_event AS event WHERE {_LOGGED}
                  AND NOT EXISTS (SELECT FROM ea_order WHERE ea_order.event_id = event.id))
             + (SELECT count(*) FROM trading_order AS placed WHERE {_ACCEPTED} AND placed.source = 'ea'
                  AND NOT EXISTS (
                      SELECT FROM ea_order AS o JOIN ea_event AS event ON event.id = o.event_id
                      WHERE o.wallet_id = placed.wallet_id AND o.client_order_id = placed.client_order_id
                        AND placed.client_order_id = 'ea:' || event.event_id
                        AND o.state IN ('submitted', 'accepted', 'open', 'settled', 'unknown')))
             + (SELECT count(*) FROM ea_event AS event JOIN ea_order AS o ON o.event_id = event.id
                WHERE {_LOGGED} AND o.state IN ('accepted', 'open', 'settled') AND NOT EXISTS (
                      SELECT FROM trading_order AS placed WHERE placed.id = o.order_id AND placed.source = 'ea'
                        AND placed.wallet_id = o.wallet_id AND placed.client_order_id = o.client_order_id))""",
    "I-34 each order of the bridge stands where its steps have led it": f"""
        SELECT count(*) FROM ea_event AS event JOIN ea_order AS o ON o.event_id = event.id
        LEFT JOIN LATERAL (SELECT count(*) AS steps, max(step.step) AS last FROM ea_order_event AS step
                           WHERE step.order_id = o.event_id) AS made ON true
        LEFT JOIN ea_order_event AS newest ON newest.order_id = o.event_id AND newest.step = o.step
        WHERE {_LOGGED} AND (made.steps <> o.step OR coalesce(made.last, 0) <> o.step
                             OR o.state <> coalesce(newest.state, 'received'))""",
    # Limits on losses are judged by these rows: one for each result, each going on from the one before it.
    "I-34 the results of an installation are counted once each and add up": f"""
        SELECT (SELECT count(*) FROM ea_result_tally AS tally
                LEFT JOIN ea_result_tally AS before ON before.link_id = tally.link_id
                      AND before.wallet_id = tally.wallet_id AND before.no = tally.no - 1
                LEFT JOIN ea_order AS o ON o.event_id = tally.event_id
                LEFT JOIN trading_order AS placed ON placed.id = o.order_id
                WHERE {_COUNTED} AND (tally.total <> coalesce(before.total, 0) + tally.net
                      OR (before.no IS NULL) <> (tally.no = 1)
                      OR tally.event_id IS NOT NULL AND ROW(tally.link_id, tally.wallet_id, tally.strategy, tally.net)
                         IS DISTINCT FROM ROW(o.link_id, placed.wallet_id, o.strategy, placed.payout - placed.stake)))
             + (SELECT count(*) FROM ea_event AS event JOIN ea_order AS o ON o.event_id = event.id
                WHERE {_LOGGED} AND o.state = 'settled' AND NOT EXISTS (
                      SELECT FROM ea_result_tally AS tally WHERE tally.event_id = o.event_id))""",
    # Every event covers the one in front of it, and a chain begins with its own name.
    "I-34 the log of the bridge is chained without a break": f"""
        SELECT count(*) FROM ea_event AS event
        LEFT JOIN ea_event AS before ON before.chain = event.chain AND before.chain_no = event.chain_no - 1
        WHERE {_LOGGED} AND (event.sha256 <> sha256(event.raw) OR event.prev_sha256 IS DISTINCT FROM
              CASE WHEN event.chain_no = 1 THEN sha256(uuid_send(event.chain))
                   ELSE sha256(before.prev_sha256 || before.sha256) END)""",
}

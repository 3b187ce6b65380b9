"""Invariants of orders and their events as queries: each counts its violations since ``since_ms``, 0 for all.

Orders are found by the instants at which they were accepted or settled, for which an index keeps a summary of each
stretch of their table.
"""

from __future__ import annotations

from kernel.clock import DB_NOW_MS_SQL
from quotes.domain import ADMISSION
from quotes.payouts import PAYOUT_1
from realtime.invariants import EVENTS_LATELY, kept_sql, minor_sql
from settlement.statistics import BOOK_KIND_SQL, COUNTS_SQL, DAY_SQL, FACT, SUBSCRIBER

# How long an order may stay open past expiry and grace before it counts as late.
SETTLEMENT_LATE_MS = 15_000
HOUR_MS, DAY_MS = 3_600_000, 86_400_000

# Two ends make the planner use the index on time.
_ACCEPTED = "o.accepted_at_ms >= %(since_ms)s AND o.accepted_at_ms < 9000000000000000"
_SETTLED = "o.settled_at_ms >= %(since_ms)s AND o.settled_at_ms < 9000000000000000"
# Read first and on their own: the index on families would name every order's transfers.
_TRANSFERS = """(SELECT * FROM ledger_transfer
                WHERE at_ms >= %(since_ms)s AND at_ms < 9000000000000000 OFFSET 0) AS t"""
# Each open order asks for its row: most orders are not open.
_DUE = """trading_order_open AS w
        LEFT JOIN LATERAL (SELECT * FROM trading_order WHERE id = w.order_id OFFSET 0) AS o ON true"""

# Figures are those of whole days.
_DAY_BEGINS = f"(%(since_ms)s::bigint / {DAY_MS} * {DAY_MS})"


def _waiting(begins_ms: str) -> str:
    """Return the tables of what the statistics have still to count since an instant, and of what they must have."""
    return f"""
    waiting AS (SELECT unnest("references") AS id FROM kernel_fact_batch
                WHERE fact = '{FACT}' AND subscriber = '{SUBSCRIBER}'),
    o AS (SELECT * FROM trading_order AS any_order
          WHERE settled_at_ms >= {begins_ms} AND settled_at_ms < 9000000000000000
            AND NOT EXISTS (SELECT FROM waiting WHERE waiting.id = any_order.id))"""


_FIGURES = ("won", "lost", "tied", "refunded", "stakes", "payouts", "returned")
_DAYS = f"day >= DATE '1970-01-01' + (%(since_ms)s::bigint / {DAY_MS})::int"


def _miscounted(table: str, whose: str) -> str:
    """Return the query that counts the days whose figures are not those of their orders."""
    kept, found = (", ".join(f"{side}.{figure}" for figure in _FIGURES) for side in ("kept", "found"))
    return f"""(
        SELECT count(*) FROM (SELECT * FROM {table} WHERE {_DAYS}) AS kept
        FULL JOIN (
            SELECT {DAY_SQL} AS day, {BOOK_KIND_SQL} AS book_kind, {whose}, currency, {COUNTS_SQL} FROM o
            GROUP BY 1, 2, 3, 4) AS found USING (day, book_kind, {whose}, currency)
        WHERE ({kept}) IS DISTINCT FROM ({found}))"""


_MONEY: dict[str, str] = {
    "I-01 each order has exactly the transfers it demands": f"""
        WITH demanded AS (
            SELECT id, 'order.stake' AS family, 'stake' AS kind, stake AS amount FROM trading_order o WHERE {_ACCEPTED}
            UNION ALL SELECT id, 'order.close', state, stake FROM trading_order o WHERE {_SETTLED}
            UNION ALL SELECT id, 'order.profit', 'profit', payout - stake FROM trading_order o
                WHERE state = 'won' AND payout > stake AND {_SETTLED}
        ), made AS (
            SELECT reference AS id, family, kind, amount FROM {_TRANSFERS} WHERE family LIKE 'order.%%'
        )
        SELECT count(*) FROM demanded FULL JOIN made USING (id, family, kind, amount)
        WHERE demanded.id IS NULL OR made.id IS NULL""",
    "I-01 each order's transfers touch its own accounts": f"""
        SELECT count(*) FROM {_TRANSFERS}
        JOIN trading_order o ON o.id = t.reference
        JOIN ledger_account stakes ON stakes.wallet_id = o.wallet_id
        JOIN ledger_account debit ON debit.id = t.debit_account_id
        JOIN ledger_account credit ON credit.id = t.credit_account_id
        WHERE NOT CASE
            WHEN t.family = 'order.stake' THEN debit.id = o.wallet_id AND credit.id = stakes.id
            WHEN t.family = 'order.close' AND t.kind = 'lost' THEN debit.id = stakes.id AND credit.kind = 'house'
            WHEN t.family = 'order.close' THEN debit.id = stakes.id AND credit.id = o.wallet_id
            WHEN t.family = 'order.profit' THEN debit.kind = 'house' AND credit.id = o.wallet_id
            ELSE false END""",
    "I-10 profit is stake x payout // 100": f"""
        SELECT count(*) FROM trading_order o
        WHERE state = 'won' AND payout <> stake + stake * payout_percent / 100 AND {_SETTLED}""",
    "I-11 each order settles exactly once": f"""
        SELECT (SELECT count(*) FROM {_DUE} WHERE o.state IS DISTINCT FROM 'open')
             + (SELECT count(*) FROM trading_order o WHERE state = 'open' AND {_ACCEPTED}
                AND NOT EXISTS (SELECT FROM trading_order_open w WHERE w.order_id = o.id))
             + (SELECT count(*) FROM {_TRANSFERS} WHERE family = 'order.close' AND EXISTS (
                    SELECT FROM ledger_transfer other
                    WHERE other.family = t.family AND other.reference = t.reference AND other.id <> t.id))""",
    # Exposure caps, entry and settlement read these copies and not the order.
    "I-11 what is due says what its order says": f"""
        SELECT count(*) FROM {_DUE}
        WHERE o.id IS NOT NULL AND (
            (w.symbol_id, w.wallet_id, w.expires_at_ms, w.stake, w.up, w.exposed) IS DISTINCT FROM
            (o.symbol_id, o.wallet_id, o.expires_at_ms, o.stake, o.direction = 'up', o.book = 'real')
            OR (w.entry_after_seq IS NOT NULL) IS DISTINCT FROM (o.entry_after_seq IS NOT NULL AND o.open_seq IS NULL)
            OR w.entry_after_seq <> o.entry_after_seq OR w.entry_until_ms <> o.entry_until_ms)""",
}

_RESULTS: dict[str, str] = {
    "I-13 the evidence tick is the last at or before expiry": f"""
        SELECT count(*) FROM trading_order o
        WHERE o.state <> 'open' AND o.open_seq IS NOT NULL AND o.reason IS DISTINCT FROM 'price_moved' AND {_SETTLED}
          AND (
            EXISTS (SELECT FROM quotes_tick t WHERE t.symbol_id = o.symbol_id AND t.at_ms <= o.expires_at_ms
                    AND t.at_ms >= coalesce(o.close_at_ms, CASE WHEN o.settlement_rule = 'trimmed_mean_10s/1'
                                                                THEN o.expires_at_ms - 9999 ELSE 0 END)
                    AND t.seq > coalesce(o.close_seq, 0))
            OR o.close_at_ms > o.expires_at_ms
            OR (o.state <> 'refunded' AND o.expires_at_ms - o.close_at_ms > o.max_tick_age_ms))""",
    # Orders of one symbol, expiry, rule and revision see the same price; up wins exactly where down loses.
    "I-15 orders of one expiry share their price, and up mirrors down": f"""
        SELECT (SELECT count(*) FROM (
                    SELECT FROM trading_order o WHERE state IN ('won', 'lost', 'tied') AND {_SETTLED}
                    GROUP BY symbol_id, expires_at_ms, settlement_rule, revision
                    HAVING count(DISTINCT (close_seq, close_price)) > 1) AS parted)
             + (SELECT count(*) FROM trading_order o WHERE {_SETTLED} AND state <> CASE
                    WHEN state = 'refunded' THEN state
                    WHEN close_price = open_price THEN 'tied'
                    WHEN (close_price > open_price) = (direction = 'up') THEN 'won' ELSE 'lost' END)
             + (SELECT count(*) FROM trading_order o WHERE {_SETTLED} AND (
                    state IN ('tied', 'refunded') AND payout <> stake OR state = 'lost' AND payout <> 0))""",
    # An order that could not enter is decided at its time limit; one whose entry was refused, at its entry. A raise
    # that made an order due is not much older than the order: only the days since then are searched.
    "I-16 no order settled before its symbol's watermark reached its expiry": f"""
        SELECT count(*) FROM trading_order o
        WHERE o.state <> 'open' AND (o.open_seq IS NOT NULL OR o.reason <> 'revision')
          AND o.reason IS DISTINCT FROM 'price_moved' AND {_SETTLED}
          -- Raises go with the days of ticks that are in the archive only.
          AND o.settled_at_ms >= coalesce((SELECT extract(epoch FROM max(day) + 2)::bigint * 1000
                                           FROM quotes_tick_archive WHERE dropped_at_ms IS NOT NULL), 0)
          AND NOT EXISTS (
            SELECT FROM quotes_watermark_raise r
            WHERE r.symbol_id = o.symbol_id AND r.raised_at_ms <= o.settled_at_ms
              AND r.raised_at_ms >= o.accepted_at_ms - {DAY_MS}
              AND r.watermark_ms >= CASE WHEN o.reason = 'no_entry_tick' THEN o.entry_until_ms
                                         ELSE o.expires_at_ms END)""",
    "I-17 the opening tick was fresh at acceptance, or the next one after it": f"""
        SELECT count(*) FROM trading_order o
        WHERE open_at_ms IS NOT NULL
          AND o.accepted_at_ms >= %(since_ms)s - {HOUR_MS} AND o.accepted_at_ms < 9000000000000000
          AND CASE WHEN entry_rule = 'next_tick/1' THEN open_seq <> entry_after_seq + 1 OR open_at_ms > entry_until_ms
                   ELSE accepted_at_ms - open_at_ms > max_tick_age_ms END""",
    # An order's time is read under its wallet's lock, so it is not before that of the entry in front of it. A clock
    # that was read before the wait, or when the transaction began, would be.
    "I-17 the clock of acceptance was read after the wallet's lock": f"""
        SELECT count(*) FROM {_TRANSFERS}
        WHERE t.family = 'order.stake' AND EXISTS (
            SELECT FROM ledger_transfer e
            WHERE e.debit_account_id = t.debit_account_id AND e.debit_no = t.debit_no - 1 AND e.at_ms > t.at_ms
            UNION ALL
            SELECT FROM ledger_transfer e
            WHERE e.credit_account_id = t.debit_account_id AND e.credit_no = t.debit_no - 1 AND e.at_ms > t.at_ms)""",
    # What the client was told at acceptance is in the event log, which nobody can change: no later edit of a symbol
    # has reached the order.
    "I-18 an order's terms are those that its client was told": f"""
        SELECT (SELECT count(*) FROM realtime_event e JOIN trading_order o ON o.id = (e.payload->>'id')::uuid
                WHERE e.type IN ('order.accepted', 'order.opened', 'order.settled') AND {EVENTS_LATELY}
                  AND (e.payload->>'payout_percent', e.payload->>'direction', e.payload->>'symbol',
                       e.payload->>'entry_rule', e.payload->>'settlement_rule', e.payload->>'wallet_id',
                       {minor_sql("e.payload->>'stake'", "o.currency")}, (e.payload->>'expires_at')::timestamptz)
                      IS DISTINCT FROM
                      (o.payout_percent::text, o.direction::text, o.symbol::text, o.entry_rule::text,
                       o.settlement_rule::text, o.wallet_id::text,
                       o.stake::numeric, to_timestamp(o.expires_at_ms / 1000.0)))
             + (SELECT count(*) FROM trading_order o
                LEFT JOIN quotes_symbol_revision r ON r.symbol_id = o.symbol_id AND r.number = o.revision
                WHERE {_ACCEPTED} AND o.price_scale IS DISTINCT FROM r.price_scale)""",
    "I-19 no order is open long past its expiry": f"""
        SELECT count(*) FROM trading_order_open
        WHERE expires_at_ms < {DB_NOW_MS_SQL} - {ADMISSION.grace_ms + SETTLEMENT_LATE_MS}""",
    # A placement may read the windows just before a change of hours commits: hence the half minute, no statement's
    # transaction lasts longer.
    "I-21 every order was accepted in a session that holds its whole life": f"""
        SELECT count(*) FROM trading_order o WHERE o.session_closes_ms IS NOT NULL AND {_ACCEPTED} AND (
            o.expires_at_ms > o.session_closes_ms OR NOT EXISTS (
                SELECT FROM quotes_trading_window w
                WHERE w.closes_ms = o.session_closes_ms AND w.opens_ms <= o.accepted_at_ms
                  AND w.made_at_ms <= o.accepted_at_ms
                  AND coalesce(w.superseded_at_ms, o.accepted_at_ms) >= o.accepted_at_ms - 30000))""",
    # A second opinion by the database's own time zones: what people saved is compared with the clock on the
    # exchange's wall. Hours that were changed after the order say nothing about it.
    "I-21 every order was accepted in the local hours of its exchange and on no holiday": f"""
        WITH placed AS (
            SELECT o.id, w.calendar_id, date_trunc('minute', to_timestamp(o.accepted_at_ms / 1000.0)
                                                             AT TIME ZONE c.time_zone) AS local
            FROM trading_order o
            JOIN quotes_trading_window w ON w.closes_ms = o.session_closes_ms AND w.opens_ms <= o.accepted_at_ms
             AND w.made_at_ms <= o.accepted_at_ms AND w.superseded_at_ms IS NULL
            JOIN quotes_calendar c ON c.id = w.calendar_id
            WHERE o.session_closes_ms IS NOT NULL AND {_ACCEPTED} AND o.accepted_at_ms > (
                SELECT max(change.at_ms) FROM quotes_calendar_change change WHERE change.calendar_name = c.name)
        ), clocked AS (
            SELECT *, local::date AS day, extract(isodow FROM local)::int - 1 AS weekday,
                   (extract(hour FROM local) * 60 + extract(minute FROM local))::int AS minute
            FROM placed
        )
        SELECT count(*) FROM clocked WHERE NOT EXISTS (
            SELECT FROM quotes_session s WHERE s.calendar_id = clocked.calendar_id AND (
                s.weekday = clocked.weekday AND s.opens_minute <= minute AND s.closes_minute > minute
                OR s.weekday = (clocked.weekday + 6) %% 7 AND s.closes_minute > minute + 1440)
        ) OR EXISTS (
            SELECT FROM quotes_holiday h WHERE h.calendar_id = clocked.calendar_id AND h.day = clocked.day
              AND NOT coalesce(h.opens_minute <= minute AND h.closes_minute > minute, false))""",
}

_COUNTED = "I-35 each settled order is counted once in the statistics, or waits for it"

_TOLD: dict[str, str] = {
    # The event of an entry is some milliseconds from the entry: events are read from a little earlier on.
    "I-29 each order has its events, and each event its order": f"""
        WITH demanded AS (
            SELECT user_id, id, 'order.accepted' AS type, accepted_at_ms AS at_ms FROM trading_order o
                WHERE entry_rule = 'next_tick/1' AND {_ACCEPTED}
            UNION ALL SELECT user_id, id, 'order.opened', entered_at_ms FROM trading_order o
                WHERE open_seq IS NOT NULL AND reason IS DISTINCT FROM 'price_moved' AND entered_at_ms >= %(since_ms)s
                  AND o.accepted_at_ms >= %(since_ms)s - {HOUR_MS} AND o.accepted_at_ms < 9000000000000000
            UNION ALL SELECT user_id, id, 'order.settled', settled_at_ms FROM trading_order o WHERE {_SETTLED}
        ), told AS MATERIALIZED (
            SELECT e.user_id, (e.payload->>'id')::uuid AS id, e.type, e.at_ms FROM realtime_event e
            WHERE e.type IN ('order.accepted', 'order.opened', 'order.settled')
              AND e.at_ms >= %(since_ms)s - 5000 AND e.at_ms < 9000000000000000
        )
        SELECT (SELECT count(*) FROM demanded
                JOIN realtime_event_counter c USING (user_id)
                LEFT JOIN told USING (user_id, id, type) WHERE told.id IS NULL AND {kept_sql("demanded.at_ms")})
             + (SELECT count(*) - count(DISTINCT (id, type)) FROM told)
             + (SELECT count(*) FROM told LEFT JOIN trading_order o ON o.id = told.id AND o.user_id = told.user_id
                WHERE NOT coalesce(CASE told.type WHEN 'order.settled' THEN o.state <> 'open'
                                                  WHEN 'order.opened' THEN o.open_seq IS NOT NULL
                                                  ELSE o.entry_after_seq IS NOT NULL END, false))""",
    _COUNTED: f"""
        WITH {_waiting(_DAY_BEGINS)}
        SELECT {_miscounted("settlement_daily_symbol", "symbol_id")}
             + {_miscounted("settlement_daily_user", "user_id")}""",
    "I-35 the payout's window has each real order that was won or lost lately": f"""
        WITH {_waiting("%(since_ms)s")}
        SELECT (SELECT count(*) FROM settlement_window_order w LEFT JOIN trading_order t ON t.id = w.order_id
                WHERE w.settled_at_ms >= %(since_ms)s
                  AND (t.book, t.state, t.symbol_id, t.user_id, t.stake, t.settled_at_ms) IS DISTINCT FROM
                      ('real', CASE WHEN w.won THEN 'won' ELSE 'lost' END,
                       w.symbol_id, w.user_id, w.stake, w.settled_at_ms))
             + (SELECT count(*) FROM o WHERE o.book = 'real' AND o.state IN ('won', 'lost')
                  AND o.settled_at_ms > {DB_NOW_MS_SQL} - {PAYOUT_1.window_ms}
                  AND NOT EXISTS (SELECT FROM settlement_window_order w WHERE w.order_id = o.id))""",
    # Whatever follows settled orders applies each batch and deletes it in one transaction: what waits is settled, and
    # waits once.
    "I-35 what waits for a follower is a settled order, and waits once": f"""
        WITH waits AS (
            SELECT batch.subscriber, reference.id FROM kernel_fact_batch AS batch
            CROSS JOIN LATERAL unnest(batch."references") AS reference(id) WHERE batch.fact = '{FACT}'
        )
        SELECT (SELECT count(*) - count(DISTINCT (subscriber, id)) FROM waits)
             + (SELECT count(*) FROM waits LEFT JOIN trading_order o ON o.id = waits.id
                WHERE coalesce(o.state, 'open') = 'open')""",
}

# What the database refuses by itself, by the table that it guards. The ledger names its own guards.
_TRIGGERS = {
    "trading_order": ("trading_order_frozen", "trading_order_kept", "trading_order_no_truncate"),
    "quotes_tick": ("quotes_tick_append_only", "quotes_tick_no_truncate"),
    "quotes_watermark_raise": ("quotes_watermark_raise_append_only", "quotes_watermark_raise_no_truncate"),
    "quotes_symbol_head": ("quotes_head_forward",),
    "quotes_symbol_revision": ("quotes_revision_frozen", "quotes_revision_kept"),
    "quotes_trading_window": ("quotes_window_frozen",),
    "quotes_feed_declaration": ("quotes_feed_declaration_append_only", "quotes_feed_declaration_no_truncate"),
    "quotes_incident": ("quotes_incident_append_only", "quotes_incident_no_truncate"),
    "quotes_calendar_change": ("quotes_calendar_change_append_only", "quotes_calendar_change_no_truncate"),
    "quotes_seal": ("quotes_seal_follows", "quotes_seal_append_only", "quotes_seal_no_truncate"),
    "quotes_seal_origin": ("quotes_seal_origin_append_only", "quotes_seal_origin_no_truncate"),
    "quotes_day_archive": ("quotes_day_archive_append_only", "quotes_day_archive_no_truncate"),
    "quotes_day_manifest": ("quotes_day_manifest_append_only", "quotes_day_manifest_no_truncate"),
    "kernel_signing_key": ("kernel_signing_key_guard", "kernel_signing_key_no_truncate"),
    "settlement_resettlement": ("settlement_resettlement_append_only", "settlement_resettlement_no_truncate"),
    "settlement_invariant_night": ("settlement_invariant_night_append_only", "settlement_invariant_night_no_truncate"),
    "ea_event": ("ea_event_append_only", "ea_event_no_truncate"),
    "ea_order": (
        *("ea_order_starts", "ea_order_guard", "ea_order_stands", "ea_order_kept", "ea_order_has_event"),
        "ea_order_no_truncate",
    ),
    "ea_order_event": ("ea_order_event_follows", "ea_order_event_append_only", "ea_order_event_no_truncate"),
    "ea_latency": ("ea_latency_append_only", "ea_latency_no_truncate"),
    "ea_alert": ("ea_alert_append_only", "ea_alert_no_truncate"),
    "ea_counter": ("ea_counter_guard", "ea_counter_kept"),
    "ea_key": ("ea_key_guard", "ea_key_versioned"),
    # Without one of these a change would not hold for signals before executors start anew.
    "ea_link": ("ea_link_versioned",),
    "ea_symbol_alias": ("ea_symbol_alias_versioned",),
    "ea_trading_switch": ("ea_trading_switch_versioned",),
    "ea_risk_limits": ("ea_risk_limits_versioned",),
    "ea_risk_stop": ("ea_risk_stop_versioned",),
    "quotes_symbol": ("ea_symbols_versioned",),
    "realtime_event": ("realtime_event_guard", "realtime_event_no_truncate"),
    "realtime_event_counter": ("realtime_event_counter_guard", "realtime_event_counter_kept"),
}
_CONSTRAINTS = {
    "ledger_transfer": (
        "ledger_transfer_once",
        "ledger_transfer_amount",
        "ledger_transfer_family_book",
        "ledger_transfer_numbered",
        "ledger_transfer_two_accounts",
    ),
    "trading_order": (
        "trading_order_client_id",
        "trading_order_terms",
        "trading_order_entry",
        "trading_order_states",
        "trading_order_direction",
        "trading_order_in_session",
        "trading_order_opening",
        "trading_order_reasons",
    ),
    "ea_event": ("ea_event_seq", "ea_event_chain", "ea_event_digests"),
    "ea_order_event": ("ea_order_event_step", "ea_order_event_no", "ea_order_event_way"),
    "quotes_trading_window": ("quotes_window_no_overlap",),
    "quotes_symbol_revision": ("quotes_revision_emergency_two_persons",),
}
# What the application may not do to which tables: U for update, D for delete; none may be emptied or be its own.
CLOSED = {
    "ledger_account": "D",
    "ledger_transfer": "UD",
    "ledger_adjustment": "UD",
    "ledger_adjustment_request": "D",
    "ledger_checkpoint": "UD",
    "trading_order": "D",
    "quotes_tick": "UD",
    "quotes_watermark_raise": "UD",
    "quotes_symbol_revision": "D",
    "quotes_feed_declaration": "UD",
    "quotes_incident": "UD",
    "quotes_calendar_change": "UD",
    "quotes_seal": "UD",
    "quotes_seal_origin": "UD",
    "quotes_day_archive": "UD",
    "quotes_day_manifest": "UD",
    "kernel_signing_key": "D",
    "settlement_resettlement": "UD",
    "settlement_invariant_night": "UD",
    "realtime_event": "U",
    "ea_event": "UD",
    "ea_order_event": "UD",
    "ea_latency": "UD",
    "ea_alert": "UD",
    "ea_order": "D",
}


def _pairs(names: dict[str, tuple[str, ...]]) -> str:
    return ", ".join(f"('{table}', '{name}')" for table, all_of in names.items() for name in all_of)


_WALLS: dict[str, str] = {
    "I-07 every guard of the database is in place": f"""
        SELECT (SELECT count(*) FROM (VALUES {_pairs(_TRIGGERS)}) AS needed(relation, name) WHERE NOT EXISTS (
                    SELECT FROM pg_trigger WHERE tgrelid = to_regclass(needed.relation) AND tgname = needed.name
                      AND tgenabled IN ('O', 'A')))
             + (SELECT count(*) FROM (VALUES {_pairs(_CONSTRAINTS)}) AS needed(relation, name)
                WHERE NOT EXISTS (SELECT FROM pg_constraint
                                  WHERE conrelid = to_regclass(needed.relation) AND conname = needed.name))""",
    # On a server without a role of this name it is the role that asks: one that owns the tables is one too many.
    "I-07 the application's role cannot change what is append-only": f"""
        WITH application AS (
            SELECT oid, rolsuper FROM pg_roles
            WHERE rolname = CASE WHEN EXISTS (SELECT FROM pg_roles WHERE rolname = 'fairstrike')
                                 THEN 'fairstrike' ELSE current_user END
        ), closed AS (
            SELECT c.oid, c.relowner, needed.rights
            FROM (VALUES {", ".join(f"('{table}', '{rights}')" for table, rights in CLOSED.items())})
                AS needed(relation, rights)
            CROSS JOIN LATERAL (
                SELECT to_regclass(needed.relation)::oid AS oid
                UNION SELECT inhrelid FROM pg_inherits WHERE inhparent = to_regclass(needed.relation)
            ) AS part
            JOIN pg_class c ON c.oid = part.oid
        )
        SELECT count(*) FROM closed, application a
        WHERE a.rolsuper OR pg_has_role(a.oid, closed.relowner, 'MEMBER')
           OR has_table_privilege(a.oid, closed.oid, 'TRUNCATE, TRIGGER')
           OR rights LIKE '%%D%%' AND has_table_privilege(a.oid, closed.oid, 'DELETE')
           OR rights LIKE '%%U%%' AND has_any_column_privilege(a.oid, closed.oid, 'UPDATE')""",
}

CHECKS: dict[str, str] = _WALLS | _MONEY | _RESULTS | _TOLD


def _totals(table: str) -> str:
    """Return the query of a table's figures by day, ledger and currency."""
    sums = ", ".join(f"sum({figure}) AS {figure}" for figure in _FIGURES)
    return f"SELECT day, book_kind, currency, {sums} FROM {table} WHERE {_DAYS} GROUP BY 1, 2, 3"


_SAME = " OR ".join(f"s.{figure} IS DISTINCT FROM u.{figure}" for figure in _FIGURES)

# Each minute the two tables of figures are compared with each other, and each night with the orders.
LATELY_CHECKS: dict[str, str] = CHECKS | {
    _COUNTED: f"""
        SELECT count(*) FROM ({_totals("settlement_daily_symbol")}) AS s
        FULL JOIN ({_totals("settlement_daily_user")}) AS u USING (day, book_kind, currency)
        WHERE {_SAME}""",
}

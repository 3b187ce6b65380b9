"""The limit of settlement: the same work as one SQL statement that decides and writes in the database."""

from __future__ import annotations

from kernel.clock import DB_NOW_MS_SQL
from ledger.domain import DEMO, HOUSE_STRIPES, AccountKind, house_account_id
from settlement.statements import CLAIM

_TIME = "to_char(to_timestamp({0} / 1000.0) AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')"
_MONEY = "trim_scale(({0})::numeric / 100)::text"


def _time(column: str) -> str:
    return _TIME.format(column)


def _money(column: str) -> str:
    return _MONEY.format(column)


# It looks for what is due and locks it in one go.
_FOUND = """opened.expires_at_ms <= (SELECT max(watermark_ms) FROM quotes_symbol_head)
      AND NOT opened.order_id = ANY(%(skip)s)"""
_CLAIMED = CLAIM.replace("opened.order_id = ANY(%(ids)s::uuid[])", _FOUND)
_CLAIMED = _CLAIMED.replace("FOR NO KEY UPDATE OF opened", "LIMIT %(limit)s FOR NO KEY UPDATE OF opened")
_CLAIMED = _CLAIMED.replace(f"SELECT {DB_NOW_MS_SQL}, ", f"SELECT {DB_NOW_MS_SQL} AS now_ms, ")
_DUE = _CLAIMED[_CLAIMED.index("WITH due") + len("WITH ") : _CLAIMED.index("SELECT floor")]
_ROWS = _CLAIMED[_CLAIMED.index("SELECT floor") :]
# The evidence by names, as the rest of the statement reads it.
_ROWS = (
    _ROWS.replace("evidence.seq, evidence.at_ms, evidence.price, evidence.revision",
                  "evidence.seq AS tick_seq, evidence.at_ms AS tick_at_ms, evidence.price AS tick_price,"
                  " evidence.revision AS tick_revision")
    .replace("coalesce(declared.closed, false)", "coalesce(declared.closed, false) AS feed_closed")
    .replace("AND later.since_ms <= o.expires_at_ms)", "AND later.since_ms <= o.expires_at_ms) AS emergency")
)  # fmt: skip

# The last byte of the id says which of the house's accounts is booked, as the ledger's own rule does.
_HOUSES = ", ".join(f"'{house_account_id(DEMO, 'USD', AccountKind.HOUSE, n)}'" for n in range(HOUSE_STRIPES))
_STRIPE = f"(ARRAY[{_HOUSES}]::uuid[])[1 + get_byte(uuid_send(id), 15) %% {HOUSE_STRIPES}]"

SETTLE = f"""
WITH {_DUE.rstrip()},
claimed AS MATERIALIZED ({_ROWS}),
judged AS MATERIALIZED (
    SELECT claimed.*, CASE
        WHEN emergency OR feed_closed OR tick_seq IS NULL OR expires_at_ms - tick_at_ms > max_tick_age_ms
             OR tick_revision <> revision THEN 'refunded'
        WHEN tick_price = open_price THEN 'tied'
        WHEN (tick_price > open_price) = (direction = 'up') THEN 'won' ELSE 'lost' END AS state,
        CASE WHEN emergency THEN 'revision' WHEN feed_closed THEN 'feed_closed' WHEN tick_seq IS NULL THEN 'no_tick'
             WHEN expires_at_ms - tick_at_ms > max_tick_age_ms THEN 'stale_tick'
             WHEN tick_revision <> revision THEN 'revision' END AS reason
    FROM claimed
), decided AS MATERIALIZED (
    SELECT judged.*, CASE state WHEN 'won' THEN stake + stake * payout_percent / 100
                                WHEN 'lost' THEN 0 ELSE stake END AS payout,
           {_STRIPE} AS house
    FROM judged
), locked AS MATERIALIZED (
    SELECT id, balance, entry_no, owner_id, book, currency FROM ledger_account
    WHERE id IN (SELECT wallet_id FROM decided) ORDER BY id FOR NO KEY UPDATE
), numbered AS MATERIALIZED (
    SELECT decided.*, locked.balance AS wallet_before, locked.entry_no AS wallet_no, stakes.id AS stakes_id,
           stakes.balance AS stakes_before, stakes.entry_no AS stakes_no,
           row_number() OVER turn AS n, sum(stake) OVER turn AS stake_sum, sum(payout) OVER turn AS payout_sum,
           sum(CASE state WHEN 'lost' THEN 0 WHEN 'won' THEN CASE WHEN payout > stake THEN 2 ELSE 1 END ELSE 1 END)
               OVER turn AS credits
    FROM decided JOIN locked ON locked.id = decided.wallet_id JOIN ledger_account AS stakes
         ON stakes.wallet_id = decided.wallet_id
    WINDOW turn AS (PARTITION BY decided.wallet_id ORDER BY decided.expires_at_ms, decided.id
                    ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
), sums AS MATERIALIZED (
    SELECT wallet_id, stakes_id, sum(payout) AS payout, sum(stake) AS stake, max(n) AS orders, max(credits) AS credits
    FROM numbered GROUP BY 1, 2
), wallets AS (
    UPDATE ledger_account AS a SET balance = balance + payout, entry_no = entry_no + credits
    FROM sums WHERE a.id = sums.wallet_id AND credits > 0 RETURNING a.id
), stakes AS (
    UPDATE ledger_account AS a SET balance = balance - stake, entry_no = entry_no + orders
    FROM sums WHERE a.id = sums.stakes_id RETURNING a.id
), closes AS (
    INSERT INTO ledger_transfer (id, entry_id, family, kind, reference, debit_account_id, credit_account_id, amount,
                                 book, currency, debit_no, debit_after, credit_no, credit_after, at_ms)
    SELECT gen_random_uuid(), id, 'order.close', state, id, stakes_id,
           CASE state WHEN 'lost' THEN house ELSE wallet_id END, stake, book, currency, stakes_no + n,
           stakes_before - stake_sum,
           CASE WHEN state <> 'lost' THEN wallet_no + credits - CASE WHEN payout > stake THEN 1 ELSE 0 END END,
           CASE WHEN state <> 'lost' THEN wallet_before + payout_sum - (payout - stake) END, now_ms
    FROM numbered
), profits AS (
    INSERT INTO ledger_transfer (id, entry_id, family, kind, reference, debit_account_id, credit_account_id, amount,
                                 book, currency, credit_no, credit_after, at_ms)
    SELECT gen_random_uuid(), id, 'order.profit', 'profit', id, house, wallet_id, payout - stake, book, currency,
           wallet_no + credits, wallet_before + payout_sum, now_ms
    FROM numbered WHERE state = 'won' AND payout > stake
), orders AS (
    UPDATE trading_order AS o SET state = n.state, close_seq = tick_seq, close_at_ms = tick_at_ms,
        close_price = tick_price, reason = n.reason, payout = n.payout, settled_at_ms = now_ms,
        balance_after = wallet_before + payout_sum
    FROM numbered AS n WHERE o.id = n.id
), opened AS (
    DELETE FROM trading_order_open WHERE order_id IN (SELECT id FROM numbered)
), told AS MATERIALIZED (
    SELECT user_id, book, 'order.settled' AS type, 0 AS turn, now_ms AS at_ms, jsonb_build_object(
        'id', id, 'client_order_id', client_order_id, 'ledger', book, 'wallet_id', wallet_id, 'symbol', symbol,
        'direction', direction, 'stake', {_money("stake")}, 'payout_percent', payout_percent,
        'entry_rule', entry_rule, 'settlement_rule', settlement_rule, 'state', state,
        'accepted_at', {_time("accepted_at_ms")}, 'entered_at', {_time("entered_at_ms")},
        'open_price', (open_price::numeric / 100000)::text,
        'open_tick', jsonb_build_object('seq', open_seq, 'at', {_time("open_at_ms")},
                                        'price', (open_price::numeric / 100000)::text),
        'expires_at', {_time("expires_at_ms")}, 'close_price', (tick_price::numeric / 100000)::text,
        'close_tick', jsonb_build_object('seq', tick_seq, 'at', {_time("tick_at_ms")},
                                         'price', (tick_price::numeric / 100000)::text),
        'settled_at', {_time("now_ms")}, 'payout', {_money("payout")}, 'profit', {_money("payout - stake")},
        'reason', reason, 'source', source, 'balance_after', {_money("wallet_before + payout_sum")}) AS payload
    FROM numbered
    UNION ALL
    SELECT locked.owner_id, locked.book, 'balance.changed', 1, {DB_NOW_MS_SQL}, jsonb_build_object(
        'wallet_id', locked.id, 'ledger', locked.book, 'balance', {_money("locked.balance + sums.payout")},
        'open_stakes', {_money("sums.stake")}, 'cause', 'order.settled')
    FROM locked JOIN sums ON sums.wallet_id = locked.id
), counted AS MATERIALIZED (
    SELECT user_id FROM realtime_event_counter WHERE user_id IN (SELECT user_id FROM decided)
    ORDER BY user_id FOR NO KEY UPDATE
), raised AS (
    UPDATE realtime_event_counter AS c SET seq = c.seq + amount.n
    FROM (SELECT user_id, count(*) AS n FROM told GROUP BY 1) AS amount
    WHERE c.user_id = amount.user_id AND c.user_id IN (SELECT user_id FROM counted)
    RETURNING c.user_id, c.seq - amount.n AS before
), events AS (
    INSERT INTO realtime_event (user_id, seq, book, type, version, payload, at_ms)
    SELECT told.user_id, before + row_number() OVER (PARTITION BY told.user_id ORDER BY turn), book, type, 1, payload,
           at_ms
    FROM told JOIN raised USING (user_id)
), facts AS (
    INSERT INTO kernel_fact_batch (subscriber, fact, "references", at_ms, attempts, retry_at_ms, failed_reason)
    SELECT subscriber, 'order.settled', (SELECT array_agg(id) FROM numbered), {DB_NOW_MS_SQL}, 0, 0, ''
    FROM unnest(%(subscribers)s::text[]) AS subscriber
)
SELECT count(*) FROM numbered"""

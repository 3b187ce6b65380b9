"""Invariants of the ledger as queries: each returns the count of its violations.

``CHECKS`` start from the last checkpoints and read what is newer; ``FULL_CHECKS`` have the same names, read every
transfer, and recompute the checkpoints themselves; ``LATELY_CHECKS`` read what is newer than ``since_ms`` and are meant
for each minute.
"""

from __future__ import annotations

from django.conf import settings

from ledger.statements import CHECKPOINT_NEWEST, NEWER, entry_bytes

# The instant from which the checks of each minute read; two ends make the planner use the index on time.
_LATELY = "at_ms >= %(since_ms)s AND at_ms < 9000000000000000"
# Accounts whose balance nothing has moved lately are gone through in so many parts, one each minute.
ACCOUNT_SLICES = 64


def adjustments_approved(*, development: bool) -> str:
    """Return the check that a second person approved each adjustment and that each approval moved its money.

    Few transfers are adjustments and an index names them, so that it reads all of them in either form.

    :param development: whether adjustments without a second person count as sound
    """
    alone = "true" if development else "false"
    return f"""
        SELECT (
            SELECT count(*) FROM ledger_transfer t
            LEFT JOIN ledger_adjustment a ON a.id = t.reference
            LEFT JOIN ledger_adjustment_request r ON r.id = a.request_id
            WHERE t.family = 'adjustment' AND NOT coalesce(
                t.amount = abs(a.amount)
                AND a.account_id = CASE WHEN a.amount > 0 THEN t.credit_account_id ELSE t.debit_account_id END
                AND CASE WHEN a.origin = 'development' THEN {alone} ELSE
                    r.state = 'approved' AND r.decided_by_id <> r.requested_by_id
                    AND r.decided_at_ms < r.expires_at_ms
                    AND (r.account_id, r.amount, r.note) = (a.account_id, a.amount, a.reason)
                    AND r.payload_hash = sha256(convert_to(
                        r.account_id::text || '|' || r.amount::text || '|' || r.reason_code || '|' || r.note, 'UTF8'))
                END, false)
        ) + (
            SELECT count(*) FROM ledger_adjustment_request r WHERE r.state = 'approved' AND NOT EXISTS (
                SELECT FROM ledger_transfer t WHERE t.family = 'adjustment' AND t.reference = r.id)
        )"""


def _places(newer: str) -> str:
    return f"""
        SELECT count(*) FROM ledger_transfer t
        JOIN ledger_account d ON d.id = t.debit_account_id
        JOIN ledger_account c ON c.id = t.credit_account_id
        WHERE ((d.book, d.currency) <> (t.book, t.currency) OR (c.book, c.currency) <> (t.book, t.currency))
          AND {newer}"""


def _facts(newer: str) -> str:
    """Return the check that each transfer names the fact that it belongs to; a refill is a fact of its own."""
    return f"""
        SELECT count(*) FROM ledger_transfer t
        WHERE {newer} AND NOT coalesce(CASE
            WHEN family LIKE 'order.%%' THEN (SELECT true FROM trading_order o WHERE o.id = t.reference)
            WHEN family = 'adjustment' THEN (SELECT true FROM ledger_adjustment a WHERE a.id = t.reference)
            WHEN family = 'demo.grant' THEN t.reference IN (t.credit_account_id, t.debit_account_id)
            ELSE family = 'demo.refill' END, false)"""


def _kinds(newer: str) -> str:
    """Return the check that each transfer goes the way of its kind.

    No family of this ledger takes a transfer back: what went wrong is made good by an adjustment, which two persons
    decide about. A reversal would have to be of another family or kind, or go the other way.
    """
    return f"""
        SELECT count(*) FROM ledger_transfer t
        JOIN ledger_account d ON d.id = t.debit_account_id
        JOIN ledger_account c ON c.id = t.credit_account_id
        WHERE {newer} AND NOT coalesce((family, t.kind, d.kind, c.kind) IN (
            ('order.stake', 'stake', 'wallet', 'stakes'), ('order.stake', 'stake', 'bonus', 'stakes'),
            ('order.close', 'lost', 'stakes', 'house'),
            ('order.close', 'won', 'stakes', 'wallet'), ('order.close', 'won', 'stakes', 'bonus'),
            ('order.close', 'tied', 'stakes', 'wallet'), ('order.close', 'tied', 'stakes', 'bonus'),
            ('order.close', 'refunded', 'stakes', 'wallet'), ('order.close', 'refunded', 'stakes', 'bonus'),
            ('order.profit', 'profit', 'house', 'wallet'), ('order.profit', 'profit', 'house', 'bonus'),
            ('demo.grant', 'grant', 'grant', 'wallet'), ('demo.refill', 'grant', 'grant', 'wallet'),
            ('demo.refill', 'return', 'wallet', 'grant'),
            ('adjustment', 'credit', 'adjustment', 'wallet'), ('adjustment', 'debit', 'wallet', 'adjustment'),
            ('adjustment', 'credit', 'adjustment', 'bonus'), ('adjustment', 'debit', 'bonus', 'adjustment')
        ), false)"""


def _ways(newer: str) -> str:
    return f"""
        SELECT count(*) FROM ledger_transfer t
        WHERE NOT (family IN ('order.stake', 'order.close', 'order.profit')
                   OR (family IN ('demo.grant', 'demo.refill') AND book = 'demo')
                   OR (family = 'adjustment' AND book = 'real'))
          AND {newer}"""


_FUNDS = "I-02 balances equal money in minus money out"
_CHAIN = "I-03 entries follow one another, gap-free and never below zero"
_SUMS = "I-05 stored balance equals the sum of its entries"
_PLACES = "I-06 no transfer crosses books or currencies"
_FACTS = "I-06 no transfer is without its fact"
_WAYS = "I-08 money enters each book only in its own ways"
_KINDS = "I-09 every transfer goes the way of its kind; only an adjustment makes good"

# Where each guarded account stood at its last checkpoint, or at nought, and its entries since then by number.
# OFFSET 0 keeps the planner from reading the whole table and joining it: each account asks its own index.
_SINCE = f"""
        WITH mark AS (
            SELECT a.id, a.balance, a.entry_no, coalesce(c.entry_no, 0) AS no, coalesce(c.balance, 0) AS after
            FROM ledger_account a LEFT JOIN LATERAL ({CHECKPOINT_NEWEST.format(account="a.id")}) c ON true
            WHERE a.owner_id IS NOT NULL
        ), entry AS (
            SELECT mark.id, mark.no AS mark_no, mark.after AS mark_after, e.* FROM mark CROSS JOIN LATERAL (
                SELECT debit_no AS no, -amount AS amount, debit_after AS after
                FROM ledger_transfer WHERE debit_account_id = mark.id AND debit_no > mark.no
                UNION ALL
                SELECT credit_no, amount, credit_after
                FROM ledger_transfer WHERE credit_account_id = mark.id AND credit_no > mark.no OFFSET 0
            ) e
        )"""

_ALWAYS: dict[str, str] = {
    "I-04 every user account has its floor": """
        SELECT CASE WHEN EXISTS (
            SELECT FROM pg_constraint WHERE conname = 'ledger_account_guarded' AND contype = 'c' AND convalidated
        ) THEN 0 ELSE 1 END""",
    "I-06 keys hold book and currency together": """
        SELECT count(*) FROM (VALUES
            ('ledger_account', 'ledger_account_stakes_place'), ('trading_order', 'trading_order_wallet_place'),
            ('ledger_transfer', 'ledger_transfer_place'), ('ledger_account', 'ledger_account_frozen'),
            ('ledger_account', 'ledger_account_kept'), ('ledger_account', 'ledger_account_no_truncate')
        ) AS needed(relation, name)
        WHERE NOT EXISTS (
            SELECT FROM pg_constraint WHERE conname = needed.name AND conrelid = to_regclass(needed.relation)
              AND contype = 'f' AND cardinality(conkey) = 3
        ) AND NOT EXISTS (
            SELECT FROM pg_trigger WHERE tgname = needed.name AND tgrelid = to_regclass(needed.relation)
              AND tgenabled <> 'D')""",
    "I-07 transfers are append-only": """
        SELECT count(*) FROM (VALUES
            ('ledger_transfer_append_only'), ('ledger_transfer_no_truncate'), ('ledger_transfer_adjustment_told'),
            ('ledger_adjustment_append_only'), ('ledger_adjustment_no_truncate'), ('ledger_adjustment_approved'),
            ('ledger_request_frozen'), ('ledger_request_kept'), ('ledger_request_no_truncate'),
            ('ledger_checkpoint_append_only'), ('ledger_checkpoint_no_truncate')) AS needed(name)
        WHERE NOT EXISTS (SELECT FROM pg_trigger WHERE tgname = needed.name AND tgenabled <> 'D')""",
    "I-32 a second person approved every adjustment": adjustments_approved(development=settings.DEVELOPMENT),
}

CHECKS: dict[str, str] = _ALWAYS | {
    # What users hold and what the house holds, from its checkpoints on, is nothing together.
    _FUNDS: f"""
        WITH part AS (
            SELECT book, currency, balance AS amount FROM ledger_account WHERE owner_id IS NOT NULL
            UNION ALL
            SELECT a.book, a.currency, c.balance
            FROM ledger_account a CROSS JOIN LATERAL ({CHECKPOINT_NEWEST.format(account="a.id")}) c
            WHERE a.owner_id IS NULL
            UNION ALL
            SELECT t.book, t.currency, CASE WHEN t.debit_no IS NULL THEN -t.amount ELSE 0 END
                                     + CASE WHEN t.credit_no IS NULL THEN t.amount ELSE 0 END
            FROM ledger_transfer t WHERE {NEWER}
        )
        SELECT count(*) FROM (SELECT FROM part GROUP BY book, currency HAVING sum(amount) <> 0) AS unbalanced""",
    _CHAIN: f"""{_SINCE}, step AS (
            SELECT no, amount, after,
                   coalesce(lag(no) OVER w, mark_no) AS no_before,
                   coalesce(lag(after) OVER w, mark_after) AS after_before
            FROM entry WINDOW w AS (PARTITION BY id ORDER BY no)
        )
        SELECT count(*) FROM step WHERE no <> no_before + 1 OR after <> after_before + amount OR after < 0""",
    _SUMS: f"""{_SINCE}, moved AS (SELECT id, sum(amount) AS amount, count(*) AS entries FROM entry GROUP BY id)
        SELECT count(*) FROM mark LEFT JOIN moved USING (id)
        WHERE balance <> after + coalesce(amount, 0) OR entry_no <> no + coalesce(entries, 0)""",
    _PLACES: _places(NEWER),
    _FACTS: _facts(NEWER),
    _WAYS: _ways(NEWER),
    _KINDS: _kinds(NEWER),
}

# Entries of guarded accounts since an instant, from both sides.
_ENTRIES_LATELY = f"""
        WITH entry AS (
            SELECT debit_account_id AS account, debit_no AS no, -amount AS amount, debit_after AS after
            FROM ledger_transfer WHERE debit_no IS NOT NULL AND {_LATELY}
            UNION ALL
            SELECT credit_account_id, credit_no, amount, credit_after
            FROM ledger_transfer WHERE credit_no IS NOT NULL AND {_LATELY}
        )"""


def _entry(account: str, no: str, more: str) -> str:
    """Return the condition that an account has an entry of a number; the indexes on numbers find it."""
    return f"""EXISTS (
            SELECT FROM ledger_transfer e WHERE e.debit_account_id = {account} AND e.debit_no {no}
                {more.format(after="AND e.debit_after")}
            UNION ALL
            SELECT FROM ledger_transfer e WHERE e.credit_account_id = {account} AND e.credit_no {no}
                {more.format(after="AND e.credit_after")})"""


LATELY_CHECKS: dict[str, str] = CHECKS | {
    # A guarded side has its entry and an unguarded one has none: the sums follow from that and from entries that follow
    # one another. The sums themselves are compared by the other forms.
    _FUNDS: f"""
        SELECT count(*) FROM ledger_transfer t
        JOIN ledger_account d ON d.id = t.debit_account_id
        JOIN ledger_account c ON c.id = t.credit_account_id
        WHERE {_LATELY} AND ((d.owner_id IS NULL) <> (t.debit_no IS NULL)
                             OR (c.owner_id IS NULL) <> (t.credit_no IS NULL))""",
    # An entry whose predecessor lies before the instant, or came with an older time, asks for it by number.
    _CHAIN: f"""{_ENTRIES_LATELY}, step AS (
            SELECT *, lag(no) OVER w AS no_before, lag(after) OVER w AS after_before
            FROM entry WINDOW w AS (PARTITION BY account ORDER BY no)
        )
        SELECT count(*) FROM step WHERE after < 0 OR NOT CASE
            WHEN no_before = no - 1 THEN after = after_before + amount
            WHEN no = 1 THEN after = amount
            ELSE {_entry("step.account", "= step.no - 1", "{after} = step.after - step.amount")} END""",
    # The newest entry says what the account says. What nothing moved lately is looked at part by part.
    _SUMS: f"""{_ENTRIES_LATELY}
        SELECT count(*) FROM ledger_account a
        WHERE a.owner_id IS NOT NULL
          AND (%(slice)s::int IS NULL OR uuid_hash(a.id) & {ACCOUNT_SLICES - 1} = %(slice)s::int
               OR a.id IN (SELECT account FROM entry))
          AND NOT CASE WHEN a.entry_no = 0 THEN a.balance = 0
                       ELSE {_entry("a.id", "= a.entry_no", "{after} = a.balance")} END
           OR a.id IN (SELECT account FROM entry) AND {_entry("a.id", "> a.entry_no", "")}""",
    _PLACES: _places(_LATELY),
    _FACTS: _facts(_LATELY),
    _WAYS: _ways(_LATELY),
    _KINDS: _kinds(_LATELY),
}

FULL_CHECKS: dict[str, str] = _ALWAYS | {
    # Guarded balances of a book and currency are what the unguarded accounts gave, less what they took.
    _FUNDS: """
        WITH held AS (
            SELECT book, currency, sum(balance) AS total FROM ledger_account WHERE owner_id IS NOT NULL GROUP BY 1, 2
        ), moved AS (
            SELECT t.book, t.currency,
                   sum(CASE WHEN d.owner_id IS NULL THEN t.amount ELSE 0 END)
                   - sum(CASE WHEN c.owner_id IS NULL THEN t.amount ELSE 0 END) AS total
            FROM ledger_transfer t
            JOIN ledger_account d ON d.id = t.debit_account_id
            JOIN ledger_account c ON c.id = t.credit_account_id
            GROUP BY 1, 2
        )
        SELECT count(*) FROM held FULL JOIN moved USING (book, currency)
        WHERE coalesce(held.total, 0) <> coalesce(moved.total, 0)""",
    _CHAIN: """
        WITH entry AS (
            SELECT debit_account_id AS account, debit_no AS no, -amount AS amount, debit_after AS after
            FROM ledger_transfer WHERE debit_no IS NOT NULL
            UNION ALL
            SELECT credit_account_id, credit_no, amount, credit_after
            FROM ledger_transfer WHERE credit_no IS NOT NULL
        ), step AS (
            SELECT no, amount, after,
                   coalesce(lag(no) OVER w, 0) AS no_before, coalesce(lag(after) OVER w, 0) AS after_before
            FROM entry WINDOW w AS (PARTITION BY account ORDER BY no)
        )
        SELECT count(*) FROM step WHERE no <> no_before + 1 OR after <> after_before + amount OR after < 0""",
    _SUMS: """
        WITH moved AS (
            SELECT account, sum(amount) AS amount, count(*) AS entries FROM (
                SELECT debit_account_id AS account, -amount AS amount FROM ledger_transfer
                UNION ALL SELECT credit_account_id, amount FROM ledger_transfer) AS entry
            GROUP BY account
        )
        SELECT count(*) FROM ledger_account a LEFT JOIN moved ON moved.account = a.id
        WHERE owner_id IS NOT NULL AND (balance <> coalesce(amount, 0) OR entry_no <> coalesce(entries, 0))""",
    _PLACES: _places("true"),
    _FACTS: _facts("true"),
    # Each checkpoint follows from the one before it and the entries in between; the house's totals from all before.
    "I-07 checkpoints recompute from the transfers": f"""
        WITH step AS (
            SELECT c.*, a.owner_id IS NOT NULL AS guarded,
                   (c.day + 1 - DATE '1970-01-01')::bigint * 86400000 AS until_ms,
                   coalesce(lag(c.entry_no) OVER w, 0) AS no_before,
                   coalesce(lag(c.hash) OVER w, sha256('')) AS hash_before
            FROM ledger_checkpoint c JOIN ledger_account a ON a.id = c.account_id
            WINDOW w AS (PARTITION BY c.account_id ORDER BY c.day)
        ), house_day AS (
            SELECT account, day, sum(amount) AS amount FROM (
                SELECT debit_account_id AS account, at_ms / 86400000 AS day, -amount AS amount
                FROM ledger_transfer WHERE debit_no IS NULL
                UNION ALL
                SELECT credit_account_id, at_ms / 86400000, amount FROM ledger_transfer WHERE credit_no IS NULL
            ) AS entry GROUP BY account, day
        ), house AS (
            SELECT step.account_id, step.day, sum(house_day.amount) AS balance
            FROM step LEFT JOIN house_day ON account = account_id AND house_day.day < until_ms / 86400000
            WHERE NOT guarded GROUP BY step.account_id, step.day
        )
        SELECT count(*) FROM step
        LEFT JOIN house USING (account_id, day)
        LEFT JOIN LATERAL (
            SELECT count(*) AS entries, max(after) FILTER (WHERE no = step.entry_no) AS balance,
                   string_agg(packed, ''::bytea ORDER BY no) AS packed
            FROM (
                SELECT debit_no AS no, debit_after AS after, {entry_bytes("debit", "credit")} AS packed
                FROM ledger_transfer
                WHERE debit_account_id = step.account_id AND debit_no > step.no_before AND debit_no <= step.entry_no
                UNION ALL
                SELECT credit_no, credit_after, {entry_bytes("credit", "debit")}
                FROM ledger_transfer
                WHERE credit_account_id = step.account_id AND credit_no > step.no_before AND credit_no <= step.entry_no
            ) AS entry
        ) AS made ON step.guarded
        WHERE step.previous_hash <> step.hash_before OR step.guarded <> (step.entry_no IS NOT NULL)
           OR CASE WHEN step.guarded
              THEN (made.balance, made.entries, step.hash) IS DISTINCT FROM
                   (step.balance, step.entry_no - step.no_before, sha256(step.previous_hash || made.packed))
              ELSE (house.balance, step.hash) IS DISTINCT FROM
                   (step.balance, sha256(step.previous_hash || int8send(step.until_ms) || int8send(step.balance)))
              END""",
    _WAYS: _ways("true"),
    _KINDS: _kinds("true"),
}

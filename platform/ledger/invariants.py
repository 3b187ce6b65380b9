"""Invariants of the ledger as queries: each returns the count of its violations."""

from __future__ import annotations

CHECKS: dict[str, str] = {
    # Guarded balances of a book and currency are what the unguarded accounts gave, less what they took.
    "I-02 balances equal money in minus money out": """
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
    "I-03 entries follow one another, gap-free and never below zero": """
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
    "I-04 every user account has its floor": """
        SELECT CASE WHEN EXISTS (
            SELECT FROM pg_constraint WHERE conname = 'ledger_account_guarded' AND contype = 'c' AND convalidated
        ) THEN 0 ELSE 1 END""",
    "I-05 stored balance equals the sum of its entries": """
        SELECT count(*) FROM ledger_account a WHERE owner_id IS NOT NULL AND (
            balance <> (SELECT coalesce(sum(amount), 0) FROM ledger_transfer WHERE credit_account_id = a.id)
                     - (SELECT coalesce(sum(amount), 0) FROM ledger_transfer WHERE debit_account_id = a.id)
            OR entry_no <> (SELECT count(*) FROM ledger_transfer WHERE credit_account_id = a.id)
                         + (SELECT count(*) FROM ledger_transfer WHERE debit_account_id = a.id))""",
    "I-06 no transfer crosses books or currencies": """
        SELECT count(*) FROM ledger_transfer t
        JOIN ledger_account d ON d.id = t.debit_account_id
        JOIN ledger_account c ON c.id = t.credit_account_id
        WHERE (d.book, d.currency) <> (t.book, t.currency) OR (c.book, c.currency) <> (t.book, t.currency)""",
    "I-07 transfers are append-only": """
        SELECT count(*) FROM (VALUES ('ledger_transfer_append_only'), ('ledger_transfer_no_truncate')) AS needed(name)
        WHERE NOT EXISTS (SELECT FROM pg_trigger WHERE tgname = needed.name AND tgenabled <> 'D')""",
    "I-08 money enters each book only in its own ways": """
        SELECT count(*) FROM ledger_transfer
        WHERE NOT (family IN ('order.stake', 'order.close', 'order.profit')
                   OR (family IN ('demo.grant', 'demo.refill') AND book = 'demo')
                   OR (family = 'adjustment' AND book = 'real'))""",
}

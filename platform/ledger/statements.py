"""SQL of the hot paths: each text is used in one place above, and only this app writes its tables."""

from __future__ import annotations

# Parts of the one statement that places an order. The caller holds the wallet's lock; `debited` is empty when the
# balance does not cover the stake, and then nothing below it happens.
STAKE_RESERVE = """
debited AS (
    UPDATE ledger_account SET balance = balance - %(stake)s, entry_no = entry_no + 1
    WHERE id = %(wallet_id)s AND balance >= %(stake)s
    RETURNING balance, entry_no
),
reserved AS (
    UPDATE ledger_account SET balance = balance + %(stake)s, entry_no = entry_no + 1
    WHERE id = %(stakes_id)s AND EXISTS (SELECT FROM debited)
    RETURNING balance, entry_no
),
moved AS (
    INSERT INTO ledger_transfer (id, entry_id, family, kind, reference, debit_account_id, credit_account_id, amount,
                                 book, currency, debit_no, debit_after, credit_no, credit_after, at_ms)
    SELECT %(transfer_id)s, %(order_id)s, 'order.stake', 'stake', %(order_id)s, %(wallet_id)s, %(stakes_id)s, %(stake)s,
           %(book)s, %(currency)s, debited.entry_no, debited.balance, reserved.entry_no, reserved.balance, %(at_ms)s
    FROM debited, reserved
    RETURNING id
)"""

WALLETS_LOCK = """
SELECT id FROM ledger_account WHERE id = ANY(%(wallet_ids)s) ORDER BY id FOR NO KEY UPDATE"""

# Read in a statement of its own: the snapshot of the locking one may be older than the lock.
WALLETS_READ = """
SELECT wallet.id, wallet.owner_id, wallet.book, wallet.currency, wallet.balance, wallet.entry_no,
       stakes.id, stakes.balance, stakes.entry_no
FROM ledger_account AS wallet
JOIN ledger_account AS stakes ON stakes.wallet_id = wallet.id
WHERE wallet.id = ANY(%(wallet_ids)s)"""

BALANCES_WRITE = """
UPDATE ledger_account AS account SET balance = new.balance, entry_no = new.entry_no
FROM unnest(%(ids)s::uuid[], %(balances)s::bigint[], %(entry_nos)s::bigint[]) AS new(id, balance, entry_no)
WHERE account.id = new.id"""

TRANSFERS_WRITE = """
INSERT INTO ledger_transfer (id, entry_id, family, kind, reference, debit_account_id, credit_account_id, amount,
                             book, currency, debit_no, debit_after, credit_no, credit_after, at_ms)
SELECT *, %(at_ms)s
FROM unnest(%(ids)s::uuid[], %(entry_ids)s::uuid[], %(families)s::text[], %(kinds)s::text[], %(references)s::uuid[],
            %(debits)s::uuid[], %(credits)s::uuid[], %(amounts)s::bigint[], %(books)s::text[], %(currencies)s::text[],
            %(debit_nos)s::bigint[], %(debit_afters)s::bigint[], %(credit_nos)s::bigint[],
            %(credit_afters)s::bigint[])"""

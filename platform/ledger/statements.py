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
SELECT id FROM ledger_account WHERE id = ANY(%(wallet_ids)s::uuid[]) ORDER BY id FOR NO KEY UPDATE"""

# Read in a statement of its own: the snapshot of the locking one may be older than the lock.
WALLETS_READ = """
SELECT wallet.id, wallet.owner_id, wallet.book, wallet.currency, wallet.balance, wallet.entry_no,
       stakes.id, stakes.balance, stakes.entry_no
FROM ledger_account AS wallet
JOIN ledger_account AS stakes ON stakes.wallet_id = wallet.id
WHERE wallet.id = ANY(%(wallet_ids)s::uuid[])"""

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

# Locks the wallets of a batch by id and then their stakes, which nobody else locks without the wallet's lock; numbers,
# balances and writes the batch under them: what `ledger.domain.numbered` does for few, without the way to Python and
# back while traders wait. A row that is locked is read as it is then, though the statement's snapshot may be older. A
# balance that would fall below zero offends the account's own constraint. Each account's last entry says what it has
# now.
TRANSFERS_POST = """
WITH drafted AS MATERIALIZED (
    SELECT * FROM unnest(%(ids)s::uuid[], %(families)s::text[], %(kinds)s::text[], %(references)s::uuid[],
                         %(debits)s::uuid[], %(credits)s::uuid[], %(amounts)s::bigint[])
        WITH ORDINALITY AS d(id, family, kind, reference, debit, credit, amount, n)
), guarded AS MATERIALIZED (
    SELECT id, book, currency, balance, entry_no FROM ledger_account WHERE id = ANY(%(guarded)s::uuid[])
    ORDER BY wallet_id IS NOT NULL, id FOR NO KEY UPDATE
), entered AS MATERIALIZED (
    SELECT side.n, side.debits, account.id, account.book, account.currency,
           account.entry_no + row_number() OVER turn AS no,
           (account.balance + sum(side.change) OVER turn)::bigint AS after
    FROM (SELECT n, true AS debits, debit AS account_id, -amount AS change FROM drafted
          UNION ALL SELECT n, false, credit, amount FROM drafted) AS side
    JOIN guarded AS account ON account.id = side.account_id
    WINDOW turn AS (PARTITION BY side.account_id ORDER BY side.n)
), balanced AS (
    UPDATE ledger_account AS account SET balance = newest.after, entry_no = newest.no
    FROM (SELECT DISTINCT ON (id) id, after, no FROM entered ORDER BY id, no DESC) AS newest
    WHERE account.id = newest.id
)
INSERT INTO ledger_transfer (id, entry_id, family, kind, reference, debit_account_id, credit_account_id, amount,
                             book, currency, debit_no, debit_after, credit_no, credit_after, at_ms)
SELECT d.id, d.reference, d.family, d.kind, d.reference, d.debit, d.credit, d.amount,
       coalesce(debited.book, credited.book), coalesce(debited.currency, credited.currency),
       debited.no, debited.after, credited.no, credited.after, %(at_ms)s::bigint
FROM drafted AS d
LEFT JOIN entered AS debited ON debited.n = d.n AND debited.debits
LEFT JOIN entered AS credited ON credited.n = d.n AND NOT credited.debits"""

# Where wallets are, and their stakes: none of it ever changes, so that no lock is needed.
PLACES_READ = """
SELECT wallet.id, wallet.owner_id, wallet.book, wallet.currency, stakes.id
FROM ledger_account AS wallet JOIN ledger_account AS stakes ON stakes.wallet_id = wallet.id
WHERE wallet.id = ANY(%(wallet_ids)s::uuid[])"""


# --- checkpoints ----------------------------------------------------------------------------------

CHECKPOINT_NEWEST = """
SELECT entry_no, balance, hash FROM ledger_checkpoint WHERE account_id = {account} ORDER BY day DESC LIMIT 1"""

# The instant up to which all accounts are held fast: the end of the newest day that has a checkpoint.
CHECKED_UNTIL_MS = """
(SELECT coalesce((max(day) + 1 - DATE '1970-01-01')::bigint * 86400000, 0) FROM ledger_checkpoint)"""

# A span with two ends is taken for a narrow one, so that the plan reads the index on time and not the whole table.
NEWER = f"at_ms >= {CHECKED_UNTIL_MS} AND at_ms < 9000000000000000"


def entry_bytes(side: str, other: str) -> str:
    """Return the SQL of one entry's canonical bytes, 88 of them: what the hash of a checkpoint is made of.

    :param side: ``debit`` or ``credit``, the account's own side; ``other`` is the opposite one
    """
    amount = "-amount" if side == "debit" else "amount"
    return (
        f"int8send({side}_no) || int8send({amount}) || int8send({side}_after) || uuid_send(id)"
        f" || uuid_send({other}_account_id) || convert_to(rpad(family, 24), 'UTF8') || int8send(at_ms)"
    )


# Of each guarded account that moved: all entries after its last checkpoint, up to its last one before the day's end.
# They are taken by number, so that a clock that once went back leaves no entry out.
CHECKPOINTS_GUARDED = f"""
INSERT INTO ledger_checkpoint (account_id, day, entry_no, balance, hash, previous_hash, made_at_ms)
WITH moved AS (
    SELECT account, max(no) AS no FROM (
        SELECT debit_account_id AS account, debit_no AS no FROM ledger_transfer
        WHERE debit_no IS NOT NULL AND at_ms >= %(from_ms)s AND at_ms < %(until_ms)s
        UNION ALL
        SELECT credit_account_id, credit_no FROM ledger_transfer
        WHERE credit_no IS NOT NULL AND at_ms >= %(from_ms)s AND at_ms < %(until_ms)s
    ) AS entry GROUP BY account
), mark AS (
    SELECT moved.account, moved.no AS no_last, coalesce(c.entry_no, 0) AS no_before,
           coalesce(c.hash, sha256('')) AS hash_before
    FROM moved LEFT JOIN LATERAL ({CHECKPOINT_NEWEST.format(account="moved.account")}) AS c ON true
)
SELECT account, %(day)s::date, no_last, max(after) FILTER (WHERE no = no_last),
       sha256(hash_before || string_agg(packed, ''::bytea ORDER BY no)), hash_before, %(made_at_ms)s
FROM mark CROSS JOIN LATERAL (
    SELECT debit_no AS no, debit_after AS after, {entry_bytes("debit", "credit")} AS packed
    FROM ledger_transfer
    WHERE debit_account_id = mark.account AND debit_no > mark.no_before AND debit_no <= mark.no_last
    UNION ALL
    SELECT credit_no, credit_after, {entry_bytes("credit", "debit")}
    FROM ledger_transfer
    WHERE credit_account_id = mark.account AND credit_no > mark.no_before AND credit_no <= mark.no_last OFFSET 0
) AS entry
GROUP BY account, no_last, hash_before"""

CHECKPOINTS_HOUSE = f"""
INSERT INTO ledger_checkpoint (account_id, day, entry_no, balance, hash, previous_hash, made_at_ms)
WITH moved AS (
    SELECT account, sum(amount) AS amount FROM (
        SELECT debit_account_id AS account, -amount AS amount FROM ledger_transfer
        WHERE debit_no IS NULL AND at_ms >= %(from_ms)s AND at_ms < %(until_ms)s
        UNION ALL
        SELECT credit_account_id, amount FROM ledger_transfer
        WHERE credit_no IS NULL AND at_ms >= %(from_ms)s AND at_ms < %(until_ms)s
    ) AS entry GROUP BY account
), total AS (
    SELECT moved.account, (coalesce(c.balance, 0) + moved.amount)::bigint AS balance,
           coalesce(c.hash, sha256('')) AS hash_before
    FROM moved LEFT JOIN LATERAL ({CHECKPOINT_NEWEST.format(account="moved.account")}) AS c ON true
)
SELECT account, %(day)s::date, NULL, balance,
       sha256(hash_before || int8send(%(until_ms)s::bigint) || int8send(balance)), hash_before, %(made_at_ms)s
FROM total"""

# A transaction that began before the day's end may still bring a transfer of that day.
OLDER_TRANSACTIONS = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
  AND xact_start < to_timestamp(%(until_ms)s::bigint / 1000)"""

HOUSE_TOTAL = f"""
SELECT coalesce((SELECT sum(newest.balance) FROM unnest(%(ids)s::uuid[]) AS wanted(id)
                 CROSS JOIN LATERAL ({CHECKPOINT_NEWEST.format(account="wanted.id")}) AS newest), 0)
     + coalesce((SELECT sum(amount) FROM ledger_transfer WHERE credit_account_id = ANY(%(ids)s) AND {NEWER}), 0)
     - coalesce((SELECT sum(amount) FROM ledger_transfer WHERE debit_account_id = ANY(%(ids)s) AND {NEWER}), 0)"""

# Families are few, and each has at most one transfer of a reference: the unique index finds them.
TRANSFERS_OF_REFERENCE = """
SELECT t.id, t.at_ms, t.family, t.kind, t.amount, debit.kind, credit.kind, t.debit_no, t.credit_no
FROM ledger_transfer AS t
JOIN ledger_account AS debit ON debit.id = t.debit_account_id
JOIN ledger_account AS credit ON credit.id = t.credit_account_id
WHERE t.reference = %(reference)s AND t.family = ANY(ARRAY['order.stake', 'order.close', 'order.profit'])
ORDER BY t.id"""

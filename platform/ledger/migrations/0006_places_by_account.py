"""Where a transfer's accounts are is asked once for each account of a statement, not once for each row and side.

A batch of settlement has few wallets and many transfers of them. Which transfer is misplaced is looked for when there is
one.
"""

from django.db import migrations

BY_ACCOUNT = """
CREATE OR REPLACE FUNCTION ledger_transfer_places() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    misplaced record;
    rule text;
BEGIN
    -- OFFSET 0 keeps each look-up one by the primary key, whatever the plan was first made for.
    PERFORM FROM (
        SELECT debit_account_id AS account, book, currency FROM added
        UNION SELECT credit_account_id, book, currency FROM added
    ) AS side
    WHERE NOT EXISTS (SELECT FROM public.ledger_account AS a
                      WHERE a.id = side.account AND a.book = side.book AND a.currency = side.currency OFFSET 0);
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    SELECT found.* INTO misplaced FROM (
        SELECT added.id, added.book, added.currency,
               EXISTS (SELECT FROM public.ledger_account AS a WHERE a.id = added.debit_account_id
                       AND a.book = added.book AND a.currency = added.currency) AS debit,
               EXISTS (SELECT FROM public.ledger_account AS a WHERE a.id = added.credit_account_id
                       AND a.book = added.book AND a.currency = added.currency) AS credit
        FROM added
    ) AS found
    WHERE NOT (found.debit AND found.credit) LIMIT 1;
    rule := 'ledger_transfer_' || CASE WHEN misplaced.debit THEN 'credit' ELSE 'debit' END || '_place';
    RAISE EXCEPTION 'transfer % violates "%": no such account in book % and currency %',
        misplaced.id, rule, misplaced.book, misplaced.currency
        USING ERRCODE = 'foreign_key_violation', TABLE = 'ledger_transfer', CONSTRAINT = rule;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("ledger", "0005_places_by_trigger")]

    # The function of the migration before says the same; there is nothing to go back to.
    operations = [migrations.RunSQL(BY_ACCOUNT, migrations.RunSQL.noop)]

"""Where a transfer's accounts are is checked once for a whole statement, and accounts keep what was checked.

A foreign key asks, and locks the account it found, for each row and each side: half of what writing a batch of transfers
costs, and a lock on the house's few accounts that every placement and every batch share. One statement of the same rule
for all rows of an INSERT costs a quarter. What the key's lock was for, an account that is deleted or moved meanwhile,
cannot happen: accounts keep their place, and none is ever deleted.
"""

from django.db import migrations

PLACES = """
CREATE FUNCTION ledger_account_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'an account keeps its owner, place and kind, and is never deleted: % refused', TG_OP
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER ledger_account_frozen BEFORE UPDATE ON ledger_account
    FOR EACH ROW WHEN (
        ROW(NEW.id, NEW.owner_id, NEW.book, NEW.currency, NEW.kind, NEW.stripe, NEW.wallet_id, NEW.opened_at_ms)
        IS DISTINCT FROM
        ROW(OLD.id, OLD.owner_id, OLD.book, OLD.currency, OLD.kind, OLD.stripe, OLD.wallet_id, OLD.opened_at_ms))
    EXECUTE FUNCTION ledger_account_guard();
CREATE TRIGGER ledger_account_kept BEFORE DELETE ON ledger_account
    FOR EACH ROW EXECUTE FUNCTION ledger_account_guard();
CREATE TRIGGER ledger_account_no_truncate BEFORE TRUNCATE ON ledger_account
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();

-- OFFSET 0 keeps each look-up one by the primary key, whatever the plan was first made for.
CREATE FUNCTION ledger_transfer_places() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    misplaced record;
    rule text;
BEGIN
    SELECT found.* INTO misplaced FROM (
        SELECT added.id, added.book, added.currency,
               EXISTS (SELECT FROM public.ledger_account AS a WHERE a.id = added.debit_account_id
                       AND a.book = added.book AND a.currency = added.currency OFFSET 0) AS debit,
               EXISTS (SELECT FROM public.ledger_account AS a WHERE a.id = added.credit_account_id
                       AND a.book = added.book AND a.currency = added.currency OFFSET 0) AS credit
        FROM added
    ) AS found
    WHERE NOT (found.debit AND found.credit) LIMIT 1;
    IF FOUND THEN
        rule := 'ledger_transfer_' || CASE WHEN misplaced.debit THEN 'credit' ELSE 'debit' END || '_place';
        RAISE EXCEPTION 'transfer % violates "%": no such account in book % and currency %',
            misplaced.id, rule, misplaced.book, misplaced.currency
            USING ERRCODE = 'foreign_key_violation', TABLE = 'ledger_transfer', CONSTRAINT = rule;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER ledger_transfer_place AFTER INSERT ON ledger_transfer REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_transfer_places();
"""
NO_PLACES = """
DROP TRIGGER ledger_transfer_place ON ledger_transfer;
DROP FUNCTION ledger_transfer_places();
DROP TRIGGER ledger_account_no_truncate ON ledger_account;
DROP TRIGGER ledger_account_kept ON ledger_account;
DROP TRIGGER ledger_account_frozen ON ledger_account;
DROP FUNCTION ledger_account_guard();
"""
NO_KEYS = """
ALTER TABLE ledger_transfer
    DROP CONSTRAINT ledger_transfer_debit_place, DROP CONSTRAINT ledger_transfer_credit_place;
"""
KEYS = """
ALTER TABLE ledger_transfer
    ADD CONSTRAINT ledger_transfer_debit_place FOREIGN KEY (debit_account_id, book, currency)
        REFERENCES ledger_account (id, book, currency),
    ADD CONSTRAINT ledger_transfer_credit_place FOREIGN KEY (credit_account_id, book, currency)
        REFERENCES ledger_account (id, book, currency);
"""


class Migration(migrations.Migration):
    dependencies = [("ledger", "0004_rules_of_requests_and_checkpoints")]

    # The new rule is in force before the old one goes.
    operations = [migrations.RunSQL(PLACES, NO_PLACES), migrations.RunSQL(NO_KEYS, KEYS)]

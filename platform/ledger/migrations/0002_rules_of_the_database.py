"""What the ledger's tables refuse by themselves, and the accounts of the house."""

from django.db import migrations

from kernel.money import CURRENCY_SCALES
from ledger.domain import DEMO, HOUSE_STRIPES, REAL, AccountKind, house_account_id

FORWARD = """
ALTER TABLE ledger_transfer
    ADD CONSTRAINT ledger_transfer_debit_place FOREIGN KEY (debit_account_id, book, currency)
        REFERENCES ledger_account (id, book, currency),
    ADD CONSTRAINT ledger_transfer_credit_place FOREIGN KEY (credit_account_id, book, currency)
        REFERENCES ledger_account (id, book, currency);
ALTER TABLE ledger_account
    ADD CONSTRAINT ledger_account_stakes_place FOREIGN KEY (wallet_id, book, currency)
        REFERENCES ledger_account (id, book, currency);
-- Balances change often and no index holds them: room on the page keeps those updates off the indices.
ALTER TABLE ledger_account SET (fillfactor = 70);

CREATE FUNCTION append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER ledger_transfer_append_only BEFORE UPDATE OR DELETE ON ledger_transfer
    FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER ledger_transfer_no_truncate BEFORE TRUNCATE ON ledger_transfer
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER ledger_adjustment_append_only BEFORE UPDATE OR DELETE ON ledger_adjustment
    FOR EACH ROW EXECUTE FUNCTION append_only();

-- The second wall: where the application's role does not own the tables, it may not even try.
DO $$ BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'fairstrike') AND current_user <> 'fairstrike' THEN
        REVOKE UPDATE, DELETE, TRUNCATE ON ledger_transfer, ledger_adjustment FROM fairstrike;
        REVOKE DELETE, TRUNCATE ON ledger_account FROM fairstrike;
    END IF;
END $$;
"""
BACKWARD = """
DROP TRIGGER ledger_adjustment_append_only ON ledger_adjustment;
DROP TRIGGER ledger_transfer_no_truncate ON ledger_transfer;
DROP TRIGGER ledger_transfer_append_only ON ledger_transfer;
DROP FUNCTION append_only();
ALTER TABLE ledger_account DROP CONSTRAINT ledger_account_stakes_place;
ALTER TABLE ledger_transfer
    DROP CONSTRAINT ledger_transfer_debit_place, DROP CONSTRAINT ledger_transfer_credit_place;
"""

STRIPES = {AccountKind.HOUSE: HOUSE_STRIPES, AccountKind.GRANT: 1, AccountKind.ADJUSTMENT: 1}


def house_accounts_open(apps, schema_editor):
    """Open the accounts of the house in the two standing books, one set for each currency."""
    account = apps.get_model("ledger", "Account")
    account.objects.bulk_create(
        account(
            id=house_account_id(book, currency, kind, stripe),
            book=book,
            currency=currency,
            kind=kind,
            stripe=stripe,
            opened_at_ms=0,
        )
        for book in (REAL, DEMO)
        for currency in CURRENCY_SCALES
        for kind, stripes in STRIPES.items()
        for stripe in range(stripes)
    )


class Migration(migrations.Migration):
    dependencies = [("ledger", "0001_initial")]

    operations = [
        migrations.RunSQL(FORWARD, BACKWARD),
        migrations.RunPython(house_accounts_open, migrations.RunPython.noop),
    ]

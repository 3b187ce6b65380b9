"""What the tables of orders refuse by themselves: a changed term, a second settlement, a deleted order."""

from django.db import migrations

FORWARD = """
ALTER TABLE trading_order
    ADD CONSTRAINT trading_order_wallet_place FOREIGN KEY (wallet_id, book, currency)
        REFERENCES ledger_account (id, book, currency);
-- Settlement changes no indexed column: room on the page keeps that update off the indices.
ALTER TABLE trading_order SET (fillfactor = 80);

CREATE FUNCTION trading_order_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'an order is never deleted' USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.state <> 'open' THEN
        RAISE EXCEPTION 'order % is settled', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    IF ROW(NEW.id, NEW.client_order_id, NEW.user_id, NEW.wallet_id, NEW.book, NEW.currency, NEW.source, NEW.asked,
           NEW.symbol_id, NEW.symbol, NEW.direction, NEW.stake, NEW.payout_percent, NEW.entry_rule,
           NEW.settlement_rule, NEW.max_tick_age_ms, NEW.revision, NEW.price_scale, NEW.accepted_at_ms,
           NEW.expires_at_ms)
       IS DISTINCT FROM
       ROW(OLD.id, OLD.client_order_id, OLD.user_id, OLD.wallet_id, OLD.book, OLD.currency, OLD.source, OLD.asked,
           OLD.symbol_id, OLD.symbol, OLD.direction, OLD.stake, OLD.payout_percent, OLD.entry_rule,
           OLD.settlement_rule, OLD.max_tick_age_ms, OLD.revision, OLD.price_scale, OLD.accepted_at_ms,
           OLD.expires_at_ms)
       OR (OLD.open_price IS NOT NULL
           AND ROW(NEW.open_seq, NEW.open_at_ms, NEW.open_price, NEW.entered_at_ms)
               IS DISTINCT FROM ROW(OLD.open_seq, OLD.open_at_ms, OLD.open_price, OLD.entered_at_ms)) THEN
        RAISE EXCEPTION 'the terms of order % are frozen', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER trading_order_frozen BEFORE UPDATE OR DELETE ON trading_order
    FOR EACH ROW EXECUTE FUNCTION trading_order_frozen();
CREATE TRIGGER trading_order_no_truncate BEFORE TRUNCATE ON trading_order
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();

DO $$ BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'fairstrike') AND current_user <> 'fairstrike' THEN
        REVOKE DELETE, TRUNCATE ON trading_order FROM fairstrike;
    END IF;
END $$;
"""
BACKWARD = """
DROP TRIGGER trading_order_no_truncate ON trading_order;
DROP TRIGGER trading_order_frozen ON trading_order;
DROP FUNCTION trading_order_frozen();
ALTER TABLE trading_order DROP CONSTRAINT trading_order_wallet_place;
"""


class Migration(migrations.Migration):
    dependencies = [("trading", "0001_initial"), ("ledger", "0002_rules_of_the_database")]

    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
